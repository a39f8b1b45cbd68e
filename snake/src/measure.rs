//! Measures: the number that a literal takes of a value before it compares.

pub(crate) mod bigrams;
pub(crate) mod edit;

use std::collections::BTreeMap;

use crate::literal::{Comparison, Measure};
use crate::text::{is_digit, is_special, is_upper_case, number_text};

impl Measure {
    /// Whether the measure is taken of numbers; the others are taken of texts.
    #[must_use]
    pub fn of_numbers(self) -> bool {
        matches!(self, Self::N | Self::Nd | Self::Nl | Self::Nmg)
    }
}

/// The measure of a number; `None` for a measure of texts.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn of_number(measure: Measure, x: f64) -> Option<f64> {
    match measure {
        Measure::N => Some(x),
        Measure::Nd => Some(digits(x) as f64),
        Measure::Nl => Some(if x == 0.0 { 0.0 } else { libm::log(x.abs() + 1.0).copysign(x) }),
        Measure::Nmg => Some(if x == 0.0 { 0.0 } else { libm::floor(libm::log10(x.abs() + 1e-300)) }),
        _ => None,
    }
}

/// How many digits a number has when it is written out.
#[allow(clippy::cast_possible_truncation)]
fn digits(x: f64) -> usize {
    // A whole number below 1e16 is written as it is, with ".0".
    if x.abs() < 1e16 && x == libm::trunc(x) {
        return (x.abs() as u64).checked_ilog10().unwrap_or(0) as usize + 2;
    }
    number_text(x).bytes().filter(u8::is_ascii_digit).count()
}

/// The measure of a text; `None` for a measure of numbers.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn of_text(measure: Measure, text: &str) -> Option<f64> {
    let count = match measure {
        Measure::N | Measure::Nd | Measure::Nl | Measure::Nmg => return None,
        Measure::Ent => return Some(entropy(text)),
        Measure::Hex => return Some(share(text, |c| c.is_ascii_hexdigit())),
        Measure::Tvr => return Some(share(text, |c| "aeiouAEIOU".contains(c))),
        Measure::Rep => return Some(repetition(text)),
        Measure::Tn => length(text),
        Measure::Tln => distinct(text),
        Measure::Tws => pieces(text, b' '),
        Measure::Tps => pieces(text, b','),
        Measure::Tss => pieces(text, b'.'),
        Measure::Tuc => text.chars().filter(|c| is_upper_case(*c)).count(),
        Measure::Tdc => text.chars().filter(|c| is_digit(*c)).count(),
        Measure::Tsc => text.chars().filter(|c| is_special(*c)).count(),
    };
    Some(count as f64)
}

/// The measure of a text against a reference text.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn compared(comparison: Comparison, text: &str, reference: &str) -> f64 {
    match comparison {
        Comparison::Lev => edit::distance(text, reference) as f64,
        Comparison::Jac => bigrams::similarity(text, reference),
        Comparison::Sim => matched_share(text, reference),
        Comparison::Pfx => common(text.chars(), reference.chars()) as f64,
        Comparison::Sfx => common(text.chars().rev(), reference.chars().rev()) as f64,
    }
}

/// Chi-square distance of a text's character shares to reference shares, which are sorted by character. Summed over
/// the text's characters in the order of their first occurrence, then over the reference's others in their order.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn frequency_distance(text: &str, reference: &[(char, f64)]) -> f64 {
    const FLOOR: f64 = 0.001;
    let total = length(text).max(1) as f64;
    let term = |share: f64, expected: f64| (share - expected) * (share - expected) / expected.max(FLOOR);
    let counts = counted(text);
    let mut sum = 0.0;
    for (c, count) in &counts {
        let expected = reference.iter().find(|entry| entry.0 == *c).map_or(FLOOR, |entry| entry.1);
        sum += term(*count as f64 / total, expected);
    }
    for (c, expected) in reference {
        if !counts.iter().any(|entry| entry.0 == *c) {
            sum += term(0.0, *expected);
        }
    }
    sum
}

fn length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

fn pieces(text: &str, separator: u8) -> usize {
    text.bytes().filter(|byte| *byte == separator).count() + 1
}

fn distinct(text: &str) -> usize {
    let mut ascii = 0_u128;
    let mut others: Vec<char> = Vec::new();
    for c in text.chars() {
        if c.is_ascii() {
            ascii |= 1 << u32::from(c);
        } else {
            others.push(c);
        }
    }
    others.sort_unstable();
    others.dedup();
    ascii.count_ones() as usize + others.len()
}

/// How often each character occurs, in the order of first occurrence.
fn counted(text: &str) -> Vec<(char, usize)> {
    if text.is_ascii() {
        return counted_ascii(text.as_bytes());
    }
    let mut places: BTreeMap<char, usize> = BTreeMap::new();
    let mut counts: Vec<(char, usize)> = Vec::new();
    for c in text.chars() {
        let place = *places.entry(c).or_insert(counts.len());
        match counts.get_mut(place) {
            Some(entry) => entry.1 += 1,
            None => counts.push((c, 1)),
        }
    }
    counts
}

fn counted_ascii(text: &[u8]) -> Vec<(char, usize)> {
    let mut numbers = [0_usize; 128];
    let mut order = Vec::new();
    for byte in text {
        if let Some(number) = numbers.get_mut(usize::from(*byte)) {
            if *number == 0 {
                order.push(*byte);
            }
            *number += 1;
        }
    }
    order.into_iter().map(|byte| (char::from(byte), numbers[usize::from(byte & 127)])).collect()
}

#[allow(clippy::cast_precision_loss)]
fn entropy(text: &str) -> f64 {
    let total = length(text) as f64;
    let mut sum = 0.0;
    for (_, count) in counted(text) {
        let share = count as f64 / total;
        sum -= share * libm::log2(share);
    }
    sum
}

