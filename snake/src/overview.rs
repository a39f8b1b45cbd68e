//! What is in a model: sizes, kinds of literals, strongest features, largest clauses. One pass, nothing copied.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::bucket::{Bucket, Origin};
use crate::literal::Literal;
use crate::model::Model;
use crate::readable::and_parts;
use crate::schema::Label;

/// Clauses in lists of votes that are looked through for rules that say something new.
const STEPS: usize = 200_000_000;

/// What a model consists of.
#[derive(Debug, Clone, PartialEq)]
pub struct Overview {
    /// Per layer.
    pub layers: Vec<LayerOverview>,
    /// Literals by kind, as the model format names them.
    pub kinds: BTreeMap<String, KindUse>,
    /// Per feature, in the model's order.
    pub features: Vec<FeatureUse>,
    /// The clauses that most members list, those with most first, then in the order of the file. One is left out where
    /// fewer than half of its members are news, the others being members of those before.
    pub largest: Vec<LargeClause>,
}

/// What a layer consists of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LayerOverview {
    /// Members that the chain sends to their bucket.
    pub core: u64,
    /// Members beside these.
    pub noise: u64,
    /// Votes that can be cast: all conditions of all members.
    pub votes: u64,
    /// Members per bucket.
    pub members: Spread,
    /// Clauses per bucket.
    pub clauses: Spread,
    /// Literals per clause.
    pub literals: Spread,
    /// Literals per bucket condition; ELSE has none.
    pub condition: Spread,
}

/// How often a kind of literal occurs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KindUse {
    /// In conditions of buckets.
    pub conditions: u64,
    /// In clauses.
    pub clauses: u64,
}

/// What a feature does in a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FeatureUse {
    /// Literals over it in conditions of buckets.
    pub conditions: u64,
    /// Literals over it in clauses.
    pub clauses: u64,
    /// Its strength: each of the literals in clauses counted as often as there are votes that name its clause. A vote
    /// is cast only if every literal of its clauses is false, so this counts how often a vote depends on the feature.
    pub strength: u64,
}

/// A clause that many members list. It reads: if the bucket's condition holds and every literal of the clause is false,
/// then the target is theirs.
#[derive(Debug, Clone, PartialEq)]
pub struct LargeClause {
    /// The layer.
    pub layer: u32,
    /// The bucket's place in the layer.
    pub bucket: u32,
    /// The clause's place in the bucket.
    pub clause: u32,
    /// How many members list it.
    pub members: u64,
    /// Their targets in class order, and how many members have each.
    pub targets: Vec<(Label, u64)>,
}

/// Sizes of several things, by how many have which.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spread(BTreeMap<usize, u64>);

impl Spread {
    /// Adds a thing of this size.
    pub fn add(&mut self, size: usize) {
        *self.0.entry(size).or_default() += 1;
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Self) {
        for (size, count) in &other.0 {
            *self.0.entry(*size).or_default() += count;
        }
    }

    /// How many things there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The sum of their sizes.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().map(|(size, count)| *size as u64 * count).sum()
    }

    /// The smallest size, the median (of an even number the lower of the two in the middle) and the largest; `None`
    /// without anything.
    #[must_use]
    pub fn min_median_max(&self) -> Option<(usize, usize, usize)> {
        let half = self.count().div_ceil(2);
        let mut seen = 0;
        let median = self.0.iter().find_map(|(size, count)| {
            seen += count;
            (seen >= half).then_some(*size)
        });
        Some((*self.0.keys().next()?, median?, *self.0.keys().next_back()?))
    }
}

impl Overview {
    /// Looks through a model, and keeps this many of the largest clauses.
    #[must_use]
    pub fn new(model: &Model, largest: usize) -> Self {
        let mut overview = Self {
            layers: Vec::with_capacity(model.layers.len()),
            kinds: BTreeMap::new(),
            features: vec![FeatureUse::default(); model.head.features.len()],
            largest: Vec::new(),
        };
        let mut largest = Largest::new(largest);
        for (layer, buckets) in (0_u32..).zip(&model.layers) {
            let mut sums = LayerOverview::default();
            for (place, bucket) in (0_u32..).zip(buckets) {
                overview.bucket(bucket, &mut sums);
                overview.clauses(bucket, (layer, place), &mut largest);
            }
            overview.layers.push(sums);
        }
        overview.largest = largest.distinct(model);
        overview
    }

    /// All layers' sizes together.
    #[must_use]
    pub fn whole(&self) -> LayerOverview {
        let mut whole = LayerOverview::default();
        for layer in &self.layers {
            whole.core += layer.core;
            whole.noise += layer.noise;
            whole.votes += layer.votes;
            whole.members.merge(&layer.members);
            whole.clauses.merge(&layer.clauses);
            whole.literals.merge(&layer.literals);
            whole.condition.merge(&layer.condition);
        }
        whole
    }

