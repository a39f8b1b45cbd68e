//! Reads a shard's file in large pieces: each is hashed in one go, and its values are taken from where they lie.

use std::io::{self, Read};

use super::rows_file::Damage;
use super::width::Width;

/// How much is read at once: less than what is near a processor's core.
const PIECE: usize = 256 * 1024;

/// A file whose last 32 bytes are the hash of those before.
pub(super) struct HashedReader<R> {
    input: R,
    hasher: blake3::Hasher,
    /// Bytes before the hash that are not in the buffer yet.
    unread: u64,
    buffer: Vec<u8>,
    /// What of the buffer was taken, and up to where it is filled.
    at: usize,
    end: usize,
}

impl<R: Read> HashedReader<R> {
    /// `size` is the file's: not more than that is ever read, and no more is allocated than what is taken from it needs.
    pub(super) fn new(input: R, size: u64) -> Result<Self, Damage> {
        let unread = size.checked_sub(blake3::OUT_LEN as u64).ok_or_else(too_short)?;
        let piece = usize::try_from(unread).unwrap_or(PIECE).min(PIECE);
        Ok(Self { input, hasher: blake3::Hasher::new(), unread, buffer: vec![0; piece], at: 0, end: 0 })
    }

    /// The next `N` bytes.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let mut bytes = [0; N];
        self.values(1, |next| bytes = next)?;
        Ok(bytes)
    }

    /// The next bytes.
    pub(super) fn bytes(&mut self, length: u64) -> Result<Vec<u8>, Damage> {
        let mut bytes = self.room(length, 1)?;
        while (bytes.len() as u64) < length {
            if self.at == self.end {
                self.fill(1)?;
            }
            let wanted = usize::try_from(length).unwrap_or(usize::MAX) - bytes.len();
            let ready = self.ready().get(..wanted).unwrap_or(self.ready());
            let taken = ready.len();
            bytes.extend_from_slice(ready);
            self.at += taken;
        }
        Ok(bytes)
    }

    /// Numbers in the file's bytes, as `rows` of them are.
    pub(super) fn numbers(&mut self, rows: u64) -> Result<Vec<f64>, Damage> {
        let mut numbers = self.room(rows, 8)?;
        self.pieces(rows, |piece: &[[u8; 8]]| {
            numbers.extend(piece.iter().map(|bytes| f64::from_le_bytes(*bytes)));
        })?;
        Ok(numbers)
    }

    /// Whole numbers of `width`.
    pub(super) fn codes(&mut self, width: Width, rows: u64) -> Result<Vec<u32>, Damage> {
        let mut codes: Vec<u32> = self.room(rows, width.bytes().into())?;
        match width {
            Width::One => self.pieces(rows, |piece: &[[u8; 1]]| {
                codes.extend(piece.iter().map(|[code]| u32::from(*code)));
            }),
            Width::Two => self.pieces(rows, |piece| {
                codes.extend(piece.iter().map(|bytes| u32::from(u16::from_le_bytes(*bytes))));
            }),
            Width::Four => self.pieces(rows, |piece| {
                codes.extend(piece.iter().map(|bytes| u32::from_le_bytes(*bytes)));
            }),
            Width::Eight => Err(Damage::new("its codes are too wide")),
        }?;
        Ok(codes)
    }

    /// Hands out whole numbers of `width`.
    pub(super) fn whole(
        &mut self,
        width: Width,
        count: u64,
        mut take: impl FnMut(u64),
    ) -> Result<(), Damage> {
        match width {
            Width::One => self.values(count, |[a]| take(a.into())),
            Width::Two => self.values(count, |bytes| take(u16::from_le_bytes(bytes).into())),
            Width::Four => self.values(count, |bytes| take(u32::from_le_bytes(bytes).into())),
            Width::Eight => self.values(count, |bytes| take(u64::from_le_bytes(bytes))),
        }
    }

    /// An empty list with room for `count` values, if as many of so many bytes can still come.
    pub(super) fn room<T>(&self, count: u64, bytes: u64) -> Result<Vec<T>, Damage> {
        let mut list = Vec::new();
        list.try_reserve_exact(self.count(count, bytes)?)
            .map_err(|_| Damage::new("it is larger than memory"))?;
        Ok(list)
    }

    /// How many, if as many of so many bytes can still come.
    fn count(&self, count: u64, bytes: u64) -> Result<usize, Damage> {
        let left = self.unread + self.ready().len() as u64;
        match count.checked_mul(bytes) {
            Some(wanted) if wanted <= left => usize::try_from(count).map_err(|_| too_short()),
            _ => Err(too_short()),
        }
    }

    fn values<const N: usize>(&mut self, count: u64, mut take: impl FnMut([u8; N])) -> Result<(), Damage> {
        self.pieces(count, |piece| piece.iter().for_each(|bytes| take(*bytes)))
    }

    /// Hands out the next `count` values of `N` bytes, as many at a time as lie in the buffer.
    fn pieces<const N: usize>(&mut self, count: u64, mut take: impl FnMut(&[[u8; N]])) -> Result<(), Damage> {
        let mut wanted = self.count(count, N as u64)?;
        while wanted > 0 {
            if self.ready().len() < N {
                self.fill(N)?;
            }
            let (ready, _) = self.ready().as_chunks::<N>();
            let ready = ready.get(..wanted).unwrap_or(ready);
            take(ready);
            wanted -= ready.len();
            self.at += ready.len() * N;
        }
        Ok(())
    }

    fn ready(&self) -> &[u8] {
        self.buffer.get(self.at..self.end).unwrap_or_default()
    }

    /// Makes at least `wanted` bytes ready, which is no more than a few.
    fn fill(&mut self, wanted: usize) -> Result<(), Damage> {
        self.buffer.copy_within(self.at..self.end, 0);
        self.end -= self.at;
        self.at = 0;
        let room = self.buffer.len() - self.end;
        let piece = usize::try_from(self.unread).unwrap_or(room).min(room);
        let new = self.buffer.get_mut(self.end..self.end + piece).unwrap_or_default();
        self.input.read_exact(new)?;
        self.hasher.update(new);
        self.unread -= piece as u64;
        self.end += piece;
        if self.end < wanted { Err(too_short()) } else { Ok(()) }
    }

    /// Checks the hash, when everything was taken.
    pub(super) fn finish(mut self) -> Result<(), Damage> {
        if self.unread > 0 || self.at < self.end {
            return Err(Damage::new("it holds more than its shard"));
        }
        let mut hash = [0; blake3::OUT_LEN];
        self.input.read_exact(&mut hash)?;
        if self.hasher.finalize() != hash {
            return Err(Damage::new("its bytes don't have the hash that stands at their end"));
        }
        if self.input.read(&mut [0])? != 0 {
            return Err(Damage::new("it is longer than it was"));
        }
        Ok(())
    }
}

fn too_short() -> Damage {
    io::Error::from(io::ErrorKind::UnexpectedEof).into()
}
