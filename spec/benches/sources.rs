//! Rows per second from a file to routed rows: `cargo bench -p spec --features io --bench sources`.
//!
//! One thread. Adult's columns, eight k-means paths of 64 dimensions; the real table where it lies beside the workspace, else one
//! made up with its shape.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use spec::{
    DataSpec, Format, KMeansSettings, MaterialiseError, OnError, PublicSource, RoutingSettings, RunSettings,
    Sampling, TableSource, TrainingSettings, for_each_routed, publish,
};

const NUMBERS: [usize; 6] = [0, 2, 4, 10, 11, 12];

fn settings() -> RunSettings {
    RunSettings {
        name: "bench".into(),
        source: PublicSource {
            format: Format::Csv,
            locations: vec!["adult".into()],
            mirrors: vec![],
            target: "income".into(),
            target_type: None,
            exclude: vec![],
            on_error: OnError::Refuse,
        },
        holdout: 0.0,
        routing: RoutingSettings::KMeans(KMeansSettings {
            paths: 8,
            sample: 10_000,
            sampling: Sampling::Prefix,
            dimensions: 64,
            seed: 0,
            featurizer_seed: 0,
        }),
        training: TrainingSettings {
            layers: 1,
            bucket: 250,
            slice: 50_000,
            noise: 1.0,
            profile: None,
            lookahead: 5,
            seed: 0,
        },
    }
}

/// The table as CSV text.
#[allow(clippy::expect_used)]
fn table() -> String {
    let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/adult_train.csv.gz");
    if let Ok(file) = File::open(real) {
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).expect("the data set is whole");
        return text;
    }
    eprintln!("Adult is not there: a table made up with its shape");
    let mut state = 7u64;
    let mut next = move |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let names: Vec<String> =
        (0..14).map(|column| format!("column{column}")).chain(["income".into()]).collect();
    let mut text = names.join(",");
    for _ in 0..32_561 {
        text.push('\n');
        for column in 0..14 {
            match NUMBERS.contains(&column) {
                true => text.push_str(&next(100_000).to_string()),
                false => text.push_str(&format!("Kind-{} of {column}", next(12))),
            }
            text.push(',');
        }
        text.push_str(if next(4) == 0 { ">50K" } else { "<=50K" });
    }
    text
}

/// The table in a folder, in every format and packing.
#[allow(clippy::expect_used)]
fn files(folder: &Path) -> (Vec<PathBuf>, u64) {
    let text = table();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header: Vec<String> = reader.headers().expect("a header").iter().map(str::to_owned).collect();
    let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().expect("whole rows");
    let path = |name: &str| folder.join(name);
    fs::write(path("adult.csv"), &text).expect("room");
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(text.as_bytes()).expect("room");
    fs::write(path("adult.csv.gz"), gz.finish().expect("room")).expect("room");
    fs::write(path("adult.csv.zst"), zstd::encode_all(text.as_bytes(), 3).expect("room")).expect("room");
    let mut lines = String::new();
    for row in &rows {
        let object: serde_json::Map<String, serde_json::Value> = header
            .iter()
            .zip(row)
            .enumerate()
            .map(|(column, (name, cell))| {
                let number = NUMBERS.contains(&column).then(|| cell.parse::<i64>().ok()).flatten();
                (name.clone(), number.map_or_else(|| cell.into(), serde_json::Value::from))
            })
            .collect();
        lines.push_str(&serde_json::to_string(&object).expect("an object"));
        lines.push('\n');
    }
    fs::write(path("adult.jsonl"), lines).expect("room");
    let columns = header.iter().enumerate().map(|(column, name)| {
        let cells = rows.iter().map(|row| row.get(column).unwrap_or_default());
        let cells: ArrayRef = match NUMBERS.contains(&column) {
            true => Arc::new(cells.map(|cell| cell.parse::<i64>().ok()).collect::<Int64Array>()),
            false => Arc::new(cells.map(Some).collect::<StringArray>()),
        };
        (name.as_str(), cells)
    });
    let batch = RecordBatch::try_from_iter(columns).expect("a table");
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let out = File::create(path("adult.parquet")).expect("room");
    let mut writer = ArrowWriter::try_new(out, batch.schema(), Some(properties)).expect("a table");
    writer.write(&batch).expect("room");
    writer.close().expect("room");
    let names = ["adult.csv", "adult.csv.gz", "adult.csv.zst", "adult.jsonl", "adult.parquet"];
    (names.into_iter().map(path).collect(), rows.len() as u64)
}

fn routed(
    spec: &DataSpec,
    description: &PublicSource,
    source: &TableSource,
) -> Result<u64, MaterialiseError> {
    let mut sum = 0;
    for_each_routed(spec, description, source, &mut |row| -> Result<(), MaterialiseError> {
        sum += u64::from(row.path);
        Ok(())
    })?;
    Ok(sum)
}

#[allow(clippy::expect_used)]
fn bench(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let (files, rows) = files(folder.path());
    let settings = settings();
    let mut first: Option<(DataSpec, u64)> = None;
    let mut group = criterion.benchmark_group("file to routed rows");
    group.sample_size(10).throughput(Throughput::Elements(rows));
    for file in &files {
        let source = TableSource::of_files(vec![file.clone()], OnError::Refuse);
        let name = file.extension().unwrap_or_default().to_string_lossy().into_owned();
        let spec = publish(&settings, &source, &mut |_| {}).expect("the table is sound").spec;
        let sum = routed(&spec, &settings.source, &source).expect("the same source");
        let (same, expected) = first.get_or_insert_with(|| (spec.clone(), sum));
        assert_eq!((&spec, sum), (&*same, *expected), "{name} gives another spec");
        group.bench_function(name, |bencher| {
            bencher.iter(|| routed(&spec, &settings.source, &source).expect("the same source"));
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