    fn bucket(&mut self, bucket: &Bucket<u32>, sums: &mut LayerOverview) {
        let noise = bucket.origins.iter().filter(|origin| **origin == Origin::Noise).count() as u64;
        sums.noise += noise;
        sums.core += bucket.members.len() as u64 - noise;
        sums.members.add(bucket.members.len());
        sums.clauses.add(bucket.clauses.len());
        if let Some(condition) = &bucket.condition {
            sums.condition.add(condition.len());
        }
        for literal in bucket.condition.iter().flatten() {
            self.kind(literal, |kind| kind.conditions += 1);
            if let Some(feature) = self.feature(literal) {
                feature.conditions += 1;
            }
        }
        for clause in &bucket.clauses {
            sums.literals.add(clause.len());
        }
        sums.votes += bucket.lookalikes.conditions() as u64;
    }

    /// What the clauses of a bucket carry.
    fn clauses(&mut self, bucket: &Bucket<u32>, place: (u32, u32), largest: &mut Largest) {
        // Votes that name the clause, members that list it, and the last such entry.
        let mut carried = vec![(0_u64, 0_u64, usize::MAX); bucket.clauses.len()];
        for (entry, (_, conditions)) in bucket.lookalikes.iter().enumerate() {
            for clause in conditions.flatten() {
                if let Some((votes, members, last)) = carried.get_mut(*clause as usize) {
                    *votes += 1;
                    *members += u64::from(*last != entry);
                    *last = entry;
                }
            }
        }
        for ((clause, literals), (votes, members, _)) in (0_u32..).zip(&bucket.clauses).zip(carried) {
            for literal in literals {
                self.kind(literal, |kind| kind.clauses += 1);
                if let Some(feature) = self.feature(literal) {
                    feature.clauses += 1;
                    feature.strength += votes;
                }
            }
            largest.add(members, place, clause);
        }
    }

    fn kind(&mut self, literal: &Literal, count: impl Fn(&mut KindUse)) {
        let name = literal.test.kind();
        match self.kinds.get_mut(name) {
            Some(kind) => count(kind),
            None => count(self.kinds.entry(name.to_owned()).or_default()),
        }
    }

    fn feature(&mut self, literal: &Literal) -> Option<&mut FeatureUse> {
        self.features.get_mut((literal.column as usize).checked_sub(1)?)
    }
}

impl LargeClause {
    /// The clause as a rule: the parts of an AND of the bucket's condition and the opposites of the clause's literals.
    /// Rows that an earlier bucket of the layer takes don't come so far.
    #[must_use]
    pub fn parts(&self, model: &Model) -> Vec<String> {
        let bucket = model.layers.get(self.layer as usize).and_then(|layer| layer.get(self.bucket as usize));
        let Some(bucket) = bucket else { return Vec::new() };
        let clause = bucket.clauses.get(self.clause as usize).into_iter().flatten().map(Literal::opposite);
        let all: Vec<Literal> = bucket.condition.iter().flatten().cloned().chain(clause).collect();
        and_parts(&all, &model.head)
    }
}

/// The largest clauses, and the next ones, in case that some say the same.
struct Largest {
    wanted: usize,
    room: usize,
    /// By how many members list them, then layer, bucket and clause.
    clauses: BTreeSet<(Reverse<u64>, u32, u32, u32)>,
}

impl Largest {
    fn new(wanted: usize) -> Self {
        // There may be hundreds about the same rows.
        let room = if wanted == 0 { 0 } else { wanted.saturating_mul(200).max(5000) };
        Self { wanted, room, clauses: BTreeSet::new() }
    }

    fn add(&mut self, members: u64, (layer, bucket): (u32, u32), clause: u32) {
        if members == 0 {
            return;
        }
        let new = (Reverse(members), layer, bucket, clause);
        if self.clauses.len() < self.room {
            self.clauses.insert(new);
        } else if self.clauses.last().is_some_and(|last| new < *last) {
            self.clauses.insert(new);
            self.clauses.pop_last();
        }
    }

    /// Those that say something new of at least half of their members.
    fn distinct(self, model: &Model) -> Vec<LargeClause> {
        let mut told = vec![false; model.targets.len()];
        let mut largest: Vec<LargeClause> = Vec::new();
        let mut steps = STEPS;
        for (Reverse(members), layer, place, clause) in self.clauses {
            if largest.len() >= self.wanted {
                break;
            }
            let bucket = model.layers.get(layer as usize).and_then(|layer| layer.get(place as usize));
            let Some(bucket) = bucket else { continue };
            // A candidate costs a walk through its bucket, which may be as large as the model.
            let Some(left) = steps.checked_sub(bucket.lookalikes.clauses().len()) else { break };
            steps = left;
            let rows = listing(bucket, clause);
            let known = rows.iter().filter(|row| told.get(**row as usize).is_some_and(|told| *told)).count();
            if known * 2 > rows.len() {
                continue;
            }
            for row in &rows {
                if let Some(told) = told.get_mut(*row as usize) {
                    *told = true;
                }
            }
            let targets = targets(model, &rows);
            largest.push(LargeClause { layer, bucket: place, clause, members, targets });
        }
        largest
    }
}

