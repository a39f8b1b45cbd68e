//! Putting reports away, on a thread of its own: written, looked through, hashed and on disk while the next unit is trained.
//!
//! One report is in hand at a time, and none waits: a trainer that is through while the one before is not on disk yet waits for
//! that, so that a slow disk holds up training and never fills memory. A report is told of once it is on disk.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};

use anyhow::{Context, Result};
use protocol::{Identity, ReportLimits, Unit, content_hash, decode_report, encode_report};
use snake::{Schema, UnitBuckets};
use spec::Fingerprint;
use tokio::sync::mpsc;

use super::outbox::{ASK_AGAIN, Outbox};
use super::trainer::{Outcome, Shards, Told};

/// What came out of training.
#[derive(Debug)]
pub(crate) struct Trained {
    pub(crate) unit: Unit,
    pub(crate) buckets: UnitBuckets,
    pub(crate) rows: u64,
    /// What the training took.
    pub(crate) seconds: f64,
    /// The shard store after it.
    pub(crate) shards: Shards,
}

/// What reports are put away with.
pub(crate) struct Keeper {
    pub(crate) schema: Schema,
    pub(crate) fingerprint: Fingerprint,
    /// Where they go.
    pub(crate) outbox: Outbox,
    /// Signs them.
    pub(crate) identity: Identity,
}

/// A handle on the thread. It ends when the handle is dropped and the report in hand is put away.
pub(crate) struct Keeping(SyncSender<Trained>);

impl Keeping {
    /// Starts the thread. Of everything that it takes it tells twice: when it is taken, and when it is put away.
    pub(crate) fn start(keeper: Keeper, told: mpsc::Sender<Told>) -> Result<Self> {
        // No room: who hands over waits until the thread takes it.
        let (reports, inbox) = sync_channel(0);
        std::thread::Builder::new()
            .name("keeper".into())
            .spawn(move || keeper.work(&inbox, &told))
            .context("the thread that puts reports away can't be started")?;
        Ok(Self(reports))
    }

    /// Hands over what came out, once the report before is put away. False: nobody takes it any more.
    pub(crate) fn take(&self, trained: Trained) -> bool {
        self.0.send(trained).is_ok()
    }
}

impl Keeper {
    fn work(&self, inbox: &Receiver<Trained>, told: &mpsc::Sender<Told>) {
        loop {
            let trained = match inbox.recv_timeout(ASK_AGAIN) {
                Ok(trained) => trained,
                Err(RecvTimeoutError::Timeout) => {
                    self.outbox.put_down();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let Trained { unit, buckets, rows, seconds, shards } = trained;
            let taken = Told { unit, outcome: Outcome::Trained, shards: Some(shards) };
            if told.blocking_send(taken).is_err() {
                return;
            }
            let outcome = self.keep(unit, buckets, rows, seconds).unwrap_or_else(Outcome::Failed);
            if told.blocking_send(Told { unit, outcome, shards: None }).is_err() {
                return;
            }
        }
    }

    /// Makes a report and puts it into the outbox. The error says why there is none.
    fn keep(&self, unit: Unit, buckets: UnitBuckets, rows: u64, seconds: f64) -> Result<Outcome, String> {
        let report = encode_report(&buckets).map_err(|error| error.to_string())?;
        // What comes next takes its place in memory.
        drop(buckets);
        // A report that no coordinator takes is said here, not lost there.
        let limits = ReportLimits::for_path(&self.schema, rows);
        if let Err(error) = decode_report(&report, limits) {
            return Err(format!("no coordinator would take its report: {error}"));
        }
        let content = content_hash(&self.fingerprint, unit, &report);
        let bytes = report.len() as u64;
        let kept = self.outbox.keep(&self.identity, unit, content, report);
        let trouble = kept.err().map(|error| format!("{error:#}"));
        Ok(Outcome::Kept { content, bytes, rows, seconds, trouble })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io;
    use std::path::Path;
    use std::sync::Mutex;
    use std::sync::mpsc::TrySendError;

    use super::*;
    use crate::disk::{Disk, RealDisk};
    use protocol::RunId;
    use snake::TargetKind;
    use spec::StoreCounters;

    /// A disk that writes when it is let.
    struct Gate {
        come: SyncSender<()>,
        go: Mutex<Receiver<()>>,
    }

    impl Disk for Gate {
        fn write(&self, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
            self.come.send(()).unwrap();
            self.go.lock().unwrap().recv().unwrap();
            RealDisk.write(path, parts)
        }
    }

    fn trained(layer: u32) -> Trained {
        let shards = Shards {
            in_memory: BTreeSet::new(),
            on_disk: BTreeSet::new(),
            counters: StoreCounters::default(),
            finding: None,
        };
        Trained { unit: Unit::new(0, layer), buckets: Vec::new(), rows: 1, seconds: 0.0, shards }
    }

    #[test]
    fn a_report_is_told_of_when_it_is_on_disk_and_the_next_one_waits_for_that() {
        let folder = tempfile::tempdir().unwrap();
        let (run, fingerprint) = (RunId::from_bytes([1; 32]), Fingerprint::from_bytes([2; 32]));
        let ((come, came), (go, gone)) = (sync_channel(1), sync_channel(1));
        let disk = Box::new(Gate { come, go: Mutex::new(gone) });
        let (outbox, _) = Outbox::open_on(disk, folder.path(), run, fingerprint).unwrap();
        let schema = Schema {
            target: "y".into(),
            target_kind: TargetKind::Number,
            classes: Vec::new(),
            features: Vec::new(),
        };
        let keeper = Keeper { schema, fingerprint, outbox, identity: Identity::from_seed(&[3; 32]) };
        let (told_in, mut told) = mpsc::channel(16);
        let keeping = Keeping::start(keeper, told_in).unwrap();
        let mut next = || told.blocking_recv().map(|told| (told.unit.layer, told.outcome)).unwrap();
        for layer in 0..2 {
            assert!(keeping.take(trained(layer)));
            came.recv().unwrap();
            assert!(matches!(next(), (of, Outcome::Trained) if of == layer));
            // While it is written nothing else is taken, and nothing is said.
            assert!(matches!(keeping.0.try_send(trained(9)), Err(TrySendError::Full(_))));
            let on_disk = || Outbox::open(folder.path(), run, fingerprint).unwrap().1.len() as u32;
            assert_eq!(on_disk(), layer);
            go.send(()).unwrap();
            assert!(matches!(next(), (of, Outcome::Kept { trouble: None, .. }) if of == layer));
            assert_eq!(on_disk(), layer + 1);
        }
        drop(keeping);
        assert!(told.blocking_recv().is_none(), "it ends, and told nothing in between");
    }
}
