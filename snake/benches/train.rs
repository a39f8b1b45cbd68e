//! How long a layer takes: `cargo bench -p snake --bench train`.
//!
//! One thread. The rows are those of Adult where `../shared/data` next to the workspace holds it, else made up with
//! the same shape.

#[path = "../tests/support/csv.rs"]
#[allow(dead_code)]
mod csv_table;

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use snake::{
    Cancel, Cell, Feature, FeatureKind, Label, Prepared, Profile, Schema, Table, TableBuilder, TargetKind,
    TargetValue, Training, UnitJob, UnitSeed, train_unit,
};

const ADULT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/adult_train.csv.gz");

fn adult() -> (&'static str, Table) {
    match csv_table::read(Path::new(ADULT)) {
        Ok(data) => ("adult", data.table().0),
        Err(error) => {
            println!("{ADULT}: {error}; the rows are made up");
            ("synthetic", synthetic(32_561))
        }
    }
}

/// Six numbers and eight texts; the class leans on some of them.
fn synthetic(rows: u64) -> Table {
    let kind = |i| if i < 6 { FeatureKind::Number } else { FeatureKind::Text };
    let schema = Schema {
        target: "y".to_owned(),
        target_kind: TargetKind::Binary,
        classes: vec![Label::Integer(0), Label::Integer(1)],
        features: (0..14).map(|i| Feature { name: format!("f{i}"), kind: kind(i) }).collect(),
    };
    let words = ["private", "self employed", "local", "federal", "never worked", "unknown", "state", "other"];
    let mut builder = TableBuilder::new(Arc::new(schema));
    for row in 0..rows {
        let random = |salt: u64| {
            let mixed = (row * 31 + salt).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 33
        };
        #[allow(clippy::cast_precision_loss)]
        let cells: Vec<Cell<'_>> = (0..14)
            .map(|i| match i {
                0 => Cell::Number(row as f64),
                1..6 => Cell::Number((random(i) % (20 * i)) as f64),
                _ => Cell::Text(words[(random(i) % (i - 4).min(8)) as usize]),
            })
            .collect();
        let lean = random(3) % 60 + random(7) % 3 * 20 + random(20) % 40;
        let added = builder.push(row, &cells, TargetValue::Class(u32::from(lean > 90)));
        assert_eq!(added, Ok(()));
    }
    builder.finish()
}

fn layers(criterion: &mut Criterion) {
    let (name, table) = adult();
    let table = Arc::new(table);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let Ok(pool) = pool else { return println!("no threads to train on") };
    let training = Training::new(Profile::Balanced, 1);
    let mut group = criterion.benchmark_group(name);
    group.sample_size(10).measurement_time(Duration::from_secs(4));
    group.bench_function("prepare", |bencher| {
        bencher.iter(|| pool.install(|| Prepared::new(Arc::clone(black_box(&table)), training.profile)));
    });
    let prepared = Prepared::new(table, training.profile);
    let cancel = Cancel::new();
    group.bench_function("one layer", |bencher| {
        let mut layer = 0;
        bencher.iter(|| {
            layer += 1;
            let seed = UnitSeed { fingerprint: [0; 32], seed: 1, path: 0, layer: layer % 5 };
            let job =
                UnitJob { prepared: &prepared, training: &training, seed, prefix: &[], cancel: &cancel };
            pool.install(|| train_unit(black_box(&job)))
        });
    });
    group.finish();
}

criterion_group!(benches, layers);
criterion_main!(benches);
