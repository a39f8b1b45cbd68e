//! What becomes of a message on its way.

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};

use crate::scenario::Scenario;

/// Chances, latencies and losses of a run, all from its seed.
pub(crate) struct Link {
    rng: ChaCha8Rng,
    latency: [u64; 2],
    tail_per_mille: u64,
    /// Of 2^32.
    loss: u64,
}

impl Link {
    pub(crate) fn new(scenario: &Scenario, seed: u64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            latency: scenario.latency_ms,
            tail_per_mille: scenario.tail_per_mille,
            loss: (scenario.loss * f64::from(u32::MAX)) as u64,
        }
    }

    /// Evenly from 0 up to but not including `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound.max(1)
    }

    /// Whether something happens that does so with this chance.
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.unit() < share
    }

    /// Evenly from 0 to 1.
    pub(crate) fn unit(&mut self) -> f64 {
        f64::from(self.rng.next_u32()) / f64::from(u32::MAX)
    }

    /// Randomness for an exchange.
    pub(crate) fn salt(&mut self) -> [u8; 32] {
        let mut salt = [0; 32];
        self.rng.fill_bytes(&mut salt);
        salt
    }

    /// Whether a message gets lost.
    pub(crate) fn loses(&mut self) -> bool {
        self.loss > 0 && u64::from(self.rng.next_u32()) < self.loss
    }

    /// How long a message takes, in milliseconds.
    pub(crate) fn latency(&mut self) -> u64 {
        let [least, most] = self.latency;
        let latency = least + self.below(most - least + 1);
        if self.tail_per_mille > 0 && self.below(1_000) < self.tail_per_mille {
            return latency * (1 + self.below(50));
        }
        latency
    }
}
