//! A record as it was read: cells in the order of the header, in buffers that are used again.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::source::Place;

/// Whole numbers below this are exact as floats; larger ones stay texts, as they stand in a CSV file.
const EXACT: u64 = 1 << 53;

/// A record of a source. Formats with numbers of their own (Parquet, JSON) hand them over as numbers, others as texts.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Record {
    /// The record's number over all parts in order, from 0. Bad records use one up too.
    pub ordinal: u64,
    /// Where it stands, for messages.
    pub place: Place,
    text: String,
    cells: Vec<Stored>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stored {
    /// From one byte of the text to before another.
    Text(usize, usize),
    Number(f64),
}

/// A cell of a record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RawCell<'a> {
    /// As it stands in the source; empty where a value is missing.
    Text(&'a str),
    /// A finite number, never negative zero.
    Number(f64),
}

impl<'a> RawCell<'a> {
    /// Whether the value is missing.
    #[must_use]
    pub fn is_missing(self) -> bool {
        self == RawCell::Text("")
    }

    /// The cell as a text: a number in its shortest decimal form, without an exponent, a whole one without a fraction.
    #[must_use]
    pub fn text(self) -> Cow<'a, str> {
        match self {
            RawCell::Text(text) => Cow::Borrowed(text),
            RawCell::Number(value) => Cow::Owned(value.to_string()),
        }
    }
}

impl Record {
    /// A record of these texts, with ordinal 0.
    #[must_use]
    pub fn of_texts<T: AsRef<str>>(cells: impl IntoIterator<Item = T>) -> Self {
        let mut record = Self::default();
        for cell in cells {
            record.push_text(cell.as_ref());
        }
        record
    }

    /// How many cells it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether it has no cells.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The cell of a column; one that is not there is missing.
    #[must_use]
    pub fn cell(&self, column: usize) -> RawCell<'_> {
        match self.cells.get(column) {
            Some(Stored::Text(from, to)) => RawCell::Text(self.text.get(*from..*to).unwrap_or_default()),
            Some(Stored::Number(value)) => RawCell::Number(*value),
            None => RawCell::Text(""),
        }
    }

    /// All cells.
    pub fn cells(&self) -> impl ExactSizeIterator<Item = RawCell<'_>> {
        (0..self.cells.len()).map(|column| self.cell(column))
    }

    /// Takes all cells out. Ordinal and place stay.
    pub fn clear(&mut self) {
        self.text.clear();
        self.cells.clear();
    }

    /// Makes it a record of so many missing cells.
    pub fn reset(&mut self, columns: usize) {
        self.clear();
        self.cells.resize(columns, Stored::Text(0, 0));
    }

    /// Appends a text; the empty one is a missing value.
    pub fn push_text(&mut self, text: &str) {
        let from = self.text.len();
        self.text.push_str(text);
        self.cells.push(Stored::Text(from, self.text.len()));
    }

    /// Puts a text in a column that is there.
    pub fn set_text(&mut self, column: usize, text: &str) {
        let from = self.text.len();
        self.text.push_str(text);
        if let Some(cell) = self.cells.get_mut(column) {
            *cell = Stored::Text(from, self.text.len());
        }
    }

    /// Puts a number in a column that is there. Not-a-number is a missing value; an infinite one is the text that CSV would
    /// have, so that no column with one is a number column.
    pub fn set_number(&mut self, column: usize, value: f64) {
        if value.is_finite() {
            if let Some(cell) = self.cells.get_mut(column) {
                *cell = Stored::Number(value + 0.0);
            }
        } else if !value.is_nan() {
            self.set_text(column, if value > 0.0 { "inf" } else { "-inf" });
        }
    }

    /// Puts a whole number in a column that is there.
    #[allow(clippy::cast_precision_loss)] // exact below 2^53
    pub fn set_integer(&mut self, column: usize, value: impl Into<i128>) {
        let value: i128 = value.into();
        if value.unsigned_abs() < u128::from(EXACT) {
            self.set_number(column, value as f64);
        } else {
            self.set_text(column, &value.to_string());
        }
    }

    /// The text of a column; empty for a number that was not [spelled](Self::spell_all).
    #[must_use]
    pub fn text(&self, column: usize) -> &str {
        match self.cell(column) {
            RawCell::Text(text) => text,
            RawCell::Number(_) => "",
        }
    }

    /// Turns all numbers into their texts, for who looks at texts alone.
    pub fn spell_all(&mut self) {
        for column in 0..self.cells.len() {
            self.spell(column);
        }
    }

    /// Turns a number into its text, for a column that holds texts.
    pub(crate) fn spell(&mut self, column: usize) {
        if let Some(Stored::Number(value)) = self.cells.get(column).copied() {
            let from = self.text.len();
            // Writing to a string can't fail.
            let _ = write!(self.text, "{value}");
            if let Some(cell) = self.cells.get_mut(column) {
                *cell = Stored::Text(from, self.text.len());
            }
        }
    }

    /// Makes it a record of cells that lie one behind the other in `bytes` and end at `ends`.
    ///
    /// # Errors
    /// The column of the first cell that is not UTF-8, and the byte of it (from 0) that is not.
    #[cfg(feature = "io")]
    pub(crate) fn fill(&mut self, bytes: &[u8], ends: &[usize]) -> Result<(), (usize, usize)> {
        self.clear();
        // As a whole and at every border: much quicker than cell by cell.
        let Ok(text) = std::str::from_utf8(bytes) else { return Err(first_fault(bytes, ends)) };
        self.text.push_str(text);
        let mut from = 0;
        for end in ends {
            if !text.is_char_boundary(*end) {
                return Err(first_fault(bytes, ends));
            }
            self.cells.push(Stored::Text(from, *end));
            from = *end;
        }
        Ok(())
    }
}

