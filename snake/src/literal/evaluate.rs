//! Whether a literal holds for a value: the definition of every kind.

use super::{Comparison, Literal, Test, TextTest};
use crate::measure;
use crate::measure::edit::is_more_than;
use crate::value::Value;

impl Literal {
    /// Whether the literal is true for this value of its column.
    ///
    /// A missing value, an unknown kind and a value of the other sort than the kind is about (a number for a text
    /// kind, a text for a number kind) make it false, whatever `negated` says.
    #[must_use]
    pub fn holds(&self, value: Value<'_>) -> bool {
        self.test.plain(value).is_some_and(|plain| plain != self.negated)
    }
}

impl Test {
    /// Whether the plain form holds; `None` where both forms are false.
    pub(crate) fn plain(&self, value: Value<'_>) -> Option<bool> {
        match value {
            Value::Missing => None,
            Value::Number(x) => self.plain_on_number(x),
            Value::Text(text) => self.plain_on_text(text),
        }
    }

    pub(crate) fn plain_on_number(&self, x: f64) -> Option<bool> {
        if x.is_nan() {
            return None;
        }
        match self {
            Self::Threshold(kind, threshold) => measure::of_number(*kind, x).map(|m| *threshold > m),
            Self::Standardised(scale) => {
                let m = (x - scale.mean) / scale.deviation;
                // A deviation of zero can give no number; then neither form holds.
                if m.is_nan() { None } else { Some(m < scale.threshold) }
            }
            Self::Zero => Some(x == 0.0),
            Self::Range(range) => Some(!(range.low < x && x <= range.high)),
            Self::Reference(..) | Self::Frequencies(..) | Self::Text(..) | Self::Unknown(_) => None,
        }
    }

    pub(crate) fn plain_on_text(&self, text: &str) -> Option<bool> {
        match self {
            Self::Threshold(kind, threshold) => measure::of_text(*kind, text).map(|m| *threshold > m),
            Self::Reference(Comparison::Lev, reference) => {
                Some(is_more_than(text, &reference.text, reference.threshold))
            }
            Self::Reference(comparison, reference) => {
                Some(measure::compared(*comparison, text, &reference.text) < reference.threshold)
            }
            Self::Frequencies(other) => {
                Some(measure::frequency_distance(text, &other.shares) >= other.threshold)
            }
            Self::Text(test, value) => Some(match test {
                TextTest::Contains => text.contains(&**value),
                TextTest::Equals => text == &**value,
                TextTest::StartsWith => text.starts_with(&**value),
                TextTest::EndsWith => text.ends_with(&**value),
            }),
            Self::Standardised(_) | Self::Zero | Self::Range(_) | Self::Unknown(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::literal::Measure;
    use crate::literal::Unknown;

    fn both(test: Test, value: Value<'_>) -> (bool, bool) {
        let literal = |negated| Literal { column: 1, negated, test: test.clone() };
        (literal(false).holds(value), literal(true).holds(value))
    }

    #[test]
    fn nothing_holds_for_what_is_not_there() {
        let number = || Test::Threshold(Measure::N, 1.0);
        assert_eq!(both(number(), Value::Missing), (false, false));
        assert_eq!(both(number(), Value::Text("0")), (false, false));
        assert_eq!(both(number(), Value::Number(f64::NAN)), (false, false));
        assert_eq!(both(Test::Text(TextTest::Contains, "".into()), Value::Number(1.0)), (false, false));
        assert_eq!(both(Test::Text(TextTest::Contains, "".into()), Value::Missing), (false, false));
        let unknown = Test::Unknown(Box::new(Unknown { kind: "XYZ".into(), value: 1.into() }));
        assert_eq!(both(unknown.clone(), Value::Number(1.0)), (false, false));
        assert_eq!(both(unknown, Value::Text("1")), (false, false));
    }

    #[test]
    fn ends_belong_where_the_format_puts_them() {
        assert_eq!(both(Test::Threshold(Measure::N, 3.0), Value::Number(3.0)), (false, true));
        let range = || Test::range(1.0, 2.0);
        assert_eq!(both(range(), Value::Number(1.0)), (true, false));
        assert_eq!(both(range(), Value::Number(2.0)), (false, true));
        assert_eq!(both(Test::Zero, Value::Number(-0.0)), (true, false));
        let standardised = |deviation| Test::standardised(1.0, deviation, 2.0);
        assert_eq!(both(standardised(0.5), Value::Number(2.0)), (false, true));
        assert_eq!(both(standardised(0.0), Value::Number(1.0)), (false, false));
        let lev = Test::reference(Comparison::Lev, "abc", 1.0);
        assert_eq!(both(lev, Value::Text("abd")), (false, true));
        let prefix = Test::reference(Comparison::Pfx, "abc", 2.0);
        assert_eq!(both(prefix, Value::Text("abd")), (false, true));
    }
}
