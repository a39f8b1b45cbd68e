//! Literals compiled for columns: many rows are asked at once.
//!
//! A literal over a column becomes a question about a number (the column itself, or a measure taken of it once) or
//! about a text. Texts are asked once per distinct text where a column has few of them. Missing values are NaN, for
//! which no question is true.

mod view;

use std::collections::HashMap;
use std::sync::OnceLock;

use rayon::prelude::*;

use crate::batch::MISSING_CODE;
use crate::literal::{Comparison, Interval, Literal, Measure, Quote, Standardised, Test, TextTest};
use crate::measure;
use crate::schema::FeatureKind;
use crate::table::Column;

pub(crate) use view::View;

/// Columns with at most so many distinct texts have every answer remembered.
const FEW_TEXTS: usize = 256;
/// Columns with at most so many have them remembered where enough rows ask at once; others are asked row by row.
const REMEMBERED_TEXTS: usize = 4096;

/// Literals over the columns of one schema. What is compiled stands in [`Ask`]s; what these share stands here.
#[derive(Debug, Default)]
pub(crate) struct Program {
    kinds: Vec<FeatureKind>,
    /// Numbers that are asked about: of a column a measure.
    lanes: Vec<(usize, Measure)>,
    lane_ids: HashMap<(usize, Measure), u32>,
    /// Questions with more than one number in them.
    specials: Vec<(u32, Special)>,
    /// Questions about texts, in their plain form, so that literals and their opposites share answers.
    texts: Vec<(usize, Test)>,
    text_ids: HashMap<TextKey, u32>,
}

/// A literal over a known column, small enough that models of many millions of them fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Ask {
    Never,
    Always,
    /// The lane's number is below.
    Below(u32, f64),
    /// The lane's number is at least this.
    AtLeast(u32, f64),
    Zero(u32),
    NotZero(u32),
    Special(u32),
    Text {
        slot: u32,
        negated: bool,
    },
}

/// A question about a number, false for NaN.
#[derive(Debug, Clone, Copy)]
enum Special {
    /// `(x - mean) / deviation` is below the threshold, or at least it.
    Standardised { mean: f64, deviation: f64, threshold: f64, below: bool },
    /// `low < x <= high`.
    Inside(f64, f64),
    /// A number that is not.
    Outside(f64, f64),
}

/// What makes two text questions the same.
#[derive(Debug, PartialEq, Eq, Hash)]
enum TextKey {
    Reference(usize, Comparison, Quote, u64),
    Frequencies(usize, Vec<(char, u64)>, u64),
    Text(usize, TextTest, Quote),
}

/// A sequence of tests: a condition's, all to be true, or a clause's, all to be false.
pub(crate) type Tests = Vec<Ask>;

impl Ask {
    /// Equal for questions that have the same answer everywhere.
    pub(crate) fn key(self) -> (u64, u64) {
        let word = |tag: u64, index: u32| tag << 32 | u64::from(index);
        match self {
            Self::Never => (0, 0),
            Self::Always => (word(1, 0), 0),
            Self::Below(lane, t) => (word(2, lane), t.to_bits()),
            Self::AtLeast(lane, t) => (word(3, lane), t.to_bits()),
            Self::Zero(lane) => (word(4, lane), 0),
            Self::NotZero(lane) => (word(5, lane), 0),
            Self::Special(index) => (word(6, index), 0),
            Self::Text { slot, negated } => (word(7 + u64::from(negated), slot), 0),
        }
    }
}

#[allow(clippy::cast_possible_truncation)] // lanes, specials and texts are at most literals, which fit a u32
impl Program {
    /// No literals yet, over columns of these kinds.
    pub(crate) fn new(kinds: impl IntoIterator<Item = FeatureKind>) -> Self {
        Self { kinds: kinds.into_iter().collect(), ..Self::default() }
    }

    /// A literal that is true for every row.
    #[allow(clippy::unused_self)] // as the others are made
    pub(crate) fn always(&mut self) -> Ask {
        Ask::Always
    }

    /// Adds the literals of a condition or a clause.
    pub(crate) fn literals(&mut self, literals: &[Literal]) -> Tests {
        literals.iter().map(|literal| self.literal(literal)).collect()
    }

