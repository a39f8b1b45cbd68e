//! The one place where the program asks what time it is.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use protocol::lease::Moment;

/// A monotonic clock that starts at zero, and to which sleeps can be added that the system's monotonic clock left out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    start: Instant,
    missed: Duration,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), missed: Duration::ZERO }
    }

    /// Milliseconds since the start, as the decisions take them.
    pub(crate) fn now(&self) -> Moment {
        Moment(millis(self.start.elapsed().saturating_add(self.missed)))
    }

    /// Adds a sleep, or what was left out of it.
    pub(crate) fn add(&mut self, missed: Duration) {
        self.missed = self.missed.saturating_add(missed);
    }

    /// What the clocks show now, to find out whether the machine slept.
    pub(crate) fn faces(&self) -> Faces {
        let monotonic = millis(self.start.elapsed());
        Faces { monotonic, wall: unix_millis(), uptime: uptime_millis(monotonic) }
    }
}

/// Milliseconds since the machine was started, with its sleeps, where the system says it.
fn uptime_millis(monotonic: u64) -> Option<u64> {
    if cfg!(windows) {
        // There the monotonic clock itself goes on while the machine sleeps.
        return Some(monotonic);
    }
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let seconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some((seconds * 1000.0) as u64)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What the clocks of a machine show at one moment, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Faces {
    /// Never goes back. On most systems it stands still while the machine sleeps.
    monotonic: u64,
    /// Goes on in sleep; may be set.
    wall: u64,
    /// Goes on in sleep and can't be set. Not every system has it.
    uptime: Option<u64>,
}

/// Finds out that the machine slept, from the clocks at every tick.
#[derive(Debug)]
pub(crate) struct Waking {
    last: Faces,
}

/// A sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slept {
    pub(crate) length: Duration,
    /// How much of it the monotonic clock left out.
    pub(crate) missed: Duration,
}

impl Waking {
    /// A longer pause than this between two ticks is a sleep, in milliseconds. Ticks are far more frequent.
    const PAUSE: u64 = 5_000;

    pub(crate) fn begin(now: Faces) -> Self {
        Self { last: now }
    }

    /// Whether the machine slept since the last tick. A clock that is set backwards is no sleep; one that is set forward is
    /// taken for one only where the system has no clock of its uptime: looking again does no harm.
    pub(crate) fn tick(&mut self, now: Faces) -> Option<Slept> {
        let last = std::mem::replace(&mut self.last, now);
        let ran = now.monotonic.saturating_sub(last.monotonic);
        let passed = match (last.uptime, now.uptime) {
            (Some(last), Some(now)) => now.saturating_sub(last),
            _ => now.wall.saturating_sub(last.wall),
        };
        let missed = Some(passed.saturating_sub(ran)).filter(|missed| *missed > Self::PAUSE).unwrap_or(0);
        let slept = missed > 0 || ran > Self::PAUSE;
        let (length, missed) = (ran.saturating_add(missed), Duration::from_millis(missed));
        slept.then_some(Slept { length: Duration::from_millis(length), missed })
    }
}

/// Milliseconds since 1970 by the system's clock: where counters begin, so that they grow over restarts too.
pub(crate) fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Unix seconds as a date and time for people. What is beyond the year 9999 is left as a number.
pub(crate) fn date_text(seconds: u64) -> String {
    const LAST: u64 = 253_402_300_799;
    if seconds > LAST {
        return format!("{seconds} seconds after 1970");
    }
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March, so that the leap day is their last; 719,468 days from March of the year 0 to 1970.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, turn) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + turn;
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How a sleep shows between two ticks: what each clock moves by.
    fn slept(monotonic: u64, wall: i64, uptime: Option<u64>) -> Option<(u64, u64)> {
        let before = Faces { monotonic: 1_000, wall: 1_700_000_000_000, uptime: uptime.map(|_| 90_000) };
        let after = Faces {
            monotonic: before.monotonic + monotonic,
            wall: before.wall.saturating_add_signed(wall),
            uptime: uptime.map(|moved| 90_000 + moved),
        };
        let found = Waking::begin(before).tick(after)?;
        Some((millis(found.length), millis(found.missed)))
    }

    #[test]
    fn a_sleep_is_told_from_a_clock_that_was_set() {
        let hour: u64 = 3_600_000;
        let by = |millis: u64| i64::try_from(millis).unwrap();
        for (monotonic, wall, uptime, expected) in [
            // Ticks, prompt and late.
            (150, 150, Some(150), None),
            (150, 150, None, None),
            (4_900, 4_900, Some(4_900), None),
            // The monotonic clock stood still.
            (150, by(hour), Some(hour), Some((hour, hour - 150))),
            (150, by(hour), None, Some((hour, hour - 150))),
            // It went on.
            (hour, by(hour), Some(hour), Some((hour, 0))),
            (hour, by(hour), None, Some((hour, 0))),
            // It went on for a part.
            (6_000, by(hour), Some(hour), Some((hour, hour - 6_000))),
            // The clock was set, backwards, forward, and while the machine slept.
            (150, -by(hour), Some(150), None),
            (150, -by(hour), None, None),
            (150, by(hour), Some(150), None),
            (150, -by(hour), Some(hour), Some((hour, hour - 150))),
            // It is set forward where nothing else tells: that costs a look.
            (150, 5_000, None, None),
            (150, 5_200, None, Some((5_200, 5_050))),
        ] {
            assert_eq!(slept(monotonic, wall, uptime), expected, "{monotonic} {wall} {uptime:?}");
        }
    }

    #[test]
    fn the_clock_counts_what_was_slept() {
        let mut clock = Clock::start();
        let mut waking = Waking::begin(clock.faces());
        assert_eq!(waking.tick(clock.faces()), None);
        clock.add(Duration::from_secs(100));
        assert!(clock.now() >= Moment(100_000));
        assert_eq!(waking.tick(clock.faces()), None, "what was added is not seen again");
    }

    #[test]
    fn seconds_are_dates() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00:00 UTC"),
            (951_782_400, "2000-02-29 00:00:00 UTC"),
            (1_709_251_199, "2024-02-29 23:59:59 UTC"),
            (1_709_251_200, "2024-03-01 00:00:00 UTC"),
            (4_107_542_400, "2100-03-01 00:00:00 UTC"),
            (253_402_300_799, "9999-12-31 23:59:59 UTC"),
            (u64::MAX, "18446744073709551615 seconds after 1970"),
        ] {
            assert_eq!(date_text(seconds), text);
        }
    }
}
