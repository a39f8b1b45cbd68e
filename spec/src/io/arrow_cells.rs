//! The values of a Parquet column as cells.
//!
//! The same table gives the same cells as in CSV: whole numbers and floats are numbers (a float of 32 bits is the decimal number
//! that it is written as, not its wider neighbour), booleans are `True` and `False`, decimals, dates and times are their texts,
//! null and not-a-number are missing.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int64Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Float32Array, Float64Array, Int64Array, StringArray,
    UInt64Array,
};
use arrow_schema::DataType;
use parquet::errors::ParquetError;

use super::part::MAX_CELL_BYTES;
use crate::record::Record;

/// A column of a batch.
pub(super) enum ColumnCells {
    Missing,
    Signed(Int64Array),
    Unsigned(UInt64Array),
    Double(Float64Array),
    Single(Float32Array),
    Boolean(BooleanArray),
    Text(StringArray),
    /// Texts that their writer did not call so: they may be none.
    Bytes(BinaryArray),
}

impl ColumnCells {
    /// Whether values of this type are read.
    pub(super) fn reads(kind: &DataType) -> bool {
        Self::common(kind).is_some()
    }

    /// The type that values are turned into.
    fn common(kind: &DataType) -> Option<DataType> {
        Some(match kind {
            DataType::Null => DataType::Null,
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32 => DataType::Int64,
            DataType::UInt64 => DataType::UInt64,
            DataType::Float16 | DataType::Float32 => DataType::Float32,
            DataType::Float64 => DataType::Float64,
            DataType::Boolean => DataType::Boolean,
            DataType::Utf8
            | DataType::LargeUtf8
            | DataType::Utf8View
            | DataType::Date32
            | DataType::Date64
            | DataType::Time32(_)
            | DataType::Time64(_)
            | DataType::Timestamp(_, _)
            | DataType::Decimal32(_, _)
            | DataType::Decimal64(_, _)
            | DataType::Decimal128(_, _)
            | DataType::Decimal256(_, _) => DataType::Utf8,
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => DataType::Binary,
            _ => return None,
        })
    }

    /// Takes a column.
    ///
    /// # Errors
    /// When its type is none that is read.
    pub(super) fn new(column: &ArrayRef) -> Result<Self, ParquetError> {
        let wrong = || ParquetError::General(format!("values of type {}", column.data_type()));
        let common = Self::common(column.data_type()).ok_or_else(wrong)?;
        let column = match *column.data_type() == common {
            true => Arc::clone(column),
            false => arrow_cast::cast(column, &common)?,
        };
        let cells = match common {
            DataType::Null => Some(Self::Missing),
            DataType::Int64 => column.as_primitive_opt::<Int64Type>().cloned().map(Self::Signed),
            DataType::UInt64 => column.as_primitive_opt::<UInt64Type>().cloned().map(Self::Unsigned),
            DataType::Float32 => column.as_primitive_opt::<Float32Type>().cloned().map(Self::Single),
            DataType::Float64 => column.as_primitive_opt::<Float64Type>().cloned().map(Self::Double),
            DataType::Boolean => column.as_boolean_opt().cloned().map(Self::Boolean),
            DataType::Utf8 => column.as_string_opt::<i32>().cloned().map(Self::Text),
            _ => column.as_binary_opt::<i32>().cloned().map(Self::Bytes),
        };
        cells.ok_or_else(wrong)
    }

    /// Puts the value of a row (within the batch) into a record's column.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence that begins with the column.
    pub(super) fn put(&self, row: usize, column: usize, record: &mut Record) -> Result<(), String> {
        match self {
            Self::Missing => {}
            Self::Signed(values) if values.is_valid(row) => record.set_integer(column, values.value(row)),
            Self::Unsigned(values) if values.is_valid(row) => record.set_integer(column, values.value(row)),
            Self::Double(values) if values.is_valid(row) => record.set_number(column, values.value(row)),
            Self::Single(values) if values.is_valid(row) => {
                let value = values.value(row);
                let decimal = value.to_string().parse().unwrap_or(f64::from(value));
                record.set_number(column, decimal);
            }
            Self::Boolean(values) if values.is_valid(row) => {
                record.set_text(column, if values.value(row) { "True" } else { "False" });
            }
            Self::Text(values) if values.is_valid(row) => return put_text(values.value(row), column, record),
            Self::Bytes(values) if values.is_valid(row) => {
                let text = std::str::from_utf8(values.value(row));
                let text = text.map_err(|error| {
                    format!("is not UTF-8 text (byte {} of the value)", error.valid_up_to() + 1)
                })?;
                return put_text(text, column, record);
            }
            _ => {}
        }
        Ok(())
    }
}

fn put_text(text: &str, column: usize, record: &mut Record) -> Result<(), String> {
    if text.len() > MAX_CELL_BYTES {
        return Err(format!("has {} bytes, at most {MAX_CELL_BYTES} are read", text.len()));
    }
    record.set_text(column, text);
    Ok(())
}
