//! Bounded sets of statements that merge: what is kept of one unit's claims, releases and finished, its *bids*.
//!
//! A set that keeps the n best of something larger merges (commutes, associates, repeats without effect) only if
//! nothing that it dropped can matter again. A set of bids keeps one statement per signer and the 8 best signers, and
//! makes sure of this: *a signer's newer statement never ranks below its older one*. So when a signer's newest
//! statement is not among the 8 best, none of its older ones is either, and an old one that arrives later finds 8
//! better ones in the set, as it would have found them had it arrived first.
//!
//! "Newest by counter, then the 8 smallest epochs" does not have this property: a signer that goes from epoch 0 to
//! epoch 1 ranks lower than before, is dropped, and comes back when its old claim is replayed. It would also stop a
//! unit for good: after 8 claims of epoch 0, live or not, none of epoch 1 could enter. Hence bids are newer by
//! (epoch, counter), and rank by *highest* epoch, then smallest tie hash. Which of the kept claims *wins*
//! is another question, and the [`View`](super::View)'s: the lowest live epoch.
//!
//! A finished takes the place of the claim that it ends, and so do a release and a later claim that of the finished: one
//! statement says where a signer stands. Nearly all units have one bidder at most, so that one stands in the table by itself,
//! a word of memory; the units with more of them are apart.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::hash::tie_hash;
use super::statement::{Says, Statement};
use super::units::UnitIndex;
use crate::ids::PeerKey;
use crate::unit::Unit;

/// How many signers' bids are kept per unit.
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

/// The bids of units with several bidders, the best first.
pub(super) type Crowds = BTreeMap<UnitIndex, Vec<Arc<Statement>>>;

/// What a signer says about a unit.
pub(crate) fn by<'a>(bids: &'a [Arc<Statement>], signer: &PeerKey) -> Option<&'a Arc<Statement>> {
    bids.iter().find(|kept| kept.signer() == *signer)
}

/// Whether a claim of this epoch by this signer, newer than what it said before, would be kept beside these.
pub(crate) fn have_room(bids: &[Arc<Statement>], unit: &Unit, epoch: u32, signer: &PeerKey) -> bool {
    if bids.len() < KEPT_PER_UNIT || by(bids, signer).is_some() {
        return true;
    }
    let mine = (Reverse(epoch), tie_hash(unit, epoch, signer), *signer);
    bids.last().is_none_or(|last| mine < rank(last))
}

/// Offers a statement to the bids of a unit: `only` is its single one, `crowds` has them when they are several.
pub(super) fn merge(
    only: &mut Option<Arc<Statement>>,
    crowds: &mut Crowds,
    unit: UnitIndex,
    statement: &Arc<Statement>,
) -> Taken {
    if let Some(kept) = only {
        if kept.signer() == statement.signer() {
            return match newer(statement, kept) {
                Ordering::Equal => Taken::Known,
                Ordering::Less => Taken::Older,
                Ordering::Greater => Taken::Kept(Some(std::mem::replace(kept, Arc::clone(statement)))),
            };
        }
    } else if !crowds.contains_key(&unit) {
        *only = Some(Arc::clone(statement));
        return Taken::Kept(None);
    }
    let several = crowds.entry(unit).or_default();
    several.extend(only.take());
    merge_several(several, statement)
}

fn merge_several(several: &mut Vec<Arc<Statement>>, statement: &Arc<Statement>) -> Taken {
    let known = several.iter().position(|kept| kept.signer() == statement.signer());
    if let Some(kept) = known.and_then(|at| several.get(at)) {
        match newer(statement, kept) {
            Ordering::Equal => return Taken::Known,
            Ordering::Less => return Taken::Older,
            Ordering::Greater => {}
        }
    }
    let full = known.is_none() && several.len() >= KEPT_PER_UNIT;
    if full && several.last().is_some_and(|last| rank(last) < rank(statement)) {
        return Taken::Crowded;
    }
    let mut dropped = known.map(|at| several.remove(at));
    if full {
        dropped = several.pop();
    }
    let at = several.partition_point(|kept| rank(kept) < rank(statement));
    several.insert(at, Arc::clone(statement));
    Taken::Kept(dropped)
}

/// Smaller is better. Only signer and epoch enter, and a signer's epoch only grows: see the module.
fn rank(statement: &Statement) -> (Reverse<u32>, u64, PeerKey) {
    (Reverse(statement.epoch()), statement.tie(), statement.signer())
}

/// Which of one signer's statements about a unit is newer: by epoch, counter, then claim, finished, release, then bytes. The
/// last two only matter for a signer that breaks the rules, and make the order total.
fn newer(a: &Statement, b: &Statement) -> Ordering {
    let key = |s: &Statement| {
        let kind = match s.says() {
            Says::Release(_) => 2,
            Says::Finished(_) => 1,
            _ => 0,
        };
        (s.epoch(), s.says().counter(), kind)
    };
    key(a).cmp(&key(b)).then_with(|| a.bytes().cmp(b.bytes()))
}
