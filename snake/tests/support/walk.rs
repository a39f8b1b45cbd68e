//! A plain reading of the model's rules, for checking what training makes: the kinds that it emits, nothing fast.

use std::collections::{BTreeMap, BTreeSet};

use snake::{Bucket, Cell, Comparison, Literal, Measure, Test, TextTest, number_text};

/// Whether a literal is true on a row of features.
pub(crate) fn holds(literal: &Literal, cells: &[Cell<'_>]) -> bool {
    let plain = match (&literal.test, cells[literal.column as usize - 1]) {
        (Test::Threshold(measure, threshold), Cell::Number(x)) => *threshold > of_number(*measure, x),
        (Test::Threshold(measure, threshold), Cell::Text(text)) => *threshold > of_text(*measure, text),
        (Test::Standardised { mean, deviation, threshold }, Cell::Number(x)) => {
            (x - mean) / deviation < *threshold
        }
        (Test::Zero, Cell::Number(x)) => x == 0.0,
        (Test::Range { low, high }, Cell::Number(x)) => x <= *low || x > *high,
        (Test::Reference(comparison, reference, threshold), Cell::Text(text)) => {
            compare(*comparison, text, reference, *threshold)
        }
        (Test::Text(TextTest::Contains, value), Cell::Text(text)) => text.contains(&**value),
        (Test::Text(TextTest::Equals, value), Cell::Text(text)) => *text == **value,
        (Test::Text(TextTest::StartsWith, value), Cell::Text(text)) => text.starts_with(&**value),
        (Test::Text(TextTest::EndsWith, value), Cell::Text(text)) => text.ends_with(&**value),
        (test, cell) => unreachable!("training emitted {test:?} on {cell:?}"),
    };
    plain != literal.negated
}

fn of_number(measure: Measure, x: f64) -> f64 {
    match measure {
        Measure::N => x,
        Measure::Nd => number_text(x).chars().filter(char::is_ascii_digit).count() as f64,
        Measure::Nl if x < 0.0 => -libm::log(1.0 - x),
        Measure::Nl => libm::log(x + 1.0),
        other => unreachable!("training emitted {other:?} on a number"),
    }
}

fn of_text(measure: Measure, text: &str) -> f64 {
    let count = |wanted: &dyn Fn(char) -> bool| text.chars().filter(|c| wanted(*c)).count() as f64;
    let ascii = |wanted: &dyn Fn(char) -> bool| {
        assert!(text.is_ascii(), "a class of characters on {text:?}");
        count(wanted)
    };
    let length = text.chars().count() as f64;
    match measure {
        Measure::Tn => length,
        Measure::Tln => text.chars().collect::<BTreeSet<_>>().len() as f64,
        Measure::Tws => text.split(' ').count() as f64,
        Measure::Tps => text.split(',').count() as f64,
        Measure::Tss => text.split('.').count() as f64,
        Measure::Tuc => ascii(&|c| c.is_ascii_uppercase()),
        Measure::Tdc => ascii(&|c| c.is_ascii_digit()),
        Measure::Tsc => {
            ascii(&|c| !c.is_ascii_alphanumeric() && !c.is_whitespace() && !('\x1c'..='\x1f').contains(&c))
        }
        Measure::Ent => entropy(text),
        Measure::Hex => count(&|c| c.is_ascii_hexdigit()) / length.max(1.0),
        Measure::Tvr => count(&|c| "aeiou".contains(c.to_ascii_lowercase())) / length.max(1.0),
        Measure::Rep => {
            let start: Vec<char> = text.chars().take(64).collect();
            let share = |period: usize| {
                let same = (period..start.len()).filter(|i| start[*i] == start[i % period]).count();
                same as f64 / (start.len() - period) as f64
            };
            if start.len() < 4 { 0.0 } else { (1..=start.len() / 2).map(share).fold(0.0, f64::max) }
        }
        other => unreachable!("training emitted {other:?} on a text"),
    }
}

/// Summed up in the order in which the characters first occur.
fn entropy(text: &str) -> f64 {
    let mut seen = BTreeSet::new();
    let total = text.chars().count() as f64;
    let mut sum = 0.0;
    for c in text.chars() {
        if seen.insert(c) {
            let share = text.chars().filter(|other| *other == c).count() as f64 / total;
            sum -= share * libm::log2(share);
        }
    }
    sum
}

fn compare(comparison: Comparison, text: &str, reference: &str, threshold: f64) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (text.chars().collect(), reference.chars().collect());
    let common = |(a, b): (&char, &char)| a == b;
    let m = match comparison {
        Comparison::Lev => {
            assert!(a.len() <= 32 && b.len() <= 32, "an edit distance between {text:?} and {reference:?}");
            return edits(&a, &b, &mut BTreeMap::new()) as f64 > threshold;
        }
        Comparison::Jac => {
            let pairs =
                |chars: &[char]| chars.windows(2).map(|pair| (pair[0], pair[1])).collect::<BTreeSet<_>>();
            let (x, y) = (pairs(&a), pairs(&b));
            if x.is_empty() && y.is_empty() {
                f64::from(u8::from(a == b))
            } else {
                x.intersection(&y).count() as f64 / x.union(&y).count() as f64
            }
        }
        Comparison::Pfx => a.iter().zip(&b).take_while(|pair| common(*pair)).count() as f64,
        Comparison::Sfx => a.iter().rev().zip(b.iter().rev()).take_while(|pair| common(*pair)).count() as f64,
        Comparison::Sim => unreachable!("training emitted {comparison:?}"),
    };
    m < threshold
}

fn edits(a: &[char], b: &[char], known: &mut BTreeMap<(usize, usize), usize>) -> usize {
    let ([.., x], [.., y]) = (a, b) else { return a.len() + b.len() };
    if let Some(distance) = known.get(&(a.len(), b.len())) {
        return *distance;
    }
    let (a_rest, b_rest) = (&a[..a.len() - 1], &b[..b.len() - 1]);
    let replaced = edits(a_rest, b_rest, known) + usize::from(x != y);
    let distance = replaced.min(edits(a_rest, b, known) + 1).min(edits(a, b_rest, known) + 1);
    known.insert((a.len(), b.len()), distance);
    distance
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
