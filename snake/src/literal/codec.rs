//! The literal's form in files and reports: the array `[column, value, negated, kind]`.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeMap, SerializeTuple, Serializer};
use serde_json::Value as Json;

use super::{Comparison, Literal, Measure, Test, TextTest, Unknown};

impl Measure {
    const ALL: [Self; 16] = [
        Self::N,
        Self::Nd,
        Self::Nl,
        Self::Nmg,
        Self::Tn,
        Self::Tln,
        Self::Tws,
        Self::Tps,
        Self::Tss,
        Self::Tuc,
        Self::Tdc,
        Self::Tsc,
        Self::Ent,
        Self::Hex,
        Self::Rep,
        Self::Tvr,
    ];

    /// The kind's name in the file.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::N => "N",
            Self::Nd => "ND",
            Self::Nl => "NL",
            Self::Nmg => "NMG",
            Self::Tn => "TN",
            Self::Tln => "TLN",
            Self::Tws => "TWS",
            Self::Tps => "TPS",
            Self::Tss => "TSS",
            Self::Tuc => "TUC",
            Self::Tdc => "TDC",
            Self::Tsc => "TSC",
            Self::Ent => "ENT",
            Self::Hex => "HEX",
            Self::Rep => "REP",
            Self::Tvr => "TVR",
        }
    }
}

impl Comparison {
    const ALL: [Self; 5] = [Self::Lev, Self::Jac, Self::Sim, Self::Pfx, Self::Sfx];

    /// The kind's name in the file.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Lev => "LEV",
            Self::Jac => "JAC",
            Self::Sim => "SIM",
            Self::Pfx => "PFX",
            Self::Sfx => "SFX",
        }
    }
}

impl TextTest {
    const ALL: [Self; 4] = [Self::Contains, Self::Equals, Self::StartsWith, Self::EndsWith];

    /// The kind's name in the file.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Contains => "T",
            Self::Equals => "TEQ",
            Self::StartsWith => "TSW",
            Self::EndsWith => "TEW",
        }
    }
}

impl Test {
    /// The kind's name in the file.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Threshold(measure, _) => measure.kind(),
            Self::Reference(comparison, ..) => comparison.kind(),
            Self::Frequencies(..) => "CFC",
            Self::Standardised(_) => "NZ",
            Self::Text(test, _) => test.kind(),
            Self::Zero => "NZR",
            Self::Range(_) => "NRG",
            Self::Unknown(unknown) => &unknown.kind,
        }
    }

    /// The test of this kind with this value, or what the value should have been.
    fn read(kind: &str, value: Json) -> Result<Self, &'static str> {
        const NUMBER: &str = "a number";
        const TEXT: &str = "a text";
        const REFERENCE: &str = "[text, number]";
        if let Some(measure) = Measure::ALL.into_iter().find(|m| m.kind() == kind) {
            return Ok(Self::Threshold(measure, number(&value).ok_or(NUMBER)?));
        }
        if let Some(test) = TextTest::ALL.into_iter().find(|t| t.kind() == kind) {
            return match value {
                Json::String(text) => Ok(Self::Text(test, text.into())),
                _ => Err(TEXT),
            };
        }
        if let Some(comparison) = Comparison::ALL.into_iter().find(|c| c.kind() == kind) {
            return match value.as_array().map(Vec::as_slice) {
                Some([Json::String(text), threshold]) => {
                    Ok(Self::reference(comparison, text.as_str(), number(threshold).ok_or(REFERENCE)?))
                }
                _ => Err(REFERENCE),
            };
        }
        match kind {
            "CFC" => frequencies(&value).ok_or("[{character: share}, number]"),
            "NZ" => match numbers(&value).as_deref() {
                Some(&[mean, deviation, threshold]) => Ok(Self::standardised(mean, deviation, threshold)),
                _ => Err("[mean, deviation, threshold]"),
            },
            "NZR" => match number(&value) {
                Some(0.0) => Ok(Self::Zero),
                _ => Err("0"),
            },
            "NRG" => match numbers(&value).as_deref() {
                Some(&[low, high]) => Ok(Self::range(low, high)),
                _ => Err("[low, high]"),
            },
            _ => Ok(Self::Unknown(Box::new(Unknown { kind: kind.into(), value }))),
        }
    }

    /// Whether all of its numbers are: only then it can be written.
    pub(crate) fn finite(&self) -> bool {
        match self {
            Self::Threshold(_, threshold) => threshold.is_finite(),
            Self::Reference(_, reference) => reference.threshold.is_finite(),
            Self::Frequencies(other) => {
                other.threshold.is_finite() && other.shares.iter().all(|(_, share)| share.is_finite())
            }
            Self::Standardised(scale) => {
                scale.mean.is_finite() && scale.deviation.is_finite() && scale.threshold.is_finite()
            }
            Self::Range(range) => range.low.is_finite() && range.high.is_finite(),
            Self::Text(..) | Self::Zero | Self::Unknown(_) => true,
        }
    }
}

