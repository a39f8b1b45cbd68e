//! A volunteer's reports on disk: kept until the run is complete, offered again after any restart.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use protocol::volunteer::OutboxItem;
use protocol::{ContentHash, Identity, ReportHeader, RunId, Signed, Unit, content_hash};
use spec::Fingerprint;

use crate::clock::unix_millis;
use crate::disk::{Disk, RealDisk};
use crate::files;
use crate::report_folder::{ReportFolder, ReportName, StoredReport};

/// How many bytes of reports are kept in memory at most, where the disk takes none; one report always. The next one waits until
/// the coordinator has one of them or the disk takes reports again, and training waits for it.
const IN_MEMORY: usize = 64 * 1024 * 1024;
/// How often the disk is asked again while there are any.
pub(super) const ASK_AGAIN: Duration = Duration::from_secs(5);

type Reports = BTreeMap<(Unit, ContentHash), Arc<StoredReport>>;

/// Reports that could not be put on disk: kept as long as the program runs.
struct InMemory {
    /// How many bytes of them at most.
    room: usize,
    reports: Mutex<Reports>,
    /// Rings when one goes.
    gone: Condvar,
}

impl InMemory {
    fn new(room: usize) -> Arc<Self> {
        Arc::new(Self { room, reports: Mutex::default(), gone: Condvar::new() })
    }
}

/// The reports that this volunteer has made. Clones share them: the trainer puts them in, deliveries take them out.
#[derive(Clone)]
pub(crate) struct Outbox {
    run: RunId,
    folder: Arc<ReportFolder>,
    in_memory: Arc<InMemory>,
}

impl Outbox {
    /// Opens the outbox of a run and says what is in it.
    pub(crate) fn open(
        folder: &Path,
        run: RunId,
        fingerprint: Fingerprint,
    ) -> Result<(Self, Vec<OutboxItem>)> {
        Self::open_on(Box::new(RealDisk), folder, run, fingerprint)
    }

    pub(super) fn open_on(
        disk: Box<dyn Disk>,
        folder: &Path,
        run: RunId,
        fingerprint: Fingerprint,
    ) -> Result<(Self, Vec<OutboxItem>)> {
        files::make_folder(folder)?;
        let hash = Box::new(move |unit: Unit, body: &[u8]| content_hash(&fingerprint, unit, body));
        let reports = ReportFolder::new(disk, folder, protocol::limits::REPORT_BYTES, hash);
        let context = || format!("{}: the reports kept here can't be looked through", folder.display());
        let found = reports.look_through().with_context(context)?;
        let in_memory = InMemory::new(IN_MEMORY);
        let mut items = Vec::new();
        for name in found.reports.values().flatten() {
            let bytes = reports.get(*name).with_context(context)?.body.len() as u64;
            items.push(OutboxItem { unit: name.unit, content: name.content, bytes });
        }
        Ok((Self { run, folder: Arc::new(reports), in_memory }, items))
    }

