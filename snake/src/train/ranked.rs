//! Ranks: a value's position among the distinct ones, which is all that a threshold needs.

/// Values by rank.
#[derive(Debug)]
pub(super) struct Ranked {
    /// Per value, its rank.
    pub(super) ranks: Vec<u32>,
    /// The distinct values, ascending.
    pub(super) distinct: Vec<f64>,
}

impl Ranked {
    #[allow(clippy::cast_possible_truncation)] // a table has at most u32::MAX rows
    pub(super) fn of(values: &[f64]) -> Self {
        let mut distinct = values.to_vec();
        distinct.sort_unstable_by(f64::total_cmp);
        distinct.dedup();
        distinct.shrink_to_fit();
        let ranks =
            values.iter().map(|value| distinct.partition_point(|other| other < value) as u32).collect();
        Self { ranks, distinct }
    }

    /// The value at a place of the list.
    #[inline]
    pub(super) fn value(&self, place: u32) -> f64 {
        self.distinct[self.ranks[place as usize] as usize]
    }

    /// The first rank whose value is not below the threshold.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // a table has at most u32::MAX rows
    pub(super) fn border(&self, threshold: f64) -> u32 {
        self.distinct.partition_point(|&value| value < threshold) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_dense() {
        let ranked = Ranked::of(&[3.5, -1.0, 3.5, f64::MAX, 5e-324]);
        assert_eq!(ranked.ranks, [2, 0, 2, 3, 1]);
        assert_eq!(ranked.distinct, [-1.0, 5e-324, 3.5, f64::MAX]);
        assert_eq!((ranked.value(4), ranked.border(3.5), ranked.border(4.0)), (5e-324, 2, 3));
    }
}
