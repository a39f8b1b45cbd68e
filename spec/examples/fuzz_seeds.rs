//! Writes the seeds of the fuzz targets that no editor writes: specs and Parquet files. `cargo run -p spec --features io --example
//! fuzz_seeds`; those of records are written by `cargo run -p protocol --example record_seeds`.
#![allow(clippy::unwrap_used, unreachable_pub)]

use std::fs;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMillisecondArray, UInt64Array,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use snake::{Label, TargetKind};

#[path = "../../fuzz/src/small.rs"]
mod small;

use small::{kmeans, round_robin};

fn main() {
    specs();
    parquet();
}

fn seed(target: &str, name: &str, start: &[u8], bytes: &[u8]) {
    let folder = format!("{}/../fuzz/seeds/{target}", env!("CARGO_MANIFEST_DIR"));
    fs::create_dir_all(&folder).unwrap();
    fs::write(format!("{folder}/{name}"), [start, bytes].concat()).unwrap();
}

fn specs() {
    seed("spec", "kmeans", &[], &cbor(&kmeans()));
    let binary = vec![Label::Integer(0), Label::Integer(1)];
    seed("spec", "round_robin", &[], &cbor(&round_robin(TargetKind::Binary, binary)));
    seed("spec", "number", &[], &cbor(&round_robin(TargetKind::Number, vec![])));
}

fn cbor(spec: &spec::DataSpec) -> Vec<u8> {
    serde_cbor::to_vec(spec).unwrap()
}

fn written(
    columns: Vec<(&str, ArrayRef)>,
    compression: Compression,
    group: usize,
    dictionary: bool,
) -> Vec<u8> {
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_dictionary_enabled(dictionary)
        .set_created_by("seed".into())
        .set_max_row_group_row_count(Some(group))
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn parquet() {
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(-3), Some(1)]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("x"), Some(""), None, Some("x")]));
    let classes: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "a", "b"]));
    let simple = || vec![("n", Arc::clone(&numbers)), ("t", Arc::clone(&texts)), ("y", Arc::clone(&classes))];
    seed("parquet_rows", "plain", b"0", &written(simple(), Compression::UNCOMPRESSED, 10, false));
    seed("parquet_rows", "dictionary_snappy", b"p", &written(simple(), Compression::SNAPPY, 2, true));
    let zstd = Compression::ZSTD(ZstdLevel::try_new(1).unwrap());
    seed("parquet_rows", "groups_zstd", b"9", &written(simple(), zstd, 1, false));
    // One text in the file, five hundred in memory.
    let long: ArrayRef = Arc::new(StringArray::from(vec!["a long text, and long ".repeat(90).as_str(); 500]));
    let classes: ArrayRef = Arc::new(Int32Array::from_iter_values((0..500).map(|row| row % 2)));
    let columns = vec![("t", long), ("y", classes)];
    seed("parquet_rows", "dictionary_long", b"8", &written(columns, Compression::SNAPPY, 1000, true));
    let kinds: Vec<(&str, ArrayRef)> = vec![
        ("bool", Arc::new(BooleanArray::from(vec![Some(true), None]))),
        ("long", Arc::new(Int64Array::from(vec![i64::MIN, 4]))),
        ("unsigned", Arc::new(UInt64Array::from(vec![u64::MAX, 4]))),
        ("float", Arc::new(Float32Array::from(vec![f32::NAN, 0.1]))),
        ("date", Arc::new(Date32Array::from(vec![0, i32::MAX]))),
        ("time", Arc::new(TimestampMillisecondArray::from(vec![0, i64::MAX]))),
        ("cash", Arc::new(Decimal128Array::from(vec![123, -4]).with_precision_and_scale(10, 2).unwrap())),
        ("y", Arc::new(Int32Array::from(vec![0, 1]))),
    ];
    seed("parquet_rows", "kinds", b"8", &written(kinds, Compression::UNCOMPRESSED, 10, false));
}
