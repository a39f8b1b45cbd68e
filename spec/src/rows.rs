//! A pass over a source: well-formed records, and typed rows under a schema.

use std::ops::ControlFlow;

use snake::{Cell, Schema, TargetValue};

use crate::convert::Converter;
use crate::error::{MaterialiseError, RowError, RowsError};
use crate::run::{OnError, PublicSource};
use crate::source::{Record, RecordReader, RecordSource, SourceError};

/// The well-formed records of a source, one after the other.
pub(crate) struct Records<'s> {
    source: &'s dyn RecordSource,
    reader: Box<dyn RecordReader + 's>,
    record: Record,
    on_error: OnError,
    width: usize,
    target: Option<usize>,
    previous: Option<u64>,
    skipped: u64,
}

impl<'s> Records<'s> {
    pub(crate) fn open(
        description: &PublicSource,
        source: &'s dyn RecordSource,
    ) -> Result<Self, SourceError> {
        let reader = source.open()?;
        let width = reader.header().len();
        let target = reader.header().iter().position(|name| *name == description.target);
        Ok(Self {
            source,
            reader,
            record: Record::default(),
            on_error: description.on_error,
            width,
            target,
            previous: None,
            skipped: 0,
        })
    }

    pub(crate) fn header(&self) -> &[String] {
        self.reader.header()
    }

    /// Says which columns will be looked at.
    pub(crate) fn only(&mut self, columns: &[usize]) {
        self.reader.only(columns);
    }

    /// Leaves a record out whose values do not fit, where the run says so.
    pub(crate) fn misfit(&mut self, misfit: RowError) -> Result<(), RowError> {
        match self.on_error {
            OnError::Skip => {
                self.skipped += 1;
                Ok(())
            }
            OnError::Refuse => Err(misfit),
        }
    }

    /// How many malformed records were left out so far.
    pub(crate) fn skipped(&self) -> u64 {
        self.skipped + self.reader.skipped()
    }

    /// The next record that has as many cells as the header, and a target. Others are an error, or left out.
    pub(crate) fn next(&mut self) -> Result<Option<&mut Record>, SourceError> {
        loop {
            if !self.reader.next(&mut self.record)? {
                return Ok(None);
            }
            let ordinal = self.record.ordinal;
            if self.previous.is_some_and(|previous| previous >= ordinal) {
                return Err(SourceError::Unreadable {
                    location: self.source.location(self.record.place.part),
                    reason: format!(
                        "row {ordinal} came twice or out of order: read the source again from the start"
                    ),
                });
            }
            self.previous = Some(ordinal);
            match (self.fault(), self.on_error) {
                (None, _) => break,
                (Some(_), OnError::Skip) => self.skipped += 1,
                (Some(reason), OnError::Refuse) => {
                    return Err(SourceError::Malformed {
                        location: self.source.location(self.record.place.part),
                        at: self.record.place.at,
                        reason,
                    });
                }
            }
        }
        Ok(Some(&mut self.record))
    }

    fn fault(&self) -> Option<String> {
        let found = self.record.len();
        if found != self.width {
            return Some(format!(
                "{found} cells where the header has {}: mend the row, or set `on_error = \"skip\"`",
                self.width
            ));
        }
        match self.target {
            Some(target) if self.record.cell(target).is_missing() => {
                let name = self.reader.header().get(target).map_or("", String::as_str);
                Some(format!(
                    "the target {name:?} is empty: fill it in, take the row out, or set `on_error = \"skip\"`"
                ))
            }
            _ => None,
        }
    }
}

/// A row under a schema.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) ordinal: u64,
    pub(crate) cells: &'a [Cell<'a>],
    pub(crate) target: TargetValue,
}

/// What a pass has read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowCount {
    /// Well-formed rows.
    pub(crate) rows: u64,
    /// Malformed records that were left out.
    pub(crate) skipped: u64,
}

/// Streams the source's rows under a schema until its end, or until `visit` breaks off. A row with a value that does not fit
/// is an error, or left out where the run says so.
pub(crate) fn for_each_row<E: From<RowsError>>(
    schema: &Schema,
    description: &PublicSource,
    source: &dyn RecordSource,
    visit: &mut dyn FnMut(Row<'_>) -> Result<ControlFlow<()>, E>,
) -> Result<RowCount, E> {
    let mut records = Records::open(description, source).map_err(RowsError::from)?;
    let converter = Converter::new(records.header(), schema, description).map_err(RowsError::from)?;
    records.only(&converter.columns());
    let mut count = RowCount::default();
    let mut spare: Vec<Cell<'static>> = Vec::with_capacity(schema.features.len());
    while let Some(record) = records.next().map_err(RowsError::from)? {
        converter.spell(record);
        let mut cells = recycled(spare);
        let target = match converter.convert(record, &mut cells) {
            Ok(target) => target,
            Err(misfit) => {
                let misfit = misfit.at(record, source);
                spare = recycled(cells);
                records.misfit(misfit).map_err(RowsError::from)?;
                continue;
            }
        };
        count.rows += 1;
        let flow = visit(Row { ordinal: record.ordinal, cells: &cells, target })?;
        spare = recycled(cells);
        if flow.is_break() {
            break;
        }
    }
    count.skipped = records.skipped();
    Ok(count)
}

/// A visitor's own error, on its way through a pass.
pub(crate) struct Stop<E>(pub(crate) E);

impl<E: From<MaterialiseError>> From<RowsError> for Stop<E> {
    fn from(error: RowsError) -> Self {
        Self(MaterialiseError::from(error).into())
    }
}

/// The same buffer, empty, for cells of another record: the map over nothing keeps the allocation.
fn recycled<'a>(mut cells: Vec<Cell<'_>>) -> Vec<Cell<'a>> {
    cells.clear();
    cells.into_iter().map(|_| Cell::Number(0.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recycled_buffer_keeps_its_allocation() {
        let mut cells = Vec::with_capacity(40);
        cells.push(Cell::Text("a"));
        let place = cells.as_ptr() as usize;
        let cells: Vec<Cell<'static>> = recycled(cells);
        assert_eq!((cells.len(), cells.capacity(), cells.as_ptr() as usize), (0, 40, place));
    }
}
