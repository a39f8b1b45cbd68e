//! One bucket made ready for many rows: who votes for what, under which clauses.

use std::collections::HashMap;
use std::iter::repeat_n;

use super::Lookalike;
use crate::bits::{insert_range, members, words};
use crate::bucket::Bucket;
use crate::program::{Ask, Bound, Tests, View};

/// Rows that a bucket looks at together: as many as keep its answers in a near cache.
const ROWS_TOGETHER: usize = 64 * WIDEST;
/// Blocks of bits that a set of so many rows has.
const WIDEST: usize = 32;
/// Blocks of bits that a bucket may keep as answers, when it has more than one block of rows.
const ANSWERS: usize = 1 << 18;

/// A bucket of a compiled chain.
///
/// Its distinct conditions are numbered: first those of one clause, condition `i` being clause `i`, then the joined ones, of
/// several clauses or none.
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
    /// Per clause its place among those that joined conditions name, whose sets are kept; none: `u32::MAX`.
    places: Vec<u32>,
    /// How many clauses joined conditions name.
    placed: usize,
    /// The joined conditions: places of their clauses, one that fewer members list before one that more do.
    joined: Lists,
    /// For every condition of the file that is not of one clause, in file order, which joined one it is.
    of: Vec<u32>,
    /// All votes that the bucket can give.
    pub(super) votes: usize,
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
    /// Where the clauses are false that joined conditions name.
    clauses: Vec<u64>,
    /// All rows looked at, and those left of them.
    all: Vec<u64>,
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
        let mut joined = Joined::new(bucket, clauses.len());
        // Who votes: distinct condition, class and how often.
        let mut voters: Vec<(u32, u32, u64)> = Vec::with_capacity(bucket.lookalikes.len());
        for (position, conditions) in bucket.lookalikes.iter() {
            let class = class(position);
            for condition in conditions {
                let number = match condition {
                    [clause] => *clause,
                    several => literals.len() as u32 + joined.number(several),
                };
                match (class, voters.last_mut()) {
                    (Some(class), Some(last)) if (last.0, last.1) == (number, class) => last.2 += 1,
                    (Some(class), _) => voters.push((number, class, 1)),
                    (None, _) => {}
                }
            }
        }
        voters.sort_unstable();
        let Joined { places, placed, lists: joined, of, .. } = joined;
        let mut weights: Vec<(u32, u64)> = Vec::new();
        let mut weight_ends = Vec::with_capacity(literals.len() + joined.len());
        let mut same = voters.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)).peekable();
        for condition in 0..(literals.len() + joined.len()) as u32 {
            let of_this = |same: &&[(u32, u32, u64)]| same.first().is_some_and(|voter| voter.0 == condition);
            while let Some(same) = same.next_if(of_this) {
                let often = same.iter().map(|voter| voter.2).sum();
                weights.extend(same.first().map(|voter| (voter.1, often)));
            }
            weight_ends.push(weights.len() as u32);
        }
        let votes = weights.iter().map(|weight| weight.1 as usize).sum();
        Self { tests, kept, literals, weights, weight_ends, places, placed, joined, of, votes }
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
        let held = if matches!(tally, Tally::InOrder { .. }) { self.weight_ends.len() } else { 0 };
        let sets = self.kept + self.placed + held;
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
        let mut several = self.of.iter();
        for (position, conditions) in bucket.lookalikes.iter() {
            let row = bucket.members.get(position as usize).copied().unwrap_or(u32::MAX);
            let class = class_of.get(row as usize).copied();
            let mut conditions = conditions.peekable();
            while let Some(clauses) = conditions.next() {
                let (condition, often) = match clauses {
                    [clause] => {
                        // What stands there several times mostly does so in a row.
                        let again = std::iter::from_fn(|| conditions.next_if_eq(&clauses)).count();
                        (Some(*clause as usize), 1 + again)
                    }
                    _ => (several.next().map(|joined| self.literals.len() + *joined as usize), 1),
                };
                let (Some(condition), Some(class)) = (condition, class) else { continue };
                let from = condition * width;
                for at in members(holds.get(from..from + width).unwrap_or(&[])) {
                    let Some(at) = rows.get(at).map(|row| *row as usize - start) else { continue };
                    if let Some(votes) = votes.get_mut(at) {
                        votes.extend(repeat_n(class, often));
                    }
                    if let Some(names) = names.as_mut().and_then(|names| names.get_mut(at)) {
                        let origin = bucket.origins.get(position as usize).copied();
                        let Some(origin) = origin else { continue };
                        let lookalike = Lookalike { row, clauses, origin, layer, bucket: place };
                        names.extend(repeat_n(lookalike, often));
                    }
                }
            }
        }
    }

    /// Hands every distinct condition that somebody votes under, in order, the set of rows on which all of its clauses
    /// are false, with the place for that in `holds`. Conditions that hold nowhere are left out.
    fn each_condition(
        &self,
        bound: &Bound<'_>,
        rows: usize,
        scratch: &mut Scratch,
        mut then: impl FnMut(&mut [u64], &mut [u64], &[u64], &[(u32, u64)]),
    ) {
        let width = words(rows);
        let Scratch { view, answers, asked, clauses, all, set, counts, holds } = scratch;
        // Sets of joined conditions' clauses have a power of two of blocks: then loops over them have no remainder.
        let wide = width.next_power_of_two();
        renew(clauses, self.placed * wide);
        renew(all, width);
        insert_range(all, 0..rows);
        renew(set, width);
        for (clause, place) in self.places.iter().enumerate() {
            let weights = slice(&self.weights, &self.weight_ends, clause);
            let kept = *place != u32::MAX;
            if weights.is_empty() && !kept {
                continue;
            }
            set.copy_from_slice(all);
            if !self.falsify(bound, clause, view, (answers, asked), set) {
                continue;
            }
            let from = *place as usize * wide;
            if kept && let Some(kept) = clauses.get_mut(from..from + width) {
                kept.copy_from_slice(set);
            }
            if !weights.is_empty() {
                let from = clause * width;
                then(counts, holds.get_mut(from..from + width).unwrap_or_default(), set, weights);
            }
        }
        let mut then = |condition: usize, set: &[u64], weights: &[(u32, u64)]| {
            let from = condition * width;
            if let Some(set) = set.get(..width) {
                then(counts, holds.get_mut(from..from + width).unwrap_or_default(), set, weights);
            }
        };
        match wide {
            1 => self.each_joined::<1>(clauses, all, &mut then),
            2 => self.each_joined::<2>(clauses, all, &mut then),
            4 => self.each_joined::<4>(clauses, all, &mut then),
            8 => self.each_joined::<8>(clauses, all, &mut then),
            16 => self.each_joined::<16>(clauses, all, &mut then),
            _ => self.each_joined::<WIDEST>(clauses, all, &mut then),
        }
    }

    /// The same for the joined conditions alone, by the sets of their clauses, of `WIDE` blocks each.
    fn each_joined<const WIDE: usize>(
        &self,
        clauses: &[u64],
        all: &[u64],
        then: &mut impl FnMut(usize, &[u64], &[(u32, u64)]),
    ) {
        let (clauses, _) = clauses.as_chunks::<WIDE>();
        let mut rows = [0; WIDE];
        rows.iter_mut().zip(all).for_each(|(rows, all)| *rows = *all);
        let mut start = 0;
        for (joined, end) in self.joined.ends.iter().enumerate() {
            let places = self.joined.items.get(start..*end as usize).unwrap_or_default();
            start = *end as usize;
            let mut set = rows;
            let left = places.iter().all(|place| {
                let Some(false_on) = clauses.get(*place as usize) else { return false };
                let mut any = 0;
                for (set, clause) in set.iter_mut().zip(false_on) {
                    *set &= clause;
                    any |= *set;
                }
                any != 0
            });
            if left {
                let condition = self.places.len() + joined;
                then(condition, &set, slice(&self.weights, &self.weight_ends, condition));
            }
        }
    }

    /// Keeps in `set` the rows on which a clause is false, and says whether there are any.
    #[inline]
    fn falsify(
        &self,
        bound: &Bound<'_>,
        clause: usize,
        view: &mut View,
        (answers, asked): (&mut [u64], &mut [bool]),
        set: &mut [u64],
    ) -> bool {
        let (width, rows) = (set.len(), view.rows().len());
        for &literal in self.literals.get(clause) {
            let Some(&test) = self.tests.get(literal as usize) else { continue };
            let from = literal as usize * width;
            match (asked.get_mut(literal as usize), answers.get_mut(from..from + width)) {
                (Some(asked), Some(false_on)) => {
                    if !*asked {
                        *asked = true;
                        insert_range(false_on, 0..rows);
                        view.meet(bound, test, false, false_on);
                    }
                    set.iter_mut().zip(&*false_on).for_each(|(set, answer)| *set &= answer);
                }
                _ => view.meet(bound, test, false, set),
            }
            if set.iter().all(|block| *block == 0) {
                return false;
            }
        }
        true
    }
}

