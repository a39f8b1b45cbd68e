//! Whether bytes come fast enough. Only time that is spent waiting for the network counts.

use std::time::Duration;

use super::limits::FetchLimits;

/// Counts bytes against time, window after window.
#[derive(Debug)]
pub(super) struct Pace {
    least: u64,
    window: Duration,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    pub(super) fn new(limits: &FetchLimits) -> Self {
        Self { least: limits.pace_bytes, window: limits.pace_window, waited: Duration::ZERO, bytes: 0 }
    }

    /// Counts a wait and what it brought; whether that is still fast enough.
    pub(super) fn keeps_up(&mut self, waited: Duration, bytes: u64) -> bool {
        self.waited = self.waited.saturating_add(waited);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.waited < self.window {
            return true;
        }
        let enough = self.bytes >= self.least;
        (self.waited, self.bytes) = (Duration::ZERO, 0);
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows_until_slow(bytes_per_second: u64) -> Option<u32> {
        let mut pace = Pace::new(&FetchLimits::default());
        (0..600).find(|_| !pace.keeps_up(Duration::from_secs(1), bytes_per_second))
    }

    #[test]
    fn a_dripping_server_is_found_within_two_minutes() {
        assert_eq!(windows_until_slow(1), Some(119));
        assert_eq!(windows_until_slow(1023), Some(119));
        assert_eq!(windows_until_slow(1024), None);
    }

    #[test]
    fn one_that_turns_slow_is_found_in_the_next_window() {
        let mut pace = Pace::new(&FetchLimits::default());
        assert!(pace.keeps_up(Duration::from_secs(60), 1 << 30));
        assert!(pace.keeps_up(Duration::from_secs(60), 0));
        assert!(pace.keeps_up(Duration::from_secs(119), 0));
        assert!(!pace.keeps_up(Duration::from_secs(1), 1));
    }

    #[test]
    fn bytes_that_need_no_waiting_are_never_slow() {
        let mut pace = Pace::new(&FetchLimits::default());
        assert!((0..1000).all(|_| pace.keeps_up(Duration::ZERO, 1)));
    }
}
