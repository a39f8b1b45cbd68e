//! Literals compiled for columns: many rows are asked at once.
//!
//! A literal over a column becomes a question about a number (the column itself, or a measure taken of it once) or
//! about a text. Texts are asked once per distinct text where a column has few of them. Missing values are NaN, for
//! which no question is true.

use std::collections::HashMap;

use crate::batch::MISSING_CODE;
use crate::literal::{Interval, Literal, Measure, Standardised, Test};
use crate::measure;
use crate::schema::FeatureKind;
use crate::table::Column;

/// Columns with more distinct texts than this are asked row by row: remembering every answer would take more memory
/// than it saves time.
const REMEMBERED_TEXTS: usize = 1024;

/// Names a literal of a [`Program`].
pub(crate) type TestId = u32;

/// Literals over the columns of one schema.
#[derive(Debug, Default)]
pub(crate) struct Program {
    kinds: Vec<FeatureKind>,
    compiled: Vec<Compiled>,
    measures: Vec<(usize, Measure)>,
    texts: Vec<(usize, Test)>,
    text_ids: HashMap<String, usize>,
}

/// A literal over a known column.
#[derive(Debug, Clone, Copy)]
enum Compiled {
    Never,
    Always,
    Number { column: usize, ask: Ask },
    Measured { slot: usize, ask: Ask },
    Standardised { column: usize, mean: f64, deviation: f64, ask: Ask },
    Text { slot: usize, negated: bool },
}

/// A question about a number that is false for NaN.
#[derive(Debug, Clone, Copy)]
enum Ask {
    Below(f64),
    AtLeast(f64),
    Zero,
    NotZero,
    Inside(f64, f64),
    Outside(f64, f64),
}

impl Program {
    /// No literals yet, over columns of these kinds.
    pub(crate) fn new(kinds: impl IntoIterator<Item = FeatureKind>) -> Self {
        Self { kinds: kinds.into_iter().collect(), ..Self::default() }
    }

    /// Adds a literal that is true for every row.
    pub(crate) fn always(&mut self) -> TestId {
        self.add(Compiled::Always)
    }

    /// Adds a literal.
    pub(crate) fn literal(&mut self, literal: &Literal) -> TestId {
        let compiled = self.compile(literal);
        self.add(compiled)
    }

    /// Adds the literals of a condition or a clause.
    pub(crate) fn literals(&mut self, literals: &[Literal]) -> Tests {
        literals.iter().map(|literal| self.literal(literal)).collect()
    }

    #[allow(clippy::cast_possible_truncation)]
    fn add(&mut self, compiled: Compiled) -> TestId {
        self.compiled.push(compiled);
        (self.compiled.len() - 1) as TestId
    }

    fn compile(&mut self, literal: &Literal) -> Compiled {
        // Column 0 is the target, which rows do not have.
        let Some(column) = (literal.column as usize).checked_sub(1) else { return Compiled::Never };
        let Some(kind) = self.kinds.get(column).copied() else { return Compiled::Never };
        let negated = literal.negated;
        let threshold = |t: f64| if negated { Ask::AtLeast(t) } else { Ask::Below(t) };
        match (&literal.test, kind) {
            (Test::Threshold(Measure::N, t), FeatureKind::Number) => {
                Compiled::Number { column, ask: threshold(*t) }
            }
            (Test::Threshold(measure, t), _) => {
                if measure.of_numbers() != (kind == FeatureKind::Number) {
                    return Compiled::Never;
                }
                let wanted = (column, *measure);
                let slot = match self.measures.iter().position(|known| *known == wanted) {
                    Some(slot) => slot,
                    None => {
                        self.measures.push(wanted);
                        self.measures.len() - 1
                    }
                };
                Compiled::Measured { slot, ask: threshold(*t) }
            }
            (Test::Standardised(scale), FeatureKind::Number) => {
                let Standardised { mean, deviation, threshold: t } = **scale;
                Compiled::Standardised { column, mean, deviation, ask: threshold(t) }
            }
            (Test::Zero, FeatureKind::Number) => {
                Compiled::Number { column, ask: if negated { Ask::NotZero } else { Ask::Zero } }
            }
            (Test::Range(range), FeatureKind::Number) => {
                let Interval { low, high } = **range;
                let ask = if negated { Ask::Inside(low, high) } else { Ask::Outside(low, high) };
                Compiled::Number { column, ask }
            }
            (test @ (Test::Reference(..) | Test::Frequencies(..) | Test::Text(..)), FeatureKind::Text) => {
                let plain = Literal { column: literal.column, negated: false, test: test.clone() };
                // Not finite: not to be named, so never shared.
                let known = serde_json::to_string(&plain).ok();
                let slot = match known.as_ref().and_then(|name| self.text_ids.get(name)) {
                    Some(slot) => *slot,
                    None => {
                        self.texts.push((column, plain.test));
                        self.texts.len() - 1
                    }
                };
                if let Some(name) = known {
                    self.text_ids.insert(name, slot);
                }
                Compiled::Text { slot, negated }
            }
            _ => Compiled::Never,
        }
    }

