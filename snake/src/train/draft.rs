//! A literal before it is written down: small, without text of its own.

use memchr::memmem::Finder;

use super::error::TrainError;
use super::prepared::{FeatureView, Prepared, TextMeasure};
use crate::cancel::Cancel;
use crate::literal::{Literal, Measure, Test, TextTest};

/// A literal that names a dictionary entry where the finished one holds a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Draft {
    pub(super) feature: u32,
    pub(super) negated: bool,
    pub(super) test: DraftTest,
}

/// The test of a draft, without its negation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum DraftTest {
    /// N: the number is below this.
    Number(f64),
    /// TN, TLN: the measure is below this.
    Measure(TextMeasure, f64),
    /// T: contains these bytes of the dictionary entry.
    Contains { code: u32, start: u32, end: u32 },
    /// TEQ: is the dictionary entry.
    Equals { code: u32 },
}

/// How many rows are tested between two looks at the cancel flag.
const CHUNK: usize = 1 << 12;

impl Draft {
    /// The same literal with the other sign: true on exactly the rows where this one is false.
    pub(super) fn opposite(self) -> Self {
        Self { negated: !self.negated, ..self }
    }

    /// The literal as the model has it.
    pub(super) fn literal(&self, prepared: &Prepared) -> Literal {
        let test = match self.test {
            DraftTest::Number(threshold) => Test::Threshold(Measure::N, threshold),
            DraftTest::Measure(TextMeasure::Length, threshold) => Test::Threshold(Measure::Tn, threshold),
            DraftTest::Measure(TextMeasure::Characters, threshold) => {
                Test::Threshold(Measure::Tln, threshold)
            }
            DraftTest::Contains { .. } => Test::Text(TextTest::Contains, self.text(prepared).into()),
            DraftTest::Equals { .. } => Test::Text(TextTest::Equals, self.text(prepared).into()),
        };
        Literal { column: self.feature + 1, negated: self.negated, test }
    }

    /// The text that the test compares with; empty where it has none.
    pub(super) fn text<'a>(&self, prepared: &'a Prepared) -> &'a str {
        match (self.test, prepared.view(self.feature)) {
            (DraftTest::Contains { code, start, end }, FeatureView::Text { column, .. }) => {
                &column.dictionary[code as usize][start as usize..end as usize]
            }
            (DraftTest::Equals { code }, FeatureView::Text { column, .. }) => {
                &column.dictionary[code as usize]
            }
            _ => "",
        }
    }

    /// Appends the rows on which the literal is true to `kept`, in their order. `entries` is room to work in.
    ///
    /// # Errors
    /// [`TrainError::Cancelled`].
    pub(super) fn filter(
        &self,
        prepared: &Prepared,
        rows: &[u32],
        kept: &mut Vec<u32>,
        entries: &mut Vec<bool>,
        cancel: &Cancel,
    ) -> Result<(), TrainError> {
        match (self.test, prepared.view(self.feature)) {
            (DraftTest::Number(threshold), FeatureView::Number { ranks, distinct }) => {
                #[allow(clippy::cast_possible_truncation)] // at most u32::MAX rows
                let border = distinct.partition_point(|&value| value < threshold) as u32;
                self.keep(rows, kept, cancel, |row| ranks[row as usize] < border)
            }
            (DraftTest::Measure(measure, threshold), FeatureView::Text { column, measures }) => {
                let values = &measures[measure as usize];
                self.keep(rows, kept, cancel, |row| {
                    f64::from(values[column.codes[row as usize] as usize]) < threshold
                })
            }
            (DraftTest::Equals { code }, FeatureView::Text { column, .. }) => {
                self.keep(rows, kept, cancel, |row| column.codes[row as usize] == code)
            }
            (DraftTest::Contains { .. }, FeatureView::Text { column, .. }) => {
                let finder = Finder::new(self.text(prepared));
                if column.dictionary.len() > rows.len() {
                    return self.keep(rows, kept, cancel, |row| {
                        let text = &column.dictionary[column.codes[row as usize] as usize];
                        finder.find(text.as_bytes()).is_some()
                    });
                }
                entries.clear();
                for chunk in column.dictionary.chunks(CHUNK) {
                    check(cancel)?;
                    entries.extend(chunk.iter().map(|text| finder.find(text.as_bytes()).is_some()));
                }
                self.keep(rows, kept, cancel, |row| entries[column.codes[row as usize] as usize])
            }
            // A draft is only ever made for a column of its kind.
            _ => Ok(()),
        }
    }

    #[inline]
    fn keep(
        &self,
        rows: &[u32],
        kept: &mut Vec<u32>,
        cancel: &Cancel,
        plain: impl Fn(u32) -> bool,
    ) -> Result<(), TrainError> {
        for chunk in rows.chunks(CHUNK) {
            check(cancel)?;
            kept.extend(chunk.iter().filter(|&&row| plain(row) != self.negated));
        }
        Ok(())
    }
}

/// Stops a training whose flag is set.
#[inline]
pub(super) fn check(cancel: &Cancel) -> Result<(), TrainError> {
    if cancel.is_cancelled() { Err(TrainError::Cancelled) } else { Ok(()) }
}
