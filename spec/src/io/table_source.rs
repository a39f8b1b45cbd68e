//! Parts of a table as one source of records, whatever their format and wherever they lie: which places a part has, and which of
//! them is opened. Reading them one after another is the `reader`'s.

mod reader;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use reader::TableReader;

use super::limits::SourceLimits;
use super::part::{PartError, PartReader};
use super::part_place::PartPlace;
use crate::run::{Format, OnError};
use crate::source::{RecordReader, RecordSource, SourceError};

/// How many parts are looked at before reading begins.
const CHECKED: usize = 8;

/// A part, and the places that have it: the first one that answers is read.
pub(super) type Places = Vec<PartPlace>;

/// The parts of a table as one source. Memory is set by a record (for Parquet by a row group), not by the parts.
#[derive(Debug, Clone)]
pub struct TableSource {
    format: Format,
    parts: Vec<Places>,
    on_error: OnError,
    of_run: bool,
    limits: SourceLimits,
    /// The columns of the table, where they are known before anything is read: all that JSON lines may have.
    known: Option<Vec<String>>,
    /// How many of the last of these need not be there.
    spare: usize,
    found: OnceLock<Vec<String>>,
    reading: Arc<Reading>,
}

/// What happens while the source is read, over all passes.
#[derive(Debug)]
struct Reading {
    /// Per part, which of its places was opened last.
    places: Vec<AtomicUsize>,
    stand_ins: AtomicU64,
}

impl TableSource {
    pub(super) fn new(format: Format, parts: Vec<Places>, on_error: OnError) -> Self {
        let limits = SourceLimits::default();
        let places = parts.iter().map(|_| AtomicUsize::new(0)).collect();
        let reading = Arc::new(Reading { places, stand_ins: AtomicU64::new(0) });
        Self {
            format,
            parts,
            on_error,
            of_run: true,
            limits,
            known: None,
            spare: 0,
            found: OnceLock::new(),
            reading,
        }
    }

    /// Files that no run file speaks of, so that no message names its settings. The format is told by the first one's name:
    /// `.parquet`, `.jsonl` or `.ndjson`, with or without `.gz` or `.zst` behind it, else CSV.
    #[must_use]
    pub fn of_files(files: Vec<PathBuf>, on_error: OnError) -> Self {
        let format = files.first().map_or(Format::Csv, |file| format_of(file));
        let parts = files.into_iter().map(|file| vec![PartPlace::File(file)]).collect();
        Self { of_run: false, ..Self::new(format, parts, on_error) }
    }

    /// Parts that are in memory, under any packing.
    #[must_use]
    pub fn of_bytes(format: Format, parts: Vec<Vec<u8>>, on_error: OnError) -> Self {
        let parts = parts.into_iter().map(|bytes| vec![PartPlace::Bytes(bytes.into())]).collect();
        Self { of_run: false, ..Self::new(format, parts, on_error) }
    }

    /// The same with other limits.
    #[must_use]
    pub fn with_limits(self, limits: SourceLimits) -> Self {
        Self { limits, ..self }
    }

    /// The columns of the run, and behind them `spare` that are left out, which need not be there.
    pub(super) fn with_known_columns(self, columns: Vec<String>, spare: usize) -> Self {
        Self { known: Some(columns), spare, ..self }
    }

    /// The parts that lie on this machine.
    #[must_use]
    pub fn files(&self) -> Vec<&Path> {
        self.parts.iter().flatten().filter_map(PartPlace::file).collect()
    }

    /// What to type as `--source` to read the same parts, in order.
    #[must_use]
    pub fn places(&self) -> Vec<String> {
        self.parts.iter().filter_map(|places| places.first()).map(PartPlace::typed).collect()
    }

