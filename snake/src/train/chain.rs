//! A leaf's bucket chain: which rows of a slice go to which bucket, and under which condition.

use super::draft::Draft;
use super::error::TrainError;
use super::oppose::{draw_pair, oppose, several_classes};
use super::prepared::Prepared;
use crate::cancel::Cancel;
use crate::settings::Training;
use crate::stream::Stream;

/// How many literals may be refused in a row before a condition stands as it is.
const REFUSALS: usize = 32;

/// Rows that go are few where they are fewer than one in this many.
const FEW: usize = 16;

/// A bucket without its clauses.
#[derive(Debug, PartialEq)]
pub(super) struct Link {
    /// The local condition; empty for the local ELSE.
    pub(super) condition: Vec<Draft>,
    /// The rows that the chain walk sends here, ascending.
    pub(super) core: Vec<u32>,
    /// Rows of earlier links that satisfy the condition, ascending.
    pub(super) noise: Vec<u32>,
}

/// Builds the chain of a slice; `rows` are ascending and at least one. The last link is the local ELSE.
///
/// # Errors
/// [`TrainError::Cancelled`], [`TrainError::Conflict`].
pub(super) fn build(
    prepared: &Prepared,
    training: &Training,
    cancel: &Cancel,
    rows: Vec<u32>,
    stream: &mut Stream,
) -> Result<Vec<Link>, TrainError> {
    let most = 2 * training.bucket as usize;
    let mut chain =
        Chain { prepared, cancel, entries: Vec::new(), spare: Vec::new(), satisfying: Vec::new() };
    let mut links = Vec::new();
    let mut taken: Vec<u32> = Vec::with_capacity(rows.len());
    let mut left = rows;
    while left.len() > most {
        let (condition, core) = chain.condition(&left, training.bucket as usize, stream)?;
        if condition.is_empty() {
            break;
        }
        let noise = chain.noise(&condition, &taken, core.len(), training.noise, stream)?;
        remove_sorted(&mut left, &core);
        taken.extend_from_slice(&core);
        links.push(Link { condition, core, noise });
    }
    let noise = chain.noise(&[], &taken, left.len(), training.noise, stream)?;
    links.push(Link { condition: Vec::new(), core: left, noise });
    Ok(links)
}

struct Chain<'a> {
    prepared: &'a Prepared,
    cancel: &'a Cancel,
    entries: Vec<bool>,
    /// Room for rows, as much as the largest step needs: what is kept is a copy.
    spare: Vec<u32>,
    satisfying: Vec<u32>,
}

impl Chain<'_> {
    /// A condition and the rows that satisfy it (none without a literal): at least `bucket`, and no more than twice as many
    /// unless they are all of one class or no literal was found that keeps enough.
    fn condition(
        &mut self,
        rows: &[u32],
        bucket: usize,
        stream: &mut Stream,
    ) -> Result<(Vec<Draft>, Vec<u32>), TrainError> {
        let mut condition = Vec::new();
        // `satisfying` are those that satisfy the condition so far: as long as it has no literal, all rows, which are many.
        self.satisfying.clear();
        let mut refused = 0;
        loop {
            let all = if condition.is_empty() { rows } else { &self.satisfying };
            if all.len() <= 2 * bucket || refused == REFUSALS {
                break;
            }
            let Some((yes, no)) = draw_pair(self.prepared, stream, all) else { break };
            let draft = oppose(self.prepared, stream, yes, no)?;
            self.spare.clear();
            draft.filter(self.prepared, all, &mut self.spare, &mut self.entries, self.cancel)?;
            if self.spare.len() < bucket {
                refused += 1;
            } else {
                refused = 0;
                condition.push(draft);
                std::mem::swap(&mut self.satisfying, &mut self.spare);
            }
        }
        Ok((condition, self.satisfying.clone()))
    }

    /// At most `share` times `core` rows of earlier links that satisfy the condition, drawn without putting back.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]
    fn noise(
        &mut self,
        condition: &[Draft],
        taken: &[u32],
        core: usize,
        share: f64,
        stream: &mut Stream,
    ) -> Result<Vec<u32>, TrainError> {
        let wanted = (share * core as f64).floor() as usize;
        if wanted == 0 || taken.is_empty() {
            return Ok(Vec::new());
        }
        self.satisfying.clear();
        for (place, draft) in condition.iter().enumerate() {
            let all = if place == 0 { taken } else { &self.satisfying };
            self.spare.clear();
            draft.filter(self.prepared, all, &mut self.spare, &mut self.entries, self.cancel)?;
            std::mem::swap(&mut self.satisfying, &mut self.spare);
        }
        let eligible = &mut self.satisfying;
        if condition.is_empty() {
            eligible.extend_from_slice(taken);
        }
        let wanted = wanted.min(eligible.len());
        for place in 0..wanted {
            let drawn = place + stream.below(eligible.len() - place);
            eligible.swap(place, drawn);
        }
        let mut drawn = eligible[..wanted].to_vec();
        drawn.sort_unstable();
        Ok(drawn)
    }
}

/// Takes the ascending `gone`, all of which are in it, out of the ascending `rows`.
pub(super) fn remove_sorted(rows: &mut Vec<u32>, gone: &[u32]) {
    let mut kept = 0;
    if gone.len() < rows.len() / FEW {
        // Few of many: what lies between two of them is moved at once.
        let mut from = 0;
        for row in gone {
            let Some(stay) = rows[from..].iter().position(|other| other == row) else { break };
            rows.copy_within(from..from + stay, kept);
            kept += stay;
            from += stay + 1;
        }
        rows.copy_within(from.., kept);
        rows.truncate(kept + rows.len() - from);
        return;
    }
    // Every row is written, and the next one over it if it goes: no branch that chance decides.
    let mut met = 0;
    for place in 0..rows.len() {
        let row = rows[place];
        let goes = gone.get(met) == Some(&row);
        rows[kept] = row;
        kept += usize::from(!goes);
        met += usize::from(goes);
    }
    rows.truncate(kept);
}

/// Whether a slice must not be divided: few enough rows, or all of one class.
pub(super) fn is_leaf(prepared: &Prepared, training: &Training, rows: &[u32]) -> bool {
    rows.len() <= training.slice as usize || !several_classes(prepared, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_rows_are_taken_out() {
        let mut rows = vec![1, 3, 4, 7, 9];
        remove_sorted(&mut rows, &[3, 9]);
        assert_eq!(rows, [1, 4, 7]);
        for gone in [vec![], vec![0], vec![99], vec![0, 1, 50], vec![3, 98, 99], (0..100).collect()] {
            let mut rows: Vec<u32> = (0..100).collect();
            remove_sorted(&mut rows, &gone);
            assert!(rows.iter().copied().eq((0..100).filter(|row| !gone.contains(row))), "{gone:?}");
        }
    }
}
