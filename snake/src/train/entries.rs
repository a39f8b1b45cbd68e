//! Tests that are asked of dictionary entries one by one.

use memchr::memmem::Finder;

use super::prepared::FeatureView;
use super::searches::{self, Found};
use super::texts::{TextFeature, To};
use crate::literal::{Comparison, TextTest};

/// A test of a dictionary entry, without its negation.
#[derive(Debug)]
pub(super) enum Entries<'a> {
    /// T
    Contains(Finder<'a>),
    /// T on long texts.
    Found(Finder<'a>, Found),
    /// TEQ
    Equals(&'a str),
    /// TSW; PFX, which asks the opposite of its plain form.
    Starts { start: &'a str, holds: bool },
    /// TEW; SFX likewise.
    Ends { end: &'a str, holds: bool },
    /// LEV
    Farther(To<'a>, f64),
    /// JAC
    Below(To<'a>, f64),
}

impl<'a> Entries<'a> {
    /// T, TEQ, TSW, TEW.
    pub(super) fn piece(view: FeatureView<'a>, test: TextTest, piece: &'a str) -> Self {
        match test {
            TextTest::Contains => {
                let known = match view {
                    FeatureView::Text { column, feature: TextFeature { searches: Some(searches), .. } } => {
                        searches.of(piece, column.dictionary.len())
                    }
                    _ => None,
                };
                match known {
                    Some(found) => Self::Found(Finder::new(piece), found),
                    None => Self::Contains(Finder::new(piece)),
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
            Comparison::Lev => Self::Farther(feature.distances.to(comparison, dictionary, code), threshold),
            // SIM is never drafted.
            Comparison::Jac | Comparison::Sim => {
                Self::Below(feature.distances.to(comparison, dictionary, code), threshold)
            }
        }
    }

    /// Whether it holds for an entry.
    #[inline]
    pub(super) fn holds(&self, code: u32, dictionary: &[Box<str>]) -> bool {
        let text = || &*dictionary[code as usize];
        match self {
            Self::Contains(finder) => finder.find(text().as_bytes()).is_some(),
            Self::Found(finder, found) => searches::contains(finder, found, code, dictionary),
            Self::Equals(other) => text() == *other,
            Self::Starts { start, holds } => text().starts_with(*start) == *holds,
            Self::Ends { end, holds } => text().ends_with(*end) == *holds,
            Self::Farther(to, threshold) => to.of(code) > *threshold,
            Self::Below(to, threshold) => to.of(code) < *threshold,
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
