//! What a format makes of one part: the seam between parsers and the source that strings parts together.

use std::io;

use super::fetch::FetchError;
use super::unpack;
use crate::record::Record;
use crate::source::At;

/// A cell may take this many bytes, in every format.
pub(super) const MAX_CELL_BYTES: usize = 1 << 20;
/// A record's cells may take this many bytes together.
pub(super) const MAX_RECORD_BYTES: usize = 8 << 20;
/// A record may have this many cells (excluded columns too).
pub(super) const MAX_COLUMNS: usize = 65_536;

/// What comes next in a part.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A record, which begins here.
    Record(At),
    /// Something that is no record, and what is wrong with it (the remedy comes from who reads). The next one may be well.
    Bad(At, String),
    /// Nothing.
    End,
}

/// A part can't be read, or not further.
#[derive(Debug)]
pub(super) enum PartError {
    /// Its bytes could not be had: another place may have them.
    Bytes(String),
    /// They are not what the format says, from here on.
    Malformed(At, String),
    /// They are not what the format says at all.
    Format(String),
}

impl From<io::Error> for PartError {
    fn from(error: io::Error) -> Self {
        Self::Bytes(unpack::reason(&error))
    }
}

impl From<FetchError> for PartError {
    fn from(error: FetchError) -> Self {
        Self::Bytes(error.to_string())
    }
}

/// A part that is being read.
pub(super) trait PartReader: Send {
    /// The column names.
    fn header(&self) -> &[String];

    /// As [`RecordReader::only`](crate::RecordReader::only).
    fn only(&mut self, columns: &[usize]) {
        let _ = columns;
    }

    /// Reads the next record's cells into `record`.
    fn next(&mut self, record: &mut Record) -> Result<Next, PartError>;
}

/// What is wrong with a cell that is too large.
pub(super) fn too_large(column: &str, bytes: usize) -> String {
    format!("column {column:?} has {bytes} bytes, at most {MAX_CELL_BYTES} are read")
}
