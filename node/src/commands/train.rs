//! `train`: a run file's model without a network.

use std::num::NonZero;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use snake::{Cancel, TrainingRows, UnitBuckets};
use spec::{AssembleError, Census, DataSpec, LocalUnits, MissingUnit, assemble, materialise, train_locally};

use crate::cli::TrainArgs;
use crate::run_files::Operated;
use crate::{files, model_file};

pub(crate) fn run(args: &TrainArgs) -> Result<()> {
    let start = Instant::now();
    files::check_place(&args.out)?;
    let operated = Operated::read(&args.file)?;
    let progress = spinner();
    let published = operated.publish(&|text| progress.set_message(text))?;
    if let Some(reason) = &published.summary.degraded {
        progress.suspend(|| eprintln!("{reason}"));
    }
    let spec = &published.spec;
    let units = train(&operated, spec, threads(args.threads.or(operated.file.volunteer.threads)), &progress)?;
    progress.set_message("writing the model");
    write(&operated, spec, units, args)?;
    progress.finish_and_clear();
    let rows: u64 = spec.shards.iter().map(|shard| shard.rows).sum();
    eprintln!(
        "{}: {} layers over {rows} rows in {:.1} s",
        args.out.display(),
        spec.training.layers,
        start.elapsed().as_secs_f64()
    );
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

fn train(operated: &Operated, spec: &DataSpec, threads: usize, progress: &ProgressBar) -> Result<LocalUnits> {
    let cancel = Cancel::new();
    let description = &operated.file.settings.source;
    let pool =
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().context("the training threads")?;
    let mut shard = |path: u32| -> Result<Arc<snake::Table>> {
        progress.set_message(format!("reading the shard of path {path}"));
        let mut tables = materialise(spec, description, &operated.source, &[path], &cancel)?;
        tables.pop().map(Arc::new).context("no shard came out")
    };
    let mut told = |done: spec::UnitDone| {
        progress.set_message(format!("trained {} of {} units", done.done, done.total));
    };
    Ok(pool.install(|| train_locally(spec, &mut shard, &mut told, &cancel))?)
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
