//! The clauses of a bucket.
//!
//! Class by class: while members of the class are open, take one and build a clause that is false on it and true on
//! every member of the other classes. All members of the class on which the clause is false are its consequence, and
//! open no more. This is repeated until every member has as many clauses as a wide lookahead asks for: more rules that
//! differ, for a smoother vote. What a member votes by is made of its clauses in the end (`conditions.rs`).
//!
//! Since a clause is an OR, its truth on the whole bucket is the union of its literals' sets, and what stands in the
//! bucket about it is read off these sets: nothing is assumed.

use super::conditions::Consequences;
use super::draft::{Draft, check};
use super::error::TrainError;
use super::local::Local;
use super::prepared::Prepared;
use super::quotes::Quotes;
use crate::bits;
use crate::cancel::Cancel;
use crate::literal::Clause;
use crate::lookalikes::Lookalikes;
use crate::settings::Training;
use crate::stream::Stream;

/// Where the target is a number: one in this many members, on either side, counts as near.
const NEAR: usize = 10;

/// Up to this many classes, members are sorted by counting them.
const FEW_CLASSES: usize = 16;

/// What the members of a bucket vote by.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Votes {
    pub(super) clauses: Vec<Clause>,
    /// One entry per member.
    pub(super) lookalikes: Lookalikes,
}

/// Room to build clauses in, used for one bucket after another.
#[derive(Debug)]
pub(super) struct Workshop<'a> {
    prepared: &'a Prepared,
    cancel: &'a Cancel,
    training: &'a Training,
    pub(super) quotes: Quotes,
    local: Local<'a>,
    /// (class, member, row), sorted: a place in this list is what the sets hold, so that the members of a class are
    /// next to each other and counting them takes few blocks.
    by_class: Vec<(u32, u32, u32)>,
    /// Members of the class at hand, those of the others, and those of the class that need another clause.
    own: Vec<u64>,
    others: Vec<u64>,
    open: Vec<u64>,
    open_sums: Vec<u32>,
    /// By place in `by_class`, how many clauses were built for a member.
    have: Vec<u32>,
    known: Known,
    consequences: Consequences,
    clause: Draftsman,
}

/// A clause in the making.
#[derive(Debug, Default)]
struct Draftsman {
    drafts: Vec<Draft>,
    /// Per draft, the set of the members on which it is true; there may be room for more of them.
    sets: Vec<u64>,
    /// Per draft, the members of other classes on which no draft before it is true. As `sets`.
    before: Vec<u64>,
    /// Members of other classes on which no draft is true yet, and their numbers up to and with each block.
    uncovered: Vec<u64>,
    sums: Vec<u32>,
    /// Members of the class on which every draft is false; while drafts are chosen and the target is a number, members
    /// near to it.
    consequence: Vec<u64>,
    candidate: Vec<u64>,
    best: Vec<u64>,
    /// The drafts of these two.
    drawn: [Draft; 2],
}

/// The clauses of a class so far.
#[derive(Debug, Default)]
struct Known {
    drafts: Vec<Draft>,
    ends: Vec<usize>,
}

impl Known {
    fn clear(&mut self) {
        self.drafts.clear();
        self.ends.clear();
    }

    fn len(&self) -> usize {
        self.ends.len()
    }

    /// Adds a clause; false if it is one of the first `among`.
    fn add(&mut self, clause: &[Draft], among: usize) -> bool {
        let mut start = 0;
        for &end in &self.ends[..among] {
            if self.drafts[start..end] == *clause {
                return false;
            }
            start = end;
        }
        self.drafts.extend_from_slice(clause);
        self.ends.push(self.drafts.len());
        true
    }
}

impl Draftsman {
    /// (Members of other classes that the candidate covers newly) x (members of the consequence that it keeps).
    #[inline]
    fn score(&self) -> u64 {
        let (covered, kept) = bits::hits_and_rest(&self.candidate, &self.uncovered, &self.consequence);
        covered * kept
    }

