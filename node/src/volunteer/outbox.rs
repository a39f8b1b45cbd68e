//! A volunteer's reports on disk: kept until the run is complete, offered again after any restart.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use protocol::volunteer::OutboxItem;
use protocol::{ContentHash, Identity, ReportHeader, RunId, Signed, Unit, content_hash};
use spec::Fingerprint;

use crate::clock::unix_millis;
use crate::disk::{Disk, RealDisk};
use crate::files;
use crate::report_folder::{ReportFolder, ReportName, StoredReport};

type InMemory = BTreeMap<(Unit, ContentHash), Arc<StoredReport>>;

/// The reports that this volunteer has made. Clones share them: the trainer puts them in, deliveries take them out.
#[derive(Clone)]
pub(crate) struct Outbox {
    run: RunId,
    folder: Arc<ReportFolder>,
    /// Reports that could not be put on disk: kept here as long as the program runs.
    in_memory: Arc<Mutex<InMemory>>,
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
        let mut items = Vec::new();
        for name in found.reports.values().flatten() {
            let bytes = reports.get(*name).with_context(context)?.body.len() as u64;
            items.push(OutboxItem { unit: name.unit, content: name.content, bytes });
        }
        Ok((Self { run, folder: Arc::new(reports), in_memory: Arc::default() }, items))
    }

    /// Keeps a report. A full disk is no reason to lose it: it is then kept in memory, and the error says so.
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
        self.folder.put(name(unit, content), &report).or_else(|error| {
            self.memory().insert((unit, content), Arc::new(report));
            Err(error).context(
                "a report can't be put on disk, so it is kept in memory until it is delivered; make room on the disk",
            )
        })
    }

    /// A report, to be delivered.
    pub(crate) fn get(&self, unit: Unit, content: ContentHash) -> Result<Arc<StoredReport>> {
        match self.memory().get(&(unit, content)) {
            Some(report) => Ok(Arc::clone(report)),
            None => Ok(Arc::new(self.folder.get(name(unit, content))?)),
        }
    }

    /// The coordinator has the unit: what is only in memory has done its work.
    pub(crate) fn delivered(&self, unit: Unit) {
        self.memory().retain(|(of, _), _| *of != unit);
    }

    /// Lets go of a report.
    pub(crate) fn forget(&self, unit: Unit, content: ContentHash) {
        self.memory().remove(&(unit, content));
        if let Err(error) = self.folder.remove(name(unit, content)) {
            tracing::warn!("a report that is no longer needed can't be removed: {error}");
        }
    }

    fn memory(&self) -> MutexGuard<'_, InMemory> {
        self.in_memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Names a report of this volunteer's: it has one of a unit.
fn name(unit: Unit, content: ContentHash) -> ReportName {
    ReportName { order: 0, unit, content }
}
