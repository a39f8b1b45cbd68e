//! Which unit next. A function of the table and of what lies in the cache.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::ids::PeerKey;
use crate::lease::{LeaseTable, Moment, UnitIndex};

/// Why a unit is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// It was open.
    Lease,
    /// Somebody finished it and doesn't get it delivered.
    Repeat,
    /// It takes its holder very long.
    Double,
}

/// What a choice rests on.
pub(super) struct Choice<'a> {
    pub(super) now: Moment,
    pub(super) me: &'a PeerKey,
    pub(super) table: &'a LeaseTable,
    pub(super) memory: &'a BTreeSet<u32>,
    pub(super) disk: &'a BTreeSet<u32>,
    /// The upper halves of the rendezvous hashes of all units.
    pub(super) order: &'a [u32],
    /// What a unit takes here.
    pub(super) pace: Option<Duration>,
    /// How long ago its last training ended.
    pub(super) free_for: Duration,
}

impl Choice<'_> {
    /// An open unit: in memory, on disk, elsewhere, and those that this peer can't hold last; each by rendezvous.
    pub(super) fn open(&self, may: impl Fn(UnitIndex) -> bool) -> Option<UnitIndex> {
        let open = self.table.view().open();
        if open.is_empty() {
            return None;
        }
        let crowd = self.crowd(open.len());
        let eligible = open.iter().filter(|unit| may(*unit) && self.is_my_turn(*unit, crowd));
        eligible.min_by_key(|unit| (self.place(*unit), self.rank(*unit)))
    }

    /// The paths with open units, in the order in which this peer would come to them.
    pub(super) fn paths(&self, may: impl Fn(UnitIndex) -> bool) -> Vec<u32> {
        // Units come by path: each path once, with the turn of its first unit.
        let mut paths: Vec<((u8, u32), u32)> = Vec::new();
        for unit in self.table.view().open().iter().filter(|unit| may(*unit)) {
            let (turn, path) = ((self.place(unit), self.rank(unit)), self.table.units().unit(unit).path);
            match paths.last_mut() {
                Some((best, of)) if *of == path => *best = turn.min(*best),
                _ => paths.push((turn, path)),
            }
        }
        paths.sort_unstable();
        paths.into_iter().map(|(_, path)| path).collect()
    }

    /// How far away the rows of a unit are: in memory, on disk, elsewhere.
    fn place(&self, unit: UnitIndex) -> u8 {
        let path = self.table.units().unit(unit).path;
        match () {
            () if self.memory.contains(&path) => 0,
            () if self.disk.contains(&path) => 1,
            () => 2,
        }
    }

    /// What somebody finished without a receipt, the oldest first: at once if its holder is gone, after long patience
    /// (growing with how many hold it) if it is there and just doesn't get through. The caller knows that the
    /// coordinator is there: without it a repetition helps nobody.
    pub(super) fn repeat(&self, may: impl Fn(UnitIndex) -> bool) -> Option<UnitIndex> {
        let view = self.table.view();
        let lease = view.lease();
        let due = view.finished().iter().filter(|unit| {
            let finished = self.table.records().finished(*unit);
            let there = finished.filter(|signer| view.is_heard(signer)).count() as u32;
            self.is_due(*unit, lease * (10 * there * there), lease / 4)
                && may(*unit)
                && self.table.claimants(*unit).is_empty()
        });
        due.min_by_key(|unit| (view.since(*unit), self.rank(*unit)))
    }

    /// What one other peer trains for far longer than anybody took for anything, the longest first.
    pub(super) fn double(&self, may: impl Fn(UnitIndex) -> bool) -> Option<UnitIndex> {
        let view = self.table.view();
        let (lease, overdue) = (view.lease(), self.overdue());
        let due = view.leased().iter().filter(|unit| {
            self.is_due(*unit, overdue, lease / 4) && may(*unit) && self.has_one_other_claimant(*unit)
        });
        due.min_by_key(|unit| (view.since(*unit), self.rank(*unit)))
    }

    /// How long a unit is leased before somebody doubles it.
    pub(super) fn overdue(&self) -> Duration {
        let view = self.table.view();
        let longest = view.longest_lease();
        longest.map_or(view.lease() * 3, |longest| (longest * 3).max(Duration::from_secs(2)))
    }

    /// Since when the unit is leased that is so for longest; now, where none is.
    pub(super) fn oldest_lease(&self) -> Moment {
        let view = self.table.view();
        view.leased().iter().map(|unit| view.since(unit)).min().unwrap_or(self.now)
    }

    fn has_one_other_claimant(&self, unit: UnitIndex) -> bool {
        matches!(&self.table.claimants(unit)[..], [only] if only != self.me)
    }

    /// With few open units left, a peer that is slower than others leaves them to those who are at work and will soon be free:
    /// for as long as it takes longer than they, and no longer than they need for all of them.
    pub(super) fn is_deferring(&self) -> bool {
        let view = self.table.view();
        let (Some(pace), Some(typical)) = (self.pace, view.typical_lease()) else { return false };
        if view.open().is_empty() || pace <= typical {
            return false;
        }
        let (open, at_work) =
            (view.open().len() as u32, view.leased().len().saturating_sub(self.table.leases(self.me)) as u32);
        if at_work == 0 {
            return false;
        }
        // When the last of them is taken up, and when that one is done.
        let others = typical.saturating_add(typical.saturating_mul(open) / at_work);
        let slower = pace > others.saturating_add(others / 4);
        slower && self.free_for < pace.saturating_sub(others).min(others)
    }

    /// With fewer open units than peers, each waits its turn within a window, so that not all claim the same unit
    /// before they hear of each other.
    fn crowd(&self, open: usize) -> Duration {
        let heard = self.table.view().peers_heard();
        if open == 0 || heard <= open {
            return Duration::ZERO;
        }
        let window =
            Duration::from_millis(20).saturating_mul(u32::try_from(heard / open).unwrap_or(u32::MAX));
        window.min(self.table.view().lease() / 2)
    }

    fn is_my_turn(&self, unit: UnitIndex, window: Duration) -> bool {
        self.is_due(unit, Duration::ZERO, window)
    }

    /// Whether the unit is in its state for `wait` and this peer's share of `window`.
    fn is_due(&self, unit: UnitIndex, wait: Duration, window: Duration) -> bool {
        let lasted = self.now.since(self.table.view().since(unit));
        if lasted < wait {
            return false;
        }
        let share = (u128::from(self.rank(unit)) * window.as_millis()) >> 32;
        let mine = Duration::from_millis(u64::try_from(share).unwrap_or(u64::MAX));
        lasted >= wait.saturating_add(mine)
    }

    fn rank(&self, unit: UnitIndex) -> u32 {
        self.order.get(unit.get()).copied().unwrap_or(u32::MAX)
    }
}
