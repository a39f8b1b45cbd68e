//! Profiles: which families of literals are tried, and how often.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

use crate::schema::{FeatureKind, Schema};

/// A mix of literal families.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Profile {
    Balanced,
    Scientific,
    Industrial,
    Categorical,
    Cryptographic,
    Linguistic,
    Hef,
}

/// No profile has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no profile {0:?}: choose balanced, scientific, industrial, categorical, cryptographic, linguistic or hef"
)]
pub struct UnknownProfile(String);

impl Profile {
    /// All profiles.
    pub const ALL: [Self; 7] = [
        Self::Balanced,
        Self::Scientific,
        Self::Industrial,
        Self::Categorical,
        Self::Cryptographic,
        Self::Linguistic,
        Self::Hef,
    ];

    /// The name that run files and models use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Balanced => "balanced",
            Self::Scientific => "scientific",
            Self::Industrial => "industrial",
            Self::Categorical => "categorical",
            Self::Cryptographic => "cryptographic",
            Self::Linguistic => "linguistic",
            Self::Hef => "hef",
        }
    }

    /// What `auto` stands for: decided from the columns' kinds and, where all are texts, from what the texts look
    /// like. `statistics` are those of the text columns, in any order, over any sample of the rows.
    #[must_use]
    pub fn choose(schema: &Schema, statistics: &[TextStatistics]) -> Self {
        let texts = schema.features.iter().filter(|feature| feature.kind == FeatureKind::Text).count();
        if texts == 0 {
            return Self::Scientific;
        }
        if texts < schema.features.len() {
            return Self::Balanced;
        }
        let mut all = TextStatistics::default();
        for one in statistics {
            all.merge(one);
        }
        all.profile()
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        Self::ALL
            .into_iter()
            .find(|profile| profile.name() == name)
            .ok_or_else(|| UnknownProfile(name.chars().take(40).collect()))
    }
}

/// What the texts of a column look like: whole-number sums, so that the order of rows and the way they are split over
/// several of these do not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextStatistics {
    texts: u64,
    characters: u64,
    squared_lengths: u128,
    digits: u64,
    upper: u64,
    special: u64,
    separators: u64,
}

impl TextStatistics {
    /// Nothing seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts a value.
    pub fn push(&mut self, text: &str) {
        let mut length = 0_u64;
        for character in text.chars() {
            length += 1;
            self.separators += u64::from(matches!(character, ' ' | ',' | '.'));
            if character.is_ascii() {
                // The same as below, without looking it up.
                self.digits += u64::from(character.is_ascii_digit());
                self.upper += u64::from(character.is_ascii_uppercase());
                self.special += u64::from(!character.is_ascii_alphanumeric() && !character.is_whitespace());
                continue;
            }
            let category = character.general_category();
            let group = character.general_category_group();
            self.digits += u64::from(category == GeneralCategory::DecimalNumber);
            self.upper += u64::from(character.is_uppercase());
            self.special += u64::from(
                !matches!(group, GeneralCategoryGroup::Letter | GeneralCategoryGroup::Number)
                    && !character.is_whitespace(),
            );
        }
        self.texts += 1;
        self.characters += length;
        self.squared_lengths += u128::from(length) * u128::from(length);
    }

    /// Adds what another one counted.
    pub fn merge(&mut self, other: &Self) {
        self.texts += other.texts;
        self.characters += other.characters;
        self.squared_lengths += other.squared_lengths;
        self.digits += other.digits;
        self.upper += other.upper;
        self.special += other.special;
        self.separators += other.separators;
    }

    /// The profile for such texts; all comparisons are exact.
    fn profile(&self) -> Profile {
        let [texts, characters] = [self.texts, self.characters].map(u128::from);
        let percent = |part: u64, limit: u128| u128::from(part) * 100 > limit * characters;
        let spread = (texts * self.squared_lengths).saturating_sub(characters * characters);
        if characters > 30 * texts && spread > 100 * texts * texts {
            Profile::Linguistic
        } else if characters < 15 * texts && percent(self.digits, 30) {
            Profile::Industrial
        } else if percent(self.special, 20) || percent(self.upper, 60) {
            Profile::Cryptographic
        } else if u128::from(self.separators) > 2 * texts {
            Profile::Categorical
        } else {
            Profile::Balanced
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Feature, TargetKind};

    fn schema(kinds: &[FeatureKind]) -> Schema {
        let features =
            kinds.iter().enumerate().map(|(i, &kind)| Feature { name: i.to_string(), kind }).collect();
        Schema { target: "y".into(), target_kind: TargetKind::Binary, classes: vec![], features }
    }

    fn of(texts: &[&str]) -> TextStatistics {
        let mut statistics = TextStatistics::new();
        texts.iter().for_each(|text| statistics.push(text));
        statistics
    }

    #[test]
    fn names_go_both_ways() {
        for profile in Profile::ALL {
            assert_eq!(profile.name().parse(), Ok(profile));
        }
        assert!("Auto".parse::<Profile>().unwrap_err().to_string().contains("\"Auto\""));
    }

    #[test]
    fn kinds_of_columns_come_first() {
        use FeatureKind::{Number, Text};
        assert_eq!(Profile::choose(&schema(&[Number, Number]), &[]), Profile::Scientific);
        assert_eq!(Profile::choose(&schema(&[Number, Text]), &[of(&["A1", "B2"])]), Profile::Balanced);
        assert_eq!(Profile::choose(&schema(&[Text]), &[]), Profile::Balanced);
        assert_eq!(Profile::choose(&schema(&[Text]), &[of(&["A1", "B2"])]), Profile::Industrial);
    }

    #[test]
    fn texts_choose_by_their_looks() {
        let long = "the quick brown fox jumps over the lazy dog and on ".repeat(2);
        assert_eq!(of(&[&long, "short one"]).profile(), Profile::Linguistic);
        assert_eq!(of(&["AX-12345", "BY-9"]).profile(), Profile::Industrial);
        assert_eq!(of(&["#$%&/()=", "?!*+~-_:"]).profile(), Profile::Cryptographic);
        assert_eq!(of(&["QWERTYUIOP", "ASDFGHJKL"]).profile(), Profile::Cryptographic);
        assert_eq!(of(&["red green, blue", "a b c d"]).profile(), Profile::Categorical);
        assert_eq!(of(&["red", "green"]).profile(), Profile::Balanced);
    }

    #[test]
    fn parts_add_up() {
        let mut merged = of(&["one", "Two 2"]);
        merged.merge(&of(&["drei, 3!"]));
        assert_eq!(merged, of(&["drei, 3!", "Two 2", "one"]));
    }
}
