//! Signatures of texts: 128 bits that tell of most pairs of texts, by a few operations, that one does not contain the other or
//! is not like it.

/// The bytes of a text, and its pairs of neighbouring bytes, folded into a word each. Different ones may share a bit, so
/// only what is *not* there is certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signature {
    bytes: u64,
    pairs: u64,
}

impl Signature {
    pub(super) fn of(text: &str) -> Self {
        let text = text.as_bytes();
        // Lower-case letters have a bit each, and so have upper-case ones.
        let bytes = text.iter().fold(0, |bits, byte| bits | 1 << (byte % 64));
        let pair = |a: u8, b: u8| (u32::from(a) << 8 | u32::from(b)).wrapping_mul(0x9E37_79B1) >> 26;
        let pairs = text.windows(2).fold(0, |bits, two| bits | 1 << pair(two[0], two[1]));
        Self { bytes, pairs }
    }

    /// False: no text of this signature contains one of the other.
    #[inline]
    pub(super) fn may_contain(self, other: Self) -> bool {
        other.bytes & !self.bytes | other.pairs & !self.pairs == 0
    }

    /// An ASCII text of this signature and a text of the other have at least this edit distance: one edit removes one
    /// character at most, and two pairs of neighbours.
    #[inline]
    pub(super) fn least_edits(self, other: Self) -> u32 {
        (self.bytes & !other.bytes).count_ones().max(self.missing_pairs(other).div_ceil(2))
    }

    /// How many different pairs of a text of this signature are missing, at least, in one of the other.
    #[inline]
    pub(super) fn missing_pairs(self, other: Self) -> u32 {
        (self.pairs & !other.pairs).count_ones()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::measure::edit;

    proptest! {
        #[test]
        fn what_is_not_there_is_certain(a in "[a-eA-E0-9 ]{0,12}", b in "[a-eA-E0-9 é]{0,12}", cut in (0_usize..12, 0_usize..4)) {
            let (x, y) = (Signature::of(&a), Signature::of(&b));
            prop_assert!(x.least_edits(y) as usize <= edit::distance(&a, &b));
            prop_assert!(x.may_contain(y) || !a.contains(&b));
            let piece = &a[cut.0.min(a.len())..(cut.0 + cut.1).min(a.len())];
            prop_assert!(x.may_contain(Signature::of(piece)));
            let pairs = |text: &str| -> std::collections::BTreeSet<[u8; 2]> {
                text.as_bytes().windows(2).map(|two| [two[0], two[1]]).collect()
            };
            prop_assert!(x.missing_pairs(y) as usize <= pairs(&a).difference(&pairs(&b)).count());
        }
    }
}
