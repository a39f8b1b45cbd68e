//! Reading: everything at the start, one report later.

use std::collections::BTreeMap;

use protocol::Unit;
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable};

use crate::error::{OpenError, StoreError};
use crate::name::{ReportName, parse_report, parse_unit, piece_keys, report_key};
use crate::op::{Op, Report};
use crate::schema::{BODIES, REPORTS, Row, WORDS};
use crate::shelf::{Shelf, failed};

/// What was found at the start.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Per unit, its reports by order; several are a dispute.
    pub reports: BTreeMap<Unit, Vec<ReportName>>,
    /// The coordinator's newest word about each unit that it spoke of, signed.
    pub words: BTreeMap<Unit, Vec<u8>>,
    /// Reports whose bytes are not those of their content hash. They have been taken out.
    pub damaged: Vec<ReportName>,
}

impl Shelf {
    /// Looks through the store, reads every report and takes out those that are damaged.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn look_through(&self) -> Result<Found, OpenError> {
        let listed = self.with(list);
        let (names, words) = listed.map_err(|error| refused(self.place(), error))?;
        let mut found = Found { words, ..Found::default() };
        for name in names {
            match self.get(name) {
                Ok(_) => found.reports.entry(name.unit).or_default().push(name),
                Err(StoreError::Damaged { .. } | StoreError::Absent { .. }) => found.damaged.push(name),
                Err(error) => return Err(refused(self.place(), error)),
            }
        }
        // Where there is no room even for that, they stay, and are found again at the next start.
        let removals: Vec<Op> = found.damaged.iter().map(|name| Op::Remove { name: *name }).collect();
        if !removals.is_empty() {
            drop(self.write(&removals));
        }
        Ok(found)
    }

    /// Reads a report back.
    ///
    /// # Errors
    /// [`StoreError`]: also when what lies there is not what the name says.
    pub fn get(&self, name: ReportName) -> Result<Report, StoreError> {
        let place = || self.place();
        let report = self.with(|database| read_report(&database.begin_read()?, &name))?;
        match report {
            None => Err(StoreError::Absent { place: place(), name }),
            Some(Some(report)) if (self.hash)(name.unit, &report.body) == name.content => Ok(report),
            Some(_) => Err(StoreError::Damaged { place: place(), name }),
        }
    }
}

type Listed = (Vec<ReportName>, BTreeMap<Unit, Vec<u8>>);

fn list(database: &Database) -> Result<Listed, redb::Error> {
    let read = database.begin_read()?;
    let nonsense = |what: &str| redb::Error::Corrupted(format!("a row of {what} makes no sense"));
    let (mut names, mut words) = (Vec::new(), BTreeMap::new());
    for row in read.open_table(REPORTS)?.iter()? {
        let (key, row) = row?;
        let (unit, order) = parse_report(key.value()).ok_or_else(|| nonsense("reports"))?;
        let row = Row::parse(row.value()).ok_or_else(|| nonsense("reports"))?;
        names.push(ReportName { unit, order, content: row.content });
    }
    for row in read.open_table(WORDS)?.iter()? {
        let (key, statement) = row?;
        let unit = parse_unit(key.value()).ok_or_else(|| nonsense("words"))?;
        words.insert(unit, statement.value().to_vec());
    }
    Ok((names, words))
}

/// `None`: no such report. `Some(None)`: not all of it, or too much.
fn read_report(read: &ReadTransaction, name: &ReportName) -> Result<Option<Option<Report>>, redb::Error> {
    let key = report_key(&name.unit, name.order);
    let reports = read.open_table(REPORTS)?;
    let Some(row) = reports.get(&key[..])? else { return Ok(None) };
    let Some(row) = Row::parse(row.value()).filter(|row| row.content == name.content) else {
        return Ok(None);
    };
    let mut body = Vec::new();
    let pieces = piece_keys(&key);
    for piece in read.open_table(BODIES)?.range::<&[u8]>(&pieces.start()[..]..=&pieces.end()[..])? {
        let (_, piece) = piece?;
        // A length that was damaged, or pieces that are too many, must not fill the memory.
        if body.len() as u64 + piece.value().len() as u64 > row.length {
            return Ok(Some(None));
        }
        body.extend_from_slice(piece.value());
    }
    let whole = body.len() as u64 == row.length;
    Ok(Some(whole.then(|| Report { statement: row.statement.to_vec(), body })))
}

fn refused(place: String, error: StoreError) -> OpenError {
    match error {
        StoreError::Disk { source, .. } => failed(&place, *source),
        other => OpenError::Damaged { place, why: other.to_string() },
    }
}
