//! What tests of sources share: files, and reading them to the end.

use std::io::Write;
use std::path::PathBuf;

use super::part_place::PartPlace;
use super::table_source::TableSource;
use crate::record::Record;
use crate::run::{Format, OnError};
use crate::source::{At, RecordSource, SourceError};

/// Parts in a folder of their own.
pub(super) struct Files {
    pub(super) folder: tempfile::TempDir,
    pub(super) paths: Vec<PathBuf>,
}

impl Files {
    pub(super) fn new(parts: &[&[u8]]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let paths = parts
            .iter()
            .enumerate()
            .map(|(i, bytes)| {
                let path = folder.path().join(format!("part{i}"));
                std::fs::write(&path, bytes).unwrap();
                path
            })
            .collect();
        Self { folder, paths }
    }

    pub(super) fn source(&self, format: Format, on_error: OnError) -> TableSource {
        files(&self.paths, format, on_error)
    }
}

/// A source of these files, one place per part.
pub(super) fn files(paths: &[PathBuf], format: Format, on_error: OnError) -> TableSource {
    TableSource::new(format, paths.iter().map(|path| vec![PartPlace::File(path.clone())]).collect(), on_error)
}

/// A row: ordinal, part, line or number, cells as texts.
pub(super) type Row = (u64, usize, u64, Vec<String>);

/// Reads to the end: the rows, and how many were left out.
pub(super) fn read(source: &TableSource) -> Result<(Vec<Row>, u64), SourceError> {
    let mut reader = source.open()?;
    let (mut record, mut rows) = (Record::default(), Vec::new());
    while reader.next(&mut record)? {
        let cells = record.cells().map(|cell| cell.text().into_owned()).collect();
        let (At::Line(at) | At::Row(at)) = record.place.at;
        rows.push((record.ordinal, record.place.part, at, cells));
    }
    assert!(!reader.next(&mut record)?, "the end stays the end");
    Ok((rows, reader.skipped()))
}

pub(super) fn row(ordinal: u64, part: usize, at: u64, cells: &[&str]) -> Row {
    (ordinal, part, at, cells.iter().map(|cell| (*cell).to_owned()).collect())
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zst(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}
