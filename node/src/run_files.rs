//! An operator's run file, its source, and what publishing learns of it: the start of `publish`, `train` and `run`.

use std::path::Path;

use anyhow::{Context, Result};
use spec::{Published, RoutingSettings, RunFile, SourcePlaces, Stage, TableSource, publish, read_run_file};

use crate::s3_settings::s3_settings;

/// A run file with its source.
pub(crate) struct Operated {
    pub(crate) file: RunFile,
    pub(crate) source: TableSource,
}

impl Operated {
    /// Reads the run file. Its locations are looked for beside it.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let file = read_run_file(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let source =
            SourcePlaces { s3: s3_settings()?, ..SourcePlaces::default() }.of_run_file(&file, folder)?;
        Ok(Self { file, source })
    }

    /// Streams the source: schema, router, shards. `tell` is told now and then what is being done.
    pub(crate) fn publish(&self, tell: &dyn Fn(Step)) -> Result<Published> {
        let fits = matches!(self.file.settings.routing, RoutingSettings::KMeans(_));
        let published = publish(&self.file.settings, &self.source, &mut |progress| {
            tell(Step { stage: progress.stage, rows: progress.rows, fits });
        });
        published.with_context(|| format!("run {:?}", self.file.settings.name))
    }
}

/// How far publishing has come, for people.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    stage: Stage,
    rows: u64,
    /// Whether a router is fitted at all.
    fits: bool,
}

impl Step {
    /// What is being done, and the how many-th thing of all that is.
    pub(crate) fn title(&self) -> String {
        let of = if self.fits { 3 } else { 2 };
        let (number, verb) = match self.stage {
            Stage::Reading => (1, "reading"),
            Stage::Fitting => (2, "fitting the router"),
            Stage::Sharding => (of, "counting and hashing shards"),
        };
        format!("{verb} ({number}/{of})")
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} rows", self.title(), self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_counted() {
        let step = |stage, fits| Step { stage, rows: 7, fits }.to_string();
        assert_eq!(step(Stage::Reading, true), "reading (1/3): 7 rows");
        assert_eq!(step(Stage::Fitting, true), "fitting the router (2/3): 7 rows");
        assert_eq!(step(Stage::Sharding, true), "counting and hashing shards (3/3): 7 rows");
        assert_eq!(step(Stage::Sharding, false), "counting and hashing shards (2/2): 7 rows");
    }
}
