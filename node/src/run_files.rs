//! An operator's run file, its source, and what publishing learns of it: the start of `publish`, `train` and `run`.

use std::path::Path;

use anyhow::{Context, Result};
use spec::{Published, RunFile, SourcePlaces, Stage, TableSource, publish, read_run_file};

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
        let source = SourcePlaces::default().of_run_file(&file, folder)?;
        Ok(Self { file, source })
    }

    /// Streams the source: schema, router, shards. `tell` is told now and then what is being done.
    pub(crate) fn publish(&self, tell: &dyn Fn(String)) -> Result<Published> {
        let published = publish(&self.file.settings, &self.source, &mut |progress| {
            let verb = match progress.stage {
                Stage::Reading => "reading",
                Stage::Fitting => "fitting the router",
                Stage::Sharding => "counting and hashing shards",
            };
            tell(format!("{verb}: {} rows", progress.rows));
        });
        published.with_context(|| format!("run {:?}", self.file.settings.name))
    }
}
