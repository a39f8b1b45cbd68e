//! The members of a bucket by the bytes of their texts: which of them contain a piece is then a matter of a few words.

use crate::bits;

/// The sets of a column take at most this many blocks, 512 KiB. Where they would take more there are none: the texts are searched
/// one by one.
const BLOCKS: usize = 1 << 16;

/// Per byte, and per pair of neighbouring bytes, the set of the members whose text has it; the room is used again.
#[derive(Debug, Default)]
pub(super) struct Grams {
    words: usize,
    /// Per byte its number among those that occur, plus 1; 0 for the others.
    numbers: Vec<u16>,
    /// How many bytes occur.
    count: usize,
    /// Per pair of such numbers where its set begins; 0 for pairs that do not occur.
    pairs: Vec<u32>,
    /// The sets of bytes by number, then those of pairs. Empty where they would be too many.
    sets: Vec<u64>,
}

/// Which members a piece may be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Exactly those of the set.
    Exact,
    /// None but those of the set.
    AtMost,
    /// There are no sets.
    Unknown,
}

impl Grams {
    /// Turns to the texts of these members, in their order.
    pub(super) fn build<'t>(&mut self, texts: impl ExactSizeIterator<Item = &'t str> + Clone) {
        self.words = bits::words(texts.len());
        self.sets.clear();
        self.numbers.clear();
        self.numbers.resize(256, 0);
        for text in texts.clone() {
            for byte in text.bytes() {
                self.numbers[usize::from(byte)] = 1;
            }
        }
        self.count = 0;
        for number in self.numbers.iter_mut().filter(|number| **number == 1) {
            self.count += 1;
            #[allow(clippy::cast_possible_truncation)] // at most 256
            (*number = self.count as u16);
        }
        if self.count * self.words > BLOCKS {
            return;
        }
        self.sets.resize(self.count * self.words, 0);
        self.pairs.clear();
        self.pairs.resize(self.count * self.count, 0);
        for (member, text) in texts.enumerate() {
            let mut before = None;
            for byte in text.bytes() {
                let number = usize::from(self.numbers[usize::from(byte)]) - 1;
                bits::insert(&mut self.sets[number * self.words..], member);
                if let Some(before) = before.replace(number) {
                    let place = &mut self.pairs[before * self.count + number];
                    if *place == 0 {
                        if self.sets.len() + self.words > BLOCKS {
                            self.sets.clear();
                            return;
                        }
                        #[allow(clippy::cast_possible_truncation)] // at most BLOCKS
                        (*place = self.sets.len() as u32);
                        self.sets.resize(self.sets.len() + self.words, 0);
                    }
                    bits::insert(&mut self.sets[*place as usize..], member);
                }
            }
        }
    }

    /// Sets `out` to the members that a piece may be in.
    #[inline]
    pub(super) fn reach(&self, piece: &[u8], out: &mut [u64]) -> Reach {
        if self.sets.is_empty() || piece.is_empty() {
            return Reach::Unknown;
        }
        let number = |byte: u8| usize::from(self.numbers[usize::from(byte)]).checked_sub(1);
        if let [byte] = *piece {
            match number(byte) {
                Some(number) => out.copy_from_slice(self.set(number * self.words)),
                None => out.fill(0),
            }
            return Reach::Exact;
        }
        let mut first = true;
        for two in piece.windows(2) {
            let place = match (number(two[0]), number(two[1])) {
                (Some(a), Some(b)) => self.pairs[a * self.count + b],
                _ => 0,
            };
            if place == 0 {
                out.fill(0);
                return Reach::Exact;
            }
            let set = self.set(place as usize);
            if first {
                out.copy_from_slice(set);
                first = false;
            } else {
                out.iter_mut().zip(set).for_each(|(out, block)| *out &= block);
            }
        }
        if piece.len() == 2 { Reach::Exact } else { Reach::AtMost }
    }

    fn set(&self, start: usize) -> &[u64] {
        &self.sets[start..start + self.words]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_piece_is_in_none_but_the_members_it_reaches(
            texts in prop::collection::vec("[abcé]{0,6}", 1..150), piece in "[abcdé]{1,4}",
        ) {
            let mut grams = Grams::default();
            for texts in [&texts[texts.len() / 2..], &texts] {
                grams.build(texts.iter().map(String::as_str));
                let mut out = vec![7; bits::words(texts.len())];
                let reach = grams.reach(piece.as_bytes(), &mut out);
                prop_assume!(!grams.sets.is_empty());
                prop_assert!(reach != Reach::Unknown && (reach == Reach::Exact || piece.len() > 2));
                let reached: Vec<usize> = bits::members(&out).collect();
                for (member, text) in texts.iter().enumerate() {
                    let (inside, has) = (reached.contains(&member), text.contains(&piece));
                    prop_assert!(inside == has || inside && reach == Reach::AtMost);
                }
            }
        }
    }

    #[test]
    fn room_is_bounded() {
        let text: String =
            ('\0'..'\u{80}').flat_map(|a| ('\0'..'\u{80}').flat_map(move |b| [a, b])).collect();
        let mut grams = Grams::default();
        grams.build(std::iter::repeat_n(&*text, 64));
        assert_eq!(grams.sets.len(), 128 + 128 * 128);
        grams.build(std::iter::repeat_n(&*text, 64 * 4));
        assert!(grams.sets.is_empty());
        assert_eq!(grams.reach(b"ab", &mut [0; 4]), Reach::Unknown);
        grams.build(["ab", "b"].into_iter());
        let mut out = [0];
        assert_eq!((grams.reach(b"b", &mut out), out), (Reach::Exact, [0b11]));
        assert_eq!((grams.reach(b"c", &mut out), out), (Reach::Exact, [0]));
    }
}
