//! A value of a row, as literals see it.

use crate::schema::FeatureKind;
use crate::text::number_text;

/// What a row has in a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Nothing: every literal over it is false, whatever its negation says.
    Missing,
    /// A finite number.
    Number(f64),
    /// A text.
    Text(&'a str),
}

impl<'a> Value<'a> {
    /// A number; missing if it is not finite. Negative zero becomes zero.
    #[must_use]
    pub fn number(value: f64) -> Self {
        if value.is_finite() { Self::Number(value + 0.0) } else { Self::Missing }
    }

    /// A cell of a text file in a column of this kind: a number that does not parse or is not finite is missing.
    #[must_use]
    pub fn parse(kind: FeatureKind, cell: &'a str) -> Self {
        match kind {
            FeatureKind::Text => Self::Text(cell),
            FeatureKind::Number => cell.trim().parse().map_or(Self::Missing, Self::number),
        }
    }
}

/// A JSON value as a value of a column of this kind: null, and what is no number in a number column, is missing; a
/// number in a text column is its text. `scratch` holds the text where one has to be made.
pub(crate) fn from_json<'a>(
    kind: FeatureKind,
    value: &'a serde_json::Value,
    scratch: &'a mut String,
) -> Value<'a> {
    use serde_json::Value as Json;
    match (kind, value) {
        (FeatureKind::Number, Json::Number(number)) => number.as_f64().map_or(Value::Missing, Value::number),
        (FeatureKind::Number, Json::Bool(flag)) => Value::Number(f64::from(u8::from(*flag))),
        (_, Json::String(text)) => Value::parse(kind, text),
        (FeatureKind::Text, Json::Number(number)) => {
            *scratch = match number.as_f64() {
                Some(float) if number.is_f64() => number_text(float),
                _ => number.to_string(),
            };
            Value::Text(scratch)
        }
        (FeatureKind::Text, Json::Bool(flag)) => Value::Text(if *flag { "True" } else { "False" }),
        _ => Value::Missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_none_are_missing() {
        for cell in ["", "x", "nan", "inf", "1e999", "1,5"] {
            assert_eq!(Value::parse(FeatureKind::Number, cell), Value::Missing);
        }
        assert_eq!(Value::parse(FeatureKind::Number, " 3 "), Value::Number(3.0));
        assert_eq!(Value::parse(FeatureKind::Text, " 3 "), Value::Text(" 3 "));
        let Value::Number(zero) = Value::number(-0.0) else { panic!("zero is a number") };
        assert!(zero.is_sign_positive());
    }

    #[test]
    fn json_values_become_what_the_column_holds() {
        let mut scratch = String::new();
        let value = serde_json::json!([null, 3, "4.5", true, 1e16]);
        assert_eq!(from_json(FeatureKind::Number, &value[0], &mut scratch), Value::Missing);
        assert_eq!(from_json(FeatureKind::Number, &value[1], &mut scratch), Value::Number(3.0));
        assert_eq!(from_json(FeatureKind::Number, &value[2], &mut scratch), Value::Number(4.5));
        assert_eq!(from_json(FeatureKind::Text, &value[1], &mut scratch), Value::Text("3"));
        assert_eq!(from_json(FeatureKind::Text, &value[3], &mut scratch), Value::Text("True"));
        assert_eq!(from_json(FeatureKind::Text, &value[4], &mut scratch), Value::Text("1e+16"));
        assert_eq!(from_json(FeatureKind::Text, &value[0], &mut scratch), Value::Missing);
    }
}
