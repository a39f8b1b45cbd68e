//! Parquet files.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, FixedSizeBinaryArray,
    Float32Array, Float64Array, Int32Array, Int64Array, LargeStringArray, RecordBatch, StringArray,
    UInt8Array, UInt64Array,
};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::{BATCH, MAX_CELL_BYTES, ParquetPart, PartReader};
use crate::io::limits::SourceLimits;
use crate::io::testing::{Files, Row, gzip, read, row, zst};
use crate::record::{RawCell, Record};
use crate::run::{Format, OnError};
use crate::source::RecordSource;

fn written(columns: Vec<(&str, ArrayRef)>, compression: Compression, group: usize) -> Vec<u8> {
    let properties =
        WriterProperties::builder().set_compression(compression).set_max_row_group_row_count(Some(group));
    written_with(columns, properties.build())
}

fn written_with(columns: Vec<(&str, ArrayRef)>, properties: WriterProperties) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )
    .unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn simple() -> Vec<(&'static str, ArrayRef)> {
    vec![
        ("a", Arc::new(Int32Array::from(vec![Some(1), None, Some(-3)]))),
        ("b", Arc::new(StringArray::from(vec![Some("x"), Some(""), None]))),
    ]
}

fn rows(parts: &[&[u8]]) -> Vec<Row> {
    read(&Files::new(parts).source(Format::Parquet, OnError::Refuse)).unwrap().0
}

fn error(bytes: &[u8]) -> String {
    read(&Files::new(&[bytes]).source(Format::Parquet, OnError::Refuse)).unwrap_err().to_string()
}

#[test]
fn rows_come_whatever_packs_them() {
    let expected = [row(0, 0, 1, &["1", "x"]), row(1, 0, 2, &["", ""]), row(2, 0, 3, &["-3", ""])];
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(Default::default()),
        Compression::ZSTD(ZstdLevel::try_new(1).unwrap()),
        Compression::LZ4_RAW,
    ] {
        for group in [1, 2, 100] {
            let bytes = written(simple(), compression, group);
            assert_eq!(rows(&[&bytes]), expected);
            assert_eq!(rows(&[&gzip(&bytes)]), expected);
            assert_eq!(rows(&[&zst(&bytes)]), expected);
        }
    }
    let bytes = written(simple(), Compression::SNAPPY, 100);
    let two = rows(&[&bytes, &bytes]);
    assert_eq!((two.len(), &two[3]), (6, &row(3, 1, 1, &["1", "x"])));
}

#[test]
fn types_become_the_cells_that_csv_has() {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("i64", Arc::new(Int64Array::from(vec![i64::MIN, 1 << 53, 5]))),
        ("u8", Arc::new(UInt8Array::from(vec![0, 7, 255]))),
        ("u64", Arc::new(UInt64Array::from(vec![u64::MAX, 1, 2]))),
        ("f64", Arc::new(Float64Array::from(vec![0.1, f64::NAN, f64::INFINITY]))),
        ("f32", Arc::new(Float32Array::from(vec![0.1, -0.0, 1e10]))),
        ("bool", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        ("date", Arc::new(Date32Array::from(vec![0, 19_000, -1]))),
        (
            "decimal",
            Arc::new(Decimal128Array::from(vec![1250, -1, 0]).with_precision_and_scale(10, 2).unwrap()),
        ),
        ("large", Arc::new(LargeStringArray::from(vec!["é", "b", "c"]))),
        ("bytes", Arc::new(BinaryArray::from(vec![b"raw".as_slice(), b"", b"\xc3\xa9"]))),
        ("word", Arc::new(DictionaryArray::<Int32Type>::from_iter(["x", "y", "x"]))),
    ];
    let bytes = written(columns, Compression::SNAPPY, 100);
    let found = rows(&[&bytes]);
    assert_eq!(
        found,
        [
            row(
                0,
                0,
                1,
                &[
                    "-9223372036854775808",
                    "0",
                    "18446744073709551615",
                    "0.1",
                    "0.1",
                    "True",
                    "1970-01-01",
                    "12.50",
                    "é",
                    "raw",
                    "x"
                ]
            ),
            row(
                1,
                0,
                2,
                &["9007199254740992", "7", "1", "", "0", "False", "2022-01-08", "-0.01", "b", "", "y"]
            ),
            row(2, 0, 3, &["5", "255", "2", "inf", "10000000000", "", "1969-12-31", "0.00", "c", "é", "x"]),
        ]
    );
}

