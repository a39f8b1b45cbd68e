//! The candle: what the votes say of a number to be estimated.

/// Summary of the target values that votes stand for. Finite when these are: where a sum would pass the largest number, it is
/// formed of the values scaled by a power of two (the model format leaves open what is then to be said).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candle {
    /// How many votes; at least 1.
    pub n: usize,
    /// The lowest value.
    pub low: f64,
    /// The first quartile.
    pub q1: f64,
    /// The median.
    pub median: f64,
    /// The third quartile.
    pub q3: f64,
    /// The highest value.
    pub high: f64,
    /// The mean, summed in vote order.
    pub mean: f64,
    /// The deviation of the population, summed in vote order.
    pub std: f64,
    /// The estimate: the mean, in ascending order, of the values within `q1..=q3`; of all when none lies within.
    pub iqr_mean: f64,
}

/// 2^-600: so scaled, no square of a finite number and no sum of 2^32 of them passes the largest one.
const SMALL: f64 = f64::from_bits((1023 - 600) << 52);

impl Candle {
    /// The candle of these values, which come in vote order; `None` without any.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut ascending = values.to_vec();
        ascending.sort_unstable_by(f64::total_cmp);
        Self::of_sorted(values, &ascending)
    }

    /// The same where the values are at hand in ascending order too.
    pub(crate) fn of_sorted(values: &[f64], ascending: &[f64]) -> Option<Self> {
        let (low, high) = (*ascending.first()?, *ascending.last()?);
        let mean = average(values.iter().copied())?;
        let std = deviation(values, mean)?;
        let [q1, median, q3] = [0.25, 0.5, 0.75].map(|share| quantile(ascending, share));
        let within = ascending.iter().copied().filter(|x| q1 <= *x && *x <= q3);
        let iqr_mean = average(within).or_else(|| average(ascending.iter().copied()))?;
        Some(Self { n: values.len(), low, q1, median, q3, high, mean, std, iqr_mean })
    }
}

/// The sum from left to right, over the count; `None` without values.
fn average(values: impl Iterator<Item = f64> + Clone) -> Option<f64> {
    let mean = plain_average(values.clone())?;
    if mean.is_finite() {
        return Some(mean);
    }
    let small = plain_average(values.map(|x| x * SMALL))?;
    Some((small / SMALL).clamp(-f64::MAX, f64::MAX))
}

#[allow(clippy::cast_precision_loss)]
fn plain_average(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_usize), |(sum, count), x| (sum + x, count + 1));
    (count > 0).then(|| sum / count as f64)
}

/// The deviation of the population.
fn deviation(values: &[f64], mean: f64) -> Option<f64> {
    let variance = plain_average(values.iter().map(|x| (x - mean) * (x - mean)))?;
    if variance.is_finite() {
        return Some(libm::sqrt(variance));
    }
    let small = plain_average(values.iter().map(|x| {
        let difference = x * SMALL - mean * SMALL;
        difference * difference
    }))?;
    Some((libm::sqrt(small) / SMALL).min(f64::MAX))
}

/// Between the neighbours of place `(n - 1) * share`.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn quantile(ascending: &[f64], share: f64) -> f64 {
    let place = ascending.len().saturating_sub(1) as f64 * share;
    let below = libm::floor(place);
    let part = place - below;
    let at = |index: usize| ascending.get(index).or(ascending.last()).copied().unwrap_or(f64::NAN);
    let index = below as usize;
    at(index) * (1.0 - part) + at(index + 1) * part
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_votes_no_candle() {
        assert_eq!(Candle::of(&[]), None);
    }

    #[test]
    fn one_vote_is_all_of_it() {
        let candle = Candle::of(&[2.5]).unwrap();
        assert_eq!((candle.n, candle.low, candle.q1, candle.median), (1, 2.5, 2.5, 2.5));
        assert_eq!(
            (candle.q3, candle.high, candle.mean, candle.std, candle.iqr_mean),
            (2.5, 2.5, 2.5, 0.0, 2.5)
        );
    }

    /// Neither of two different votes lies within the quartiles: the estimate is the mean of both.
    #[test]
    fn two_votes() {
        let candle = Candle::of(&[5.0, 1.0]).unwrap();
        assert_eq!((candle.low, candle.high), (1.0, 5.0));
        assert_eq!((candle.q1, candle.median, candle.q3), (2.0, 3.0, 4.0));
        assert_eq!((candle.mean, candle.std, candle.iqr_mean), (3.0, 2.0, 3.0));
        let same = Candle::of(&[7.0, 7.0]).unwrap();
        assert_eq!((same.q1, same.iqr_mean, same.std), (7.0, 7.0, 0.0));
    }

    #[test]
    fn four_votes() {
        // Places 0.75, 1.5 and 2.25 of 1, 2, 4, 100.
        let candle = Candle::of(&[100.0, 2.0, 1.0, 4.0]).unwrap();
        assert_eq!((candle.q1, candle.median, candle.q3), (1.75, 3.0, 28.0));
        assert_eq!(candle.iqr_mean, 3.0);
        assert_eq!(candle.mean, 26.75);
    }

    #[test]
    fn huge_values_have_a_candle() {
        let candle = Candle::of(&[f64::MAX, f64::MAX, -f64::MAX, f64::MAX]).unwrap();
        assert_eq!((candle.low, candle.median, candle.high), (-f64::MAX, f64::MAX, f64::MAX));
        assert_eq!((candle.mean, candle.iqr_mean), (f64::MAX / 2.0, f64::MAX));
        // Three times a half and once one and a half of the largest number away from the mean.
        assert!((candle.std / f64::MAX - libm::sqrt(0.75)).abs() < 1e-15);
        let candle = Candle::of(&[1e200, 3e200]).unwrap();
        assert!((candle.std / 1e200 - 1.0).abs() < 1e-15);
        assert_eq!(SMALL, libm::exp2(-600.0));
        assert!(quantile(&[-f64::MAX, f64::MAX], 0.75).is_finite());
    }

    #[test]
    fn sums_go_in_vote_order() {
        let one = Candle::of(&[1e16, 1.0, -1e16]).unwrap();
        let other = Candle::of(&[1e16, -1e16, 1.0]).unwrap();
        assert_eq!((one.mean, other.mean), (0.0, 1.0 / 3.0));
        assert_eq!(one.iqr_mean, other.iqr_mean);
    }
}
