//! A plain reading of the model's rules, for checking what training makes: the kinds that it emits, nothing fast.

use snake::{Bucket, Cell, Literal, Measure, Test, TextTest};

/// Whether a literal is true on a row of features.
pub(crate) fn holds(literal: &Literal, cells: &[Cell<'_>]) -> bool {
    let plain = match (&literal.test, cells[literal.column as usize - 1]) {
        (Test::Threshold(Measure::N, threshold), Cell::Number(x)) => *threshold > x,
        (Test::Threshold(Measure::Tn, threshold), Cell::Text(text)) => {
            *threshold > text.chars().count() as f64
        }
        (Test::Threshold(Measure::Tln, threshold), Cell::Text(text)) => {
            let characters: std::collections::BTreeSet<char> = text.chars().collect();
            *threshold > characters.len() as f64
        }
        (Test::Text(TextTest::Contains, value), Cell::Text(text)) => text.contains(&**value),
        (Test::Text(TextTest::Equals, value), Cell::Text(text)) => *text == **value,
        (test, cell) => unreachable!("training emitted {test:?} on {cell:?}"),
    };
    plain != literal.negated
}

/// The position of the bucket that the chain walk sends a row to.
pub(crate) fn walk(layer: &[Bucket<u64>], cells: &[Cell<'_>]) -> usize {
    let matches = |bucket: &Bucket<u64>| {
        bucket
            .condition
            .as_ref()
            .is_none_or(|condition| condition.iter().all(|literal| holds(literal, cells)))
    };
    layer.iter().position(matches).unwrap_or(layer.len() - 1)
}

/// Calls `vote` with the ordinal of every lookalike of a row, once per vote.
pub(crate) fn votes(layer: &[Bucket<u64>], cells: &[Cell<'_>], mut vote: impl FnMut(u64)) {
    let bucket = &layer[walk(layer, cells)];
    let falsified: Vec<bool> =
        bucket.clauses.iter().map(|clause| !clause.iter().any(|literal| holds(literal, cells))).collect();
    for (member, conditions) in bucket.lookalikes.iter() {
        for condition in conditions {
            if condition.iter().all(|&clause| falsified[clause as usize]) {
                vote(bucket.members[member as usize]);
            }
        }
    }
}
