//! Training, on threads of its own: one unit at a time, its leaves side by side on the volunteer's cores.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use protocol::{ContentHash, Unit, content_hash, encode_report};
use snake::{Cancel, Prepared, TrainError, UnitJob, UnitSeed, train_unit};
use spec::io::{ShardError, ShardStore, StoreCounters};
use tokio::sync::mpsc;

/// Jobs that wait for the trainer: the machine asks for one at a time and may have given one up in between.
const JOBS: usize = 8;

/// A unit to be trained.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) unit: Unit,
    pub(crate) cancel: Cancel,
}

/// How a job ended, and what the shard store looks like now.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) unit: Unit,
    pub(crate) outcome: Outcome,
    pub(crate) shards: Shards,
}

/// The shard store after a job.
#[derive(Debug)]
pub(crate) struct Shards {
    pub(crate) in_memory: BTreeSet<u32>,
    pub(crate) on_disk: BTreeSet<u32>,
    pub(crate) counters: StoreCounters,
}

/// How a job ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The unit's report.
    Trained { content: ContentHash, report: Vec<u8>, rows: u64, seconds: f64 },
    /// Given up on request.
    Cancelled,
    /// It may go better another time.
    Failed(String),
    /// The run is not what its operator signed.
    Refused(String),
}

/// A handle on the training thread. It ends when the handle is dropped and the job in hand is over.
pub(crate) struct Trainer {
    jobs: mpsc::Sender<Job>,
}

impl Trainer {
    /// Starts the thread, with so many cores. Every job ends with one [`Done`] in `done`.
    pub(crate) fn start(store: Arc<ShardStore>, threads: usize, done: mpsc::Sender<Done>) -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("leaf-{i}"))
            .build()
            .context("the training threads can't be started")?;
        let (jobs, inbox) = mpsc::channel(JOBS);
        std::thread::Builder::new()
            .name("trainer".into())
            .spawn(move || work(&store, &pool, inbox, &done))
            .context("the training thread can't be started")?;
        Ok(Self { jobs })
    }

    /// Hands over a job; false when there is no room, which the machine takes as a failure.
    pub(crate) fn train(&self, job: Job) -> bool {
        self.jobs.try_send(job).is_ok()
    }
}

/// The shard in use, ready for training: kept from unit to unit of one path, let go of before another is made, so that
/// no more shards are in memory than allowed.
type Current = Option<(u32, Prepared)>;

fn work(store: &ShardStore, pool: &rayon::ThreadPool, mut jobs: mpsc::Receiver<Job>, done: &mpsc::Sender<Done>) {
    let mut current: Current = None;
    while let Some(job) = jobs.blocking_recv() {
        let outcome = if job.cancel.is_cancelled() { Outcome::Cancelled } else { train(store, pool, &mut current, &job) };
        let shards = Shards {
            in_memory: store.in_memory().into_iter().collect(),
            on_disk: store.on_disk().into_iter().collect(),
            counters: store.counters(),
        };
        if done.blocking_send(Done { unit: job.unit, outcome, shards }).is_err() {
            return;
        }
    }
}

fn train(store: &ShardStore, pool: &rayon::ThreadPool, current: &mut Current, job: &Job) -> Outcome {
    let start = Instant::now();
    let spec = store.spec();
    let path = job.unit.path;
    if current.as_ref().is_some_and(|(held, _)| *held != path) {
        *current = None;
    }
    // Asked for every time: the gate is there, and the cache learns what is in use.
    let table = match store.shard(path, &job.cancel) {
        Ok(table) => table,
        Err(ShardError::Cancelled) => return Outcome::Cancelled,
        Err(ShardError::Refused { reason }) => return Outcome::Refused(reason),
        Err(error) => return Outcome::Failed(error.to_string()),
    };
    let rows = table.rows() as u64;
    let (_, prepared) =
        current.get_or_insert_with(|| (path, pool.install(|| Prepared::new(table, spec.training.profile))));
    let prefix: Vec<_> = spec.path_literal(path).into_iter().collect();
    let seed = UnitSeed {
        fingerprint: *store.fingerprint().as_bytes(),
        seed: spec.training.seed,
        path,
        layer: job.unit.layer,
    };
    let job = UnitJob { prepared, training: &spec.training, seed, prefix: &prefix, cancel: &job.cancel };
    let unit = protocol::Unit::new(path, seed.layer);
    match pool.install(|| train_unit(&job)) {
        Ok(buckets) => match encode_report(&buckets) {
            Ok(report) => {
                let content = content_hash(&store.fingerprint(), unit, &report);
                Outcome::Trained { content, report, rows, seconds: start.elapsed().as_secs_f64() }
            }
            Err(error) => Outcome::Failed(error.to_string()),
        },
        Err(TrainError::Cancelled) => Outcome::Cancelled,
        Err(error) => Outcome::Failed(error.to_string()),
    }
}
