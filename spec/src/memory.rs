//! A source that is already in memory.

use crate::source::{At, Place, Record, RecordReader, RecordSource, SourceError};

/// Records in memory, as a source of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VecSource {
    name: String,
    header: Vec<String>,
    records: Vec<Vec<String>>,
}

impl VecSource {
    /// A source that messages call `name`. Record `i` stands in line `i + 2`, as below a header in line 1.
    #[must_use]
    pub fn new(name: impl Into<String>, header: Vec<String>, records: Vec<Vec<String>>) -> Self {
        Self { name: name.into(), header, records }
    }

    /// The records.
    #[must_use]
    pub fn records(&self) -> &[Vec<String>] {
        &self.records
    }
}

impl RecordSource for VecSource {
    fn open(&self) -> Result<Box<dyn RecordReader + '_>, SourceError> {
        Ok(Box::new(VecReader { source: self, next: 0 }))
    }

    fn location(&self, _part: usize) -> String {
        self.name.clone()
    }
}

struct VecReader<'a> {
    source: &'a VecSource,
    next: usize,
}

impl RecordReader for VecReader<'_> {
    fn header(&self) -> &[String] {
        &self.source.header
    }

    fn only(&mut self, _columns: &[usize]) {}

    fn next(&mut self, record: &mut Record) -> Result<bool, SourceError> {
        let Some(cells) = self.source.records.get(self.next) else {
            return Ok(false);
        };
        record.ordinal = self.next as u64;
        record.place = Place { part: 0, at: At::Line(self.next as u64 + 2) };
        record.clear();
        for cell in cells {
            record.push_text(cell);
        }
        self.next += 1;
        Ok(true)
    }
}
