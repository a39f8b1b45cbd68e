//! Searching pieces in a column of long texts, where a search takes longer than all else: only a few pieces are drawn, and
//! what was found once is kept.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use memchr::memmem::Finder;

/// From this mean length in bytes on a column's texts are long.
const LONG: usize = 4096;
/// How many pieces are drawn from in a long column.
const POOL: usize = 64;
/// Bytes, and pairs, that are remembered at most.
const REMEMBERED: usize = 1 << 26;
const PAIRS: usize = 1 << 20;

/// A piece of a dictionary entry: the entry, start and end in bytes.
pub(super) type Piece = (u32, u32, u32);

/// A piece of a known entry: start and end in bytes.
pub(super) type Span = (u32, u32);

/// What was found in a column of long texts.
#[derive(Debug)]
pub(super) struct Searches {
    /// The pieces that substrings are drawn from.
    pub(super) pool: Vec<Piece>,
    /// Per piece and dictionary entry an [`Answer`].
    found: Mutex<BTreeMap<Box<str>, Found>>,
    /// Answers that are remembered at most. Only the time depends on it: never what is drawn.
    room: usize,
    /// Per pair of entries the piece that tells the first from the second; `None` where there is none.
    differences: Mutex<BTreeMap<(u32, u32), Option<Span>>>,
}

/// Per dictionary entry whether it contains a piece: 0 is not known yet, 1 no, 2 yes.
pub(super) type Found = Arc<[AtomicU8]>;

impl Searches {
    /// `None` for a column whose texts are not long.
    pub(super) fn new(dictionary: &[Box<str>]) -> Option<Self> {
        let bytes: usize = dictionary.iter().map(|text| text.len()).sum();
        if bytes < LONG * dictionary.len().max(1) {
            return None;
        }
        let pool = (0..POOL).filter_map(|draw| drawn(dictionary, draw)).collect();
        Some(Self { pool, found: Mutex::default(), room: REMEMBERED, differences: Mutex::default() })
    }

    /// What is known about a piece; `None` when as much as may be is remembered already.
    pub(super) fn of(&self, piece: &str, entries: usize) -> Option<Found> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = found.get(piece) {
            return Some(Arc::clone(known));
        }
        if found.len().saturating_mul(entries) >= self.room {
            return None;
        }
        let known: Found = (0..entries).map(|_| AtomicU8::new(0)).collect();
        found.insert(piece.into(), Arc::clone(&known));
        Some(known)
    }

    /// Whether an entry contains a piece of the pool.
    pub(super) fn holds(&self, piece: &Finder<'_>, text: &str, code: u32, dictionary: &[Box<str>]) -> bool {
        match self.of(text, dictionary.len()) {
            Some(found) => contains(piece, &found, code, &dictionary[code as usize]),
            None => piece.find(dictionary[code as usize].as_bytes()).is_some(),
        }
    }

    /// The difference of two entries, by `find` when it is not known.
    pub(super) fn difference(&self, pair: (u32, u32), find: impl FnOnce() -> Option<Span>) -> Option<Span> {
        let lock = || self.differences.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().get(&pair).copied();
        if let Some(known) = known {
            return known;
        }
        let found = find();
        let mut differences = lock();
        if differences.len() < PAIRS {
            differences.insert(pair, found);
        }
        found
    }
}

/// Whether an entry contains a piece, looked up or found out.
pub(super) fn contains(finder: &Finder<'_>, found: &[AtomicU8], code: u32, text: &str) -> bool {
    let Some(answer) = found.get(code as usize) else { return false };
    // The answer is the same whoever finds it out.
    match answer.load(Ordering::Relaxed) {
        0 => {
            let holds = finder.find(text.as_bytes()).is_some();
            answer.store(1 + u8::from(holds), Ordering::Relaxed);
            holds
        }
        known => known == 2,
    }
}

/// A piece of 3 to 8 bytes, widened to whole characters, of an entry: both spread over the column by the golden ratio.
#[allow(clippy::cast_possible_truncation)] // a text of 4 GiB is not a cell
fn drawn(dictionary: &[Box<str>], draw: usize) -> Option<Piece> {
    let spread = |bound: usize, by: u64| {
        let share = (draw as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left((by * 21) as u32);
        ((u128::from(share) * bound as u128) >> 64) as usize
    };
    let code = spread(dictionary.len(), 0);
    let text = dictionary.get(code)?;
    let start = text.floor_char_boundary(spread(text.len(), 1));
    let end = text.ceil_char_boundary((start + 3 + spread(6, 2)).min(text.len()));
    (start < end).then_some((code as u32, start as u32, end as u32))
}

/// Where two texts differ first, in bytes.
pub(super) fn first_difference(a: &[u8], b: &[u8]) -> usize {
    const STRIDE: usize = 256;
    let same = a.chunks(STRIDE).zip(b.chunks(STRIDE)).take_while(|(a, b)| a == b).count() * STRIDE;
    let same = same.min(a.len()).min(b.len());
    same + a[same..].iter().zip(&b[same..]).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_long_texts_are_remembered() {
        assert!(Searches::new(&["short".into(), "x".repeat(5000).into()]).is_none());
        assert!(Searches::new(&[]).is_none());
        let dictionary: Vec<Box<str>> = (0..10).map(|i| format!("{i}é").repeat(3000 + i).into()).collect();
        let searches = Searches::new(&dictionary).unwrap();
        let full = Searches { room: 0, ..Searches::new(&dictionary).unwrap() };
        assert_eq!(searches.pool.len(), POOL);
        for &(code, start, end) in &searches.pool {
            let piece = &dictionary[code as usize][start as usize..end as usize];
            let found = searches.of(piece, dictionary.len()).unwrap();
            let finder = Finder::new(piece);
            for _ in 0..2 {
                for code in 0..10 {
                    let expected = dictionary[code as usize].contains(piece);
                    assert_eq!(contains(&finder, &found, code, &dictionary[code as usize]), expected);
                    for searches in [&searches, &full] {
                        assert_eq!(searches.holds(&finder, piece, code, &dictionary), expected);
                    }
                }
            }
        }
    }

    #[test]
    fn first_differences() {
        for length in [0, 1, 255, 256, 257, 700] {
            let text = "a".repeat(length);
            assert_eq!(first_difference(text.as_bytes(), format!("{text}b").as_bytes()), length);
            assert_eq!(
                first_difference(format!("{text}bxx").as_bytes(), format!("{text}cx").as_bytes()),
                length
            );
        }
    }
}
