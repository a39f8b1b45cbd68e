//! What has to be done before a run's desk opens: open its store, read the source, look through the reports.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use protocol::{Delegation, Manifest, RunId, Signed, Unit, content_hash};
use spec::{Fingerprint, RecordSource};
use store::{FilePlace, Found, Mark, ReportName, Store, StoreError};

use super::desk::DeskStart;
use super::refused;
use super::rules::{Rules, Surveyed};
use crate::events::{Event, Output};

/// A run as `coordinate` was given it.
pub(crate) struct RunFiles {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) delegation: Signed<Delegation>,
    /// The source, or why there is none.
    pub(crate) source: Result<Arc<dyn RecordSource>, String>,
    /// The run's own folder.
    pub(crate) folder: PathBuf,
}

impl RunFiles {
    /// Gets everything ready; takes as long as reading the source does.
    pub(crate) fn open(self, output: Output) -> Result<DeskStart> {
        let Self { manifest, delegation, source, folder } = self;
        let run = manifest.run();
        let fingerprint = manifest.spec().fingerprint()?;
        let file = folder.join("run.redb");
        // First: a file that is refused must not cost a pass over the source.
        let (store, found) = open_store(&FilePlace::new(&file), run, fingerprint)?;
        for name in &found.damaged {
            let text = format!("{}: {name}, was damaged and is removed", file.display());
            output.show(&Event::Warning { text });
        }
        let surveyed = match &source {
            Ok(source) => Some(survey(&manifest, &**source, output)?),
            Err(reason) => {
                output.show(&Event::SourceMissing { run: run.to_string(), reason: reason.clone() });
                None
            }
        };
        let rules = Arc::new(Rules { manifest, fingerprint, surveyed });
        let reports = checked(&rules, &store, found.reports, run, output)?;
        Ok(DeskStart {
            rules,
            delegation,
            source: source.ok(),
            store: Arc::new(store),
            reports,
            words: found.words,
            model: folder.join("model.json"),
        })
    }
}

fn open_store(place: &FilePlace, run: RunId, fingerprint: Fingerprint) -> Result<(Store, Found)> {
    let mark = Mark { run, fingerprint: *fingerprint.as_bytes() };
    let hash = Box::new(move |unit: Unit, body: &[u8]| content_hash(&fingerprint, unit, body));
    Store::open(Box::new(place.clone()), &mark, hash).map_err(|error| match error.is_refusal() {
        true => refused(error),
        false => error.into(),
    })
}

fn survey(manifest: &Manifest, source: &dyn RecordSource, output: Output) -> Result<Surveyed> {
    let start = Instant::now();
    let stand_ins = source.stand_ins();
    // What a mirror sends while the first place is away is no reason to refuse.
    let surveyed = Surveyed::take(manifest, source).map_err(|error| {
        match error.is_refusal() && source.stand_ins() == stand_ins {
            true => refused(format!("run {}: {error}", manifest.title())),
            false => anyhow::Error::new(error).context(format!("run {}", manifest.title())),
        }
    })?;
    let (rows, seconds) = (surveyed.census.kept() as u64, start.elapsed().as_secs_f64());
    output.show(&Event::SourceChecked { run: manifest.run().to_string(), rows, seconds });
    Ok(surveyed)
}

/// The stored reports that count. One that does not pass the check (it was stored while the source was out of reach) is
/// taken out, so that its unit is open again.
fn checked(
    rules: &Rules,
    store: &Store,
    mut reports: BTreeMap<Unit, Vec<ReportName>>,
    run: RunId,
    output: Output,
) -> Result<BTreeMap<Unit, Vec<ReportName>>> {
    if rules.surveyed.is_none() {
        return Ok(reports);
    }
    for names in reports.values_mut() {
        let mut kept = Vec::with_capacity(names.len());
        for name in names.drain(..) {
            match rules.check(name.unit, &store.get(name)?.body) {
                Ok(_) => kept.push(name),
                Err(reason) => {
                    remove(store, name);
                    let (path, layer) = (name.unit.path, name.unit.layer);
                    let from = "the store".to_owned();
                    output.show(&Event::ReportRefused { run: run.to_string(), path, layer, from, reason });
                }
            }
        }
        *names = kept;
    }
    reports.retain(|_, names| !names.is_empty());
    Ok(reports)
}

/// Takes a report out that no longer counts. If that fails it only takes room until the next start, which looks at it again.
pub(super) fn remove(store: &Store, name: ReportName) {
    let told = |outcome: Result<(), StoreError>| {
        if let Err(error) = outcome {
            tracing::warn!("a report that is no longer wanted can't be removed: {error}");
        }
    };
    if let Err(error) = store.remove(name, told) {
        told(Err(error));
    }
}
