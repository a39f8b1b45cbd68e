//! A Parquet part: only the columns that are looked at, a row group at a time.
//!
//! The reader is driven by hand: it says which bytes it needs, and they come from a file or by range requests. What the
//! file's footer claims is checked before anything of that size is read. The Arrow schema that writers put into the footer
//! is not looked at: types are Parquet's own.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use bytes::Bytes;
use parquet::DecodeResult;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::push_decoder::{ParquetPushDecoder, ParquetPushDecoderBuilder};
use parquet::basic::Compression;
use parquet::basic::Type;
use parquet::errors::ParquetError;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataPushDecoder};

use super::arrow_cells::ColumnCells;
use super::limits::SourceLimits;
use super::parquet_pages::{PageFault, check_pages};
use super::part::{MAX_CELL_BYTES, MAX_COLUMNS, Next, PartError, PartReader, too_large};
use super::random_access::{RandomAccess, Until};
use crate::record::Record;
use crate::source::At;

/// A footer may take this many bytes.
const MAX_FOOTER: u64 = 16 << 20;
/// The columns of a row group that are looked at may take this many bytes, packed or unpacked: they are in memory at once.
const MAX_ROW_GROUP: u64 = 512 << 20;
/// Rows that are decoded at a time, at most.
const BATCH: usize = 256;
/// The texts of a batch may take this many bytes: a dictionary of one long text makes as many of it as there are rows.
const MAX_BATCH: u64 = 256 << 20;

/// A column of a row group.
struct Chunk {
    /// Where it lies.
    range: Range<u64>,
    packing: Compression,
    /// Whether its values are texts, of which many may share the same bytes in the file.
    texts: bool,
    /// What a value takes, missing ones too, where they all take the same.
    fixed: u64,
}

/// Bytes of a part that may still be read, and come out of it.
struct Left {
    packed: u64,
    unpacked: u64,
}

/// An open part.
pub(super) struct ParquetPart {
    bytes: Box<dyn RandomAccess>,
    until: Until,
    /// Bytes that may still be read, and come out of them.
    left: Left,
    metadata: ArrowReaderMetadata,
    header: Vec<String>,
    /// Positions of the columns that are looked at, ascending.
    wanted: Vec<usize>,
    /// The row group that is decoded next.
    group: usize,
    /// Of the one that is decoded now.
    decoder: Option<ParquetPushDecoder>,
    /// The columns of the current batch, by position.
    batch: Vec<(usize, ColumnCells)>,
    batch_rows: usize,
    next_in_batch: usize,
    row: u64,
}

impl ParquetPart {
    /// Reads the footer.
    pub(super) fn open(mut bytes: Box<dyn RandomAccess>, limits: &SourceLimits) -> Result<Self, PartError> {
        let until = Until::of(limits);
        // No column is read twice, so that all of them are no more than the file.
        let left = Left { packed: bytes.len().min(limits.packed_bytes), unpacked: limits.unpacked_bytes };
        let metadata = read_footer(bytes.as_mut(), &until)?;
        let header: Vec<String> =
            metadata.schema().fields().iter().map(|field| field.name().clone()).collect();
        if header.len() > MAX_COLUMNS {
            let reason = format!("it has {} columns, at most {MAX_COLUMNS} are read", header.len());
            return Err(PartError::Format(reason));
        }
        let wanted = (0..header.len()).collect();
        Ok(Self {
            bytes,
            until,
            left,
            metadata,
            header,
            wanted,
            group: 0,
            decoder: None,
            batch: Vec::new(),
            batch_rows: 0,
            next_in_batch: 0,
            row: 0,
        })
    }

