//! What the pages of a column claim, looked at before the decoder believes it.
//!
//! A page's header says how much memory is made ready for it, whatever the footer says; and how much a gzip page unpacks to
//! shows when it is unpacked. Headers are read strictly: as writers write them, and as the decoder reads them too.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use parquet::basic::Compression;

/// Deflate makes no more of a byte.
const GZIP_RATIO: u64 = 1_032;
/// Nor does LZ4.
const LZ4_RATIO: u64 = 255;
/// Snappy makes 64 of three, so this is enough.
const SNAPPY_RATIO: u64 = 32;
/// How LZ4 frames begin, those that are passed over too (after their first byte).
const LZ4_FRAMES: [[u8; 3]; 2] = [[0x22, 0x4d, 0x18], [0x2a, 0x4d, 0x18]];
/// The type of a dictionary's page.
const DICTIONARY: i64 = 2;
/// The encoding in which a value says how much of the one before it begins with.
const DELTA_BYTE_ARRAY: i64 = 7;
/// Structs within structs.
const DEPTH: u32 = 8;

/// What is wrong with a column's pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageFault {
    /// A header is none, or a page does not lie within its column.
    Form,
    /// They unpack to more than may be in memory.
    TooLarge,
}

/// Checks all pages of a column that lies in `chunk`: unpacked they may take what is left of `budget`, and none takes more than
/// it says, but for one page of at most `spare` bytes (the decoder gives up on it). Gives the most bytes that a page has of
/// which every value may be made again: a dictionary's, or those of values that begin as the one before does.
pub(super) fn check_pages(
    chunk: &[u8],
    packing: Compression,
    budget: &mut u64,
    spare: u64,
) -> Result<u64, PageFault> {
    let mut rest = Bytes(chunk);
    let mut shared = 0;
    while !rest.0.is_empty() {
        let mut header = Header::default();
        rest.fields(DEPTH, &mut |path, value| header.take(path, value)).ok_or(PageFault::Form)?;
        let (packed, unpacked) = header.packed.zip(header.unpacked).ok_or(PageFault::Form)?;
        let body = rest.take(packed).ok_or(PageFault::Form)?;
        *budget = budget.checked_sub(unpacked).ok_or(PageFault::TooLarge)?;
        if header.shares {
            shared = shared.max(unpacked);
        }
        // In pages of the second version the levels stand in front, not packed.
        let levels = usize::try_from(header.levels).map_err(|_| PageFault::Form)?;
        let body = body.get(levels..).ok_or(PageFault::Form)?;
        let unpacked = unpacked.saturating_sub(header.levels);
        let most = |ratio: u64| (body.len() as u64).saturating_mul(ratio).saturating_add(64);
        // What no packing can make of so few bytes is not made ready either.
        let possible = match packing {
            Compression::SNAPPY => unpacked <= most(SNAPPY_RATIO),
            Compression::LZ4 | Compression::LZ4_RAW => unpacked <= most(LZ4_RATIO),
            Compression::GZIP(_) => unpacked <= most(GZIP_RATIO),
            _ => true,
        };
        if !possible {
            return Err(PageFault::Form);
        }
        let honest = match packing {
            Compression::GZIP(_) => most(GZIP_RATIO) <= spare || gives_no_more(body, unpacked),
            Compression::LZ4 => {
                let framed =
                    body.get(1..4).is_some_and(|start| LZ4_FRAMES.iter().any(|frame| frame == start));
                most(LZ4_RATIO) <= spare || !framed
            }
            _ => true,
        };
        if !honest {
            return Err(PageFault::TooLarge);
        }
    }
    Ok(shared)
}

fn gives_no_more(body: &[u8], bytes: u64) -> bool {
    let mut unpacked = MultiGzDecoder::new(body).take(bytes.saturating_add(1));
    // What is damaged is the decoder's to say: it comes as far as this did.
    io::copy(&mut unpacked, &mut io::sink()).map_or(true, |found| found <= bytes)
}

/// What is looked at of a page's header.
#[derive(Default)]
struct Header {
    /// Whether bytes of it may be in many values.
    shares: bool,
    unpacked: Option<u64>,
    packed: Option<u64>,
    /// Of both kinds, in pages of the second version.
    levels: u64,
}

impl Header {
    /// Takes a number; `path` is its field, and before it the one of the struct that it is in.
    fn take(&mut self, path: (u8, u8), value: i64) -> Option<()> {
        let size = || u64::try_from(value).ok().filter(|size| *size <= i32::MAX as u64);
        match path {
            (0, 1) => self.shares |= value == DICTIONARY,
            // Of a page of the first version, and of the second.
            (5, 2) | (8, 4) => self.shares |= value == DELTA_BYTE_ARRAY,
            (0, 2) => self.unpacked = Some(size()?),
            (0, 3) => self.packed = Some(size()?),
            (8, 5 | 6) => self.levels += size()?,
            _ => {}
        }
        Some(())
    }
}

