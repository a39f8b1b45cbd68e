//! Random numbers: one seeded stream per node of a unit's divide tree.

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};

const DOMAIN: &str = "opendipaco 2026 snake random stream v1";
const BUCKET_DOMAIN: &str = "opendipaco 2026 snake random stream of a bucket v1";

/// Names a unit's random streams: who trains it, where and when has no part in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnitSeed {
    /// The spec's fingerprint.
    pub fingerprint: [u8; 32],
    /// The training seed.
    pub seed: u64,
    /// The path.
    pub path: u32,
    /// The layer.
    pub layer: u32,
}

impl UnitSeed {
    /// The stream of a node of the divide tree, named by the sides taken from the root (true side: `true`).
    #[must_use]
    pub fn node(&self, sides: &[bool]) -> Stream {
        Stream::from_hash(&self.hash(DOMAIN, sides))
    }

    /// The stream of a bucket of a leaf: the leaf's node and the bucket's position in its chain.
    #[must_use]
    pub fn bucket(&self, sides: &[bool], index: u32) -> Stream {
        let mut hasher = self.hash(BUCKET_DOMAIN, sides);
        hasher.update(&index.to_le_bytes());
        Stream::from_hash(&hasher)
    }

    fn hash(&self, domain: &str, sides: &[bool]) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_derive_key(domain);
        hasher.update(&self.fingerprint);
        hasher.update(&self.seed.to_le_bytes());
        hasher.update(&self.path.to_le_bytes());
        hasher.update(&self.layer.to_le_bytes());
        hasher.update(&(sides.len() as u64).to_le_bytes());
        for side in sides {
            hasher.update(&[u8::from(*side)]);
        }
        hasher
    }
}

/// A stream of random numbers. Ranges and shuffles are our own, so that they never change value.
#[derive(Debug)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    fn from_hash(hasher: &blake3::Hasher) -> Self {
        Self(ChaCha8Rng::from_seed(*hasher.finalize().as_bytes()))
    }

    /// The next 64 random bits.
    #[inline]
    #[allow(clippy::should_implement_trait)] // it never ends, and it is no sequence to adapt
    pub fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound` (0 for a bound of 0), by widening multiplication: the bias is below 2^-32 for
    /// bounds below 2^32.
    #[inline]
    #[allow(clippy::cast_possible_truncation)]
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }

    /// A float in [0, 1) with 53 random bits.
    #[inline]
    #[allow(clippy::cast_precision_loss)]
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_pinned() {
        let seed = UnitSeed { fingerprint: [7; 32], seed: 1, path: 2, layer: 3 };
        let first = seed.node(&[]).next();
        assert_ne!(first, seed.node(&[true]).next());
        assert_ne!(first, UnitSeed { layer: 4, ..seed }.node(&[]).next());
        assert_eq!(first, 3_457_906_840_568_896_025);
        let bucket = seed.bucket(&[], 0).next();
        assert_ne!(bucket, seed.bucket(&[], 1).next());
        assert_ne!(bucket, first);
    }
}