    fn check_columns(&self) -> Result<(), PartError> {
        for position in &self.wanted {
            let Some(field) = self.metadata.schema().fields().get(*position) else { continue };
            if let DataType::FixedSizeBinary(length) = field.data_type()
                && usize::try_from(*length).map_or(true, |length| length > MAX_CELL_BYTES)
            {
                let length = usize::try_from(*length).unwrap_or_default();
                return Err(PartError::Format(too_large(field.name(), length)));
            }
            if !ColumnCells::reads(field.data_type()) {
                let reason = format!(
                    "column {:?} holds values of type {}, which are no texts or numbers: list it in `exclude`",
                    field.name(),
                    field.data_type()
                );
                return Err(PartError::Format(reason));
            }
        }
        let schema = self.metadata.parquet_schema();
        for leaf in 0..schema.num_columns() {
            let root = schema.get_column_root_idx(leaf);
            // Its dates beyond those of 64 bits of nanoseconds would come out as others.
            if schema.column(leaf).physical_type() == Type::INT96 && self.wanted.binary_search(&root).is_ok()
            {
                let reason = format!(
                    "column {:?} holds times in the old form INT96, which are not read: write it anew, or list it in `exclude`",
                    self.header.get(root).map_or("", String::as_str)
                );
                return Err(PartError::Format(reason));
            }
        }
        Ok(())
    }

    /// The columns of a row group that are looked at, in the order in which they lie. Their sizes are checked.
    fn chunks(&self, number: usize) -> Result<Vec<Chunk>, PartError> {
        let mut chunks = Vec::new();
        let Some(group) = self.metadata.metadata().row_groups().get(number) else { return Ok(chunks) };
        let (mut packed, mut unpacked) = (0u64, 0u64);
        // No column that is looked at is nested, so a leaf is a column.
        for (leaf, column) in group.columns().iter().enumerate() {
            let root = self.metadata.parquet_schema().get_column_root_idx(leaf);
            if self.wanted.binary_search(&root).is_err() {
                continue;
            }
            let (start, length) = guarded(|| Ok(column.byte_range()))?;
            let fixed = match column.column_type() {
                Type::FIXED_LEN_BYTE_ARRAY => u64::try_from(column.column_descr().type_length()).unwrap_or(0),
                _ => 0,
            };
            chunks.push(Chunk {
                range: start..start.saturating_add(length),
                packing: column.compression(),
                texts: matches!(column.column_type(), Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY),
                fixed,
            });
            let size = |size: i64| u64::try_from(size).unwrap_or(u64::MAX);
            packed = packed.saturating_add(size(column.compressed_size()));
            unpacked = unpacked.saturating_add(size(column.uncompressed_size()));
        }
        if packed.max(unpacked) > MAX_ROW_GROUP {
            let reason = format!(
                "row group {number} has {} bytes, at most {MAX_ROW_GROUP} are read at once: write the file with \
                 smaller row groups, or list columns in `exclude`",
                packed.max(unpacked)
            );
            return Err(PartError::Format(reason));
        }
        // Where two columns lie in each other the decoder takes one out of the other, past the look at its pages.
        chunks.sort_unstable_by_key(|chunk| chunk.range.start);
        let ranges: Vec<_> =
            chunks.iter().map(|chunk| &chunk.range).filter(|range| !range.is_empty()).collect();
        if !ranges.is_sorted_by(|a, b| a.end <= b.start) {
            return Err(PartError::Format("has columns within others: it is damaged, fetch it again".into()));
        }
        Ok(chunks)
    }

    /// Looks at everything that the footer claims, before anything is read.
    fn check(&self) -> Result<(), PartError> {
        self.check_columns()?;
        let groups = 0..self.metadata.metadata().num_row_groups();
        groups.into_iter().try_for_each(|number| self.chunks(number).map(|_| ()))
    }

