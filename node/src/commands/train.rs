//! `train`: a run file's model without a network.

use std::num::NonZero;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use snake::{Cancel, TrainingRows, UnitBuckets};
use spec::{
    AssembleError, Census, DataSpec, LocalShards, LocalUnits, MemoryLimits, MissingUnit, VolunteerSettings,
    assemble, train_locally,
};

use crate::cli::{SHARD_MEMORY, TrainArgs};
use crate::run_files::Operated;
use crate::timings::Timings;
use crate::{files, model_file};

pub(crate) fn run(args: &TrainArgs) -> Result<()> {
    let mut timings = Timings::start();
    files::check_place(&args.out)?;
    let operated = Operated::read(&args.file)?;
    let progress = spinner();
    let published =
        timings.time("publishing", || operated.publish(&|step| progress.set_message(step.to_string())))?;
    if let Some(reason) = &published.summary.degraded {
        progress.suspend(|| eprintln!("{reason}"));
    }
    let spec = &published.spec;
    let threads = threads(args.threads.or(operated.file.volunteer.threads));
    let units = train(&operated, spec, threads, &progress, &mut timings)?;
    timings.note_peak_memory("peak_memory_trained");
    progress.set_message("writing the model");
    timings.time("writing", || write(&operated, spec, units, args))?;
    progress.finish_and_clear();
    let rows: u64 = spec.shards.iter().map(|shard| shard.rows).sum();
    eprintln!(
        "{}: {} layers over {rows} rows in {:.1} s",
        args.out.display(),
        spec.training.layers,
        timings.elapsed().as_secs_f64()
    );
    if args.timings {
        timings.note_peak_memory("peak_memory");
        timings.note("rows", rows);
        timings.note("threads", threads);
        eprintln!("{}", timings.line());
    }
    Ok(())
}

/// Threads to train with: what was asked for, else one per core.
pub(crate) fn threads(asked: Option<u32>) -> usize {
    match asked {
        Some(threads) => threads.max(1) as usize,
        None => std::thread::available_parallelism().map_or(1, NonZero::get),
    }
}

pub(crate) fn spinner() -> ProgressBar {
    let style =
        ProgressStyle::with_template("{spinner} {msg}").unwrap_or_else(|_| ProgressStyle::default_spinner());
    ProgressBar::new_spinner().with_style(style)
}

/// Trains all units. Phases: `reading` the shards' tables, and `training`, which begins with what is counted once per table.
fn train(
    operated: &Operated,
    spec: &DataSpec,
    threads: usize,
    progress: &ProgressBar,
    timings: &mut Timings,
) -> Result<LocalUnits> {
    let cancel = Cancel::new();
    let description = &operated.file.settings.source;
    let pool =
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().context("the training threads")?;
    let mut reading = Duration::ZERO;
    let mut shards = LocalShards::new(spec, description, &operated.source, limits(&operated.file.volunteer));
    let mut shard = |path: u32| -> Result<Arc<snake::Table>> {
        progress.set_message(format!("reading the shard of path {path}"));
        let start = Instant::now();
        let table = shards.take(path, &cancel)?;
        reading += start.elapsed();
        Ok(table)
    };
    let mut told = |done: spec::UnitDone| {
        progress.set_message(format!("trained {} of {} units", done.done, done.total));
    };
    let start = Instant::now();
    let units = pool.install(|| train_locally(spec, &mut shard, &mut told, &cancel))?;
    let both = start.elapsed();
    timings.add("reading", reading);
    timings.add("training", both.saturating_sub(reading));
    timings.note("passes", shards.passes());
    Ok(units)
}

/// How many shards are made in one pass: the run file's limits for a volunteer, and where it has none those of `join`.
fn limits(settings: &VolunteerSettings) -> MemoryLimits {
    let bytes = settings.max_shard_memory.unwrap_or(SHARD_MEMORY << 20);
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    MemoryLimits { shards: settings.max_shards as usize, bytes }
}

fn write(operated: &Operated, spec: &DataSpec, mut units: LocalUnits, args: &TrainArgs) -> Result<()> {
    let description = &operated.file.settings.source;
    let census = Census::take(spec, description, &operated.source)?;
    let mut unit = |path, layer| -> Result<UnitBuckets, MissingUnit> { units.take(path, layer) };
    let rows = if args.stripped { TrainingRows::LeftOut } else { TrainingRows::Kept };
    model_file::write(&args.out, |out| {
        assemble(spec, description, &operated.source, &census, &mut unit, rows, out)
            .map(|_| ())
            .map_err(|error: AssembleError<MissingUnit>| error.into())
    })
}