#[cfg(feature = "io")]
fn first_fault(bytes: &[u8], ends: &[usize]) -> (usize, usize) {
    let mut from = 0;
    for (column, end) in ends.iter().enumerate() {
        let cell = bytes.get(std::mem::replace(&mut from, *end)..*end).unwrap_or_default();
        if let Err(error) = std::str::from_utf8(cell) {
            return (column, error.valid_up_to());
        }
    }
    (ends.len(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spelled_as_a_csv_file_has_them() {
        let mut record = Record::default();
        record.reset(6);
        for (column, value) in [39.0, -0.5, 1e21, 0.1, -0.0, 1e-7].into_iter().enumerate() {
            record.set_number(column, value);
        }
        let texts: Vec<String> = record.cells().map(|cell| cell.text().into_owned()).collect();
        assert_eq!(texts, ["39", "-0.5", "1000000000000000000000", "0.1", "0", "0.0000001"]);
        record.spell_all();
        for (column, text) in texts.iter().enumerate() {
            assert_eq!((record.cell(column), record.text(column)), (RawCell::Text(text), text.as_str()));
            assert!(crate::number::number(text).is_some());
        }
    }

    #[test]
    fn what_is_no_finite_number_is_missing_or_a_text() {
        let mut record = Record::default();
        record.reset(5);
        record.set_number(0, f64::NAN);
        record.set_number(1, f64::INFINITY);
        record.set_number(2, f64::NEG_INFINITY);
        record.set_integer(3, (1i64 << 53) - 1);
        record.set_integer(4, -(1i64 << 53));
        assert!(record.cell(0).is_missing());
        assert_eq!(record.cell(1), RawCell::Text("inf"));
        assert_eq!(record.cell(2), RawCell::Text("-inf"));
        assert_eq!(record.cell(3), RawCell::Number(9_007_199_254_740_991.0));
        assert_eq!(record.cell(4), RawCell::Text("-9007199254740992"));
        assert!(record.cell(9).is_missing());
    }

    #[cfg(feature = "io")]
    #[test]
    fn cells_that_split_a_character_are_not_text() {
        let mut record = Record::default();
        assert_eq!(record.fill("aé".as_bytes(), &[1, 3]), Ok(()));
        assert_eq!(record.cell(1), RawCell::Text("é"));
        assert_eq!(record.fill("é".as_bytes(), &[1, 2]), Err((0, 0)));
        assert_eq!(record.fill(b"ab\xffc", &[1, 4]), Err((1, 1)));
    }
}