fn number(value: &Json) -> Option<f64> {
    value.as_f64().filter(|number| number.is_finite())
}

fn numbers(value: &Json) -> Option<Vec<f64>> {
    value.as_array()?.iter().map(number).collect()
}

fn frequencies(value: &Json) -> Option<Test> {
    let [Json::Object(map), threshold] = value.as_array()?.as_slice() else {
        return None;
    };
    let mut shares = Vec::with_capacity(map.len());
    for (key, share) in map {
        let mut characters = key.chars();
        match (characters.next(), characters.next()) {
            (Some(c), None) => shares.push((c, number(share)?)),
            _ => return None,
        }
    }
    shares.sort_unstable_by_key(|entry| entry.0);
    Some(Test::frequencies(shares, number(threshold)?))
}

impl Serialize for Literal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !self.test.finite() {
            return Err(S::Error::custom(format_args!(
                "a literal of kind {} holds a number that is not finite",
                self.test.kind()
            )));
        }
        let mut tuple = serializer.serialize_tuple(4)?;
        tuple.serialize_element(&self.column)?;
        match &self.test {
            Test::Threshold(_, threshold) => tuple.serialize_element(threshold)?,
            Test::Reference(_, reference) => {
                tuple.serialize_element(&(&reference.text, reference.threshold))?;
            }
            Test::Frequencies(other) => {
                tuple.serialize_element(&(Shares(&other.shares), other.threshold))?;
            }
            Test::Standardised(scale) => {
                tuple.serialize_element(&(scale.mean, scale.deviation, scale.threshold))?;
            }
            Test::Text(_, text) => tuple.serialize_element(text)?,
            Test::Zero => tuple.serialize_element(&0_u8)?,
            Test::Range(range) => tuple.serialize_element(&(range.low, range.high))?,
            Test::Unknown(unknown) => tuple.serialize_element(&unknown.value)?,
        }
        tuple.serialize_element(&self.negated)?;
        tuple.serialize_element(self.test.kind())?;
        tuple.end()
    }
}

/// Character shares as a map with sorted keys.
struct Shares<'a>(&'a [(char, f64)]);

impl Serialize for Shares<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sorted: Vec<&(char, f64)> = self.0.iter().collect();
        sorted.sort_by_key(|entry| entry.0);
        let mut map = serializer.serialize_map(Some(sorted.len()))?;
        let mut buffer = [0; 4];
        for (c, share) in sorted {
            map.serialize_entry(&*c.encode_utf8(&mut buffer), share)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Literal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(LiteralVisitor)
    }
}

/// A kind's name, not copied where it need not be: a large model has a million of them.
#[derive(serde::Deserialize)]
struct Kind<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);

struct LiteralVisitor;

