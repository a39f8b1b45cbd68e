//! From a run file's settings and the source to a data spec.
//!
//! Pass one reads every record: it learns the schema and chooses the sample. The fit reads the sample twice (see
//! `fit`). The last pass routes, counts and hashes every row. A source that changes meanwhile is an error.

use std::ops::ControlFlow;

use snake::{Schema, Training};

use crate::check::{check_holdout, check_kmeans, check_paths, check_training, too_many_sampled};
use crate::data_spec::DataSpec;
use crate::error::{RowsError, SpecError};
use crate::fit::{Fitted, Sample, Sampler, fit};
use crate::holdout::Holdout;
use crate::infer::{InferError, SchemaBuilder};
use crate::keep::{Fate, Keeper};
use crate::routing::Routing;
use crate::rows::{Records, RowCount, for_each_row};
use crate::run::{RoutingSettings, RunSettings};
use crate::source::RecordSource;

/// How often progress is told.
const TELL_EVERY: u64 = 8_192;

/// How far publishing has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done.
    pub stage: Stage,
    /// Rows read in this stage.
    pub rows: u64,
}

/// What publishing does, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Learning columns, kinds and classes.
    Reading,
    /// Fitting the router.
    Fitting,
    /// Routing, counting and hashing.
    Sharding,
}

/// What came of publishing.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// What is signed.
    pub spec: DataSpec,
    /// What to tell the operator.
    pub summary: Summary,
}

/// What publishing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Well-formed rows of the source.
    pub rows: u64,
    /// Malformed rows that were left out.
    pub skipped: u64,
    /// Rows that are held out.
    pub held_out: u64,
    /// Per path, what its shard has.
    pub paths: Vec<PathSummary>,
    /// Why the router is round robin although k-means was asked for.
    pub degraded: Option<String>,
}

/// What a shard has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathSummary {
    /// Rows to train on.
    pub rows: u64,
    /// Rows dropped because an earlier one has the same features.
    pub duplicates: u64,
    /// Those of them with another target.
    pub conflicts: u64,
}

/// Nothing was published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A setting of the run file is out of range.
    #[error("{0}; change it in the run file")]
    Setting(SpecError),
    /// The source can't be read, or its columns or values can't be used.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// Nothing can be learnt from the table as it is.
    #[error(transparent)]
    Table(#[from] InferError),
    /// More paths than rows.
    #[error("{paths} paths for {rows} rows: lower `routing.paths` to at most {rows}")]
    MorePathsThanRows {
        /// What was asked for.
        paths: u32,
        /// What there is.
        rows: u64,
    },
    /// Everything is held out.
    #[error("all {rows} rows are held out: lower `holdout`")]
    NothingLeft {
        /// What there is.
        rows: u64,
    },
    /// Two passes saw different rows.
    #[error(
        "the source changed while it was read ({first} rows, then {second}): publish again when it is at rest"
    )]
    Changed {
        /// In the first pass.
        first: u64,
        /// In the last pass.
        second: u64,
    },
}

/// Streams the source, fits the router, counts and hashes the shards.
///
/// # Errors
/// [`PublishError`]: settings out of range, a source or table that can't be used.
pub fn publish(
    settings: &RunSettings,
    source: &dyn RecordSource,
    progress: &mut dyn FnMut(Progress),
) -> Result<Published, PublishError> {
    check_settings(settings).map_err(PublishError::Setting)?;
    let first = read(settings, source, progress)?;
    let (routing, degraded) = route(settings, &first, source, progress)?;
    let training = Training { profile: settings.training.profile.unwrap_or(first.profile), ..first.training };
    let holdout = settings.holdout + 0.0;

    let keeper = Keeper::new(&routing, &first.schema, Holdout::new(holdout, training.seed), &|_| true);
    let mut keeper = keeper.map_err(PublishError::Setting)?;
    let mut held_out = 0u64;
    let mut rows = 0u64;
    let count = for_each_row(&first.schema, &settings.source, source, &mut |row| -> Result<_, RowsError> {
        held_out += u64::from(keeper.sort(&row) == Fate::HeldOut);
        rows += 1;
        if rows.is_multiple_of(TELL_EVERY) {
            progress(Progress { stage: Stage::Sharding, rows });
        }
        Ok(ControlFlow::Continue(()))
    })?;
    progress(Progress { stage: Stage::Sharding, rows });
    if count != first.count {
        return Err(PublishError::Changed { first: first.count.rows, second: count.rows });
    }
    let mut shards = Vec::new();
    let mut paths = Vec::new();
    for (_, work) in keeper.shards() {
        let shard = work.shard();
        shards.push(shard);
        paths.push(PathSummary { rows: shard.rows, duplicates: work.duplicates, conflicts: work.conflicts });
    }
    if paths.iter().all(|path| path.rows == 0) {
        return Err(PublishError::NothingLeft { rows });
    }
    let spec = DataSpec { schema: first.schema, holdout, routing, training, shards };
    spec.check().map_err(PublishError::Setting)?;
    let summary = Summary { rows, skipped: count.skipped, held_out, paths, degraded };
    Ok(Published { spec, summary })
}

