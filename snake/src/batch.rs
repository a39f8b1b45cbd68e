//! Rows to predict, as columns.

use std::collections::HashMap;

use crate::schema::{Feature, FeatureKind};
use crate::table::{Column, TextColumn};
use crate::value::Value;

/// The code of a text that is not there.
pub(crate) const MISSING_CODE: u32 = u32::MAX;

/// Rows as columns in the order of a model's features; a row need not have a value everywhere.
#[derive(Debug, Clone, Default)]
pub struct RowBatch {
    /// As in a table, but NaN and [`MISSING_CODE`] stand for a value that is not there.
    columns: Vec<Column>,
    rows: usize,
}

impl RowBatch {
    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many columns there are.
    #[must_use]
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// The value of a feature (from 0) in a row; missing outside the batch.
    #[must_use]
    pub fn value(&self, feature: usize, row: usize) -> Value<'_> {
        match self.columns.get(feature) {
            Some(Column::Number(values)) => values.get(row).map_or(Value::Missing, |x| Value::number(*x)),
            Some(Column::Text(text)) => text
                .codes
                .get(row)
                .and_then(|code| text.dictionary.get(*code as usize))
                .map_or(Value::Missing, |text| Value::Text(text)),
            None => Value::Missing,
        }
    }

    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }
}

/// Equal when they hold the same values, whatever is missing included.
impl PartialEq for RowBatch {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows
            && self.columns.len() == other.columns.len()
            && (0..self.columns.len()).all(|feature| {
                (0..self.rows).all(|row| self.value(feature, row) == other.value(feature, row))
            })
    }
}

/// Why a row could not be added to a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The row has another number of values than the batch has columns.
    #[error("the row has {found} values, the model has {expected} features")]
    Width {
        /// How many values came.
        found: usize,
        /// How many columns there are.
        expected: usize,
    },
    /// A number in a text column or a text in a number column.
    #[error("the value of column {column:?} is not of the kind that the model has for it")]
    Kind {
        /// The column.
        column: String,
    },
    /// A batch holds fewer than `u32::MAX` rows.
    #[error("a batch holds fewer than 4,294,967,295 rows: predict in smaller batches")]
    TooManyRows,
}

/// Collects rows into a [`RowBatch`].
#[derive(Debug)]
pub struct RowBatchBuilder {
    features: Vec<Feature>,
    batch: RowBatch,
    lookup: Vec<Lookup>,
}

/// The codes of a column's texts.
#[derive(Debug)]
struct Lookup {
    codes: HashMap<Box<str>, u32>,
    /// Codes of texts met lately, each at a place that length, start and end give: most columns have few texts, which then
    /// need no hash. What stands there is compared, so strangers' texts can make this useless but not wrong.
    recent: [u32; RECENT],
}

/// A power of two.
const RECENT: usize = 64;

impl RowBatchBuilder {
    /// An empty batch for these features.
    #[must_use]
    pub fn new(features: &[Feature]) -> Self {
        let mut builder =
            Self { features: features.to_vec(), batch: RowBatch::default(), lookup: Vec::new() };
        builder.start();
        builder
    }

    fn start(&mut self) -> RowBatch {
        let columns = self
            .features
            .iter()
            .map(|feature| match feature.kind {
                FeatureKind::Number => Column::Number(Vec::new()),
                FeatureKind::Text => Column::Text(TextColumn::default()),
            })
            .collect();
        self.lookup = self.features.iter().map(|_| Lookup::new()).collect();
        std::mem::replace(&mut self.batch, RowBatch { columns, rows: 0 })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`BatchError`] when the row does not fit; the batch is then unchanged.
    pub fn push(&mut self, row: &[Value<'_>]) -> Result<(), BatchError> {
        if row.len() != self.features.len() {
            return Err(BatchError::Width { found: row.len(), expected: self.features.len() });
        }
        if self.batch.rows >= MISSING_CODE as usize {
            return Err(BatchError::TooManyRows);
        }
        for (feature, value) in self.features.iter().zip(row) {
            let fits = match value {
                Value::Missing => true,
                Value::Number(_) => feature.kind == FeatureKind::Number,
                Value::Text(_) => feature.kind == FeatureKind::Text,
            };
            if !fits {
                return Err(BatchError::Kind { column: feature.name.clone() });
            }
        }
        for ((column, value), lookup) in self.batch.columns.iter_mut().zip(row).zip(&mut self.lookup) {
            match column {
                Column::Number(values) => values.push(match value {
                    Value::Number(x) if x.is_finite() => *x + 0.0,
                    _ => f64::NAN,
                }),
                Column::Text(text) => text.codes.push(match value {
                    Value::Text(value) => lookup.code(&mut text.dictionary, value),
                    _ => MISSING_CODE,
                }),
            }
        }
        self.batch.rows += 1;
        Ok(())
    }

    /// How many rows were added since the last [`take`](Self::take).
    #[must_use]
    pub fn rows(&self) -> usize {
        self.batch.rows
    }

    /// The rows so far; the builder starts over with none.
    #[must_use]
    pub fn take(&mut self) -> RowBatch {
        self.start()
    }
}

impl Lookup {
    fn new() -> Self {
        Self { codes: HashMap::new(), recent: [MISSING_CODE; RECENT] }
    }

