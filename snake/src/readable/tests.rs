//! Formulas are read back by a reader of their own, and have to say what the literals say.

use proptest::prelude::*;

use super::*;
use crate::measure;
use crate::schema::{Feature, TargetKind};

fn head(features: &[(&str, FeatureKind)]) -> Head {
    Head {
        version: String::new(),
        stripped: true,
        target: "y".into(),
        target_kind: TargetKind::Text,
        features: features.iter().map(|(name, kind)| Feature { name: (*name).into(), kind: *kind }).collect(),
        config: serde_json::Value::Null,
        log: String::new(),
        opendipaco: None,
    }
}

fn size_and_name() -> Head {
    head(&[("size", FeatureKind::Number), ("name", FeatureKind::Text)])
}

fn literal(json: &str) -> Literal {
    serde_json::from_str(json).unwrap()
}

/// Whether a formula over `size` or `name` holds for its value: reads the text, knows nothing of literals.
fn reads(formula: &str, value: Value<'_>) -> bool {
    if let Some(inner) = formula.strip_prefix("not (").and_then(|rest| rest.strip_suffix(')')) {
        return !reads(inner, value);
    }
    let number_of = |text: &str| text.parse::<f64>().unwrap();
    let unquoted = |text: &str| serde_json::from_str::<String>(text).unwrap();
    if let Value::Text(text) = value {
        let rest = formula.strip_prefix("name ").map(str::to_owned);
        if let Some((verb, quoted)) = rest.as_deref().and_then(|rest| rest.split_once(" \"")) {
            let other = unquoted(&format!("\"{quoted}"));
            return match verb {
                "contains" => text.contains(&other),
                "does not contain" => !text.contains(&other),
                "=" => text == other,
                "!=" => text != other,
                "starts with" => text.starts_with(&other),
                "does not start with" => !text.starts_with(&other),
                "ends with" => text.ends_with(&other),
                "does not end with" => !text.ends_with(&other),
                verb => panic!("{verb}"),
            };
        }
    }
    let words: Vec<&str> = formula.rsplitn(3, ' ').collect();
    let [to, sign, term] = words[..] else { panic!("{formula}") };
    // A range: low, sign, term.
    let (low, term) = match term.split_once(" < ").or_else(|| term.split_once(" <= ")) {
        Some((low, rest)) => (Some((number_of(low), term.contains(" <= "))), rest),
        None => (None, term),
    };
    let measured = taken(term, value);
    let to = number_of(to);
    let above = low.is_none_or(|(low, inclusive)| low < measured || inclusive && low == measured);
    above
        && match sign {
            "<" => measured < to,
            "<=" => measured <= to,
            ">=" => measured >= to,
            ">" => measured > to,
            "=" => measured == to,
            "!=" => measured != to,
            sign => panic!("{sign}"),
        }
}

/// What a term such as `length(name)` is for a value.
fn taken(term: &str, value: Value<'_>) -> f64 {
    let Some((function, rest)) = term.split_once('(') else {
        let (Value::Number(x), "size") = (value, term) else { panic!("{term}") };
        return x;
    };
    if function.is_empty() {
        let Value::Number(x) = value else { panic!("{term}") };
        let (inner, deviation) = rest.split_once(") / ").unwrap();
        let [sign, mean] = inner.strip_prefix("size ").unwrap().split(' ').collect::<Vec<_>>()[..] else {
            panic!("{term}")
        };
        let mean: f64 = mean.parse().unwrap();
        return (x - if sign == "-" { mean } else { -mean }) / deviation.parse::<f64>().unwrap();
    }
    let inner = rest.strip_suffix(')').unwrap();
    match value {
        Value::Number(x) => {
            assert_eq!(inner, "size");
            let measure = match function {
                "digits" => Measure::Nd,
                "signed_log" => Measure::Nl,
                "magnitude" => Measure::Nmg,
                function => panic!("{function}"),
            };
            measure::of_number(measure, x).unwrap()
        }
        Value::Text(text) => match inner.split_once(", ") {
            None => {
                assert_eq!(inner, "name");
                let measure = match function {
                    "length" => Measure::Tn,
                    "distinct" => Measure::Tln,
                    "words" => Measure::Tws,
                    "comma_parts" => Measure::Tps,
                    "stop_parts" => Measure::Tss,
                    "capitals" => Measure::Tuc,
                    "digits" => Measure::Tdc,
                    "specials" => Measure::Tsc,
                    "entropy" => Measure::Ent,
                    "hex_share" => Measure::Hex,
                    "repetition" => Measure::Rep,
                    "vowel_share" => Measure::Tvr,
                    function => panic!("{function}"),
                };
                measure::of_text(measure, text).unwrap()
            }
            Some((_, shares)) if function == "frequency_distance" => {
                let shares: std::collections::BTreeMap<char, f64> = serde_json::from_str(shares).unwrap();
                measure::frequency_distance(text, &shares.into_iter().collect::<Vec<_>>())
            }
            Some((_, reference)) => {
                let comparison = match function {
                    "distance" => Comparison::Lev,
                    "similarity" => Comparison::Jac,
                    "matched" => Comparison::Sim,
                    "common_start" => Comparison::Pfx,
                    "common_end" => Comparison::Sfx,
                    function => panic!("{function}"),
                };
                measure::compared(comparison, text, &serde_json::from_str::<String>(reference).unwrap())
            }
        },
        Value::Missing => panic!("{term}"),
    }
}

