//! A Parquet part: only the columns that are looked at, a row group at a time.
//!
//! The reader is driven by hand: it says which bytes it needs, and they come from a file or by range requests. What the
//! file's footer claims is checked before anything of that size is read. The Arrow schema that writers put into the footer
//! is not looked at: types are Parquet's own.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
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
use parquet::file::metadata::ParquetMetaDataPushDecoder;

use super::arrow_cells::ColumnCells;
use super::fetch::RemoteObject;
use super::parquet_pages::{PageFault, check_pages};
use super::part::{MAX_CELL_BYTES, MAX_COLUMNS, Next, PartError, PartReader, too_large};
use crate::record::Record;
use crate::source::At;

/// A footer may take this many bytes.
const MAX_FOOTER: u64 = 64 << 20;
/// The columns of a row group that are looked at may take this many bytes, packed or unpacked: they are in memory at once.
const MAX_ROW_GROUP: u64 = 512 << 20;
/// Rows that are decoded at a time.
const BATCH: usize = 256;

/// Bytes that can be read in any order.
pub(super) trait RandomAccess: Send {
    /// How many there are.
    fn len(&self) -> u64;

    /// Reads some of them; the range lies within.
    fn read(&mut self, range: Range<u64>) -> Result<Bytes, PartError>;
}

/// A file, and how long it was when it was opened.
pub(super) struct FileBytes {
    file: File,
    length: u64,
}

impl FileBytes {
    pub(super) fn new(file: File) -> Result<Self, PartError> {
        let length = file.metadata()?.len();
        Ok(Self { file, length })
    }
}

impl RandomAccess for FileBytes {
    fn len(&self) -> u64 {
        self.length
    }

    fn read(&mut self, range: Range<u64>) -> Result<Bytes, PartError> {
        let length = range.end.saturating_sub(range.start);
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        self.file.seek(SeekFrom::Start(range.start))?;
        Read::by_ref(&mut self.file).take(length).read_to_end(&mut bytes)?;
        if bytes.len() as u64 != length {
            return Err(PartError::Bytes(
                "became shorter while it was read: read it again when it is at rest".into(),
            ));
        }
        Ok(bytes.into())
    }
}

impl RandomAccess for RemoteObject {
    fn len(&self) -> u64 {
        RemoteObject::len(self)
    }

    fn read(&mut self, range: Range<u64>) -> Result<Bytes, PartError> {
        Ok(RemoteObject::read(self, range)?)
    }
}

impl RandomAccess for Bytes {
    fn len(&self) -> u64 {
        Bytes::len(self) as u64
    }

    fn read(&mut self, range: Range<u64>) -> Result<Bytes, PartError> {
        let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        match self.get(place(range.start)..place(range.end)) {
            Some(bytes) => Ok(self.slice_ref(bytes)),
            None => Err(PartError::Format("ends too early: fetch it again".into())),
        }
    }
}

/// Where a column of a row group lies, and how it is packed.
type Chunk = (Range<u64>, Compression);

/// An open part.
pub(super) struct ParquetPart {
    bytes: Box<dyn RandomAccess>,
    metadata: ArrowReaderMetadata,
    header: Vec<String>,
    /// Positions of the columns that are looked at, ascending.
    wanted: Vec<usize>,
    /// Where those lie, over all row groups, in order.
    chunks: Vec<Chunk>,
    decoder: Option<ParquetPushDecoder>,
    /// The columns of the current batch, by position.
    batch: Vec<(usize, ColumnCells)>,
    batch_rows: usize,
    next_in_batch: usize,
    row: u64,
}

impl ParquetPart {
    /// Reads the footer.
    pub(super) fn open(mut bytes: Box<dyn RandomAccess>) -> Result<Self, PartError> {
        let metadata = read_footer(bytes.as_mut())?;
        let header: Vec<String> =
            metadata.schema().fields().iter().map(|field| field.name().clone()).collect();
        if header.len() > MAX_COLUMNS {
            let reason = format!("it has {} columns, at most {MAX_COLUMNS} are read", header.len());
            return Err(PartError::Format(reason));
        }
        let wanted = (0..header.len()).collect();
        Ok(Self {
            bytes,
            metadata,
            header,
            wanted,
            chunks: Vec::new(),
            decoder: None,
            batch: Vec::new(),
            batch_rows: 0,
            next_in_batch: 0,
            row: 0,
        })
    }