    /// The literals over these columns, which are of the program's kinds.
    pub(crate) fn bind<'a>(&'a self, columns: &'a [Column]) -> Bound<'a> {
        let measured = self
            .measures
            .iter()
            .map(|(column, kind)| match columns.get(*column) {
                Some(Column::Number(values)) => {
                    let of = |x: &f64| measure::of_number(*kind, *x).unwrap_or(f64::NAN);
                    values.iter().map(|x| if x.is_nan() { f64::NAN } else { of(x) }).collect()
                }
                Some(Column::Text(text)) => {
                    let of = |text: &str| measure::of_text(*kind, text).unwrap_or(f64::NAN);
                    text.dictionary.iter().map(|text| of(text)).collect()
                }
                None => Vec::new(),
            })
            .collect();
        Bound { program: self, columns, measured, answers: vec![Vec::new(); self.texts.len()] }
    }
}

/// A program over the columns of a batch.
#[derive(Debug)]
pub(crate) struct Bound<'a> {
    program: &'a Program,
    columns: &'a [Column],
    /// Per measure: of a number column a value per row, of a text column a value per distinct text.
    measured: Vec<Vec<f64>>,
    /// Per text test and distinct text: 0 not asked yet, else 1 + [`Answer`].
    answers: Vec<Vec<u8>>,
}

/// A sequence of tests: a condition's, all to be true, or a clause's, all to be false.
pub(crate) type Tests = Vec<TestId>;