    /// Fetches a row group, looks at its pages, and has a decoder for it.
    fn start(&mut self, number: usize) -> Result<ParquetPushDecoder, PartError> {
        let chunks = self.chunks(number)?;
        let ranges: Vec<Range<u64>> =
            chunks.iter().map(|chunk| chunk.range.clone()).filter(|range| !range.is_empty()).collect();
        let data = fetch(self.bytes.as_mut(), &ranges, MAX_ROW_GROUP.min(self.left.packed), &self.until)?;
        let read: u64 = data.iter().map(|bytes| bytes.len() as u64).sum();
        self.left.packed = self.left.packed.saturating_sub(read);
        let rows = rows_at_a_time(&chunks, &data, &mut self.left.unpacked)?;
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), self.wanted.iter().copied());
        let builder = ParquetPushDecoderBuilder::new_with_metadata(self.metadata.clone());
        guarded(|| {
            let builder = builder.with_row_groups(vec![number]).with_projection(mask).with_batch_size(rows);
            let mut decoder = builder.build()?;
            decoder.push_ranges(ranges, data)?;
            Ok(decoder)
        })
    }

    /// The next rows of the row group that is decoded; `None` at its end.
    fn decode_group(&mut self) -> Result<Option<RecordBatch>, PartError> {
        let Some(decoder) = &mut self.decoder else { return Ok(None) };
        loop {
            return match guarded(|| decoder.try_decode())? {
                DecodeResult::Data(batch) if batch.num_rows() == 0 => continue,
                DecodeResult::Data(batch) => Ok(Some(batch)),
                DecodeResult::Finished => Ok(None),
                // It has all of its columns.
                DecodeResult::NeedsData(_) => Err(disordered()),
            };
        }
    }

    /// Decodes the next batch; `false` at the end.
    fn decode(&mut self) -> Result<bool, PartError> {
        let batch = loop {
            if let Some(batch) = self.decode_group()? {
                break batch;
            }
            self.decoder = None;
            if self.group == 0 {
                self.check()?;
            }
            let Some(group) = self.metadata.metadata().row_groups().get(self.group) else { return Ok(false) };
            // One without rows may point anywhere.
            if group.num_rows() > 0 {
                self.decoder = Some(self.start(self.group)?);
            }
            self.group += 1;
        };
        self.until.check()?;
        self.batch.clear();
        for (position, column) in self.wanted.iter().zip(batch.columns()) {
            let name = self.header.get(*position).map_or("", String::as_str);
            let cells = guarded(|| ColumnCells::new(column)).map_err(|_| {
                PartError::Format(format!("column {name:?} can't be read as texts or numbers"))
            })?;
            self.batch.push((*position, cells));
        }
        self.batch_rows = batch.num_rows();
        self.next_in_batch = 0;
        Ok(true)
    }
}

impl PartReader for ParquetPart {
    fn header(&self) -> &[String] {
        &self.header
    }

    fn only(&mut self, columns: &[usize]) {
        let mut wanted: Vec<usize> =
            columns.iter().copied().filter(|column| *column < self.header.len()).collect();
        wanted.sort_unstable();
        wanted.dedup();
        self.wanted = wanted;
    }

    fn next(&mut self, record: &mut Record) -> Result<Next, PartError> {
        while self.next_in_batch >= self.batch_rows {
            if !self.decode()? {
                self.batch_rows = 0;
                self.next_in_batch = 0;
                return Ok(Next::End);
            }
        }
        let row = self.next_in_batch;
        self.next_in_batch += 1;
        self.row += 1;
        record.reset(self.header.len());
        for (position, cells) in &self.batch {
            if let Err(reason) = cells.put(row, *position, record) {
                let name = self.header.get(*position).map_or("", String::as_str);
                return Ok(Next::Bad(At::Row(self.row), format!("column {name:?} {reason}")));
            }
        }
        Ok(Next::Record(At::Row(self.row)))
    }
}

