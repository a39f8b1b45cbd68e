//! The shards of a training without a network, asked for in ascending order: a pass over the source makes several.

use std::collections::BTreeMap;
use std::sync::Arc;

use snake::{Cancel, Table};

use crate::ahead::{Held, RowBytes, ahead};
use crate::cache::MemoryLimits;
use crate::data_spec::DataSpec;
use crate::error::MaterialiseError;
use crate::materialise::materialise;
use crate::run::PublicSource;
use crate::source::RecordSource;

/// Makes shards from the source, with each also those of the next paths, as many as the limits allow at once. Each is
/// handed out once and then forgotten.
pub struct LocalShards<'a> {
    spec: &'a DataSpec,
    description: &'a PublicSource,
    source: &'a dyn RecordSource,
    limits: MemoryLimits,
    row: RowBytes,
    ready: BTreeMap<u32, Table>,
    passes: u64,
}

impl<'a> LocalShards<'a> {
    /// Reads nothing yet.
    #[must_use]
    pub fn new(
        spec: &'a DataSpec,
        description: &'a PublicSource,
        source: &'a dyn RecordSource,
        limits: MemoryLimits,
    ) -> Self {
        let row = RowBytes::of_schema(&spec.schema);
        Self { spec, description, source, limits, row, ready: BTreeMap::new(), passes: 0 }
    }

    /// The shard of a path, checked by its hash.
    ///
    /// # Errors
    /// [`MaterialiseError`], of this shard or of one made beside it: both are of the run that is to be trained.
    pub fn take(&mut self, path: u32, cancel: &Cancel) -> Result<Arc<Table>, MaterialiseError> {
        if let Some(table) = self.ready.remove(&path) {
            return Ok(Arc::new(table));
        }
        // What was passed over is not wanted any more, and would take the room of what is.
        self.ready.retain(|ready, _| *ready > path);
        let held = Held {
            shards: self.ready.len(),
            bytes: self.ready.values().map(Table::memory).fold(0, usize::saturating_add),
        };
        let next = path.saturating_add(1)..self.spec.paths();
        let next = next.filter(|next| !self.ready.contains_key(next));
        let mut paths = vec![path];
        paths.extend(ahead(self.spec, self.limits, self.row, held, path, next));
        let tables = materialise(self.spec, self.description, self.source, &paths, cancel)?;
        self.passes += 1;
        tables.iter().for_each(|table| self.row.learn(table));
        self.ready.extend(paths.into_iter().zip(tables));
        let last = self.spec.paths().saturating_sub(1);
        self.ready.remove(&path).map(Arc::new).ok_or(MaterialiseError::NoSuchPath { path, last })
    }

    /// How often the source was read.
    #[must_use]
    pub fn passes(&self) -> u64 {
        self.passes
    }
}
