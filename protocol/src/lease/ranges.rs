//! How a set of statements is divided for comparing it with another.

use std::ops::Range;

use super::statement::{Says, Statement};
use super::units::{UnitIndex, Units};
use crate::exchange::RecordId;
use crate::limits::EXCHANGE_RANGES;

/// Ranges of heartbeats: by the first 4 bits of the signer's key.
const HEARTBEATS: usize = 16;
/// Ranges before those of units: delegations and completion, then heartbeats.
const BEFORE: usize = 1 + HEARTBEATS;
/// A range has this many units at least: about 16 statements when they are done.
const LEAST: usize = 8;

/// How the statements about a run are spread over ranges: range 0 has the delegations and the word that the run is
/// complete, 1 to 16 the heartbeats by the first four bits of the signer's key, the others so many units each.
///
/// It follows from the number of units alone, so all peers of a run have the same. A unit has a bounded number of
/// statements, so nobody can make one range much longer than the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ranges {
    units: usize,
    per_range: usize,
}

impl Ranges {
    /// The ranges of a run.
    #[must_use]
    pub fn of(units: &Units) -> Self {
        let most = EXCHANGE_RANGES - BEFORE;
        Self { units: units.len(), per_range: units.len().div_ceil(most).max(LEAST) }
    }

    /// How many ranges there are.
    #[must_use]
    pub fn count(&self) -> usize {
        BEFORE + self.units.div_ceil(self.per_range)
    }

    /// The range of a statement about a unit.
    pub(super) fn of_unit(&self, unit: UnitIndex) -> usize {
        BEFORE + unit.get() / self.per_range
    }

    /// The range of a statement about no unit.
    pub(super) fn of_other(&self, statement: &Statement) -> usize {
        match statement.says() {
            Says::Heartbeat(_) => 1 + usize::from(statement.signer().as_bytes()[0] >> 4),
            _ => 0,
        }
    }

    /// What is in a range.
    pub(super) fn content(&self, range: usize) -> Content {
        match range.checked_sub(BEFORE) {
            None if range == 0 => Content::Run,
            None => Content::Heartbeats((range - 1) as u8),
            Some(block) => {
                let first = block.saturating_mul(self.per_range).min(self.units);
                Content::Units(first..first.saturating_add(self.per_range).min(self.units))
            }
        }
    }
}

/// What is in a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// Delegations and completion.
    Run,
    /// Heartbeats of signers whose keys begin with these four bits.
    Heartbeats(u8),
    /// Statements about units at these positions.
    Units(Range<usize>),
}

/// The sum of the digests of a range's statements, as four numbers of 64 bits each: it can be kept as statements come
/// and go, in any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sum([u64; 4]);

impl Sum {
    pub(super) fn add(&mut self, statement: &Statement) {
        self.each(statement, u64::wrapping_add);
    }

    pub(super) fn remove(&mut self, statement: &Statement) {
        self.each(statement, u64::wrapping_sub);
    }

    fn each(&mut self, statement: &Statement, change: impl Fn(u64, u64) -> u64) {
        for (sum, part) in self.0.iter_mut().zip(statement.digest().as_chunks().0) {
            *sum = change(*sum, u64::from_le_bytes(*part));
        }
    }

    /// 4 bytes that show whether two sums are equal: of BLAKE3 of the sum, keyed with the salt. Nothing is zero.
    pub(super) fn print(&self, salt: &[u8; 32]) -> [u8; 4] {
        if self.0 == [0; 4] {
            return [0; 4];
        }
        let mut bytes = [0; 32];
        for (bytes, part) in bytes.chunks_exact_mut(8).zip(self.0) {
            bytes.copy_from_slice(&part.to_le_bytes());
        }
        let hash = blake3::keyed_hash(salt, &bytes);
        hash.as_bytes().first_chunk().copied().unwrap_or_default()
    }
}

/// The name of a statement within its range.
pub(super) fn id(statement: &Statement) -> RecordId {
    statement.digest().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_in_one_range() {
        for units in [0_usize, 1, 8, 9, 5_000, 20_000] {
            let ranges = Ranges::of(&Units::new(&vec![1; units], 1).unwrap());
            assert!(ranges.count() <= EXCHANGE_RANGES, "{units}");
            let mut seen = 0;
            for range in BEFORE..ranges.count() {
                let Content::Units(inside) = ranges.content(range) else { panic!("{range}") };
                assert_eq!(inside.start, seen);
                seen = inside.end;
            }
            assert_eq!(seen, units);
            for unit in Units::new(&vec![1; units], 1).unwrap().indices() {
                let Content::Units(inside) = ranges.content(ranges.of_unit(unit)) else { panic!() };
                assert!(inside.contains(&unit.get()));
            }
        }
    }

    #[test]
    fn ranges_that_no_run_has_are_empty() {
        let ranges = Ranges::of(&Units::new(&[1; 20], 1).unwrap());
        assert_eq!(ranges.content(usize::MAX), Content::Units(20..20));
    }
}
