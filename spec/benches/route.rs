//! Rows per second from records to shards: `cargo bench -p spec --bench route`.
//!
//! One thread. The records are made up, with the shape of Adult: six numbers, eight texts of few values, two classes.

use std::hint::black_box;
use std::ops::Range;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use snake::{Cancel, Cell, FeatureKind};
use spec::{
    Format, KMeansSettings, OnError, PublicSource, Router, RoutingSettings, RunSettings, Sampling,
    TrainingSettings, VecSource, materialise, publish, verify_routing,
};

const ROWS: usize = 32_561;
const PATHS: u32 = 4;
const NUMBERS: Range<usize> = 0..6;
const TEXTS: Range<usize> = 6..14;

fn records() -> VecSource {
    let mut state = 7u64;
    let mut next = move |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let header = (0..15).map(|column| format!("column{column}")).collect();
    let rows = (0..ROWS)
        .map(|_| {
            let mut row: Vec<String> = NUMBERS.map(|_| next(100_000).to_string()).collect();
            row.extend(TEXTS.map(|column| format!("Kind-{} of {column}", next(12))));
            row.push(if next(4) == 0 { ">50K" } else { "<=50K" }.to_owned());
            row
        })
        .collect();
    VecSource::new("records", header, rows)
}

fn settings() -> RunSettings {
    RunSettings {
        name: "bench".into(),
        source: PublicSource {
            format: Format::Csv,
            locations: vec!["records".into()],
            mirrors: vec![],
            target: "column14".into(),
            target_type: None,
            exclude: vec![],
            on_error: OnError::Refuse,
        },
        holdout: 0.0,
        routing: RoutingSettings::KMeans(KMeansSettings {
            paths: PATHS,
            sample: 10_000,
            sampling: Sampling::Prefix,
            dimensions: 64,
            seed: 0,
            featurizer_seed: 0,
        }),
        training: TrainingSettings {
            layers: 5,
            bucket: 250,
            slice: 20_000,
            noise: 1.0,
            profile: None,
            lookahead: 5,
            seed: 0,
        },
    }
}

#[allow(clippy::expect_used)]
fn bench(criterion: &mut Criterion) {
    let source = records();
    let settings = settings();
    let spec = publish(&settings, &source, &mut |_| {}).expect("the table is sound").spec;
    let kinds: Vec<FeatureKind> = spec.schema.features.iter().map(|feature| feature.kind).collect();
    let rows: Vec<Vec<Cell<'_>>> = source
        .records()
        .iter()
        .map(|row| {
            let cells = row.iter().zip(&kinds);
            cells
                .map(|(cell, kind)| match kind {
                    FeatureKind::Number => Cell::Number(cell.parse().unwrap_or_default()),
                    FeatureKind::Text => Cell::Text(cell),
                })
                .collect()
        })
        .collect();

    let mut group = criterion.benchmark_group("rows");
    group.sample_size(10).throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("route", |bencher| {
        let mut router = Router::new(&spec.routing, &spec.schema).expect("the fit is sound");
        bencher.iter(|| {
            (0u64..)
                .zip(&rows)
                .map(|(ordinal, row)| u64::from(router.route(ordinal, black_box(row))))
                .sum::<u64>()
        });
    });
    group.bench_function("publish", |bencher| {
        bencher.iter(|| publish(black_box(&settings), &source, &mut |_| {}).expect("the table is sound"));
    });
    group.bench_function("verify", |bencher| {
        bencher.iter(|| {
            verify_routing(black_box(&spec), &settings.source, &source).expect("the source is there")
        });
    });
    group.bench_function("materialise one path of four", |bencher| {
        bencher.iter(|| {
            materialise(black_box(&spec), &settings.source, &source, &[1], &Cancel::new())
                .expect("the same source")
        });
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
