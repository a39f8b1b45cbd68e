//! A table from whole columns, where somebody has them already: checked to be one that rows could have made.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Column, Table, TargetColumn, TextColumn};
use crate::schema::{FeatureKind, Schema, TargetKind};

/// Why columns are no table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ColumnsError {
    /// There are more or fewer columns than features, or one is of another kind.
    #[error("the columns are not those of the schema")]
    Schema,
    /// A column has another number of values than there are ordinals.
    #[error("column {column:?} is longer or shorter than there are rows")]
    Length {
        /// The column.
        column: String,
    },
    /// Ordinals must ascend.
    #[error("the ordinals don't ascend")]
    Order,
    /// A number is not finite or negative zero, or there is no such class.
    #[error("column {column:?} has a value that it can't have in a table")]
    Value {
        /// The column.
        column: String,
    },
    /// The distinct texts are not distinct, not in the order in which they first occur, or not all there.
    #[error(
        "the distinct texts of column {column:?} are not those of its rows in the order in which they occur"
    )]
    Dictionary {
        /// The column.
        column: String,
    },
    /// A table holds at most `u32::MAX` rows.
    #[error("a table holds at most 4,294,967,295 rows")]
    TooManyRows,
}

impl Table {
    /// The table of these columns. It equals the one that a [`TableBuilder`](super::TableBuilder) makes of the same rows:
    /// all that one guarantees is checked here.
    ///
    /// # Errors
    /// [`ColumnsError`] when no rows of this schema give these columns.
    pub fn from_columns(
        schema: Arc<Schema>,
        ordinals: Vec<u64>,
        columns: Vec<Column>,
        target: TargetColumn,
    ) -> Result<Self, ColumnsError> {
        if ordinals.len() > u32::MAX as usize {
            return Err(ColumnsError::TooManyRows);
        }
        if !ordinals.is_sorted_by(|a, b| a < b) {
            return Err(ColumnsError::Order);
        }
        if columns.len() != schema.features.len() {
            return Err(ColumnsError::Schema);
        }
        for (feature, column) in schema.features.iter().zip(&columns) {
            match (feature.kind, column) {
                (FeatureKind::Number, Column::Number(values)) => {
                    check_numbers(&feature.name, values, ordinals.len())?;
                }
                (FeatureKind::Text, Column::Text(text)) => check_texts(&feature.name, text, ordinals.len())?,
                _ => return Err(ColumnsError::Schema),
            }
        }
        match (schema.target_kind, &target) {
            (TargetKind::Number, TargetColumn::Number(values)) => {
                check_numbers(&schema.target, values, ordinals.len())?;
            }
            (TargetKind::Number, _) | (_, TargetColumn::Number(_)) => return Err(ColumnsError::Schema),
            (_, TargetColumn::Class(classes)) => {
                check_length(&schema.target, classes.len(), ordinals.len())?;
                if !are_below(classes, schema.classes.len()) {
                    return Err(ColumnsError::Value { column: schema.target.clone() });
                }
            }
        }
        Ok(Self { schema, ordinals, columns, target })
    }
}

fn check_length(column: &str, length: usize, rows: usize) -> Result<(), ColumnsError> {
    if length == rows { Ok(()) } else { Err(ColumnsError::Length { column: column.to_owned() }) }
}

fn check_numbers(column: &str, values: &[f64], rows: usize) -> Result<(), ColumnsError> {
    check_length(column, values.len(), rows)?;
    // No early end: this is a loop that the compiler makes wide.
    let sound = |value: &f64| value.is_finite() & (value.to_bits() != (-0.0f64).to_bits());
    if values.iter().fold(true, |all, value| all & sound(value)) {
        Ok(())
    } else {
        Err(ColumnsError::Value { column: column.to_owned() })
    }
}

fn check_texts(column: &str, text: &TextColumn, rows: usize) -> Result<(), ColumnsError> {
    check_length(column, text.codes.len(), rows)?;
    // A code is one that was there before, or the next new one, until all were there.
    let mut known = 0;
    let mut codes = text.codes.iter();
    while known < text.dictionary.len() {
        match codes.next().map(|code| *code as usize) {
            Some(code) if code == known => known += 1,
            Some(code) if code < known => {}
            _ => return Err(ColumnsError::Dictionary { column: column.to_owned() }),
        }
    }
    let mut texts = HashSet::with_capacity(known);
    if are_below(codes.as_slice(), known) && text.dictionary.iter().all(|text| texts.insert(&**text)) {
        Ok(())
    } else {
        Err(ColumnsError::Dictionary { column: column.to_owned() })
    }
}

