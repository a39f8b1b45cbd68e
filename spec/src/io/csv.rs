//! CSV parts as a source of records (RFC 4180 with one header record per part), plain or gzip, streamed.

use std::path::PathBuf;

use super::csv_part::{MAX_COLUMNS, Part, PartError};
use super::input;
use crate::run::OnError;
use crate::source::{Place, Record, RecordReader, RecordSource, SourceError};

/// A cell may take this many bytes.
const MAX_CELL_BYTES: usize = 1 << 20;

/// CSV files, read one after another as one source. Memory is set by one record, not by the files.
///
/// Every part begins with the same header record. Blank lines are no records. Cells are taken as they stand, without
/// trimming.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvSource {
    parts: Vec<PathBuf>,
    on_error: OnError,
    of_run: bool,
}

impl CsvSource {
    /// A source of these files, in this order. Nothing is opened yet.
    #[must_use]
    pub fn new(parts: Vec<PathBuf>, on_error: OnError) -> Self {
        Self { parts, on_error, of_run: true }
    }

    /// Files that no run file speaks of, so that no message names its settings.
    #[must_use]
    pub fn without_run(parts: Vec<PathBuf>, on_error: OnError) -> Self {
        Self { parts, on_error, of_run: false }
    }

    /// The files.
    #[must_use]
    pub fn parts(&self) -> &[PathBuf] {
        &self.parts
    }

    fn unreadable(&self, part: usize, reason: impl Into<String>) -> SourceError {
        SourceError::Unreadable { location: self.location(part), reason: reason.into() }
    }

    /// Opens a part and reads its header into `names`.
    fn open_part(&self, part: usize) -> Result<(Part, Vec<String>), SourceError> {
        let Some(path) = self.parts.get(part) else {
            return Err(self.unreadable(part, "no file was named"));
        };
        let input = input::open(path).map_err(|reason| self.unreadable(part, reason))?;
        let mut opened = Part::new(input);
        if !self.read(part, &mut opened)? {
            return Err(self.unreadable(part, "is empty: a CSV file begins with a line of column names"));
        }
        if opened.cells() > MAX_COLUMNS {
            let reason = format!("the header has {} columns, at most {MAX_COLUMNS} are read", opened.cells());
            return Err(self.unreadable(part, reason));
        }
        let mut names = Vec::with_capacity(opened.cells());
        for (column, cell) in opened.iter().enumerate() {
            let name =
                text(cell, column, None).map_err(|reason| self.malformed(part, opened.line(), reason))?;
            names.push(name.to_owned());
        }
        Ok((opened, names))
    }

    /// Reads a part's next record; `false` at its end.
    fn read(&self, index: usize, part: &mut Part) -> Result<bool, SourceError> {
        part.read().map_err(|error| match error {
            PartError::Io(error) => self.unreadable(index, input::reason(&error)),
            PartError::Record(reason) => self.malformed(index, part.line(), reason),
        })
    }

    fn malformed(&self, part: usize, line: u64, reason: impl Into<String>) -> SourceError {
        SourceError::Malformed { location: self.location(part), line, reason: reason.into() }
    }

    fn next_part(&self, part: usize, header: &[String]) -> Result<Part, SourceError> {
        let (opened, names) = self.open_part(part)?;
        if names == header {
            return Ok(opened);
        }
        let differs = header.iter().zip(&names).position(|(a, b)| a != b);
        let reason = match differs {
            Some(at) => format!(
                "column {} is {:?} here and {:?} in {}",
                at + 1,
                names.get(at).map_or("", String::as_str),
                header.get(at).map_or("", String::as_str),
                self.location(0)
            ),
            None => format!("it has {} columns, {} has {}", names.len(), self.location(0), header.len()),
        };
        Err(self
            .unreadable(part, format!("its header is not that of the first part: {reason}; make them equal")))
    }
}

impl RecordSource for CsvSource {
    fn open(&self) -> Result<Box<dyn RecordReader + '_>, SourceError> {
        let (part, header) = self.open_part(0)?;
        Ok(Box::new(CsvReader {
            source: self,
            header,
            state: State::Reading { index: 0, part },
            ordinal: 0,
            skipped: 0,
        }))
    }

    fn location(&self, part: usize) -> String {
        self.parts.get(part).map_or_else(|| format!("part {part}"), |path| path.display().to_string())
    }
}

enum State {
    Reading {
        index: usize,
        part: Part,
    },
    Ended,
    /// An error was given. Whoever asks again gets another one, never an end.
    Failed,
}

struct CsvReader<'a> {
    source: &'a CsvSource,
    header: Vec<String>,
    state: State,
    ordinal: u64,
    skipped: u64,
}

impl RecordReader for CsvReader<'_> {
    fn header(&self) -> &[String] {
        &self.header
    }

    fn next(&mut self, record: &mut Record) -> Result<bool, SourceError> {
        let result = self.advance(record);
        if result.is_err() {
            self.state = State::Failed;
        }
        result
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}

impl CsvReader<'_> {
    fn advance(&mut self, record: &mut Record) -> Result<bool, SourceError> {
        loop {
            let (index, part) = match &mut self.state {
                State::Reading { index, part } => (*index, part),
                State::Ended => return Ok(false),
                State::Failed => return Err(self.source.unreadable(0, "an earlier error ended this pass")),
            };
            if !self.source.read(index, part)? {
                let index = index + 1;
                if index < self.source.parts.len() {
                    let part = self.source.next_part(index, &self.header)?;
                    self.state = State::Reading { index, part };
                    continue;
                }
                if self.ordinal == 0 {
                    let reason = "there is a header but not one record below it: is the file complete?";
                    return Err(self.source.unreadable(0, reason));
                }
                self.state = State::Ended;
                return Ok(false);
            }
            let ordinal = self.ordinal;
            self.ordinal += 1;
            let place = Place { part: index, line: part.line() };
            match fill(part, &self.header, &mut record.cells) {
                Ok(()) => {
                    record.ordinal = ordinal;
                    record.place = place;
                    return Ok(true);
                }
                Err(_) if self.source.on_error == OnError::Skip => self.skipped += 1,
                Err(reason) => {
                    let or = if self.source.of_run { " or set on_error = \"skip\"" } else { "" };
                    let reason = format!("{reason}; correct the row{or}");
                    return Err(self.source.malformed(place.part, place.line, reason));
                }
            }
        }
    }
}

/// Copies the cells into buffers that are reused.
fn fill(part: &Part, header: &[String], cells: &mut Vec<String>) -> Result<(), String> {
    if part.cells() != header.len() {
        let (found, expected) = (part.cells(), header.len());
        return Err(format!("the row has {found} cells, the header has {expected}"));
    }
    cells.resize(header.len(), String::new());
    for (column, (cell, into)) in part.iter().zip(cells.iter_mut()).enumerate() {
        let text = text(cell, column, header.get(column))?;
        into.clear();
        into.push_str(text);
    }
    Ok(())
}

fn text<'b>(cell: &'b [u8], column: usize, name: Option<&String>) -> Result<&'b str, String> {
    let which = || match name {
        Some(name) => format!("column {name:?}"),
        None => format!("the name of column {}", column + 1),
    };
    if cell.len() > MAX_CELL_BYTES {
        return Err(format!("{} has {} bytes, at most {MAX_CELL_BYTES} are read", which(), cell.len()));
    }
    std::str::from_utf8(cell).map_err(|error| {
        format!("{} is not UTF-8 text (byte {} of the cell)", which(), error.valid_up_to() + 1)
    })
}

#[cfg(test)]
#[path = "csv_tests.rs"]
mod tests;