/// The members that list a clause.
fn listing(bucket: &Bucket<u32>, clause: u32) -> Vec<u32> {
    bucket
        .lookalikes
        .iter()
        .filter(|(_, conditions)| conditions.clone().flatten().any(|named| *named == clause))
        .filter_map(|(position, _)| bucket.members.get(position as usize).copied())
        .collect()
}

/// The targets of rows in class order, and how many rows have each.
fn targets(model: &Model, rows: &[u32]) -> Vec<(Label, u64)> {
    let mut labels: Vec<&Label> = rows.iter().filter_map(|row| model.targets.get(*row as usize)).collect();
    labels.sort_by(|a, b| a.class_order(b));
    labels
        .chunk_by(|a, b| a == b)
        .filter_map(|same| Some(((*same.first()?).clone(), same.len() as u64)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_a_small_model() {
        let model = Model::read(include_bytes!("../testdata/tiny.json")).unwrap();
        let overview = Overview::new(&model, 3);
        assert_eq!(overview.layers.len(), 3);
        let first = &overview.layers[0];
        assert_eq!((first.core, first.noise, first.votes), (5, 2, 7));
        assert_eq!(first.members.min_median_max(), Some((2, 2, 3)));
        assert_eq!(first.clauses.min_median_max(), Some((0, 2, 3)));
        // One literal, two, none; one, two.
        assert_eq!(first.literals.min_median_max(), Some((0, 1, 2)));
        assert_eq!((first.condition.count(), first.condition.total()), (2, 3));
        assert_eq!(overview.layers[1], LayerOverview::default());
        let whole = overview.whole();
        assert_eq!((whole.core, whole.noise, whole.members.count()), (11, 2, 5));
        assert_eq!(overview.kinds["N"], KindUse { conditions: 3, clauses: 4 });
        assert_eq!(overview.kinds["FUTURE"], KindUse { conditions: 0, clauses: 1 });

        // `size` in clauses: 0 <= x (named twice), 3.5 > x (once), 2.5 > x (three times), 2.5 <= x (twice).
        assert_eq!(overview.features[0], FeatureUse { conditions: 3, clauses: 4, strength: 2 + 1 + 3 + 2 });
        let clause = &overview.largest[0];
        assert_eq!((clause.layer, clause.bucket, clause.clause, clause.members), (2, 1, 0, 3));
        assert_eq!(clause.targets, [(Label::Text("green".into()), 1), (Label::Text("red".into()), 2)]);
        assert_eq!(clause.parts(&model), ["2.5 <= size < 100"]);
        assert_eq!(overview.largest.len(), 3);
        assert!(overview.largest.windows(2).all(|pair| pair[0].members >= pair[1].members));
        assert_eq!(Overview::new(&model, 0).largest, []);
    }

    /// Three rules about the same rows, a smaller one that has half its rows in common with them, and one of other rows.
    #[test]
    fn the_largest_clauses_are_not_one_rule_in_many_words() {
        let rows = 0..14;
        let targets: Vec<u32> = rows.clone().map(|row| u32::from(row >= 8)).collect();
        let clause = |x: u32| serde_json::json!([[1, f64::from(x), true, "N"]]);
        let lists: serde_json::Map<String, serde_json::Value> = rows
            .clone()
            .map(|row| {
                let lists = match row {
                    0..4 => serde_json::json!([[0], [1], [2]]),
                    4..6 => serde_json::json!([[0], [1], [2], [3]]),
                    6..8 => serde_json::json!([[3]]),
                    8..12 => serde_json::json!([[4], [5]]),
                    _ => serde_json::json!([[5]]),
                };
                (row.to_string(), lists)
            })
            .collect();
        let file = serde_json::json!({ "header": ["y", "x"], "target": "y", "datatypes": ["B", "N"],
            "targets": targets, "layers": [[{ "condition": null, "members": rows.collect::<Vec<_>>(),
            "clauses": (0..6).map(clause).collect::<Vec<_>>(), "lookalikes": lists }]] });
        let model = Model::read(file.to_string().as_bytes()).unwrap();
        let told = |largest: usize| -> Vec<(u32, u64)> {
            Overview::new(&model, largest)
                .largest
                .iter()
                .map(|clause| (clause.clause, clause.members))
                .collect()
        };
        assert_eq!(told(9), [(0, 6), (5, 6), (3, 4)]);
        assert_eq!(told(2), [(0, 6), (5, 6)]);
    }

    #[test]
    fn spreads() {
        let mut spread = Spread::default();
        assert_eq!(spread.min_median_max(), None);
        [5, 1, 9, 3].into_iter().for_each(|size| spread.add(size));
        assert_eq!(spread.min_median_max(), Some((1, 3, 9)));
        spread.add(8);
        assert_eq!(spread.min_median_max(), Some((1, 5, 9)));
        assert_eq!((spread.count(), spread.total()), (5, 26));
    }
}
