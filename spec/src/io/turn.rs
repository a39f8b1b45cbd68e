//! One at a time, where whoever waits can be told to stop waiting.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often one who waits looks whether to go on waiting.
const LOOK: Duration = Duration::from_millis(20);

#[derive(Default)]
pub(super) struct Turn {
    taken: Mutex<bool>,
    given_back: Condvar,
}

/// Somebody's turn: over when it is dropped.
pub(super) struct Taken<'a>(&'a Turn);

impl Turn {
    /// The turn, if nobody has it.
    pub(super) fn try_take(&self) -> Option<Taken<'_>> {
        let was_taken = std::mem::replace(&mut *self.lock(), true);
        if was_taken { None } else { Some(Taken(self)) }
    }

    /// The turn, waited for as long as `wait` says so.
    pub(super) fn take(&self, mut wait: impl FnMut() -> bool) -> Option<Taken<'_>> {
        let mut taken = self.lock();
        while *taken {
            if !wait() {
                return None;
            }
            let waited = self.given_back.wait_timeout(taken, LOOK);
            taken = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        *taken = true;
        Some(Taken(self))
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        *self.0.lock() = false;
        self.0.given_back.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_nobody_waits_against_their_will() {
        let turn = Turn::default();
        let taken = turn.take(|| panic!("nobody has it"));
        assert!(taken.is_some() && turn.try_take().is_none());
        let mut looks = 3;
        let waited = turn.take(|| {
            looks -= 1;
            looks > 0
        });
        assert!(waited.is_none() && looks == 0);
        drop(taken);
        assert!(turn.try_take().is_some());
        std::thread::scope(|scope| {
            let taken = turn.try_take();
            let waiting = scope.spawn(|| turn.take(|| true).is_some());
            drop(taken);
            assert!(waiting.join().unwrap());
        });
    }
}
