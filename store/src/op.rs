//! What can be done to a store, and how it is done within a commit.

use protocol::Unit;
use redb::{ReadableTable, WriteTransaction};

use crate::name::{ReportName, piece_key, piece_keys, report_key, unit_key};
use crate::schema::{BODIES, PIECE, REPORTS, Row, WORDS};

/// A report as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The reporter's signed word, as it travels.
    pub statement: Vec<u8>,
    /// The report, as it travels.
    pub body: Vec<u8>,
}

/// Something to be done. Doing it twice is as doing it once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Put a report in; one of the same unit and order makes room for it.
    Put {
        /// Its name.
        name: ReportName,
        /// The report.
        report: Report,
    },
    /// Take a report out, if it is there.
    Remove {
        /// Its name.
        name: ReportName,
    },
    /// Keep the coordinator's newest word about a unit, instead of the one before.
    Word {
        /// Which unit.
        unit: Unit,
        /// The signed record.
        statement: Vec<u8>,
    },
}

impl Op {
    /// About how many bytes it takes to do.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Put { report, .. } => report.statement.len() + report.body.len(),
            Self::Remove { .. } => 0,
            Self::Word { statement, .. } => statement.len(),
        }
    }

    pub(crate) fn apply(&self, write: &WriteTransaction) -> Result<(), redb::Error> {
        match self {
            Self::Put { name, report } => put(write, name, report),
            Self::Remove { name } => remove(write, name),
            Self::Word { unit, statement } => {
                write.open_table(WORDS)?.insert(&unit_key(unit)[..], &statement[..])?;
                Ok(())
            }
        }
    }
}

fn put(write: &WriteTransaction, name: &ReportName, report: &Report) -> Result<(), redb::Error> {
    let key = report_key(&name.unit, name.order);
    let Report { statement, body } = report;
    let row = Row { content: name.content, length: body.len() as u64, statement };
    let before = write.open_table(REPORTS)?.insert(&key[..], &row.encode()[..])?.is_some();
    if before {
        remove_body(write, &key)?;
    }
    let mut bodies = write.open_table(BODIES)?;
    for (number, piece) in (0u32..).zip(body.chunks(PIECE)) {
        bodies.insert(&piece_key(&key, number)[..], piece)?;
    }
    Ok(())
}

/// One of the same unit and order, but of another content, is another report.
fn remove(write: &WriteTransaction, name: &ReportName) -> Result<(), redb::Error> {
    let key = report_key(&name.unit, name.order);
    let mut reports = write.open_table(REPORTS)?;
    let there = match reports.get(&key[..])? {
        Some(row) => Row::parse(row.value()).is_none_or(|row| row.content == name.content),
        None => false,
    };
    if there {
        reports.remove(&key[..])?;
        remove_body(write, &key)?;
    }
    Ok(())
}

fn remove_body(write: &WriteTransaction, key: &[u8; 20]) -> Result<(), redb::Error> {
    let pieces = piece_keys(key);
    let range = &pieces.start()[..]..=&pieces.end()[..];
    Ok(write.open_table(BODIES)?.retain_in(range, |_, _| false)?)
}
