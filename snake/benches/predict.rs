//! How fast a model is read, asked and written: `cargo bench -p snake --bench predict`.
//!
//! The models are made up: one of the size and shape of five layers over Adult, one whose layers were divided, one that
//! estimates numbers.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use snake::{
    Bucket, Clause, FORMAT_VERSION, Feature, FeatureKind, Head, Label, Literal, Lookalikes, Measure, Model,
    Origin, Predictor, RowBatch, RowBatchBuilder, Stream, TargetKind, Test, TextTest, UnitSeed, Value,
};

const ROWS: usize = 32_561;
const LAYERS: usize = 5;
const BUCKETS: usize = 80;
const MEMBERS: usize = 700;
const CLAUSES: usize = 150;
const NUMBERS: usize = 6;
const TEXTS: usize = 8;

fn features() -> Vec<Feature> {
    (0..NUMBERS + TEXTS)
        .map(|place| Feature {
            name: format!("feature {place}"),
            kind: if place < NUMBERS { FeatureKind::Number } else { FeatureKind::Text },
        })
        .collect()
}

#[allow(clippy::cast_precision_loss)]
fn number(random: &mut Stream) -> f64 {
    random.below(1000) as f64 / 4.0
}

fn text(random: &mut Stream, feature: usize) -> String {
    format!("value {}", random.below(5 * (feature - NUMBERS + 1)))
}

#[allow(clippy::cast_possible_truncation)]
fn index(random: &mut Stream, bound: usize) -> u32 {
    random.below(bound) as u32
}

fn population(random: &mut Stream) -> RowBatch {
    let mut rows = RowBatchBuilder::new(&features());
    for _ in 0..ROWS {
        let texts: Vec<String> = (NUMBERS..NUMBERS + TEXTS).map(|feature| text(random, feature)).collect();
        let mut row: Vec<Value<'_>> = (0..NUMBERS).map(|_| Value::Number(number(random))).collect();
        row.extend(texts.iter().map(|text| Value::Text(text)));
        assert_eq!(rows.push(&row), Ok(()));
    }
    rows.take()
}

fn literal(random: &mut Stream) -> Literal {
    let feature = random.below(NUMBERS + TEXTS);
    let test = match (feature < NUMBERS, random.below(4)) {
        (true, _) => Test::Threshold(Measure::N, number(random)),
        (false, 0) => Test::Threshold(Measure::Tn, 7.5),
        (false, 1) => Test::Text(TextTest::Contains, random.below(10).to_string().into()),
        (false, _) => Test::Text(TextTest::Equals, text(random, feature).into()),
    };
    Literal { column: 1 + u32::try_from(feature).unwrap_or(0), negated: random.below(2) == 0, test }
}

fn literals(random: &mut Stream, count: usize) -> Clause {
    (0..count).map(|_| literal(random)).collect()
}

/// A shape of model.
#[derive(Clone, Copy)]
struct Shape {
    /// Slices of a layer, a power of two: all conditions of a slice begin with the same literals.
    slices: usize,
    /// Buckets of a slice.
    buckets: usize,
    /// Members of a bucket.
    members: usize,
    /// Distinct target values; of a model that estimates numbers when there are many.
    targets: usize,
}

/// Five layers over Adult.
const ADULT: Shape = Shape { slices: 1, buckets: BUCKETS, members: MEMBERS, targets: 2 };
/// Like a layer over a million rows.
const MANY_SLICES: Shape = Shape { slices: 64, buckets: 40, members: 300, targets: 2 };
/// Every bucket has its own numbers to vote for.
const NUMBERS_TO_ESTIMATE: Shape = Shape { slices: 1, buckets: 20, members: 400, targets: 5000 };

/// As in training: a condition keeps a small part of the rows, and most clauses are true on most rows.
fn bucket(random: &mut Stream, shape: Shape, prefix: &[Literal], last: bool) -> Bucket<u32> {
    let mut condition = prefix.to_vec();
    if !last {
        condition.extend(literals(random, 4));
    }
    let mut clauses = Vec::with_capacity(CLAUSES);
    for _ in 0..CLAUSES {
        let count = 2 + random.below(5);
        clauses.push(literals(random, count));
    }
    let members: Vec<u32> = (0..shape.members).map(|_| index(random, ROWS)).collect();
    let mut lookalikes = Lookalikes::new();
    for position in (0..).take(shape.members) {
        let votes = 1 + random.below(3);
        lookalikes.begin(position);
        (0..votes).for_each(|_| lookalikes.push(&[index(random, CLAUSES)]));
    }
    Bucket {
        condition: (!condition.is_empty()).then_some(condition),
        origins: vec![Origin::Core; shape.members],
        members,
        clauses,
        lookalikes,
    }
}

