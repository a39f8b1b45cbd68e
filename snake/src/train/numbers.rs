//! A column of numbers as training looks at it.

use super::family::{Mix, NumberFamily};
use super::ranked::Ranked;
use crate::literal::{Measure, Test};
use crate::measure;
use crate::profile::Profile;

/// Digits are counted in columns of at most this many distinct numbers: writing a number out takes its time.
const WRITTEN_OUT: usize = 1 << 16;

/// 0 is asked for by itself where at least one row in this many has it: there it often means "none".
const RARE: usize = 20;

/// The axis of a number's digits; that of the numbers themselves is 0.
pub(super) const DIGITS: usize = 1;

/// A column of numbers.
#[derive(Debug)]
pub(super) struct NumberFeature {
    /// Per row.
    pub(super) values: Ranked,
    /// Per distinct number, how many digits it has; `None` where that is not asked for, or the same for all.
    pub(super) digits: Option<Ranked>,
    /// Mean and deviation, for NZ.
    standard: Option<(f64, f64)>,
    pub(super) mix: Mix<NumberFamily>,
}

/// What a threshold on a number is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scale {
    /// N, NL
    Measure(Measure),
    /// NZ
    Standard { mean: f64, deviation: f64 },
}

impl NumberFeature {
    pub(super) fn new(numbers: &[f64], profile: Profile) -> Self {
        let values = Ranked::of(numbers);
        let wanted = |family| Mix::has_numbers(profile, family);
        let digits = (wanted(NumberFamily::Digits) && values.distinct.len() <= WRITTEN_OUT).then(|| {
            let of = |x: &f64| measure::of_number(Measure::Nd, *x).unwrap_or(0.0);
            Ranked::of(&values.distinct.iter().map(of).collect::<Vec<_>>())
        });
        let digits = digits.filter(|digits| digits.distinct.len() > 1);
        let standard = if wanted(NumberFamily::Standard) { standard(numbers) } else { None };
        let zeros = numbers.iter().filter(|x| **x == 0.0).count();
        let mix = Mix::numbers(profile, |family| match family {
            NumberFamily::Value | NumberFamily::Logarithm => true,
            NumberFamily::Standard => standard.is_some(),
            NumberFamily::Digits => digits.is_some(),
            NumberFamily::Zero => zeros > 0 && zeros * RARE >= numbers.len(),
        });
        Self { values, digits, standard, mix }
    }

    /// The scale of NZ; `None` where the column has none.
    pub(super) fn standard_scale(&self) -> Option<Scale> {
        self.standard.map(|(mean, deviation)| Scale::Standard { mean, deviation })
    }

    /// The first rank whose number the scale does not put below the threshold, which a number of rank `near` is not far
    /// from. `None` in the case that rounding puts numbers there out of order.
    #[allow(clippy::cast_possible_truncation)] // a table has at most u32::MAX rows
    pub(super) fn border(&self, scale: Scale, threshold: f64, near: f64) -> Option<u32> {
        let distinct = &self.values.distinct;
        let mut border = distinct.partition_point(|&value| value < near);
        while distinct.get(border).is_some_and(|&x| scale.of(x) < threshold) {
            border += 1;
        }
        while border > 0 && scale.of(distinct[border - 1]) >= threshold {
            border -= 1;
        }
        // A logarithm is off by less than its last place, so only numbers that close to the threshold can be out of order.
        let reach = threshold.abs() * (8.0 * f64::EPSILON);
        let far = |x: f64| (scale.of(x) - threshold).abs() > reach;
        let above = distinct[border..].iter().take_while(|&&x| !far(x));
        let below = distinct[..border].iter().rev().take_while(|&&x| !far(x));
        let in_order = above.into_iter().all(|&x| scale.of(x) >= threshold)
            && below.into_iter().all(|&x| scale.of(x) < threshold);
        in_order.then_some(border as u32)
    }
}

impl Scale {
    /// The measure of a number.
    #[inline]
    pub(super) fn of(self, x: f64) -> f64 {
        match self {
            Self::Measure(measure) => measure::of_number(measure, x).unwrap_or(f64::NAN),
            Self::Standard { mean, deviation } => (x - mean) / deviation,
        }
    }

    /// About the number whose measure this is.
    pub(super) fn inverse(self, m: f64) -> f64 {
        match self {
            Self::Measure(Measure::Nl) => libm::expm1(m.abs()).copysign(m),
            Self::Measure(_) => m,
            Self::Standard { mean, deviation } => m * deviation + mean,
        }
    }

    /// The plain literal "the measure is below the threshold".
    pub(super) fn test(self, threshold: f64) -> Test {
        match self {
            Self::Measure(measure) => Test::Threshold(measure, threshold),
            Self::Standard { mean, deviation } => Test::standardised(mean, deviation, threshold),
        }
    }
}

/// Mean and deviation of the rows, where both are numbers to divide by.
#[allow(clippy::cast_precision_loss)]
fn standard(numbers: &[f64]) -> Option<(f64, f64)> {
    let count = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / count;
    let variance = numbers.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
    let deviation = variance.sqrt();
    (mean.is_finite() && deviation.is_normal()).then_some((mean, deviation))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn borders_are_those_of_the_measure(
            numbers in prop::collection::vec(
                prop_oneof![-20.0..20.0_f64, any::<f64>(), Just(0.0), 0.0..1e-15_f64, 1.0..1.000_000_000_01_f64], 2..40),
            share in 0.0..1.0_f64,
        ) {
            let numbers: Vec<f64> = numbers.into_iter().filter(|x| x.is_finite()).map(|x| x + 0.0).collect();
            prop_assume!(numbers.len() > 1);
            let feature = NumberFeature::new(&numbers, Profile::Scientific);
            let scales = [Some(Scale::Measure(Measure::Nl)), feature.standard_scale()];
            for scale in scales.into_iter().flatten() {
                let of: Vec<f64> = numbers.iter().map(|&x| scale.of(x)).collect();
                let threshold = of[0] * (1.0 - share) + of[1] * share;
                if let Some(border) = feature.border(scale, threshold, scale.inverse(threshold)) {
                    for (place, m) in of.iter().enumerate() {
                        prop_assert_eq!(feature.values.ranks[place] < border, *m < threshold);
                    }
                }
            }
        }
    }

    #[test]
    fn what_a_column_has_none_of_is_not_tried() {
        let same = NumberFeature::new(&[1.0, 2.0, 3.0], Profile::Balanced);
        assert!(same.digits.is_none());
        let digits = NumberFeature::new(&[1.0, 22.0, 3.0], Profile::Balanced).digits.unwrap();
        assert_eq!((digits.distinct, digits.ranks), (vec![2.0, 3.0], vec![0, 0, 1]));
        assert_eq!(NumberFeature::new(&[f64::MAX, f64::MIN], Profile::Scientific).standard, None);
        assert_eq!(NumberFeature::new(&[4.0, 4.0], Profile::Scientific).standard, None);
    }
}
