//! A leaf: the chain of a slice, then the clauses of each of its buckets.

use rayon::prelude::*;

use super::UnitJob;
use super::chain::{self, Link};
use super::clauses::{Votes, Workshop};
use super::draft::Draft;
use super::error::TrainError;
use crate::bucket::{Bucket, Origin, UnitBuckets};
use crate::lookalikes::Lookalikes;

/// A slice that is not divided further.
pub(super) struct Leaf<'a> {
    pub(super) job: &'a UnitJob<'a>,
    /// The sides taken on the way from the root.
    pub(super) sides: &'a [bool],
    /// The literals of these.
    pub(super) prefix: &'a [Draft],
}

/// The buckets of a slice, in chain order. `rows` are ascending and at least one.
///
/// The chain draws from the node's stream, every bucket from one of its own: buckets are trained side by side.
pub(super) fn train_leaf(leaf: &Leaf<'_>, rows: Vec<u32>) -> Result<UnitBuckets, TrainError> {
    let part = leaf.job.prepared.part(&rows);
    let job = UnitJob { prepared: part.as_ref().unwrap_or(leaf.job.prepared), ..*leaf.job };
    let leaf = &Leaf { job: &job, ..*leaf };
    #[allow(clippy::cast_possible_truncation)] // a shard has at most u32::MAX rows
    let rows = if part.is_some() { (0..rows.len() as u32).collect() } else { rows };
    let UnitJob { prepared, training, seed, cancel, .. } = job;
    let links = chain::build(prepared, training, cancel, rows, &mut seed.node(leaf.sides))?;
    let buckets: Vec<Result<Bucket<u64>, TrainError>> = links
        .par_iter()
        .enumerate()
        .map_init(
            || Workshop::new(prepared, training, cancel),
            |workshop, (index, link)| leaf.bucket(link, index, workshop),
        )
        .collect();
    buckets.into_iter().collect()
}

impl Leaf<'_> {
    fn bucket(
        &self,
        link: &Link,
        index: usize,
        workshop: &mut Workshop<'_>,
    ) -> Result<Bucket<u64>, TrainError> {
        let UnitJob { prepared, training, seed, prefix, .. } = *self.job;
        #[allow(clippy::cast_possible_truncation)] // fewer than rows
        let index = index as u32;
        let rows = || link.core.iter().chain(&link.noise).copied();
        let members: Vec<u64> = rows().map(|row| prepared.ordinal(row)).collect();
        let class = rows().next().map(|row| prepared.class(row));
        let one_class = rows().all(|row| Some(prepared.class(row)) == class);
        let votes = if one_class {
            first_vote(&members, training.bucket as usize)
        } else {
            workshop.votes(rows(), &mut seed.bucket(self.sides, index))?
        };
        let quotes = &mut workshop.quotes;
        let drafts = self.prefix.iter().chain(&link.condition);
        let condition: Vec<_> =
            prefix.iter().cloned().chain(drafts.map(|draft| draft.literal(prepared, quotes))).collect();
        let core = std::iter::repeat_n(Origin::Core, link.core.len());
        Ok(Bucket {
            condition: (!condition.is_empty()).then_some(condition),
            origins: core.chain(std::iter::repeat_n(Origin::Noise, link.noise.len())).collect(),
            members,
            clauses: votes.clauses,
            lookalikes: votes.lookalikes,
        })
    }
}

/// In a bucket of one class the first `most` members by ordinal always vote, the others never.
fn first_vote(members: &[u64], most: usize) -> Votes {
    let mut ordinals = members.to_vec();
    ordinals.sort_unstable();
    let beyond = ordinals.get(most).copied();
    let mut lookalikes = Lookalikes::new();
    for (position, &member) in (0..).zip(members) {
        lookalikes.begin(position);
        if beyond.is_none_or(|beyond| member < beyond) {
            lookalikes.push(&[]);
        }
    }
    Votes { clauses: Vec::new(), lookalikes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_ordinals_vote() {
        let always: Vec<Vec<u32>> = vec![vec![]];
        let votes = first_vote(&[4, 8, 9, 1, 5], 3);
        let lists = [always.clone(), vec![], vec![], always.clone(), always];
        assert_eq!(votes.lookalikes.to_lists(), (0..).zip(lists).collect::<Vec<_>>());
        assert_eq!(first_vote(&[4, 8], 3).lookalikes.conditions(), 2);
    }
}