/// A divide: every slice is split in two, the true side first.
fn layer(random: &mut Stream, shape: Shape) -> Vec<Bucket<u32>> {
    let mut prefixes = vec![Vec::new()];
    while prefixes.len() < shape.slices {
        let mut split = Vec::new();
        for prefix in prefixes {
            let feature = random.below(NUMBERS);
            let test = Test::Threshold(Measure::N, 125.0 + number(random) / 8.0);
            let column = 1 + u32::try_from(feature).unwrap_or(0);
            for negated in [false, true] {
                let mut longer = prefix.clone();
                longer.push(Literal { column, negated, test: test.clone() });
                split.push(longer);
            }
        }
        prefixes = split;
    }
    let mut buckets = Vec::new();
    for prefix in prefixes {
        for place in 1..=shape.buckets {
            buckets.push(bucket(random, shape, &prefix, place == shape.buckets));
        }
    }
    buckets
}

#[allow(clippy::cast_precision_loss)]
fn model(shape: Shape, layers: usize) -> Model {
    let mut random = UnitSeed { fingerprint: [1; 32], seed: 1, path: 0, layer: 0 }.node(&[]);
    let population = population(&mut random);
    let numbers = shape.targets > 2;
    let mut target = || {
        let drawn = index(&mut random, shape.targets);
        if numbers { Label::Number(f64::from(drawn) / 16.0) } else { Label::Integer(i64::from(drawn)) }
    };
    let targets = (0..ROWS).map(|_| target()).collect();
    let layers = (0..layers).map(|_| layer(&mut random, shape)).collect();
    let head = Head {
        version: FORMAT_VERSION.into(),
        stripped: false,
        target: "target".into(),
        target_kind: if numbers { TargetKind::Number } else { TargetKind::Binary },
        features: features(),
        config: serde_json::json!({}),
        log: String::new(),
        opendipaco: None,
    };
    Model { head, population, targets, layers }
}

/// Runs on a pool of its own.
fn on<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> Option<T> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().ok()?;
    Some(pool.install(work))
}

fn predict(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("predict");
    group.sample_size(10).throughput(Throughput::Elements(ROWS as u64));
    for (name, shape, layers) in
        [("votes", ADULT, LAYERS), ("many slices", MANY_SLICES, 1), ("numbers", NUMBERS_TO_ESTIMATE, LAYERS)]
    {
        let model = model(shape, layers);
        let Ok(predictor) = Predictor::new(&model) else { return println!("the made-up model is not sound") };
        for threads in [1, 2] {
            group.bench_function(format!("{name}, threads: {threads}"), |bencher| {
                bencher.iter_custom(|times| {
                    let measured = on(threads, || {
                        let start = std::time::Instant::now();
                        for _ in 0..times {
                            black_box(predictor.predict_each(&model.population, |_, row| row.total));
                        }
                        start.elapsed()
                    });
                    measured.unwrap_or_default()
                });
            });
        }
        if layers == LAYERS {
            group.bench_function(format!("{name} and lookalikes"), |bencher| {
                bencher.iter(|| predictor.predict_with_lookalikes(&model.population));
            });
        }
        group.bench_function(format!("{name}: compile the model"), |bencher| {
            bencher.iter(|| Predictor::new(&model));
        });
    }
    group.finish();
    let model = model(ADULT, LAYERS);
    let Ok(bytes) = model.write(Vec::new()) else { return println!("the made-up model is not whole") };
    let mut group = criterion.benchmark_group("model file");
    group.sample_size(10).throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("read", |bencher| bencher.iter(|| Model::read(&bytes)));
    group.bench_function("read without rows", |bencher| bencher.iter(|| Model::read_without_rows(&bytes)));
    group.bench_function("write", |bencher| bencher.iter(|| model.write(Vec::with_capacity(bytes.len()))));
    group.finish();
}

criterion_group!(benches, predict);
criterion_main!(benches);
