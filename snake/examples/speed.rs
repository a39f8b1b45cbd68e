//! Trains on a CSV file and prints how long it takes and how much memory it needs.
//!
//! ```text
//! cargo run --release -p snake --example speed -- TABLE.csv.gz first|last class|number [layers] [lookahead] [noise] [repeats] [slice]
//! ```
//!
//! The file is read twice, record by record, so that the table is all that is in memory when training starts.

use std::collections::HashSet;
use std::error::Error;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use flate2::read::MultiGzDecoder;
use rayon::prelude::*;
use snake::{
    Bucket, Cancel, Cell, Feature, FeatureKind, Label, Prepared, Profile, Schema, Table, TableBuilder,
    TargetKind, TargetValue, TextStatistics, Training, UnitJob, UnitSeed, train_unit,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, place, target, rest @ ..] = arguments.as_slice() else {
        return Err(
            "usage: speed TABLE.csv[.gz] first|last class|number [layers] [lookahead] [noise] [repeats] [slice]"
                .into(),
        );
    };
    let number = |index: usize, default: f64| rest.get(index).map_or(Ok(default), |text| text.parse::<f64>());
    let (table, profile) = read(file.as_ref(), place == "first", target == "number")?;
    let default = Training::new(profile, 1);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let training = Training {
        layers: number(0, 5.0)? as u32,
        lookahead: number(1, 5.0)? as u32,
        noise: number(2, 1.0)?,
        slice: number(4, f64::from(default.slice))? as u32,
        ..default
    };
    println!("{} rows, {training:?}; {}", table.rows(), memory());
    let start = Instant::now();
    let prepared = Prepared::new(Arc::new(table), profile);
    println!("prepared in {:.3} s; {}", start.elapsed().as_secs_f64(), memory());
    let cancel = Cancel::new();
    let repeats = number(3, 1.0)?.max(1.0);
    let (mut best, mut least) = (f64::INFINITY, f64::INFINITY);
    let mut layers = Vec::new();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    for _ in 0..repeats as u32 {
        drop(layers);
        let (start, before) = (Instant::now(), cpu());
        layers = (0..training.layers)
            .into_par_iter()
            .map(|layer| {
                let seed = UnitSeed { fingerprint: [0; 32], seed: training.seed, path: 0, layer };
                train_unit(&UnitJob {
                    prepared: &prepared,
                    training: &training,
                    seed,
                    prefix: &[],
                    cancel: &cancel,
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        best = best.min(start.elapsed().as_secs_f64());
        least = least.min(cpu() - before);
    }
    println!(
        "{} layers in {best:.4} s, {least:.4} s of CPU, on {} threads; {}",
        layers.len(),
        rayon::current_num_threads(),
        memory()
    );
    let buckets: Vec<_> = layers.iter().flatten().collect();
    let sum = |f: &dyn Fn(&Bucket<u64>) -> usize| buckets.iter().map(|bucket| f(bucket)).sum::<usize>();
    println!(
        "{} buckets, {} condition literals, {} members, {} clauses, {} literals, {} vote conditions",
        buckets.len(),
        sum(&|b| b.condition.as_ref().map_or(0, Vec::len)),
        sum(&|b| b.members.len()),
        sum(&|b| b.clauses.len()),
        sum(&|b| b.clauses.iter().map(Vec::len).sum()),
        sum(&|b| b.lookalikes.conditions()),
    );
    Ok(())
}

/// What the process takes now and took at most, where the system says so.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = |name: &str| {
        status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).unwrap_or("?").to_owned()
    };
    format!("memory {}, at most {}", line("VmRSS:"), line("VmHWM:"))
}

/// Seconds of CPU that all threads together took so far, where the system says so.
fn cpu() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    threads
        .filter_map(|thread| {
            let statistics = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
            statistics.split(' ').next()?.parse::<f64>().ok()
        })
        .sum::<f64>()
        / 1e9
}

/// The first row of every set of features, and the profile that `auto` chooses.
fn read(file: &Path, first: bool, number: bool) -> Result<(Table, Profile), Box<dyn Error>> {
    let mut reader = open(file)?;
    let header = reader.headers()?.clone();
    let width = header.len();
    let (target, features) = if first { (0, 1..width) } else { (width - 1, 0..width - 1) };
    let mut kinds = vec![FeatureKind::Number; width];
    let mut labels: Vec<String> = Vec::new();
    let mut statistics = TextStatistics::new();
    for record in reader.records() {
        let record = record?;
        for column in features.clone() {
            if record[column].parse::<f64>().is_err() {
                kinds[column] = FeatureKind::Text;
                statistics.push(&record[column]);
            }
        }
        if !number && !labels.iter().any(|label| *label == record[target]) {
            labels.push(record[target].to_owned());
        }
    }
    labels.sort_unstable();
    let schema = Schema {
        target: header[target].to_owned(),
        target_kind: if number { TargetKind::Number } else { TargetKind::Text },
        classes: labels.iter().cloned().map(Label::Text).collect(),
        features: features
            .clone()
            .map(|column| Feature { name: header[column].to_owned(), kind: kinds[column] })
            .collect(),
    };
    let profile = Profile::choose(&schema, &[statistics]);
    let mut builder = TableBuilder::new(Arc::new(schema));
    let mut seen = HashSet::new();
    for (ordinal, record) in (0..).zip(open(file)?.records()) {
        let record = record?;
        let mut hasher = DefaultHasher::new();
        features.clone().for_each(|column| record[column].hash(&mut hasher));
        if !seen.insert(hasher.finish()) {
            continue;
        }
        let cells: Vec<Cell<'_>> = features
            .clone()
            .map(|column| match kinds[column] {
                FeatureKind::Number => Cell::Number(record[column].parse().unwrap_or(0.0)),
                FeatureKind::Text => Cell::Text(&record[column]),
            })
            .collect();
        let class = labels.iter().position(|label| *label == record[target]);
        let value = match u32::try_from(class.unwrap_or(0)) {
            Ok(class) if !number => TargetValue::Class(class),
            _ => TargetValue::Number(record[target].parse()?),
        };
        builder.push(ordinal, &cells, value)?;
    }
    Ok((builder.finish(), profile))
}

fn open(file: &Path) -> Result<csv::Reader<Box<dyn Read>>, Box<dyn Error>> {
    let opened = File::open(file)?;
    let packed = file.extension().is_some_and(|extension| extension == "gz");
    Ok(csv::Reader::from_reader(if packed {
        Box::new(MultiGzDecoder::new(opened))
    } else {
        Box::new(opened)
    }))
}
