//! Reading ahead: the shard that comes next, obtained while another one is in use.

use snake::Cancel;

use super::{Room, ShardError, ShardStore, StoreSettings, lock};

/// A pass over the source that nobody waits for.
pub(super) struct PassAhead {
    paths: Vec<u32>,
    cancel: Cancel,
}

impl ShardStore {
    /// Obtains a shard before it is asked for: while that of `using` is in use, the first of `soon` that is not in memory.
    /// Gives its path; `None` when there is nothing to do, or no room.
    ///
    /// It goes into memory if it fits there beside the shard in use and those of `soon` that are there: the limits hold, and
    /// none of these goes for it. From disk any of `soon` is read. The source is read only when the first of `soon` is not in
    /// memory, and then the same pass makes others of `soon`, as many as fit. A pass that makes another shard than the one
    /// that is then asked for is broken off. With a limit of one shard nothing is read ahead.
    ///
    /// # Errors
    /// [`ShardError`], as [`shard`](Self::shard): what is found to be wrong refuses the run.
    pub fn read_ahead(&self, using: u32, soon: &[u32], cancel: &Cancel) -> Result<Option<u32>, ShardError> {
        // Whoever makes what is needed now is not to be disturbed.
        let Some(_turn) = self.turn.try_take() else { return Ok(None) };
        self.pass_gate(cancel)?;
        let StoreSettings { spec, memory, .. } = &self.settings;
        let wanted = |path: &u32| *path < spec.paths() && *path != using;
        let soon: Vec<u32> = soon.iter().copied().filter(wanted).collect();
        let planned = self.with_builder(|builder| {
            let mut held = lock(memory);
            if held.is_reserved() {
                return None;
            }
            // Another one is in use by now, which must not go: a newer wish knows it.
            if held.most_recent() != Some(self.key(using)) {
                return None;
            }
            let plan = builder.plan(spec, (using, self.key(using)), &soon, &self.keys(&soon), &held)?;
            held.promote(&plan.keep);
            let room = Room::reserve(memory, &mut held, plan.paths.len(), plan.bytes);
            drop(held);
            let read =
                if plan.on_disk { builder.read(spec, *plan.paths.first()?, &self.schema) } else { None };
            Some((plan, room, read))
        });
        let Some((mut plan, room, read)) = planned else { return Ok(None) };
        let _announced = self.announce(PassAhead { paths: plan.paths.clone(), cancel: cancel.clone() });
        let tables = match read {
            Some(table) => vec![table.into()],
            None => self.pass(&mut plan.paths, plan.most as u64, cancel)?,
        };
        drop(room);
        let mut memory = lock(memory);
        // The last to go in is the most recently used.
        for (key, table) in self.keys(&plan.paths).into_iter().zip(tables).rev() {
            memory.insert_beside(key, table, &plan.keep);
        }
        let first = plan.paths.first().copied();
        Ok(first.filter(|path| memory.peek(self.key(*path)).is_some()))
    }

    fn announce(&self, pass: PassAhead) -> Announced<'_> {
        *lock(&self.ahead) = Some(pass);
        Announced(self)
    }

    /// Whether a pass ahead makes `path`.
    pub(super) fn is_made_ahead(&self, path: u32) -> bool {
        lock(&self.ahead).as_ref().is_some_and(|pass| pass.paths.contains(&path))
    }

    /// Breaks a pass ahead off that does not make `path`.
    pub(super) fn make_way(&self, path: u32) {
        if let Some(pass) = &*lock(&self.ahead)
            && !pass.paths.contains(&path)
        {
            pass.cancel.cancel();
        }
    }
}

/// While others can see that a pass ahead is made.
struct Announced<'a>(&'a ShardStore);

impl Drop for Announced<'_> {
    fn drop(&mut self) {
        *lock(&self.0.ahead) = None;
    }
}
