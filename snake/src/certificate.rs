//! The certificate: whether a layer keeps what the model format promises of it, checked without training it.
//!
//! Five invariants make every training row get a vote of its own class, and never one of another:
//!
//! 1. a condition stands in a layer once; null stands last, and only for an AND of nothing
//! 2. core members are exactly the rows that the chain walk sends to their bucket
//! 3. noise members satisfy their bucket's condition, and are no more than the run's share of the core members
//! 4. a clause is false on exactly those members that list it, which are of one class
//! 5. every member of a bucket of several classes lists a clause; in a bucket of one class somebody votes
//!
//! Layers come from strangers: whatever is in them ends in a [`Breach`], never in a panic.

mod breach;
mod check;
mod walk;

use crate::bucket::{Bucket, UnitBuckets};
use crate::literal::Literal;
use crate::model::Model;
use crate::program::Program;
use crate::table::{Table, TargetColumn};

pub use breach::{Breach, LayerError};
use check::{Found, Ground, Local};

/// What a layer that keeps all invariants consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Certificate {
    /// Buckets.
    pub buckets: usize,
    /// Core members: the rows of the shard.
    pub core: usize,
    /// Noise members of all buckets.
    pub noise: usize,
    /// Clauses of all buckets.
    pub clauses: usize,
}

/// Checks the buckets of a unit, as trained or reported, against the shard they were trained on. Besides the invariants
/// this checks the order of members and lookalikes, which the model format fixes for training.
///
/// `prefix` is what every row of the shard satisfies by having been routed there (`__path`), empty with one path or
/// round robin: every condition begins with it, and its literals may be over columns that the table does not have.
///
/// # Errors
/// The first [`Breach`].
pub fn certify_unit(table: &Table, prefix: &[Literal], buckets: &UnitBuckets) -> Result<Certificate, Breach> {
    let mut width = table.schema().features.len() + 1;
    for literal in prefix {
        width = width.max((literal.column as usize).saturating_add(1));
    }
    let local = buckets
        .iter()
        .enumerate()
        .map(|(place, bucket)| {
            let find = |ordinal: &u64| {
                let row = table.ordinals().binary_search(ordinal).ok();
                row.and_then(|row| u32::try_from(row).ok())
                    .ok_or(Breach::UnknownMember { bucket: place, row: *ordinal })
            };
            let members = bucket.members.iter().map(find).collect::<Result<_, _>>()?;
            Local::new(place, bucket, members, width)
        })
        .collect::<Result<Vec<_>, Breach>>()?;
    let rows: Vec<u32> = (0..).take(table.rows()).collect();
    let classes = match table.target() {
        TargetColumn::Class(classes) => classes.clone(),
        TargetColumn::Number(values) => ranks(values.iter().copied()),
    };
    let ground = Ground {
        columns: table.columns(),
        program: Program::new(table.schema().features.iter().map(|feature| feature.kind)),
        rows: &rows,
        classes: &classes,
        names: Some(table.ordinals()),
        prefix,
        noise: None,
        paths: &[],
    };
    let mut found = Found::at_most(1);
    if check::training_order(&ground, &local, &mut found).is_continue() {
        let _ = check::invariants(ground, &local, &mut found);
    }
    found.verdict()
}

/// Checks a layer of a model against the model's own population.
///
/// # Errors
/// [`LayerError`]: the first breach, or why there is nothing to check.
pub fn certify_layer(model: &Model, layer: usize) -> Result<Certificate, LayerError> {
    let rows: Vec<u32> = (0..).take(model.targets.len()).collect();
    certify_layer_over(model, layer, &rows)
}

/// Checks a layer of a model against a part of its population, given as ascending positions: the shard of the layer's
/// unit, where a layer was not trained on all rows (several paths without `__path`).
///
/// # Errors
/// [`LayerError`]: the first breach, or why there is nothing to check.
pub fn certify_layer_over(model: &Model, layer: usize, rows: &[u32]) -> Result<Certificate, LayerError> {
    let found = survey(model, layer, rows, &[], 1)?;
    Ok(found.verdict()?)
}