    /// The text's code, which is its place in the dictionary.
    fn code(&mut self, dictionary: &mut Vec<Box<str>>, text: &str) -> u32 {
        let recent = &mut self.recent[place(text.as_bytes())];
        if dictionary.get(*recent as usize).is_some_and(|known| **known == *text) {
            return *recent;
        }
        *recent = match self.codes.get(text) {
            Some(code) => *code,
            None => {
                // At most one text a row, and rows are counted in a u32.
                #[allow(clippy::cast_possible_truncation)]
                let code = dictionary.len() as u32;
                dictionary.push(text.into());
                self.codes.insert(text.into(), code);
                code
            }
        };
        *recent
    }
}

/// A place below [`RECENT`].
fn place(text: &[u8]) -> usize {
    let byte = |at: usize| text.get(at).copied().map_or(0, usize::from);
    let end = text.len().wrapping_sub(1);
    let mixed = text.len() ^ byte(0) << 1 ^ byte(2) << 2 ^ byte(end) ^ byte(end.wrapping_sub(2)) << 3;
    (mixed ^ mixed >> 6) % RECENT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features() -> Vec<Feature> {
        vec![
            Feature { name: "size".into(), kind: FeatureKind::Number },
            Feature { name: "name".into(), kind: FeatureKind::Text },
        ]
    }

    #[test]
    fn rows_come_back_as_they_went_in() {
        let mut builder = RowBatchBuilder::new(&features());
        builder.push(&[Value::Number(1.5), Value::Text("a")]).unwrap();
        builder.push(&[Value::Missing, Value::Missing]).unwrap();
        builder.push(&[Value::Number(f64::NAN), Value::Text("a")]).unwrap();
        let batch = builder.take();
        assert_eq!(builder.rows(), 0);
        assert_eq!((batch.rows(), batch.width()), (3, 2));
        assert_eq!(batch.value(0, 0), Value::Number(1.5));
        assert_eq!(batch.value(0, 1), Value::Missing);
        assert_eq!(batch.value(1, 1), Value::Missing);
        assert_eq!(batch.value(0, 2), Value::Missing);
        assert_eq!(batch.value(1, 2), Value::Text("a"));
        assert_eq!(batch.value(7, 0), Value::Missing);
        assert_eq!(batch.value(0, 7), Value::Missing);
        assert_eq!(batch, batch.clone());
    }

    #[test]
    fn texts_keep_their_codes() {
        let mut builder = RowBatchBuilder::new(&features()[1..]);
        let texts: Vec<String> = (0..1000).map(|index| format!("{}", index * index % 333)).collect();
        for text in &texts {
            builder.push(&[Value::Text(text)]).unwrap();
        }
        let batch = builder.take();
        let Some(Column::Text(column)) = batch.columns().first() else { panic!("a text column") };
        let mut first: Vec<&str> = Vec::new();
        for (row, text) in texts.iter().enumerate() {
            assert_eq!(batch.value(0, row), Value::Text(text));
            if !first.contains(&text.as_str()) {
                first.push(text);
            }
        }
        assert_eq!(column.dictionary.iter().map(|text| &**text).collect::<Vec<_>>(), first);
    }

    #[test]
    fn rows_that_do_not_fit_change_nothing() {
        let mut builder = RowBatchBuilder::new(&features());
        assert_eq!(builder.push(&[Value::Missing]), Err(BatchError::Width { found: 1, expected: 2 }));
        let kind = builder.push(&[Value::Number(1.0), Value::Number(1.0)]);
        assert_eq!(kind, Err(BatchError::Kind { column: "name".into() }));
        assert_eq!(builder.rows(), 0);
        assert_eq!(builder.take().rows(), 0);
    }
}
