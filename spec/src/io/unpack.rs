//! A part's bytes, unpacked: plain, gzip or zstd, told by their first bytes and not by a name.

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use flate2::bufread::MultiGzDecoder;

use super::fetch::FetchError;
use super::limits::{SourceLimits, too_long};

/// An open part's bytes, unpacked.
pub(super) type Input = BufReader<Box<dyn Read + Send>>;
/// A part's bytes as they lie there.
pub(super) type Packed = Box<dyn Read + Send>;

const BUFFER: usize = 64 * 1024;
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];
/// A zstd frame may ask for a window of 2^27 bytes (128 MiB), the most that its tool makes without being told to.
const ZSTD_WINDOW: u32 = 27;

/// More came out of a part than may.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct TooMuch(String);

/// How a part is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

impl Packing {
    /// What a part is that begins like this.
    pub(super) fn of(start: &[u8]) -> Self {
        match start {
            _ if start.starts_with(&GZIP) => Self::Gzip,
            _ if start.starts_with(&ZSTD) => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

/// What bytes say they are when that is nothing that is read here as text.
fn foreign(start: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 6] = [
        (b"PK\x03\x04", "is a zip archive: unpack it, or pack it with gzip or zstd"),
        (b"BZh", "is packed with bzip2: unpack it, or pack it with gzip or zstd"),
        (b"\xfd7zXZ", "is packed with xz: unpack it, or pack it with gzip or zstd"),
        (b"PAR1", "is a Parquet file: set format = \"parquet\""),
        (&[0xff, 0xfe], "is UTF-16 text: write it as UTF-8"),
        (&[0xfe, 0xff], "is UTF-16 text: write it as UTF-8"),
    ];
    // What a server sends in place of a file, or of its address a person has copied.
    const PAGES: [&[u8]; 2] = [b"<!doctype html", b"<html"];
    let text = start.strip_prefix(&BOM).unwrap_or(start).trim_ascii_start();
    let page = |begin: &&[u8]| text.get(..begin.len()).is_some_and(|it| it.eq_ignore_ascii_case(begin));
    if PAGES.iter().any(page) {
        return Some("is a web page and no table: name the address of the file itself");
    }
    KINDS.iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, kind)| *kind)
}

/// Unpacks bytes, within the limits on what comes out.
pub(super) fn unpack(packed: Packed, limits: &SourceLimits) -> io::Result<Packed> {
    let read = Arc::new(AtomicU64::new(0));
    let counted =
        Counted { inner: packed, read: Arc::clone(&read), end: limits.end(), limits: limits.clone() };
    let mut packed = BufReader::with_capacity(BUFFER, counted);
    let packing = Packing::of(packed.fill_buf()?);
    let inner: Packed = match packing {
        Packing::Plain => Box::new(packed),
        Packing::Gzip => Box::new(MultiGzDecoder::new(packed)),
        Packing::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(packed)?;
            decoder.window_log_max(ZSTD_WINDOW)?;
            Box::new(decoder)
        }
    };
    Ok(Box::new(Limited { inner, read, given: 0, limits: limits.clone() }))
}

/// Unpacks text, and takes a byte order mark off.
///
/// # Errors
/// An [`io::Error`], or in its place what the bytes are instead of text.
pub(super) fn text(packed: Packed, limits: &SourceLimits) -> io::Result<Result<Input, &'static str>> {
    let mut inner = unpack(packed, limits)?;
    let mut start = Vec::new();
    Read::by_ref(&mut inner).take(64).read_to_end(&mut start)?;
    if let Some(kind) = foreign(&start) {
        return Ok(Err(kind));
    }
    if start.starts_with(&BOM) {
        start.drain(..BOM.len());
    }
    Ok(Ok(BufReader::with_capacity(BUFFER, Box::new(Cursor::new(start).chain(inner)))))
}

/// An I/O error as a sentence that says what to do.
pub(super) fn reason(error: &io::Error) -> String {
    if let Some(inner) = error.get_ref()
        && inner.is::<TooMuch>()
    {
        return inner.to_string();
    }
    if let Some(error) = FetchError::within(error) {
        return error.to_string();
    }
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file: check the path".into(),
        io::ErrorKind::PermissionDenied => "may not be read: check its permissions".into(),
        io::ErrorKind::UnexpectedEof => {
            "is packed but ends too early: it was not copied whole, fetch it again".into()
        }
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            format!("can't be unpacked ({error}): it is damaged, fetch it again")
        }
        // What zstd says of damage has no kind of its own.
        io::ErrorKind::Other => format!("can't be read ({error}): it may be damaged, fetch it again"),
        _ => format!("can't be read: {error}"),
    }
}

