//! Made-up tables: `synthetic://KIND?rows=N&seed=S`, the same rows on every machine.
//!
//! * `classes`: `features` Gaussian numbers (x0, x1, ..) about one centre per class; the target `y` is the class, a whole number.
//! * `mixed`: two Gaussian numbers (`size`, `weight`), a word (`colour`), a short text (`note`); the target `y` is `yes` or `no`.
//! * `regression`: numbers `a` and `b`, target `y` = 2.5 a + b² + noise.
//!
//! Numbers come from ChaCha8 under a key of kind and seed, Gaussian ones by Box and Muller's method with the logarithm and
//! cosine of one fixed library, never the platform's.

use super::part::{Next, PartError, PartReader};
use crate::random::Random;
use crate::record::Record;
use crate::source::At;

const PURPOSE: &str = "opendipaco 2026 spec synthetic";
const MAX_ROWS: u64 = 1 << 40;
const MAX_FEATURES: u64 = 4_096;
const MAX_CLASSES: u64 = 1_000;

/// What is to be made up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Synthetic {
    kind: Kind,
    rows: u64,
    seed: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Classes { features: u64, classes: u64 },
    Mixed,
    Regression,
}

impl Synthetic {
    /// Reads what stands behind `synthetic://`.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence that begins with the location.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (name, settings) = text.split_once('?').unwrap_or((text, ""));
        let (mut rows, mut seed, mut features, mut classes) = (1_000, 0, 4, 2);
        for setting in settings.split('&').filter(|setting| !setting.is_empty()) {
            let (key, value) = setting.split_once('=').unwrap_or((setting, ""));
            let (place, least, most) = match (key, name) {
                ("rows", _) => (&mut rows, 1, MAX_ROWS),
                ("seed", _) => (&mut seed, 0, u64::MAX),
                ("features", "classes") => (&mut features, 1, MAX_FEATURES),
                ("classes", "classes") => (&mut classes, 2, MAX_CLASSES),
                _ => {
                    return Err(format!(
                        "has an unknown setting {key:?}: there are rows, seed and, for classes, features and classes"
                    ));
                }
            };
            *place = match value.parse() {
                Ok(value) if (least..=most).contains(&value) => value,
                _ => {
                    return Err(format!(
                        "has {key} = {value:?}, it must be a whole number from {least} to {most}"
                    ));
                }
            };
        }
        let kind = match name.trim_end_matches('/') {
            "classes" => Kind::Classes { features, classes },
            "mixed" => Kind::Mixed,
            "regression" => Kind::Regression,
            other => {
                return Err(format!(
                    "has the unknown kind {other:?}: there are classes, mixed and regression"
                ));
            }
        };
        Ok(Self { kind, rows, seed })
    }

    fn header(&self) -> Vec<String> {
        let names: Vec<String> = match &self.kind {
            Kind::Classes { features, .. } => (0..*features).map(|column| format!("x{column}")).collect(),
            Kind::Mixed => ["size", "weight", "colour", "note"].map(String::from).to_vec(),
            Kind::Regression => ["a", "b"].map(String::from).to_vec(),
        };
        names.into_iter().chain(["y".to_owned()]).collect()
    }
}

/// A made-up part that is being read.
pub(super) struct SyntheticPart {
    settings: Synthetic,
    header: Vec<String>,
    random: Random,
    /// Per class, where its rows lie.
    centres: Vec<Vec<f64>>,
    spare: Option<f64>,
    row: u64,
}

impl SyntheticPart {
    pub(super) fn open(settings: &Synthetic) -> Self {
        let kind = match settings.kind {
            Kind::Classes { .. } => "classes",
            Kind::Mixed => "mixed",
            Kind::Regression => "regression",
        };
        let mut random = Random::new(&format!("{PURPOSE} {kind}"), settings.seed);
        let centres = match settings.kind {
            Kind::Classes { features, classes } => {
                (0..classes).map(|_| (0..features).map(|_| random.unit() * 8.0 - 4.0).collect()).collect()
            }
            Kind::Mixed | Kind::Regression => Vec::new(),
        };
        let header = settings.header();
        Self { settings: settings.clone(), header, random, centres, spare: None, row: 0 }
    }