    /// Adds a literal.
    pub(crate) fn literal(&mut self, literal: &Literal) -> Ask {
        // Column 0 is the target, which rows do not have.
        let Some(column) = (literal.column as usize).checked_sub(1) else { return Ask::Never };
        let Some(kind) = self.kinds.get(column).copied() else { return Ask::Never };
        let negated = literal.negated;
        match (&literal.test, kind) {
            (Test::Threshold(measure, t), _) => {
                if measure.of_numbers() != (kind == FeatureKind::Number) {
                    return Ask::Never;
                }
                let lane = self.lane(column, *measure);
                if negated { Ask::AtLeast(lane, *t) } else { Ask::Below(lane, *t) }
            }
            (Test::Standardised(scale), FeatureKind::Number) => {
                let Standardised { mean, deviation, threshold } = **scale;
                self.special(column, Special::Standardised { mean, deviation, threshold, below: !negated })
            }
            (Test::Zero, FeatureKind::Number) => {
                let lane = self.lane(column, Measure::N);
                if negated { Ask::NotZero(lane) } else { Ask::Zero(lane) }
            }
            (Test::Range(range), FeatureKind::Number) => {
                let Interval { low, high } = **range;
                let range = if negated { Special::Inside(low, high) } else { Special::Outside(low, high) };
                self.special(column, range)
            }
            (test, FeatureKind::Text) => match TextKey::of(column, test) {
                Some(key) => {
                    let next = self.texts.len() as u32;
                    let slot = *self.text_ids.entry(key).or_insert(next);
                    if slot == next {
                        self.texts.push((column, test.clone()));
                    }
                    Ask::Text { slot, negated }
                }
                None => Ask::Never,
            },
            _ => Ask::Never,
        }
    }

    fn lane(&mut self, column: usize, measure: Measure) -> u32 {
        let next = self.lanes.len() as u32;
        let lane = *self.lane_ids.entry((column, measure)).or_insert(next);
        if lane == next {
            self.lanes.push((column, measure));
        }
        lane
    }

    fn special(&mut self, column: usize, special: Special) -> Ask {
        let lane = self.lane(column, Measure::N);
        self.specials.push((lane, special));
        Ask::Special((self.specials.len() - 1) as u32)
    }

    /// The literals over these columns, which are of the program's kinds. Measures are taken here: of every number, and of
    /// every distinct text.
    pub(crate) fn bind<'a>(&'a self, columns: &'a [Column]) -> Bound<'a> {
        let lanes = self
            .lanes
            .par_iter()
            .map(|(column, kind)| match (columns.get(*column), kind) {
                (Some(Column::Number(values)), Measure::N) => Lane::Column(values),
                (Some(Column::Number(values)), _) => {
                    let of = |x: &f64| measure::of_number(*kind, *x).unwrap_or(f64::NAN);
                    Lane::Rows(values.iter().map(|x| if x.is_nan() { f64::NAN } else { of(x) }).collect())
                }
                (Some(Column::Text(text)), _) => {
                    let of = |text: &str| measure::of_text(*kind, text).unwrap_or(f64::NAN);
                    Lane::Texts(text.dictionary.iter().map(|text| of(text)).collect(), *column)
                }
                (None, _) => Lane::Column(&[]),
            })
            .collect();
        let answers = self.texts.iter().map(|_| OnceLock::new()).collect();
        Bound { program: self, columns, lanes, answers }
    }
}

impl TextKey {
    /// `None` for what is no question about a text.
    fn of(column: usize, test: &Test) -> Option<Self> {
        match test {
            Test::Reference(comparison, reference) => {
                let threshold = reference.threshold.to_bits();
                Some(Self::Reference(column, *comparison, reference.text.clone(), threshold))
            }
            Test::Frequencies(expected) => {
                let shares = expected.shares.iter().map(|(c, share)| (*c, share.to_bits())).collect();
                Some(Self::Frequencies(column, shares, expected.threshold.to_bits()))
            }
            Test::Text(test, value) => Some(Self::Text(column, *test, value.clone())),
            _ => None,
        }
    }
}

/// A lane's numbers: NaN where there is none.
#[derive(Debug)]
enum Lane<'a> {
    /// A number column as it is.
    Column(&'a [f64]),
    /// A measure of every row.
    Rows(Vec<f64>),
    /// A measure of every distinct text of a column.
    Texts(Vec<f64>, usize),
}

