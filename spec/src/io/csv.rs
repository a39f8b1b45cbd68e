//! A CSV part: RFC 4180 with one header record. Blank lines are no records; cells are taken as they stand, without trimming.

use super::csv_records::CsvRecords;
use super::part::{MAX_CELL_BYTES, MAX_COLUMNS, Next, PartError, PartReader, too_large};
use super::unpack::Input;
use crate::record::Record;
use crate::source::At;

/// An open part. Memory is set by one record.
pub(super) struct CsvPart {
    records: CsvRecords,
    header: Vec<String>,
    /// Which columns are looked at, where not all are.
    wanted: Option<Vec<bool>>,
    /// A record without the cells that are not, where they are no text.
    kept: (Vec<u8>, Vec<usize>),
}

impl CsvPart {
    /// Reads the header.
    pub(super) fn open(input: Input) -> Result<Self, PartError> {
        let mut records = CsvRecords::new(input);
        if !records.read()? {
            return Err(PartError::Format("is empty: a CSV file begins with a line of column names".into()));
        }
        let columns = records.cells();
        if columns > MAX_COLUMNS {
            let reason = format!("the header has {columns} columns, at most {MAX_COLUMNS} are read");
            return Err(PartError::Format(reason));
        }
        let mut names = Record::default();
        let (bytes, ends) = records.record();
        let at = At::Line(records.line());
        let which = |column: usize| format!("the name of column {}", column + 1);
        names
            .fill(bytes, ends)
            .map_err(|(column, byte)| PartError::Malformed(at, not_text(&which(column), byte)))?;
        let header = names.cells().map(|name| name.text().into_owned()).collect();
        Ok(Self { records, header, wanted: None, kept: Default::default() })
    }

    fn name(&self, column: usize) -> &str {
        self.header.get(column).map_or("", String::as_str)
    }
}

fn not_text(which: &str, byte: usize) -> String {
    format!("{which} is not UTF-8 text (byte {} of the cell)", byte + 1)
}

/// A record in which the cells that are not wanted are empty.
fn without(bytes: &[u8], ends: &[usize], wanted: &[bool], kept: &mut Vec<u8>, kept_ends: &mut Vec<usize>) {
    kept.clear();
    kept_ends.clear();
    let mut from = 0;
    for (end, wanted) in ends.iter().zip(wanted) {
        let cell = bytes.get(std::mem::replace(&mut from, *end)..*end).unwrap_or_default();
        if *wanted {
            kept.extend_from_slice(cell);
        }
        kept_ends.push(kept.len());
    }
}

impl PartReader for CsvPart {
    fn header(&self) -> &[String] {
        &self.header
    }

    fn only(&mut self, columns: &[usize]) {
        let mut wanted = vec![false; self.header.len()];
        for column in columns {
            if let Some(wanted) = wanted.get_mut(*column) {
                *wanted = true;
            }
        }
        self.wanted = Some(wanted);
    }

    fn next(&mut self, record: &mut Record) -> Result<Next, PartError> {
        if !self.records.read()? {
            return Ok(Next::End);
        }
        let at = At::Line(self.records.line());
        let (found, expected) = (self.records.cells(), self.header.len());
        if found != expected {
            return Ok(Next::Bad(at, format!("the row has {found} cells, the header has {expected}")));
        }
        let (bytes, ends) = self.records.record();
        if bytes.len() > MAX_CELL_BYTES {
            let mut from = 0;
            for (column, end) in ends.iter().enumerate() {
                let length = end - std::mem::replace(&mut from, *end);
                if length > MAX_CELL_BYTES {
                    return Ok(Next::Bad(at, too_large(self.name(column), length)));
                }
            }
        }
        let mut filled = record.fill(bytes, ends);
        if let (Err(_), Some(wanted)) = (filled, &self.wanted) {
            // What nobody looks at may be anything.
            let (kept, kept_ends) = &mut self.kept;
            without(bytes, ends, wanted, kept, kept_ends);
            filled = record.fill(kept, kept_ends);
        }
        match filled {
            Ok(()) => Ok(Next::Record(at)),
            Err((column, byte)) => {
                Ok(Next::Bad(at, not_text(&format!("column {:?}", self.name(column)), byte)))
            }
        }
    }
}

#[cfg(test)]
#[path = "csv_tests.rs"]
mod tests;
