//! Gives back the room that a failed commit took.
//!
//! The database makes its file longer before it fills it, by doubling, and after a failure leaves it long, with what was written
//! in between in it: one report that is too large would keep the disk full, and with it every smaller one out.
//!
//! How long the file is meant to be stands in its head and nowhere else. So the head is written last: what the database writes
//! between two syncs may reach the disk in any order, and a head that waits for its sync is one of these orders. When anything
//! fails before, the file still has its old head, and what it was made longer by is nothing yet, and is cut off.

use std::io;
use std::ops::Bound;
use std::sync::{Mutex, PoisonError};

use redb::{BackendError, StorageBackend};

/// Storage that is cut back to what counts, when it is closed after a failure.
#[derive(Debug)]
pub struct Trimmed<B> {
    inner: B,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// A head that waits for its sync.
    head: Option<Vec<u8>>,
    /// How long the storage was when its head was last written; `None` if it was not, and nothing is cut off.
    counts: Option<u64>,
    failed: bool,
}

impl<B: StorageBackend> Trimmed<B> {
    /// Around this storage.
    #[must_use]
    pub fn new(inner: B) -> Self {
        Self { inner, state: Mutex::default() }
    }

    fn state<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Writes the head that waits.
    fn write_head(&self) -> io::Result<()> {
        let Some(head) = self.state(|state| state.head.take()) else { return Ok(()) };
        let now = self.inner.len()?;
        self.state(|state| state.counts = Some(now));
        self.inner.write(0, &head)
    }

    fn noted<T>(&self, done: io::Result<T>) -> io::Result<T> {
        if done.is_err() {
            self.state(|state| state.failed = true);
        }
        done
    }
}

impl<B: StorageBackend> StorageBackend for Trimmed<B> {
    fn len(&self) -> io::Result<u64> {
        self.noted(self.inner.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if offset == 0 {
            self.noted(self.write_head())?;
        }
        self.noted(self.inner.read(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.noted(self.inner.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.noted(self.write_head())?;
        self.noted(self.inner.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if offset == 0 {
            self.state(|state| state.head = Some(data.to_vec()));
            return Ok(());
        }
        self.noted(self.inner.write(offset, data))
    }

    fn close(&self) -> io::Result<()> {
        let failed = self.state(|state| state.failed);
        let written = if failed { Ok(()) } else { self.write_head() };
        if let Some(counts) = self.state(|state| state.counts.filter(|_| state.failed))
            && self.inner.len().is_ok_and(|len| len > counts)
        {
            // If it can't be, it only takes room.
            let _ = self.inner.set_len(counts);
        }
        written.and(self.inner.close())
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.inner.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.inner.query_lock_range(start, end)
    }
}