impl<'de> Visitor<'de> for LiteralVisitor {
    type Value = Literal;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a literal: [column, value, negated, kind]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Literal, A::Error> {
        let short = |found| de::Error::invalid_length(found, &"a literal: [column, value, negated, kind]");
        let column = seq.next_element()?.ok_or_else(|| short(0))?;
        let value: Json = seq.next_element()?.ok_or_else(|| short(1))?;
        let negated = seq.next_element()?.ok_or_else(|| short(2))?;
        let Kind(kind) = seq.next_element()?.ok_or_else(|| short(3))?;
        if seq.next_element::<de::IgnoredAny>()?.is_some() {
            return Err(short(5));
        }
        let test = Test::read(&kind, value).map_err(|expected| {
            de::Error::custom(format_args!("the value of a literal of kind {kind} must be {expected}"))
        })?;
        Ok(Literal { column, negated, test })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Literal, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn every_kind_is_written_as_it_is_read() {
        for json in [
            r#"[1,3.0,false,"N"]"#,
            r#"[2,-0.5,true,"NL"]"#,
            r#"[1,["a\"b",2.0],false,"LEV"]"#,
            r#"[1,[{" ":0.5,"é":0.25},1.0],true,"CFC"]"#,
            r#"[1,[0.0,1.0,2.5],false,"NZ"]"#,
            r#"[1,"x",false,"TEQ"]"#,
            r#"[1,0,true,"NZR"]"#,
            r#"[1,[1.0,2.0],true,"NRG"]"#,
            r#"[1,{"b":[1,null],"a":2},false,"FUTURE"]"#,
        ] {
            let literal = read(json).unwrap();
            assert_eq!(serde_json::to_string(&literal).unwrap(), json);
        }
    }

    #[test]
    fn whole_numbers_count_as_floats() {
        assert_eq!(read(r#"[1,3,false,"N"]"#).unwrap(), read(r#"[1,3.0,false,"N"]"#).unwrap());
        assert_eq!(read(r#"[1,0.0,false,"NZR"]"#).unwrap(), read(r#"[1,0,false,"NZR"]"#).unwrap());
        let sorted = read(r#"[1,[{"b":1,"a":0},3],false,"CFC"]"#).unwrap();
        assert_eq!(serde_json::to_string(&sorted).unwrap(), r#"[1,[{"a":0.0,"b":1.0},3.0],false,"CFC"]"#);
    }

    #[test]
    fn wrong_values_name_the_kind() {
        for (json, part) in [
            (r#"[1,"3",false,"N"]"#, "kind N must be a number"),
            (r#"[1,null,false,"TN"]"#, "kind TN must be a number"),
            (r#"[1,3.0,false,"T"]"#, "kind T must be a text"),
            (r#"[1,["a"],false,"LEV"]"#, "kind LEV must be [text, number]"),
            (r#"[1,[1.0,"a"],false,"JAC"]"#, "kind JAC must be [text, number]"),
            (r#"[1,[{"ab":1.0},1.0],false,"CFC"]"#, "kind CFC must be"),
            (r#"[1,[{"a":null},1.0],false,"CFC"]"#, "kind CFC must be"),
            (r#"[1,[1.0,2.0],false,"NZ"]"#, "kind NZ must be"),
            (r#"[1,1,false,"NZR"]"#, "kind NZR must be 0"),
            (r#"[1,[1.0,null],false,"NRG"]"#, "kind NRG must be [low, high]"),
            (r#"[1,1.0,false]"#, "invalid length 3"),
            (r#"[1,1.0,false,"N",1]"#, "invalid length 5"),
            (r#"[-1,1.0,false,"N"]"#, "invalid value"),
            (r#"[1,1.0,1,"N"]"#, "expected a boolean"),
            (r#"{"column":1}"#, "a literal"),
            (r#"[1,1e999,false,"N"]"#, "out of range"),
        ] {
            let error = read(json).unwrap_err();
            assert!(error.contains(part), "{json}: {error}");
        }
    }

    #[test]
    fn numbers_that_are_not_finite_are_not_written() {
        let literal = Literal { column: 1, negated: false, test: Test::Threshold(Measure::N, f64::NAN) };
        let error = serde_json::to_string(&literal).unwrap_err().to_string();
        assert!(error.contains("kind N holds a number that is not finite"), "{error}");
    }
}
