//! Reading ahead: while a unit is trained, the shard that comes next is obtained on a thread of its own.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use snake::Cancel;
use spec::{ShardError, ShardStore};

/// What is in use, and what comes next.
#[derive(Debug)]
struct Wish {
    using: u32,
    soon: Vec<u32>,
}

#[derive(Debug, Default)]
struct Slot {
    /// One wish waits: a newer one takes its place.
    next: Option<Wish>,
    /// Stops what is being obtained.
    now: Option<Cancel>,
    over: bool,
}

type Shared = Arc<(Mutex<Slot>, Condvar)>;

/// A handle on the thread that reads ahead. It ends when the handle is dropped.
pub(crate) struct Ahead(Shared);

impl Ahead {
    /// Starts the thread.
    pub(crate) fn start(store: Arc<ShardStore>) -> Result<Self> {
        let shared = Shared::default();
        let slot = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("ahead".into())
            .spawn(move || read(&store, &slot))
            .context("the thread that reads ahead can't be started")?;
        Ok(Self(shared))
    }

    /// Says what is in use now and what comes next.
    pub(crate) fn wish(&self, using: u32, soon: &[u32]) {
        lock(&self.0.0).next = Some(Wish { using, soon: soon.to_vec() });
        self.0.1.notify_one();
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        let mut slot = lock(&self.0.0);
        slot.over = true;
        if let Some(cancel) = &slot.now {
            cancel.cancel();
        }
        drop(slot);
        self.0.1.notify_one();
    }
}

fn read(store: &ShardStore, (slot, changed): &(Mutex<Slot>, Condvar)) {
    // What failed is not tried again before another shard is in use: every unit of this one would try again.
    let mut failed: Option<u32> = None;
    while let Some((wish, cancel)) = next(slot, changed) {
        if failed.is_some_and(|using| using == wish.using) {
            continue;
        }
        failed = None;
        // Whoever asks for the shard meets the same fault, and says it: also a refusal, which is remembered.
        match store.read_ahead(wish.using, &wish.soon, &cancel) {
            Ok(Some(path)) => tracing::debug!("the shard of path {path} is there before it is asked for"),
            Ok(None) | Err(ShardError::Cancelled) => {}
            Err(error) => {
                tracing::debug!("a shard could not be read ahead: {error}");
                failed = Some(wish.using);
            }
        }
    }
}

/// Waits for a wish; `None`: there will be no more.
fn next(slot: &Mutex<Slot>, changed: &Condvar) -> Option<(Wish, Cancel)> {
    let idle = |slot: &mut Slot| slot.next.is_none() && !slot.over;
    let waited = changed.wait_while(lock(slot), idle);
    let mut slot = waited.unwrap_or_else(PoisonError::into_inner);
    let wish = slot.next.take().filter(|_| !slot.over)?;
    let cancel = Cancel::new();
    slot.now = Some(cancel.clone());
    Some((wish, cancel))
}

fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
