//! A literal before it is written down: small, without text of its own.

use super::ends::{Ends, Stretch};
use super::entries::Entries;
use super::error::TrainError;
use super::numbers::Scale;
use super::prepared::{FeatureView, Prepared};
use super::quotes::Quotes;
use crate::cancel::Cancel;
use crate::literal::{Comparison, Literal, Measure, Test, TextTest};

/// A literal that names a dictionary entry where the finished one holds a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Draft {
    pub(super) feature: u32,
    pub(super) negated: bool,
    pub(super) test: DraftTest,
}

impl Default for Draft {
    fn default() -> Self {
        Self { feature: 0, negated: false, test: DraftTest::Number(0.0) }
    }
}

/// The test of a draft, without its negation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum DraftTest {
    /// N: the number is below this.
    Number(f64),
    /// NL, NZ: the measure is below the threshold, that is, the number's rank below the border.
    Scaled { standard: bool, threshold: f64, border: u32 },
    /// ND, TN and its like: the measure on this axis is below the threshold, that is, its rank below the border.
    Measured { measure: Measure, slot: u8, threshold: f64, border: u32 },
    /// NZR: the number is 0. `rank` is that of 0.
    Zero { rank: u32 },
    /// TEQ: is the dictionary entry.
    Equals { code: u32 },
    /// T, TSW, TEW: contains, starts or ends with these bytes of the dictionary entry.
    Piece { test: TextTest, code: u32, start: u32, end: u32 },
    /// LEV, JAC, PFX, SFX against the dictionary entry.
    Reference { comparison: Comparison, code: u32, threshold: f64 },
}

/// What a draft's test asks, as few questions as there are ways to answer them fast.
#[derive(Debug)]
pub(super) enum Shape<'a> {
    /// Numbers below this.
    Value(f64),
    /// Keys on an axis from the first one up to the second, exclusive.
    Keys { slot: usize, from: u32, to: u32 },
    /// Dictionary entries, one by one.
    Entries(Entries<'a>),
    /// Dictionary entries of which only a stretch on this axis can start, or end, with a piece. `holds`: what the test says
    /// of those that do.
    Ends { slot: usize, ends: &'a Ends, stretch: Stretch, holds: bool, entries: Entries<'a> },
}

impl<'a> Shape<'a> {
    fn of(view: FeatureView<'a>, entries: Entries<'a>) -> Self {
        if let FeatureView::Text { feature, .. } = view
            && let Some((piece, at_end, holds)) = entries.end()
            && let Some((slot, ends)) = feature.ends(at_end)
        {
            return Self::Ends { slot, ends, stretch: Stretch::of(piece, at_end), holds, entries };
        }
        Self::Entries(entries)
    }
}

/// How many rows are tested between two looks at the cancel flag.
const CHUNK: usize = 1 << 12;

impl Draft {
    /// The same literal with the other sign: true on exactly the rows where this one is false.
    pub(super) fn opposite(self) -> Self {
        Self { negated: !self.negated, ..self }
    }

    /// The literal as the model has it.
    pub(super) fn literal(&self, prepared: &Prepared, quotes: &mut Quotes) -> Literal {
        let mut text = || quotes.of(self.text(prepared));
        let test = match self.test {
            DraftTest::Number(threshold) => Test::Threshold(Measure::N, threshold),
            DraftTest::Scaled { standard, threshold, .. } => {
                let scale = match prepared.view(self.feature) {
                    FeatureView::Number(feature) if standard => feature.standard_scale(),
                    _ => None,
                };
                scale.unwrap_or(Scale::Measure(Measure::Nl)).test(threshold)
            }
            DraftTest::Measured { measure, threshold, .. } => Test::Threshold(measure, threshold),
            DraftTest::Zero { .. } => Test::Zero,
            DraftTest::Equals { .. } => Test::Text(TextTest::Equals, text()),
            DraftTest::Piece { test, .. } => Test::Text(test, text()),
            DraftTest::Reference { comparison, threshold, .. } => {
                Test::reference(comparison, text(), threshold)
            }
        };
        Literal { column: self.feature + 1, negated: self.negated, test }
    }