#[allow(clippy::cast_precision_loss)]
fn share(text: &str, wanted: impl Fn(char) -> bool) -> f64 {
    let total = length(text).max(1);
    text.chars().filter(|c| wanted(*c)).count() as f64 / total as f64
}

/// The best share of characters that repeat the first p, over the periods p up to half of the text's first 64
/// characters.
#[allow(clippy::cast_precision_loss)]
fn repetition(text: &str) -> f64 {
    let start: Vec<char> = text.chars().take(64).collect();
    if start.len() < 4 {
        return 0.0;
    }
    let mut best = 0.0_f64;
    for period in 1..=start.len() / 2 {
        let (head, rest) = start.split_at(period);
        let repeated = rest.iter().zip(head.iter().cycle()).filter(|(a, b)| a == b).count();
        best = best.max(repeated as f64 / rest.len() as f64);
    }
    best
}

fn common(a: impl Iterator<Item = char>, b: impl Iterator<Item = char>) -> usize {
    a.zip(b).take_while(|(a, b)| a == b).count()
}

/// The share of the reference's characters found, in order, on one walk over the text.
#[allow(clippy::cast_precision_loss)]
fn matched_share(text: &str, reference: &str) -> f64 {
    let mut wanted = reference.chars().peekable();
    let mut matched = 0_usize;
    for c in text.chars() {
        if wanted.peek() == Some(&c) {
            wanted.next();
            matched += 1;
        }
    }
    if matched == 0 { 0.0 } else { matched as f64 / length(reference) as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(measure: Measure, text: &str) -> f64 {
        of_text(measure, text).unwrap()
    }

    #[test]
    fn measures_of_numbers() {
        assert_eq!(of_number(Measure::Nd, 3.0), Some(2.0));
        assert_eq!(of_number(Measure::Nd, -1e-5), Some(3.0));
        for x in [0.0, 9.0, 10.0, -99.0, 1e15, 9_999_999_999_999_998.0, 1e16, 1.5, 5e-324, -f64::MAX] {
            let written = number_text(x).bytes().filter(u8::is_ascii_digit).count();
            assert_eq!(of_number(Measure::Nd, x), Some(written as f64), "{x}");
        }
        assert_eq!(of_number(Measure::Nl, 0.0), Some(0.0));
        // ln(x + 1) rounds x + 1 first: ln(1 + x) in one step would be 1e-17 here.
        assert_eq!(of_number(Measure::Nl, 1e-17), Some(0.0));
        assert_eq!(of_number(Measure::Nl, -1.0), Some(-core::f64::consts::LN_2));
        assert_eq!(of_number(Measure::Nmg, 999.999), Some(2.0));
        assert_eq!(of_number(Measure::Nmg, 0.001), Some(-3.0));
        assert_eq!(of_number(Measure::Nmg, -0.0), Some(0.0));
        assert_eq!(of_number(Measure::Tn, 1.0), None);
        assert_eq!(of_text(Measure::N, "1"), None);
    }

    #[test]
    fn measures_of_texts() {
        assert_eq!(text(Measure::Tn, "naïve"), 5.0);
        assert_eq!(text(Measure::Tln, "naïnaï"), 3.0);
        assert_eq!(text(Measure::Tws, ""), 1.0);
        assert_eq!(text(Measure::Tws, "a  b"), 3.0);
        assert_eq!(text(Measure::Tps, ",a,"), 3.0);
        assert_eq!(text(Measure::Tss, "a.b"), 2.0);
        assert_eq!(text(Measure::Ent, ""), 0.0);
        assert_eq!(text(Measure::Ent, "aabb"), 1.0);
        assert_eq!(text(Measure::Ent, "\u{7f}a\u{7f}"), text(Measure::Ent, "éaé"));
        assert_eq!(text(Measure::Hex, ""), 0.0);
        assert_eq!(text(Measure::Hex, "fG"), 0.5);
        assert_eq!(text(Measure::Tvr, ""), 0.0);
        assert_eq!(text(Measure::Tvr, "aEbc"), 0.5);
        assert_eq!(text(Measure::Rep, "aaa"), 0.0);
        assert_eq!(text(Measure::Rep, "abab"), 1.0);
        assert_eq!(text(Measure::Rep, "abcd"), 0.0);
        assert_eq!(text(Measure::Rep, &"é".repeat(200)), 1.0);
    }

    #[test]
    fn comparisons() {
        assert_eq!(compared(Comparison::Lev, "kitten", "sitting"), 3.0);
        assert_eq!(compared(Comparison::Lev, "", "abc"), 3.0);
        assert_eq!(compared(Comparison::Lev, "abc", "abc"), 0.0);
        assert_eq!(compared(Comparison::Lev, "ab", "aab"), 1.0);
        assert_eq!(compared(Comparison::Jac, "a", "a"), 1.0);
        assert_eq!(compared(Comparison::Jac, "", "a"), 0.0);
        assert_eq!(compared(Comparison::Jac, "ab", "a"), 0.0);
        assert_eq!(compared(Comparison::Jac, "abc", "bcd"), 1.0 / 3.0);
        assert_eq!(compared(Comparison::Sim, "axbxc", "abc"), 1.0);
        assert_eq!(compared(Comparison::Sim, "cba", "abc"), 1.0 / 3.0);
        assert_eq!(compared(Comparison::Sim, "abc", ""), 0.0);
        assert_eq!(compared(Comparison::Pfx, "éab", "éac"), 2.0);
        assert_eq!(compared(Comparison::Sfx, "xbc", "bc"), 2.0);
    }
}
