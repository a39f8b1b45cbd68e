//! A shard's file: a small header, then its canonical rows.
//!
//! ```text
//! 0   8   magic "ODPCROWS"
//! 8   4   version, u32 little-endian
//! 12  8   length of what follows, u64 little-endian
//! 20  ..  canonical rows
//! ```

use std::io::{self, Read, Write};
use std::ops::Range;
use std::sync::Arc;

use snake::{Cell, Column, FeatureKind, Schema, Table, TableBuilder, TargetColumn, TargetKind, TargetValue};

use super::hashed_reader::HashedReader;
use crate::data_spec::Shard;
use crate::shard::{push_cells, push_target};

const MAGIC: &[u8; 8] = b"ODPCROWS";
const VERSION: u32 = 1;
pub(super) const HEADER: u64 = 20;

/// How many bytes a table's file has.
pub(super) fn size(table: &Table) -> u64 {
    let rows = table.rows() as u64;
    let columns: u64 = table
        .columns()
        .iter()
        .map(|column| match column {
            Column::Number(_) => rows * 8,
            Column::Text(column) => {
                let length = |code: &u32| column.dictionary.get(*code as usize).map_or(0, |text| text.len());
                column.codes.iter().map(|code| 4 + length(code) as u64).sum()
            }
        })
        .sum();
    let target = match table.target() {
        TargetColumn::Class(_) => 4,
        TargetColumn::Number(_) => 8,
    };
    HEADER + columns + rows * (8 + target)
}

/// Writes a table. The bytes are the same whenever the table is.
pub(super) fn write(table: &Table, out: &mut impl Write) -> io::Result<()> {
    let mut row = Vec::new();
    out.write_all(MAGIC)?;
    out.write_all(&VERSION.to_le_bytes())?;
    out.write_all(&(size(table) - HEADER).to_le_bytes())?;
    for index in 0..table.rows() {
        encode(table, index, &mut row);
        out.write_all(&row)?;
    }
    Ok(())
}

/// The canonical bytes of a row.
fn encode(table: &Table, index: usize, row: &mut Vec<u8>) {
    row.clear();
    row.extend(table.ordinals().get(index).copied().unwrap_or_default().to_le_bytes());
    for column in table.columns() {
        match column {
            Column::Number(values) => {
                push_cells(&[Cell::Number(values.get(index).copied().unwrap_or_default())], row);
            }
            Column::Text(column) => {
                let code = column.codes.get(index).copied().unwrap_or_default();
                let text = column.dictionary.get(code as usize).map_or("", |text| text);
                push_cells(&[Cell::Text(text)], row);
            }
        }
    }
    let target = match table.target() {
        TargetColumn::Class(classes) => TargetValue::Class(classes.get(index).copied().unwrap_or_default()),
        TargetColumn::Number(values) => TargetValue::Number(values.get(index).copied().unwrap_or_default()),
    };
    push_target(target, row);
}