/// Counts what is read, and stops when it is too much or takes too long: here, because some packed bytes give nothing.
struct Counted {
    inner: Packed,
    read: Arc<AtomicU64>,
    end: Option<Instant>,
    limits: SourceLimits,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.end.is_some_and(|end| Instant::now() > end) {
            return Err(io::Error::other(TooMuch(too_long())));
        }
        let count = self.inner.read(buffer)?;
        let read = self.read.fetch_add(count as u64, Ordering::Relaxed) + count as u64;
        let limit = self.limits.packed_bytes;
        if read > limit {
            let text = format!("has more than {limit} bytes, which is the most that is read of it");
            return Err(io::Error::other(TooMuch(text)));
        }
        Ok(count)
    }
}

/// Stops when more comes out than may, in all or for what went in.
struct Limited {
    inner: Packed,
    read: Arc<AtomicU64>,
    given: u64,
    limits: SourceLimits,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.given += count as u64;
        let read = self.read.load(Ordering::Relaxed);
        let too_much = |text: String| Err(io::Error::other(TooMuch(text)));
        if self.given > self.limits.unpacked_bytes {
            let limit = self.limits.unpacked_bytes;
            return too_much(format!(
                "gives more than {limit} bytes unpacked, which is the most that is read of a part"
            ));
        }
        let allowed = read.saturating_mul(self.limits.ratio).max(self.limits.free_bytes);
        if self.given > allowed {
            let ratio = self.limits.ratio;
            return too_much(format!(
                "gives more than {ratio} bytes for every byte that is packed, as no table does: it is not read further"
            ));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn limits() -> SourceLimits {
        SourceLimits {
            packed_bytes: 5_000_000,
            unpacked_bytes: 3_000_000,
            ratio: 10,
            free_bytes: 100_000,
            ..Default::default()
        }
    }

    fn unpacked(bytes: Vec<u8>) -> Result<usize, String> {
        let mut all = Vec::new();
        let result =
            unpack(Box::new(Cursor::new(bytes)), &limits()).and_then(|mut input| input.read_to_end(&mut all));
        result.map_err(|error| reason(&error))
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Bytes that no packing makes smaller.
    fn noise(count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        bytes
    }

    #[test]
    fn packings_are_told_by_content_and_may_have_several_members() {
        for pack in [|b: &[u8]| b.to_vec(), gzip, |b: &[u8]| zstd::encode_all(b, 1).unwrap()] {
            assert_eq!(unpacked(pack(&noise(200_000))), Ok(200_000));
        }
        for pack in [gzip, |b: &[u8]| zstd::encode_all(b, 1).unwrap()] {
            let two = [pack(&noise(1_000)), pack(&noise(500))].concat();
            assert_eq!(unpacked(two), Ok(1_500));
        }
    }

    #[test]
    fn a_bomb_ends_early() {
        let zeros = vec![0; 200_000];
        for bomb in [gzip(&zeros), zstd::encode_all(zeros.as_slice(), 1).unwrap()] {
            let error = unpacked(bomb).unwrap_err();
            assert!(error.contains("more than 10 bytes for every byte"), "{error}");
        }
        // As much in all is well when it is not out of nothing.
        assert_eq!(unpacked(gzip(&vec![0; 90_000])), Ok(90_000));
    }

    #[test]
    fn what_is_too_large_ends_early() {
        let error = unpacked(noise(3_000_001)).unwrap_err();
        assert!(error.contains("more than 3000000 bytes unpacked"), "{error}");
        let error = unpacked([gzip(&noise(10)), noise(6_000_000)].concat()).unwrap_err();
        assert!(!error.is_empty());
        let tight = SourceLimits { packed_bytes: 1_000, ..limits() };
        let input = unpack(Box::new(Cursor::new(noise(100_000))), &tight);
        let error = reason(&input.and_then(|mut input| input.read_to_end(&mut Vec::new())).unwrap_err());
        assert!(error.contains("more than 1000 bytes"), "{error}");
    }

    #[test]
    fn what_was_cut_or_damaged_is_an_error() {
        for pack in [gzip, |b: &[u8]| zstd::encode_all(b, 1).unwrap()] {
            let whole = pack(&noise(50_000));
            let mut cut = whole.clone();
            cut.truncate(whole.len() / 2);
            let error = unpacked(cut).unwrap_err();
            assert!(error.contains("fetch it again"), "{error}");
            let mut damaged = whole;
            let middle = damaged.len() / 2;
            damaged.get_mut(middle..middle + 50).unwrap().fill(0x55);
            // Bytes that can't be packed stand there as they are: what is damaged shows in the checksum, which not all have.
            let _ = unpacked(damaged);
        }
    }
}