impl Bound<'_> {
    /// Keeps the rows on which the literal is `wanted`.
    pub(crate) fn retain(&mut self, test: TestId, wanted: bool, rows: &mut Vec<u32>) {
        match self.program.compiled.get(test as usize).copied().unwrap_or(Compiled::Never) {
            Compiled::Never => {
                if wanted {
                    rows.clear();
                }
            }
            Compiled::Always => {
                if !wanted {
                    rows.clear();
                }
            }
            Compiled::Number { column, ask } => {
                if let Some(Column::Number(values)) = self.columns.get(column) {
                    ask.retain(wanted, rows, |row| at(values, row));
                }
            }
            Compiled::Standardised { column, mean, deviation, ask } => {
                if let Some(Column::Number(values)) = self.columns.get(column) {
                    ask.retain(wanted, rows, |row| (at(values, row) - mean) / deviation);
                }
            }
            Compiled::Measured { slot, ask } => {
                let (Some(values), Some((column, _))) =
                    (self.measured.get(slot), self.program.measures.get(slot))
                else {
                    return;
                };
                match self.columns.get(*column) {
                    Some(Column::Number(_)) => ask.retain(wanted, rows, |row| at(values, row)),
                    Some(Column::Text(text)) => {
                        let codes = &text.codes;
                        ask.retain(wanted, rows, |row| at(values, code_at(codes, row)));
                    }
                    None => {}
                }
            }
            Compiled::Text { slot, negated } => self.retain_text(slot, negated, wanted, rows),
        }
    }

    fn retain_text(&mut self, slot: usize, negated: bool, wanted: bool, rows: &mut Vec<u32>) {
        let (Some((column, test)), Some(answers)) =
            (self.program.texts.get(slot), self.answers.get_mut(slot))
        else {
            return;
        };
        let Some(Column::Text(text)) = self.columns.get(*column) else { return };
        let ask = |code: u32| -> bool {
            let Some(value) = text.dictionary.get(code as usize) else { return false };
            test.plain_on_text(value).is_some_and(|plain| plain != negated)
        };
        if text.dictionary.len() > REMEMBERED_TEXTS {
            compact(rows, |row| ask(code_at(&text.codes, row)) == wanted);
            return;
        }
        if answers.is_empty() {
            answers.resize(text.dictionary.len(), 0);
        }
        compact(rows, |row| {
            let code = code_at(&text.codes, row);
            let Some(answer) = answers.get_mut(code as usize) else { return !wanted };
            if *answer == 0 {
                // What is remembered is the plain form, which literals and their opposites share.
                *answer = 1 + u8::from(ask(code) != negated);
            }
            ((*answer == 2) != negated) == wanted
        });
    }

    /// Keeps the rows on which all of the literals are true.
    pub(crate) fn all_true(&mut self, tests: &[TestId], rows: &mut Vec<u32>) {
        for test in tests {
            if rows.is_empty() {
                return;
            }
            self.retain(*test, true, rows);
        }
    }

    /// Keeps the rows on which all of the literals are false.
    pub(crate) fn all_false(&mut self, tests: &[TestId], rows: &mut Vec<u32>) {
        for test in tests {
            if rows.is_empty() {
                return;
            }
            self.retain(*test, false, rows);
        }
    }

    /// Walks the rows (ascending) down a chain (`None`: ELSE): per bucket the rows that it takes, and the rows that
    /// no condition holds for.
    pub(crate) fn walk<'c>(
        &mut self,
        chain: impl Iterator<Item = Option<&'c [TestId]>>,
        rows: &[u32],
    ) -> (Vec<Vec<u32>>, Vec<u32>) {
        let mut rest = rows.to_vec();
        let mut taken = Vec::new();
        for condition in chain {
            let mut here = rest.clone();
            self.all_true(condition.unwrap_or(&[]), &mut here);
            let mut next = here.iter().copied().peekable();
            compact(&mut rest, |row| next.next_if_eq(&row).is_none());
            taken.push(here);
        }
        (taken, rest)
    }
}

impl Ask {
    fn retain(self, wanted: bool, rows: &mut Vec<u32>, value: impl Fn(u32) -> f64) {
        match self {
            Self::Below(t) => compact(rows, |row| (value(row) < t) == wanted),
            Self::AtLeast(t) => compact(rows, |row| (value(row) >= t) == wanted),
            Self::Zero => compact(rows, |row| (value(row) == 0.0) == wanted),
            Self::NotZero => compact(rows, |row| (value(row).abs() > 0.0) == wanted),
            Self::Inside(low, high) => compact(rows, |row| {
                let x = value(row);
                (low < x && x <= high) == wanted
            }),
            Self::Outside(low, high) => compact(rows, |row| {
                let x = value(row);
                (x.is_nan() || low < x && x <= high) != wanted
            }),
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
        for many_texts in [false, true] {
            let features = [("number", FeatureKind::Number), ("text", FeatureKind::Text)]
                .map(|(name, kind)| Feature { name: name.into(), kind });
            let mut builder = RowBatchBuilder::new(&features);
            builder.push(&[Value::Missing, Value::Missing]).unwrap();
            for (index, text) in texts.iter().enumerate() {
                let number = numbers.get(index).map_or(Value::Missing, |x| Value::Number(*x));
                builder.push(&[number, Value::Text(text)]).unwrap();
            }
            if many_texts {
                for index in 0..2 * REMEMBERED_TEXTS {
                    builder.push(&[Value::Missing, Value::Text(&format!("text {index}"))]).unwrap();
                }
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
            let mut bound = program.bind(batch.columns());
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
            }
        }
    }
}
