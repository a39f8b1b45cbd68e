//! One pass over the parts of a table, one after another; a part that breaks off goes on at its next place.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::super::limits::too_long;
use super::super::part::{Next, PartError, PartReader};
use super::{TableSource, also, described};
use crate::record::Record;
use crate::run::OnError;
use crate::source::{At, Place, RecordReader, RecordSource, SourceError};

/// How often the clock is looked at, in records.
const LOOK_EVERY: u64 = 256;

struct OpenPart {
    index: usize,
    /// Which of its places is read.
    place: usize,
    reader: Box<dyn PartReader>,
    /// Records that came of it so far, bad ones too.
    given: u64,
    /// What they were, where another place may have to go on.
    seen: Option<Box<blake3::Hasher>>,
}

impl OpenPart {
    /// Takes note of what came.
    fn note(&mut self, next: &Next, record: &Record, only: Option<&[usize]>) {
        self.given += 1;
        let Some(seen) = &mut self.seen else { return };
        if !matches!(next, Next::Record(_)) {
            seen.update(b"bad");
            return;
        }
        let mut cell = |column: usize| {
            let text = record.cell(column).text();
            seen.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        };
        match only {
            Some(only) => only.iter().for_each(|column| cell(*column)),
            None => (0..record.len()).for_each(cell),
        }
    }

    fn digest(&self) -> Option<blake3::Hash> {
        self.seen.as_ref().map(|seen| seen.finalize())
    }
}

enum State {
    Reading(OpenPart),
    Ended,
    /// An error was given. Whoever asks again gets another one, never an end.
    Failed,
}

/// A pass over a [`TableSource`].
pub(super) struct TableReader<'a> {
    source: &'a TableSource,
    header: Vec<String>,
    only: Option<Vec<usize>>,
    state: State,
    ordinal: u64,
    skipped: u64,
    started: Instant,
}

impl RecordReader for TableReader<'_> {
    fn header(&self) -> &[String] {
        &self.header
    }

    fn only(&mut self, columns: &[usize]) {
        self.only = Some(columns.to_vec());
        if let State::Reading(part) = &mut self.state {
            part.reader.only(columns);
        }
    }

    fn next(&mut self, record: &mut Record) -> Result<bool, SourceError> {
        let result = self.advance(record);
        if result.is_err() {
            self.state = State::Failed;
        }
        result
    }

    fn skipped(&self) -> u64 {
        self.skipped
    }
}

impl<'a> TableReader<'a> {
    /// Opens the first part.
    pub(super) fn open(source: &'a TableSource) -> Result<Self, SourceError> {
        let (place, reader) = source.open_part(0, None, Duration::ZERO)?;
        let header = reader.header().to_vec();
        let open = OpenPart { index: 0, place, reader, given: 0, seen: source.seen(0) };
        Ok(Self {
            source,
            header,
            only: None,
            state: State::Reading(open),
            ordinal: 0,
            skipped: 0,
            started: Instant::now(),
        })
    }

    fn advance(&mut self, record: &mut Record) -> Result<bool, SourceError> {
        loop {
            let part = match &mut self.state {
                State::Reading(part) => part,
                State::Ended => return Ok(false),
                State::Failed => {
                    let reason = "an earlier error ended this pass".into();
                    return Err(SourceError::Unreadable { location: self.source.location(0), reason });
                }
            };
            let index = part.index;
            let next = part.reader.next(record);
            if let Ok(next @ (Next::Record(_) | Next::Bad(..))) = &next {
                part.note(next, record, self.only.as_deref());
            }
            match next {
                Ok(Next::Record(at)) => {
                    record.place = Place { part: index, at };
                    record.ordinal = self.count()?;
                    return Ok(true);
                }
                Ok(Next::Bad(at, reason)) => {
                    self.count()?;
                    self.bad(index, at, &reason)?;
                }
                Ok(Next::End) if index + 1 < self.source.parts.len() => {
                    let next = self.next_part(index + 1)?;
                    self.state = State::Reading(next);
                }
                Ok(Next::End) if self.ordinal == 0 => {
                    let location = self.source.location(0);
                    let reason = "there is not one record in it: is the file complete?".into();
                    return Err(SourceError::Unreadable { location, reason });
                }
                Ok(Next::End) => self.state = State::Ended,
                Err(error) => self.elsewhere(error, record)?,
            }
        }
    }

