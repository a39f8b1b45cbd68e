//! The members of a bucket by the bytes of their texts: which of them contain a piece is then a matter of a few words.

use memchr::memmem;

use crate::bits;

/// The sets of a column take at most this many blocks, 512 KiB, and its texts at most this many bytes. Where they would
/// take more there are none: the dictionary's texts are searched one by one.
const BLOCKS: usize = 1 << 16;
const BYTES: usize = 1 << 19;

/// So many columns of a bucket have them: the first ones that ask.
const COLUMNS: usize = 32;

/// The [`Grams`] of a bucket's columns.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    grams: Vec<Grams>,
    /// Per feature, where its own are, or would be beyond the last ones; `None` as long as it did not ask.
    places: Vec<Option<usize>>,
    taken: usize,
}

impl Shelf {
    /// Turns to a table of so many features.
    pub(super) fn begin(&mut self, features: usize) {
        self.grams.resize_with(COLUMNS.min(features), Grams::default);
        self.places.resize(features, None);
        self.clear();
    }

    /// Turns to another bucket.
    pub(super) fn clear(&mut self) {
        self.places.fill(None);
        self.taken = 0;
    }

    /// Those of a feature, whose members have these texts; `None` where there is no room for them.
    #[inline]
    pub(super) fn of<'t, T: ExactSizeIterator<Item = &'t str>>(
        &mut self,
        feature: u32,
        texts: impl FnOnce() -> T,
    ) -> Option<&mut Grams> {
        let place = match &mut self.places[feature as usize] {
            Some(place) => *place,
            free => {
                let place = *free.insert(self.taken);
                self.taken += 1;
                if let Some(grams) = self.grams.get_mut(place) {
                    grams.build(texts());
                }
                place
            }
        };
        self.grams.get_mut(place).filter(|grams| grams.usable())
    }
}

/// Per byte, and per pair of neighbouring bytes, the set of the members whose text has it; the room is used again.
#[derive(Debug, Default)]
pub(super) struct Grams {
    words: usize,
    /// The members' texts one after another, and where each ends.
    texts: String,
    ends: Vec<u32>,
    /// Per byte its number among those that occur, plus 1; 0 for the others.
    numbers: Vec<u16>,
    /// How many bytes occur.
    count: usize,
    /// Per pair of such numbers where its set begins; 0 for pairs that do not occur.
    pairs: Vec<u32>,
    /// The sets of bytes by number, then those of pairs. Empty where they would be too many.
    sets: Vec<u64>,
    /// Room for the bytes or pairs of a text, and for where their sets begin.
    asked: Vec<u16>,
    starts: Vec<u32>,
}

/// How many of the different bytes, and of the different pairs, of a text another one may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lacking {
    pub(super) bytes: usize,
    pub(super) pairs: usize,
}

/// Bits of a count of sets: of more than these there is no count.
const PLANES: usize = 8;