    /// The text that the test compares with; empty where it has none.
    pub(super) fn text<'a>(&self, prepared: &'a Prepared) -> &'a str {
        let FeatureView::Text { column, .. } = prepared.view(self.feature) else { return "" };
        match self.test {
            DraftTest::Piece { code, start, end, .. } => {
                &column.dictionary[code as usize][start as usize..end as usize]
            }
            DraftTest::Equals { code } | DraftTest::Reference { code, .. } => {
                &column.dictionary[code as usize]
            }
            _ => "",
        }
    }

    /// What the test asks, its negation left aside.
    pub(super) fn shape<'a>(&self, prepared: &'a Prepared) -> Shape<'a> {
        if let Some((slot, from, to)) = self.keys() {
            return Shape::Keys { slot, from, to };
        }
        match self.test {
            DraftTest::Number(threshold) => Shape::Value(threshold),
            DraftTest::Piece { test, .. } => {
                let view = prepared.view(self.feature);
                Shape::of(view, Entries::piece(view, test, self.text(prepared)))
            }
            DraftTest::Reference { comparison, code, threshold } => {
                let view = prepared.view(self.feature);
                Shape::of(view, Entries::reference(view, comparison, code, threshold))
            }
            // All that is left is of keys.
            _ => Shape::Keys { slot: 0, from: 0, to: 0 },
        }
    }

    /// Where the test holds for the keys of an axis from one up to another, exclusive: the axis and the two.
    #[inline]
    pub(super) fn keys(&self) -> Option<(usize, u32, u32)> {
        match self.test {
            DraftTest::Scaled { border, .. } => Some((0, 0, border)),
            DraftTest::Measured { slot, border, .. } => Some((usize::from(slot), 0, border)),
            DraftTest::Zero { rank: key } | DraftTest::Equals { code: key } => Some((0, key, key + 1)),
            DraftTest::Number(_) | DraftTest::Piece { .. } | DraftTest::Reference { .. } => None,
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
        let view = prepared.view(self.feature);
        match (self.shape(prepared), view) {
            (Shape::Value(threshold), FeatureView::Number(feature)) => {
                let border = feature.values.border(threshold);
                let ranks = prepared.codes(self.feature);
                self.keep(rows, kept, cancel, |row| ranks[row as usize] < border)
            }
            (Shape::Keys { slot, from, to }, _) => {
                let (codes, keys) = prepared.keys(self.feature, slot);
                let inside = |key: u32| key.wrapping_sub(from) < to - from;
                match keys {
                    None => self.keep(rows, kept, cancel, |row| inside(codes[row as usize])),
                    Some(keys) => {
                        self.keep(rows, kept, cancel, |row| inside(keys[codes[row as usize] as usize]))
                    }
                }
            }
            (Shape::Ends { ends, stretch, holds, entries, .. }, FeatureView::Text { column, .. }) => {
                let codes = prepared.codes(self.feature);
                let (from, to) = ends.borders(stretch);
                let inside = |code: u32| (from..to).contains(&ends.ranks[code as usize]);
                if stretch.exact {
                    return self.keep(rows, kept, cancel, |row| inside(codes[row as usize]) == holds);
                }
                self.keep(rows, kept, cancel, |row| {
                    let code = codes[row as usize];
                    if inside(code) { entries.is(code, &column.dictionary) } else { !holds }
                })
            }
            (Shape::Entries(tested), FeatureView::Text { column, .. }) => {
                let codes = prepared.codes(self.feature);
                if column.dictionary.len() > rows.len() {
                    return self.keep(rows, kept, cancel, |row| {
                        let code = codes[row as usize];
                        tested.is(code, &column.dictionary)
                    });
                }
                entries.clear();
                for code in (0_u32..).take(column.dictionary.len()) {
                    if (code as usize).is_multiple_of(CHUNK) {
                        check(cancel)?;
                    }
                    entries.push(tested.is(code, &column.dictionary));
                }
                self.keep(rows, kept, cancel, |row| entries[codes[row as usize] as usize])
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
        let mut end = kept.len();
        for chunk in rows.chunks(CHUNK) {
            check(cancel)?;
            kept.resize(end + chunk.len(), 0);
            end += compact(chunk, &mut kept[end..], |row| plain(row) != self.negated);
            kept.truncate(end);
        }
        Ok(())
    }
}

/// Writes the rows that are to be kept to the beginning of `room`, which is as long; returns how many.
///
/// On its own, so that the loop has all registers.
#[inline(never)]
fn compact(rows: &[u32], room: &mut [u32], keeps: impl Fn(u32) -> bool) -> usize {
    // Every row is written, and the next one over it if it is not to be kept: no branch that chance decides.
    let mut count = 0;
    for &row in rows {
        room[count] = row;
        count += usize::from(keeps(row));
    }
    count
}

/// Stops a training whose flag is set.
#[inline]
pub(super) fn check(cancel: &Cancel) -> Result<(), TrainError> {
    if cancel.is_cancelled() { Err(TrainError::Cancelled) } else { Ok(()) }
}
