//! How long, how often and how much.

use std::time::Duration;

/// What a transfer may take before it is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchLimits {
    /// To look a name up, connect and agree on keys: 10 s.
    pub connect: Duration,
    /// Without a byte, while one is waited for: 30 s.
    pub idle: Duration,
    /// What must come within `pace_window` of waiting for the network: 120 KiB, 1 KiB/s.
    pub pace_bytes: u64,
    /// See `pace_bytes`: two minutes.
    pub pace_window: Duration,
    /// Tries in a row that don't bring `progress` or the end: 5.
    pub fruitless_tries: u32,
    /// New bytes from which on a try counts as progress: 1 MiB.
    pub progress: u64,
    /// All tries for one object: 64.
    pub tries: u32,
    /// The wait after the first failure, doubled by each fruitless one: 0.5 s. Up to half of it is taken off by chance.
    pub first_wait: Duration,
    /// The longest wait between tries: 30 s.
    pub longest_wait: Duration,
    /// The longest wait that a server may ask for: 60 s.
    pub longest_retry_after: Duration,
    /// Redirects in a row: 5.
    pub redirects: u32,
    /// Bytes of one object: 1 TiB.
    pub bytes: u64,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            pace_bytes: 120 << 10,
            pace_window: Duration::from_secs(120),
            fruitless_tries: 5,
            progress: 1 << 20,
            tries: 64,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(30),
            longest_retry_after: Duration::from_secs(60),
            redirects: 5,
            bytes: 1 << 40,
        }
    }
}