/// A program over the columns of a batch. Several threads may ask at once.
#[derive(Debug)]
pub(crate) struct Bound<'a> {
    program: &'a Program,
    columns: &'a [Column],
    lanes: Vec<Lane<'a>>,
    /// Per text question its plain answer for every distinct text, and false for none; made when first needed.
    answers: Vec<OnceLock<Box<[bool]>>>,
}

impl Bound<'_> {
    /// The codes and texts of a column.
    fn text(&self, column: usize) -> (&[u32], &[Box<str>]) {
        match self.columns.get(column) {
            Some(Column::Text(text)) => (&text.codes, &text.dictionary),
            _ => (&[], &[]),
        }
    }

    /// The answers of a text question per code, where it is worth having all of them for so many rows.
    fn answers(&self, slot: u32, rows: usize) -> Option<&[bool]> {
        let (column, test) = self.program.texts.get(slot as usize)?;
        let (_, dictionary) = self.text(*column);
        let answers = self.answers.get(slot as usize)?;
        if let Some(answers) = answers.get() {
            return Some(answers);
        }
        let worth = dictionary.len() <= FEW_TEXTS
            || (dictionary.len() <= REMEMBERED_TEXTS && rows >= dictionary.len() / 4);
        worth.then(|| {
            &**answers.get_or_init(|| {
                dictionary.iter().map(|text| test.plain_on_text(text) == Some(true)).collect()
            })
        })
    }

    /// Whether a literal holds for a row.
    fn holds(&self, ask: Ask, row: u32) -> bool {
        match ask {
            Ask::Never => false,
            Ask::Always => true,
            Ask::Below(lane, t) => self.number(lane, row) < t,
            Ask::AtLeast(lane, t) => self.number(lane, row) >= t,
            Ask::Zero(lane) => self.number(lane, row) == 0.0,
            Ask::NotZero(lane) => self.number(lane, row).abs() > 0.0,
            Ask::Special(index) => match self.program.specials.get(index as usize) {
                Some((lane, special)) => special.holds(self.number(*lane, row)),
                None => false,
            },
            Ask::Text { slot, negated } => {
                let Some((column, test)) = self.program.texts.get(slot as usize) else { return false };
                let (codes, dictionary) = self.text(*column);
                let text = dictionary.get(code_at(codes, row) as usize);
                text.and_then(|text| test.plain_on_text(text)).is_some_and(|plain| plain != negated)
            }
        }
    }

    fn number(&self, lane: u32, row: u32) -> f64 {
        match self.lanes.get(lane as usize) {
            Some(Lane::Column(values)) => at(values, row),
            Some(Lane::Rows(values)) => at(values, row),
            Some(Lane::Texts(values, column)) => at(values, code_at(self.text(*column).0, row)),
            None => f64::NAN,
        }
    }

    /// Keeps the rows on which the literal is `wanted`.
    pub(crate) fn retain(&self, ask: Ask, wanted: bool, rows: &mut Vec<u32>) {
        match ask {
            Ask::Text { slot, negated } => {
                let column = self.program.texts.get(slot as usize).map_or(usize::MAX, |text| text.0);
                let (codes, _) = self.text(column);
                match self.answers(slot, rows.len()) {
                    Some(answers) => compact(rows, |row| {
                        let plain = answers.get(code_at(codes, row) as usize);
                        plain.is_some_and(|plain| *plain != negated) == wanted
                    }),
                    None => compact(rows, |row| self.holds(ask, row) == wanted),
                }
            }
            Ask::Below(lane, t) => compact(rows, |row| (self.number(lane, row) < t) == wanted),
            Ask::AtLeast(lane, t) => compact(rows, |row| (self.number(lane, row) >= t) == wanted),
            _ => compact(rows, |row| self.holds(ask, row) == wanted),
        }
    }

    /// Keeps the rows on which all of the literals are true.
    pub(crate) fn all_true(&self, tests: &[Ask], rows: &mut Vec<u32>) {
        for test in tests {
            if rows.is_empty() {
                return;
            }
            self.retain(*test, true, rows);
        }
    }

    /// Keeps the rows on which all of the literals are false.
    pub(crate) fn all_false(&self, tests: &[Ask], rows: &mut Vec<u32>) {
        for test in tests {
            if rows.is_empty() {
                return;
            }
            self.retain(*test, false, rows);
        }
    }
}

