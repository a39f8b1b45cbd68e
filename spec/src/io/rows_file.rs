//! A shard's file: a header, the columns of its table, and the hash of both.
//!
//! ```text
//! 0   8   magic "ODPCROWS"
//! 8   4   version, 2, u32
//! 12  8   length of what follows, u64
//! 20  32  the shard's hash
//! 52  8   its rows, u64
//! 60  32  BLAKE3 of the canonical CBOR of the schema: names, kinds, classes
//! 92  8   the first ordinal, u64, 0 without rows
//! 100 1   in how many bytes a gap is, 1, 2, 4 or 8
//! 101 ..  per row but the first: how many ordinals lie between it and the one before
//!         the features' columns in schema order, then the target's
//!     32  BLAKE3 of all bytes before
//! ```
//!
//! A column of numbers is an f64 a row. A column of texts is how many distinct ones there are (u32), the length of each
//! (u32), their UTF-8 one after the other, and a code a row: the text's place among them. A column of classes is a code a
//! row too. A code has one byte where 256 are enough, two for 65,536, else four. All is little-endian.
//!
//! # What is checked, and when
//! The shard's own hash, over canonical rows, was checked when the rows came from the source: a table that is written is
//! that shard. On reading it is not computed again, which would take longer than all else. The hash at the end says that
//! these are the bytes that were written then, and the header, which is in it, which shard's they are and under which
//! schema. It finds damage; it is no signature, and who may write into the folder could make a file with a sound one. So
//! nothing in the file is believed for the hash's sake: lengths are checked before anything is allocated for them,
//! and [`Table::from_columns`] checks all that a [`TableBuilder`](snake::TableBuilder) guarantees, the order of distinct
//! texts and that they are distinct included. A table that comes back equals the one that was written.

use std::io::{self, Read, Write};
use std::sync::Arc;

use snake::{Column, ColumnsError, FeatureKind, Schema, Table, TargetColumn, TargetKind, TextColumn};

use super::hashed_reader::HashedReader;
use super::hashed_writer::HashedWriter;
use super::width::Width;
use crate::data_spec::Shard;

const MAGIC: &[u8; 8] = b"ODPCROWS";
const VERSION: u32 = 2;
/// Up to and with the length.
const START: u64 = 20;
/// All up to the gaps between the ordinals, and the hash at the end.
const AROUND: u64 = 101 + 32;

/// How many bytes a table's file has.
pub(super) fn size(table: &Table) -> u64 {
    let rows = table.rows() as u64;
    let columns: u64 = table
        .columns()
        .iter()
        .map(|column| match column {
            Column::Number(_) => rows * 8,
            Column::Text(TextColumn { dictionary, .. }) => {
                let texts: u64 = dictionary.iter().map(|text| 4 + text.len() as u64).sum();
                4 + texts + rows * u64::from(Width::of_places(dictionary.len()).bytes())
            }
        })
        .sum();
    let target = match table.target() {
        TargetColumn::Class(_) => u64::from(Width::of_places(table.schema().classes.len()).bytes()),
        TargetColumn::Number(_) => 8,
    };
    let gaps = rows.saturating_sub(1) * u64::from(gap_width(table).bytes());
    AROUND + gaps + columns + rows * target
}

/// How many ordinals lie between each row and the one before.
fn gaps(table: &Table) -> impl ExactSizeIterator<Item = u64> {
    // They ascend, so that nothing wraps.
    table.ordinals().array_windows().map(|[before, ordinal]| ordinal.wrapping_sub(*before).wrapping_sub(1))
}

fn gap_width(table: &Table) -> Width {
    Width::of(gaps(table).max().unwrap_or_default())
}

/// The hash that names a schema.
fn schema_hash(schema: &Schema) -> io::Result<blake3::Hash> {
    serde_cbor::to_vec(schema).map(|bytes| blake3::hash(&bytes)).map_err(io::Error::other)
}

/// Writes a table, which must be that of the shard. The bytes are the same whenever the table is.
///
/// # Errors
/// Of the output, or because the table is not what a table can be.
pub(super) fn write(shard: &Shard, table: &Table, out: impl Write) -> io::Result<()> {
    if table.rows() as u64 != shard.rows {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the table is not that of the shard"));
    }
    let schema = table.schema();
    let mut out = HashedWriter::new(out);
    out.bytes(MAGIC)?;
    out.bytes(&VERSION.to_le_bytes())?;
    out.bytes(&(size(table) - START).to_le_bytes())?;
    out.bytes(shard.hash.as_bytes())?;
    out.bytes(&shard.rows.to_le_bytes())?;
    out.bytes(schema_hash(schema)?.as_bytes())?;
    out.bytes(&table.ordinals().first().copied().unwrap_or_default().to_le_bytes())?;
    let width = gap_width(table);
    out.bytes(&[width.bytes()])?;
    out.whole(width, gaps(table))?;
    for column in table.columns() {
        match column {
            Column::Number(values) => out.values(values.iter().map(|value| value.to_le_bytes()))?,
            Column::Text(TextColumn { codes, dictionary }) => {
                out.bytes(&short(dictionary.len())?)?;
                for text in dictionary {
                    out.bytes(&short(text.len())?)?;
                }
                for text in dictionary {
                    out.bytes(text.as_bytes())?;
                }
                out.whole(Width::of_places(dictionary.len()), codes.iter().map(|code| u64::from(*code)))?;
            }
        }
    }
    match table.target() {
        TargetColumn::Number(values) => out.values(values.iter().map(|value| value.to_le_bytes()))?,
        TargetColumn::Class(classes) => {
            let width = Width::of_places(schema.classes.len());
            out.whole(width, classes.iter().map(|class| u64::from(*class)))?;
        }
    }
    out.finish()
}

