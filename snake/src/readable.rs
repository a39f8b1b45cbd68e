//! Literals as formulas that people read: `age >= 44.5`, `workclass contains "gov"`, `distance(word, "rose") <= 2`.
//!
//! A negated literal is written as the comparison it is, so no formula of a known kind has a "not" in front, but for the
//! outside of a range. The names of measures, with the kinds of the model format:
//!
//! | on numbers | | on texts | |
//! |---|---|---|---|
//! | N | `x` | TN, TLN | `length(x)`, `distinct(x)` |
//! | ND | `digits(x)` | TWS, TPS, TSS | `words(x)`, `comma_parts(x)`, `stop_parts(x)` |
//! | NL | `signed_log(x)` | TUC, TDC, TSC | `capitals(x)`, `digits(x)`, `specials(x)` |
//! | NMG | `magnitude(x)` | ENT, HEX, REP, TVR | `entropy(x)`, `hex_share(x)`, `repetition(x)`, `vowel_share(x)` |
//! | NZ | `(x - mean) / deviation` | LEV, JAC, SIM | `distance(x, ".")`, `similarity(x, ".")`, `matched(x, ".")` |
//! | | | PFX, SFX, CFC | `common_start(x, ".")`, `common_end(x, ".")`, `frequency_distance(x, {..})` |
//!
//! A literal that can hold on no row of the model (an unknown kind, a test of texts over a number) is `never(..)`.

use std::fmt::Write as _;

use crate::literal::{Comparison, Literal, Measure, Test, TextTest};
use crate::model::Head;
use crate::schema::FeatureKind;
use crate::text::number_text;
use crate::value::Value;

impl Literal {
    /// The opposite literal. Of a value that is there and can be tested, exactly one of the two holds.
    #[must_use]
    pub fn opposite(&self) -> Self {
        Self { negated: !self.negated, ..self.clone() }
    }

    /// The literal as a formula over the columns of a model.
    #[must_use]
    pub fn formula(&self, head: &Head) -> String {
        Formula::of(self, head).text()
    }
}

/// An AND of literals as one formula, for people: equal literals once, several bounds on one measure as a range
/// (`30.5 <= age < 44.5`), and nothing beside `x = "a"` that follows from it. True on the same rows as the literals
/// are; of none it is `true`.
#[must_use]
pub fn and_formula(literals: &[Literal], head: &Head) -> String {
    let parts = and_parts(literals, head);
    if parts.is_empty() { "true".into() } else { parts.join(" and ") }
}

/// The parts of [`and_formula`], in the order of the literals.
#[must_use]
pub fn and_parts(literals: &[Literal], head: &Head) -> Vec<String> {
    let kept = needed(literals, head);
    let mut parts: Vec<String> = Vec::new();
    let mut done: Vec<&str> = Vec::new();
    for (_, formula) in &kept {
        let Formula::Bound { term, .. } = formula else {
            parts.push(formula.text());
            continue;
        };
        if done.contains(&term.as_str()) {
            continue;
        }
        done.push(term);
        let of_term = |lower: bool| {
            kept.iter().find_map(|(_, other)| match other {
                Formula::Bound { term: same, bound, value } if same == term && bound.is_lower() == lower => {
                    Some((*bound, *value))
                }
                _ => None,
            })
        };
        parts.push(match (of_term(true), of_term(false)) {
            (Some((low, from)), Some((high, to))) => {
                let sign = if low == Bound::AtLeast { "<=" } else { "<" };
                format!("{} {sign} {term} {} {}", short_number(from), high.sign(), short_number(to))
            }
            _ => formula.text(),
        });
    }
    parts
}

/// An OR of literals as one formula; of none it is `false`.
#[must_use]
pub fn or_formula(literals: &[Literal], head: &Head) -> String {
    let parts: Vec<String> = literals.iter().map(|literal| literal.formula(head)).collect();
    if parts.is_empty() { "false".into() } else { parts.join(" or ") }
}

/// A text in quotes as formulas show it: nothing in it moves a terminal's cursor or turns the direction of writing.
#[must_use]
pub fn quoted(text: &str) -> String {
    escaped(text, '"')
}

