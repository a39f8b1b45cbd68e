//! A part of JSON lines: one object a line, a value per column.
//!
//! Texts are texts, numbers are numbers, `true` and `false` are the texts `True` and `False` (as CSV writers have them), and
//! `null` or a name that is not there is a missing value. Lists and objects are read in columns that are left out only.
//! There is no header: the columns are all names that occur, in the order in which they first do, or those that are known
//! from the run.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufRead};

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use crate::check::MAX_NAME;

use super::part::{MAX_CELL_BYTES, MAX_COLUMNS, MAX_RECORD_BYTES, Next, PartError, PartReader, too_large};
use super::unpack::Input;
use crate::record::Record;
use crate::source::At;

/// The lines of a part that are not blank, bounded.
struct Lines {
    input: Input,
    line: u64,
    bytes: Vec<u8>,
}

impl Lines {
    fn new(input: Input) -> Self {
        Self { input, line: 0, bytes: Vec::new() }
    }

    /// Reads the next line that is not blank; `false` at the end.
    fn read(&mut self) -> Result<bool, PartError> {
        loop {
            self.bytes.clear();
            self.line += 1;
            if !self.read_one()? {
                return Ok(false);
            }
            if self.bytes.iter().any(|byte| !byte.is_ascii_whitespace()) {
                return Ok(true);
            }
        }
    }

    fn read_one(&mut self) -> Result<bool, PartError> {
        let mut any = false;
        loop {
            let input = match self.input.fill_buf() {
                Ok(input) => input,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            if input.is_empty() {
                return Ok(any);
            }
            any = true;
            let end = memchr::memchr(b'\n', input);
            let line = input.get(..end.unwrap_or(input.len())).unwrap_or_default();
            if self.bytes.len() + line.len() > MAX_RECORD_BYTES {
                let reason = format!(
                    "the line is larger than {} MiB: JSON lines have one object in each line",
                    MAX_RECORD_BYTES >> 20
                );
                return Err(PartError::Malformed(At::Line(self.line), reason));
            }
            self.bytes.extend_from_slice(line);
            let read = line.len() + usize::from(end.is_some());
            self.input.consume(read);
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

/// The names that occur in a part, added to `names` in the order in which they first do. Lines that are no objects, or have a
/// name twice, are bad rows and add none.
pub(super) fn collect_names(input: Input, names: &mut Vec<String>) -> Result<(), PartError> {
    let mut lines = Lines::new(input);
    let mut known: HashMap<String, usize> =
        names.iter().enumerate().map(|(column, name)| (name.clone(), column)).collect();
    let mut seen_in = vec![0; names.len()];
    while lines.read()? {
        let mut json = serde_json::Deserializer::from_slice(&lines.bytes);
        let mut found = HashMap::new();
        let line =
            LineNames { known: &known, names, seen_in: &mut seen_in, line: lines.line, found: &mut found };
        if json.deserialize_map(line).and_then(|()| json.end()).is_err() {
            continue;
        }
        let mut found: Vec<(String, usize)> = found.into_iter().collect();
        found.sort_unstable_by_key(|(_, position)| *position);
        for (name, _) in found {
            if names.len() >= MAX_COLUMNS {
                let reason = format!("there are more than {MAX_COLUMNS} different names, which are not read");
                return Err(PartError::Format(reason));
            }
            known.insert(name.clone(), names.len());
            names.push(name);
            seen_in.push(0);
        }
    }
    Ok(())
}

/// Gathers the names of an object that are not known yet.
struct LineNames<'a> {
    known: &'a HashMap<String, usize>,
    names: &'a [String],
    /// Per known name, the line in which it was last.
    seen_in: &'a mut [u64],
    line: u64,
    /// New names, and where in the object they stand.
    found: &'a mut HashMap<String, usize>,
}

impl<'de> Visitor<'de> for LineNames<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut position = 0;
        while let Some(name) = map.next_key_seed(Name)? {
            // Most objects have their names in one order.
            let expected = self.names.get(position).is_some_and(|known| *known == name.0);
            if name.0.len() > MAX_NAME {
                return Err(A::Error::custom("a name is too long"));
            }
            let column = if expected { Some(position) } else { self.known.get(name.0.as_ref()).copied() };
            let before = match column.and_then(|column| self.seen_in.get_mut(column)) {
                Some(seen_in) => std::mem::replace(seen_in, self.line) == self.line,
                None => self.found.insert(name.0.into_owned(), position).is_some(),
            };
            if before {
                return Err(A::Error::custom("a name is there twice"));
            }
            position += 1;
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// A name, borrowed where it has no escapes.
struct Name;
struct NameText<'de>(std::borrow::Cow<'de, str>);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = NameText<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<NameText<'de>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = NameText<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<NameText<'de>, E> {
        Ok(NameText(name.into()))
    }

    fn visit_str<E>(self, name: &str) -> Result<NameText<'de>, E> {
        Ok(NameText(name.to_owned().into()))
    }
}

/// An open part.
pub(super) struct JsonPart {
    lines: Lines,
    columns: Columns,
}

/// The columns, and what is known about the current line.
struct Columns {
    header: Vec<String>,
    positions: HashMap<String, usize>,
    /// Which columns are looked at.
    wanted: Vec<bool>,
    /// Per column, the line in which it was last set.
    set_in: Vec<u64>,
    line: u64,
}

impl JsonPart {
    /// A part whose columns are known: a name that is none of them is a bad row.
    pub(super) fn open(input: Input, header: Vec<String>) -> Self {
        let positions = header.iter().enumerate().map(|(column, name)| (name.clone(), column)).collect();
        let (wanted, set_in) = (vec![true; header.len()], vec![0; header.len()]);
        Self { lines: Lines::new(input), columns: Columns { header, positions, wanted, set_in, line: 0 } }
    }
}

impl PartReader for JsonPart {
    fn header(&self) -> &[String] {
        &self.columns.header
    }

