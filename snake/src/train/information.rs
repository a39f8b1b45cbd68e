//! How much each feature says about the target: mutual information over a few bins.

/// Bins of a number, by quantiles.
const QUANTILES: usize = 20;
/// Values of a text that have a bin of their own; one more bin holds the others.
const COMMONEST: usize = 199;
/// How many deviations above its mean the information that chance gives is taken to be.
const DEVIATIONS: f64 = 2.0;

/// Rows in bins: one bin per row, and how many bins there are.
#[derive(Debug)]
pub(super) struct Binned {
    bins: Vec<u8>,
    count: usize,
}

impl Binned {
    /// Quantile bins of ranked numbers: a value's bin says which share of the rows lies below it.
    pub(super) fn quantiles(ranks: &[u32], distinct: usize) -> Self {
        let mut bin_of = counts(ranks, distinct);
        let mut below = 0;
        for slot in &mut bin_of {
            let here = *slot;
            *slot = below * QUANTILES / ranks.len().max(1);
            below += here;
        }
        Self::of(ranks, &bin_of, QUANTILES)
    }

    /// A bin for each of the commonest values (ties: the lower code first), one for the rest.
    pub(super) fn commonest(codes: &[u32], distinct: usize) -> Self {
        let counts = counts(codes, distinct);
        let mut by_count: Vec<usize> = (0..distinct).collect();
        by_count.sort_by_key(|&code| (std::cmp::Reverse(counts[code]), code));
        let mut bin_of = vec![COMMONEST; distinct];
        for (bin, &code) in by_count.iter().take(COMMONEST).enumerate() {
            bin_of[code] = bin;
        }
        Self::of(codes, &bin_of, COMMONEST + 1)
    }

    #[allow(clippy::cast_possible_truncation)] // both counts of bins fit a byte
    fn of(codes: &[u32], bin_of: &[usize], count: usize) -> Self {
        Self { bins: codes.iter().map(|&code| bin_of[code as usize] as u8).collect(), count }
    }

    /// The mutual information of two binnings of the same rows, in nats; never negative.
    pub(super) fn information(&self, other: &Self) -> f64 {
        self.information_and_chance(other).0
    }

    /// The same less what chance alone would give; never negative. Two unrelated binnings seem to share
    /// (a - 1)(b - 1) / 2n of it (Miller and Madow), which spreads about this mean by the square root of twice the number. The
    /// mean and two deviations are taken off, so that what is left is 0 for nearly every feature that has nothing to do
    /// with the target, and little less for the others.
    pub(super) fn information_beyond_chance(&self, other: &Self) -> f64 {
        let (information, chance) = self.information_and_chance(other);
        f64::max(information - chance, 0.0)
    }

    #[allow(clippy::cast_precision_loss)]
    fn information_and_chance(&self, other: &Self) -> (f64, f64) {
        let mut joint = vec![0_u64; self.count * other.count];
        for (&a, &b) in self.bins.iter().zip(&other.bins) {
            joint[a as usize * other.count + b as usize] += 1;
        }
        let rows: Vec<u64> = joint.chunks(other.count).map(|row| row.iter().sum()).collect();
        let columns: Vec<u64> =
            (0..other.count).map(|b| joint.iter().skip(b).step_by(other.count).sum()).collect();
        let total = self.bins.len() as f64;
        let mut sum = 0.0;
        for (a, row) in joint.chunks(other.count).enumerate() {
            for (b, &cell) in row.iter().enumerate() {
                if cell > 0 {
                    let cell = cell as f64;
                    sum += cell / total * libm::log(cell * total / (rows[a] as f64 * columns[b] as f64));
                }
            }
        }
        let occupied = |counts: &[u64]| counts.iter().filter(|&&count| count > 0).count() as f64;
        let freedom = (occupied(&rows) - 1.0) * (occupied(&columns) - 1.0);
        let chance = (freedom + DEVIATIONS * (2.0 * freedom).sqrt()) / (2.0 * total);
        (f64::max(sum, 0.0), chance)
    }
}

fn counts(codes: &[u32], distinct: usize) -> Vec<usize> {
    let mut counts = vec![0; distinct];
    for &code in codes {
        counts[code as usize] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let repeated = |codes: &[u32]| codes.repeat(1000);
        let fair = Binned::commonest(&repeated(&[0, 1, 0, 1]), 2);
        let same = fair.information(&fair);
        assert!((same - std::f64::consts::LN_2).abs() < 1e-12, "{same}");
        // One degree of freedom over 4,000 rows.
        let chance = (1.0 + 2.0 * std::f64::consts::SQRT_2) / 8000.0;
        assert!((same - fair.information_beyond_chance(&fair) - chance).abs() < 1e-12);
        let crossed = Binned::quantiles(&repeated(&[0, 0, 1, 1]), 2);
        assert_eq!(crossed.information(&fair), 0.0);
        assert!(crossed.information(&Binned::commonest(&repeated(&[1, 1, 0, 0]), 2)) > 0.69);
        let constant = Binned::quantiles(&repeated(&[0, 0, 0, 0]), 1);
        assert_eq!(constant.information(&fair), 0.0);
        assert_eq!(Binned::quantiles(&[], 0).information_beyond_chance(&Binned::commonest(&[], 0)), 0.0);
    }

    #[test]
    fn what_has_nothing_to_do_with_the_target_says_nothing() {
        let rows = 2000_u32;
        let target = Binned::quantiles(&(0..rows).collect::<Vec<_>>(), rows as usize);
        let shuffled: Vec<u64> = (1..=u64::from(rows))
            .map(|row| row.wrapping_mul(0x9E37_79B9_7F4A_7C15))
            .map(|x| (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9))
            .map(|x| (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 1)
            .collect();
        let mut order: Vec<u32> = (0..rows).collect();
        order.sort_unstable_by_key(|&row| shuffled[row as usize]);
        let unrelated = Binned::quantiles(&order, rows as usize);
        assert!(unrelated.information(&target) > 0.05);
        assert_eq!(unrelated.information_beyond_chance(&target), 0.0);
        let near: Vec<u32> = (0..rows).map(|row| row ^ 127).collect();
        assert!(Binned::quantiles(&near, 2048).information_beyond_chance(&target) > 1.5);
    }

    #[test]
    fn quantiles_are_even_and_equal_values_stay_together() {
        let ranks: Vec<u32> = (0..1000).collect();
        let binned = Binned::quantiles(&ranks, 1000);
        for bin in 0..20 {
            assert_eq!(binned.bins.iter().filter(|&&b| b == bin).count(), 50);
        }
        let heavy = Binned::quantiles(&[1, 1, 1, 0, 1, 1, 2], 3);
        assert!(heavy.bins[..3].iter().all(|&bin| bin == heavy.bins[4]));
    }

    #[test]
    fn rare_values_share_a_bin() {
        let codes: Vec<u32> = (0..300).chain(250..300).collect();
        let binned = Binned::commonest(&codes, 300);
        assert_eq!(binned.bins[250], 0);
        assert_eq!(binned.bins[148], 198);
        assert_eq!(binned.bins[149], 199);
        assert_eq!(binned.bins[249], 199);
    }
}
