//! What the members of a bucket vote by: the conditions made of the clauses that they make false.
//!
//! A clause that is false on much of its class is a rule of the class; one that is false on a member or two may be chance.
//! So what a clause is worth goes by its **reach**, the number of members in its consequence:
//!
//! * a clause that reaches nearly as far as the member's widest one is a condition of its own; those that reach less are
//!   joined to one condition, which holds only where all of them are false;
//! * a condition of one clause stands in the list once for every so many parts of the class that the clause reaches: it
//!   votes that often.

use crate::lookalikes::Lookalikes;

/// A clause that reaches less than this share of what the member's widest clause does is joined with others like it.
const NEARLY: (u32, u32) = (2, 3);

/// The clauses of a bucket and whom they reach; the room is used again.
#[derive(Debug, Default)]
pub(super) struct Consequences {
    /// (member, clause): the clauses that each member makes false. Clauses come in ascending order.
    pairs: Vec<(u32, u32)>,
    /// Per clause how many members it reaches, and how many votes a condition of it has.
    reaches: Vec<u32>,
    votes: Vec<u32>,
    /// The clauses of the pairs by member, and where each member's end.
    dealt: Vec<u32>,
    ends: Vec<u32>,
    joined: Vec<u32>,
    lookalikes: Lookalikes,
}

impl Consequences {
    pub(super) fn clear(&mut self) {
        self.pairs.clear();
        self.reaches.clear();
        self.votes.clear();
    }

    /// Adds the next clause. `class` is the number of members of its class, a clause that reaches all
    /// of them votes `most` times.
    #[allow(clippy::cast_possible_truncation)] // a few clauses per member at most, and memory ends before
    pub(super) fn add(&mut self, class: usize, most: u32, consequence: impl Iterator<Item = u32>) {
        let clause = self.reaches.len() as u32;
        let before = self.pairs.len();
        self.pairs.extend(consequence.map(|member| (member, clause)));
        let reach = self.pairs.len() - before;
        self.reaches.push(reach as u32);
        // Never more votes than members: where classes are small, as numbers to be estimated are, reaching one of two says
        // little.
        let votes = (reach * most as usize).div_ceil(class.max(1)).min(reach);
        self.votes.push(votes as u32);
    }

    /// The entries of so many members, in their order.
    pub(super) fn lookalikes(&mut self, members: usize) -> Lookalikes {
        self.deal(members);
        let lookalikes = &mut self.lookalikes;
        lookalikes.clear();
        let mut start = 0;
        for (member, &end) in (0_u32..).zip(&self.ends[..members]) {
            let clauses = &self.dealt[start as usize..end as usize];
            start = end;
            lookalikes.begin(member);
            let reach = |clause: u32| self.reaches[clause as usize];
            let widest = clauses.iter().map(|&clause| reach(clause)).max().unwrap_or(0);
            self.joined.clear();
            for &clause in clauses {
                if u64::from(reach(clause)) * u64::from(NEARLY.1) < u64::from(widest) * u64::from(NEARLY.0) {
                    self.joined.push(clause);
                } else {
                    (0..self.votes[clause as usize]).for_each(|_| lookalikes.push(&[clause]));
                }
            }
            if !self.joined.is_empty() {
                lookalikes.push(&self.joined);
            }
        }
        // A copy takes no more room than it needs, and there are many of them.
        lookalikes.clone()
    }

    /// Sorts the clauses by member. They come in ascending order, so they only have to be dealt out.
    fn deal(&mut self, members: usize) {
        self.ends.clear();
        self.ends.resize(members + 1, 0);
        for &(member, _) in &self.pairs {
            self.ends[member as usize + 1] += 1;
        }
        for member in 0..members {
            self.ends[member + 1] += self.ends[member];
        }
        self.dealt.clear();
        self.dealt.resize(self.pairs.len(), 0);
        for &(member, clause) in &self.pairs {
            let place = &mut self.ends[member as usize];
            self.dealt[*place as usize] = clause;
            *place += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The conditions of a bucket whose members are all of one class of `class` members.
    fn conditions(class: usize, most: u32, clauses: &[&[u32]]) -> Vec<Vec<Vec<u32>>> {
        let mut consequences = Consequences::default();
        // Room that was used before must not show.
        consequences.add(class, most, 0..1);
        consequences.lookalikes(1);
        consequences.clear();
        clauses.iter().for_each(|members| consequences.add(class, most, members.iter().copied()));
        consequences.lookalikes(class).to_lists().into_iter().map(|entry| entry.1).collect()
    }

    #[test]
    fn clauses_of_less_reach_are_joined() {
        let lists = conditions(6, 1, &[&[0, 1, 2, 3, 4, 5], &[0, 1, 2, 3], &[0, 1, 2], &[0]]);
        assert_eq!(lists[0], [vec![0], vec![1], vec![2, 3]]);
        assert_eq!(lists[1], [vec![0], vec![1], vec![2]]);
        assert_eq!(lists[3], [[0], [1]]);
        assert_eq!(lists[5], [[0]]);
        // Alone of their kind they stay what they are, however small.
        assert_eq!(conditions(2, 1, &[&[0], &[0], &[1]]), [vec![vec![0], vec![1]], vec![vec![2]]]);
    }

    #[test]
    fn a_clause_votes_by_the_part_of_its_class_that_it_reaches() {
        let all: Vec<u32> = (0..40).collect();
        let votes = |reach: usize| conditions(40, 5, &[&all[..reach], &all[reach..]])[0].len();
        assert_eq!([1, 8, 9, 16, 17, 32, 33, 40].map(votes), [1, 1, 2, 2, 3, 4, 5, 5]);
        // Never more than members.
        assert_eq!(conditions(1, 5, &[&[0]]), [[[0]]]);
        assert_eq!(conditions(2, 5, &[&[0, 1]]), [[[0], [0]], [[0], [0]]]);
    }
}