    /// Adds the best candidate; returns how many members of other classes are left to be covered.
    #[inline]
    fn take(&mut self, draft: Draft) -> usize {
        let words = self.best.len();
        let start = self.drafts.len() * words;
        let end = start + words;
        self.drafts.push(draft);
        if self.sets.len() < end {
            self.sets.resize(end, 0);
            self.before.resize(end, 0);
        }
        let best = bits::lanes(&self.best).iter();
        let record = bits::lanes_mut(&mut self.sets[start..end])
            .iter_mut()
            .zip(bits::lanes_mut(&mut self.before[start..end]));
        let change =
            bits::lanes_mut(&mut self.uncovered).iter_mut().zip(bits::lanes_mut(&mut self.consequence));
        for ((best, (set, before)), (uncovered, consequence)) in best.zip(record).zip(change) {
            *set = *best;
            *before = *uncovered;
            for lane in 0..bits::LANE {
                uncovered[lane] &= !best[lane];
                consequence[lane] &= !best[lane];
            }
        }
        bits::sum_up(&self.uncovered, &mut self.sums)
    }
}

impl Drop for Workshop<'_> {
    fn drop(&mut self) {
        let quotes = std::mem::take(&mut self.quotes);
        self.prepared.rooms().give_back(self.local.leave(quotes));
    }
}

impl<'a> Workshop<'a> {
    pub(super) fn new(prepared: &'a Prepared, training: &'a Training, cancel: &'a Cancel) -> Self {
        let (local, quotes) = Local::new(prepared, prepared.rooms().take());
        Self {
            prepared,
            cancel,
            training,
            quotes,
            local,
            by_class: Vec::new(),
            own: Vec::new(),
            others: Vec::new(),
            open: Vec::new(),
            open_sums: Vec::new(),
            have: Vec::new(),
            known: Known::default(),
            consequences: Consequences::default(),
            clause: Draftsman::default(),
        }
    }

    /// The clauses of a bucket of several classes with these rows, in member order.
    ///
    /// # Errors
    /// [`TrainError::Cancelled`], [`TrainError::Conflict`].
    pub(super) fn votes(
        &mut self,
        rows: impl Iterator<Item = u32> + Clone,
        stream: &mut Stream,
    ) -> Result<Votes, TrainError> {
        sort_by_class(&mut self.by_class, self.prepared, rows);
        self.local.begin(self.by_class.iter().map(|&(_, _, row)| row));
        let members = self.by_class.len();
        let words = bits::whole_lanes(members);
        let mut votes = Votes::default();
        self.consequences.clear();
        self.have.clear();
        self.have.resize(members, 0);
        let mut from = 0;
        while let Some(&(class, ..)) = self.by_class.get(from) {
            let to = from + self.by_class[from..].partition_point(|&(other, ..)| other == class);
            clear(&mut self.own, words);
            clear(&mut self.others, words);
            bits::insert_range(&mut self.own, from..to);
            bits::insert_range(&mut self.others, 0..from);
            bits::insert_range(&mut self.others, to..members);
            self.clauses_of_class(to - from, &mut votes, stream)?;
            from = to;
        }
        votes.lookalikes = self.consequences.lookalikes(members);
        Ok(votes)
    }

    /// Round after round, each until a clause was built once more for every member of the class.
    /// `class` is how many members it has.
    fn clauses_of_class(
        &mut self,
        class: usize,
        votes: &mut Votes,
        stream: &mut Stream,
    ) -> Result<(), TrainError> {
        self.known.clear();
        for least in 1..=self.training.rounds() {
            clear(&mut self.open, self.own.len());
            for place in bits::members(&self.own).filter(|&place| self.have[place] < least) {
                bits::insert(&mut self.open, place);
            }
            self.clauses_of_open(class, votes, stream)?;
        }
        Ok(())
    }

    fn clauses_of_open(
        &mut self,
        class: usize,
        votes: &mut Votes,
        stream: &mut Stream,
    ) -> Result<(), TrainError> {
        // Of this round none can come up again: its members are open no more.
        let earlier = self.known.len();
        self.open_sums.resize(self.open.len(), 0);
        let mut left = bits::sum_up(&self.open, &mut self.open_sums);
        while let Some(target) = bits::nth(&self.open, &self.open_sums, stream.below(left)) {
            self.cover(target, stream)?;
            self.prune();
            for place in bits::members(&self.clause.consequence) {
                self.have[place] += 1;
            }
            bits::remove_all(&mut self.open, &self.clause.consequence);
            left = bits::sum_up(&self.open, &mut self.open_sums);
            // The same clause again would say nothing new.
            if !self.known.add(&self.clause.drafts, earlier) {
                continue;
            }
            votes.clauses.push({
                let quotes = &mut self.quotes;
                self.clause.drafts.iter().map(|draft| draft.literal(self.prepared, quotes)).collect()
            });
            let consequence = bits::members(&self.clause.consequence).map(|place| self.by_class[place].1);
            self.consequences.add(class, self.training.most_votes(), consequence);
        }
        Ok(())
    }

