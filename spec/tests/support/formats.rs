//! One table in every format and packing. For tests that include it with `#[path]`.
#![allow(dead_code)] // not every test uses all of it

use std::io::Write;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

/// Columns that hold numbers.
fn is_number(column: usize, rows: &[Vec<String>]) -> bool {
    rows.iter().all(|row| row[column].is_empty() || row[column].parse::<f64>().is_ok())
}

pub(crate) fn csv(header: &[&str], rows: &[Vec<String>]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header).unwrap();
    rows.iter().for_each(|row| writer.write_record(row).unwrap());
    writer.into_inner().unwrap()
}

pub(crate) fn json_lines(header: &[&str], rows: &[Vec<String>]) -> Vec<u8> {
    let numbers: Vec<bool> = (0..header.len()).map(|column| is_number(column, rows)).collect();
    let mut out = Vec::new();
    for row in rows {
        let mut object = serde_json::Map::new();
        for ((name, cell), number) in header.iter().zip(row).zip(&numbers) {
            match (cell.as_str(), number) {
                // A name that is not there, and null, are both missing values.
                ("", true) if row[0].len() % 2 == 0 => {}
                ("", _) => drop(object.insert((*name).into(), serde_json::Value::Null)),
                (cell, true) => drop(object.insert((*name).into(), serde_json::from_str(cell).unwrap())),
                (cell, false) => drop(object.insert((*name).into(), cell.into())),
            }
        }
        out.extend(serde_json::to_vec(&object).unwrap());
        out.push(b'\n');
    }
    out
}

/// In row groups of 100 rows.
pub(crate) fn parquet(header: &[&str], rows: &[Vec<String>]) -> Vec<u8> {
    let columns = header.iter().enumerate().map(|(column, name)| {
        let cells = rows.iter().map(|row| Some(row[column].as_str()).filter(|cell| !cell.is_empty()));
        let cells: ArrayRef = match is_number(column, rows) {
            true => {
                Arc::new(cells.map(|cell| cell.map(|cell| cell.parse().unwrap())).collect::<Float64Array>())
            }
            false => Arc::new(cells.collect::<StringArray>()),
        };
        (*name, cells, true)
    });
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(100))
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}
