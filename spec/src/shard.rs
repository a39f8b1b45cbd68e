//! A shard's canonical rows and their hash.
//!
//! A row is its ordinal (u64), its features in schema order (a number as the bits of its f64, negative zero as zero; a
//! text as its length in bytes, u32, and its UTF-8), its target (the class's position, u32, or an f64): all
//! little-endian. A shard's hash is BLAKE3 over its rows by ascending ordinal.

use snake::{Cell, Column, Table, TargetColumn, TargetValue};

use crate::data_spec::{Shard, ShardHash};

/// Appends the features of a row.
pub(crate) fn push_cells(cells: &[Cell<'_>], bytes: &mut Vec<u8>) {
    for cell in cells {
        push_cell(*cell, bytes);
    }
}

fn push_cell(cell: Cell<'_>, bytes: &mut Vec<u8>) {
    match cell {
        Cell::Number(value) => bytes.extend_from_slice(&(value + 0.0).to_bits().to_le_bytes()),
        Cell::Text(text) => {
            // No source hands out a text of 4 GiB.
            bytes.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
    }
}

/// Appends a row's target.
pub(crate) fn push_target(target: TargetValue, bytes: &mut Vec<u8>) {
    match target {
        TargetValue::Class(class) => bytes.extend_from_slice(&class.to_le_bytes()),
        TargetValue::Number(value) => bytes.extend_from_slice(&(value + 0.0).to_bits().to_le_bytes()),
    }
}

/// Counts and hashes a shard's rows as they come.
#[derive(Debug, Clone)]
pub(crate) struct ShardHasher {
    hasher: Box<blake3::Hasher>,
    rows: u64,
    row: Vec<u8>,
}

impl ShardHasher {
    pub(crate) fn new() -> Self {
        Self { hasher: Box::new(blake3::Hasher::new()), rows: 0, row: Vec::new() }
    }

    /// Takes a row in, its features already in canonical bytes.
    pub(crate) fn push(&mut self, ordinal: u64, features: &[u8], target: TargetValue) {
        self.row.clear();
        self.row.extend_from_slice(&ordinal.to_le_bytes());
        self.row.extend_from_slice(features);
        push_target(target, &mut self.row);
        self.hasher.update(&self.row);
        self.rows += 1;
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// The shard so far.
    pub(crate) fn shard(&self) -> Shard {
        Shard { rows: self.rows, hash: ShardHash::from_bytes(*self.hasher.finalize().as_bytes()) }
    }
}

impl Shard {
    /// What a table is as a shard: to check one that was kept on disk, say.
    #[must_use]
    pub fn of_table(table: &Table) -> Self {
        let mut hasher = ShardHasher::new();
        let mut features = Vec::new();
        for (row, ordinal) in table.ordinals().iter().enumerate() {
            features.clear();
            for column in table.columns() {
                let cell = match column {
                    Column::Number(values) => values.get(row).map(|value| Cell::Number(*value)),
                    Column::Text(text) => {
                        let code = text.codes.get(row).and_then(|code| text.dictionary.get(*code as usize));
                        code.map(|text| Cell::Text(text))
                    }
                };
                // A table's columns are as long as its ordinals.
                if let Some(cell) = cell {
                    push_cell(cell, &mut features);
                }
            }
            let target = match table.target() {
                TargetColumn::Class(classes) => classes.get(row).map(|class| TargetValue::Class(*class)),
                TargetColumn::Number(values) => values.get(row).map(|value| TargetValue::Number(*value)),
            };
            if let Some(target) = target {
                hasher.push(*ordinal, &features, target);
            }
        }
        hasher.shard()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_rows_are_pinned() {
        let mut features = Vec::new();
        push_cells(&[Cell::Number(1.5), Cell::Text("né"), Cell::Number(-0.0), Cell::Text("")], &mut features);
        let expected = [
            0, 0, 0, 0, 0, 0, 0xf8, 0x3f, // 1.5
            3, 0, 0, 0, b'n', 0xc3, 0xa9, // "né"
            0, 0, 0, 0, 0, 0, 0, 0, // -0.0 as 0.0
            0, 0, 0, 0, // ""
        ];
        assert_eq!(features, expected);
        let mut hasher = ShardHasher::new();
        hasher.push(7, &features, TargetValue::Class(2));
        let mut row = vec![7, 0, 0, 0, 0, 0, 0, 0];
        row.extend_from_slice(&expected);
        row.extend_from_slice(&[2, 0, 0, 0]);
        assert_eq!(hasher.shard().hash.as_bytes(), blake3::hash(&row).as_bytes());
        hasher.push(9, &[], TargetValue::Number(-0.0));
        row.extend_from_slice(&[9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(hasher.shard().hash.as_bytes(), blake3::hash(&row).as_bytes());
        assert_eq!(hasher.shard().rows, 2);
    }
}