/// Thrift's compact form, as far as page headers have it.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, count: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(count).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        // More than 63 bits: no size, count or code of a page has them, but its statistics may.
        (self.byte()? <= 1).then_some(u64::MAX)
    }

    /// Reads a struct; `visit` is shown its whole numbers and those of the structs right in it.
    fn fields(&mut self, depth: u32, visit: &mut dyn FnMut((u8, u8), i64) -> Option<()>) -> Option<()> {
        let mut id = 0u8;
        loop {
            let head = self.byte()?;
            let (step, kind) = (head >> 4, head & 0xf);
            if kind == 0 {
                return Some(());
            }
            // Without a step a full number would follow; no writer needs it, and fields would come twice.
            id = id.checked_add(step).filter(|_| step != 0)?;
            match kind {
                1 | 2 => {}
                3 => drop(self.byte()?),
                4..=6 => {
                    let coded = self.varint()?;
                    visit((0, id), (coded >> 1).cast_signed() ^ -(coded & 1).cast_signed())?;
                }
                7 => drop(self.take(8)?),
                8 => {
                    let length = self.varint()?;
                    self.take(length)?;
                }
                12 => {
                    let inner = depth.checked_sub(1)?;
                    self.fields(inner, &mut |path, value| match path.0 {
                        0 => visit((id, path.1), value),
                        _ => Some(()),
                    })?;
                }
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::testing::gzip;

    fn number(value: i32) -> Vec<u8> {
        let mut coded = ((value << 1) ^ (value >> 31)).cast_unsigned();
        let mut bytes = Vec::new();
        while coded > 0x7f {
            bytes.push((coded & 0x7f) as u8 | 0x80);
            coded >>= 7;
        }
        bytes.push(coded as u8);
        bytes
    }

    /// A page of the second version: levels of two bytes in front, statistics and a flag behind.
    fn page(unpacked: i32, body: &[u8]) -> Vec<u8> {
        let packed = i32::try_from(body.len()).unwrap();
        let head = [&[0x15, 6, 0x15][..], &number(unpacked), &[0x15], &number(packed), &[0x5c]].concat();
        let inner =
            [0x15, 8, 0x15, 0, 0x15, 8, 0x15, 0, 0x15, 4, 0x15, 0, 0x11, 0x1c, 0x18, 1, b'x', 0x11, 0, 0, 0];
        [&head, &inner[..], body].concat()
    }

    fn check(chunk: &[u8], packing: Compression, spare: u64) -> Result<u64, PageFault> {
        let mut budget = 10_000;
        check_pages(chunk, packing, &mut budget, spare).map(|_| budget)
    }

    #[test]
    fn pages_are_charged_with_what_they_claim() {
        for packing in [Compression::SNAPPY, Compression::LZ4_RAW, Compression::UNCOMPRESSED] {
            assert_eq!(check(&page(120, b"abcd"), packing, 0), Ok(9_880));
            let two = [page(120, b"abcd"), page(9_881, &[0; 400])].concat();
            assert_eq!(check(&two, packing, 0), Err(PageFault::TooLarge));
            assert_eq!(check(&page(i32::MAX, b"abcd"), packing, 0), Err(PageFault::TooLarge));
            assert_eq!(
                check(&page(100, b"a"), packing, 0),
                Err(PageFault::Form),
                "levels longer than the page"
            );
        }
        assert_eq!(
            check(&page(9_000, b"abcd"), Compression::SNAPPY, 0),
            Err(PageFault::Form),
            "no packing can"
        );
        assert_eq!(check(&page(9_000, b"abcd"), Compression::LZ4_RAW, 0), Err(PageFault::Form));
    }

    #[test]
    fn what_may_be_in_many_values_is_told() {
        let v2 = |encoding: u8| {
            let mut bytes = page(120, b"abcd");
            let at = bytes.windows(6).position(|it| it == [0x15, 8, 0x15, 0, 0x15, 8]).unwrap();
            bytes[at + 7] = 2 * encoding;
            bytes
        };
        let shared = |chunk: &[u8]| check_pages(chunk, Compression::SNAPPY, &mut 10_000, 0);
        assert_eq!(shared(&v2(0)), Ok(0));
        assert_eq!(shared(&v2(7)), Ok(120));
        // A dictionary, and a page of the first version that has texts by their beginnings.
        let dictionary =
            [&[0x15, 4, 0x15][..], &number(90), &[0x15, 8, 0x4c, 0x15, 2, 0, 0], b"abcd"].concat();
        let delta =
            [&[0x15, 0, 0x15][..], &number(91), &[0x15, 8, 0x2c, 0x15, 2, 0x15, 14, 0, 0], b"abcd"].concat();
        assert_eq!(shared(&dictionary), Ok(90));
        assert_eq!(shared(&delta), Ok(91));
        assert_eq!(shared(&[v2(0), dictionary, delta].concat()), Ok(91));
    }

    #[test]
    fn a_gzip_page_that_gives_more_than_it_says_is_found() {
        let packing = Compression::GZIP(Default::default());
        let body = [b"ab", &gzip(&[0; 5_000])[..]].concat();
        assert_eq!(check(&page(5_002, &body), packing, 0), Ok(4_998));
        assert_eq!(check(&page(5_001, &body), packing, 0), Err(PageFault::TooLarge));
        assert_eq!(
            check(&page(5_001, &body), packing, 1 << 20),
            Ok(4_999),
            "small: the decoder gives up on it soon"
        );
        let framed = [b"ab", &[4, 0x22, 0x4d, 0x18][..], &[0; 90]].concat();
        assert_eq!(check(&page(100, &framed), Compression::LZ4, 0), Err(PageFault::TooLarge));
        assert_eq!(check(&page(100, &framed), Compression::LZ4_RAW, 0), Ok(9_900));
    }

    #[test]
    fn headers_are_as_writers_write_them() {
        let good = page(100, b"abcd");
        for cut in 1..good.len() {
            assert_eq!(check(&good[..cut], Compression::SNAPPY, 0), Err(PageFault::Form), "{cut}");
        }
        // A field twice, a negative size, a list, structs without end.
        for bad in [
            &[0x15, 2, 0x15, 2, 0x15, 0, 0x05, 6, 0, 0][..],
            &[0x25, 1, 0x15, 0, 0],
            &[0x19, 0x08, 0x15, 2, 0x15, 0, 0],
            &[0x1c; 4_000],
            &[0],
        ] {
            assert_eq!(check(bad, Compression::SNAPPY, 0), Err(PageFault::Form));
        }
    }
}
