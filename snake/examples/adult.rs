//! Trains on a CSV file and prints how well the layers predict another one, by a plain walk over the buckets.
//!
//! ```text
//! cargo run --release -p snake --example adult -- TRAIN.csv.gz TEST.csv [layers] [lookahead] [noise] [bucket] \
//!     [profile] [slice] [seed]
//! ```
//!
//! The last column is the target; a full stop at the end of a label is dropped (as the test part of Adult has them).

#[path = "../tests/support/csv.rs"]
mod csv_table;
#[path = "../tests/support/walk.rs"]
mod walk;

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use csv_table::{Data, read};
use snake::{
    Bucket, Cancel, Cell, Prepared, Profile, TextStatistics, Training, UnitJob, UnitSeed, train_unit,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [train, test, rest @ ..] = arguments.as_slice() else {
        return Err("usage: adult TRAIN.csv[.gz] TEST.csv[.gz] [layers] [lookahead] [noise] [bucket] [profile] [slice] [seed]".into());
    };
    let number = |index: usize, default: f64| rest.get(index).map_or(Ok(default), |text| text.parse::<f64>());
    let data = read(train.as_ref())?;
    let (table, dropped) = data.table();
    let mut statistics = TextStatistics::new();
    data.rows.iter().flatten().for_each(|text| statistics.push(text));
    let chosen = Profile::choose(table.schema(), &[statistics]);
    let profile = rest.get(4).map_or(Ok(chosen), |name| name.parse())?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let training = Training {
        layers: number(0, 5.0)? as u32,
        lookahead: number(1, 5.0)? as u32,
        noise: number(2, 1.0)?,
        bucket: number(3, 250.0)? as u32,
        slice: number(5, 20_000.0)? as u32,
        ..Training::new(profile, number(6, 1.0)? as u64)
    };
    println!("{} rows, {dropped} duplicates dropped, {training:?}", table.rows());

    let start = Instant::now();
    let prepared = Prepared::new(Arc::new(table), profile);
    println!("prepared in {:.3} s", start.elapsed().as_secs_f64());
    let start = Instant::now();
    let mut layers = Vec::new();
    for layer in 0..training.layers {
        let seed = UnitSeed { fingerprint: [0; 32], seed: training.seed, path: 0, layer };
        let cancel = Cancel::new();
        layers.push(train_unit(&UnitJob {
            prepared: &prepared,
            training: &training,
            seed,
            prefix: &[],
            cancel: &cancel,
        })?);
    }
    let seconds = start.elapsed().as_secs_f64();
    println!("{} layers in {seconds:.3} s on {} threads", training.layers, rayon::current_num_threads());
    describe(&layers);
    report("training rows", &data, &data, &layers, |index| data.kept.contains(&index));
    report("test rows", &read(test.as_ref())?, &data, &layers, |_| true);
    Ok(())
}

fn describe(layers: &[Vec<Bucket<u64>>]) {
    let buckets: Vec<_> = layers.iter().flatten().collect();
    let sum = |f: &dyn Fn(&Bucket<u64>) -> usize| buckets.iter().map(|bucket| f(bucket)).sum::<usize>();
    println!(
        "{} buckets, {} members, {} clauses, {} literals, {} conditions",
        buckets.len(),
        sum(&|b| b.members.len()),
        sum(&|b| b.clauses.len()),
        sum(&|b| b.clauses.iter().map(Vec::len).sum()),
        sum(&|b| b.lookalikes.conditions()),
    );
}

#[allow(clippy::cast_precision_loss)]
fn report(
    name: &str,
    asked: &Data,
    trained: &Data,
    layers: &[Vec<Bucket<u64>>],
    wanted: impl Fn(usize) -> bool,
) {
    let positive = trained.labels.len() - 1;
    let (mut right, mut exact, mut rows) = (0, 0, 0);
    let mut scored: Vec<(f64, bool)> = Vec::new();
    for index in (0..asked.rows.len()).filter(|&index| wanted(index)) {
        let cells = trained.cells(&asked.rows[index]);
        let Some(truth) = trained.labels.iter().position(|label| *label == asked.targets[index]) else {
            continue;
        };
        let shares = shares(&cells, trained, layers);
        let best = (0..shares.len()).rev().max_by(|&a, &b| shares[a].total_cmp(&shares[b])).unwrap_or(0);
        rows += 1;
        right += usize::from(best == truth);
        exact += usize::from(shares[truth] >= 1.0);
        scored.push((shares[positive], truth == positive));
    }
    println!(
        "{name}: {rows}, accuracy {:.4}, AUROC {:.4}, predicted with probability 1.0: {exact}",
        right as f64 / rows as f64,
        auroc(&mut scored)
    );
}

#[allow(clippy::cast_precision_loss)]
fn shares(cells: &[Cell<'_>], trained: &Data, layers: &[Vec<Bucket<u64>>]) -> Vec<f64> {
    let mut votes = vec![0.0; trained.labels.len()];
    for layer in layers {
        walk::votes(layer, cells, |ordinal| votes[trained.class(ordinal)] += 1.0);
    }
    let total: f64 = votes.iter().sum();
    votes.iter().map(|count| if total > 0.0 { count / total } else { 1.0 / votes.len() as f64 }).collect()
}

/// The chance that a row of the last class scores above one of the others, ties counting half.
#[allow(clippy::cast_precision_loss)]
fn auroc(scored: &mut [(f64, bool)]) -> f64 {
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut pairs) = (0.0, 0.0);
    for tied in scored.chunk_by(|a, b| a.0 == b.0) {
        let positives = tied.iter().filter(|(_, positive)| *positive).count() as f64;
        let negatives = tied.len() as f64 - positives;
        pairs += positives * (below + negatives / 2.0);
        below += negatives;
    }
    pairs / (below * (scored.len() as f64 - below))
}