    fn start(&mut self) -> Result<ParquetPushDecoder, PartError> {
        self.check_columns()?;
        self.chunks = self.check_row_groups()?;
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), self.wanted.iter().copied());
        let builder = ParquetPushDecoderBuilder::new_with_metadata(self.metadata.clone());
        guarded(|| builder.with_projection(mask).with_batch_size(BATCH).build())
    }

    fn check_columns(&self) -> Result<(), PartError> {
        for position in &self.wanted {
            let Some(field) = self.metadata.schema().fields().get(*position) else { continue };
            if let DataType::FixedSizeBinary(length) = field.data_type()
                && usize::try_from(*length).map_or(true, |length| length > MAX_CELL_BYTES)
            {
                return Err(PartError::Format(too_large(
                    field.name(),
                    usize::try_from(*length).unwrap_or_default(),
                )));
            }
            let leaf = |leaf: &usize| self.metadata.parquet_schema().get_column_root_idx(*leaf) == *position;
            let mut leaves = (0..self.metadata.parquet_schema().num_columns()).filter(leaf);
            // Its dates beyond those of 64 bits of nanoseconds would come out as others.
            if leaves.any(|leaf| self.metadata.parquet_schema().column(leaf).physical_type() == Type::INT96) {
                let reason = format!(
                    "column {:?} holds times in the old form INT96, which are not read: write it anew, or list it in `exclude`",
                    field.name()
                );
                return Err(PartError::Format(reason));
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
        Ok(())
    }

    /// Checks sizes, and gives where the columns that are looked at lie, in order, and how they are packed.
    fn check_row_groups(&self) -> Result<Vec<Chunk>, PartError> {
        let mut chunks = Vec::new();
        for (number, group) in self.metadata.metadata().row_groups().iter().enumerate() {
            let (mut packed, mut unpacked) = (0u64, 0u64);
            // No column that is looked at is nested, so a leaf is a column.
            for (root, column) in group.columns().iter().enumerate() {
                let root = self.metadata.parquet_schema().get_column_root_idx(root);
                if self.wanted.binary_search(&root).is_ok() {
                    let (start, length) = guarded(|| Ok(column.byte_range()))?;
                    chunks.push((start..start.saturating_add(length), column.compression()));
                    packed =
                        packed.saturating_add(u64::try_from(column.compressed_size()).unwrap_or(u64::MAX));
                    unpacked = unpacked
                        .saturating_add(u64::try_from(column.uncompressed_size()).unwrap_or(u64::MAX));
                }
            }
            if packed.max(unpacked) > MAX_ROW_GROUP {
                let reason = format!(
                    "row group {number} has {} bytes, at most {MAX_ROW_GROUP} are read at once: write the file with \
                     smaller row groups, or list columns in `exclude`",
                    packed.max(unpacked)
                );
                return Err(PartError::Format(reason));
            }
        }
        // Where two columns lie in each other the decoder takes one out of the other, past the look at its pages.
        chunks.retain(|(range, _)| !range.is_empty());
        chunks.sort_unstable_by_key(|(range, _)| range.start);
        if !chunks.is_sorted_by(|(a, _), (b, _)| a.end <= b.start) {
            return Err(PartError::Format("has columns within others: it is damaged, fetch it again".into()));
        }
        Ok(chunks)
    }

    /// Looks at the pages of columns that are in memory together.
    fn check_pages(&self, ranges: &[Range<u64>], data: &[Bytes]) -> Result<(), PartError> {
        let mut budget = MAX_ROW_GROUP;
        for (range, bytes) in ranges.iter().zip(data) {
            let chunk = self.chunks.binary_search_by_key(&range.start, |(range, _)| range.start);
            let chunk = chunk.ok().and_then(|index| self.chunks.get(index)).filter(|chunk| chunk.0 == *range);
            let result = chunk.map_or(Err(PageFault::Form), |(_, packing)| {
                check_pages(bytes, *packing, &mut budget, MAX_ROW_GROUP)
            });
            result.map_err(|fault| {
                PartError::Format(match fault {
                    PageFault::Form => {
                        "is no Parquet file that can be read (its pages are not in order): is it whole?".into()
                    }
                    PageFault::TooLarge => format!(
                        "has a row group that unpacks to more than {MAX_ROW_GROUP} bytes, or to more than it says: write \
                         the file with smaller row groups, or list columns in `exclude`"
                    ),
                })
            })?;
        }
        Ok(())
    }

    /// Decodes the next batch; `false` at the end.
    fn decode(&mut self) -> Result<bool, PartError> {
        let mut decoder = match self.decoder.take() {
            Some(decoder) => decoder,
            None => self.start()?,
        };
        let batch: RecordBatch = loop {
            match guarded(|| decoder.try_decode())? {
                DecodeResult::Data(batch) if batch.num_rows() == 0 => {}
                DecodeResult::Data(batch) => break batch,
                DecodeResult::Finished => return Ok(false),
                DecodeResult::NeedsData(ranges) => {
                    let data = fetch(self.bytes.as_mut(), &ranges, MAX_ROW_GROUP)?;
                    self.check_pages(&ranges, &data)?;
                    guarded(|| decoder.push_ranges(ranges, data))?;
                }
            }
        };
        self.decoder = Some(decoder);
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

fn read_footer(bytes: &mut dyn RandomAccess) -> Result<ArrowReaderMetadata, PartError> {
    let mut decoder = guarded(|| ParquetMetaDataPushDecoder::try_new(bytes.len()))?;
    let metadata = loop {
        match guarded(|| decoder.try_decode())? {
            DecodeResult::Data(metadata) => break metadata,
            DecodeResult::NeedsData(ranges) => {
                let data = fetch(bytes, &ranges, MAX_FOOTER)?;
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

fn fetch(bytes: &mut dyn RandomAccess, ranges: &[Range<u64>], most: u64) -> Result<Vec<Bytes>, PartError> {
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
    ranges.iter().map(|range| bytes.read(range.clone())).collect()
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