    /// A number of the standard normal distribution.
    fn gaussian(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        // Above 0, so that the logarithm is finite.
        let radius = (-2.0 * libm::log(1.0 - self.random.unit())).sqrt();
        let angle = std::f64::consts::TAU * self.random.unit();
        self.spare = Some(radius * libm::sin(angle));
        radius * libm::cos(angle)
    }

    fn mixed(&mut self, record: &mut Record) {
        const COLOURS: [&str; 4] = ["red", "green", "blue", "grey"];
        const WORDS: [&str; 8] = ["old", "new", "bright", "worn", "heavy", "light", "round", "flat"];
        let yes = self.random.below(2) == 1;
        let shift = if yes { 1.5 } else { -1.5 };
        let (size, weight) = (self.gaussian() + shift, self.gaussian() * 2.0 + 10.0);
        record.set_number(0, size);
        record.set_number(1, weight);
        // Three of four of a class share two colours.
        let half = if (self.random.below(4) < 3) == yes { 0 } else { 2 };
        let colour = half + self.random.below(2);
        record.set_text(2, COLOURS.get(colour as usize).copied().unwrap_or_default());
        let mut note = String::new();
        for _ in 0..1 + self.random.below(3) {
            if !note.is_empty() {
                note.push(' ');
            }
            note.push_str(WORDS.get(self.random.below(8) as usize).copied().unwrap_or_default());
        }
        record.set_text(3, &note);
        record.set_text(4, if yes { "yes" } else { "no" });
    }
}

impl PartReader for SyntheticPart {
    fn header(&self) -> &[String] {
        &self.header
    }

    fn next(&mut self, record: &mut Record) -> Result<Next, PartError> {
        if self.row >= self.settings.rows {
            return Ok(Next::End);
        }
        self.row += 1;
        record.reset(self.header.len());
        match self.settings.kind {
            Kind::Classes { features, classes } => {
                let class = self.random.below(classes);
                for column in 0..features as usize {
                    let centre = self.centres.get(class as usize).and_then(|centre| centre.get(column));
                    let centre = centre.copied().unwrap_or_default();
                    let value = centre + self.gaussian();
                    record.set_number(column, value);
                }
                record.set_integer(features as usize, class);
            }
            Kind::Mixed => self.mixed(record),
            Kind::Regression => {
                let (a, b) = (self.gaussian(), self.gaussian());
                let noise = self.gaussian() * 0.1;
                record.set_number(0, a);
                record.set_number(1, b);
                record.set_number(2, 2.5 * a + b * b + noise);
            }
        }
        Ok(Next::Record(At::Row(self.row)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<Vec<String>> {
        let mut part = SyntheticPart::open(&Synthetic::parse(text).unwrap());
        let (mut rows, mut record) = (Vec::new(), Record::default());
        while let Next::Record(at) = part.next(&mut record).unwrap() {
            assert_eq!(at, At::Row(rows.len() as u64 + 1));
            assert_eq!(record.len(), part.header().len());
            rows.push(record.cells().map(|cell| cell.text().into_owned()).collect());
        }
        rows
    }

    #[test]
    fn made_up_rows_are_pinned() {
        let hash =
            |text: &str| blake3::hash(format!("{:?}", rows(text)).as_bytes()).to_hex()[..16].to_owned();
        assert_eq!(hash("classes?rows=500&features=3&classes=4&seed=7"), "ea548b023973e891");
        assert_eq!(hash("mixed?rows=500"), "a96a497179604397");
        assert_eq!(hash("regression?rows=500&seed=1"), "05b1b0cf7d6538f5");
        assert_ne!(rows("mixed?rows=5&seed=1"), rows("mixed?rows=5&seed=2"));
        assert_eq!(rows("mixed?rows=5")[..], rows("mixed?rows=9")[..5]);
    }

    #[test]
    fn gaussian_numbers_are_gaussian() {
        let values: Vec<f64> =
            rows("regression?rows=20000").iter().map(|row| row[0].parse().unwrap()).collect();
        let mean = values.iter().sum::<f64>() / 20_000.0;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.04, "{mean} {variance}");
    }

    #[test]
    fn settings_are_checked() {
        for (text, expected) in [
            ("circles", "unknown kind \"circles\""),
            ("mixed?rows=0", "from 1 to"),
            ("mixed?rows=ten", "\"ten\""),
            ("mixed?classes=3", "unknown setting \"classes\""),
            ("classes?classes=1", "from 2 to"),
            ("classes?colour", "unknown setting"),
        ] {
            let error = Synthetic::parse(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
