//! Time as the machines see it: handed in, never read from a clock.

use std::time::Duration;

/// A point on the caller's monotonic clock, in milliseconds from a start of the caller's choosing.
///
/// Moments of different peers have nothing to do with each other, and none ever travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(pub u64);

impl Moment {
    /// This much later; the end of time stays the end of time.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long ago `earlier` was; zero when it was not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// A moment in six bytes, for tables that hold very many: good for 8,900 years from the start, and the end of these for what is
/// later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp([u8; 6]);

impl From<Moment> for Stamp {
    fn from(moment: Moment) -> Self {
        let [a, b, c, d, e, f, ..] = moment.0.min((1 << 48) - 1).to_le_bytes();
        Self([a, b, c, d, e, f])
    }
}

impl From<Stamp> for Moment {
    fn from(stamp: Stamp) -> Self {
        let [a, b, c, d, e, f] = stamp.0;
        Self(u64::from_le_bytes([a, b, c, d, e, f, 0, 0]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_its_moment() {
        for millis in [0, 1, 255, 256, 1 << 40, (1 << 48) - 1] {
            assert_eq!(Moment::from(Stamp::from(Moment(millis))), Moment(millis));
        }
        assert_eq!(Moment::from(Stamp::from(Moment(u64::MAX))), Moment((1 << 48) - 1));
    }
}
