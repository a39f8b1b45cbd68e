//! What can go wrong, with what to do about it.

use crate::name::ReportName;

/// Why a store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file is not what was written.
    #[error(
        "{place}: the store of reports is damaged ({why}); move the file away and start again: volunteers keep their reports until \
         the run is complete, and offer them again"
    )]
    Damaged {
        /// Which file.
        place: String,
        /// What was found.
        why: String,
    },
    /// A newer program wrote it.
    #[error(
        "{place}: the store of reports has version {found}, and this program knows versions up to {known}; use the newer program \
         that wrote it, or move the file away: volunteers keep their reports and offer them again"
    )]
    Newer {
        /// Which file.
        place: String,
        /// The version of the file.
        found: u32,
        /// The newest one that this program knows.
        known: u32,
    },
    /// It belongs to another run.
    #[error(
        "{place}: holds the reports of another run ({found}, and this one is {wanted}); move the file away, or pass another \
         --data-dir"
    )]
    OtherRun {
        /// Which file.
        place: String,
        /// The run it is of.
        found: String,
        /// The run that was asked for.
        wanted: String,
    },
    /// Somebody has it open.
    #[error("{place}: another program has the store of reports open; stop it first")]
    InUse {
        /// Which file.
        place: String,
    },
    /// The disk doesn't do what it should: nothing is known about the file.
    #[error("{place}: the store of reports can't be opened: {source}")]
    Disk {
        /// Which file.
        place: String,
        /// What the disk, or the database, says.
        source: Box<redb::Error>,
    },
}

impl OpenError {
    /// Whether somebody has to do something about the file: trying again is no use.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Damaged { .. } | Self::Newer { .. } | Self::OtherRun { .. })
    }
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk, or the database on it.
    #[error("{place}: {source}")]
    Disk {
        /// Which file.
        place: String,
        /// What it says.
        source: Box<redb::Error>,
    },
    /// More waits to be written than may wait.
    #[error("{place}: too much waits to be written; try again in a moment")]
    Full {
        /// Which file.
        place: String,
    },
    /// The writer has ended.
    #[error("{place}: the store is closed")]
    Closed {
        /// Which file.
        place: String,
    },
    /// No such report.
    #[error("{place}: {name}, is not in the store")]
    Absent {
        /// Which file.
        place: String,
        /// Which report.
        name: ReportName,
    },
    /// Its bytes are not those that were stored.
    #[error("{place}: {name}, is damaged; start again, and it is asked for anew")]
    Damaged {
        /// Which file.
        place: String,
        /// Which report.
        name: ReportName,
    },
}