fn check_settings(settings: &RunSettings) -> Result<(), SpecError> {
    check_holdout(settings.holdout)?;
    check_training(&training(settings, snake::Profile::Balanced))?;
    match &settings.routing {
        RoutingSettings::KMeans(settings) => check_kmeans(settings),
        RoutingSettings::RoundRobin { paths } => check_paths(*paths),
    }
}

fn training(settings: &RunSettings, profile: snake::Profile) -> Training {
    let training = &settings.training;
    Training {
        layers: training.layers,
        bucket: training.bucket,
        slice: training.slice,
        noise: training.noise + 0.0,
        profile: training.profile.unwrap_or(profile),
        lookahead: training.lookahead,
        seed: training.seed,
    }
}

/// What the first pass has learnt.
struct FirstPass {
    schema: Schema,
    profile: snake::Profile,
    training: Training,
    sample: Sample,
    count: RowCount,
}

fn read(
    settings: &RunSettings,
    source: &dyn RecordSource,
    progress: &mut dyn FnMut(Progress),
) -> Result<FirstPass, PublishError> {
    let mut records = Records::open(&settings.source, source).map_err(RowsError::from)?;
    let mut builder = SchemaBuilder::new(records.header(), &settings.source).map_err(RowsError::from)?;
    records.only(&builder.columns());
    let mut sampler = match &settings.routing {
        RoutingSettings::KMeans(settings) => Sampler::new(settings),
        RoutingSettings::RoundRobin { .. } => Sampler::Fixed(Sample::All),
    };
    let mut rows = 0u64;
    while let Some(record) = records.next().map_err(RowsError::from)? {
        if let Err(misfit) = builder.push(record) {
            let misfit = misfit.at(record, source);
            records.misfit(misfit).map_err(RowsError::from)?;
            continue;
        }
        sampler.push(record.ordinal);
        rows += 1;
        if rows.is_multiple_of(TELL_EVERY) {
            progress(Progress { stage: Stage::Reading, rows });
        }
    }
    progress(Progress { stage: Stage::Reading, rows });
    let count = RowCount { rows, skipped: records.skipped() };
    let (schema, profile) = builder.finish()?;
    Ok(FirstPass { schema, profile, training: training(settings, profile), sample: sampler.finish(), count })
}

fn route(
    settings: &RunSettings,
    first: &FirstPass,
    source: &dyn RecordSource,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Routing, Option<String>), PublishError> {
    let (paths, kmeans) = match &settings.routing {
        RoutingSettings::KMeans(settings) => (settings.paths, Some(settings)),
        RoutingSettings::RoundRobin { paths } => (*paths, None),
    };
    let rows = first.count.rows;
    if rows < u64::from(paths) {
        return Err(PublishError::MorePathsThanRows { paths, rows });
    }
    let Some(kmeans) = kmeans else { return Ok((Routing::RoundRobin { paths }, None)) };
    progress(Progress { stage: Stage::Fitting, rows: 0 });
    match fit(kmeans, &first.sample, &first.schema, &settings.source, source)? {
        Fitted::Fit(fit) => {
            progress(Progress { stage: Stage::Fitting, rows: fit.rows });
            Ok((Routing::Kmeans(fit), None))
        }
        Fitted::TooManyRows { rows } => {
            let reason = too_many_sampled(rows, kmeans.dimensions);
            Err(PublishError::Setting(SpecError::field("routing.sample", reason)))
        }
        Fitted::TooFewRows { rows } => {
            let why = format!(
                "the sample has {rows} rows for {paths} paths, so rows are routed in turn (round_robin): raise \
                 `routing.sample` to at least {paths} for k-means"
            );
            Ok((Routing::RoundRobin { paths }, Some(why)))
        }
    }
}
