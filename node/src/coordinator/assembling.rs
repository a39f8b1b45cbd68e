//! From stored reports to `model.json`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use protocol::{ModelHash, Unit};
use snake::{TrainingRows, UnitBuckets};
use spec::{AssembleError, RecordSource, assemble as write_model};
use store::{ReportName, Store};

use super::rules::Rules;
use crate::files;

/// A model that was written.
#[derive(Debug)]
pub(crate) struct Assembly {
    /// BLAKE3 of its bytes.
    pub(crate) hash: ModelHash,
}

/// Why there is no model.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    /// It can be tried again once something has changed.
    #[error("{0}")]
    ForNow(String),
    /// The source is not what the operator signed.
    #[error("{0}")]
    Refused(String),
}

/// Writes the model of these reports: checks each once more, streams the rows' features from the source, and gives the
/// file its name only when all of it is on disk.
pub(crate) fn assemble(
    rules: &Rules,
    source: Option<&dyn RecordSource>,
    store: &Store,
    accepted: &BTreeMap<Unit, ReportName>,
    model: &Path,
) -> Result<Assembly, Failed> {
    let (Some(source), Some(surveyed)) = (source, &rules.surveyed) else {
        let reason = "all reports are here, but the rows are not: start again with --source FILE, and the model is written";
        return Err(Failed::ForNow(reason.into()));
    };
    let manifest = &rules.manifest;
    let mut unit = |path: u32, layer: u32| -> Result<UnitBuckets, String> {
        let unit = Unit::new(path, layer);
        let name = accepted.get(&unit).ok_or("its report is not in the store")?;
        let report = store.get(*name).map_err(|error| error.to_string())?;
        rules.check(unit, &report.body)
    };
    let stand_ins = source.stand_ins();
    let mut hash = None;
    let mut refused = None;
    let written = files::write_whole(model, |out| {
        let out = Hashing { out, hasher: blake3::Hasher::new() };
        let (spec, description) = (manifest.spec(), &manifest.body().source);
        match write_model(spec, description, source, &surveyed.census, &mut unit, TrainingRows::Kept, out) {
            Ok(out) => {
                hash = Some(ModelHash::from_bytes(*out.hasher.finalize().as_bytes()));
                Ok(())
            }
            Err(AssembleError::Rows(error)) if error.is_refusal() && source.stand_ins() == stand_ins => {
                refused = Some(error.to_string());
                Err(error.into())
            }
            Err(error) => Err(error.into()),
        }
    });
    match (written, hash, refused) {
        (Ok(()), Some(hash), _) => Ok(Assembly { hash }),
        (_, _, Some(reason)) => Err(Failed::Refused(reason)),
        (Err(error), _, _) => Err(Failed::ForNow(format!("{error:#}"))),
        (Ok(()), None, None) => Err(Failed::ForNow("no model came out".into())),
    }
}

/// Hashes what it passes on.
struct Hashing<'o> {
    out: &'o mut dyn Write,
    hasher: blake3::Hasher,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.hasher.update(bytes.get(..written).unwrap_or(bytes));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