/// A column's name as formulas show it: between backquotes where it is not a plain word.
#[must_use]
pub fn column_text(name: &str) -> String {
    let mut characters = name.chars();
    let plain = characters.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && characters.all(|c| c.is_alphanumeric() || "_-.".contains(c));
    if plain { name.to_owned() } else { escaped(name, '`') }
}

/// What a literal says: a bound on something, or anything else.
#[derive(Debug, Clone, PartialEq)]
enum Formula {
    Bound { term: String, bound: Bound, value: f64 },
    Other(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Below,
    AtMost,
    AtLeast,
    Above,
}

impl Bound {
    fn sign(self) -> &'static str {
        match self {
            Self::Below => "<",
            Self::AtMost => "<=",
            Self::AtLeast => ">=",
            Self::Above => ">",
        }
    }

    fn is_lower(self) -> bool {
        matches!(self, Self::AtLeast | Self::Above)
    }
}

impl Formula {
    fn of(literal: &Literal, head: &Head) -> Self {
        let feature = (literal.column as usize).checked_sub(1).and_then(|place| head.features.get(place));
        let name = match feature {
            Some(feature) => column_text(&feature.name),
            // The target, which rows to predict don't have.
            None if literal.column == 0 => column_text(&head.target),
            None => format!("column {}", literal.column),
        };
        let formula = of_test(&literal.test, literal.negated, &name);
        match (feature, literal.test.about()) {
            (Some(feature), Some(kind)) if feature.kind == kind => formula,
            _ => Self::Other(format!("never({})", formula.text())),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Bound { term, bound, value } => format!("{term} {} {}", bound.sign(), short_number(*value)),
            Self::Other(text) => text.clone(),
        }
    }
}

impl Test {
    /// The kind of the columns on which the test says something; `None` for a test that is not known.
    pub(crate) fn about(&self) -> Option<FeatureKind> {
        match self {
            Self::Threshold(measure, _) if measure.of_numbers() => Some(FeatureKind::Number),
            Self::Standardised { .. } | Self::Zero | Self::Range { .. } => Some(FeatureKind::Number),
            Self::Threshold(..) | Self::Reference(..) | Self::Frequencies(..) | Self::Text(..) => {
                Some(FeatureKind::Text)
            }
            Self::Unknown { .. } => None,
        }
    }
}

fn of_test(test: &Test, negated: bool, name: &str) -> Formula {
    let less = if negated { Bound::AtLeast } else { Bound::Below };
    match test {
        Test::Threshold(measure, value) => {
            let term = match measure_name(*measure) {
                Some(measure) => format!("{measure}({name})"),
                None => name.to_owned(),
            };
            Formula::Bound { term, bound: less, value: *value }
        }
        Test::Reference(comparison, reference) => {
            let (measure, bound) = match comparison {
                Comparison::Lev if negated => ("distance", Bound::AtMost),
                Comparison::Lev => ("distance", Bound::Above),
                Comparison::Jac => ("similarity", less),
                Comparison::Sim => ("matched", less),
                Comparison::Pfx => ("common_start", less),
                Comparison::Sfx => ("common_end", less),
            };
            let term = format!("{measure}({name}, {})", quoted(&reference.text));
            Formula::Bound { term, bound, value: reference.threshold }
        }
        Test::Frequencies(other) => {
            let shares: Vec<String> = other
                .shares
                .iter()
                .map(|(c, share)| format!("{}: {}", quoted(&c.to_string()), short_number(*share)))
                .collect();
            let term = format!("frequency_distance({name}, {{{}}})", shares.join(", "));
            let bound = if negated { Bound::Below } else { Bound::AtLeast };
            Formula::Bound { term, bound, value: other.threshold }
        }
        Test::Standardised(scale) => {
            let sign = if scale.mean < 0.0 { '+' } else { '-' };
            let term = format!(
                "({name} {sign} {}) / {}",
                short_number(scale.mean.abs()),
                short_number(scale.deviation)
            );
            Formula::Bound { term, bound: less, value: scale.threshold }
        }
        Test::Text(test, value) => {
            let verb = match (test, negated) {
                (TextTest::Contains, false) => "contains",
                (TextTest::Contains, true) => "does not contain",
                (TextTest::Equals, false) => "=",
                (TextTest::Equals, true) => "!=",
                (TextTest::StartsWith, false) => "starts with",
                (TextTest::StartsWith, true) => "does not start with",
                (TextTest::EndsWith, false) => "ends with",
                (TextTest::EndsWith, true) => "does not end with",
            };
            Formula::Other(format!("{name} {verb} {}", quoted(value)))
        }
        Test::Zero => Formula::Other(format!("{name} {} 0", if negated { "!=" } else { "=" })),
        Test::Range(range) => {
            let range = format!("{} < {name} <= {}", short_number(range.low), short_number(range.high));
            Formula::Other(if negated { range } else { format!("not ({range})") })
        }
        Test::Unknown(unknown) => Formula::Other(format!(
            "{}{} of {name}",
            if negated { "not " } else { "" },
            quoted(&unknown.kind)
        )),
    }
}

