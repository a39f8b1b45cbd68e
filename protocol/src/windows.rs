//! How many things happened lately: counters over short windows of time, of which only the last ones are kept.

use std::collections::VecDeque;
use std::time::Duration;

use crate::lease::Moment;

/// How long one window is.
pub const WINDOW: Duration = Duration::from_secs(10);

/// How many windows are kept: those of an hour.
pub const WINDOWS: usize = 360;

/// Windows that a rate is taken over, as long as anything happened in them: those of ten minutes.
const RECENT: usize = 60;

/// Counters over windows of the same length.
#[derive(Debug, Clone)]
pub(crate) struct Ring {
    began: Moment,
    width: u64,
    most: usize,
    /// Number of the newest window since the beginning.
    newest: u64,
    /// Newest first.
    counts: VecDeque<u32>,
}

impl Ring {
    /// Nothing counted yet, in at most `most` windows.
    pub(crate) fn new(began: Moment, width: Duration, most: usize) -> Self {
        let width = u64::try_from(width.as_millis()).unwrap_or(u64::MAX).max(1);
        Self { began, width, most: most.max(1), newest: 0, counts: VecDeque::from([0]) }
    }

    /// Counts one. Time that goes back stands still.
    pub(crate) fn count(&mut self, now: Moment) {
        self.change(now, |count| count.saturating_add(1));
    }

    /// Notes a height, of which the window keeps the greatest.
    pub(crate) fn raise(&mut self, now: Moment, height: u32) {
        self.change(now, |greatest| greatest.max(height));
    }

    fn change(&mut self, now: Moment, to: impl FnOnce(u32) -> u32) {
        let ahead = self.ahead(now);
        if ahead >= self.most as u64 {
            self.counts.clear();
        }
        for _ in 0..ahead.min(self.most as u64) {
            self.counts.push_front(0);
        }
        self.counts.truncate(self.most);
        self.newest += ahead;
        if let Some(count) = self.counts.front_mut() {
            *count = to(*count);
        }
    }

    /// The windows that end with the one of `now`, newest first; those from before the beginning are not among them.
    pub(crate) fn counts(&self, now: Moment) -> impl Iterator<Item = u32> {
        let ahead = usize::try_from(self.ahead(now)).unwrap_or(usize::MAX).min(self.most);
        std::iter::repeat_n(0, ahead).chain(self.counts.iter().copied()).take(self.most)
    }

    fn ahead(&self, now: Moment) -> u64 {
        (now.0.saturating_sub(self.began.0) / self.width).saturating_sub(self.newest)
    }
}

/// Units over [`WINDOWS`] windows of [`WINDOW`]: how fast work goes now, and at best.
#[derive(Debug, Clone)]
pub struct Windows {
    began: Moment,
    ring: Ring,
}

impl Windows {
    /// Watches from now on.
    #[must_use]
    pub fn new(now: Moment) -> Self {
        Self { began: now, ring: Ring::new(now, WINDOW, WINDOWS) }
    }

    /// One unit, now.
    pub fn count(&mut self, now: Moment) {
        self.ring.count(now);
    }

    /// What there is to say now.
    #[must_use]
    pub fn recent(&self, now: Moment) -> Recent {
        Recent { watched: now.since(self.began), counts: self.ring.counts(now).collect() }
    }
}

/// The windows of the last hour, seen at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recent {
    /// For how long there was somebody to count.
    pub watched: Duration,
    /// Units in each window, the newest first, which has just begun; at most [`WINDOWS`].
    pub counts: Vec<u32>,
}

impl Recent {
    /// Units a second, over the last ten minutes, or over the hour if there were none in these. `None`: not known yet.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        [RECENT, WINDOWS].into_iter().find_map(|windows| self.over(windows))
    }

    /// Units a second in the best window.
    #[must_use]
    pub fn peak(&self) -> f64 {
        f64::from(self.counts.iter().copied().max().unwrap_or(0)) / WINDOW.as_secs_f64()
    }

    /// Over so many whole windows and the one that has begun. Less than one window says nothing.
    fn over(&self, windows: usize) -> Option<f64> {
        let counts = self.counts.iter().take(windows.saturating_add(1));
        let units: u64 = counts.map(|count| u64::from(*count)).sum();
        if units == 0 || self.watched < WINDOW {
            return None;
        }
        let whole = WINDOW.as_secs().saturating_mul(windows as u64);
        let begun = self.watched.as_secs_f64() % WINDOW.as_secs_f64();
        Some(units as f64 / self.watched.as_secs_f64().min(whole as f64 + begun))
    }
}

/// How long so many units take at this rate, as far as that is known.
#[must_use]
pub fn time_left(units: u64, rate: Option<f64>) -> Option<Duration> {
    if units == 0 {
        return Some(Duration::ZERO);
    }
    // Whole seconds: more would be pretended.
    let seconds = (units as f64 / rate.filter(|rate| *rate > 0.0)?).ceil();
    (seconds < 1e15).then(|| Duration::from_secs(seconds as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment(5_000 + seconds * 1_000)
    }

    #[test]
    fn a_rate_is_that_of_the_last_ten_minutes() {
        let mut windows = Windows::new(at(0));
        windows.count(at(1));
        windows.count(at(2));
        assert_eq!(windows.recent(at(9)).rate(), None, "less than a window says nothing");
        assert_eq!(windows.recent(at(10)).rate(), Some(0.2));
        assert_eq!(windows.recent(at(10)).counts, [0, 2]);
        assert_eq!(windows.recent(at(100)).rate(), Some(0.02));
        // An hour of a unit a second, then one every ten seconds.
        (100..3_700).for_each(|second| windows.count(at(second)));
        assert_eq!(windows.recent(at(3_700)).peak(), 1.0);
        (370..430).for_each(|window| windows.count(at(window * 10)));
        let rate = windows.recent(at(4_300)).rate().unwrap();
        assert!((0.09..0.12).contains(&rate), "{rate}");
        assert_eq!(windows.recent(at(4_300)).counts.len(), WINDOWS);
    }

    #[test]
    fn without_units_of_late_the_hour_counts_and_then_nothing_is_known() {
        let mut windows = Windows::new(at(0));
        (0..100).for_each(|second| windows.count(at(second)));
        assert_eq!(windows.recent(at(1_000)).rate(), Some(0.1));
        assert_eq!(windows.recent(at(9_000)).rate(), None);
        assert_eq!(windows.recent(at(9_000)).peak(), 0.0);
        assert_eq!(windows.recent(Moment(u64::MAX)).counts, [0; WINDOWS]);
    }

    #[test]
    fn time_that_goes_back_stands_still() {
        let mut windows = Windows::new(at(100));
        windows.count(at(150));
        windows.count(at(0));
        windows.count(Moment(0));
        assert_eq!(windows.recent(at(150)).counts, [3, 0, 0, 0, 0, 0]);
        assert_eq!(windows.recent(at(0)).rate(), None);
    }

    #[test]
    fn what_is_left_takes_as_long_as_is_known() {
        assert_eq!(time_left(0, None), Some(Duration::ZERO));
        assert_eq!(time_left(1, None), None);
        assert_eq!(time_left(1, Some(0.0)), None);
        assert_eq!(time_left(10, Some(0.3)), Some(Duration::from_secs(34)));
        assert_eq!(time_left(u64::MAX, Some(1e-9)), None);
    }
}
