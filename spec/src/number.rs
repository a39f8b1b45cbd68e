//! What counts as a number in a cell.

/// The cell as a number: `[+-]digits`, with an optional fraction `.digits` and an optional exponent `e[+-]digits`, and
/// finite. Anything else (` 1`, `1_000`, `.5`, `nan`, `1e999`) is `None`. Never negative zero.
pub(crate) fn number(text: &str) -> Option<f64> {
    if !is_decimal(text.as_bytes()) {
        return None;
    }
    text.parse::<f64>().ok().filter(|value| value.is_finite()).map(|value| value + 0.0)
}

/// The cell as a whole number: `[+-]digits`, within `limit` of 0.
pub(crate) fn integer(text: &str, limit: i64) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !all_digits(digits) {
        return None;
    }
    text.parse::<i64>().ok().filter(|value| (-limit..=limit).contains(value))
}

/// Whether there is at least one character and all are digits 0 to 9.
pub(crate) fn all_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_decimal(text: &[u8]) -> bool {
    let text = unsigned(text);
    let Some(mut rest) = digits(text) else { return false };
    if let [b'.', fraction @ ..] = rest {
        match digits(fraction) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        match digits(unsigned(exponent)) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.is_empty()
}

fn unsigned(text: &[u8]) -> &[u8] {
    match text {
        [b'+' | b'-', rest @ ..] => rest,
        _ => text,
    }
}

/// What follows the digits at the start; `None` where there is none.
fn digits(text: &[u8]) -> Option<&[u8]> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 { None } else { text.get(count..) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal_and_finite() {
        for (text, value) in [
            ("0", 0.0),
            ("-0", 0.0),
            ("+17", 17.0),
            ("1.50", 1.5),
            ("-2e-3", -0.002),
            ("1E+2", 100.0),
            ("007", 7.0),
        ] {
            assert_eq!(number(text).map(f64::to_bits), Some(f64::to_bits(value)), "{text}");
        }
        for text in [
            "",
            "-",
            "+",
            ".",
            "1.",
            ".5",
            "e5",
            "1e",
            "1e+",
            "1.e5",
            "nan",
            "inf",
            "infinity",
            "1e999",
            "-1e999",
            " 1",
            "1 ",
            "1_000",
            "1,5",
            "0x10",
            "2024-01-15",
            "--1",
            "+-1",
            "1e5.0",
            "1.2.3",
            "\u{661}",
            "1\u{a0}",
        ] {
            assert_eq!(number(text), None, "{text:?}");
        }
    }

    #[test]
    fn integers_stop_where_floats_stop_being_exact() {
        let limit = 1 << 53;
        assert_eq!(integer("-12", limit), Some(-12));
        assert_eq!(integer("+12", limit), Some(12));
        assert_eq!(integer("9007199254740992", limit), Some(limit));
        assert_eq!(integer("9007199254740993", limit), None);
        assert_eq!(integer("99999999999999999999", limit), None);
        for text in ["", "-", "+-1", "1.0", "1e3", " 1"] {
            assert_eq!(integer(text, limit), None, "{text:?}");
        }
    }
}
