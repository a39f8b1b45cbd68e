//! The part of the features that a clause is drawn from, anew for every clause.
//!
//! Clauses that may look at every feature all lean on the same few, and are wrong together; drawn from parts they differ
//! more (random subspaces, as Ho 1998 has them for forests). `docs/learning.md` has the figures. What is left out is looked at
//! only where the others can't tell two rows apart, so that a clause always comes about.

use crate::stream::Stream;

/// A part of the features, a bit each.
#[derive(Debug, Default)]
pub(super) struct Subspace(Vec<u64>);

impl Subspace {
    /// Draws one anew: each of so many features is in it with a chance of five in eight, whatever the others are.
    pub(super) fn draw(&mut self, features: usize, stream: &mut Stream) {
        self.0.clear();
        self.0.extend((0..features.div_ceil(64)).map(|_| {
            // A bit is set with a chance of 1/2 + 1/2 x 1/4.
            let [a, b, c] = [stream.next(), stream.next(), stream.next()];
            a | b & c
        }));
    }

    /// Whether a feature is in it.
    #[inline]
    pub(super) fn has(&self, feature: u32) -> bool {
        self.0.get(feature as usize / 64).is_some_and(|word| word >> (feature % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::UnitSeed;

    #[test]
    fn five_in_eight_features_are_in_it() {
        let mut stream = UnitSeed { fingerprint: [0; 32], seed: 1, path: 0, layer: 0 }.node(&[]);
        let mut subspace = Subspace::default();
        let mut times = [0; 70];
        for _ in 0..4000 {
            subspace.draw(70, &mut stream);
            (0..).zip(&mut times).for_each(|(feature, times)| *times += i32::from(subspace.has(feature)));
        }
        assert!(times.iter().all(|times| (2350..2650).contains(times)), "{times:?}");
        subspace.draw(0, &mut stream);
        assert!(!subspace.has(0));
    }
}
