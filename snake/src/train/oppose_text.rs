//! Literals between two different texts of a column.

use memchr::memmem::{self, Finder};

use super::draft::DraftTest;
use super::family::TextFamily;
use super::grams::contains;
use super::oppose::{Drawn, between};
use super::oppose_number::measured;
use super::searches::{self, Searches};
use super::texts::TextFeature;
use crate::literal::{Comparison, TextTest};
use crate::stream::Stream;

/// How often a family is drawn before the last resorts are tried in order.
const FAMILY_DRAWS: usize = 4;
/// How often a substring is drawn before the family gives up.
const SUBSTRING_DRAWS: usize = 4;
/// The longest substring that is drawn, in bytes (before it is widened to whole characters).
const LONGEST_SUBSTRING: usize = 8;
/// The longest text that is quoted whole, in bytes. A literal that quotes more explains nothing, and reports of such
/// literals would outgrow every limit: of two longer texts, a piece around their first difference is quoted.
const LONGEST_QUOTED: usize = 256;

/// Two different texts of a column.
struct Texts<'a> {
    dictionary: &'a [Box<str>],
    feature: &'a TextFeature,
    yes: u32,
    no: u32,
}

/// A literal that is true for the dictionary entry `yes` and false for the entry `no`, another one.
pub(super) fn text(
    dictionary: &[Box<str>],
    feature: &TextFeature,
    stream: &mut Stream,
    yes: u32,
    no: u32,
) -> Drawn {
    let texts = Texts { dictionary, feature, yes, no };
    let mix = &feature.mix;
    for _ in 0..FAMILY_DRAWS {
        let Some(family) = mix.at(stream.below(mix.total())) else { break };
        let drawn = match family {
            TextFamily::Substring => texts.substring(stream),
            TextFamily::Equals if texts.long() => None,
            TextFamily::Equals => Some(texts.equals(stream)),
            TextFamily::Distance if texts.long() => None,
            TextFamily::Distance => texts.distance(stream),
            TextFamily::Position => texts.position(stream),
            TextFamily::Shape
            | TextFamily::Splits
            | TextFamily::Class
            | TextFamily::Entropy
            | TextFamily::Hexadecimal
            | TextFamily::Repetition => texts.measured(family, stream),
        };
        if let Some(drawn) = drawn {
            return drawn;
        }
    }
    texts
        .measured(TextFamily::Shape, stream)
        .or_else(|| if texts.long() { texts.difference(stream) } else { None })
        .unwrap_or_else(|| texts.equals(stream))
}

#[allow(clippy::cast_possible_truncation)] // a text of 4 GiB is not a cell
fn piece(negated: bool, test: TextTest, code: u32, start: usize, end: usize) -> Drawn {
    (negated, DraftTest::Piece { test, code, start: start as u32, end: end as u32 })
}

/// Start and end of the shortest piece (to a factor of two) around a text's first difference from another that the other
/// does not contain.
#[allow(clippy::cast_possible_truncation)] // a text of 4 GiB is not a cell
fn difference(text: &str, other: &str) -> Option<(u32, u32)> {
    let at = searches::first_difference(text.as_bytes(), other.as_bytes());
    // From the difference on at first: what comes before it is common to both, and slow to search for.
    let mut reach = 0;
    loop {
        let start = text.floor_char_boundary(at.saturating_sub(reach));
        let end = text.ceil_char_boundary((at + reach.max(LONGEST_SUBSTRING)).min(text.len()));
        if memmem::find(other.as_bytes(), &text.as_bytes()[start..end]).is_none() {
            return Some((start as u32, end as u32));
        }
        if start == 0 && end == text.len() {
            return None;
        }
        reach = (2 * reach).max(1);
    }
}