    fn only(&mut self, columns: &[usize]) {
        self.columns.wanted.fill(false);
        for column in columns {
            if let Some(wanted) = self.columns.wanted.get_mut(*column) {
                *wanted = true;
            }
        }
    }

    fn next(&mut self, record: &mut Record) -> Result<Next, PartError> {
        if !self.lines.read()? {
            return Ok(Next::End);
        }
        self.columns.line = self.lines.line;
        let at = At::Line(self.lines.line);
        record.reset(self.columns.header.len());
        let mut json = serde_json::Deserializer::from_slice(&self.lines.bytes);
        let row = Row { columns: &mut self.columns, record };
        let result = json.deserialize_map(row).and_then(|()| json.end());
        Ok(match result {
            Ok(()) => Next::Record(at),
            Err(error) => Next::Bad(at, described(&error)),
        })
    }
}

/// What is wrong with a line: our own words as they are, the parser's with the column they are about.
fn described(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    match error.classify() {
        serde_json::error::Category::Data => text.to_owned(),
        _ => format!("no JSON object stands here ({text}, character {})", error.column()),
    }
}

struct Row<'a> {
    columns: &'a mut Columns,
    record: &'a mut Record,
}

impl<'de> Visitor<'de> for Row<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a value per column")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { columns, record } = self;
        let mut expected = 0;
        while let Some(name) = map.next_key_seed(Name)? {
            let name = name.0;
            let column = match columns.header.get(expected) {
                Some(known) if *known == name => expected,
                _ => match columns.positions.get(name.as_ref()) {
                    Some(column) => *column,
                    None => {
                        let name: String = name.chars().take(60).collect();
                        return Err(A::Error::custom(format!("{name:?} is no column of the run")));
                    }
                },
            };
            expected = column + 1;
            if let Some(line) = columns.set_in.get_mut(column)
                && std::mem::replace(line, columns.line) == columns.line
            {
                return Err(A::Error::custom(format!("column {name:?} is there twice")));
            }
            if columns.wanted.get(column).copied().unwrap_or(false) {
                map.next_value_seed(CellSeed { column, name: &name, record: &mut *record })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct CellSeed<'a> {
    column: usize,
    name: &'a str,
    record: &'a mut Record,
}

impl<'de> DeserializeSeed<'de> for CellSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CellSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a text, number, true, false or null in column {:?}", self.name)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        if text.len() > MAX_CELL_BYTES {
            return Err(E::custom(too_large(self.name, text.len())));
        }
        self.record.set_text(self.column, text);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.record.set_text(self.column, if value { "True" } else { "False" });
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.record.set_integer(self.column, value);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.record.set_integer(self.column, value);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.record.set_number(self.column, value);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
