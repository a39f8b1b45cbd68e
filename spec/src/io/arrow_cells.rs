//! The values of a Parquet column as cells.
//!
//! The same table gives the same cells as in CSV: whole numbers and floats are numbers (a float of 32 bits is the decimal number
//! that it is written as, not its wider neighbour), booleans are `True` and `False`, decimals, dates and times are their texts,
//! null and not-a-number are missing.

use arrow_array::cast::AsArray;
use arrow_array::temporal_conversions::{
    time32ms_to_time, time64ns_to_time, time64us_to_time, timestamp_ms_to_datetime, timestamp_ns_to_datetime,
    timestamp_us_to_datetime,
};
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    DecimalType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, Time64MicrosecondType, Time64NanosecondType, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, Float32Array, Float64Array, Int64Array,
    PrimitiveArray, StringArray, UInt64Array,
};
use arrow_schema::{DataType, TimeUnit};
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
    FixedBytes(FixedSizeBinaryArray),
}

impl ColumnCells {
    /// Whether values of this type are read. The types are those that Parquet's own become when no Arrow schema is looked at.
    pub(super) fn reads(kind: &DataType) -> bool {
        !kind.is_nested() && !matches!(kind, DataType::Interval(_) | DataType::Duration(_))
    }

    /// Takes a column.
    ///
    /// # Errors
    /// When its type is none that is read.
    pub(super) fn new(column: &ArrayRef) -> Result<Self, ParquetError> {
        fn signed<T: ArrowPrimitiveType>(column: &ArrayRef) -> Option<ColumnCells>
        where
            i64: From<T::Native>,
        {
            let values = column.as_primitive_opt::<T>()?;
            Some(ColumnCells::Signed(values.unary::<_, Int64Type>(i64::from)))
        }
        let cells = match column.data_type() {
            DataType::Null => Some(Self::Missing),
            DataType::Int8 => signed::<Int8Type>(column),
            DataType::Int16 => signed::<Int16Type>(column),
            DataType::Int32 => signed::<Int32Type>(column),
            DataType::Int64 => column.as_primitive_opt::<Int64Type>().cloned().map(Self::Signed),
            DataType::UInt8 => signed::<UInt8Type>(column),
            DataType::UInt16 => signed::<UInt16Type>(column),
            DataType::UInt32 => signed::<UInt32Type>(column),
            DataType::UInt64 => column.as_primitive_opt::<UInt64Type>().cloned().map(Self::Unsigned),
            DataType::Float16 => column
                .as_primitive_opt::<Float16Type>()
                .map(|values| Self::Single(values.unary::<_, Float32Type>(|value| value.to_f32()))),
            DataType::Float32 => column.as_primitive_opt::<Float32Type>().cloned().map(Self::Single),
            DataType::Float64 => column.as_primitive_opt::<Float64Type>().cloned().map(Self::Double),
            DataType::Boolean => column.as_boolean_opt().cloned().map(Self::Boolean),
            DataType::Utf8 => column.as_string_opt::<i32>().cloned().map(Self::Text),
            DataType::Binary => column.as_binary_opt::<i32>().cloned().map(Self::Bytes),
            DataType::FixedSizeBinary(_) => column.as_fixed_size_binary_opt().cloned().map(Self::FixedBytes),
            DataType::Date32 => spelled::<Date32Type>(column, |days| {
                Date32Type::to_naive_date_opt(days).map(|date| date.to_string())
            }),
            DataType::Time32(TimeUnit::Millisecond) => spelled::<Time32MillisecondType>(column, |value| {
                time32ms_to_time(value).map(|time| time.to_string())
            }),
            DataType::Time64(TimeUnit::Microsecond) => spelled::<Time64MicrosecondType>(column, |value| {
                time64us_to_time(value).map(|time| time.to_string())
            }),
            DataType::Time64(TimeUnit::Nanosecond) => spelled::<Time64NanosecondType>(column, |value| {
                time64ns_to_time(value).map(|time| time.to_string())
            }),
            DataType::Timestamp(unit, zone) => {
                // What has a zone is in universal time.
                let end = if zone.is_some() { "+00:00" } else { "" };
                match unit {
                    TimeUnit::Millisecond => spelled::<TimestampMillisecondType>(column, |value| {
                        timestamp_ms_to_datetime(value).map(|time| format!("{time}{end}"))
                    }),
                    TimeUnit::Microsecond => spelled::<TimestampMicrosecondType>(column, |value| {
                        timestamp_us_to_datetime(value).map(|time| format!("{time}{end}"))
                    }),
                    TimeUnit::Nanosecond => spelled::<TimestampNanosecondType>(column, |value| {
                        timestamp_ns_to_datetime(value).map(|time| format!("{time}{end}"))
                    }),
                    TimeUnit::Second => None,
                }
            }
            DataType::Decimal32(precision, scale) => decimal::<Decimal32Type>(column, *precision, *scale),
            DataType::Decimal64(precision, scale) => decimal::<Decimal64Type>(column, *precision, *scale),
            DataType::Decimal128(precision, scale) => decimal::<Decimal128Type>(column, *precision, *scale),
            DataType::Decimal256(precision, scale) => decimal::<Decimal256Type>(column, *precision, *scale),
            _ => None,
        };
        cells.ok_or_else(|| ParquetError::General(format!("values of type {}", column.data_type())))
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
                return put_bytes(values.value(row), column, record);
            }
            Self::FixedBytes(values) if values.is_valid(row) => {
                return put_bytes(values.value(row), column, record);
            }
            _ => {}
        }
        Ok(())
    }
}

/// The values as their texts; one that stands for nothing is missing.
fn spelled<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    text: impl Fn(T::Native) -> Option<String>,
) -> Option<ColumnCells> {
    let values: &PrimitiveArray<T> = column.as_primitive_opt::<T>()?;
    Some(ColumnCells::Text(values.iter().map(|value| value.and_then(&text)).collect::<StringArray>()))
}

fn decimal<T: DecimalType>(column: &ArrayRef, precision: u8, scale: i8) -> Option<ColumnCells> {
    spelled::<T>(column, |value| Some(T::format_decimal(value, precision, scale)))
}

fn put_bytes(bytes: &[u8], column: usize, record: &mut Record) -> Result<(), String> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| format!("is not UTF-8 text (byte {} of the value)", error.valid_up_to() + 1))?;
    put_text(text, column, record)
}

fn put_text(text: &str, column: usize, record: &mut Record) -> Result<(), String> {
    if text.len() > MAX_CELL_BYTES {
        return Err(format!("has {} bytes, at most {MAX_CELL_BYTES} are read", text.len()));
    }
    record.set_text(column, text);
    Ok(())
}