impl Texts<'_> {
    fn entry(&self, code: u32) -> &str {
        &self.dictionary[code as usize]
    }

    /// Whether one of them is too long to be quoted.
    fn long(&self) -> bool {
        [self.yes, self.no].into_iter().any(|code| self.entry(code).len() > LONGEST_QUOTED)
    }

    /// One of the two, at random, and the other one; and whether it is the one that a literal is to be false on.
    fn one(&self, stream: &mut Stream) -> (bool, u32, u32) {
        if stream.below(2) == 1 { (true, self.no, self.yes) } else { (false, self.yes, self.no) }
    }

    fn equals(&self, stream: &mut Stream) -> Drawn {
        let (negated, code, _) = self.one(stream);
        (negated, DraftTest::Equals { code })
    }

    /// A threshold on one of the family's measures, the first from a random one on that differs.
    fn measured(&self, family: TextFamily, stream: &mut Stream) -> Option<Drawn> {
        let range = self.feature.of_family(family);
        let start = if range.len() > 1 { range.start + stream.below(range.len()) } else { range.start };
        (start..range.end).chain(range.start..start).find_map(|place| {
            let (measure, ranked) = &self.feature.measures[place];
            measured(*measure, place + 1, ranked, self.yes, self.no)
        })
    }

    /// A short piece of one text that the other does not contain.
    fn substring(&self, stream: &mut Stream) -> Option<Drawn> {
        if let Some(searches) = &self.feature.searches {
            return self.pooled(searches, stream);
        }
        for _ in 0..SUBSTRING_DRAWS {
            let (negated, code, other) = self.one(stream);
            let (text, other) = (self.entry(code), self.entry(other));
            if text.is_empty() {
                continue;
            }
            let length = 1 + stream.below(LONGEST_SUBSTRING.min(text.len()));
            let start = stream.below(text.len() - length + 1);
            let (start, end) = (text.floor_char_boundary(start), text.ceil_char_boundary(start + length));
            if !contains(other.as_bytes(), &text.as_bytes()[start..end]) {
                return Some(piece(negated, TextTest::Contains, code, start, end));
            }
        }
        None
    }

    /// Of long texts: one of the column's few pieces that one text contains and the other does not.
    fn pooled(&self, searches: &Searches, stream: &mut Stream) -> Option<Drawn> {
        (0..SUBSTRING_DRAWS).find_map(|_| {
            let &(code, start, end) = searches.pool.get(stream.below(searches.pool.len()))?;
            let text = &self.entry(code)[start as usize..end as usize];
            let finder = Finder::new(text);
            let [yes, no] =
                [self.yes, self.no].map(|code| searches.holds(&finder, text, code, self.dictionary));
            let test = DraftTest::Piece { test: TextTest::Contains, code, start, end };
            (yes != no).then_some((no, test))
        })
    }

    /// The piece of one text around its first difference from the other, as short (to a factor of two) as the other does
    /// not contain it. Of two texts of equal length in code points there always is one.
    fn difference(&self, stream: &mut Stream) -> Option<Drawn> {
        let (negated, code, other) = self.one(stream);
        let find = || difference(self.entry(code), self.entry(other));
        let (start, end) = match &self.feature.searches {
            Some(searches) => searches.difference((code, other), find),
            None => find(),
        }?;
        Some((negated, DraftTest::Piece { test: TextTest::Contains, code, start, end }))
    }

    /// How one text starts or ends: just enough to tell it from the other (TSW, TEW), or half of what more it has than
    /// what the two have in common (PFX, SFX).
    fn position(&self, stream: &mut Stream) -> Option<Drawn> {
        let kind = stream.below(4);
        let (mut negated, mut code, mut other) = self.one(stream);
        let at_end = kind % 2 == 1;
        let mut common = self.common(code, other, at_end);
        if common.1 == self.entry(code).len() {
            // All of it starts or ends the other one, so it is the other one that has more.
            (negated, code, other) = (!negated, other, code);
            common = self.common(code, other, at_end);
        }
        let text = self.entry(code);
        let (characters, bytes) = common;
        if kind < 2 {
            let (start, end) = if at_end {
                (text.floor_char_boundary(text.len() - bytes - 1), text.len())
            } else {
                (0, text.ceil_char_boundary(bytes + 1))
            };
            let test = if at_end { TextTest::EndsWith } else { TextTest::StartsWith };
            return (end - start <= LONGEST_QUOTED).then(|| piece(negated, test, code, start, end));
        }
        if self.long() {
            return None;
        }
        #[allow(clippy::cast_precision_loss)] // characters of a short text
        let [own, shared] = [text.chars().count() as f64, characters as f64];
        let comparison = if at_end { Comparison::Sfx } else { Comparison::Pfx };
        let threshold = between(shared, own);
        // Plain is to have less in common with the reference than the threshold.
        Some((!negated, DraftTest::Reference { comparison, code, threshold }))
    }

    /// How many characters, and how many bytes, two entries have in common at their start or end; no more than can be
    /// quoted are counted.
    fn common(&self, a: u32, b: u32, at_end: bool) -> (usize, usize) {
        let (a, b) = (self.entry(a), self.entry(b));
        let same = |pair: &(char, char)| pair.0 == pair.1;
        let count = |sum: (usize, usize), (c, _): (char, char)| (sum.0 + 1, sum.1 + c.len_utf8());
        if at_end {
            a.chars().rev().zip(b.chars().rev()).take(LONGEST_QUOTED).take_while(same).fold((0, 0), count)
        } else {
            a.chars().zip(b.chars()).take(LONGEST_QUOTED).take_while(same).fold((0, 0), count)
        }
    }

    /// Farther from, or nearer to, one of the two than half way to the other.
    fn distance(&self, stream: &mut Stream) -> Option<Drawn> {
        let distances = &self.feature.distances;
        let (is_no, code, other) = self.one(stream);
        let edits = match (distances.edits, distances.bigrams) {
            (true, true) => stream.below(2) == 0,
            (edits, _) => edits,
        };
        if edits {
            let far = distances.between(Comparison::Lev, self.dictionary, other, code);
            // Plain is to be farther than the threshold.
            let test = DraftTest::Reference { comparison: Comparison::Lev, code, threshold: far * 0.5 };
            return Some((!is_no, test));
        }
        let [own, far] =
            [code, other].map(|text| distances.between(Comparison::Jac, self.dictionary, text, code));
        let test = DraftTest::Reference { comparison: Comparison::Jac, code, threshold: between(far, own) };
        // Plain is to be less alike than the threshold.
        (far < own).then_some((!is_no, test))
    }
}
