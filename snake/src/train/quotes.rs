//! The texts that literals quote, shared between literals.

use crate::literal::Quote;

/// How many texts are remembered.
const SLOTS: usize = 1 << 10;
/// How many of a text's bytes say where it is remembered.
const BYTES: usize = 24;

/// Texts quoted lately, each in the one place that it may have. A layer quotes few texts, but those often.
#[derive(Debug, Default)]
pub(super) struct Quotes {
    slots: Vec<Option<Quote>>,
}

impl Quotes {
    pub(super) fn new() -> Self {
        Self { slots: vec![None; SLOTS] }
    }

    /// The text to be quoted.
    pub(super) fn of(&mut self, text: &str) -> Quote {
        let mix = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mixed = text.bytes().take(BYTES).fold(text.len() as u64, mix);
        #[allow(clippy::cast_possible_truncation)] // below SLOTS
        let slot = &mut self.slots[(mixed >> 40) as usize % SLOTS];
        match slot {
            Some(known) if **known == *text => known.clone(),
            _ => slot.insert(text.into()).clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one() {
        let mut quotes = Quotes::new();
        for _ in 0..2 {
            for text in ["", "a", "navy blue", &"é".repeat(100), &"é".repeat(101)] {
                let quote = quotes.of(text);
                assert_eq!(&*quote, text);
                assert!(std::ptr::eq(&*quote, &*quotes.of(text)));
            }
        }
    }
}