/// What there is to say of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// What the layer consists of, as far as it was looked at.
    pub certificate: Certificate,
    /// What is wrong with it: of every bucket and kind of breach the first. None: the layer keeps all invariants.
    pub breaches: Vec<Breach>,
}

/// Checks a layer of a model as [`certify_layer_over`] does, and goes on after a breach until it has found `most`.
///
/// `paths` are the literals that the conditions of each path begin with, in ascending order of paths; empty where the
/// layer is of one path.
///
/// # Errors
/// [`LayerError`] other than a breach.
pub fn survey_layer(
    model: &Model,
    layer: usize,
    rows: &[u32],
    paths: &[Literal],
    most: usize,
) -> Result<Survey, LayerError> {
    let found = survey(model, layer, rows, paths, most)?;
    Ok(Survey { certificate: found.certificate, breaches: found.breaches })
}

fn survey(
    model: &Model,
    layer: usize,
    rows: &[u32],
    paths: &[Literal],
    most: usize,
) -> Result<Found, LayerError> {
    let layers = model.layers.len();
    let buckets: &[Bucket<u32>] = model.layers.get(layer).ok_or(LayerError::NoSuchLayer { layer, layers })?;
    if model.population.rows() != model.targets.len() {
        return Err(LayerError::NoRows);
    }
    if !rows.is_sorted_by(|a, b| a < b)
        || rows.last().is_some_and(|last| *last as usize >= model.targets.len())
    {
        return Err(LayerError::BadRows);
    }
    let mut found = Found::at_most(most);
    let width = model.head.features.len() + 1;
    let mut local = Vec::with_capacity(buckets.len());
    for (place, bucket) in buckets.iter().enumerate() {
        if let Some(member) = bucket.members.iter().find(|member| rows.binary_search(member).is_err()) {
            found.breaches.push(Breach::UnknownMember { bucket: place, row: u64::from(*member) });
        }
        match Local::new(place, bucket, bucket.members.clone(), width) {
            Ok(bucket) => local.push(bucket),
            Err(breach) => found.breaches.push(breach),
        }
    }
    // Of a layer that points to what is not there, nothing more can be said.
    if !found.breaches.is_empty() {
        found.breaches.truncate(most.max(1));
        return Ok(found);
    }
    let class_list = model.classes();
    #[allow(clippy::cast_possible_truncation)]
    let classes: Vec<u32> = model
        .targets
        .iter()
        .map(|label| class_list.binary_search_by(|class| class.class_order(label)).unwrap_or_default() as u32)
        .collect();
    let ours = model.head.opendipaco.as_ref();
    let ground = Ground {
        columns: model.population.columns(),
        program: Program::new(model.head.features.iter().map(|feature| feature.kind)),
        rows,
        classes: &classes,
        names: None,
        prefix: &[],
        // How much noise others add, and what they mean by its share, is theirs.
        noise: ours.and_then(|ours| {
            // Said twice: what is less binds.
            let said = [ours.pointer("/training/noise"), model.head.config.get("noise")];
            said.into_iter().flatten().filter_map(serde_json::Value::as_f64).min_by(f64::total_cmp)
        }),
        paths,
    };
    let _ = check::invariants(ground, &local, &mut found);
    Ok(found)
}

/// Numbers as classes: the place of each among the distinct values.
#[allow(clippy::cast_possible_truncation)]
fn ranks(values: impl Iterator<Item = f64> + Clone) -> Vec<u32> {
    let mut distinct: Vec<f64> = values.clone().map(|x| x + 0.0).collect();
    distinct.sort_unstable_by(f64::total_cmp);
    distinct.dedup_by(|a, b| a.total_cmp(b).is_eq());
    values
        .map(|x| distinct.binary_search_by(|y| y.total_cmp(&(x + 0.0))).unwrap_or_default() as u32)
        .collect()
}