fn are_below(codes: &[u32], limit: usize) -> bool {
    codes.iter().copied().max().is_none_or(|most| (most as usize) < limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Feature, Label};
    use crate::table::{Cell, TableBuilder, TargetValue};

    fn schema(target_kind: TargetKind) -> Arc<Schema> {
        let feature = |name: &str, kind| Feature { name: name.into(), kind };
        let classes = if target_kind == TargetKind::Number {
            vec![]
        } else {
            vec![Label::Integer(0), Label::Integer(1)]
        };
        let features = vec![feature("n", FeatureKind::Number), feature("t", FeatureKind::Text)];
        Arc::new(Schema { target: "y".into(), target_kind, classes, features })
    }

    fn texts(codes: &[u32], dictionary: &[&str]) -> Column {
        let dictionary = dictionary.iter().map(|text| (*text).into()).collect();
        Column::Text(TextColumn { codes: codes.to_vec(), dictionary })
    }

    fn binary(ordinals: &[u64], columns: Vec<Column>, classes: &[u32]) -> Result<Table, ColumnsError> {
        let target = TargetColumn::Class(classes.to_vec());
        Table::from_columns(schema(TargetKind::Binary), ordinals.to_vec(), columns, target)
    }

    fn numbers(values: &[f64]) -> Column {
        Column::Number(values.to_vec())
    }

    #[test]
    fn columns_of_a_table_make_it_again() {
        let mut builder = TableBuilder::new(schema(TargetKind::Binary));
        for (row, text) in ["b", "", "b", "a"].into_iter().enumerate() {
            let cells = [Cell::Number(-0.0), Cell::Text(text)];
            builder.push(row as u64 * 3, &cells, TargetValue::Class(1)).unwrap();
        }
        let columns = vec![numbers(&[0.0; 4]), texts(&[0, 1, 0, 2], &["b", "", "a"])];
        assert_eq!(binary(&[0, 3, 6, 9], columns, &[1; 4]), Ok(builder.finish()));
        let empty = TableBuilder::new(schema(TargetKind::Number)).finish();
        let columns = vec![numbers(&[]), texts(&[], &[])];
        let target = TargetColumn::Number(vec![]);
        assert_eq!(Table::from_columns(Arc::clone(&empty.schema), vec![], columns, target), Ok(empty));
    }

    #[test]
    fn columns_that_no_rows_make_are_refused() {
        let good = || vec![numbers(&[1.0, 2.0]), texts(&[0, 1], &["a", "b"])];
        let named = |column: &str| column.to_owned();
        assert!(binary(&[1, 2], good(), &[0, 1]).is_ok());
        assert_eq!(binary(&[2, 2], good(), &[0, 1]), Err(ColumnsError::Order));
        assert_eq!(binary(&[2, 1], good(), &[0, 1]), Err(ColumnsError::Order));
        assert_eq!(binary(&[1], good(), &[0]), Err(ColumnsError::Length { column: named("n") }));
        assert_eq!(binary(&[1, 2], good(), &[0]), Err(ColumnsError::Length { column: named("y") }));
        assert_eq!(binary(&[1, 2], good(), &[0, 2]), Err(ColumnsError::Value { column: named("y") }));
        assert_eq!(binary(&[1, 2], good()[..1].to_vec(), &[0, 1]), Err(ColumnsError::Schema));
        assert_eq!(binary(&[1, 2], good().into_iter().rev().collect(), &[0, 1]), Err(ColumnsError::Schema));
        let estimated = TargetColumn::Number(vec![0.0; 2]);
        let other = Table::from_columns(schema(TargetKind::Binary), vec![1, 2], good(), estimated);
        assert_eq!(other, Err(ColumnsError::Schema));
        let classes = TargetColumn::Class(vec![0; 2]);
        let other = Table::from_columns(schema(TargetKind::Number), vec![1, 2], good(), classes);
        assert_eq!(other, Err(ColumnsError::Schema));
        for value in [-0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let columns = vec![numbers(&[1.0, value]), texts(&[0, 1], &["a", "b"])];
            assert_eq!(binary(&[1, 2], columns, &[0, 1]), Err(ColumnsError::Value { column: named("n") }));
        }
        for (codes, dictionary) in [
            ([0, 1], &["a", "a"][..]),
            ([1, 0], &["a", "b"]),
            ([0, 0], &["a", "b"]),
            ([0, 2], &["a", "b"]),
            ([0, 1], &["a"]),
            ([0, 0], &[]),
            ([0, 1], &["a", "b", "c"]),
        ] {
            let columns = vec![numbers(&[1.0, 2.0]), texts(&codes, dictionary)];
            let found = binary(&[1, 2], columns, &[0, 1]);
            assert_eq!(
                found,
                Err(ColumnsError::Dictionary { column: named("t") }),
                "{codes:?} {dictionary:?}"
            );
        }
    }
}