/// The joined conditions of a bucket, as they are found.
struct Joined<'b> {
    /// Per clause in how many conditions it stands.
    listed: Vec<u32>,
    places: Vec<u32>,
    placed: usize,
    lists: Lists,
    of: Vec<u32>,
    known: HashMap<&'b [u32], u32>,
    clauses: Vec<u32>,
}

impl<'b> Joined<'b> {
    fn new(bucket: &'b Bucket<u32>, clauses: usize) -> Self {
        let mut listed = vec![0; clauses];
        for clause in bucket.lookalikes.clauses() {
            if let Some(listed) = listed.get_mut(*clause as usize) {
                *listed += 1;
            }
        }
        let places = vec![u32::MAX; clauses];
        let (lists, of, known, clauses) = (Lists::default(), Vec::new(), HashMap::new(), Vec::new());
        Self { listed, places, placed: 0, lists, of, known, clauses }
    }

    /// The number of a condition; a new one for one that was not there before.
    #[allow(clippy::cast_possible_truncation)]
    fn number(&mut self, condition: &'b [u32]) -> u32 {
        let next = self.lists.len() as u32;
        let number = *self.known.entry(condition).or_insert(next);
        self.of.push(number);
        if number == next {
            self.clauses.clear();
            self.clauses.extend_from_slice(condition);
            let Self { listed, places, placed, clauses, .. } = self;
            // What is false on few rows first: mostly nothing is left then.
            clauses.sort_by_key(|clause| listed.get(*clause as usize).copied());
            for clause in &mut *clauses {
                let Some(place) = places.get_mut(*clause as usize) else { continue };
                if *place == u32::MAX {
                    *place = *placed as u32;
                    *placed += 1;
                }
                *clause = *place;
            }
            self.lists.push(self.clauses.iter().copied());
        }
        number
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
