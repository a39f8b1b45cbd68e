//! One bucket made ready for many rows: who votes for what, under which clauses.

use std::collections::HashMap;

use super::Lookalike;
use crate::bits::{insert_first, members, words};
use crate::bucket::Bucket;
use crate::program::{Ask, Bound, Tests, View};

/// Rows that a bucket looks at together: as many as keep its answers in a near cache.
const ROWS_TOGETHER: usize = 2048;
/// Blocks of bits that a bucket may keep as answers, when it has more than one block of rows.
const ANSWERS: usize = 1 << 18;

/// A bucket of a compiled chain.
#[derive(Debug)]
pub(super) struct Link {
    /// The distinct literals of the clauses, those that several clauses name first.
    tests: Tests,
    /// How many literals several clauses name: their answers are kept.
    kept: usize,
    /// The clauses: literals by place in `tests`, one after another.
    literals: Lists,
    /// What to add where a condition holds: class and number of votes.
    weights: Vec<(u32, u64)>,
    /// Where each distinct condition's weights end.
    weight_ends: Vec<u32>,
    conditions: Conditions,
    /// All votes that the bucket can give.
    pub(super) votes: usize,
}

/// The distinct conditions.
#[derive(Debug)]
enum Conditions {
    /// Every condition is one clause: condition `i` is clause `i`.
    Clauses,
    /// Clauses of each, and for every condition of the file, in file order, which one it is.
    Lists { clauses: Lists, of: Vec<u32> },
}

/// Lists of numbers, flat.
#[derive(Debug, Default)]
struct Lists {
    items: Vec<u32>,
    ends: Vec<u32>,
}

impl Lists {
    #[allow(clippy::cast_possible_truncation)] // a file of as many numbers is not read
    fn push(&mut self, items: impl IntoIterator<Item = u32>) {
        self.items.extend(items);
        self.ends.push(self.items.len() as u32);
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    fn get(&self, index: usize) -> &[u32] {
        slice(&self.items, &self.ends, index)
    }
}

/// What lies between end `index - 1` and end `index`.
fn slice<'s, T>(items: &'s [T], ends: &[u32], index: usize) -> &'s [T] {
    let start = index.checked_sub(1).and_then(|before| ends.get(before)).map_or(0, |end| *end as usize);
    let end = ends.get(index).map_or(0, |end| *end as usize);
    items.get(start..end).unwrap_or(&[])
}

/// The votes for a run of rows of a batch, beginning with row `start`.
#[derive(Debug)]
pub(super) enum Tally<'m> {
    /// Only counts, per row and class.
    Counted { start: usize, classes: usize, counts: Vec<u64> },
    /// The class of every vote, per row in vote order, and who gave it where that is asked for.
    InOrder { start: usize, votes: Vec<Vec<u32>>, names: Option<Vec<Vec<Lookalike<'m>>>> },
}

/// Memory for votes, to be used again.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    view: View,
    /// Answers of the literals that are kept, and which of them were asked.
    answers: Vec<u64>,
    asked: Vec<bool>,
    /// Per clause where it is false; in part used only where conditions have several clauses.
    clauses: Vec<u64>,
    known: Vec<bool>,
    set: Vec<u64>,
    /// Votes of the rows looked at: per row and class.
    counts: Vec<u64>,
    /// Per condition where it holds.
    holds: Vec<u64>,
}

impl Link {
    /// Makes a bucket of a checked model ready. Votes of members outside the model, which a check refuses, are left out.
    #[allow(clippy::cast_possible_truncation)] // literals, clauses and conditions of a bucket fit a u32
    pub(super) fn new(bucket: &Bucket<u32>, clauses: &[Tests], class_of: &[u32]) -> Self {
        let (tests, kept, literals) = distinct(clauses);
        let class = |position: u32| {
            let member = bucket.members.get(position as usize);
            member.and_then(|member| class_of.get(*member as usize)).copied()
        };
        let all = bucket.lookalikes.iter().flat_map(|entry| entry.1.map(move |clauses| (entry.0, clauses)));
        // Who votes: distinct condition and class.
        let mut voters: Vec<(u32, u32)> = Vec::with_capacity(bucket.lookalikes.conditions());
        let conditions = if bucket.lookalikes.all_of_one_clause() {
            voters.extend(all.filter_map(|(position, clauses)| Some((*clauses.first()?, class(position)?))));
            Conditions::Clauses
        } else {
            let mut known: HashMap<&[u32], u32> = HashMap::new();
            let mut lists = Lists::default();
            let mut of = Vec::with_capacity(bucket.lookalikes.conditions());
            for (position, clauses) in all {
                let condition = *known.entry(clauses).or_insert_with(|| {
                    lists.push(clauses.iter().copied());
                    (lists.len() - 1) as u32
                });
                of.push(condition);
                voters.extend(class(position).map(|class| (condition, class)));
            }
            Conditions::Lists { clauses: lists, of }
        };
        let votes = voters.len();
        voters.sort_unstable();
        let count = match &conditions {
            Conditions::Clauses => literals.len(),
            Conditions::Lists { clauses, .. } => clauses.len(),
        };
        let mut weights: Vec<(u32, u64)> = Vec::new();
        let mut weight_ends = Vec::with_capacity(count);
        let mut voters = voters.chunk_by(|a, b| a == b).peekable();
        for condition in 0..count as u32 {
            let of_this = |same: &&[(u32, u32)]| same.first().is_some_and(|voter| voter.0 == condition);
            while let Some(same) = voters.next_if(of_this) {
                weights.extend(same.first().map(|voter| (voter.1, same.len() as u64)));
            }
            weight_ends.push(weights.len() as u32);
        }
        Self { tests, kept, literals, weights, weight_ends, conditions, votes }
    }

