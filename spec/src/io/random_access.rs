//! Bytes that can be read in any order: a file, an object elsewhere, or memory.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use bytes::Bytes;

use super::fetch::RemoteObject;
use super::part::PartError;

/// Bytes that can be read in any order.
pub(super) trait RandomAccess: Send {
    /// How many there are.
    fn len(&self) -> u64;

    /// Reads some of them; the range lies within.
    fn read(&mut self, range: Range<u64>) -> Result<Bytes, PartError>;
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

    fn read(&mut self, range: Range<u64>) -> Result<Bytes, PartError> {
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

    fn read(&mut self, range: Range<u64>) -> Result<Bytes, PartError> {
        Ok(RemoteObject::read(self, range)?)
    }
}

impl RandomAccess for Bytes {
    fn len(&self) -> u64 {
        Bytes::len(self) as u64
    }

    fn read(&mut self, range: Range<u64>) -> Result<Bytes, PartError> {
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        match self.get(place(range.start)..place(range.end)) {
            Some(bytes) => Ok(self.slice_ref(bytes)),
            None => Err(PartError::Format("ends too early: fetch it again".into())),
        }
    }
}
