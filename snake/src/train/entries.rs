//! Tests that are asked of dictionary entries one by one.

use memchr::memmem::Finder;

use super::grams::Lacking;
use super::prepared::FeatureView;
use super::searches::{self, Found};
use super::signatures::Signature;
use super::texts::{TextFeature, To};
use crate::literal::{Comparison, TextTest};

/// A test of a dictionary entry, without its negation.
#[derive(Debug)]
pub(super) enum Entries<'a> {
    /// T
    Contains(Finder<'a>, Option<Sieve<'a>>),
    /// T on long texts.
    Found(Finder<'a>, Found),
    /// TEQ
    Equals(&'a str),
    /// TSW; PFX, which asks the opposite of its plain form.
    Starts { start: &'a str, holds: bool },
    /// TEW; SFX likewise.
    Ends { end: &'a str, holds: bool },
    /// LEV
    Farther(To<'a>, f64, Option<Sieve<'a>>),
    /// JAC
    Below(To<'a>, f64, Option<Sieve<'a>>),
}

/// Answers for most entries by their signatures.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sieve<'a> {
    signatures: &'a [Signature],
    text: &'a str,
    asked: Signature,
    /// Whether all entries are ASCII: then what they have and the text has not counts too.
    both: bool,
}

impl<'a> Sieve<'a> {
    fn new(feature: &'a TextFeature, text: &'a str) -> Option<Self> {
        let signatures = &*feature.signatures;
        let both = feature.ascii;
        (!signatures.is_empty()).then(|| Self { signatures, text, asked: Signature::of(text), both })
    }

    /// For comparisons by character: of other texts, signatures say nothing about these.
    fn of_ascii(feature: &'a TextFeature, text: &'a str) -> Option<Self> {
        if text.is_ascii() { Self::new(feature, text) } else { None }
    }

    #[inline]
    fn may_contain(&self, code: u32) -> bool {
        self.signatures[code as usize].may_contain(self.asked)
    }

    /// Whether the edit distance is above a threshold for what the signatures or lengths say; false: maybe.
    #[inline]
    #[allow(clippy::cast_precision_loss)] // at most a text's length
    fn farther(&self, code: u32, other: &str, threshold: f64) -> bool {
        if self.both && self.text.len().abs_diff(other.len()) as f64 > threshold {
            return true;
        }
        let signature = self.signatures[code as usize];
        let back = if self.both { signature.least_edits(self.asked) } else { 0 };
        f64::from(self.asked.least_edits(signature).max(back)) > threshold
    }

    /// How many pairs of the text an entry has not, and the other way round, at least.
    #[inline]
    fn missing_pairs(&self, code: u32) -> [usize; 2] {
        let other = self.signatures[code as usize];
        let back = if self.both { other.missing_pairs(self.asked) } else { 0 };
        [self.asked.missing_pairs(other) as usize, back as usize]
    }
}

impl<'a> Entries<'a> {
    /// T, TEQ, TSW, TEW.
    pub(super) fn piece(view: FeatureView<'a>, test: TextTest, piece: &'a str) -> Self {
        match test {
            TextTest::Contains => {
                let FeatureView::Text { column, feature } = view else { return Self::Equals(piece) };
                let searches = feature.searches.as_ref();
                match searches.and_then(|searches| searches.of(piece, column.dictionary.len())) {
                    Some(found) => Self::Found(Finder::new(piece), found),
                    None => Self::Contains(Finder::new(piece), Sieve::new(feature, piece)),
                }
            }
            TextTest::Equals => Self::Equals(piece),
            TextTest::StartsWith => Self::Starts { start: piece, holds: true },
            TextTest::EndsWith => Self::Ends { end: piece, holds: true },
        }
    }

    /// LEV, JAC, PFX, SFX against a dictionary entry.
    pub(super) fn reference(
        view: FeatureView<'a>,
        comparison: Comparison,
        code: u32,
        threshold: f64,
    ) -> Self {
        let FeatureView::Text { column, feature } = view else { return Self::Equals("") };
        let dictionary = &column.dictionary;
        let reference: &str = &dictionary[code as usize];
        match comparison {
            // Fewer characters in common than the threshold: not all of the first ones that it takes.
            Comparison::Pfx => Self::Starts { start: first(reference, threshold), holds: false },
            Comparison::Sfx => Self::Ends { end: last(reference, threshold), holds: false },
            // SIM is never drafted.
            Comparison::Lev | Comparison::Jac | Comparison::Sim => {
                let to = feature.distances.to(comparison, dictionary, code);
                let sieve = Sieve::of_ascii(feature, reference);
                if comparison == Comparison::Lev {
                    Self::Farther(to, threshold, sieve)
                } else {
                    Self::Below(to, threshold, sieve)
                }
            }
        }
    }

    /// Of a test of how a text starts or ends: the piece, whether it is at the end, and whether the test holds for the texts
    /// that have it.
    pub(super) fn end(&self) -> Option<(&'a str, bool, bool)> {
        match *self {
            Self::Starts { start, holds } => Some((start, false, holds)),
            Self::Ends { end, holds } => Some((end, true, holds)),
            _ => None,
        }
    }

    /// Of LEV and JAC against an ASCII text: this, and what texts lack of it at most for which the test does not hold.
    pub(super) fn near(&self) -> Option<(&'a str, Lacking)> {
        match self {
            Self::Farther(_, threshold, Some(sieve)) => {
                // One edit takes one byte away, and two pairs.
                let edits = whole(threshold.floor());
                Some((sieve.text, Lacking { bytes: edits, pairs: 2 * edits }))
            }
            Self::Below(to, threshold, Some(sieve)) => {
                Some((sieve.text, Lacking { bytes: usize::MAX, pairs: to.lacking(*threshold)? }))
            }
            _ => None,
        }
    }

    /// Whether it holds for an entry of the dictionary.
    #[inline]
    pub(super) fn is(&self, code: u32, dictionary: &[Box<str>]) -> bool {
        self.holds(code, &dictionary[code as usize])
    }

    /// Whether it holds for an entry, which is this text.
    #[inline]
    pub(super) fn holds(&self, code: u32, text: &str) -> bool {
        match self {
            Self::Contains(finder, sieve) => {
                sieve.is_none_or(|sieve| sieve.may_contain(code)) && finder.find(text.as_bytes()).is_some()
            }
            Self::Found(finder, found) => searches::contains(finder, found, code, text),
            Self::Equals(other) => text == *other,
            Self::Starts { start, holds } => text.starts_with(*start) == *holds,
            Self::Ends { end, holds } => text.ends_with(*end) == *holds,
            Self::Farther(to, threshold, sieve) => {
                sieve.is_some_and(|sieve| sieve.farther(code, text, *threshold))
                    || to.of(code, text) > *threshold
            }
            Self::Below(to, threshold, sieve) => {
                sieve.is_some_and(|sieve| to.most(code, || sieve.missing_pairs(code)) < *threshold)
                    || to.of(code, text) < *threshold
            }
        }
    }
}

/// As many of a text's first characters as reach the threshold, which is at most its length.
fn first(text: &str, threshold: f64) -> &str {
    let end = text.char_indices().map(|(at, _)| at).nth(whole(threshold)).unwrap_or(text.len());
    &text[..end]
}

/// As many of a text's last characters as reach the threshold, which is at most its length.
fn last(text: &str, threshold: f64) -> &str {
    match whole(threshold).checked_sub(1) {
        Some(before) => {
            let start = text.char_indices().rev().map(|(at, _)| at).nth(before).unwrap_or(0);
            &text[start..]
        }
        None => "",
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // at most a text's length
fn whole(threshold: f64) -> usize {
    threshold.ceil().max(0.0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_of_texts() {
        assert_eq!((first("éab", 0.5), first("éab", 1.0), first("éab", 2.5)), ("é", "é", "éab"));
        assert_eq!(
            (last("abé", 0.5), last("abé", 1.5), last("abé", 3.0), last("abé", 0.0)),
            ("é", "bé", "abé", "")
        );
    }
}
