//! A set of units: a bit each.

use super::units::UnitIndex;

/// Some of a run's units, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UnitSet {
    bits: Vec<u64>,
    len: usize,
}

impl UnitSet {
    /// None of so many units.
    pub(crate) fn none(units: usize) -> Self {
        Self { bits: vec![0; units.div_ceil(64)], len: 0 }
    }

    /// All of them.
    pub(super) fn all(units: usize) -> Self {
        let mut set = Self { bits: vec![u64::MAX; units.div_ceil(64)], len: units };
        let spare = set.bits.len() * 64 - units;
        if let Some(last) = set.bits.last_mut() {
            *last >>= spare;
        }
        set
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether a unit is one of them.
    #[must_use]
    pub fn contains(&self, unit: UnitIndex) -> bool {
        self.bits.get(unit.get() / 64).is_some_and(|word| word & bit(unit) != 0)
    }

    /// The units, in order.
    pub fn iter(&self) -> impl Iterator<Item = UnitIndex> {
        (0_u32..).zip(&self.bits).flat_map(|(at, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let next = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(UnitIndex::at(at * 64 + next))
            })
        })
    }

    pub(crate) fn insert(&mut self, unit: UnitIndex) {
        if let Some(word) = self.bits.get_mut(unit.get() / 64) {
            self.len += usize::from(*word & bit(unit) == 0);
            *word |= bit(unit);
        }
    }

    pub(crate) fn remove(&mut self, unit: UnitIndex) {
        if let Some(word) = self.bits.get_mut(unit.get() / 64) {
            self.len -= usize::from(*word & bit(unit) != 0);
            *word &= !bit(unit);
        }
    }
}

fn bit(unit: UnitIndex) -> u64 {
    1 << (unit.get() % 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_set_in_order() {
        for units in [0, 1, 63, 64, 65, 200] {
            let mut set = UnitSet::all(units);
            assert_eq!((set.len(), set.iter().count()), (units, units));
            set.remove(UnitIndex::at(7));
            set.remove(UnitIndex::at(7));
            set.insert(UnitIndex::at(100_000));
            assert_eq!(set.len(), units - usize::from(units > 7));
            assert!(!set.contains(UnitIndex::at(7)) && set.iter().is_sorted());
        }
        let mut set = UnitSet::none(130);
        for unit in [129, 3, 64, 3] {
            set.insert(UnitIndex::at(unit));
        }
        assert_eq!(set.iter().map(UnitIndex::get).collect::<Vec<_>>(), [3, 64, 129]);
        assert!(set.contains(UnitIndex::at(64)) && !set.is_empty());
    }
}
