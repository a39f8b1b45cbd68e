//! How likely each feature is to be drawn: by weight, among those in which two rows differ.

use crate::stream::Stream;

/// How often a feature is drawn from all before those that fit are summed up. The distribution is the same.
const DRAWS: usize = 8;

/// The weights of the features, none negative, and their sums, each up to and with its own.
#[derive(Debug, Clone, Default)]
pub(super) struct Odds {
    weights: Vec<f64>,
    sums: Vec<f64>,
}

impl Odds {
    pub(super) fn new(weights: Vec<f64>) -> Self {
        let mut odds = Self { weights, sums: Vec::new() };
        odds.sum_up();
        odds
    }

    /// Takes over the weights of the features for which `has` holds; the others get none.
    pub(super) fn set(&mut self, all: &Self, has: impl Fn(u32) -> bool) {
        let weights = (0_u32..).zip(&all.weights);
        self.weights.clear();
        self.weights.extend(weights.map(|(feature, &weight)| if has(feature) { weight } else { 0.0 }));
        self.sum_up();
    }

    fn sum_up(&mut self) {
        self.sums.clear();
        let sums = self.weights.iter().scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        self.sums.extend(sums);
    }

    pub(super) fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Draws one of the features that have a weight and for which `differs` holds; `None` when there is none.
    pub(super) fn draw(&self, stream: &mut Stream, differs: impl Fn(u32) -> bool) -> Option<u32> {
        let total = self.sums.last().copied().filter(|&total| total > 0.0)?;
        let last = self.sums.len() - 1;
        for _ in 0..DRAWS {
            let at = stream.unit() * total;
            let feature = self.sums.partition_point(|&sum| sum <= at).min(last);
            #[allow(clippy::cast_possible_truncation)] // columns are far fewer
            let drawn = feature as u32;
            if self.weights[feature] > 0.0 && differs(drawn) {
                return Some(drawn);
            }
        }
        self.draw_summed(stream, differs)
    }

    /// The same by summing up the weights of those first.
    fn draw_summed(&self, stream: &mut Stream, differs: impl Fn(u32) -> bool) -> Option<u32> {
        let fitting = || {
            let weights = (0_u32..).zip(&self.weights);
            weights.filter(|&(feature, &weight)| weight > 0.0 && differs(feature))
        };
        let mut at = stream.unit() * fitting().map(|(_, weight)| weight).sum::<f64>();
        let mut drawn = None;
        for (feature, weight) in fitting() {
            drawn = Some(feature);
            if at < *weight {
                break;
            }
            at -= weight;
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::UnitSeed;

    #[test]
    fn features_are_drawn_by_weight_where_rows_differ() {
        let mut stream = UnitSeed { fingerprint: [0; 32], seed: 1, path: 0, layer: 0 }.node(&[]);
        let all = Odds::new(vec![0.3, 0.5, 0.1, 0.2]);
        let mut part = Odds::default();
        part.set(&all, |feature| feature != 1);
        let mut summed = [0; 4];
        let mut drawn = [0; 4];
        for _ in 0..4000 {
            drawn[part.draw(&mut stream, |feature| feature != 2).unwrap() as usize] += 1;
            summed[part.draw_summed(&mut stream, |feature| feature != 2).unwrap() as usize] += 1;
        }
        for times in [drawn, summed] {
            assert!((2300..2500).contains(&times[0]) && times[0] + times[3] == 4000, "{times:?}");
        }
        // A rare one is found by summing up.
        assert_eq!(Odds::new(vec![1.0, 1e-30]).draw(&mut stream, |feature| feature == 1), Some(1));
        assert_eq!(part.draw(&mut stream, |feature| feature == 1), None);
        part.set(&all, |_| false);
        assert_eq!(part.draw(&mut stream, |_| true), None);
        assert_eq!(Odds::default().draw(&mut stream, |_| true), None);
    }
}