    /// How many bytes the parts have as they lie there, of those where it can be told without reading them. Servers are asked.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.parts.iter().filter_map(|places| places.iter().find_map(PartPlace::bytes)).sum()
    }

    /// Finds out, before anything is waited for long, whether no patience would help: of the first few parts,
    /// one of which every place is a file that can't be opened, or an address that may not be reached from here.
    ///
    /// # Errors
    /// [`SourceError`] for the first such part.
    pub fn check(&self) -> Result<(), SourceError> {
        for part in 0..self.parts.len().min(CHECKED) {
            self.try_places(part, &mut |place| place.check())?;
        }
        Ok(())
    }

    /// The columns of JSON lines: those that are known, or all names that occur, in a pass of its own the first time.
    fn json_columns(&self) -> Result<&[String], SourceError> {
        if let Some(known) = &self.known {
            return Ok(known);
        }
        if let Some(found) = self.found.get() {
            return Ok(found);
        }
        let mut names = Vec::new();
        let start = Instant::now();
        for part in 0..self.parts.len() {
            let limits = self.limits.after(start.elapsed());
            let (_, more) = self.try_places(part, &mut |place| {
                // What a place has that breaks off counts for nothing.
                let mut more = names.clone();
                place.collect_names(&limits, &mut more).map(|()| more)
            })?;
            names = more;
        }
        Ok(self.found.get_or_init(|| names))
    }

    /// Tries a part's places in order until one does. Gives its position with what came of it.
    fn try_places<T>(
        &self,
        part: usize,
        work: &mut dyn FnMut(&PartPlace) -> Result<T, PartError>,
    ) -> Result<(usize, T), SourceError> {
        let places = self.parts.get(part).map_or(&[][..], Vec::as_slice);
        let mut failed: Option<SourceError> = None;
        let mut stands_in = 0;
        for (position, place) in places.iter().enumerate() {
            let error = match work(place) {
                Ok(value) => {
                    self.reading.stand_ins.fetch_add(stands_in, Ordering::Relaxed);
                    return Ok((position, value));
                }
                Err(error) => {
                    stands_in = 1;
                    described(error, place.to_string())
                }
            };
            failed = Some(match failed {
                None => error,
                Some(before) => also(before, &error),
            });
        }
        Err(failed.unwrap_or_else(|| SourceError::Unreadable {
            location: self.location(part),
            reason: "no place was named for it".into(),
        }))
    }

    /// What to take note of a part's records with: only where there is more than one place.
    fn seen(&self, part: usize) -> Option<Box<blake3::Hasher>> {
        self.parts.get(part).filter(|places| places.len() > 1).map(|_| Box::default())
    }

    /// The columns that have to be known before a part is opened.
    fn columns(&self) -> Result<&[String], SourceError> {
        match self.format {
            Format::Jsonl => self.json_columns(),
            _ => Ok(&[]),
        }
    }

    /// Opens a part at one of its places.
    fn open_at(
        &self,
        part: usize,
        place: usize,
        spent: Duration,
    ) -> Result<Box<dyn PartReader>, SourceError> {
        let columns = self.columns()?;
        let Some(found) = self.parts.get(part).and_then(|places| places.get(place)) else {
            let reason = "no place was named for it".into();
            return Err(SourceError::Unreadable { location: self.location(part), reason });
        };
        let opened = found.open(self.format, &self.limits.after(spent), columns);
        opened.map_err(|error| described(error, found.to_string()))
    }

    /// Opens a part at the first of its places that answers with the columns of the first part, or with those that are known.
    fn open_part(
        &self,
        part: usize,
        first: Option<&[String]>,
        spent: Duration,
    ) -> Result<(usize, Box<dyn PartReader>), SourceError> {
        let columns = self.columns()?;
        let limits = self.limits.after(spent);
        let (mut another, mut missed) = (false, false);
        let opened = self.try_places(part, &mut |place| {
            let reader = place
                .open(self.format, &limits, columns)
                .inspect_err(|error| missed |= matches!(error, PartError::Bytes(_)))?;
            match first {
                Some(first) => self.same_header(reader.header(), first)?,
                None => self.has_known(part, reader.header()).inspect_err(|_| another = true)?,
            }
            Ok(reader)
        });
        // What is missing is told better by who looks for it; but not while a place that may have it can't be read.
        let opened = match opened {
            Err(_) if another && !missed => {
                self.try_places(part, &mut |place| place.open(self.format, &limits, columns))
            }
            opened => opened,
        }?;
        self.note(part, opened.0);
        Ok(opened)
    }

    /// Notes which of its places a part is read from.
    fn note(&self, part: usize, place: usize) {
        if let Some(noted) = self.reading.places.get(part) {
            noted.store(place, Ordering::Relaxed);
        }
    }

    fn same_header(&self, names: &[String], header: &[String]) -> Result<(), PartError> {
        if names == header {
            return Ok(());
        }
        let first = self.location(0);
        let differs = header.iter().zip(names).position(|(a, b)| a != b);
        let reason = match differs {
            Some(at) => format!(
                "column {} is {:?} here and {:?} in {first}",
                at + 1,
                names.get(at).map_or("", String::as_str),
                header.get(at).map_or("", String::as_str),
            ),
            None => format!("it has {} columns, {first} has {}", names.len(), header.len()),
        };
        let reason = format!("its columns are not those of the first part: {reason}; make them equal");
        Err(PartError::Format(reason))
    }

    /// Of several places, one that sends another table than was published is passed over. (JSON lines have no header to tell.)
    fn has_known(&self, part: usize, names: &[String]) -> Result<(), PartError> {
        let several = self.parts.get(part).is_some_and(|places| places.len() > 1);
        let Some(known) = self.known.as_ref().filter(|_| several && self.format != Format::Jsonl) else {
            return Ok(());
        };
        let (needed, _) = known.split_at(known.len().saturating_sub(self.spare));
        let found: BTreeSet<&String> = names.iter().collect();
        let known: BTreeSet<&String> = known.iter().collect();
        let missing = needed.iter().find(|name| !found.contains(name));
        let other = names.iter().find(|name| !known.contains(name));
        match (missing, other) {
            (None, None) => Ok(()),
            (Some(name), _) => Err(PartError::Format(format!("has no column {name:?}: it is another table"))),
            (_, Some(name)) => {
                Err(PartError::Format(format!("has a column {name:?} more: it is another table")))
            }
        }
    }
}

