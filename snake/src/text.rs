//! Text as the model format sees it: numbers written out, classes of characters.

use std::fmt::Write as _;

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory as _};

/// A number as the model format writes it out: the shortest digits that read back as the same number, always with a
/// fraction or an exponent; the exponent form below 1e-4 and from 1e16 on (`3.0`, `1e-05`, `1.5e+16`).
#[must_use]
pub fn number_text(value: f64) -> String {
    // The standard library switches forms at the same bounds and only writes the exponent in another way.
    let plain = format!("{value:?}");
    let Some((digits, exponent)) = plain.split_once('e') else {
        return plain;
    };
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    let mut text = String::with_capacity(plain.len() + 2);
    // Writing to a String cannot fail.
    let _ = write!(text, "{digits}e{sign}{exponent:0>2}");
    text
}

/// Characters whose Numeric_Type is Digit (and not Decimal): superscripts, circled digits and the like.
const DIGITS: [(u32, u32); 20] = [
    (0xB2, 0xB3),
    (0xB9, 0xB9),
    (0x1369, 0x1371),
    (0x19DA, 0x19DA),
    (0x2070, 0x2070),
    (0x2074, 0x2079),
    (0x2080, 0x2089),
    (0x2460, 0x2468),
    (0x2474, 0x247C),
    (0x2488, 0x2490),
    (0x24EA, 0x24EA),
    (0x24F5, 0x24FD),
    (0x24FF, 0x24FF),
    (0x2776, 0x277E),
    (0x2780, 0x2788),
    (0x278A, 0x2792),
    (0x10A40, 0x10A43),
    (0x10E60, 0x10E68),
    (0x11052, 0x1105A),
    (0x1F100, 0x1F10A),
];

/// Numeric_Type is Decimal or Digit: `7`, `٣` and `²`, not `½`.
pub(crate) fn is_digit(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_digit();
    }
    let code = u32::from(c);
    let place = DIGITS.partition_point(|range| range.1 < code);
    DIGITS.get(place).is_some_and(|range| range.0 <= code)
        || c.general_category() == unicode_properties::GeneralCategory::DecimalNumber
}

/// General category L* or N*.
pub(crate) fn is_alphanumeric(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric();
    }
    matches!(c.general_category_group(), GeneralCategoryGroup::Letter | GeneralCategoryGroup::Number)
}

/// The property White_Space, and the four separators U+001C to U+001F.
pub(crate) fn is_white_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1C}'..='\u{1F}').contains(&c)
}

/// The property Uppercase.
pub(crate) fn is_upper_case(c: char) -> bool {
    c.is_uppercase()
}

/// Neither alphanumeric nor white space.
pub(crate) fn is_special(c: char) -> bool {
    !is_alphanumeric(c) && !is_white_space(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_with_a_fraction_or_an_exponent() {
        for (value, text) in [
            (3.0, "3.0"),
            (0.0, "0.0"),
            (-0.25, "-0.25"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (-1.5e-7, "-1.5e-07"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e16, "1.5e+16"),
            (1e100, "1e+100"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (0.1 + 0.2, "0.30000000000000004"),
        ] {
            assert_eq!(number_text(value), text);
        }
    }

    #[test]
    fn classes_are_those_of_unicode() {
        for c in ['0', '9', '²', '₈', '①', '٣', '９', '𝟘'] {
            assert!(is_digit(c), "{c} is a digit");
            assert!(is_alphanumeric(c), "{c} is alphanumeric");
        }
        for c in ['½', 'Ⅳ', '㉈', 'x', '-', '四', '⑩'] {
            assert!(!is_digit(c), "{c} is no digit");
        }
        for c in ['½', 'Ⅳ', '四', 'ª', 'ß', 'ʰ'] {
            assert!(is_alphanumeric(c), "{c} is alphanumeric");
        }
        // A vowel sign and circled letters are no letters by category, whatever the property Alphabetic says.
        for c in ['\u{93E}', 'Ⓐ', '_', '€', '\u{301}'] {
            assert!(!is_alphanumeric(c), "{c:?} is not alphanumeric");
            assert!(is_special(c), "{c:?} is special");
        }
        for c in ['\u{1C}', '\u{1F}', '\u{85}', '\u{A0}', '\u{3000}', '\t', ' '] {
            assert!(is_white_space(c), "{c:?} is white space");
            assert!(!is_special(c), "{c:?} is not special");
        }
        assert!(!is_white_space('\u{200B}') && is_special('\u{200B}'));
        assert!(is_upper_case('Ⅳ') && is_upper_case('Ⓐ') && is_upper_case('Σ'));
        assert!(!is_upper_case('ǅ') && !is_upper_case('ß') && is_upper_case('ẞ'));
    }

    #[test]
    fn the_digit_table_is_in_order() {
        assert!(DIGITS.windows(2).all(|pair| pair[0].1 < pair[1].0));
        assert!(DIGITS.iter().all(|range| range.0 <= range.1));
        let count: u32 = DIGITS.iter().map(|range| range.1 - range.0 + 1).sum();
        assert_eq!(count, 128);
    }
}
