//! Training, on threads of its own: one unit at a time, its leaves side by side on the volunteer's cores.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};
use protocol::{ContentHash, Identity, ReportLimits, Unit, content_hash, decode_report, encode_report};
use snake::{Cancel, Prepared, TrainError};
use spec::{Finding, ShardError, ShardStore, StoreCounters, train_unit_of};
use tokio::sync::mpsc;

use super::ahead::Ahead;
use super::outbox::Outbox;

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
    /// What is known about the run's routing.
    pub(crate) finding: Option<Finding>,
}

/// How a job ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The unit's report is in the outbox; `trouble`: only in memory, and why.
    Trained { content: ContentHash, bytes: u64, rows: u64, seconds: f64, trouble: Option<String> },
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
    /// Where reports go: they are on disk before anybody hears of them.
    pub(crate) outbox: Outbox,
    /// Signs the reports.
    pub(crate) identity: Identity,
    /// How many cores to use.
    pub(crate) threads: usize,
}

impl Trainer {
    /// Starts the thread. Every job ends with one [`Done`] in `done`.
    pub(crate) fn start(workshop: Workshop, done: mpsc::Sender<Done>) -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(workshop.threads)
            .thread_name(|i| format!("leaf-{i}"))
            .build()
            .context("the training threads can't be started")?;
        let ahead = Ahead::start(Arc::clone(&workshop.store))?;
        let (jobs, inbox) = mpsc::channel(JOBS);
        std::thread::Builder::new()
            .name("trainer".into())
            .spawn(move || workshop.work(&pool, &ahead, inbox, &done))
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

impl Workshop {
    fn work(
        &self,
        pool: &rayon::ThreadPool,
        ahead: &Ahead,
        mut jobs: mpsc::Receiver<Job>,
        done: &mpsc::Sender<Done>,
    ) {
        let mut current: Current = None;
        while let Some(job) = jobs.blocking_recv() {
            let outcome = match job.cancel.is_cancelled() {
                true => Outcome::Cancelled,
                false => self.train(pool, ahead, &mut current, &job).unwrap_or_else(|outcome| outcome),
            };
            let store = &self.store;
            let shards = Shards {
                in_memory: store.in_memory().into_iter().collect(),
                on_disk: store.on_disk().into_iter().collect(),
                counters: store.counters(),
                finding: store.finding(),
            };
            if done.blocking_send(Done { unit: job.unit, outcome, shards }).is_err() {
                return;
            }
        }
    }

    /// Trains a unit and puts its report into the outbox. Both sides are how it ended.
    fn train(
        &self,
        pool: &rayon::ThreadPool,
        ahead: &Ahead,
        current: &mut Current,
        job: &Job,
    ) -> Result<Outcome, Outcome> {
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
        ahead.wish(path, &job.soon);
        let rows = table.rows() as u64;
        let (_, prepared) = current
            .get_or_insert_with(|| (path, pool.install(|| Prepared::new(table, spec.training.profile))));
        let trained = pool.install(|| train_unit_of(spec, fingerprint, prepared, path, layer, &job.cancel));
        let buckets = trained.map_err(|error| match error {
            TrainError::Cancelled => Outcome::Cancelled,
            error => Outcome::Failed(error.to_string()),
        })?;
        let report = encode_report(&buckets).map_err(|error| Outcome::Failed(error.to_string()))?;
        // A report that no coordinator takes is said here, not lost there.
        let limits = ReportLimits::for_path(&spec.schema, rows);
        if let Err(error) = decode_report(&report, limits) {
            return Err(Outcome::Failed(format!("no coordinator would take its report: {error}")));
        }
        let content = content_hash(&fingerprint, job.unit, &report);
        let (bytes, seconds) = (report.len() as u64, start.elapsed().as_secs_f64());
        let kept = self.outbox.keep(&self.identity, job.unit, content, report);
        let trouble = kept.err().map(|error| format!("{error:#}"));
        Ok(Outcome::Trained { content, bytes, rows, seconds, trouble })
    }
}
