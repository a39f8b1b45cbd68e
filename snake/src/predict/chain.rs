//! One bucket made ready for many rows: who votes for what, under which clauses.

use std::collections::HashMap;

use crate::bucket::Bucket;
use crate::program::{Bound, Program, Tests};

/// A bucket of a compiled chain.
#[derive(Debug)]
pub(super) struct Link {
    /// The condition; `None` is ELSE.
    pub(super) condition: Option<Tests>,
    clauses: Vec<Tests>,
    /// The distinct vote conditions.
    votes: Vec<Condition>,
    /// All votes in vote order.
    entries: Vec<Entry>,
}

/// A vote condition and what it adds when it holds.
#[derive(Debug)]
struct Condition {
    clauses: Vec<u32>,
    /// Class and number of votes.
    weights: Vec<(u32, u64)>,
}

/// A vote of a member: the place of its lookalike entry and of the condition in it, which is `shared` with others.
#[derive(Debug, Clone, Copy)]
struct Entry {
    class: u32,
    entry: u32,
    condition: u32,
    shared: u32,
}

/// A vote that was cast.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vote {
    /// The class voted for.
    pub(super) class: u32,
    /// Layer and bucket.
    pub(super) place: (u32, u32),
    /// The place of the lookalike entry in the bucket.
    pub(super) entry: u32,
    /// The place of the condition in the entry.
    pub(super) condition: u32,
}

/// The votes for a run of rows of a batch, beginning with row `start`.
#[derive(Debug)]
pub(super) enum Tally {
    /// Only counts, per row and class.
    Counted { start: usize, classes: usize, counts: Vec<u64> },
    /// Every vote, per row in vote order.
    InOrder { start: usize, votes: Vec<Vec<Vote>> },
}

impl Tally {
    pub(super) fn counted(start: usize, rows: usize, classes: usize) -> Self {
        Self::Counted { start, classes, counts: vec![0; rows * classes] }
    }

    pub(super) fn in_order(start: usize, rows: usize) -> Self {
        Self::InOrder { start, votes: vec![Vec::new(); rows] }
    }
}

impl Link {
    /// Compiles a bucket of a checked model. Votes of members outside the model, which a check refuses, are left out.
    #[allow(clippy::cast_possible_truncation)]
    pub(super) fn new(bucket: &Bucket<u32>, class_of: &[u32], program: &mut Program) -> Self {
        let condition = bucket.condition.as_ref().map(|literals| program.literals(literals));
        let clauses = bucket.clauses.iter().map(|clause| program.literals(clause)).collect();
        let mut known: HashMap<&[u32], u32> = HashMap::new();
        let mut votes: Vec<Condition> = Vec::new();
        let mut entries = Vec::new();
        for (entry, (position, conditions)) in (0_u32..).zip(bucket.lookalikes.iter()) {
            let member = bucket.members.get(position as usize);
            let Some(class) = member.and_then(|member| class_of.get(*member as usize)).copied() else {
                continue;
            };
            for (condition, clauses) in (0_u32..).zip(conditions) {
                let shared = *known.entry(clauses).or_insert_with(|| {
                    votes.push(Condition { clauses: clauses.to_vec(), weights: Vec::new() });
                    (votes.len() - 1) as u32
                });
                entries.push(Entry { class, entry, condition, shared });
            }
        }
        let mut voters: Vec<(u32, u32)> =
            entries.iter().map(|entry: &Entry| (entry.shared, entry.class)).collect();
        voters.sort_unstable();
        for same in voters.chunk_by(|a, b| a == b) {
            let Some((shared, class)) = same.first() else { continue };
            if let Some(vote) = votes.get_mut(*shared as usize) {
                vote.weights.push((*class, same.len() as u64));
            }
        }
        Self { condition, clauses, votes, entries }
    }

    /// Casts the bucket's votes for the rows (ascending) that came into it.
    pub(super) fn vote(&self, bound: &mut Bound<'_>, rows: &[u32], place: (u32, u32), tally: &mut Tally) {
        match tally {
            Tally::Counted { start, classes, counts } => {
                self.each_condition(bound, rows, |condition, rows| {
                    for row in rows {
                        let from = (*row as usize - *start) * *classes;
                        let Some(counts) = counts.get_mut(from..from + *classes) else { continue };
                        for (class, weight) in &condition.weights {
                            if let Some(count) = counts.get_mut(*class as usize) {
                                *count += weight;
                            }
                        }
                    }
                });
            }
            Tally::InOrder { start, votes } => {
                let mut holds: Vec<Vec<u32>> = Vec::with_capacity(self.votes.len());
                self.each_condition(bound, rows, |_, rows| holds.push(rows.to_vec()));
                for entry in &self.entries {
                    for row in holds.get(entry.shared as usize).into_iter().flatten() {
                        if let Some(votes) = votes.get_mut(*row as usize - *start) {
                            votes.push(Vote {
                                class: entry.class,
                                place,
                                entry: entry.entry,
                                condition: entry.condition,
                            });
                        }
                    }
                }
            }
        }
    }

    /// Hands every distinct condition, in order, the rows on which all of its clauses are false.
    fn each_condition(&self, bound: &mut Bound<'_>, rows: &[u32], mut then: impl FnMut(&Condition, &[u32])) {
        // A clause that several conditions name is asked once.
        let shared = self.votes.iter().any(|condition| condition.clauses.len() > 1);
        let mut known: Vec<Option<Vec<u32>>> =
            if shared { vec![None; self.clauses.len()] } else { Vec::new() };
        let mut left = Vec::with_capacity(rows.len());
        for condition in &self.votes {
            left.clear();
            left.extend_from_slice(rows);
            for clause in &condition.clauses {
                let Some(tests) = self.clauses.get(*clause as usize) else { continue };
                match known.get_mut(*clause as usize) {
                    None => bound.all_false(tests, &mut left),
                    Some(known) => {
                        let hold = known.get_or_insert_with(|| {
                            let mut hold = rows.to_vec();
                            bound.all_false(tests, &mut hold);
                            hold
                        });
                        let mut hold = hold.iter().copied().peekable();
                        left.retain(|row| {
                            while hold.next_if(|other| other < row).is_some() {}
                            hold.peek() == Some(row)
                        });
                    }
                }
            }
            then(condition, &left);
        }
    }
}
