//! How long five layers over small tables take, with the settings that speed figures are for: lookahead 5 and noise 0.25.
//! `cargo bench -p snake --bench figures`. One thread; what is counted once per table is in the time.
//!
//! The tables have the shapes of the published validation: Gaussian numbers, numbers and texts, and a number to estimate.
//! `bench/compare.py` measures the same as whole processes.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use snake::{
    Cancel, Cell, Feature, FeatureKind, Label, Prepared, Profile, Schema, Table, TableBuilder, TargetKind,
    TargetValue, Training, UnitJob, UnitSeed, train_unit,
};

const LAYERS: u32 = 5;

/// A sequence of numbers that look random (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 up to but not including `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// From 0 up to but not including 1.
    #[allow(clippy::cast_precision_loss)]
    fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Mean 0, deviation 1, near enough: twelve uniform numbers added up.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// Four digits after the point, as the tables have them.
fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

fn builder(target_kind: TargetKind, classes: u32, kinds: &[FeatureKind]) -> TableBuilder {
    let classes = (0..classes).map(|class| Label::Integer(class.into())).collect();
    let features =
        kinds.iter().enumerate().map(|(i, kind)| Feature { name: format!("f{i}"), kind: *kind }).collect();
    TableBuilder::new(Arc::new(Schema { target: "y".to_owned(), target_kind, classes, features }))
}

fn push(builder: &mut TableBuilder, row: u64, cells: &[Cell<'_>], target: TargetValue) {
    let added = builder.push(row, cells, target);
    assert_eq!(added, Ok(()));
}

/// Two classes whose centres are six deviations apart on each of eight features.
fn gaussian(rows: u64) -> Table {
    let mut random = Numbers(1);
    let mut builder = builder(TargetKind::Binary, 2, &[FeatureKind::Number; 8]);
    for row in 0..rows {
        let class = random.below(2) as u32;
        let centre = if class == 1 { 3.0 } else { -3.0 };
        let cells: Vec<Cell<'_>> = [1.0, -1.0, 1.0, 1.0, -1.0, 1.0, -1.0, -1.0]
            .map(|sign| Cell::Number(rounded(random.normal() + centre * sign)))
            .to_vec();
        push(&mut builder, row, &cells, TargetValue::Class(class));
    }
    builder.finish()
}

/// Three classes, four numbers of which two tell them apart, and two short texts that mostly do.
fn numbers_and_texts(rows: u64) -> Table {
    const WORDS: [[&str; 4]; 3] = [
        ["oak", "birch", "maple", "willow"],
        ["trout", "salmon", "perch", "carp"],
        ["robin", "finch", "crow", "wren"],
    ];
    const PREFIXES: [&str; 3] = ["QB", "LM", "VX"];
    let mut random = Numbers(2);
    let (number, text) = (FeatureKind::Number, FeatureKind::Text);
    let mut builder = builder(TargetKind::Integer, 3, &[number, number, number, number, text, text]);
    for row in 0..rows {
        let class = random.below(3);
        let mut mostly =
            |share: f64| if random.uniform() < share { class as usize } else { random.below(3) as usize };
        let (word_class, mark_class) = (mostly(0.9), mostly(0.85));
        let word = WORDS[word_class][random.below(4) as usize];
        let mark = format!("{}-{}", PREFIXES[mark_class], 100 + random.below(900));
        let centre = 3.0 * f64::from(class as u32);
        let numbers = [
            centre + random.normal(),
            6.0 - centre + random.normal(),
            random.normal(),
            10.0 * random.uniform(),
        ];
        let [a, b, c, d] = numbers.map(|value| Cell::Number(rounded(value)));
        let cells = [a, b, c, d, Cell::Text(word), Cell::Text(&mark)];
        push(&mut builder, row, &cells, TargetValue::Class(class as u32));
    }
    builder.finish()
}

/// A number that follows two features, and two features of noise.
fn regression(rows: u64) -> Table {
    let mut random = Numbers(3);
    let mut builder = builder(TargetKind::Number, 0, &[FeatureKind::Number; 4]);
    for row in 0..rows {
        let (a, b) = (10.0 * random.uniform() - 5.0, 10.0 * random.uniform() - 5.0);
        let target = 2.5 * a + b * b + 0.5 * random.normal();
        let cells =
            [a, b, random.normal(), 2.0 * random.uniform() - 1.0].map(|value| Cell::Number(rounded(value)));
        push(&mut builder, row, &cells, TargetValue::Number(rounded(target)));
    }
    builder.finish()
}

fn five_layers(criterion: &mut Criterion) {
    let Ok(pool) = rayon::ThreadPoolBuilder::new().num_threads(1).build() else {
        return println!("no threads to train on");
    };
    let cancel = Cancel::new();
    let mut group = criterion.benchmark_group("figures");
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    for (name, profile, table) in [
        ("gaussian 5000", Profile::Scientific, gaussian(5_000)),
        ("numbers and texts 5000", Profile::Balanced, numbers_and_texts(5_000)),
        ("regression 4000", Profile::Scientific, regression(4_000)),
    ] {
        let table = Arc::new(table);
        let training = Training { noise: 0.25, lookahead: 5, layers: LAYERS, ..Training::new(profile, 0) };
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                pool.install(|| {
                    let prepared = Prepared::new(Arc::clone(black_box(&table)), profile);
                    for layer in 0..LAYERS {
                        let seed = UnitSeed { fingerprint: [0; 32], seed: 0, path: 0, layer };
                        let job = UnitJob {
                            prepared: &prepared,
                            training: &training,
                            seed,
                            prefix: &[],
                            cancel: &cancel,
                        };
                        assert!(black_box(train_unit(&job)).is_ok());
                    }
                });
            });
        });
    }
    group.finish();
}

criterion_group!(benches, five_layers);
criterion_main!(benches);