fn format_of(file: &Path) -> Format {
    let name = file.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let name = name.strip_suffix(".gz").or(name.strip_suffix(".zst")).unwrap_or(&name);
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("parquet") => Format::Parquet,
        Some("jsonl" | "ndjson") => Format::Jsonl,
        _ => Format::Csv,
    }
}

fn described(error: PartError, location: String) -> SourceError {
    match error {
        PartError::Bytes(reason) | PartError::Format(reason) => SourceError::Unreadable { location, reason },
        PartError::Malformed(at, reason) => SourceError::Malformed { location, at, reason },
    }
}

/// Both in one message.
fn also(before: SourceError, then: &SourceError) -> SourceError {
    let (location, reason) = match before {
        SourceError::Unreadable { location, reason } => (location, reason),
        SourceError::Malformed { location, at, reason } => (location, format!("{at}: {reason}")),
        // No place says this.
        error @ SourceError::TooManyRows { .. } => return error,
    };
    SourceError::Unreadable { location, reason: format!("{reason}; and {then}") }
}

impl RecordSource for TableSource {
    fn open(&self) -> Result<Box<dyn RecordReader + '_>, SourceError> {
        Ok(Box::new(TableReader::open(self)?))
    }

    fn location(&self, part: usize) -> String {
        let opened = self.reading.places.get(part).map_or(0, |place| place.load(Ordering::Relaxed));
        let place = self.parts.get(part).and_then(|places| places.get(opened));
        place.map_or_else(|| format!("part {part}"), ToString::to_string)
    }

    fn stand_ins(&self) -> u64 {
        self.reading.stand_ins.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