impl Grams {
    /// Turns to the texts of these members, in their order.
    fn build<'t>(&mut self, texts: impl ExactSizeIterator<Item = &'t str>) {
        self.words = bits::whole_lanes(texts.len());
        self.sets.clear();
        self.texts.clear();
        self.ends.clear();
        for text in texts {
            if self.texts.len() + text.len() > BYTES {
                return;
            }
            self.texts.push_str(text);
            #[allow(clippy::cast_possible_truncation)] // at most BYTES
            self.ends.push(self.texts.len() as u32);
        }
        self.numbers.clear();
        self.numbers.resize(256, 0);
        for byte in self.texts.bytes() {
            self.numbers[usize::from(byte)] = 1;
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
        let mut start = 0;
        for (member, &end) in self.ends.iter().enumerate() {
            let mut before = None;
            for &byte in &self.texts.as_bytes()[start..end as usize] {
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
            start = end as usize;
        }
    }

    /// Whether there is room for what is to be known: else nothing may be asked.
    fn usable(&self) -> bool {
        !self.sets.is_empty()
    }

    /// A member's text.
    #[inline]
    pub(super) fn text(&self, member: usize) -> &str {
        let start = member.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.texts[start as usize..self.ends[member] as usize]
    }

    /// Sets `out` to the members whose text contains a piece.
    #[inline]
    pub(super) fn containing(&self, piece: &str, out: &mut [u64]) {
        let piece = piece.as_bytes();
        out.fill(!0);
        if let [byte] = *piece {
            self.keep(self.byte(byte), out);
        } else if piece.windows(2).all(|two| self.keep(self.pair(two[0], two[1]), out)) && piece.len() > 2 {
            bits::retain(out, |member| contains(self.text(member).as_bytes(), piece));
        }
    }

    /// Takes out of `out` what is not in the set that begins there; false where there is none.
    #[inline]
    fn keep(&self, start: Option<usize>, out: &mut [u64]) -> bool {
        match start {
            Some(start) => {
                let set = &self.sets[start..start + self.words];
                out.iter_mut().zip(set).for_each(|(out, block)| *out &= block);
            }
            None => out.fill(0),
        }
        start.is_some()
    }

    /// Sets `out` to the members whose texts lack no more of a text's different bytes and pairs, maybe with bits beyond the
    /// last member; false where that is too much to count.
    pub(super) fn near(&mut self, text: &str, lacking: Lacking, out: &mut [u64]) -> bool {
        let text = text.as_bytes();
        out.fill(!0);
        self.ask(text.iter().map(|&byte| u16::from(byte)), |grams, byte| grams.byte(byte.to_be_bytes()[1]));
        let bytes = self.narrow(lacking.bytes, out);
        self.ask(text.windows(2).map(|two| u16::from_be_bytes([two[0], two[1]])), |grams, pair| {
            let [a, b] = pair.to_be_bytes();
            grams.pair(a, b)
        });
        bytes && self.narrow(lacking.pairs, out)
    }

    /// Turns to these bytes or pairs.
    fn ask(&mut self, asked: impl Iterator<Item = u16>, start: impl Fn(&Self, u16) -> Option<usize>) {
        self.asked.clear();
        self.asked.extend(asked);
        self.asked.sort_unstable();
        self.asked.dedup();
        let mut starts = std::mem::take(&mut self.starts);
        starts.clear();
        #[allow(clippy::cast_possible_truncation)] // below BLOCKS
        starts.extend(self.asked.iter().filter_map(|&one| start(self, one)).map(|start| start as u32));
        self.starts = starts;
    }

    /// Takes out of `out` the members that lack more of what was asked; false where it is too much to count.
    fn narrow(&self, lacking: usize, out: &mut [u64]) -> bool {
        let least = self.asked.len().saturating_sub(lacking);
        if least == 0 {
            return true;
        }
        if self.asked.len() >= 1 << PLANES {
            return false;
        }
        for (word, out) in out.iter_mut().enumerate() {
            // Bit by bit in its own word, the counts of 64 members.
            let mut counts = [0_u64; PLANES];
            for &start in &self.starts {
                let mut carry = self.sets[start as usize + word];
                for plane in &mut counts {
                    (*plane, carry) = (*plane ^ carry, *plane & carry);
                    if carry == 0 {
                        break;
                    }
                }
            }
            let enough = counts.iter().enumerate().fold(!0, |enough, (bit, plane)| {
                if least >> bit & 1 == 1 { plane & enough } else { plane | enough }
            });
            *out &= enough;
        }
        true
    }

    /// Where the set of a byte begins.
    fn byte(&self, byte: u8) -> Option<usize> {
        usize::from(self.numbers[usize::from(byte)]).checked_sub(1).map(|number| number * self.words)
    }

    /// Where the set of a pair begins.
    fn pair(&self, a: u8, b: u8) -> Option<usize> {
        let number = |byte: u8| usize::from(self.numbers[usize::from(byte)]).checked_sub(1);
        let start = self.pairs[number(a)? * self.count + number(b)?];
        (start != 0).then_some(start as usize)
    }
}

/// Whether a text contains a piece, which is not empty.
pub(super) fn contains(text: &[u8], piece: &[u8]) -> bool {
    // A search has to be prepared, which does not pay for a name.
    const SHORT: usize = 32;
    if text.len() > SHORT {
        return memmem::find(text, piece).is_some();
    }
    text.windows(piece.len()).any(|place| place[0] == piece[0] && place[1..] == piece[1..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pieces_are_found(
            texts in prop::collection::vec("[abcé]{0,6}", 1..150), long in "[abcé]{30,40}", piece in "[abcdé]{1,4}",
        ) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).chain([&*long]).collect();
            let mut grams = Grams::default();
            for texts in [&texts[texts.len() / 2..], &texts] {
                grams.build(texts.iter().copied());
                prop_assert!(grams.usable());
                let mut out = vec![7; bits::whole_lanes(texts.len())];
                grams.containing(&piece, &mut out);
                let found: Vec<usize> = bits::members(&out).collect();
                let has = |member: &usize| texts[*member].contains(&piece);
                prop_assert_eq!(found, (0..texts.len()).filter(has).collect::<Vec<_>>());
            }
        }
    }

    proptest! {
        #[test]
        fn near_texts_lack_little(
            texts in prop::collection::vec("[a-e]{0,9}", 1..150), text in "[a-f]{0,9}",
            bytes in 0_usize..6, pairs in 0_usize..9,
        ) {
            prop_assume!(texts.iter().any(|text| !text.is_empty()));
            let mut grams = Grams::default();
            grams.build(texts.iter().map(String::as_str));
            let mut out = vec![7; bits::whole_lanes(texts.len())];
            let known = grams.near(&text, Lacking { bytes, pairs }, &mut out);
            prop_assert!(known);
            for (member, other) in texts.iter().enumerate() {
                let lacks = |width: usize| {
                    let of = |text: &str| -> std::collections::BTreeSet<Vec<u8>> {
                        text.as_bytes().windows(width).map(Into::into).collect()
                    };
                    of(&text).difference(&of(other)).count()
                };
                let near = lacks(1) <= bytes && lacks(2) <= pairs;
                prop_assert_eq!(out[member / 64] >> (member % 64) & 1 == 1, near);
            }
        }
    }

    #[test]
    fn room_is_bounded() {
        let text: String =
            ('\0'..'\u{7f}').flat_map(|a| ('\0'..'\u{7f}').flat_map(move |b| [a, b])).collect();
        let mut grams = Grams::default();
        let mut texts = vec![""; 5 * 64];
        texts[70] = &text;
        grams.build(texts[..4 * 64].iter().copied());
        assert_eq!(grams.sets.len(), 4 * (127 + 127 * 127));
        grams.build(texts.iter().copied());
        assert!(!grams.usable());
        grams.build(std::iter::repeat_n(&*"ab".repeat(BYTES / 4), 3));
        assert!(!grams.usable());
        grams.build(["ab", "b"].into_iter());
        let mut shelf = Shelf::default();
        shelf.begin(100);
        for feature in [7, 99].into_iter().chain(10..90) {
            for _ in 0..2 {
                let grams = shelf.of(feature, || ["a"].into_iter());
                assert_eq!(
                    grams.is_some(),
                    feature == 7 || feature == 99 || feature < 10 + COLUMNS as u32 - 2
                );
            }
        }
        shelf.clear();
        assert!(shelf.of(80, || ["a"].into_iter()).is_some() && shelf.of(7, || [""].into_iter()).is_none());
        for (piece, members) in [("b", 0b11), ("ab", 0b01), ("bc", 0), ("c", 0)] {
            let mut out = [0; bits::LANE];
            grams.containing(piece, &mut out);
            assert_eq!(out[0], members, "{piece}");
        }
    }
}
