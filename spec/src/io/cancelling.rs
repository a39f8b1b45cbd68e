//! A source that ends in an error when asked to stop, for passes that have no flag of their own.

use snake::Cancel;

use crate::source::{Record, RecordReader, RecordSource, SourceError};

pub(super) struct CancellingSource<'a> {
    inner: &'a dyn RecordSource,
    cancel: &'a Cancel,
}

impl<'a> CancellingSource<'a> {
    pub(super) fn new(inner: &'a dyn RecordSource, cancel: &'a Cancel) -> Self {
        Self { inner, cancel }
    }
}

impl RecordSource for CancellingSource<'_> {
    fn open(&self) -> Result<Box<dyn RecordReader + '_>, SourceError> {
        Ok(Box::new(CancellingReader { inner: self.inner.open()?, source: self }))
    }

    fn location(&self, part: usize) -> String {
        self.inner.location(part)
    }

    fn stand_ins(&self) -> u64 {
        self.inner.stand_ins()
    }
}

struct CancellingReader<'a> {
    inner: Box<dyn RecordReader + 'a>,
    source: &'a CancellingSource<'a>,
}

impl RecordReader for CancellingReader<'_> {
    fn header(&self) -> &[String] {
        self.inner.header()
    }

    fn only(&mut self, columns: &[usize]) {
        self.inner.only(columns);
    }

    fn next(&mut self, record: &mut Record) -> Result<bool, SourceError> {
        if self.source.cancel.is_cancelled() {
            let location = self.source.location(record.place.part);
            return Err(SourceError::Unreadable { location, reason: "stopped while reading".into() });
        }
        self.inner.next(record)
    }

    fn skipped(&self) -> u64 {
        self.inner.skipped()
    }
}