    /// Keeps a report. A full disk is no reason to lose it: it is then kept in memory, and the error says so. Where too many
    /// are there already it waits for one to go.
    pub(crate) fn keep(
        &self,
        identity: &Identity,
        unit: Unit,
        content: ContentHash,
        body: Vec<u8>,
    ) -> Result<()> {
        let length = body.len() as u64;
        let header = ReportHeader { unit, content, length, claim: 0, finished: unix_millis() };
        let header = Signed::sign(identity, self.run, header)?;
        let report = StoredReport { statement: header.bytes().to_vec(), body };
        let mut waits = false;
        loop {
            let Err(error) = self.folder.put(name(unit, content), &report) else {
                self.put_down();
                return Ok(());
            };
            let mut memory = self.memory();
            let taken: usize = memory.values().map(|report| report.body.len()).sum();
            if memory.is_empty() || taken + report.body.len() <= self.in_memory.room {
                memory.insert((unit, content), Arc::new(report));
                return Err(error).context(
                    "a report can't be put on disk, so it is kept in memory until it is delivered; make room on the disk",
                );
            }
            if !std::mem::replace(&mut waits, true) {
                tracing::warn!(
                    "the disk takes no reports ({error:#}), and {} that the coordinator has not taken fill the memory kept \
                     for them: training waits; make room on the disk",
                    memory.len()
                );
            }
            let room = self.in_memory.gone.wait_timeout(memory, ASK_AGAIN);
            drop(room.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Puts on disk what is in memory, as far as the disk takes it now.
    pub(crate) fn put_down(&self) {
        let waiting: Vec<_> = self.memory().iter().map(|(of, report)| (*of, Arc::clone(report))).collect();
        for ((unit, content), report) in waiting {
            if self.folder.put(name(unit, content), &report).is_err() {
                return;
            }
            if self.memory().remove(&(unit, content)).is_none() {
                // It was let go of meanwhile.
                let _ = self.folder.remove(name(unit, content));
            }
        }
    }

    /// A report, to be delivered. It is gone where the error is of kind `NotFound` or `InvalidData`, and else can't be read now.
    pub(crate) fn get(&self, unit: Unit, content: ContentHash) -> io::Result<Arc<StoredReport>> {
        // Nobody waits for the disk with what is in memory locked.
        let held = self.memory().get(&(unit, content)).cloned();
        match held {
            Some(report) => Ok(report),
            None => Ok(Arc::new(self.folder.get(name(unit, content))?)),
        }
    }

    /// The coordinator has this report: if it is only in memory, it has done its work.
    pub(crate) fn delivered(&self, unit: Unit, content: ContentHash) {
        self.let_go(unit, content);
    }

    /// Lets go of a report.
    pub(crate) fn forget(&self, unit: Unit, content: ContentHash) {
        self.let_go(unit, content);
        if let Err(error) = self.folder.remove(name(unit, content)) {
            tracing::warn!("a report that is no longer needed can't be removed: {error}");
        }
    }

    fn let_go(&self, unit: Unit, content: ContentHash) {
        if self.memory().remove(&(unit, content)).is_some() {
            self.in_memory.gone.notify_all();
        }
    }

    fn memory(&self) -> MutexGuard<'_, Reports> {
        self.in_memory.reports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names a report of this volunteer's: it has one of a unit.
fn name(unit: Unit, content: ContentHash) -> ReportName {
    ReportName { order: 0, unit, content }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::mpsc::sync_channel;

    use super::*;

    /// A disk without room, until there is some.
    #[derive(Default)]
    struct Full(Arc<AtomicBool>);

    impl Disk for Full {
        fn write(&self, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
            if !self.0.load(Ordering::Relaxed) {
                return Err(io::ErrorKind::StorageFull.into());
            }
            RealDisk.write(path, parts)
        }
    }

    const RUN: RunId = RunId::from_bytes([1; 32]);
    const FINGERPRINT: Fingerprint = Fingerprint::from_bytes([2; 32]);

    fn open(disk: impl Disk + 'static, folder: &Path, room: usize) -> Outbox {
        let (outbox, _) = Outbox::open_on(Box::new(disk), folder, RUN, FINGERPRINT).unwrap();
        Outbox { in_memory: InMemory::new(room), ..outbox }
    }

    fn keep(outbox: &Outbox, layer: u32) -> (Unit, ContentHash, Result<()>) {
        let (unit, body) = (Unit::new(0, layer), vec![7; 100]);
        let content = content_hash(&FINGERPRINT, unit, &body);
        (unit, content, outbox.keep(&Identity::from_seed(&[3; 32]), unit, content, body))
    }

    #[test]
    fn a_full_disk_fills_memory_only_so_far() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = open(Full::default(), folder.path(), 300);
        let (kept_in, kept) = sync_channel(4);
        let keeper = outbox.clone();
        let thread = std::thread::spawn(move || {
            for layer in 0..4 {
                let (unit, content, outcome) = keep(&keeper, layer);
                outcome.unwrap_err();
                kept_in.send((unit, content)).unwrap();
            }
        });
        let first: Vec<_> = kept.iter().take(3).collect();
        assert!(first.iter().all(|(unit, content)| outbox.get(*unit, *content).is_ok()));
        // The next one is taken as soon as one of them is delivered, and not before.
        assert_eq!(outbox.memory().len(), 3);
        outbox.delivered(first[0].0, first[0].1);
        let (unit, content) = kept.recv().unwrap();
        assert!(outbox.get(unit, content).is_ok());
        assert_eq!(outbox.memory().len(), 3);
        thread.join().unwrap();
    }

    #[test]
    fn what_is_in_memory_goes_to_the_disk_when_there_is_room_again() {
        let folder = tempfile::tempdir().unwrap();
        let room = Arc::new(AtomicBool::new(false));
        let outbox = open(Full(Arc::clone(&room)), folder.path(), 1_000);
        for layer in 0..3 {
            keep(&outbox, layer).2.unwrap_err();
        }
        room.store(true, Ordering::Relaxed);
        let on_disk = || Outbox::open(folder.path(), RUN, FINGERPRINT).unwrap().1.len();
        keep(&outbox, 3).2.unwrap();
        assert!(outbox.memory().is_empty());
        assert_eq!(on_disk(), 4);
        // Or when the disk is asked.
        room.store(false, Ordering::Relaxed);
        keep(&outbox, 4).2.unwrap_err();
        outbox.put_down();
        assert_eq!((outbox.memory().len(), on_disk()), (1, 4));
        room.store(true, Ordering::Relaxed);
        outbox.put_down();
        assert_eq!((outbox.memory().len(), on_disk()), (0, 5));
    }

    #[test]
    fn a_report_that_is_larger_than_the_room_is_kept_alone() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = open(Full::default(), folder.path(), 10);
        let (unit, content, outcome) = keep(&outbox, 0);
        outcome.unwrap_err();
        assert!(outbox.get(unit, content).is_ok());
    }
}