/// A length in four bytes. No source hands out a text of 4 GiB.
fn short(length: usize) -> io::Result<[u8; 4]> {
    u32::try_from(length).map(u32::to_le_bytes).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// Reads a table back: the one that was written for this shard and this schema. `size` is the file's. Nothing is allocated
/// that the file is not long enough for: what a table takes in memory, for as many bytes as there are.
///
/// # Errors
/// Whatever is wrong with the file: it is then worth nothing.
pub(super) fn read(
    input: impl Read,
    size: u64,
    schema: &Arc<Schema>,
    expected: &Shard,
) -> Result<Table, Damage> {
    let mut input = HashedReader::new(input, size)?;
    if &input.array::<8>()? != MAGIC || u32::from_le_bytes(input.array()?) != VERSION {
        return Err(Damage::new("its header is not that of a shard of this version"));
    }
    if Some(u64::from_le_bytes(input.array()?)) != size.checked_sub(START) {
        return Err(Damage::new("it is not as long as its header says"));
    }
    let rows = expected.rows;
    if &input.array()? != expected.hash.as_bytes() || u64::from_le_bytes(input.array()?) != rows {
        return Err(Damage::new("it is another shard's"));
    }
    if schema_hash(schema)? != input.array::<32>()? {
        return Err(Damage::new("its schema is another one"));
    }
    let ordinals = read_ordinals(&mut input, rows)?;
    let mut columns = Vec::with_capacity(schema.features.len());
    for feature in &schema.features {
        columns.push(match feature.kind {
            FeatureKind::Number => Column::Number(input.numbers(rows)?),
            FeatureKind::Text => Column::Text(read_texts(&mut input, rows)?),
        });
    }
    let target = match schema.target_kind {
        TargetKind::Number => TargetColumn::Number(input.numbers(rows)?),
        _ => TargetColumn::Class(input.codes(Width::of_places(schema.classes.len()), rows)?),
    };
    // Before the table is looked at closely: what is damaged is most likely found by this.
    input.finish()?;
    Ok(Table::from_columns(Arc::clone(schema), ordinals, columns, target)?)
}

fn read_ordinals(input: &mut HashedReader<impl Read>, rows: u64) -> Result<Vec<u64>, Damage> {
    let mut ordinal = u64::from_le_bytes(input.array()?);
    let [width] = input.array()?;
    let width = Width::from_bytes(width).ok_or_else(|| Damage::new("its ordinals have no width"))?;
    let Some(gaps) = rows.checked_sub(1) else { return Ok(Vec::new()) };
    let mut ordinals = input.room(gaps, width.bytes().into())?;
    // There is no room for the first yet, and a list that is full grows to twice the size.
    ordinals.reserve_exact(1);
    ordinals.push(ordinal);
    input.whole(width, gaps, |gap| {
        // One that wraps doesn't ascend, which is found later.
        ordinal = ordinal.wrapping_add(gap).wrapping_add(1);
        ordinals.push(ordinal);
    })?;
    Ok(ordinals)
}

fn read_texts(input: &mut HashedReader<impl Read>, rows: u64) -> Result<TextColumn, Damage> {
    let count = u64::from(u32::from_le_bytes(input.array()?));
    if count > rows {
        return Err(Damage::new("it has more distinct texts than rows"));
    }
    let lengths = input.codes(Width::Four, count)?;
    let blob = input.bytes(lengths.iter().map(|length| u64::from(*length)).sum())?;
    let mut rest = std::str::from_utf8(&blob).map_err(|_| Damage::new("its texts are not UTF-8"))?;
    let mut dictionary: Vec<Box<str>> = Vec::with_capacity(lengths.len());
    for length in lengths {
        let (text, after) = rest
            .split_at_checked(length as usize)
            .ok_or_else(|| Damage::new("one of its texts ends within a character"))?;
        dictionary.push(text.into());
        rest = after;
    }
    let codes = input.codes(Width::of_places(dictionary.len()), rows)?;
    Ok(TextColumn { codes, dictionary })
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Damage(String);

impl Damage {
    pub(super) fn new(what: &str) -> Self {
        Self(what.to_owned())
    }
}

impl From<io::Error> for Damage {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<ColumnsError> for Damage {
    fn from(error: ColumnsError) -> Self {
        Self(error.to_string())
    }
}

#[cfg(test)]
#[path = "rows_file_tests.rs"]
mod tests;
