//! What has to be done before a run's desk opens: read the source, look through the reports on disk.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use protocol::{Delegation, Manifest, RunId, Signed, Unit};
use spec::RecordSource;

use super::desk::DeskStart;
use super::refused;
use super::rules::{Rules, Surveyed};
use crate::disk::RealDisk;
use crate::events::{Event, Output};
use crate::files;
use crate::report_folder::{ReportFolder, ReportName};

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
        let surveyed = match &source {
            Ok(source) => Some(survey(&manifest, &**source, output)?),
            Err(reason) => {
                output.show(&Event::SourceMissing { run: run.to_string(), reason: reason.clone() });
                None
            }
        };
        let fingerprint = manifest.spec().fingerprint()?;
        let rules = Arc::new(Rules { manifest, fingerprint, surveyed });
        let reports_folder = folder.join("reports");
        files::make_folder(&reports_folder)?;
        let reports = Arc::new(report_folder(&rules, &reports_folder));
        let found = look_through(&rules, &reports, &reports_folder, run, output)?;
        Ok(DeskStart {
            rules,
            delegation,
            source: source.ok(),
            folder: reports,
            reports: found,
            model: folder.join("model.json"),
        })
    }
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

fn report_folder(rules: &Arc<Rules>, folder: &Path) -> ReportFolder {
    let largest = protocol::limits::REPORT_BYTES;
    let rules = Arc::clone(rules);
    ReportFolder::new(Box::new(RealDisk), folder, largest, Box::new(move |unit, body| rules.hash(unit, body)))
}

/// The reports on disk that count. One that does not pass the check (it was stored while the source was out of reach) is
/// taken out, so that its unit is open again.
fn look_through(
    rules: &Rules,
    reports: &ReportFolder,
    folder: &Path,
    run: RunId,
    output: Output,
) -> Result<BTreeMap<Unit, Vec<ReportName>>> {
    let context = || format!("{}: the stored reports can't be looked through", folder.display());
    let mut found = reports.look_through().with_context(context)?;
    for path in &found.damaged {
        output.show(&Event::Warning { text: format!("{}: was damaged and is removed", path.display()) });
    }
    if rules.surveyed.is_none() {
        return Ok(found.reports);
    }
    for names in found.reports.values_mut() {
        let mut kept = Vec::with_capacity(names.len());
        for name in names.drain(..) {
            let report = reports.get(name).with_context(context)?;
            match rules.check(name.unit, &report.body) {
                Ok(_) => kept.push(name),
                Err(reason) => {
                    reports.remove(name).with_context(context)?;
                    let (path, layer) = (name.unit.path, name.unit.layer);
                    let from = "the store".to_owned();
                    output.show(&Event::ReportRefused { run: run.to_string(), path, layer, from, reason });
                }
            }
        }
        *names = kept;
    }
    found.reports.retain(|_, names| !names.is_empty());
    Ok(found.reports)
}
