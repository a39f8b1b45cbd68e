//! Where a part lies, and how it is opened there.

use std::fmt;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytes::Bytes;

use super::csv::CsvPart;
use super::fetch::{Address, FetchError, Fetcher};
use super::json_lines::{JsonPart, collect_names};
use super::limits::SourceLimits;
use super::parquet::ParquetPart;
use super::part::{PartError, PartReader};
use super::random_access::FileBytes;
use super::synthetic::{Synthetic, SyntheticPart};
use super::unpack::{self, Input, Packed, Packing};
use crate::run::Format;

/// A place that has a part.
#[derive(Clone)]
pub(super) enum PartPlace {
    /// A file of this machine.
    File(PathBuf),
    /// In memory already.
    Bytes(Bytes),
    /// Elsewhere. The text is the address as it was written.
    Remote { text: String, address: Address, fetcher: Fetcher },
    /// Nowhere: it is made up.
    MadeUp { text: String, settings: Synthetic },
}

impl fmt::Debug for PartPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartPlace({self})")
    }
}

impl fmt::Display for PartPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Bytes(bytes) => write!(f, "{} bytes in memory", bytes.len()),
            // Without what the address may hold that is nobody's business.
            Self::Remote { address, .. } => address.fmt(f),
            Self::MadeUp { text, .. } => f.write_str(text),
        }
    }
}

impl PartPlace {
    /// The file, where it is one.
    pub(super) fn file(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Bytes(_) | Self::Remote { .. } | Self::MadeUp { .. } => None,
        }
    }

    /// What to type to read the same.
    pub(super) fn typed(&self) -> String {
        match self {
            Self::Remote { text, .. } => text.clone(),
            place => place.to_string(),
        }
    }

    /// How many bytes it has as it lies there, where that can be told without reading it.
    pub(super) fn bytes(&self) -> Option<u64> {
        match self {
            Self::File(path) => std::fs::metadata(path).ok().map(|file| file.len()),
            Self::Bytes(bytes) => Some(bytes.len() as u64),
            // The size is for people: nobody waits long for it.
            Self::Remote { address, fetcher, .. } => fetcher.impatient().open(address).ok()?.length(),
            Self::MadeUp { .. } => Some(0),
        }
    }

    /// An error where no patience helps.
    pub(super) fn check(&self) -> Result<(), PartError> {
        match self {
            Self::File(path) => open_file(path).map(|_| ()),
            Self::Remote { address, fetcher, .. } => match fetcher.impatient().open(address) {
                Err(error) if error.is_refusal() => Err(error.into()),
                // It may be there later.
                Ok(_) | Err(_) => Ok(()),
            },
            Self::Bytes(_) | Self::MadeUp { .. } => Ok(()),
        }
    }

    /// Starts to read the part. `columns` are those of JSON lines.
    pub(super) fn open(
        &self,
        format: Format,
        limits: &SourceLimits,
        columns: &[String],
    ) -> Result<Box<dyn PartReader>, PartError> {
        Ok(match (format, self) {
            (Format::Synthetic, Self::MadeUp { settings, .. }) => Box::new(SyntheticPart::open(settings)),
            (Format::Synthetic, _) | (_, Self::MadeUp { .. }) => {
                let reason = "format = \"synthetic\" and synthetic:// addresses only go together";
                return Err(PartError::Format(reason.into()));
            }
            (Format::Csv, _) => Box::new(CsvPart::open(self.text(limits)?)?),
            (Format::Jsonl, _) => Box::new(JsonPart::open(self.text(limits)?, columns.to_vec())),
            (Format::Parquet, _) => Box::new(self.parquet(limits)?),
        })
    }

    /// Adds the names that occur in a part of JSON lines.
    pub(super) fn collect_names(
        &self,
        limits: &SourceLimits,
        names: &mut Vec<String>,
    ) -> Result<(), PartError> {
        collect_names(self.text(limits)?, names)
    }

    /// The bytes from the first on.
    fn packed(&self) -> Result<Packed, PartError> {
        match self {
            Self::File(path) => Ok(Box::new(open_file(path)?)),
            Self::Bytes(bytes) => Ok(Box::new(Cursor::new(bytes.clone()))),
            Self::Remote { address, fetcher, .. } => Ok(Box::new(fetcher.open(address)?)),
            Self::MadeUp { .. } => Err(PartError::Format("is made up and has no bytes".into())),
        }
    }

    fn text(&self, limits: &SourceLimits) -> Result<Input, PartError> {
        unpack::text(self.packed()?, limits)?.map_err(|what| PartError::Format(what.into()))
    }

    fn parquet(&self, limits: &SourceLimits) -> Result<ParquetPart, PartError> {
        match self {
            Self::File(path) => {
                let mut file = open_file(path)?;
                let mut start = [0; 4];
                let count = read_start(&mut file, &mut start)?;
                file.seek(SeekFrom::Start(0))?;
                if Packing::of(start.get(..count).unwrap_or_default()) == Packing::Plain {
                    return ParquetPart::open(Box::new(FileBytes::new(file)?), limits);
                }
                spooled(Box::new(file), limits)
            }
            Self::Bytes(bytes) if Packing::of(bytes) == Packing::Plain => {
                ParquetPart::open(Box::new(bytes.clone()), limits)
            }
            Self::Remote { address, fetcher, .. } => remote_parquet(address, fetcher, limits),
            Self::Bytes(bytes) => spooled(Box::new(Cursor::new(bytes.clone())), limits),
            Self::MadeUp { .. } => Err(PartError::Format("is made up and has no bytes".into())),
        }
    }
}

/// By ranges; where the server has none, or the file is packed, from a copy that has no name.
fn remote_parquet(
    address: &Address,
    fetcher: &Fetcher,
    limits: &SourceLimits,
) -> Result<ParquetPart, PartError> {
    let object = match fetcher.object(address) {
        Ok(object) => object,
        Err(FetchError::NoRanges) => return spooled(Box::new(fetcher.open(address)?), limits),
        Err(error) => return Err(error.into()),
    };
    let start = object.read(0..object.len().min(4))?;
    match Packing::of(&start) {
        Packing::Plain => ParquetPart::open(Box::new(object), limits),
        Packing::Gzip | Packing::Zstd => spooled(Box::new(fetcher.open(address)?), limits),
    }
}

/// Unpacks a Parquet file into one without a name, since it is read in any order.
fn spooled(packed: Packed, limits: &SourceLimits) -> Result<ParquetPart, PartError> {
    let mut file = tempfile::tempfile()?;
    let copied = SourceLimits {
        packed_bytes: limits.packed_bytes.min(limits.copied_bytes),
        unpacked_bytes: limits.unpacked_bytes.min(limits.copied_bytes),
        ..limits.clone()
    };
    let start = Instant::now();
    io::copy(&mut unpack::unpack(packed, &copied)?, &mut file)?;
    let limits = &limits.after(start.elapsed());
    ParquetPart::open(Box::new(FileBytes::new(file)?), limits)
}

fn open_file(path: &Path) -> Result<File, PartError> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(PartError::Bytes("is not a file: name one that holds the table".into()));
    }
    Ok(File::open(path)?)
}

fn read_start(file: &mut File, start: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while let Some(rest) = start.get_mut(count..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            read => count += read,
        }
    }
    Ok(count)
}
