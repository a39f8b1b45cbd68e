//! Bytes that can be read in any order, until time runs out: a file, an object elsewhere, or memory.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::fetch::RemoteObject;
use super::limits::{SourceLimits, too_long};
use super::part::PartError;

/// So many bytes are asked for at a time, between looks at the clock.
const SLICE: u64 = 4 << 20;

/// When reading has to be done.
#[derive(Debug)]
pub(super) struct Until {
    end: Option<Instant>,
}

impl Until {
    /// As the limits have it, from now on.
    pub(super) fn of(limits: &SourceLimits) -> Self {
        Self { end: limits.end() }
    }

    /// An error when it is over.
    pub(super) fn check(&self) -> Result<(), PartError> {
        match self.end {
            Some(end) if Instant::now() > end => Err(PartError::Bytes(too_long())),
            _ => Ok(()),
        }
    }
}

/// Bytes that can be read in any order.
pub(super) trait RandomAccess: Send {
    /// How many there are.
    fn len(&self) -> u64;

    /// Reads some of them; the range lies within. What is slow looks at the time meanwhile.
    fn read(&mut self, range: Range<u64>, until: &Until) -> Result<Bytes, PartError>;
}

/// A file, and how long it was when it was opened.
pub(super) struct FileBytes {
    file: File,
    length: u64,
}

impl FileBytes {
    pub(super) fn new(file: File) -> Result<Self, PartError> {
        let length = file.metadata()?.len();
        Ok(Self { file, length })
    }
}

impl RandomAccess for FileBytes {
    fn len(&self) -> u64 {
        self.length
    }

    fn read(&mut self, range: Range<u64>, _: &Until) -> Result<Bytes, PartError> {
        let length = range.end.saturating_sub(range.start);
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        self.file.seek(SeekFrom::Start(range.start))?;
        Read::by_ref(&mut self.file).take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(PartError::Bytes(
                "became shorter while it was read: read it again when it is at rest".into(),
            ));
        }
        Ok(bytes.into())
    }
}

impl RandomAccess for RemoteObject {
    fn len(&self) -> u64 {
        RemoteObject::len(self)
    }

    fn read(&mut self, range: Range<u64>, until: &Until) -> Result<Bytes, PartError> {
        if range.end.saturating_sub(range.start) <= SLICE {
            until.check()?;
            return Ok(RemoteObject::read(self, range)?);
        }
        let mut bytes = BytesMut::new();
        let mut start = range.start;
        while start < range.end {
            until.check()?;
            let end = range.end.min(start.saturating_add(SLICE));
            bytes.extend_from_slice(&RemoteObject::read(self, start..end)?);
            start = end;
        }
        Ok(bytes.freeze())
    }
}

impl RandomAccess for Bytes {
    fn len(&self) -> u64 {
        Bytes::len(self) as u64
    }

    fn read(&mut self, range: Range<u64>, _: &Until) -> Result<Bytes, PartError> {
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        match self.get(place(range.start)..place(range.end)) {
            Some(bytes) => Ok(self.slice_ref(bytes)),
            None => Err(PartError::Format("ends too early: fetch it again".into())),
        }
    }
}
