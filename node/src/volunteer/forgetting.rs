//! Letting go of reports.

use std::sync::atomic::{AtomicUsize, Ordering};

use protocol::{ContentHash, Unit};
use tokio::task::JoinHandle;

use super::outbox::Outbox;

/// How many threads remove the reports of a complete run. Where a disk is told of every block that is free again, removing
/// waits for that, and several wait together: 100 reports took 0.3 s, and 0.02 s with four.
const REMOVERS: usize = 4;

/// The reports that are no longer needed.
pub(crate) struct Forgetting {
    outbox: Outbox,
    waiting: Vec<(Unit, ContentHash)>,
    removing: Option<JoinHandle<()>>,
}

impl Forgetting {
    pub(crate) fn new(outbox: Outbox) -> Self {
        Self { outbox, waiting: Vec::new(), removing: None }
    }

    /// A report is no longer needed.
    pub(crate) fn add(&mut self, unit: Unit, content: ContentHash) {
        self.waiting.push((unit, content));
    }

    /// Removes what was added: all reports of a complete run beside the loop, as there may be very many. Before that at once,
    /// since the same report may be made again.
    pub(crate) fn remove(&mut self, is_complete: bool) {
        let reports = std::mem::take(&mut self.waiting);
        if is_complete && reports.len() > 1 {
            let outbox = self.outbox.clone();
            self.removing = Some(tokio::task::spawn_blocking(move || remove_all(&outbox, &reports)));
        } else {
            reports.into_iter().for_each(|(unit, content)| self.outbox.forget(unit, content));
        }
    }

    /// Waits until all is removed: nobody else would do it.
    pub(crate) async fn end(self) {
        if let Some(removing) = self.removing {
            let _ = removing.await;
        }
    }
}

fn remove_all(outbox: &Outbox, reports: &[(Unit, ContentHash)]) {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some((unit, content)) = reports.get(next.fetch_add(1, Ordering::Relaxed)) {
            outbox.forget(*unit, *content);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..REMOVERS.min(reports.len()) {
            // Where no thread can be had the others do it.
            let _ = std::thread::Builder::new().name("forget".into()).spawn_scoped(scope, work);
        }
        work();
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Identity, RunId, content_hash};
    use spec::Fingerprint;

    #[tokio::test]
    async fn all_reports_of_a_complete_run_go_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let (run, fingerprint) = (RunId::from_bytes([1; 32]), Fingerprint::from_bytes([2; 32]));
        let open = || Outbox::open(folder.path(), run, fingerprint).unwrap();
        let (outbox, _) = open();
        let identity = Identity::from_seed(&[3; 32]);
        let reports: Vec<_> = (0..20)
            .map(|layer| {
                let (unit, body) = (Unit::new(0, layer), vec![7; 100]);
                let content = content_hash(&fingerprint, unit, &body);
                outbox.keep(&identity, unit, content, body).unwrap();
                (unit, content)
            })
            .collect();
        let mut forgetting = Forgetting::new(outbox);
        let left = || open().1.len();
        forgetting.add(reports[0].0, reports[0].1);
        forgetting.remove(false);
        assert_eq!(left(), 19, "at once");
        for (unit, content) in &reports[1..19] {
            forgetting.add(*unit, *content);
        }
        forgetting.remove(true);
        forgetting.end().await;
        assert_eq!(left(), 1);
    }
}
