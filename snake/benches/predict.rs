//! How fast a model is read, asked and written: `cargo bench -p snake --bench predict`.
//!
//! The model is made up, of the size and shape of five layers over Adult.

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

/// As in training: a condition keeps a small part of the rows, and most clauses are true on most rows.
fn bucket(random: &mut Stream, last: bool) -> Bucket<u32> {
    let condition = literals(random, 4);
    let mut clauses = Vec::with_capacity(CLAUSES);
    for _ in 0..CLAUSES {
        let count = 2 + random.below(5);
        clauses.push(literals(random, count));
    }
    let members: Vec<u32> = (0..MEMBERS).map(|_| index(random, ROWS)).collect();
    let mut lookalikes = Lookalikes::new();
    for position in (0..).take(MEMBERS) {
        let votes = 1 + random.below(3);
        lookalikes.begin(position);
        (0..votes).for_each(|_| lookalikes.push(&[index(random, CLAUSES)]));
    }
    Bucket {
        condition: (!last).then_some(condition),
        origins: vec![Origin::Core; MEMBERS],
        members,
        clauses,
        lookalikes,
    }
}

fn model() -> Model {
    let mut random = UnitSeed { fingerprint: [1; 32], seed: 1, path: 0, layer: 0 }.node(&[]);
    let population = population(&mut random);
    let targets = (0..ROWS).map(|_| Label::Integer(i64::from(index(&mut random, 2)))).collect();
    let mut layers = Vec::with_capacity(LAYERS);
    for _ in 0..LAYERS {
        layers.push((0..BUCKETS).map(|place| bucket(&mut random, place + 1 == BUCKETS)).collect());
    }
    let head = Head {
        version: FORMAT_VERSION.into(),
        stripped: false,
        target: "target".into(),
        target_kind: TargetKind::Binary,
        features: features(),
        config: serde_json::json!({}),
        log: String::new(),
        opendipaco: None,
    };
    Model { head, population, targets, layers }
}

fn predict(criterion: &mut Criterion) {
    let model = model();
    let Ok(predictor) = Predictor::new(&model) else { return println!("the made-up model is not sound") };
    let Ok(bytes) = model.write(Vec::new()) else { return println!("the made-up model is not whole") };
    let mut group = criterion.benchmark_group("predict");
    group.sample_size(10).throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("votes", |bencher| bencher.iter(|| predictor.predict(&model.population)));
    group.bench_function("votes and lookalikes", |bencher| {
        bencher.iter(|| predictor.predict_with_lookalikes(&model.population));
    });
    group.bench_function("compile the model", |bencher| bencher.iter(|| Predictor::new(&model)));
    group.finish();
    let mut group = criterion.benchmark_group("model file");
    group.sample_size(10).throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("read", |bencher| bencher.iter(|| Model::read(&bytes)));
    group.bench_function("read without rows", |bencher| bencher.iter(|| Model::read_without_rows(&bytes)));
    group.bench_function("write", |bencher| bencher.iter(|| model.write(Vec::with_capacity(bytes.len()))));
    group.finish();
}

criterion_group!(benches, predict);
criterion_main!(benches);
