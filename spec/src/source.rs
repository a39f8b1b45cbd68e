//! The seam between rows and where they come from. Implementations that touch files are behind the feature `io`.

use std::fmt;

pub(crate) use crate::record::Record;

/// Where a record stands in its source.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The part's position in `locations`.
    pub part: usize,
    /// Where in the part.
    pub at: At,
}

/// Where a record stands in its part, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The line on which it begins.
    Line(u64),
    /// Its number, where lines mean nothing.
    Row(u64),
}

impl Default for At {
    fn default() -> Self {
        Self::Row(0)
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Row(row) => write!(f, "row {row}"),
        }
    }
}

/// A source failed, or is not what it should be. Every message names location, place and remedy.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It can't be opened or read.
    #[error("{location}: {reason}")]
    Unreadable {
        /// Which part.
        location: String,
        /// What happened, and what to do.
        reason: String,
    },
    /// A record is malformed.
    #[error("{location}, {at}: {reason}")]
    Malformed {
        /// Which part.
        location: String,
        /// Where in it.
        at: At,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// It has more rows than may be read of it.
    #[error("{location} and what follows: there are more than {rows} rows, which are not read")]
    TooManyRows {
        /// The first part.
        location: String,
        /// The most that are read.
        rows: u64,
    },
}

impl SourceError {
    /// Whether the source can be read, and is not what was published. A malformed row may be the end of a transfer that was cut.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::TooManyRows { .. })
    }
}

/// Rows that can be read from the start as often as needed.
pub trait RecordSource: Send + Sync {
    /// Starts a pass.
    ///
    /// # Errors
    /// [`SourceError`] when the first part can't be opened or has no header.
    fn open(&self) -> Result<Box<dyn RecordReader + '_>, SourceError>;

    /// What a part is called in messages: of several places that have it, the one that was opened last.
    fn location(&self, part: usize) -> String;

    /// How often so far a place has stood in for one that could not be read. What differs then may be that place's fault.
    fn stand_ins(&self) -> u64 {
        0
    }
}

/// One pass over a source.
pub trait RecordReader: Send {
    /// The column names.
    fn header(&self) -> &[String];

    /// Says before the first record which columns will be looked at (positions in the header): the cells of others may come
    /// empty, which spares the formats that can leave them out their work.
    ///
    /// Without a default, so that no reader over another one forgets to hand it on.
    fn only(&mut self, columns: &[usize]);

    /// Reads the next record into `record`, whose buffers are reused. `false` at the end.
    ///
    /// # Errors
    /// [`SourceError`] naming part and place.
    fn next(&mut self, record: &mut Record) -> Result<bool, SourceError>;

    /// How many malformed records were left out so far in this pass. Each used up its ordinal, so the ordinals that
    /// [`next`](Self::next) gives simply jump over them.
    fn skipped(&self) -> u64 {
        0
    }
}
