//! Choices by a seed, and how long a suite is.

#![allow(dead_code, unreachable_pub, reason = "every test file uses another part")]

use std::time::{SystemTime, UNIX_EPOCH};

/// The variable that repeats the choices of an earlier test.
const SEED: &str = "OPENDIPACO_SEED";

/// Whether the long recipe is asked for.
pub fn is_long() -> bool {
    std::env::var_os("OPENDIPACO_LONG").is_some_and(|value| value == "1")
}

/// As much as the suite has time for.
pub fn short_or<T>(short: T, long: T) -> T {
    if is_long() { long } else { short }
}

/// A chooser. The same seed makes the same choices; when the processes come to them is up to the machine.
pub struct Chance(u64);

impl Chance {
    /// By the seed in `OPENDIPACO_SEED`, or by a new one, which a failing test shows.
    pub fn new() -> Self {
        let given = std::env::var(SEED).ok().map(|text| text.parse().expect("the seed is a number"));
        let seed: u64 = given.unwrap_or_else(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            u64::from(since.subsec_nanos()) ^ (u64::from(std::process::id()) << 32)
        });
        eprintln!("the same choices again: {SEED}={seed}");
        Self(seed)
    }

    /// A number from 0 to `n`, without `n` (SplitMix64).
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    /// One of these.
    pub fn one_of<'t, T>(&mut self, things: &'t [T]) -> &'t T {
        &things[self.below(things.len())]
    }
}