/// Checks the pages of columns that are in memory together, and says how many rows may be decoded at a time: each row may have the
/// longest text of its column, which stands in the file once.
fn rows_at_a_time(chunks: &[Chunk], data: &[Bytes], unpacked: &mut u64) -> Result<usize, PartError> {
    let most = MAX_ROW_GROUP.min(*unpacked);
    let mut budget = most;
    let mut row = chunks.iter().fold(0u64, |sum, chunk| sum.saturating_add(chunk.fixed));
    for (chunk, bytes) in chunks.iter().filter(|chunk| !chunk.range.is_empty()).zip(data) {
        match check_pages(bytes, chunk.packing, &mut budget, MAX_ROW_GROUP) {
            Ok(shared) if chunk.texts => row = row.saturating_add(shared),
            Ok(_) => {}
            Err(PageFault::Form) => return Err(disordered()),
            Err(PageFault::TooLarge) => {
                return Err(PartError::Format(format!(
                    "has a row group that unpacks to more than {most} bytes, or to more than it says: write the file with \
                     smaller row groups, or list columns in `exclude`"
                )));
            }
        }
    }
    *unpacked = unpacked.saturating_sub(most - budget);
    if row > MAX_ROW_GROUP {
        return Err(PartError::Format(format!(
            "may have rows of more than {MAX_ROW_GROUP} bytes, which are not read: list columns in `exclude`"
        )));
    }
    Ok(usize::try_from(MAX_BATCH / row.max(1)).unwrap_or(BATCH).clamp(1, BATCH))
}

fn disordered() -> PartError {
    PartError::Format("is no Parquet file that can be read (its pages are not in order): is it whole?".into())
}

fn read_footer(bytes: &mut dyn RandomAccess, until: &Until) -> Result<ArrowReaderMetadata, PartError> {
    // The page index is a second word on where pages lie, which the look at the pages would not see.
    let decoder = guarded(|| ParquetMetaDataPushDecoder::try_new(bytes.len()))?;
    let mut decoder = decoder.with_page_index_policy(PageIndexPolicy::Skip);
    let metadata = loop {
        match guarded(|| decoder.try_decode())? {
            DecodeResult::Data(metadata) => break metadata,
            DecodeResult::NeedsData(ranges) => {
                let length = |range: &Range<u64>| range.end.saturating_sub(range.start);
                if ranges.iter().any(|range| range.end <= bytes.len() && length(range) > MAX_FOOTER) {
                    let reason = format!(
                        "has a footer of more than {} MiB, which is not read: write it with fewer row groups",
                        MAX_FOOTER >> 20
                    );
                    return Err(PartError::Format(reason));
                }
                let data = fetch(bytes, &ranges, MAX_FOOTER, until)?;
                guarded(|| decoder.push_ranges(ranges, data))?;
            }
            DecodeResult::Finished => {
                return Err(PartError::Format("has no footer: it is not whole, fetch it again".into()));
            }
        }
    };
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    guarded(|| ArrowReaderMetadata::try_new(Arc::new(metadata), options))
}

fn fetch(
    bytes: &mut dyn RandomAccess,
    ranges: &[Range<u64>],
    most: u64,
    until: &Until,
) -> Result<Vec<Bytes>, PartError> {
    let mut sum = 0u64;
    for range in ranges {
        let length = range.end.checked_sub(range.start);
        sum = length.map_or(u64::MAX, |length| sum.saturating_add(length));
        if range.end > bytes.len() || sum > most {
            return Err(PartError::Format(
                "says that it has parts where there are none, or larger ones than are read: it is damaged, fetch it again".into(),
            ));
        }
    }
    ranges.iter().map(|range| bytes.read(range.clone(), until)).collect()
}

/// Runs the reader: its errors are errors of the part, and so are its panics, which a damaged file may cause.
fn guarded<T>(work: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, PartError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => {
            Err(PartError::Format(format!("is no Parquet file that can be read ({error}): is it whole?")))
        }
        Err(_) => Err(PartError::Format(
            "is no Parquet file that can be read: it is damaged, fetch it again".into(),
        )),
    }
}

#[cfg(test)]
#[path = "parquet_tests.rs"]
mod tests;
