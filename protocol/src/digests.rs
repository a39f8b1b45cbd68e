//! Comparing two sets of records without sending them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many ranges the records are spread over.
pub const RANGES: usize = 16;

/// What a peer knows, in 512 bytes: the records are spread over 16 ranges by the first four bits of their digest
/// ([`Signed::digest`](crate::Signed::digest)), and each range is BLAKE3 over the digests in it, ascending. Sets that
/// agree in a range have the same records there.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordDigests(#[serde(with = "serde_bytes")] [u8; RANGES * 32]);

impl RecordDigests {
    /// The digests of a set of records, in any order.
    #[must_use]
    pub fn of(records: impl IntoIterator<Item = [u8; 32]>) -> Self {
        let mut sorted: Vec<[u8; 32]> = records.into_iter().collect();
        sorted.sort_unstable();
        sorted.dedup();
        let mut hashers: [blake3::Hasher; RANGES] = std::array::from_fn(|_| blake3::Hasher::new());
        for digest in &sorted {
            if let Some(hasher) = hashers.get_mut(Self::range(digest)) {
                hasher.update(digest);
            }
        }
        let mut bytes = [0; RANGES * 32];
        for (range, hasher) in bytes.chunks_exact_mut(32).zip(&hashers) {
            range.copy_from_slice(hasher.finalize().as_bytes());
        }
        Self(bytes)
    }

    /// The range of a record's digest, below [`RANGES`].
    #[must_use]
    pub fn range(digest: &[u8; 32]) -> usize {
        usize::from(digest[0] >> 4)
    }

    /// Per range, whether the two sets differ there.
    #[must_use]
    pub fn differs(&self, other: &Self) -> [bool; RANGES] {
        let mut differs = [false; RANGES];
        for (differs, (a, b)) in differs.iter_mut().zip(self.0.chunks_exact(32).zip(other.0.chunks_exact(32)))
        {
            *differs = a != b;
        }
        differs
    }
}

impl fmt::Debug for RecordDigests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordDigests({})", &blake3::hash(&self.0).to_hex()[..8])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_range_of_what_is_missing_differs() {
        let digests: Vec<[u8; 32]> =
            (0..100_u64).map(|i| *blake3::hash(&i.to_le_bytes()).as_bytes()).collect();
        let all = RecordDigests::of(digests.iter().copied());
        let reversed = RecordDigests::of(digests.iter().rev().copied().chain(digests.first().copied()));
        assert_eq!(all, reversed);
        let less = RecordDigests::of(digests.iter().skip(1).copied());
        let mut expected = [false; RANGES];
        expected[RecordDigests::range(&digests[0])] = true;
        assert_eq!(all.differs(&less), expected);
    }
}
