//! Times and rates as a person reads them.

use std::time::Duration;

/// A time in its two largest units: `2 h 5 min`, `40 s`.
pub(crate) fn time(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let two = |large: u64, name: &str, small: u64, of: &str| match small {
        0 => format!("{large} {name}"),
        small => format!("{large} {name} {small} {of}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) if minutes < 10 => two(minutes, "min", seconds % 60, "s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => two(hours, "h", minutes, "min"),
        (1, hours, _) => two(1, "day", hours, "h"),
        (days, hours, _) => two(days, "days", hours, "h"),
    }
}

/// The time for which a rate is a handy number: its name, and how many seconds it has.
pub(crate) fn handy(per_second: f64) -> (&'static str, f64) {
    match per_second {
        often if often >= 1.0 => ("second", 1.0),
        slower if slower * 60.0 >= 1.0 => ("minute", 60.0),
        _ => ("hour", 3_600.0),
    }
}

/// A number with about two digits that matter, more only before the point.
pub(crate) fn digits(number: f64) -> String {
    let text = match number.abs() {
        large if large >= 9.95 => format!("{number:.0}"),
        middle if middle >= 0.995 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    };
    match text.trim_end_matches('0').strip_suffix('.') {
        Some(whole) => whole.to_owned(),
        None if text.contains('.') => text.trim_end_matches('0').to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_short() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (125, "2 min 5 s"),
            (600, "10 min"),
            (3_599, "59 min"),
            (3_600, "1 h"),
            (7_500, "2 h 5 min"),
            (86_400, "1 day"),
            (90_000, "1 day 1 h"),
            (1_000_000, "11 days 13 h"),
        ] {
            assert_eq!(time(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn rates_are_handy() {
        assert_eq!(handy(2.5).0, "second");
        assert_eq!(handy(0.5), ("minute", 60.0));
        assert_eq!(handy(0.001).0, "hour");
        assert_eq!(digits(0.0), "0");
        assert_eq!(digits(100.0), "100");
        assert_eq!(digits(0.104), "0.1");
    }
}
