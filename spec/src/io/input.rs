//! Opening a part: regular files only, unpacked as they are read.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

/// An open part's bytes, unpacked.
pub(super) type Input = BufReader<Box<dyn Read + Send>>;

const BUFFER: usize = 64 * 1024;
const GZIP: [u8; 2] = [0x1f, 0x8b];
const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];

/// What a part's first bytes say it is, when that is nothing that can be read here.
fn foreign(start: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 7] = [
        (&[0x28, 0xb5, 0x2f, 0xfd], "is packed with zstd"),
        (b"PK\x03\x04", "is a zip archive"),
        (b"BZh", "is packed with bzip2"),
        (b"\xfd7zXZ", "is packed with xz"),
        (b"PAR1", "is a Parquet file"),
        (&[0xff, 0xfe], "is UTF-16 text"),
        (&[0xfe, 0xff], "is UTF-16 text"),
    ];
    KINDS.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, kind)| *kind)
}

/// Opens a part, unpacks it if it begins like a gzip file (the name doesn't matter) and takes a byte order mark off.
///
/// # Errors
/// What is wrong and what to do, without the location.
pub(super) fn open(path: &Path) -> Result<Input, String> {
    let metadata = std::fs::metadata(path).map_err(|error| reason(&error))?;
    if !metadata.is_file() {
        return Err("is not a file: name a CSV file, plain or .gz".into());
    }
    let file = File::open(path).map_err(|error| reason(&error))?;
    let mut file = BufReader::with_capacity(BUFFER, file);
    let start = file.fill_buf().map_err(|error| reason(&error))?;
    if let Some(kind) = foreign(start) {
        return Err(format!("{kind}: this version reads csv, plain or .gz, in UTF-8; convert it"));
    }
    if start.starts_with(&GZIP) {
        without_bom(MultiGzDecoder::new(file)).map_err(|error| reason(&error))
    } else {
        without_bom(file).map_err(|error| reason(&error))
    }
}

/// An I/O error as a sentence that says what to do.
pub(super) fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file: check the path".into(),
        io::ErrorKind::PermissionDenied => "may not be read: check its permissions".into(),
        io::ErrorKind::UnexpectedEof => {
            "is packed but ends too early: it was not copied whole, fetch it again".into()
        }
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            format!("can't be unpacked ({error}): it is damaged, fetch it again")
        }
        _ => format!("can't be read: {error}"),
    }
}

fn without_bom(mut inner: impl Read + Send + 'static) -> io::Result<Input> {
    let mut start = Vec::new();
    Read::by_ref(&mut inner).take(BOM.len() as u64).read_to_end(&mut start)?;
    if start == BOM {
        start.clear();
    }
    Ok(BufReader::with_capacity(BUFFER, Box::new(Cursor::new(start).chain(inner))))
}
