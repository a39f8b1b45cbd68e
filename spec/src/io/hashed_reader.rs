//! Reads a shard's file in large pieces: what was read is hashed in one go, and rows are looked at where they lie.

use std::io::{self, Read};
use std::ops::Range;

use super::rows_file::{Damage, HEADER};
use crate::data_spec::ShardHash;

/// How much is read at once.
const PIECE: usize = 256 * 1024;

/// A file behind a buffer that holds the row at hand, at least.
pub(super) struct HashedReader<R> {
    input: R,
    hasher: blake3::Hasher,
    /// Bytes of the file that are not in the buffer yet.
    left: u64,
    /// Bytes of the header that are still to come: they are not hashed.
    header: usize,
    buffer: Vec<u8>,
    /// Where the row at hand starts.
    start: usize,
    /// Up to where it was looked at.
    at: usize,
}

impl<R: Read> HashedReader<R> {
    /// `size` is the file's: not more than that is ever read or held.
    pub(super) fn new(input: R, size: u64) -> Self {
        let header = usize::try_from(HEADER).unwrap_or_default();
        Self { input, hasher: blake3::Hasher::new(), left: size, header, buffer: Vec::new(), start: 0, at: 0 }
    }

    /// What comes next is another row, or the first.
    pub(super) fn start_row(&mut self) {
        self.start = self.at;
    }

    /// The row at hand, as far as it was looked at. Valid until more is looked at.
    pub(super) fn row(&self) -> &[u8] {
        self.buffer.get(self.start..self.at).unwrap_or_default()
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        if self.buffer.len() - self.at < N {
            self.fill(N)?;
        }
        let bytes = self.buffer.get(self.at..).and_then(|rest| rest.first_chunk::<N>());
        let bytes = *bytes.ok_or_else(too_short)?;
        self.at += N;
        Ok(bytes)
    }

    /// Passes over the next bytes; gives their place in the row.
    pub(super) fn skip(&mut self, length: usize) -> Result<Range<usize>, Damage> {
        if self.buffer.len() - self.at < length {
            self.fill(length)?;
        }
        let from = self.at - self.start;
        self.at += length;
        Ok(from..from + length)
    }

    /// Makes at least `wanted` bytes ready, and goes back to the start of the buffer with the row at hand.
    fn fill(&mut self, wanted: usize) -> Result<(), Damage> {
        let ready = self.buffer.len() - self.at;
        if (wanted - ready) as u64 > self.left {
            return Err(too_short());
        }
        self.buffer.drain(..self.start);
        self.at -= self.start;
        self.start = 0;
        let piece = (wanted - ready).max(PIECE);
        let piece = usize::try_from(self.left).unwrap_or(usize::MAX).min(piece);
        let old = self.buffer.len();
        self.buffer.resize(old + piece, 0);
        let new = self.buffer.get_mut(old..).unwrap_or_default();
        self.input.read_exact(new)?;
        self.left -= piece as u64;
        let header = self.header.min(piece);
        self.header -= header;
        self.hasher.update(new.get(header..).unwrap_or_default());
        Ok(())
    }

    /// The hash of all that came after the header, when everything was looked at.
    pub(super) fn finish(mut self) -> Result<ShardHash, Damage> {
        if self.left > 0 || self.at < self.buffer.len() || self.input.read(&mut [0])? != 0 {
            return Err(Damage::new("it has more rows than the shard"));
        }
        Ok(ShardHash::from_bytes(*self.hasher.finalize().as_bytes()))
    }
}

fn too_short() -> Damage {
    io::Error::from(io::ErrorKind::UnexpectedEof).into()
}