    /// ORs literals that are false on `target` together until every member of another class makes one true. Where classes are to
    /// be told apart, they are about a part of the features as far as that will do (`subspace.rs`).
    ///
    /// Each is the best of `lookahead` by (members of other classes newly covered) x (members of the consequence
    /// kept): it should tell the classes apart and not only the two rows it was made from. Where the target is a number,
    /// nearly every class is one member, and its nearest neighbours by target stand in for the consequence: they have to
    /// be covered too, but last, so that the clause is false on what is like the member and not on a thin slice of
    /// everything.
    fn cover(&mut self, target: usize, stream: &mut Stream) -> Result<(), TrainError> {
        let (words, members) = (self.own.len(), self.by_class.len());
        self.local.begin_clause(stream);
        let clause = &mut self.clause;
        clause.drafts.clear();
        clause.uncovered.clone_from(&self.others);
        clause.consequence.clone_from(&self.own);
        if self.prepared.numeric() {
            // Members are sorted by target.
            let reach = members.div_ceil(NEAR);
            let near = target.saturating_sub(reach)..(target + reach + 1).min(members);
            // Of many members of this very value, those far off in the order do not count here.
            clause.consequence[..near.start / 64].fill(0);
            clause.consequence[bits::words(near.end)..].fill(0);
            bits::insert_range(&mut clause.consequence, near);
        }
        clause.candidate.resize(words, 0);
        clause.best.resize(words, 0);
        clause.sums.resize(words, 0);
        let mut left = bits::sum_up(&clause.uncovered, &mut clause.sums);
        while left > 0 {
            // Of the two drafts the one at `at` may be written over, the other one is the best so far.
            let mut highest: Option<u64> = None;
            let mut at = 0;
            for _ in 0..self.training.lookahead {
                check(self.cancel)?;
                let Some(opposed) = bits::nth(&clause.uncovered, &clause.sums, stream.below(left)) else {
                    break;
                };
                let draft = &mut clause.drawn[at];
                self.local.oppose(stream, opposed, target, draft)?;
                self.local.set(draft, &mut clause.candidate, self.cancel)?;
                let score = clause.score();
                if highest.is_none_or(|highest| score > highest) {
                    highest = Some(score);
                    at = 1 - at;
                    std::mem::swap(&mut clause.candidate, &mut clause.best);
                }
            }
            if highest.is_none() {
                break;
            }
            left = clause.take(clause.drawn[1 - at]);
        }
        Ok(())
    }

    /// Drops every literal without which the clause still covers all members of other classes, last to first (the
    /// first ones were the best choices), and sets the consequence to what the rest leaves.
    fn prune(&mut self) {
        let words = self.own.len();
        let clause = &mut self.clause;
        // `best` gathers what the kept ones cover.
        clause.best.fill(0);
        clause.consequence.clone_from(&self.own);
        for index in (0..clause.drafts.len()).rev() {
            let blocks = index * words..(index + 1) * words;
            if bits::covers(&clause.best, &clause.before[blocks.clone()]) {
                clause.drafts.remove(index);
                continue;
            }
            let change = clause.best.iter_mut().zip(&mut clause.consequence);
            for (set, (covered, consequence)) in clause.sets[blocks].iter().zip(change) {
                *covered |= set;
                *consequence &= !set;
            }
        }
    }
}

/// Sets `sorted` to (class, member, row), sorted.
fn sort_by_class(
    sorted: &mut Vec<(u32, u32, u32)>,
    prepared: &Prepared,
    rows: impl Iterator<Item = u32> + Clone,
) {
    let all = (0..).zip(rows).map(|(member, row)| (prepared.class(row), member, row));
    let mut places = [0_usize; FEW_CLASSES];
    if prepared.numeric() || all.clone().any(|(class, ..)| class as usize >= FEW_CLASSES) {
        sorted.clear();
        sorted.extend(all);
        sorted.sort_unstable();
        return;
    }
    all.clone().for_each(|(class, ..)| places[class as usize] += 1);
    let mut below = 0;
    for place in &mut places {
        below += std::mem::replace(place, below);
    }
    sorted.resize(below, (0, 0, 0));
    for member in all {
        let place = &mut places[member.0 as usize];
        sorted[*place] = member;
        *place += 1;
    }
}

fn clear(set: &mut Vec<u64>, words: usize) {
    set.clear();
    set.resize(words, 0);
}
