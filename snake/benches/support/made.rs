//! Tables made by formula, of the shapes that training is measured on.

use std::sync::Arc;

use snake::{Cell, Feature, FeatureKind, Label, Schema, Table, TableBuilder, TargetKind, TargetValue};

/// Random numbers of its own, so that the tables stay the same.
struct Random(u64);

impl Random {
    /// In [0, 1).
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.unit() * bound as f64) as usize
    }

    /// About normal, to four decimals.
    fn normal(&mut self, mean: f64, deviation: f64) -> f64 {
        let sum: f64 = (0..12).map(|_| self.unit()).sum();
        round(mean + deviation * (sum - 6.0))
    }
}

fn round(x: f64) -> f64 {
    (x * 1e4).round() / 1e4
}

enum Made {
    Number(f64),
    Text(String),
}

fn table(
    rows: usize,
    kinds: &[FeatureKind],
    classes: u32,
    mut row: impl FnMut(&mut Random) -> (Vec<Made>, TargetValue),
) -> Table {
    let schema = Schema {
        target: "y".to_owned(),
        target_kind: if classes == 0 { TargetKind::Number } else { TargetKind::Integer },
        classes: (0..i64::from(classes)).map(Label::Integer).collect(),
        features: (0..).zip(kinds).map(|(i, &kind)| Feature { name: format!("f{i}"), kind }).collect(),
    };
    let mut builder = TableBuilder::new(Arc::new(schema));
    let mut random = Random(2026);
    for ordinal in 0..rows as u64 {
        let (made, target) = row(&mut random);
        let cells: Vec<Cell<'_>> = made
            .iter()
            .map(|made| match made {
                Made::Number(number) => Cell::Number(*number),
                Made::Text(text) => Cell::Text(text),
            })
            .collect();
        assert_eq!(builder.push(ordinal, &cells, target), Ok(()));
    }
    builder.finish()
}

/// Two normal classes in eight numbers.
pub(crate) fn gaussian(rows: usize) -> Table {
    table(rows, &[FeatureKind::Number; 8], 2, |random| {
        let class = random.below(2);
        let centre =
            |feature: usize| if (class == 1) == [0, 2, 3, 5].contains(&feature) { 3.0 } else { -3.0 };
        let numbers = (0..8).map(|feature| Made::Number(random.normal(centre(feature), 1.0))).collect();
        (numbers, TargetValue::Class(class as u32))
    })
}

/// Three classes in four numbers and two texts.
pub(crate) fn numbers_and_text(rows: usize) -> Table {
    const WORDS: [[&str; 4]; 3] = [
        ["red", "rose", "ruby", "rust"],
        ["green", "grass", "lime", "olive"],
        ["blue", "navy", "azure", "sky"],
    ];
    let mut kinds = [FeatureKind::Number; 6];
    kinds[4..].fill(FeatureKind::Text);
    table(rows, &kinds, 3, |random| {
        let class = random.below(3);
        let mut lean = |share: f64| if random.unit() < share { class } else { random.below(3) };
        let (word, reference) = (lean(0.9), lean(0.85));
        let centre = 3.0 * class as f64;
        let made = vec![
            Made::Number(random.normal(centre, 1.0)),
            Made::Number(random.normal(6.0 - centre, 1.0)),
            Made::Number(random.normal(0.0, 1.0)),
            Made::Number(round(random.unit() * 10.0)),
            Made::Text(WORDS[word][random.below(4)].to_owned()),
            Made::Text(format!("{}-{}", ["AX", "KT", "ZP"][reference], 100 + random.below(900))),
        ];
        (made, TargetValue::Class(class as u32))
    })
}

/// A number of two numbers, and two that say nothing.
pub(crate) fn regression(rows: usize) -> Table {
    table(rows, &[FeatureKind::Number; 4], 0, |random| {
        let mut uniform = |reach: f64| round((2.0 * random.unit() - 1.0) * reach);
        let (a, b, noise) = (uniform(5.0), uniform(5.0), uniform(1.0));
        let y = round(2.5 * a + b * b + random.normal(0.0, 0.5));
        let made = vec![
            Made::Number(a),
            Made::Number(b),
            Made::Number(random.normal(0.0, 1.0)),
            Made::Number(noise),
        ];
        (made, TargetValue::Number(y))
    })
}

/// Two classes that lean on six numbers and four texts, with much chance in them.
pub(crate) fn mixed(rows: usize) -> Table {
    const MARITAL: [&str; 5] = ["Married", "Never-married", "Divorced", "Widowed", "Separated"];
    const WORK: [&str; 6] = ["Private", "Self-emp", "Local-gov", "State-gov", "Federal-gov", "Unknown"];
    let mut kinds = [FeatureKind::Number; 10];
    kinds[6..].fill(FeatureKind::Text);
    let mut place = 0.0;
    table(rows, &kinds, 2, |random| {
        place += 1.0;
        let age = random.normal(38.0, 13.0).clamp(17.0, 90.0).round();
        let education = random.normal(10.0, 2.5).clamp(1.0, 16.0).round();
        let hours = random.normal(40.0, 11.0).clamp(1.0, 99.0).round();
        let gain = if random.unit() < 0.08 { (random.unit() * 2e4).round() } else { 0.0 };
        let loss = if random.unit() < 0.05 { random.normal(1870.0, 300.0).round() } else { 0.0 };
        let (marital, occupation) = (random.below(5), random.below(10));
        let logit = -2.75
            + 0.045 * (age - 38.0)
            + 0.35 * (education - 10.0)
            + 0.03 * (hours - 40.0)
            + if marital == 0 { 2.4 } else { -0.3 }
            + 0.3 * (occupation as f64 - 4.5) / 3.0
            + if gain > 4000.0 { 2.5 } else { 0.0 };
        let made = vec![
            Made::Number(age),
            // Tells any two rows apart.
            Made::Number((random.unit() * 1e6).round() + place * 1e-3),
            Made::Number(education),
            Made::Number(gain),
            Made::Number(loss),
            Made::Number(hours),
            Made::Text(WORK[random.below(6)].to_owned()),
            Made::Text(MARITAL[marital].to_owned()),
            Made::Text(format!("occupation {occupation}")),
            Made::Text(["Male", "Female"][random.below(2)].to_owned()),
        ];
        let share = 1.0 / (1.0 + libm::exp(-1.4 * logit));
        (made, TargetValue::Class(u32::from(random.unit() < share)))
    })
}
