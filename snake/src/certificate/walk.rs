//! The chain walk over many rows at once, by the conditions' shared beginnings.
//!
//! Neighbours in a chain whose conditions begin alike are asked that beginning once. A row for which it does not hold, or
//! that no condition of these neighbours holds for, goes on to what follows them: exactly what the chain says.

use std::ops::Range;

use crate::literal::Literal;
use crate::program::{Ask, Bound};

/// How many beginnings within beginnings are followed; what is left is asked bucket by bucket.
const MAX_LEVEL: usize = 200;

/// A bucket's condition, as literals and compiled. ELSE has none of either.
#[derive(Clone, Copy)]
pub(super) struct Condition<'c> {
    pub(super) literals: &'c [Literal],
    pub(super) tests: &'c [Ask],
}

/// Walks rows (ascending) down a chain: per bucket the rows that it takes, and the rows that no condition holds for.
pub(super) fn walk(
    bound: &mut Bound<'_>,
    chain: &[Condition<'_>],
    rows: Vec<u32>,
) -> (Vec<Vec<u32>>, Vec<u32>) {
    let mut walk = Walk { chain, taken: vec![Vec::new(); chain.len()] };
    let rest = walk.group(bound, 0..chain.len(), 0, rows, 0);
    (walk.taken, rest)
}

struct Walk<'c> {
    chain: &'c [Condition<'c>],
    taken: Vec<Vec<u32>>,
}

impl Walk<'_> {
    /// Gives rows, for which the first `known` literals of all these buckets hold, to them; returns who is left.
    fn group(
        &mut self,
        bound: &mut Bound<'_>,
        buckets: Range<usize>,
        known: usize,
        mut rows: Vec<u32>,
        level: usize,
    ) -> Vec<u32> {
        let mut place = buckets.start;
        while place < buckets.end && !rows.is_empty() {
            let Some(condition) = self.chain.get(place) else { return rows };
            let (Some(literal), Some(test)) = (condition.literals.get(known), condition.tests.get(known))
            else {
                if let Some(taken) = self.taken.get_mut(place) {
                    *taken = rows;
                }
                return Vec::new();
            };
            let following = self.chain.get(place + 1..buckets.end).unwrap_or_default();
            let alike = following.iter().take_while(|next| next.literals.get(known) == Some(literal)).count();
            let mut here = rows.clone();
            bound.retain(*test, true, &mut here);
            remove(&mut rows, &here);
            // A level down the same again: what is no longer needed must not add up.
            rows.shrink_to_fit();
            here.shrink_to_fit();
            let left = if alike > 0 && level < MAX_LEVEL {
                self.group(bound, place..place + 1 + alike, known + 1, here, level + 1)
            } else {
                self.one_by_one(bound, place..place + 1 + alike, known + 1, here)
            };
            rows = merge(rows, left);
            place += 1 + alike;
        }
        rows
    }

    /// As [`group`](Self::group), without a look at what they share.
    fn one_by_one(
        &mut self,
        bound: &mut Bound<'_>,
        buckets: Range<usize>,
        known: usize,
        mut rows: Vec<u32>,
    ) -> Vec<u32> {
        for place in buckets {
            let Some(condition) = self.chain.get(place) else { continue };
            let mut here = rows.clone();
            bound.all_true(condition.tests.get(known..).unwrap_or_default(), &mut here);
            remove(&mut rows, &here);
            if let Some(taken) = self.taken.get_mut(place) {
                *taken = here;
            }
        }
        rows
    }
}

/// Takes `others`, which are among them, out of `rows`; both ascending.
fn remove(rows: &mut Vec<u32>, others: &[u32]) {
    let mut others = others.iter().peekable();
    rows.retain(|row| others.next_if_eq(&row).is_none());
}

/// Two ascending lists as one.
fn merge(a: Vec<u32>, b: Vec<u32>) -> Vec<u32> {
    if a.is_empty() {
        return b;
    }
    if b.is_empty() {
        return a;
    }
    let mut merged = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.into_iter().peekable(), b.into_iter().peekable());
    while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
        merged.extend(if x < y { a.next() } else { b.next() });
    }
    merged.extend(a);
    merged.extend(b);
    merged
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::batch::RowBatchBuilder;
    use crate::literal::{Measure, Test};
    use crate::program::Program;
    use crate::schema::{Feature, FeatureKind};
    use crate::value::Value;

    proptest! {
        /// The walk by beginnings is the walk bucket by bucket, missing values included.
        #[test]
        fn is_the_chain(
            chain in prop::collection::vec(prop::collection::vec((0..3_u32, 0..4_i8, any::<bool>()), 0..4), 0..12),
            cells in prop::collection::vec((prop::option::of(0..5_i8), prop::option::of(0..5_i8)), 1..40),
        ) {
            let features = ["a", "b"].map(|name| Feature { name: name.into(), kind: FeatureKind::Number });
            let mut builder = RowBatchBuilder::new(&features);
            let value = |x: Option<i8>| x.map_or(Value::Missing, |x| Value::Number(f64::from(x)));
            for (a, b) in &cells {
                builder.push(&[value(*a), value(*b)]).unwrap();
            }
            let batch = builder.take();
            let literals: Vec<Vec<Literal>> = chain
                .iter()
                .map(|condition| {
                    condition
                        .iter()
                        .map(|(column, t, negated)| Literal {
                            column: *column,
                            negated: *negated,
                            test: Test::Threshold(Measure::N, f64::from(*t)),
                        })
                        .collect()
                })
                .collect();
            let mut program = Program::new(features.iter().map(|feature| feature.kind));
            let tests: Vec<_> = literals.iter().map(|literals| program.literals(literals)).collect();
            let conditions: Vec<Condition<'_>> =
                literals.iter().zip(&tests).map(|(literals, tests)| Condition { literals, tests }).collect();
            let rows: Vec<u32> = (0..cells.len() as u32).collect();
            let mut bound = program.bind(batch.columns());
            let found = walk(&mut bound, &conditions, rows.clone());
            let mut rest = rows;
            let mut taken = Vec::new();
            for condition in &literals {
                let holds = |row: &u32| {
                    condition.iter().all(|literal| {
                        let feature = (literal.column as usize).checked_sub(1);
                        feature.is_some_and(|feature| literal.holds(batch.value(feature, *row as usize)))
                    })
                };
                let (here, others) = rest.into_iter().partition(holds);
                taken.push(here);
                rest = others;
            }
            prop_assert_eq!(found, (taken, rest));
        }
    }
}
