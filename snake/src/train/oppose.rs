//! Oppose: a random literal that is true on one row and false on another.
//!
//! A feature is drawn among those in which the rows differ, by weight; then a family by the profile's shares. Every
//! family may fail (texts of equal length have no length between them), the last resort of each kind can't: TEQ on a
//! text, a threshold on a number.

use super::draft::{Draft, DraftTest};
use super::error::TrainError;
use super::odds::Odds;
use super::oppose_number::number;
use super::oppose_text::text;
use super::prepared::{FeatureView, Prepared};
use crate::stream::Stream;

/// A literal that is true on row `yes` and false on row `no`.
///
/// # Errors
/// [`TrainError::Conflict`] when the rows have the same features.
pub(super) fn oppose(
    prepared: &Prepared,
    stream: &mut Stream,
    yes: u32,
    no: u32,
) -> Result<Draft, TrainError> {
    oppose_by(prepared.odds(), prepared, stream, yes, no)
}

/// The same, on a feature that has a weight in `odds` where the rows differ in such a one, else on any.
///
/// # Errors
/// [`TrainError::Conflict`] when the rows have the same features.
pub(super) fn oppose_by(
    odds: &Odds,
    prepared: &Prepared,
    stream: &mut Stream,
    yes: u32,
    no: u32,
) -> Result<Draft, TrainError> {
    let differs = |feature| prepared.differs(feature, yes, no);
    match odds.draw(stream, differs).or_else(|| prepared.odds().draw(stream, differs)) {
        Some(feature) => {
            let codes = prepared.codes(feature);
            let mut draft = Draft::default();
            oppose_in(feature, prepared, stream, codes[yes as usize], codes[no as usize], &mut draft);
            Ok(draft)
        }
        None => Err(conflict(prepared, yes, no)),
    }
}

/// The error for two rows of different classes that have the same features.
#[cold]
pub(super) fn conflict(prepared: &Prepared, a: u32, b: u32) -> TrainError {
    TrainError::Conflict { first: prepared.ordinal(a.min(b)), second: prepared.ordinal(a.max(b)) }
}

/// Sets `out` to a literal on a feature that is true on rows of the code `yes` and false on those of the other code `no`.
pub(super) fn oppose_in(
    feature: u32,
    prepared: &Prepared,
    stream: &mut Stream,
    yes: u32,
    no: u32,
    out: &mut Draft,
) {
    // Written where it stays: it is small, but copies of what was written just now are slow.
    out.feature = feature;
    (out.negated, out.test) = match prepared.view(feature) {
        FeatureView::Number(feature) => number(feature, stream, yes, no),
        FeatureView::Text { column, feature } => text(&column.dictionary, feature, stream, yes, no),
    };
}

/// Whether the test is negated, and the test.
pub(super) type Drawn = (bool, DraftTest);

/// A threshold that the lower number is below and the higher one is not: half way, or the higher one where rounding
/// leaves nothing between.
pub(super) fn between(low: f64, high: f64) -> f64 {
    let middle = low * 0.5 + high * 0.5;
    if low < middle && middle <= high { middle } else { high }
}

/// Two rows of different classes, in random order; `None` when all are of one class.
pub(super) fn draw_pair(prepared: &Prepared, stream: &mut Stream, rows: &[u32]) -> Option<(u32, u32)> {
    const DRAWS: usize = 16;
    let yes = *rows.get(stream.below(rows.len()))?;
    let class = prepared.class(yes);
    for _ in 0..DRAWS {
        let no = rows[stream.below(rows.len())];
        if prepared.class(no) != class {
            return Some((yes, no));
        }
    }
    // Rare classes: the next row of another class after a random place, and the roles by chance.
    let start = stream.below(rows.len());
    let (before, after) = rows.split_at(start);
    let no = after.iter().chain(before).copied().find(|&row| prepared.class(row) != class)?;
    Some(if stream.below(2) == 0 { (yes, no) } else { (no, yes) })
}

/// Whether the rows are of more than one class.
pub(super) fn several_classes(prepared: &Prepared, rows: &[u32]) -> bool {
    rows.first().is_some_and(|&first| {
        let class = prepared.class(first);
        rows.iter().any(|&row| prepared.class(row) != class)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_threshold_separates_any_two_numbers(a in any::<f64>(), b in any::<f64>()) {
            prop_assume!(a.is_finite() && b.is_finite() && a != b);
            let (low, high) = (a.min(b), a.max(b));
            let threshold = between(low, high);
            prop_assert!(threshold > low && threshold <= high && threshold.is_finite());
        }
    }

    #[test]
    fn long_texts_are_not_quoted_whole() {
        use std::sync::Arc;

        use super::super::quotes::Quotes;
        use crate::profile::Profile;
        use crate::schema::{Feature, FeatureKind, Label, Schema, TargetKind};
        use crate::stream::UnitSeed;
        use crate::table::{Cell, TableBuilder, TargetValue};

        let schema = Schema {
            target: "y".into(),
            target_kind: TargetKind::Binary,
            classes: vec![Label::Integer(0), Label::Integer(1)],
            features: vec![Feature { name: "t".into(), kind: FeatureKind::Text }],
        };
        // As long as each other and of the same characters: only where they differ tells them apart.
        let long = "é".repeat(20_000);
        let texts = [format!("{long}12{long}"), format!("{long}21{long}")];
        let mut table = TableBuilder::new(Arc::new(schema));
        for (ordinal, text) in (0..).zip(&texts) {
            table.push(ordinal, &[Cell::Text(text)], TargetValue::Class(ordinal as u32 % 2)).unwrap();
        }
        let table = Arc::new(table.finish());
        let mut stream = UnitSeed { fingerprint: [0; 32], seed: 1, path: 0, layer: 0 }.node(&[]);
        for profile in Profile::ALL {
            let prepared = Prepared::new(Arc::clone(&table), profile);
            for (yes, no) in [(0, 1), (1, 0)].repeat(20) {
                let draft = oppose(&prepared, &mut stream, yes, no).unwrap();
                assert!(draft.text(&prepared).len() <= 32, "{:?}", draft.test);
                let literal = draft.literal(&prepared, &mut Quotes::new());
                let holds = |row: u32| literal.holds(crate::value::Value::Text(&texts[row as usize]));
                assert_eq!((holds(yes), holds(no)), (true, false));
            }
        }
    }

    #[test]
    fn thresholds_at_the_edges() {
        assert_eq!(between(39.0, 50.0), 44.5);
        assert_eq!(between(1.0, 1.0 + f64::EPSILON), 1.0 + f64::EPSILON);
        assert_eq!(between(0.0, 5e-324), 5e-324);
        assert_eq!(between(-5e-324, 0.0).to_bits(), 0);
        assert_eq!(between(f64::MIN, f64::MAX), 0.0);
        let below = f64::from_bits(f64::MAX.to_bits() - 1);
        assert_eq!(between(below, f64::MAX), f64::MAX);
    }
}
