//! What to do after a try failed: a machine without clock, network and chance.

use std::time::Duration;

use super::error::FetchError;
use super::limits::FetchLimits;

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) error: FetchError,
    pub(super) remedy: Remedy,
}

/// What may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Nothing.
    Nothing,
    /// The same again, after what the server asked for.
    Again { retry_after: Option<Duration> },
    /// Not to ask for a part: the server gets it wrong.
    Whole,
}

impl Failure {
    pub(super) fn last(error: FetchError) -> Self {
        Self { error, remedy: Remedy::Nothing }
    }

    pub(super) fn again(error: FetchError) -> Self {
        Self { error, remedy: Remedy::Again { retry_after: None } }
    }

    pub(super) fn whole(error: FetchError) -> Self {
        Self { error, remedy: Remedy::Whole }
    }
}

/// How to go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// Ask for what is missing.
    Resume { after: Duration },
    /// Ask for the whole object, and throw away what is there already.
    Whole { after: Duration },
    /// Nothing helps.
    GiveUp(FetchError),
}

/// Counts the tries for one object.
#[derive(Debug)]
pub(super) struct Retries {
    limits: FetchLimits,
    seed: u64,
    tries: u32,
    fruitless: u32,
    whole: bool,
}

impl Retries {
    pub(super) fn new(limits: &FetchLimits, seed: u64) -> Self {
        Self { limits: limits.clone(), seed, tries: 0, fruitless: 0, whole: false }
    }

    /// Decides after a try that brought `gained` new bytes.
    pub(super) fn failed(&mut self, failure: Failure, gained: u64) -> Next {
        let Failure { error, remedy } = failure;
        if remedy == Remedy::Nothing {
            return Next::GiveUp(error);
        }
        self.tries += 1;
        self.fruitless = if gained >= self.limits.progress { 0 } else { self.fruitless + 1 };
        if self.tries >= self.limits.tries || self.fruitless >= self.limits.fruitless_tries {
            return Next::GiveUp(FetchError::GivenUp { tries: self.tries, last: Box::new(error) });
        }
        let asked_for = match remedy {
            Remedy::Again { retry_after } => retry_after.unwrap_or_default(),
            _ => Duration::ZERO,
        };
        let after = self.wait().max(asked_for.min(self.limits.longest_retry_after));
        self.whole |= remedy == Remedy::Whole;
        if self.whole { Next::Whole { after } } else { Next::Resume { after } }
    }

    /// Doubles with each fruitless try; up to a half is taken off, so that many clients don't come at once.
    fn wait(&self) -> Duration {
        let doublings = self.fruitless.saturating_sub(1).min(20);
        let full = self.limits.first_wait.saturating_mul(1 << doublings).min(self.limits.longest_wait);
        let drawn = chance(self.seed, self.tries);
        full.mul_f64(0.5 + 0.5 * drawn)
    }
}

/// A number from 0 to below 1.
fn chance(seed: u64, turn: u32) -> f64 {
    let mut input = [0; 12];
    input[..8].copy_from_slice(&seed.to_le_bytes());
    input[8..].copy_from_slice(&turn.to_le_bytes());
    let hash = blake3::hash(&input);
    let [a, b, c, d, ..] = *hash.as_bytes();
    f64::from(u32::from_le_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn broken() -> Failure {
        Failure::again(FetchError::Broken { expected: None, got: 0 })
    }

    fn wait_of(next: Next) -> Duration {
        match next {
            Next::Resume { after } | Next::Whole { after } => after,
            Next::GiveUp(error) => panic!("{error}"),
        }
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let limits = FetchLimits { fruitless_tries: 20, ..FetchLimits::default() };
        for seed in 0..50 {
            let mut retries = Retries::new(&limits, seed);
            for seconds in [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0] {
                let waited = wait_of(retries.failed(broken(), 0)).as_secs_f64();
                assert!((seconds / 2.0..=seconds).contains(&waited), "{waited} {seconds}");
            }
        }
    }

    #[test]
    fn waits_differ_by_seed_and_are_the_same_for_the_same() {
        let first = |seed| wait_of(Retries::new(&FetchLimits::default(), seed).failed(broken(), 0));
        assert_eq!(first(1), first(1));
        let mut all: Vec<Duration> = (0..20).map(first).collect();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 20);
    }

    #[test]
    fn five_tries_in_a_row_without_progress_are_enough() {
        let mut retries = Retries::new(&FetchLimits::default(), 0);
        for _ in 0..4 {
            wait_of(retries.failed(broken(), MIB - 1));
        }
        let Next::GiveUp(FetchError::GivenUp { tries: 5, last }) = retries.failed(broken(), 0) else {
            panic!()
        };
        assert_eq!(*last, broken().error);
    }

    #[test]
    fn progress_counts_anew_and_waits_shortly_until_tries_are_used_up() {
        let mut retries = Retries::new(&FetchLimits::default(), 0);
        for turn in 1..64 {
            let waited = wait_of(retries.failed(broken(), if turn % 4 == 0 { MIB } else { 0 }));
            assert!(turn % 4 != 0 || waited <= Duration::from_millis(500));
        }
        assert!(matches!(retries.failed(broken(), MIB), Next::GiveUp(FetchError::GivenUp { tries: 64, .. })));
    }

    #[test]
    fn what_nothing_helps_against_ends_at_once_with_its_own_error() {
        let mut retries = Retries::new(&FetchLimits::default(), 0);
        let next = retries.failed(Failure::last(FetchError::Changed), MIB);
        assert_eq!(next, Next::GiveUp(FetchError::Changed));
    }

    #[test]
    fn a_server_may_ask_for_a_wait_within_bounds() {
        let asks = |seconds| {
            let remedy = Remedy::Again { retry_after: Some(Duration::from_secs(seconds)) };
            let failure = Failure { error: FetchError::status(503), remedy };
            wait_of(Retries::new(&FetchLimits::default(), 0).failed(failure, 0)).as_secs()
        };
        assert_eq!(asks(7), 7);
        assert_eq!(asks(100_000), 60);
        assert_eq!(asks(0), 0, "its own wait stays");
    }

    #[test]
    fn once_whole_always_whole() {
        let mut retries = Retries::new(&FetchLimits::default(), 0);
        assert!(matches!(retries.failed(broken(), 0), Next::Resume { .. }));
        assert!(matches!(retries.failed(Failure::whole(FetchError::answer("x")), 0), Next::Whole { .. }));
        assert!(matches!(retries.failed(broken(), 0), Next::Whole { .. }));
    }
}
