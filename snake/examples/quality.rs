//! Measures how well the learner predicts rows that it has not seen, for any settings and any data.
//!
//! ```text
//! cargo run --release -p snake --example quality -- DATA... [layers=25] [group=5] [lookahead=15] [noise=1] \
//!     [bucket=250] [slice=50000] [profile=balanced] [seed=1] [most=25000]
//! ```
//!
//! `DATA` is `TRAIN.csv[.gz][,TEST.csv[.gz]]:TARGET`; without a test file a fifth of the rows is held out, and only
//! `most` rows are used where it is given. A line per data set: accuracy, AUROC (the mean of one class against the rest,
//! where there are more than two) and log loss of a model with `group` layers, as a mean over the groups into which the
//! layers fall, then of all layers together; seconds per layer and what a layer consists of. Layers do not depend on
//! each other, so the groups are as good as other seeds.

#[path = "quality/data.rs"]
mod data;

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use data::{Data, load};
use snake::{
    Bucket, Cancel, ClassMetrics, ClassScorer, FORMAT_VERSION, Head, Label, Layer, Model, Prediction,
    Predictor, Prepared, RowBatch, TargetColumn, TargetKind, Training, UnitBuckets, UnitJob, UnitSeed,
    train_unit,
};

const KEYS: [&str; 9] =
    ["layers", "group", "lookahead", "noise", "bucket", "slice", "profile", "seed", "most"];

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let settings: Vec<(&str, &str)> =
        arguments.iter().filter_map(|argument| argument.split_once('=')).collect();
    if let Some((key, _)) = settings.iter().find(|(key, _)| !KEYS.contains(key)) {
        return Err(format!("there is no setting {key:?}: the settings are {}", KEYS.join(", ")).into());
    }
    let text = |wanted: &str| settings.iter().find(|(key, _)| *key == wanted).map(|(_, value)| *value);
    let whole = |key: &str, default: u32| text(key).map_or(Ok(default), str::parse::<u32>);
    let most = text("most").map_or(Ok(usize::MAX), str::parse::<usize>)?;
    for name in arguments.iter().filter(|argument| !argument.contains('=')) {
        let data = load(name, most)?;
        let profile = text("profile").map_or(Ok(data.profile), str::parse)?;
        let default = Training::new(profile, u64::from(whole("seed", 1)?));
        let training = Training {
            layers: whole("layers", 25)?,
            lookahead: whole("lookahead", default.lookahead)?,
            noise: text("noise").map_or(Ok(default.noise), str::parse)?,
            bucket: whole("bucket", default.bucket)?,
            slice: whole("slice", default.slice)?,
            ..default
        };
        println!("{name}");
        measure(&data, &training, whole("group", 5)?.max(1) as usize)?;
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss)]
fn measure(data: &Data, training: &Training, group: usize) -> Result<(), Box<dyn Error>> {
    let prepared = Prepared::new(Arc::clone(&data.train), training.profile);
    let cancel = Cancel::new();
    let start = Instant::now();
    let layers = (0..training.layers)
        .map(|layer| {
            let seed = UnitSeed { fingerprint: [0; 32], seed: training.seed, path: 0, layer };
            train_unit(&UnitJob { prepared: &prepared, training, seed, prefix: &[], cancel: &cancel })
        })
        .collect::<Result<Vec<UnitBuckets>, _>>()?;
    let seconds = start.elapsed().as_secs_f64();

    let mut all = vec![0; data.truth.len() * data.classes];
    let mut groups: Vec<ClassMetrics> = Vec::new();
    for layers in layers.chunks(group) {
        let votes = votes(data, layers)?;
        all.iter_mut().zip(&votes).for_each(|(sum, votes)| *sum += votes);
        if layers.len() == group {
            groups.extend(figures(data, &votes));
        }
    }
    let mean = |figure: &dyn Fn(&ClassMetrics) -> f64| {
        groups.iter().map(figure).sum::<f64>() / groups.len().max(1) as f64
    };
    let area = |figures: &ClassMetrics| figures.auroc.unwrap_or(f64::NAN);
    println!(
        "  {group} layers: accuracy {:.4}, AUROC {:.4}, log loss {:.3} (mean of {})",
        mean(&|figures| figures.accuracy),
        mean(&area),
        mean(&|figures| figures.log_loss),
        groups.len(),
    );
    if let Some(figures) = figures(data, &all) {
        println!(
            "  {} layers: accuracy {:.4}, AUROC {:.4}, log loss {:.3}",
            layers.len(),
            figures.accuracy,
            area(&figures),
            figures.log_loss,
        );
    }
    let per_layer = |count: &dyn Fn(&Bucket<u64>) -> usize| {
        layers.iter().flatten().map(count).sum::<usize>() / layers.len().max(1)
    };
    println!(
        "  a layer: {:.3} s; {} buckets, {} members, {} clauses, {} literals, {} vote conditions",
        seconds / layers.len().max(1) as f64,
        per_layer(&|_| 1),
        per_layer(&|bucket| bucket.members.len()),
        per_layer(&|bucket| bucket.clauses.len()),
        per_layer(&|bucket| bucket.clauses.iter().map(Vec::len).sum()),
        per_layer(&|bucket| bucket.lookalikes.conditions()),
    );
    Ok(())
}

