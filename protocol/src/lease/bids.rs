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

/// What became of a statement that was offered to a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is in the set now, perhaps in another's place.
    Kept(Option<Arc<Statement>>),
    /// The set had this very statement.
    Known,
    /// The set has a newer one of the same signer.
    Older,
    /// The set is full of better ones.
    Crowded,
}

/// The 8 best signers' newest statements, best first.
///
/// There is one of these per unit and kind, and nearly all hold none or one: those cost two words and no allocation.
#[derive(Debug, Clone, Default)]
#[allow(clippy::box_collection)] // a Vec alone would make every set three words
pub(crate) enum Bids {
    #[default]
    None,
    One(Arc<Statement>),
    Many(Box<Vec<Arc<Statement>>>),
}

impl Bids {
    pub(crate) fn as_slice(&self) -> &[Arc<Statement>] {
        match self {
            Self::None => &[],
            Self::One(only) => std::slice::from_ref(only),
            Self::Many(several) => several,
        }
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Arc<Statement>> {
        self.as_slice().iter()
    }

    pub(crate) fn of(&self, signer: &PeerKey) -> Option<&Arc<Statement>> {
        self.iter().find(|kept| kept.signer() == *signer)
    }

    /// Whether a claim of this epoch by this signer, newer than what it said before, would be kept.
    pub(crate) fn has_room(&self, unit: &Unit, epoch: u32, signer: &PeerKey) -> bool {
        let kept = self.as_slice();
        if kept.len() < KEPT_PER_UNIT || self.of(signer).is_some() {
            return true;
        }
        let mine = (Reverse(epoch), tie_hash(unit, epoch, signer), *signer);
        kept.last().is_none_or(|last| mine < rank(last))
    }

    pub(crate) fn merge(&mut self, statement: &Arc<Statement>) -> Taken {
        if let Self::None = self {
            *self = Self::One(Arc::clone(statement));
            return Taken::Kept(None);
        }
        let kept = self.as_slice();
        let signer = statement.signer();
        let known = kept.iter().position(|kept| kept.signer() == signer);
        if let Some(kept) = known.and_then(|at| kept.get(at)) {
            match newer(statement, kept) {
                Ordering::Equal => return Taken::Known,
                Ordering::Less => return Taken::Older,
                Ordering::Greater => {}
            }
        }
        let full = known.is_none() && kept.len() >= KEPT_PER_UNIT;
        if full && kept.last().is_some_and(|last| rank(last) < rank(statement)) {
            return Taken::Crowded;
        }
        if let (Self::One(only), Some(_)) = (&mut *self, known) {
            return Taken::Kept(Some(std::mem::replace(only, Arc::clone(statement))));
        }
        let mut several = match std::mem::take(self) {
            Self::None => Box::default(),
            Self::One(only) => Box::new(vec![only]),
            Self::Many(several) => several,
        };
        let mut dropped = known.map(|at| several.remove(at));
        if full {
            dropped = several.pop();
        }
        let at = several.partition_point(|kept| rank(kept) < rank(statement));
        if several.len() == several.capacity() {
            several.reserve_exact(1);
        }
        several.insert(at, Arc::clone(statement));
        *self = Self::Many(several);
        Taken::Kept(dropped)
    }
}

/// Smaller is better. Only signer and epoch enter, and a signer's epoch only grows: see the module.
fn rank(statement: &Statement) -> (Reverse<u32>, u64, PeerKey) {
    (Reverse(statement.epoch()), statement.tie(), statement.signer())
}

/// Which of one signer's statements about a unit is newer: by epoch, counter, release after claim, bytes. The last two
/// only matter for a signer that breaks the rules, and make the order total.
fn newer(a: &Statement, b: &Statement) -> Ordering {
    let key = |s: &Statement| {
        let release = matches!(s.says(), Says::Release(_));
        (s.epoch(), s.says().counter(), release)
    };
    key(a).cmp(&key(b)).then_with(|| a.bytes().cmp(b.bytes()))
}
