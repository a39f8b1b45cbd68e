//! Divide: a unit's rows are split by literals until every slice is small enough for a leaf.

use super::UnitJob;
use super::chain::{is_leaf, remove_sorted};
use super::draft::Draft;
use super::error::TrainError;
use super::leaf::{Leaf, train_leaf};
use super::oppose::{draw_pair, oppose};
use crate::bucket::UnitBuckets;

/// Literals tried per split.
const CANDIDATES: usize = 12;
/// Rows on which the balance of a candidate is measured, evenly spaced over the slice.
const SAMPLE: usize = 8192;
/// Splits on the way to a slice: from here on it goes to a leaf whatever its size. Splits that take a few rows each
/// would otherwise make conditions as long as the table. Balanced ones need 64 for 2^64 rows.
const DEEPEST: usize = 64;

/// A slice of one in this many rows, or fewer, is copied next to each other before it is divided further: thinly spread
/// rows are slow to look at, and to copy from.
const THINNED: usize = 8;

/// Trains a slice: divides it, or hands it to a leaf. `sides` says which side was taken at each split on the way
/// (true side: `true`), `prefix` holds the literals of these.
pub(super) fn train_slice(
    job: &UnitJob<'_>,
    rows: Vec<u32>,
    sides: Vec<bool>,
    prefix: Vec<Draft>,
) -> Result<UnitBuckets, TrainError> {
    if sides.len() >= DEEPEST || is_leaf(job.prepared, job.training, &rows) {
        return train_leaf(&Leaf { job, sides: &sides, prefix: &prefix }, rows);
    }
    if rows.len() <= job.prepared.rows_here() / THINNED
        && let Some(part) = job.prepared.part(&rows)
    {
        #[allow(clippy::cast_possible_truncation)] // a shard has at most u32::MAX rows
        let rows = (0..rows.len() as u32).collect();
        return train_slice(&UnitJob { prepared: &part, ..*job }, rows, sides, prefix);
    }
    let Some(draft) = split(job, &rows, &sides)? else {
        return train_leaf(&Leaf { job, sides: &sides, prefix: &prefix }, rows);
    };
    let mut inside = Vec::new();
    draft.filter(job.prepared, &rows, &mut inside, &mut Vec::new(), job.cancel)?;
    let mut outside = rows;
    remove_sorted(&mut outside, &inside);
    let side = |side: bool| {
        let draft = if side { draft } else { draft.opposite() };
        let sides = sides.iter().copied().chain([side]).collect();
        let prefix = prefix.iter().copied().chain([draft]).collect();
        (sides, prefix)
    };
    let (yes, no) = (side(true), side(false));
    let (yes, no) =
        rayon::join(|| train_slice(job, inside, yes.0, yes.1), || train_slice(job, outside, no.0, no.1));
    let mut buckets = yes?;
    buckets.extend(no?);
    Ok(buckets)
}

/// The most balanced of several literals, each between two rows of different classes: the first among equals.
fn split(job: &UnitJob<'_>, rows: &[u32], sides: &[bool]) -> Result<Option<Draft>, TrainError> {
    let mut stream = job.seed.node(sides);
    let sample: Vec<u32> = rows.iter().copied().step_by(rows.len().div_ceil(SAMPLE).max(1)).collect();
    let mut inside = Vec::with_capacity(sample.len());
    let mut entries = Vec::new();
    let mut best: Option<(usize, Draft)> = None;
    for _ in 0..CANDIDATES {
        let Some((yes, no)) = draw_pair(job.prepared, &mut stream, rows) else { break };
        let draft = oppose(job.prepared, &mut stream, yes, no)?;
        inside.clear();
        draft.filter(job.prepared, &sample, &mut inside, &mut entries, job.cancel)?;
        let smaller = inside.len().min(sample.len() - inside.len());
        if best.is_none_or(|(largest, _)| smaller > largest) {
            best = Some((smaller, draft));
        }
    }
    Ok(best.map(|(_, draft)| draft))
}
