//! Streaming a source's rows with the paths they go to.

use std::ops::ControlFlow;

use snake::{Cell, TargetValue};

use crate::data_spec::DataSpec;
use crate::error::{MaterialiseError, SpecError};
use crate::route::Router;
use crate::rows::{Stop, for_each_row};
use crate::run::PublicSource;
use crate::source::RecordSource;

/// A row and where it goes, before anything is held out or dropped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RoutedRow<'a> {
    /// Its number in the source.
    pub ordinal: u64,
    /// The path the router sends it to.
    pub path: u32,
    /// Its features in schema order (without `__path`).
    pub cells: &'a [Cell<'a>],
    /// Its target.
    pub target: TargetValue,
}

/// Streams all rows that fit the schema, by ascending ordinal.
///
/// # Errors
/// [`MaterialiseError`] when the source can't be read or doesn't fit the spec, or what `visit` returns.
pub fn for_each_routed<E: From<MaterialiseError>>(
    spec: &DataSpec,
    description: &PublicSource,
    source: &dyn RecordSource,
    visit: &mut dyn FnMut(RoutedRow<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut router =
        Router::new(&spec.routing, &spec.schema).map_err(|error: SpecError| E::from(error.into()))?;
    for_each_row(&spec.schema, description, source, &mut |row| -> Result<_, Stop<E>> {
        let path = router.route(row.ordinal, row.cells);
        visit(RoutedRow { ordinal: row.ordinal, path, cells: row.cells, target: row.target })
            .map_err(Stop)?;
        Ok(ControlFlow::Continue(()))
    })
    .map_err(|stop| stop.0)?;
    Ok(())
}