/// Reads a table back and checks that it is the shard that it should be, by the hash of all bytes after the header. `size`
/// is the file's.
///
/// # Errors
/// Whatever is wrong with the file: it is then worth nothing.
pub(super) fn read(
    input: impl Read,
    size: u64,
    schema: &Arc<Schema>,
    expected: &Shard,
) -> Result<Table, Damage> {
    let mut input = HashedReader::new(input, size);
    if &input.array::<8>()? != MAGIC || u32::from_le_bytes(input.array()?) != VERSION {
        return Err(Damage("its header is not that of a shard of this version".into()));
    }
    let length = u64::from_le_bytes(input.array()?);
    if size.checked_sub(HEADER) != Some(length) {
        return Err(Damage("it is not as long as its header says".into()));
    }
    let mut builder = TableBuilder::new(Arc::clone(schema));
    let mut cells: Vec<Place> = Vec::with_capacity(schema.features.len());
    for _ in 0..expected.rows {
        input.start_row();
        let ordinal = u64::from_le_bytes(input.array()?);
        cells.clear();
        for feature in &schema.features {
            cells.push(match feature.kind {
                FeatureKind::Number => Place::Number(f64::from_le_bytes(input.array()?)),
                FeatureKind::Text => {
                    let length = u32::from_le_bytes(input.array()?);
                    Place::Text(input.skip(length as usize)?)
                }
            });
        }
        let target = match schema.target_kind {
            TargetKind::Number => TargetValue::Number(f64::from_le_bytes(input.array()?)),
            _ => TargetValue::Class(u32::from_le_bytes(input.array()?)),
        };
        let row = input.row();
        let cells = cells.iter().map(|place| match place {
            Place::Number(number) => Ok(Cell::Number(*number)),
            Place::Text(range) => {
                let bytes = row.get(range.clone()).unwrap_or_default();
                std::str::from_utf8(bytes).map(Cell::Text).map_err(|_| Damage("a text is not UTF-8".into()))
            }
        });
        let cells: Vec<Cell<'_>> = cells.collect::<Result<_, Damage>>()?;
        builder.push(ordinal, &cells, target).map_err(|error| Damage(error.to_string()))?;
    }
    // The bytes are what is hashed, so that with the right hash they are the canonical rows to the last bit.
    if input.finish()? != expected.hash {
        return Err(Damage("its rows don't have the hash they should have".into()));
    }
    Ok(builder.finish())
}

/// A cell of the row at hand.
enum Place {
    Number(f64),
    /// Where its bytes are in the row.
    Text(Range<usize>),
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

#[cfg(test)]
mod tests {
    use snake::{Feature, Label};

    use super::*;

    fn sample() -> Table {
        let feature = |name: &str, kind| Feature { name: name.into(), kind };
        let schema = Schema {
            target: "y".into(),
            target_kind: TargetKind::Text,
            classes: vec![Label::Text("no".into()), Label::Text("yes".into())],
            features: vec![feature("n", FeatureKind::Number), feature("t", FeatureKind::Text)],
        };
        let mut builder = TableBuilder::new(Arc::new(schema));
        builder.push(3, &[Cell::Number(1.5), Cell::Text("né")], TargetValue::Class(1)).unwrap();
        builder.push(9, &[Cell::Number(0.0), Cell::Text("")], TargetValue::Class(0)).unwrap();
        builder.finish()
    }

    fn bytes() -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&sample(), &mut bytes).unwrap();
        bytes
    }

    fn back(bytes: &[u8]) -> Result<Table, Damage> {
        let table = sample();
        read(bytes, bytes.len() as u64, table.schema(), &Shard::of_table(&table))
    }

    #[test]
    fn the_file_is_pinned() {
        let mut expected = b"ODPCROWS".to_vec();
        expected.extend([1, 0, 0, 0, 47, 0, 0, 0, 0, 0, 0, 0]);
        expected.extend([3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f]); // ordinal, 1.5
        expected.extend([3, 0, 0, 0, b'n', 0xc3, 0xa9, 1, 0, 0, 0]); // text, class
        expected.extend([9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        expected[12] = u8::try_from(expected.len() - 20).unwrap();
        assert_eq!(bytes(), expected);
        assert_eq!(size(&sample()), expected.len() as u64);
        let table = sample();
        let rows = blake3::hash(&expected[20..]);
        assert_eq!(Shard::of_table(&table).hash.as_bytes(), rows.as_bytes(), "the rows are what is hashed");
    }

    #[test]
    fn a_table_comes_back() {
        assert_eq!(back(&bytes()).unwrap(), sample());
    }

    #[test]
    fn any_changed_or_missing_byte_is_found() {
        let good = bytes();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(back(&bad).is_err(), "byte {at} changed");
            assert!(back(&good[..at]).is_err(), "cut at {at}");
        }
        let mut long = good;
        long.push(0);
        assert!(back(&long).is_err());
    }
}
