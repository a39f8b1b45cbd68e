//! Which entries of a small dictionary a test holds for, kept from one bucket and leaf to the next.
//!
//! The same few tests of the same few texts are drawn again and again.

use super::draft::{Draft, DraftTest, Shape};
use super::prepared::{FeatureView, Prepared};

/// A dictionary of at most this many texts is small: a bit of a word for each.
pub(super) const SMALL: usize = 64;
/// How many answers are kept.
const SLOTS: usize = 1 << 13;

/// Answers by test, each in the one place that its test may have. It has no part in what the answers are.
#[derive(Debug, Default)]
pub(super) struct Masks {
    slots: Vec<Option<(u32, DraftTest, u64)>>,
}

impl Masks {
    pub(super) fn new() -> Self {
        Self { slots: vec![None; SLOTS] }
    }

    /// Bit `c`: whether the draft's test, its negation left aside, holds for dictionary entry `c`. `None` where the test
    /// is not of entries one by one, there are more than [`SMALL`], or they are long.
    pub(super) fn of(&mut self, draft: &Draft, prepared: &Prepared) -> Option<u64> {
        let mixed = match draft.test {
            DraftTest::Piece { test, code, start, end } => {
                mix([code, start, end, test as u32, draft.feature])
            }
            DraftTest::Reference { comparison, code, threshold } => {
                let bits = threshold.to_bits();
                #[allow(clippy::cast_possible_truncation)] // both halves
                mix([code, bits as u32, (bits >> 32) as u32, comparison as u32 + 8, draft.feature])
            }
            _ => return None,
        };
        let FeatureView::Text { column, feature } = prepared.view(draft.feature) else { return None };
        let dictionary = &column.dictionary;
        // What is found in long texts is kept elsewhere, and only asked for where it is needed.
        if dictionary.len() > SMALL || feature.searches.is_some() {
            return None;
        }
        let slot = &mut self.slots[mixed];
        if let Some((feature, test, mask)) = slot
            && *feature == draft.feature
            && *test == draft.test
        {
            return Some(*mask);
        }
        let Shape::Entries(entries) = draft.shape(prepared) else { return None };
        let mask = (0..)
            .take(dictionary.len())
            .fold(0, |mask, code: u32| mask | u64::from(entries.is(code, dictionary)) << code);
        *slot = Some((draft.feature, draft.test, mask));
        Some(mask)
    }
}

/// A slot's position.
#[allow(clippy::cast_possible_truncation)] // below SLOTS
fn mix(parts: [u32; 5]) -> usize {
    let mixed = parts
        .into_iter()
        .fold(0_u64, |sum, part| (sum.rotate_left(23) ^ u64::from(part)).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    (mixed >> 40) as usize % SLOTS
}
