//! Bounded sets of statements that merge: what is kept of one unit's claims, releases and finished.
//!
//! A set that keeps the n best of something larger merges (commutes, associates, repeats without effect) only if
//! nothing that it dropped can matter again. Both sets here keep one statement per signer and the 8 best signers, and
//! both make sure of this: *a signer's newer statement never ranks below its older one*. So when a signer's newest
//! statement is not among the 8 best, none of its older ones is either, and an old one that arrives later finds 8
//! better ones in the set, as it would have found them had it arrived first.
//!
//! "Newest by counter, then the 8 smallest epochs" does not have this property: a signer that goes from epoch 0 to
//! epoch 1 ranks lower than before, is dropped, and comes back when its old claim is replayed. It would also stop a
//! unit for good: after 8 claims of epoch 0, live or not, none of epoch 1 could enter. Hence claims and releases are
//! newer by (epoch, counter), and rank by *highest* epoch, then smallest tie hash. Which of the kept claims *wins*
//! is another question, and the [`View`](super::View)'s: the lowest live epoch.

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use super::hash::tie_hash;
use super::statement::{Says, Statement};
use crate::ids::PeerKey;
use crate::unit::Unit;

/// How many signers' statements are kept per unit, of claims and releases together and of finished.
pub const KEPT_PER_UNIT: usize = 8;

/// A kept statement with its tie hash.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) tie: u64,
    pub(crate) statement: Arc<Statement>,
}

impl Kept {
    pub(crate) fn signer(&self) -> PeerKey {
        self.statement.signer()
    }

    /// The epoch of a claim or release; 0 for others.
    pub(crate) fn epoch(&self) -> u32 {
        epoch(&self.statement)
    }

    /// Smaller is better. Only signer and epoch enter, and a signer's epoch only grows: see the module.
    fn rank(&self) -> (Reverse<u32>, u64, PeerKey) {
        (Reverse(self.epoch()), self.tie, self.signer())
    }
}

/// What became of a statement that was offered to a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is in the set now.
    Kept,
    /// The set had this very statement.
    Known,
    /// The set has a newer one of the same signer.
    Older,
    /// The set is full of better ones.
    Crowded,
}

/// The 8 best signers' newest statements, best first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bids(Vec<Kept>);

impl Bids {
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Kept> {
        self.0.iter()
    }

    pub(crate) fn of(&self, signer: &PeerKey) -> Option<&Kept> {
        self.0.iter().find(|kept| kept.statement.signer() == *signer)
    }

    /// Whether a claim of this epoch by this signer, newer than what it said before, would be kept.
    pub(crate) fn has_room(&self, unit: &Unit, epoch: u32, signer: &PeerKey) -> bool {
        if self.0.len() < KEPT_PER_UNIT || self.of(signer).is_some() {
            return true;
        }
        let rank = (Reverse(epoch), tie_hash(unit, epoch, signer), *signer);
        self.0.last().is_none_or(|last| rank < last.rank())
    }

    pub(crate) fn merge(&mut self, unit: &Unit, statement: &Arc<Statement>) -> Taken {
        let signer = statement.signer();
        let known = self.0.iter().position(|kept| kept.statement.signer() == signer);
        if let Some(kept) = known.and_then(|at| self.0.get(at)) {
            match newer(statement, &kept.statement) {
                Ordering::Equal => return Taken::Known,
                Ordering::Less => return Taken::Older,
                Ordering::Greater => {}
            }
        }
        let tie = tie_hash(unit, epoch(statement), &signer);
        let new = Kept { tie, statement: Arc::clone(statement) };
        if known.is_none()
            && self.0.len() >= KEPT_PER_UNIT
            && self.0.last().is_some_and(|last| last.rank() < new.rank())
        {
            return Taken::Crowded;
        }
        if let Some(at) = known {
            self.0.remove(at);
        }
        let at = self.0.partition_point(|kept| kept.rank() < new.rank());
        if self.0.len() == self.0.capacity() {
            self.0.reserve_exact(1);
        }
        self.0.insert(at, new);
        self.0.truncate(KEPT_PER_UNIT);
        Taken::Kept
    }
}

fn epoch(statement: &Statement) -> u32 {
    match statement.says() {
        Says::Claim(claim) => claim.epoch,
        Says::Release(release) => release.epoch,
        _ => 0,
    }
}

/// Which of one signer's statements about a unit is newer: by epoch, counter, release after claim, bytes. The last two
/// only matter for a signer that breaks the rules, and make the order total.
fn newer(a: &Statement, b: &Statement) -> Ordering {
    let key = |s: &Statement| {
        let release = matches!(s.says(), Says::Release(_));
        (epoch(s), s.says().counter(), release)
    };
    key(a).cmp(&key(b)).then_with(|| a.bytes().cmp(b.bytes()))
}