    /// Casts the bucket's votes for the rows (ascending) that came into it. `place` is the layer and the bucket's place.
    pub(super) fn vote<'m>(
        &self,
        bound: &Bound<'_>,
        rows: &[u32],
        of: (&'m Bucket<u32>, &[u32], (u32, u32)),
        scratch: &mut Scratch,
        tally: &mut Tally<'m>,
    ) {
        let sets = self.kept
            + match (&self.conditions, &tally) {
                (Conditions::Clauses, Tally::Counted { .. }) => 0,
                (Conditions::Clauses, Tally::InOrder { .. }) => self.literals.len(),
                (Conditions::Lists { clauses, .. }, _) => self.literals.len() + clauses.len(),
            };
        let together = (64 * ANSWERS / sets.max(1)).clamp(64, ROWS_TOGETHER).next_multiple_of(64);
        for rows in rows.chunks(together) {
            scratch.view.look_at(rows.iter().copied());
            let width = words(rows.len());
            renew(&mut scratch.answers, self.kept * width);
            renew(&mut scratch.asked, self.kept);
            match tally {
                Tally::Counted { start, classes, counts } => {
                    renew(&mut scratch.counts, rows.len() * *classes);
                    self.each_condition(bound, rows.len(), scratch, |counted, _, set, weights| {
                        for (class, weight) in weights {
                            for place in members(set) {
                                if let Some(count) = counted.get_mut(place * *classes + *class as usize) {
                                    *count += weight;
                                }
                            }
                        }
                    });
                    for (row, counted) in rows.iter().zip(scratch.counts.chunks(*classes)) {
                        let from = (*row as usize - *start) * *classes;
                        let counts = counts.get_mut(from..from + *classes).unwrap_or_default();
                        counts.iter_mut().zip(counted).for_each(|(count, more)| *count += more);
                    }
                }
                Tally::InOrder { start, votes, names } => {
                    renew(&mut scratch.holds, self.weight_ends.len() * width);
                    self.each_condition(bound, rows.len(), scratch, |_, holds, set, _| {
                        holds.copy_from_slice(set);
                    });
                    self.in_order(rows, *start, of, &scratch.holds, votes, names.as_mut());
                }
            }
        }
    }

    /// Gives the votes one by one: `holds` says where each distinct condition does.
    fn in_order<'m>(
        &self,
        rows: &[u32],
        start: usize,
        (bucket, class_of, (layer, place)): (&'m Bucket<u32>, &[u32], (u32, u32)),
        holds: &[u64],
        votes: &mut [Vec<u32>],
        mut names: Option<&mut Vec<Vec<Lookalike<'m>>>>,
    ) {
        let width = words(rows.len());
        let mut index = 0;
        for (position, conditions) in bucket.lookalikes.iter() {
            let row = bucket.members.get(position as usize).copied().unwrap_or(u32::MAX);
            let class = class_of.get(row as usize).copied();
            for clauses in conditions {
                let condition = match &self.conditions {
                    Conditions::Clauses => clauses.first(),
                    Conditions::Lists { of, .. } => of.get(index),
                };
                index += 1;
                let (Some(condition), Some(class)) = (condition, class) else { continue };
                let from = *condition as usize * width;
                for at in members(holds.get(from..from + width).unwrap_or(&[])) {
                    let Some(at) = rows.get(at).map(|row| *row as usize - start) else { continue };
                    if let Some(votes) = votes.get_mut(at) {
                        votes.push(class);
                    }
                    if let Some(names) = names.as_mut().and_then(|names| names.get_mut(at)) {
                        let origin = bucket.origins.get(position as usize).copied();
                        let Some(origin) = origin else { continue };
                        names.push(Lookalike { row, clauses, origin, layer, bucket: place });
                    }
                }
            }
        }
    }

