//! Training: from a shard's table to the buckets of one unit (a layer of a path).
//!
//! ```text
//! train_unit ── divide ──┬── leaf ── chain ── links (condition, core, noise)
//!                        │                └── clauses, per bucket and class ── conditions: who votes by which
//!                        └── ...
//! odds, family ── oppose (oppose_number, oppose_text) ── draft: a literal between two rows
//! subspace: which features a clause is drawn from;  quotes: texts that literals share
//! local (axis, masks, grams): which members make a literal true
//! prepared (information, ranked, numbers, texts): what all units of a shard need
//! entries, ends, signatures, searches: tests of dictionary entries;  room: what is kept from one leaf to the next
//! ```
//!
//! Random numbers: every node of the divide tree draws from its own stream, a leaf's for its chain; every bucket's
//! clauses from one of their own, numbered within the leaf. So slices and buckets are trained side by side on the
//! current rayon pool and the result is the same with any number of threads.

mod axis;
mod chain;
mod clauses;
mod conditions;
mod divide;
mod draft;
mod ends;
mod entries;
mod error;
mod family;
mod grams;
mod information;
mod leaf;
mod local;
mod masks;
mod numbers;
mod odds;
mod oppose;
mod oppose_number;
mod oppose_text;
mod prepared;
mod quotes;
mod ranked;
mod room;
mod searches;
mod signatures;
mod subspace;
mod texts;

pub use error::TrainError;
pub use prepared::Prepared;

use crate::bucket::UnitBuckets;
use crate::cancel::Cancel;
use crate::literal::Literal;
use crate::settings::{SettingsError, Training};
use crate::stream::UnitSeed;

/// One layer of one path, to be trained.
#[derive(Debug, Clone, Copy)]
pub struct UnitJob<'a> {
    /// The shard.
    pub prepared: &'a Prepared,
    /// How to train.
    pub training: &'a Training,
    /// Where the random numbers come from.
    pub seed: UnitSeed,
    /// What every bucket's complete AND starts with: literals that are true on all rows of the shard.
    pub prefix: &'a [Literal],
    /// Stops the training.
    pub cancel: &'a Cancel,
}

/// Trains a unit on the current rayon pool: the buckets of its layer over row ordinals, in chain order (slices depth
/// first, the true side first). Members: core by ascending ordinal, then noise by ascending ordinal; one lookalike
/// entry per member, by ascending position.
///
/// The result depends on the shard, the settings, the seed and the prefix alone, not on the number of threads.
///
/// # Errors
/// [`TrainError`] when cancelled, when there are no rows or the settings can't be trained with, and when two rows have
/// the same features and different targets.
pub fn train_unit(job: &UnitJob<'_>) -> Result<UnitBuckets, TrainError> {
    job.training.check()?;
    if job.training.profile != job.prepared.profile() {
        let (prepared, settings) = (job.prepared.profile(), job.training.profile);
        return Err(SettingsError::Profile { prepared, settings }.into());
    }
    let rows = u32::try_from(job.prepared.rows()).unwrap_or(u32::MAX);
    if rows == 0 {
        return Err(TrainError::Empty);
    }
    divide::train_slice(job, (0..rows).collect(), Vec::new(), Vec::new())
}
