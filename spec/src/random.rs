//! Random numbers of the fit: one seeded stream per purpose.

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};

/// A stream of random numbers whose values never change: ChaCha8 under a key derived from purpose and seed, and
/// ranges of our own.
#[derive(Debug)]
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    /// `purpose` is a fixed text that nothing else uses.
    pub(crate) fn new(purpose: &str, seed: u64) -> Self {
        Self(ChaCha8Rng::from_seed(blake3::derive_key(purpose, &seed.to_le_bytes())))
    }

    /// A number below `bound` (0 for a bound of 0), by widening multiplication.
    #[allow(clippy::cast_possible_truncation)]
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A number below `bound` (0 for a bound of 0) for wide bounds: the remainder of 128 random bits.
    pub(crate) fn below_wide(&mut self, bound: u128) -> u128 {
        let high = u128::from(self.0.next_u64());
        let low = u128::from(self.0.next_u64());
        ((high << 64) | low).checked_rem(bound).unwrap_or(0)
    }

    /// A number from 0 up to but not including 1, a multiple of 2^-53.
    #[cfg(feature = "io")]
    #[allow(clippy::cast_precision_loss)] // 53 bits are exact
    pub(crate) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / 9_007_199_254_740_992.0
    }
}