fn measure_name(measure: Measure) -> Option<&'static str> {
    Some(match measure {
        Measure::N => return None,
        Measure::Nd | Measure::Tdc => "digits",
        Measure::Nl => "signed_log",
        Measure::Nmg => "magnitude",
        Measure::Tn => "length",
        Measure::Tln => "distinct",
        Measure::Tws => "words",
        Measure::Tps => "comma_parts",
        Measure::Tss => "stop_parts",
        Measure::Tuc => "capitals",
        Measure::Tsc => "specials",
        Measure::Ent => "entropy",
        Measure::Hex => "hex_share",
        Measure::Rep => "repetition",
        Measure::Tvr => "vowel_share",
    })
}

/// The literals of an AND from which the others follow, in their order: those left out change nothing on any row.
fn needed<'l>(literals: &'l [Literal], head: &Head) -> Vec<(&'l Literal, Formula)> {
    let mut kept: Vec<(&Literal, Formula)> = Vec::new();
    for literal in literals {
        let formula = Formula::of(literal, head);
        if follows(literal, literals, head) || kept.iter().any(|(_, known)| *known == formula) {
            continue;
        }
        let rival = kept.iter_mut().find(|(_, known)| match (known, &formula) {
            (Formula::Bound { term, bound, .. }, Formula::Bound { term: same, bound: other, .. }) => {
                term == same && bound.is_lower() == other.is_lower()
            }
            _ => false,
        });
        match rival {
            Some(rival) if tighter(&formula, &rival.1) => *rival = (literal, formula),
            Some(_) => {}
            None => kept.push((literal, formula)),
        }
    }
    kept
}

/// Whether an AND that fixes the column's value makes this literal superfluous.
fn follows(literal: &Literal, all: &[Literal], head: &Head) -> bool {
    all.iter().any(|other| {
        if other.negated || other.column != literal.column || other == literal {
            return false;
        }
        let kind = (other.column as usize).checked_sub(1).and_then(|place| head.features.get(place));
        match (&other.test, kind.map(|feature| feature.kind)) {
            (Test::Text(TextTest::Equals, text), Some(FeatureKind::Text)) => literal.holds(Value::Text(text)),
            (Test::Zero, Some(FeatureKind::Number)) => literal.holds(Value::Number(0.0)),
            _ => false,
        }
    })
}

/// Whether one bound says more than another on the same side of the same term.
fn tighter(one: &Formula, other: &Formula) -> bool {
    let (Formula::Bound { bound, value, .. }, Formula::Bound { bound: other, value: than, .. }) =
        (one, other)
    else {
        return false;
    };
    let strict = |bound: Bound| matches!(bound, Bound::Below | Bound::Above);
    let further = if bound.is_lower() { value > than } else { value < than };
    #[allow(clippy::float_cmp, reason = "equal bounds differ in whether the end belongs to them")]
    let same = value == than;
    further || same && strict(*bound) && !strict(*other)
}

/// A number as short as it can be written exactly: `3` for 3.0.
#[must_use]
pub fn short_number(value: f64) -> String {
    let mut text = number_text(value + 0.0);
    if text.ends_with(".0") {
        text.truncate(text.len() - 2);
    }
    text
}

/// Control characters, and those that turn the direction of writing or can't be seen: what a stranger's text must not put
/// on a terminal.
#[must_use]
pub fn disturbs(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

fn escaped(text: &str, quote: char) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c == quote || c == '\\' => out.extend(['\\', c]),
            c if disturbs(c) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests;