    /// Counts a record, within the limits, and gives its ordinal.
    fn count(&mut self) -> Result<u64, SourceError> {
        let ordinal = self.ordinal;
        let limits = &self.source.limits;
        if ordinal >= limits.rows {
            return Err(SourceError::TooManyRows { location: self.source.location(0), rows: limits.rows });
        }
        if ordinal % LOOK_EVERY == LOOK_EVERY - 1 {
            self.check_time()?;
        }
        self.ordinal += 1;
        Ok(ordinal)
    }

    fn check_time(&self) -> Result<(), SourceError> {
        let most = self.source.limits.time;
        if self.started.elapsed() <= most {
            return Ok(());
        }
        Err(SourceError::Unreadable { location: self.source.location(0), reason: too_long() })
    }

    fn bad(&mut self, index: usize, at: At, reason: &str) -> Result<(), SourceError> {
        if self.source.on_error == OnError::Skip {
            self.skipped += 1;
            return Ok(());
        }
        let or = if self.source.of_run { " or set on_error = \"skip\"" } else { "" };
        let reason = format!("{reason}; correct the row{or}");
        Err(SourceError::Malformed { location: self.source.location(index), at, reason })
    }

    /// Goes on reading a part at the next of its places that has the same: what came already is read over, and compared. Only
    /// for bytes that could not be had; what is malformed here is malformed there.
    fn elsewhere(&mut self, error: PartError, record: &mut Record) -> Result<(), SourceError> {
        let State::Reading(part) = &self.state else { return Ok(()) };
        let places = self.source.parts.get(part.index).map_or(&[][..], Vec::as_slice);
        let location = places.get(part.place).map(ToString::to_string).unwrap_or_default();
        let unreachable = matches!(error, PartError::Bytes(_));
        let mut error = described(error, location);
        if !unreachable {
            return Err(error);
        }
        for place in part.place + 1..places.len() {
            match self.taken_over(part, place, record) {
                Ok(taken_over) => {
                    self.source.reading.stand_ins.fetch_add(1, Ordering::Relaxed);
                    self.source.note(taken_over.index, place);
                    self.state = State::Reading(taken_over);
                    return Ok(());
                }
                Err(then) => error = also(error, &then),
            }
        }
        Err(error)
    }

    /// The part at another place, read up to where it was.
    fn taken_over(
        &self,
        part: &OpenPart,
        place: usize,
        record: &mut Record,
    ) -> Result<OpenPart, SourceError> {
        let places = self.source.parts.get(part.index).map_or(&[][..], Vec::as_slice);
        let location = || places.get(place).map(ToString::to_string).unwrap_or_default();
        let another = |reason: &str| SourceError::Unreadable { location: location(), reason: reason.into() };
        let mut reader = self.source.open_at(part.index, place, self.started.elapsed())?;
        if let Some(only) = &self.only {
            reader.only(only);
        }
        self.source
            .same_header(reader.header(), &self.header)
            .map_err(|error| described(error, location()))?;
        let mut opened = OpenPart { index: part.index, place, reader, given: 0, seen: Some(Box::default()) };
        while opened.given < part.given {
            let next = opened.reader.next(record).map_err(|error| described(error, location()))?;
            if next == Next::End {
                return Err(another(
                    "has fewer records than another place of this part: it is not the same file",
                ));
            }
            opened.note(&next, record, self.only.as_deref());
        }
        if opened.digest() != part.digest() {
            return Err(another(
                "has other records than another place of this part gave: it is not the same file",
            ));
        }
        Ok(opened)
    }

    fn next_part(&self, index: usize) -> Result<OpenPart, SourceError> {
        self.check_time()?;
        let (place, mut reader) = self.source.open_part(index, Some(&self.header), self.started.elapsed())?;
        if let Some(only) = &self.only {
            reader.only(only);
        }
        Ok(OpenPart { index, place, reader, given: 0, seen: self.source.seen(index) })
    }
}
