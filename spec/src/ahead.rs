//! Which shards to make beside the one that is wanted, in the same pass over the source.

use snake::{FeatureKind, Schema, Table};

use crate::cache::MemoryLimits;
use crate::data_spec::DataSpec;

/// A text cell of a table not seen yet: its code, and a text of 16 bytes that no other row has.
const TEXT: u64 = 4 + 32;
/// A number cell.
const NUMBER: u64 = 8;
/// A row's ordinal and target.
const ROW: u64 = 16;
/// What finding duplicates takes per row while the source is read.
pub(crate) const DUPLICATES: u64 = 50;

/// How many bytes a row of a run's tables takes in memory: a guess by the kinds of its columns, until a table is there;
/// then the mean over all tables that were.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowBytes {
    guess: u64,
    rows: u64,
    bytes: u64,
}

impl RowBytes {
    pub(crate) fn of_schema(schema: &Schema) -> Self {
        let cells: u64 = schema
            .features
            .iter()
            .map(|feature| match feature.kind {
                FeatureKind::Number => NUMBER,
                FeatureKind::Text => TEXT,
            })
            .sum();
        Self { guess: ROW + cells, rows: 0, bytes: 0 }
    }

    /// Takes a table into account.
    pub(crate) fn learn(&mut self, table: &Table) {
        self.rows = self.rows.saturating_add(table.rows() as u64);
        self.bytes = self.bytes.saturating_add(table.memory() as u64);
    }

    fn row(&self) -> u64 {
        if self.rows == 0 { self.guess } else { self.bytes.div_ceil(self.rows) }
    }

    /// What a table of so many rows takes.
    #[cfg(feature = "io")]
    pub(crate) fn table(&self, rows: u64) -> u64 {
        rows.saturating_mul(self.row())
    }

    /// What making a table of so many rows takes in any case: every text was there before.
    #[cfg(feature = "io")]
    pub(crate) fn least(schema: &Schema, rows: u64) -> u64 {
        let cells = schema.features.iter().map(|feature| match feature.kind {
            FeatureKind::Number => NUMBER,
            FeatureKind::Text => 4,
        });
        rows.saturating_mul(ROW + DUPLICATES + cells.sum::<u64>())
    }

    /// What making a table of so many rows takes.
    fn making(&self, rows: u64) -> u64 {
        rows.saturating_mul(self.row().saturating_add(DUPLICATES))
    }
}

/// What is in memory and stays there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) shards: usize,
    pub(crate) bytes: usize,
}

/// The paths to make together with `path`, out of `soon` and in its order: as many as the limits allow beside `path` and
/// what is held. Those without rows, those that the run has not and repeated ones are passed over, and so is one that is
/// too large where a smaller one fits.
pub(crate) fn ahead(
    spec: &DataSpec,
    limits: MemoryLimits,
    row: RowBytes,
    held: Held,
    path: u32,
    soon: impl IntoIterator<Item = u32>,
) -> Vec<u32> {
    let rows = |path: u32| spec.shards.get(path as usize).map_or(0, |shard| shard.rows);
    let places = limits.shards.max(1).saturating_sub(1).saturating_sub(held.shards);
    let mut room = limits.bytes.saturating_sub(held.bytes) as u64;
    room = room.saturating_sub(row.making(rows(path)));
    let mut chosen: Vec<u32> = Vec::new();
    for other in soon {
        if chosen.len() >= places {
            break;
        }
        let bytes = row.making(rows(other));
        if rows(other) == 0 || other == path || bytes > room || chosen.contains(&other) {
            continue;
        }
        room -= bytes;
        chosen.push(other);
    }
    chosen
}

#[cfg(test)]
mod tests {
    use snake::{Cell, Profile, TableBuilder, TargetKind, TargetValue, Training};

    use super::*;
    use crate::data_spec::{Shard, ShardHash};
    use crate::routing::Routing;

    fn spec(rows: &[u64]) -> DataSpec {
        let feature = |name: &str, kind| snake::Feature { name: name.into(), kind };
        DataSpec {
            schema: Schema {
                target: "y".into(),
                target_kind: TargetKind::Number,
                classes: vec![],
                features: vec![feature("n", FeatureKind::Number), feature("t", FeatureKind::Text)],
            },
            holdout: 0.0,
            routing: Routing::RoundRobin { paths: u32::try_from(rows.len()).unwrap() },
            training: Training {
                layers: 1,
                bucket: 1,
                slice: 1,
                noise: 0.0,
                profile: Profile::Balanced,
                lookahead: 1,
                seed: 0,
            },
            shards: rows
                .iter()
                .map(|rows| Shard { rows: *rows, hash: ShardHash::from_bytes([0; 32]) })
                .collect(),
        }
    }

    fn chosen(rows: &[u64], limits: (usize, u64), held: Held, soon: &[u32]) -> Vec<u32> {
        let spec = spec(rows);
        let limits = MemoryLimits { shards: limits.0, bytes: usize::try_from(limits.1).unwrap() };
        ahead(&spec, limits, RowBytes::of_schema(&spec.schema), held, 0, soon.iter().copied())
    }

    /// What a row of the spec above is guessed to take.
    const GUESS: u64 = 16 + 8 + 36 + 50;

    #[test]
    fn as_many_as_there_are_places() {
        let rows = [10; 6];
        let none = Held::default();
        assert_eq!(chosen(&rows, (4, 1 << 30), none, &[3, 0, 3, 9, 1, 5, 2]), [3, 1, 5]);
        assert_eq!(chosen(&rows, (4, 1 << 30), Held { shards: 2, bytes: 0 }, &[3, 1]), [3]);
        for places in [0, 1] {
            assert!(chosen(&rows, (places, 1 << 30), none, &[1, 2]).is_empty());
        }
        assert!(chosen(&rows, (4, 1 << 30), Held { shards: 4, bytes: 0 }, &[1]).is_empty());
    }

    #[test]
    fn as_many_as_there_is_room_for() {
        let rows = [10, 10, 30, 0, 10];
        let none = Held::default();
        assert_eq!(chosen(&rows, (9, 30 * GUESS), none, &[1, 2, 3, 4]), [1, 4]);
        assert_eq!(chosen(&rows, (9, 30 * GUESS - 1), none, &[1, 2, 3, 4]), [1]);
        assert_eq!(chosen(&rows, (9, 9 * GUESS), none, &[1, 4]), [0u32; 0]);
        let held = Held { shards: 1, bytes: usize::try_from(GUESS).unwrap() };
        assert_eq!(chosen(&rows, (9, 30 * GUESS), held, &[1, 4]), [1]);
    }

    #[test]
    fn a_table_that_was_there_says_what_rows_take() {
        let spec = spec(&[10; 3]);
        let mut row = RowBytes::of_schema(&spec.schema);
        let mut builder = TableBuilder::new(spec.schema.clone().into());
        for ordinal in 0..4 {
            let cells = [Cell::Number(1.0), Cell::Text("a long text, which all rows have in common")];
            builder.push(ordinal, &cells, TargetValue::Number(0.0)).unwrap();
        }
        let table = builder.finish();
        row.learn(&table);
        assert_eq!(row.making(10), 10 * ((table.memory() as u64).div_ceil(4) + 50));
        assert_eq!(row.making(u64::MAX), u64::MAX);
    }
}