/// Figures from the votes per row and class.
fn figures(data: &Data, votes: &[u64]) -> Option<ClassMetrics> {
    let mut scorer = ClassScorer::new(data.classes);
    for (truth, votes) in data.truth.iter().zip(votes.chunks(data.classes)) {
        let votes: Vec<(u32, u64)> = (0..).zip(votes.iter().copied()).filter(|vote| vote.1 > 0).collect();
        let best = votes.iter().rev().max_by_key(|vote| vote.1);
        let class = best.map_or(0, |vote| vote.0);
        let total = votes.iter().map(|vote| vote.1).sum();
        scorer.add(Some(*truth), &Prediction { votes, total, class, candle: None, lookalikes: None });
    }
    scorer.finish()
}

/// The votes of some layers, per row to be asked and class.
fn votes(data: &Data, layers: &[UnitBuckets]) -> Result<Vec<u64>, Box<dyn Error>> {
    let model = model(data, layers)?;
    let predictor = Predictor::new(&model)?;
    let mut votes = vec![0; data.truth.len() * data.classes];
    for (row, prediction) in votes.chunks_mut(data.classes).zip(predictor.predict(&data.test)) {
        for (class, count) in prediction.votes {
            if let Label::Integer(class) = predictor.classes()[class as usize] {
                row[usize::try_from(class)?] += count;
            }
        }
    }
    Ok(votes)
}

/// Layers as a model without its training rows; a class is its position.
fn model(data: &Data, layers: &[UnitBuckets]) -> Result<Model, Box<dyn Error>> {
    let schema = data.train.schema();
    let TargetColumn::Class(codes) = data.train.target() else {
        return Err("the target has no classes".into());
    };
    let position = |ordinal: &u64| -> Result<u32, Box<dyn Error>> {
        let position = data.train.ordinals().binary_search(ordinal);
        Ok(u32::try_from(position.map_err(|_| format!("row {ordinal} is not of this table"))?)?)
    };
    let bucket = |bucket: &Bucket<u64>| -> Result<Bucket<u32>, Box<dyn Error>> {
        Ok(Bucket {
            condition: bucket.condition.clone(),
            members: bucket.members.iter().map(position).collect::<Result<_, _>>()?,
            origins: bucket.origins.clone(),
            clauses: bucket.clauses.clone(),
            lookalikes: bucket.lookalikes.clone(),
        })
    };
    let layers =
        layers.iter().map(|layer| layer.iter().map(bucket).collect()).collect::<Result<Vec<Layer>, _>>()?;
    Ok(Model {
        head: Head {
            version: FORMAT_VERSION.to_owned(),
            stripped: true,
            target: schema.target.clone(),
            target_kind: TargetKind::Integer,
            features: schema.features.clone(),
            config: serde_json::Value::Null,
            log: String::new(),
            opendipaco: None,
        },
        population: RowBatch::default(),
        targets: codes.iter().map(|&code| Label::Integer(i64::from(code))).collect(),
        layers,
    })
}