    /// Hands every distinct condition that somebody votes under, in order, the set of rows on which all of its clauses
    /// are false, with the place for that in `holds`.
    fn each_condition(
        &self,
        bound: &Bound<'_>,
        rows: usize,
        scratch: &mut Scratch,
        mut then: impl FnMut(&mut [u64], &mut [u64], &[u64], &[(u32, u64)]),
    ) {
        let width = words(rows);
        let Scratch { view, answers, asked, clauses, known, set, counts, holds } = scratch;
        if let Conditions::Lists { .. } = self.conditions {
            renew(clauses, self.literals.len() * width);
            renew(known, self.literals.len());
        }
        renew(set, width);
        for condition in 0..self.weight_ends.len() {
            let weights = slice(&self.weights, &self.weight_ends, condition);
            if weights.is_empty() {
                continue;
            }
            set.fill(0);
            insert_first(set, rows);
            match &self.conditions {
                Conditions::Clauses => self.falsify(bound, condition, view, (answers, asked), set),
                Conditions::Lists { clauses: lists, .. } => {
                    for &clause in lists.get(condition) {
                        let from = clause as usize * width;
                        let (Some(false_on), Some(known)) =
                            (clauses.get_mut(from..from + width), known.get_mut(clause as usize))
                        else {
                            continue;
                        };
                        if !*known {
                            *known = true;
                            insert_first(false_on, rows);
                            self.falsify(bound, clause as usize, view, (answers, asked), false_on);
                        }
                        set.iter_mut().zip(&*false_on).for_each(|(set, clause)| *set &= clause);
                    }
                }
            }
            let from = condition * width;
            then(counts, holds.get_mut(from..from + width).unwrap_or_default(), set, weights);
        }
    }

    /// Keeps in `set` the rows on which a clause is false.
    #[inline]
    fn falsify(
        &self,
        bound: &Bound<'_>,
        clause: usize,
        view: &mut View,
        (answers, asked): (&mut [u64], &mut [bool]),
        set: &mut [u64],
    ) {
        let (width, rows) = (set.len(), view.rows().len());
        for &literal in self.literals.get(clause) {
            let Some(&test) = self.tests.get(literal as usize) else { continue };
            let from = literal as usize * width;
            match (asked.get_mut(literal as usize), answers.get_mut(from..from + width)) {
                (Some(asked), Some(false_on)) => {
                    if !*asked {
                        *asked = true;
                        insert_first(false_on, rows);
                        view.meet(bound, test, false, false_on);
                    }
                    set.iter_mut().zip(&*false_on).for_each(|(set, answer)| *set &= answer);
                }
                _ => view.meet(bound, test, false, set),
            }
            if set.iter().all(|block| *block == 0) {
                return;
            }
        }
    }
}

/// The distinct literals of clauses, those that occur several times first; how many these are; the clauses over them.
#[allow(clippy::cast_possible_truncation)]
fn distinct(clauses: &[Tests]) -> (Tests, usize, Lists) {
    let all: Vec<Ask> = clauses.iter().flatten().copied().collect();
    let mut order: Vec<((u64, u64), u32)> = (0..).zip(&all).map(|(place, ask)| (ask.key(), place)).collect();
    order.sort_unstable();
    let mut groups: Vec<&[((u64, u64), u32)]> = order.chunk_by(|a, b| a.0 == b.0).collect();
    // By first occurrence, so that what clauses ask one after another lies so too.
    groups.sort_unstable_by_key(|group| (group.len() == 1, group.first().map(|entry| entry.1)));
    let kept = groups.iter().take_while(|group| group.len() > 1).count();
    let mut tests = Vec::with_capacity(groups.len());
    let mut names = vec![0; all.len()];
    for (name, group) in (0_u32..).zip(&groups) {
        tests.extend(group.first().and_then(|entry| all.get(entry.1 as usize)).copied());
        for (_, place) in *group {
            if let Some(of) = names.get_mut(*place as usize) {
                *of = name;
            }
        }
    }
    let mut lists = Lists::default();
    let mut names = names.into_iter();
    for clause in clauses {
        lists.push(names.by_ref().take(clause.len()));
    }
    (tests, kept, lists)
}

fn renew<T: Clone + Default>(values: &mut Vec<T>, len: usize) {
    values.clear();
    values.resize(len, T::default());
}
