//! Which rows are never trained on, and how to stream them.

use snake::{Cell, TargetValue};

use crate::data_spec::DataSpec;
use crate::error::MaterialiseError;
use crate::run::PublicSource;
use crate::source::RecordSource;

/// A row that no shard has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeldOutRow<'a> {
    /// Its number in the source.
    pub ordinal: u64,
    /// The path the router sends it to.
    pub path: u32,
    /// Its features in schema order (without `__path`).
    pub cells: &'a [Cell<'a>],
    /// Its target.
    pub target: TargetValue,
}

/// Streams the rows that are held out, by ascending ordinal, duplicates included.
///
/// # Errors
/// [`MaterialiseError`] when the source can't be read or doesn't fit the spec, or what `visit` returns.
pub fn for_each_held_out<E: From<MaterialiseError>>(
    _spec: &DataSpec,
    _description: &PublicSource,
    _source: &dyn RecordSource,
    _visit: &mut dyn FnMut(HeldOutRow<'_>) -> Result<(), E>,
) -> Result<(), E> {
    Ok(())
}
