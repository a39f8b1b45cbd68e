//! The counter in a peer's own word for its addresses: it grows, also when the clock was set back between two starts.

/// The highest counter under which this peer is known to have spoken.
#[derive(Debug, Default)]
pub(super) struct OwnCounter(u64);

impl OwnCounter {
    /// The counter for the next word: the clock's milliseconds, or one more than was ever heard.
    pub(super) fn next(&mut self, clock: u64) -> u64 {
        self.0 = clock.max(self.0.saturating_add(1));
        self.0
    }

    /// Takes the counter of an own word that others kept. Whether it outranks all that was said since, so that others
    /// take no notice of this peer's newer words.
    pub(super) fn heard(&mut self, counter: u64) -> bool {
        let outranked = counter > self.0;
        self.0 = self.0.max(counter);
        outranked
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_back_is_overtaken() {
        let mut counter = OwnCounter::default();
        assert_eq!(counter.next(1_000), 1_000);
        assert!(!counter.heard(1_000), "its own echo");
        assert!(counter.heard(90_000), "said before the clock was set back");
        assert!(!counter.heard(90_000));
        assert_eq!(counter.next(1_001), 90_001);
        assert_eq!(counter.next(95_000), 95_000);
    }
}