impl Special {
    #[inline]
    fn holds(self, x: f64) -> bool {
        match self {
            Self::Standardised { mean, deviation, threshold, below } => {
                let m = (x - mean) / deviation;
                if below { m < threshold } else { m >= threshold }
            }
            Self::Inside(low, high) => low < x && x <= high,
            Self::Outside(low, high) => !(x.is_nan() || low < x && x <= high),
        }
    }
}

fn at(values: &[f64], row: u32) -> f64 {
    values.get(row as usize).copied().unwrap_or(f64::NAN)
}

fn code_at(codes: &[u32], row: u32) -> u32 {
    codes.get(row as usize).copied().unwrap_or(MISSING_CODE)
}

/// `Vec::retain` without a branch per row.
fn compact(rows: &mut Vec<u32>, mut keep: impl FnMut(u32) -> bool) {
    let mut kept = 0;
    for place in 0..rows.len() {
        let row = rows[place];
        rows[kept] = row;
        kept += usize::from(keep(row));
    }
    rows.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::RowBatchBuilder;
    use crate::bits::{insert_range, members, words};
    use crate::schema::Feature;
    use crate::value::Value;

    /// Every kind, both ways, over every value: the program says what the definition says.
    #[test]
    fn agrees_with_the_definition() {
        let literals: Vec<Literal> = include_str!("../testdata/literals.jsonl")
            .lines()
            .map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                serde_json::from_value(line["literal"].clone()).unwrap()
            })
            .collect();
        let texts = ["", "a", "Lisboa", "14 bis", "deadBEEF", "xyxyxyxyx", "straße", "½ pint"];
        let numbers = [0.0, 1.0, -1.0, 2.5, 1e-5, 1e16, -999.0];
        for more_texts in [0, 100, 2 * REMEMBERED_TEXTS] {
            let features = [("number", FeatureKind::Number), ("text", FeatureKind::Text)]
                .map(|(name, kind)| Feature { name: name.into(), kind });
            let mut builder = RowBatchBuilder::new(&features);
            builder.push(&[Value::Missing, Value::Missing]).unwrap();
            for (index, text) in texts.iter().enumerate() {
                let number = numbers.get(index).map_or(Value::Missing, |x| Value::Number(*x));
                builder.push(&[number, Value::Text(text)]).unwrap();
            }
            for index in 0..more_texts {
                builder.push(&[Value::Missing, Value::Text(&format!("text {index}"))]).unwrap();
            }
            let batch = builder.take();
            let mut program = Program::new(features.iter().map(|feature| feature.kind));
            let mut cases = Vec::new();
            for literal in &literals {
                for column in 0..4 {
                    for negated in [false, true] {
                        let literal = Literal { column, negated, ..literal.clone() };
                        cases.push((program.literal(&literal), literal));
                    }
                }
            }
            let bound = program.bind(batch.columns());
            let mut view = View::default();
            let mut all: Vec<u32> = (0..20.min(batch.rows() as u32)).collect();
            // More rows than a block of bits has, some more than once.
            all.extend_from_within(..);
            all.extend((0..batch.rows() as u32).cycle().take(70));
            for (id, literal) in cases {
                let rows: Vec<u32> = (0..20.min(batch.rows() as u32)).collect();
                let mut found = rows.clone();
                bound.retain(id, true, &mut found);
                let mut others = rows.clone();
                bound.retain(id, false, &mut others);
                let holds = |row: &u32| match (literal.column as usize).checked_sub(1) {
                    Some(feature) => literal.holds(batch.value(feature, *row as usize)),
                    None => false,
                };
                let (expected, opposite): (Vec<u32>, Vec<u32>) = rows.into_iter().partition(holds);
                assert_eq!(found, expected, "{literal:?}");
                assert_eq!(others, opposite, "{literal:?}");
                view.look_at(all.iter().copied());
                for wanted in [true, false] {
                    let mut set = vec![0; words(all.len())];
                    insert_range(&mut set, 0..all.len());
                    view.meet(&bound, id, wanted, &mut set);
                    let expected: Vec<usize> =
                        (0..all.len()).filter(|place| holds(&all[*place]) == wanted).collect();
                    assert_eq!(members(&set).collect::<Vec<_>>(), expected, "{literal:?}");
                }
            }
        }
    }
}
