//! How long five layers take: `cargo bench -p snake --bench train`.
//!
//! One thread, lookahead 5, noise 0.25. The tables are made by formula; Adult itself is among them where `../shared/data`
//! next to the workspace holds it.

#[path = "../tests/support/csv.rs"]
#[allow(dead_code)]
mod csv_table;
#[path = "support/made.rs"]
mod made;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use snake::{
    Cancel, FeatureKind, Prepared, Profile, Table, Training, UnitBuckets, UnitJob, UnitSeed, train_unit,
};

const ADULT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/adult_train.csv.gz");
const LAYERS: u32 = 5;

fn training(table: &Table) -> Training {
    let texts = table.schema().features.iter().any(|feature| feature.kind == FeatureKind::Text);
    let profile = if texts { Profile::Balanced } else { Profile::Scientific };
    Training { lookahead: 5, noise: 0.25, ..Training::new(profile, 1) }
}

fn layers(prepared: &Prepared, training: &Training) -> Vec<UnitBuckets> {
    let cancel = Cancel::new();
    (0..LAYERS)
        .filter_map(|layer| {
            let seed = UnitSeed { fingerprint: [0; 32], seed: 1, path: 0, layer };
            train_unit(&UnitJob { prepared, training, seed, prefix: &[], cancel: &cancel }).ok()
        })
        .collect()
}

fn tables(criterion: &mut Criterion) {
    let Ok(pool) = rayon::ThreadPoolBuilder::new().num_threads(1).build() else {
        return println!("no thread to train on");
    };
    let mut group = criterion.benchmark_group("five layers");
    group.sample_size(10).measurement_time(Duration::from_secs(4));
    let mut all = vec![
        ("5000 Gaussian", made::gaussian(5000)),
        ("5000 numbers and text", made::numbers_and_text(5000)),
        ("4000 regression", made::regression(4000)),
        ("32561 mixed", made::mixed(32_561)),
    ];
    match csv_table::read(Path::new(ADULT)) {
        Ok(data) => all.push(("Adult", data.table().0)),
        Err(error) => println!("{ADULT}: {error}; left out"),
    }
    for (name, table) in all {
        let training = training(&table);
        let prepared = Prepared::new(Arc::new(table), training.profile);
        group.bench_function(name, |bencher| {
            bencher.iter(|| pool.install(|| layers(black_box(&prepared), &training)));
        });
    }
    group.finish();
}

/// Rows per second should hardly depend on the rows.
fn scaling(criterion: &mut Criterion) {
    let Ok(pool) = rayon::ThreadPoolBuilder::new().num_threads(1).build() else {
        return println!("no thread to train on");
    };
    let mut group = criterion.benchmark_group("scaling");
    group.sample_size(10).measurement_time(Duration::from_secs(4));
    for rows in [10_000, 100_000] {
        let table = Arc::new(made::mixed(rows));
        let training = training(&table);
        group.throughput(Throughput::Elements(rows as u64 * u64::from(LAYERS)));
        group.bench_function(BenchmarkId::new("prepare", rows), |bencher| {
            bencher.iter(|| pool.install(|| Prepared::new(Arc::clone(black_box(&table)), training.profile)));
        });
        let prepared = Prepared::new(table, training.profile);
        group.bench_function(BenchmarkId::new("five layers", rows), |bencher| {
            bencher.iter(|| pool.install(|| layers(black_box(&prepared), &training)));
        });
    }
    group.finish();
}

criterion_group!(benches, tables, scaling);
criterion_main!(benches);
