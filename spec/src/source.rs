//! The seam between rows and where they come from. Implementations that touch files are behind the feature `io`.

/// A record as it stands in the source: texts, in the order of the header.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Record {
    /// The record's number over all parts in order, from 0. Bad records use one up too.
    pub ordinal: u64,
    /// Where it stands, for messages: part and line, such as `adult.csv line 17`.
    pub place: Place,
    /// The cells. Reused from record to record, so take what you keep.
    pub cells: Vec<String>,
}

/// Where a record stands in its source.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Place {
    /// The part's position in `locations`.
    pub part: usize,
    /// The line (or, where lines mean nothing, the record) within the part, from 1.
    pub line: u64,
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
    #[error("{location}, line {line}: {reason}")]
    Malformed {
        /// Which part.
        location: String,
        /// Which line, from 1.
        line: u64,
        /// What is wrong, and what to do.
        reason: String,
    },
}

/// Rows that can be read from the start as often as needed.
pub trait RecordSource: Send + Sync {
    /// Starts a pass.
    ///
    /// # Errors
    /// [`SourceError`] when the first part can't be opened or has no header.
    fn open(&self) -> Result<Box<dyn RecordReader + '_>, SourceError>;

    /// What a part is called in messages.
    fn location(&self, part: usize) -> String;
}

/// One pass over a source.
pub trait RecordReader: Send {
    /// The column names.
    fn header(&self) -> &[String];

    /// Reads the next record into `record`, whose buffers are reused. `false` at the end.
    ///
    /// # Errors
    /// [`SourceError`] naming part and line.
    fn next(&mut self, record: &mut Record) -> Result<bool, SourceError>;

    /// How many malformed records were left out so far in this pass. Each used up its ordinal, so the ordinals that
    /// [`next`](Self::next) gives simply jump over them.
    fn skipped(&self) -> u64 {
        0
    }
}
