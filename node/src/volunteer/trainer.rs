//! Training, on threads of its own: one unit at a time, its leaves side by side on the volunteer's cores.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use protocol::{ContentHash, Unit};
use snake::{Cancel, Prepared, TrainError};
use spec::{Finding, ShardError, ShardStore, StoreCounters, train_unit_of};
use tokio::sync::mpsc;

use super::ahead::Ahead;
use super::keeping::{Keeper, Keeping, Trained};

/// Jobs that wait for the trainer: the machine asks for one at a time and may have given one up in between.
const JOBS: usize = 8;

/// A unit to be trained.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) unit: Unit,
    /// Paths whose shards will be wanted next.
    pub(crate) soon: Vec<u32>,
    pub(crate) cancel: Cancel,
}

/// How far a job is, and what the shard store looks like after its training.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) unit: Unit,
    pub(crate) outcome: Outcome,
    pub(crate) shards: Option<Shards>,
}

/// The shard store after a job.
#[derive(Debug)]
pub(crate) struct Shards {
    pub(crate) in_memory: BTreeSet<u32>,
    pub(crate) on_disk: BTreeSet<u32>,
    pub(crate) counters: StoreCounters,
    /// What is known about the run's routing.
    pub(crate) finding: Option<Finding>,
}

/// How a job ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The training is through; the end comes when the report is put away.
    Trained,
    /// The unit's report is in the outbox; `trouble`: only in memory, and why.
    Kept { content: ContentHash, bytes: u64, rows: u64, seconds: f64, trouble: Option<String> },
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

/// What the training thread works with.
pub(crate) struct Workshop {
    /// Where shards come from, and the gate in front of them.
    pub(crate) store: Arc<ShardStore>,
    /// Puts reports away: they are on disk before anybody hears of them.
    pub(crate) keeper: Keeper,
    /// How many cores to use.
    pub(crate) threads: usize,
}

impl Trainer {
    /// Starts the thread. Every job ends with one [`Told`] in `told`; of one that was trained another comes before.
    pub(crate) fn start(workshop: Workshop, told: mpsc::Sender<Told>) -> Result<Self> {
        let Workshop { store, keeper, threads } = workshop;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("leaf-{i}"))
            .build()
            .context("the training threads can't be started")?;
        let ahead = Ahead::start(Arc::clone(&store))?;
        let keeping = Keeping::start(keeper, told.clone())?;
        let bench = Bench { store, pool, ahead, keeping };
        let (jobs, inbox) = mpsc::channel(JOBS);
        std::thread::Builder::new()
            .name("trainer".into())
            .spawn(move || bench.work(inbox, &told))
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

/// What the training thread has in front of it.
struct Bench {
    store: Arc<ShardStore>,
    pool: rayon::ThreadPool,
    ahead: Ahead,
    keeping: Keeping,
}

impl Bench {
    fn work(&self, mut jobs: mpsc::Receiver<Job>, told: &mpsc::Sender<Told>) {
        let mut current: Current = None;
        while let Some(job) = jobs.blocking_recv() {
            let trained = match job.cancel.is_cancelled() {
                true => Err(Outcome::Cancelled),
                false => self.train(&mut current, &job),
            };
            let outcome = match trained.map(|trained| self.keeping.take(trained)) {
                // Who took it tells of it.
                Ok(true) => continue,
                Ok(false) => return,
                Err(outcome) => outcome,
            };
            let shards = Some(self.shards());
            if told.blocking_send(Told { unit: job.unit, outcome, shards }).is_err() {
                return;
            }
        }
    }

    fn shards(&self) -> Shards {
        let store = &self.store;
        Shards {
            in_memory: store.in_memory().into_iter().collect(),
            on_disk: store.on_disk().into_iter().collect(),
            counters: store.counters(),
            finding: store.finding(),
        }
    }

    /// Trains a unit. The error is how it ended else.
    fn train(&self, current: &mut Current, job: &Job) -> Result<Trained, Outcome> {
        let start = Instant::now();
        let (spec, fingerprint) = (self.store.spec(), self.store.fingerprint());
        let Unit { path, layer, .. } = job.unit;
        if current.as_ref().is_some_and(|(held, _)| *held != path) {
            *current = None;
        }
        // Asked for every time: the gate is there, and the cache learns what is in use.
        let table = self.store.shard_and_soon(path, &job.soon, &job.cancel).map_err(|error| match error {
            ShardError::Cancelled => Outcome::Cancelled,
            ShardError::Refused { reason } => Outcome::Refused(reason),
            error => Outcome::Failed(error.to_string()),
        })?;
        self.ahead.wish(path, &job.soon);
        let rows = table.rows() as u64;
        let prepare = || self.pool.install(|| Prepared::new(table, spec.training.profile));
        let (_, prepared) = current.get_or_insert_with(|| (path, prepare()));
        let train = || train_unit_of(spec, fingerprint, prepared, path, layer, &job.cancel);
        let buckets = self.pool.install(train).map_err(|error| match error {
            TrainError::Cancelled => Outcome::Cancelled,
            error => Outcome::Failed(error.to_string()),
        })?;
        let seconds = start.elapsed().as_secs_f64();
        Ok(Trained { unit: job.unit, buckets, rows, seconds, shards: self.shards() })
    }
}
