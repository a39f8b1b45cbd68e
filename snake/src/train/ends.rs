//! Texts in the order of their first, or last, bytes: those that start, or end, with a piece are next to each other.

/// How many bytes at an end of a text are compared at once.
const BYTES: usize = 8;

/// A column's texts in the order of their first [`BYTES`] bytes, or of their last ones read backwards. Takes at most 12
/// bytes a text.
#[derive(Debug)]
pub(super) struct Ends {
    /// Per dictionary entry, its rank.
    pub(super) ranks: Vec<u32>,
    /// By rank, the bytes as a number, the outermost one highest; 0 where a text has no more.
    pub(super) distinct: Vec<u64>,
}

/// The texts whose end, as a number, is from `low` to `high`, both inclusive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    low: u64,
    high: u64,
    /// Whether they all have the piece. Else some may not: it is longer than what was compared, or ends in a byte 0.
    pub(super) exact: bool,
}

impl Ends {
    #[allow(clippy::cast_possible_truncation)] // a table has at most u32::MAX rows
    pub(super) fn new(dictionary: &[Box<str>], at_end: bool) -> Self {
        let ends: Vec<u64> = dictionary.iter().map(|text| number(text.as_bytes(), at_end, 0)).collect();
        let mut distinct = ends.clone();
        distinct.sort_unstable();
        distinct.dedup();
        distinct.shrink_to_fit();
        let ranks = ends.iter().map(|end| distinct.partition_point(|other| other < end) as u32).collect();
        Self { ranks, distinct }
    }

    /// The first rank of the stretch, and the first one beyond.
    #[allow(clippy::cast_possible_truncation)] // a table has at most u32::MAX rows
    pub(super) fn borders(&self, stretch: Stretch) -> (u32, u32) {
        let (from, to) = stretch.among(&self.distinct);
        (from as u32, to as u32)
    }
}

impl Stretch {
    /// The texts that start, or end, with a piece.
    pub(super) fn of(piece: &str, at_end: bool) -> Self {
        let piece = piece.as_bytes();
        let innermost = if at_end { piece.first() } else { piece.last() };
        Self {
            low: number(piece, at_end, 0),
            high: number(piece, at_end, u8::MAX),
            exact: piece.len() <= BYTES && innermost != Some(&0),
        }
    }

    /// Where it begins among ascending ends, and where it is over.
    #[inline]
    pub(super) fn among(self, ends: &[u64]) -> (usize, usize) {
        let from = ends.partition_point(|&end| end < self.low);
        (from, from + ends[from..].partition_point(|&end| end <= self.high))
    }
}

/// The first bytes, or the last ones read backwards, as a number; `rest` where there are no more.
fn number(text: &[u8], at_end: bool, rest: u8) -> u64 {
    let mut bytes = [rest; BYTES];
    if at_end {
        bytes.iter_mut().zip(text.iter().rev()).for_each(|(place, &byte)| *place = byte);
    } else {
        bytes.iter_mut().zip(text).for_each(|(place, &byte)| *place = byte);
    }
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn stretches_hold_the_texts_with_the_piece(
            texts in prop::collection::vec("[ab\0é]{0,12}", 1..60), piece in "[ab\0é]{0,10}", at_end in any::<bool>(),
        ) {
            let dictionary: Vec<Box<str>> = texts.into_iter().map(Into::into).collect();
            let ends = Ends::new(&dictionary, at_end);
            let stretch = Stretch::of(&piece, at_end);
            let (from, to) = ends.borders(stretch);
            for (text, rank) in dictionary.iter().zip(&ends.ranks) {
                let has = if at_end { text.ends_with(&piece) } else { text.starts_with(&piece) };
                let inside = (from..to).contains(rank);
                prop_assert!(inside || !has);
                prop_assert!(has || !inside || !stretch.exact);
            }
        }
    }

    #[test]
    fn short_pieces_are_exact() {
        for (piece, exact) in
            [("", true), ("Mary", true), ("é", true), ("12345678", true), ("123456789", false)]
        {
            assert_eq!(Stretch::of(piece, false).exact, exact);
            assert_eq!(Stretch::of(piece, true).exact, exact);
        }
        assert!(!Stretch::of("a\0", false).exact && Stretch::of("a\0", true).exact);
    }
}