#[test]
fn only_the_columns_that_are_looked_at_are_read() {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for _ in 0..3 {
        lists.values().append_value("v");
        lists.append(true);
    }
    let mut columns = simple();
    columns.insert(1, ("tags", Arc::new(lists.finish())));
    let bytes = written(columns, Compression::SNAPPY, 2);
    let text = error(&bytes);
    assert!(
        text.contains("column \"tags\" holds values of type List") && text.contains("`exclude`"),
        "{text}"
    );
    let files = Files::new(&[&bytes]);
    let source = files.source(Format::Parquet, OnError::Refuse);
    let mut reader = source.open().unwrap();
    assert_eq!(reader.header(), ["a", "tags", "b"]);
    reader.only(&[2, 0]);
    let mut record = Record::default();
    assert!(reader.next(&mut record).unwrap());
    assert_eq!(
        record.cells().collect::<Vec<_>>(),
        [RawCell::Number(1.0), RawCell::Text(""), RawCell::Text("x")]
    );
}

#[test]
fn bytes_that_are_no_text_are_a_bad_row() {
    let columns: Vec<(&str, ArrayRef)> =
        vec![("t", Arc::new(BinaryArray::from(vec![b"good".as_slice(), b"caf\xe9", b"fine"])))];
    let bytes = written(columns, Compression::SNAPPY, 100);
    let text = error(&bytes);
    assert!(text.contains("part0, row 2: column \"t\" is not UTF-8 text (byte 4 of the value)"), "{text}");
    let (rows, skipped) = read(&Files::new(&[&bytes]).source(Format::Parquet, OnError::Skip)).unwrap();
    assert_eq!((rows, skipped), (vec![row(0, 0, 1, &["good"]), row(2, 0, 3, &["fine"])], 1));
}

#[test]
fn what_is_no_parquet_file_is_refused() {
    for bytes in [b"".as_slice(), b"a,b\n1,2\n", b"PAR1", b"PAR1\xff\xff\xff\x7fPAR1"] {
        let text = error(bytes);
        assert!(text.starts_with(&text[..text.find("part0: ").unwrap() + 7]), "{text}");
        assert!(text.contains("Parquet") || text.contains("damaged"), "{text}");
    }
    let bytes = written(simple(), Compression::SNAPPY, 1);
    for cut in [1, 4, 8, 60, bytes.len() / 2] {
        assert!(error(&bytes[..bytes.len() - cut]).contains("part0: "), "{cut}");
    }
}

#[test]
fn no_flipped_bit_makes_it_fail_in_another_way() {
    let whole = written(simple(), Compression::SNAPPY, 2);
    for at in 0..whole.len() {
        for bit in [0, 3, 7] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            let _ = read(&Files::new(&[&bytes]).source(Format::Parquet, OnError::Refuse));
        }
    }
}

/// The rows of the first batch, and how long the first column's last text in it is.
fn first_batch(bytes: Vec<u8>) -> (usize, usize) {
    let mut part = ParquetPart::open(Box::new(Bytes::from(bytes)), &SourceLimits::default()).unwrap();
    let mut record = Record::default();
    part.next(&mut record).unwrap();
    let rows = part.batch_rows;
    for _ in 1..rows {
        part.next(&mut record).unwrap();
    }
    (rows, record.cell(0).text().len())
}

#[test]
fn the_page_index_is_not_looked_at() {
    let bytes = written(simple(), Compression::SNAPPY, 2);
    let part = ParquetPart::open(Box::new(Bytes::from(bytes)), &SourceLimits::default()).unwrap();
    let group = part.metadata.metadata().row_group(0).column(0);
    assert!(group.offset_index_offset().is_some(), "the writer wrote one");
    assert!(part.metadata.metadata().page_index().is_none());
}

#[test]
fn texts_that_stand_in_the_file_once_are_not_all_in_memory_at_once() {
    let long = StringArray::from(vec!["x".repeat(1_000_000)]);
    let keys = Int32Array::from(vec![0; 100]);
    let column: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::new(keys, Arc::new(long)));
    let properties = WriterProperties::builder().set_dictionary_page_size_limit(1 << 22);
    let columns = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|name| (name, column.clone()));
    let bytes = written_with(columns.into(), properties.build());
    assert!(bytes.len() < 20_000_000);
    assert_eq!(first_batch(bytes), (33, 1_000_000), "eight columns of a million bytes, 256 MiB a batch");

    assert_eq!(first_batch(written(simple(), Compression::SNAPPY, 100)).0, 3);
    let many: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1_000_000));
    assert_eq!(first_batch(written(vec![("a", many)], Compression::UNCOMPRESSED, 1_000_000)).0, BATCH);

    // Missing values of a fixed length take it all the same.
    let missing = || Arc::new(FixedSizeBinaryArray::new_null(MAX_CELL_BYTES as i32, 4)) as ArrayRef;
    let names: Vec<String> = (0..600).map(|column| format!("c{column}")).collect();
    let wide: Vec<(&str, ArrayRef)> = names.iter().map(|name| (name.as_str(), missing())).collect();
    assert_eq!(first_batch(written(wide[..64].to_vec(), Compression::SNAPPY, 100)), (4, 0));
    let text = error(&written(wide, Compression::SNAPPY, 100));
    assert!(text.contains("may have rows of more than") && text.contains("`exclude`"), "{text}");
}