const NUMBERS: [f64; 12] = [0.0, 1.0, -1.0, 2.5, 1e-5, 1e16, -999.0, 0.5, 3.0, 12.25, 1000.0, -0.693];
const TEXTS: [&str; 12] = [
    "",
    "a",
    "Lisboa",
    "14 bis",
    "deadBEEF",
    "xyxyxyxyx",
    "straße",
    "½ pint",
    "a,b.c d",
    "the quick",
    "ÉCOLE",
    "rose",
];

/// Every kind of the format, with a value of its own.
fn every_kind() -> Vec<Literal> {
    let mut all: Vec<Literal> = include_str!("../../testdata/literals.jsonl")
        .lines()
        .map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            serde_json::from_value(line["literal"].clone()).unwrap()
        })
        .collect();
    all.extend([
        literal(r#"[2, [{"a": 0.5, "b": 0.25}, 0.75], false, "CFC"]"#),
        literal(r#"[1, [-2.5, 0.5, 3], false, "NZ"]"#),
        literal(r#"[2, ["rose", 2], false, "LEV"]"#),
    ]);
    all
}

#[test]
fn every_formula_says_what_its_literal_says_and_its_opposite_the_opposite() {
    let head = size_and_name();
    let mut kinds = std::collections::BTreeSet::new();
    for literal in every_kind() {
        let Some(kind) = literal.test.about() else { continue };
        let literal = Literal { column: if kind == FeatureKind::Number { 1 } else { 2 }, ..literal };
        let opposite = literal.opposite();
        assert_eq!(opposite.opposite(), literal);
        kinds.insert((literal.test.kind().to_owned(), literal.negated));
        kinds.insert((opposite.test.kind().to_owned(), opposite.negated));
        let (one, other) = (literal.formula(&head), opposite.formula(&head));
        assert_ne!(one, other);
        let values: Vec<Value<'_>> = match kind {
            FeatureKind::Number => NUMBERS.iter().map(|x| Value::Number(*x)).collect(),
            FeatureKind::Text => TEXTS.iter().map(|text| Value::Text(text)).collect(),
        };
        for value in values {
            assert_eq!(reads(&one, value), literal.holds(value), "{one} on {value:?}");
            assert_eq!(reads(&other, value), opposite.holds(value), "{other} on {value:?}");
            assert_ne!(reads(&one, value), reads(&other, value), "{one} and {other} on {value:?}");
        }
    }
    assert_eq!(kinds.len(), 2 * 29, "every known kind both ways: {kinds:?}");
}

#[test]
fn formulas_as_they_are_shown() {
    let head = head(&[
        ("age", FeatureKind::Number),
        ("education-num", FeatureKind::Number),
        ("work class", FeatureKind::Text),
        ("word", FeatureKind::Text),
    ]);
    for (json, formula) in [
        (r#"[1, 44.5, false, "N"]"#, "age < 44.5"),
        (r#"[1, 44.5, true, "N"]"#, "age >= 44.5"),
        (r#"[2, 13.0, true, "N"]"#, "education-num >= 13"),
        (r#"[1, 1e-5, false, "N"]"#, "age < 1e-05"),
        (r#"[1, [38.5, 13.25, 0.5], true, "NZ"]"#, "(age - 38.5) / 13.25 >= 0.5"),
        (r#"[1, 0, true, "NZR"]"#, "age != 0"),
        (r#"[1, [1, 2.5], true, "NRG"]"#, "1 < age <= 2.5"),
        (r#"[1, [1, 2.5], false, "NRG"]"#, "not (1 < age <= 2.5)"),
        (r#"[3, "gov", false, "T"]"#, "`work class` contains \"gov\""),
        (r#"[3, "gov", true, "T"]"#, "`work class` does not contain \"gov\""),
        (r#"[4, "Masters", true, "TEQ"]"#, "word != \"Masters\""),
        (r#"[4, "a\"\n\u001b\u202e", false, "TSW"]"#, r#"word starts with "a\"\n\u001b\u202e""#),
        (r#"[4, 7.5, true, "TN"]"#, "length(word) >= 7.5"),
        (r#"[4, ["rose", 2], true, "LEV"]"#, "distance(word, \"rose\") <= 2"),
        (r#"[4, ["rose", 2.5], false, "LEV"]"#, "distance(word, \"rose\") > 2.5"),
        (r#"[4, [{"a": 0.5}, 1], true, "CFC"]"#, "frequency_distance(word, {\"a\": 0.5}) < 1"),
        (r#"[1, 2, false, "TN"]"#, "never(length(age) < 2)"),
        (r#"[0, 2, false, "N"]"#, "never(y < 2)"),
        (r#"[9, 2, false, "N"]"#, "never(column 9 < 2)"),
        (r#"[4, 2, true, "XYZ"]"#, "never(not \"XYZ\" of word)"),
    ] {
        assert_eq!(literal(json).formula(&head), formula);
    }
}

#[test]
fn an_and_is_as_short_as_it_can_be() {
    let head = size_and_name();
    let text = |json: &[&str]| {
        let literals: Vec<Literal> = json.iter().map(|json| literal(json)).collect();
        and_formula(&literals, &head)
    };
    let low = r#"[1, 30.5, true, "N"]"#;
    assert_eq!(text(&[]), "true");
    assert_eq!(text(&[r#"[1, 44.5, false, "N"]"#, low, r#"[1, 3, true, "N"]"#]), "30.5 <= size < 44.5");
    assert_eq!(
        text(&[low, r#"[2, "a", true, "T"]"#, low, r#"[1, 50, false, "N"]"#, r#"[2, 3, false, "TN"]"#]),
        "30.5 <= size < 50 and name does not contain \"a\" and length(name) < 3"
    );
    assert_eq!(
        text(&[r#"[2, ["rose", 2], false, "LEV"]"#, r#"[2, ["rose", 4], true, "LEV"]"#]),
        "2 < distance(name, \"rose\") <= 4"
    );
    assert_eq!(
        text(&[r#"[2, "b", true, "TEQ"]"#, r#"[2, "rose", false, "TEQ"]"#, r#"[2, 9, false, "TN"]"#]),
        "name = \"rose\""
    );
    // What contradicts stays.
    assert_eq!(
        text(&[r#"[2, "rose", false, "TEQ"]"#, r#"[2, 3, false, "TN"]"#]),
        "name = \"rose\" and length(name) < 3"
    );
    assert_eq!(text(&[r#"[1, 0, false, "NZR"]"#, low]), "size = 0 and size >= 30.5");
    let literals = [literal(r#"[1, 3, false, "N"]"#), literal(r#"[2, "a", false, "T"]"#)];
    assert_eq!(or_formula(&literals, &head), "size < 3 or name contains \"a\"");
    assert_eq!(or_formula(&[], &head), "false");
}

proptest! {
    /// What is left out of an AND follows from what is kept, and a range reads as its two bounds.
    #[test]
    fn a_short_and_holds_where_the_long_one_does(
        picks in prop::collection::vec((any::<prop::sample::Index>(), any::<bool>(), -2..4_i32), 1..8),
    ) {
        let head = size_and_name();
        let known: Vec<Literal> =
            every_kind().into_iter().filter(|literal| literal.test.about().is_some()).collect();
        let literals: Vec<Literal> = picks
            .iter()
            .map(|(pick, negated, threshold)| {
                let literal = pick.get(&known);
                // Many thresholds on few measures, so that bounds meet.
                let test = match &literal.test {
                    Test::Threshold(measure, _) => Test::Threshold(*measure, f64::from(*threshold)),
                    Test::Reference(comparison, ..) => {
                        Test::Reference(*comparison, "rose".into(), f64::from(*threshold))
                    }
                    other => other.clone(),
                };
                let column = if test.about() == Some(FeatureKind::Number) { 1 } else { 2 };
                Literal { column, negated: *negated, test }
            })
            .collect();
        let kept: Vec<Literal> = needed(&literals, &head).into_iter().map(|(literal, _)| literal.clone()).collect();
        let text = and_formula(&literals, &head);
        for number in NUMBERS {
            for name in TEXTS {
                let value = |literal: &Literal| {
                    if literal.column == 1 { Value::Number(number) } else { Value::Text(name) }
                };
                let whole = literals.iter().all(|literal| literal.holds(value(literal)));
                prop_assert_eq!(kept.iter().all(|literal| literal.holds(value(literal))), whole);
                let read = text.split(" and ").all(|part| {
                    reads(part, if part.contains("size") { Value::Number(number) } else { Value::Text(name) })
                });
                prop_assert_eq!(read, whole, "{} on {} and {:?}", &text, number, name);
            }
        }
    }
}
