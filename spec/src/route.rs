//! The router: from a row to its path.

use snake::{Cell, Schema};

use crate::error::SpecError;
use crate::routing::Routing;

/// Sends rows to paths.
#[derive(Debug, Clone)]
pub struct Router {}

impl Router {
    /// The router that the spec records.
    ///
    /// # Errors
    /// [`SpecError`] when the recorded fit is inconsistent with itself or the schema.
    pub fn new(_routing: &Routing, _schema: &Schema) -> Result<Self, SpecError> {
        Ok(Self {})
    }

    /// The path of a row, from its ordinal (round robin) or its features in schema order (k-means).
    pub fn route(&mut self, _ordinal: u64, _cells: &[Cell<'_>]) -> u32 {
        0
    }
}
