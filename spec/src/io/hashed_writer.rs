//! Writes a shard's file in large pieces, each hashed in one go, and the hash at the end.

use std::io::{self, Write};

use super::width::Width;

/// How much is written at once.
const PIECE: usize = 256 * 1024;

pub(super) struct HashedWriter<W> {
    output: W,
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
}

impl<W: Write> HashedWriter<W> {
    pub(super) fn new(output: W) -> Self {
        Self { output, hasher: blake3::Hasher::new(), buffer: Vec::with_capacity(PIECE) }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        for bytes in bytes.chunks(PIECE) {
            if self.buffer.len() + bytes.len() > PIECE {
                self.send()?;
            }
            self.buffer.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// Values, each in its `N` bytes.
    pub(super) fn values<const N: usize>(
        &mut self,
        mut values: impl ExactSizeIterator<Item = [u8; N]>,
    ) -> io::Result<()> {
        while values.len() > 0 {
            let room = (PIECE - self.buffer.len()) / N;
            self.buffer.extend(values.by_ref().take(room).flatten());
            if values.len() > 0 {
                self.send()?;
            }
        }
        Ok(())
    }

    /// Whole numbers, each in `width` bytes, into which they must fit.
    pub(super) fn whole(
        &mut self,
        width: Width,
        values: impl ExactSizeIterator<Item = u64>,
    ) -> io::Result<()> {
        let values = values.map(u64::to_le_bytes);
        match width {
            Width::One => self.values(values.map(|[a, ..]| [a])),
            Width::Two => self.values(values.map(|[a, b, ..]| [a, b])),
            Width::Four => self.values(values.map(|[a, b, c, d, ..]| [a, b, c, d])),
            Width::Eight => self.values(values),
        }
    }

    /// Writes what is left, and the hash of all of it.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.send()?;
        self.output.write_all(self.hasher.finalize().as_bytes())
    }

    fn send(&mut self) -> io::Result<()> {
        self.hasher.update(&self.buffer);
        self.output.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}
