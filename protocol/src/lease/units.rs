//! The units of a run, numbered.

use crate::unit::Unit;

/// The largest number of units that a run can have: beyond it tables would no longer fit a volunteer's memory.
pub const MAX_UNITS: usize = 1 << 20;

/// The position of a unit in its run's [`Units`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitIndex(u32);

impl UnitIndex {
    pub(super) const fn at(position: u32) -> Self {
        Self(position)
    }

    /// The unit at this position; beyond what any run has, one that no run has.
    pub(super) fn of(position: usize) -> Self {
        Self(u32::try_from(position).unwrap_or(u32::MAX))
    }

    /// The position as an index.
    #[must_use]
    pub const fn get(self) -> usize {
        self.0 as usize
    }
}

/// A run that asks for more units than any peer would keep a table for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{paths} paths with rows and {layers} layers make more than {MAX_UNITS} units: use fewer layers or paths"
)]
pub struct TooManyUnits {
    paths: usize,
    layers: u32,
}

/// Which units a run has: every layer of every path that has rows. Part and replica are 0.
///
/// Ordered by path, then layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Units {
    rows: Vec<u64>,
    first: Vec<u32>,
    paths: Vec<u32>,
    layers: u32,
}

impl Units {
    /// The units of a run with so many rows per path.
    ///
    /// # Errors
    /// [`TooManyUnits`].
    pub fn new(rows: &[u64], layers: u32) -> Result<Self, TooManyUnits> {
        let with_rows = rows.iter().filter(|rows| **rows > 0).count();
        let too_many = || TooManyUnits { paths: with_rows, layers };
        let total =
            with_rows.checked_mul(layers as usize).filter(|n| *n <= MAX_UNITS).ok_or_else(too_many)?;
        let mut units =
            Self { rows: rows.to_vec(), first: Vec::with_capacity(rows.len()), paths: Vec::new(), layers };
        units.paths.reserve(total / layers.max(1) as usize);
        for (path, rows) in rows.iter().enumerate() {
            let path = u32::try_from(path).map_err(|_| too_many())?;
            units.first.push(units.paths.len() as u32 * layers);
            if *rows > 0 {
                units.paths.push(path);
            }
        }
        Ok(units)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.paths.len() * self.layers as usize
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many layers every path has.
    #[must_use]
    pub fn layers(&self) -> u32 {
        self.layers
    }

    /// The paths that have rows, in order.
    #[must_use]
    pub fn paths(&self) -> &[u32] {
        &self.paths
    }

    /// How many rows a path has; 0 for a path that the run doesn't have.
    #[must_use]
    pub fn rows(&self, path: u32) -> u64 {
        self.rows.get(path as usize).copied().unwrap_or(0)
    }

    /// Where a unit stands, if the run has it.
    #[must_use]
    pub fn index(&self, unit: &Unit) -> Option<UnitIndex> {
        let inside =
            self.rows(unit.path) > 0 && unit.layer < self.layers && unit.part == 0 && unit.replica == 0;
        let first = self.first.get(unit.path as usize).filter(|_| inside)?;
        Some(UnitIndex(first + unit.layer))
    }

    /// The unit at a position of this run.
    #[must_use]
    pub fn unit(&self, index: UnitIndex) -> Unit {
        let layers = self.layers.max(1);
        let path = self.paths.get((index.0 / layers) as usize).copied().unwrap_or(u32::MAX);
        Unit::new(path, index.0 % layers)
    }

    /// All positions, in order.
    pub fn indices(&self) -> impl Iterator<Item = UnitIndex> + use<> {
        (0..self.len() as u32).map(UnitIndex)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_without_rows_has_no_units() {
        let units = Units::new(&[5, 0, 7], 2).unwrap();
        let all: Vec<_> = units.indices().map(|index| units.unit(index)).collect();
        assert_eq!(all, [Unit::new(0, 0), Unit::new(0, 1), Unit::new(2, 0), Unit::new(2, 1)]);
        for index in units.indices() {
            assert_eq!(units.index(&units.unit(index)), Some(index));
        }
    }

    #[test]
    fn what_the_run_does_not_have_has_no_position() {
        let units = Units::new(&[5, 0, 7], 2).unwrap();
        for odd in [
            Unit::new(1, 0),
            Unit::new(3, 0),
            Unit::new(u32::MAX, u32::MAX),
            Unit::new(0, 2),
            Unit { part: 1, ..Unit::new(0, 0) },
            Unit { replica: 1, ..Unit::new(0, 0) },
        ] {
            assert_eq!(units.index(&odd), None, "{odd}");
        }
    }

    #[test]
    fn a_run_of_absurd_size_is_refused() {
        assert!(Units::new(&[1; 2048], u32::MAX).is_err());
        assert!(Units::new(&[1, 1], 0).unwrap().is_empty());
        assert!(Units::new(&[], 3).unwrap().is_empty());
    }
}
