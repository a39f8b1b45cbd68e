//! The one place where a shard is obtained: through the gate, then from memory, disk or the source.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use snake::{Cancel, Schema, Table};

use self::ahead::PassAhead;
use super::builder::{Builder, Tally};
use super::cancelling::CancellingSource;
use super::disk::{self, DiskCache, DiskCounters};
use super::gate::{Finding, Findings, RoutingCheck};
use super::turn::Turn;
use crate::ahead::RowBytes;
use crate::cache::{CacheCounters, ShardCache, ShardKey};
use crate::data_spec::{DataSpec, Fingerprint};
use crate::error::{MaterialiseError, SpecError};
use crate::materialise::materialise_within;
use crate::run::PublicSource;
use crate::source::RecordSource;
use crate::verify::{RoutingVerdict, verify_routing};

mod ahead;

/// A shard that takes this many bytes or less is made whatever the limit on memory is.
const LEAST_SHARD: usize = 256 << 20;

/// Where a store's shards come from and go to.
pub struct StoreSettings {
    /// The recipe.
    pub spec: Arc<DataSpec>,
    /// How the source is to be read.
    pub description: PublicSource,
    /// The source.
    pub source: Arc<dyn RecordSource>,
    /// The shards in memory. Stores of several runs may share one cache, and with it the limits.
    pub memory: Arc<Mutex<ShardCache>>,
    /// Where shards and findings are kept over restarts; `None`: nowhere.
    pub data_dir: Option<PathBuf>,
    /// How many bytes the shards on disk may take.
    pub disk_bytes: u64,
    /// Whether the router is checked.
    pub check: RoutingCheck,
    /// Names the run, to remember what was found about it: the run's id.
    pub run_key: String,
    /// Is told, in a sentence, what went wrong without stopping anything. Each kind of trouble is told once.
    pub warn: Box<dyn Fn(&str) + Send + Sync>,
}

/// Why there is no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShardError {
    /// The run is not what its operator signed. It is never tried again.
    #[error("the run is refused: {reason}")]
    Refused {
        /// What differs, and where the refusal is remembered.
        reason: String,
    },
    /// It could not be made this time; another time may do.
    #[error("{reason}")]
    Failed {
        /// What happened.
        reason: String,
    },
    /// The run has no such path.
    #[error("there is no path {path}: the run has {paths}")]
    NoSuchPath {
        /// What was asked for.
        path: u32,
        /// How many there are.
        paths: u32,
    },
    /// It was asked to stop.
    #[error("stopped before the shard was complete")]
    Cancelled,
}

/// How often what happened, over all shards of the store (memory: over all stores that share the cache).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreCounters {
    /// The shards in memory.
    pub memory: CacheCounters,
    /// The shards on disk.
    pub disk: DiskCounters,
    /// Shards made from the source.
    pub rebuilds: u64,
    /// How often the source was read for that: a pass makes one shard or several.
    pub passes: u64,
    /// Routers fitted again.
    pub checks: u64,
}

/// Hands out shards. Every call goes through the routing check, whatever is cached; then memory, disk and source are tried
/// in this order. One pass over the source is made at a time.
pub struct ShardStore {
    settings: StoreSettings,
    schema: Arc<Schema>,
    fingerprint: Fingerprint,
    findings: Mutex<Findings>,
    builder: Mutex<Builder>,
    /// What the builder had done when it was last used: for those who can't wait for it.
    tally: Mutex<Tally>,
    /// One pass over the source at a time.
    turn: Turn,
    /// The pass ahead that is being made.
    ahead: Mutex<Option<PassAhead>>,
    /// The folder of the shards on disk.
    shelf: Option<PathBuf>,
    checks: Mutex<u64>,
}

impl ShardStore {
    /// A store of this spec's shards. Reads what is remembered about the run, and nothing of the source.
    ///
    /// # Errors
    /// [`SpecError`] when the spec is not usable.
    pub fn new(settings: StoreSettings) -> Result<Self, SpecError> {
        settings.spec.check()?;
        let fingerprint = settings.spec.fingerprint()?;
        let schema = Arc::new(settings.spec.schema.clone());
        let folder = |name: &str| settings.data_dir.as_ref().map(|folder| folder.join(name));
        let findings = Findings::recall(folder("checks").as_deref(), &settings.run_key);
        let shelf = folder("shards");
        let disk = shelf.clone().map(|folder| DiskCache::new(folder, settings.disk_bytes));
        let builder = Builder::new(disk, &schema);
        Ok(Self {
            settings,
            schema,
            fingerprint,
            findings: Mutex::new(findings),
            builder: Mutex::new(builder),
            tally: Mutex::default(),
            turn: Turn::default(),
            ahead: Mutex::default(),
            shelf,
            checks: Mutex::new(0),
        })
    }

    /// The recipe.
    #[must_use]
    pub fn spec(&self) -> &Arc<DataSpec> {
        &self.settings.spec
    }

    /// The spec's fingerprint.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// What is known about the run so far; `None`: nothing was checked.
    #[must_use]
    pub fn finding(&self) -> Option<Finding> {
        lock(&self.findings).known().cloned()
    }

    /// The shard of a path.
    ///
    /// The first call runs the routing check, where it is required; others wait for it. A table that is handed out stays
    /// alive for as long as it is used, also when the cache has let go of it.
    ///
    /// # Errors
    /// [`ShardError`]: `Refused` for a router or shard that is not what was signed, from then on for every path.
    pub fn shard(&self, path: u32, cancel: &Cancel) -> Result<Arc<Table>, ShardError> {
        self.shard_and_soon(path, &[], cancel)
    }

    /// The shard of a path, where those of the paths `soon` will be wanted next, the first of them first.
    ///
    /// When the source has to be read for `path`, the same pass makes also those of `soon` that are neither in memory nor
    /// on disk: as many as the memory cache may hold beside `path` and what it holds of `soon` already. Shards in memory
    /// that are in neither go first. How large a shard will be is a guess by its published rows and the kinds of its
    /// columns until one was there, and then by the bytes of those; one that turns out too large for memory goes to the
    /// disk alone.
    ///
    /// # Errors
    /// [`ShardError`], as [`shard`](Self::shard). A shard of `soon` that is not what was signed refuses the run too.
    pub fn shard_and_soon(&self, path: u32, soon: &[u32], cancel: &Cancel) -> Result<Arc<Table>, ShardError> {
        let paths = self.settings.spec.paths();
        if path >= paths {
            return Err(ShardError::NoSuchPath { path, paths });
        }
        self.pass_gate(cancel)?;
        let key = self.key(path);
        if let Some(table) = lock(&self.settings.memory).get(key) {
            return Ok(table);
        }
        let soon: Vec<u32> = soon.iter().copied().filter(|soon| *soon < paths && *soon != path).collect();
        if !self.is_made_ahead(path)
            && let Some(table) = self.look_on_disk(path, &soon)
        {
            return Ok(table);
        }
        // A pass ahead that does not make this shard gives way to one that does.
        let wait = || {
            self.make_way(path);
            !cancel.is_cancelled()
        };
        let Some(_turn) = self.turn.take(wait) else { return Err(ShardError::Cancelled) };
        // Another thread may have made it, or found the run to be wrong, while this one waited.
        if let Some(table) = lock(&self.settings.memory).peek(key) {
            return Ok(table);
        }
        self.pass_gate(cancel)?;
        if cancel.is_cancelled() {
            return Err(ShardError::Cancelled);
        }
        if self.is_on_disk(path)
            && let Some(table) = self.look_on_disk(path, &soon)
        {
            return Ok(table);
        }
        self.make(path, &soon, cancel)
    }

    /// The shard of a path from disk; in memory, others go for it, those of `soon` last.
    fn look_on_disk(&self, path: u32, soon: &[u32]) -> Option<Arc<Table>> {
        let StoreSettings { spec, memory, .. } = &self.settings;
        let key = self.key(path);
        let (table, crowded) = self.with_builder(|builder| {
            // It may have been read ahead meanwhile.
            if let Some(table) = lock(memory).peek(key) {
                return Some((table, false));
            }
            // The old table goes before the new one takes memory.
            if builder.is_on_disk(spec, path) {
                let mut memory = lock(memory);
                memory.promote(&self.keys(soon));
                memory.make_room(0);
            }
            let table = Arc::new(builder.read(spec, path, &self.schema)?);
            let mut memory = lock(memory);
            memory.insert(key, Arc::clone(&table));
            Some((table, memory.peek(key).is_none()))
        })?;
        if crowded {
            // What is in use goes before what is made ahead.
            self.make_way(path);
        }
        Some(table)
    }

    fn is_on_disk(&self, path: u32) -> bool {
        let shard = self.settings.spec.shards.get(path as usize);
        shard.zip(self.shelf.as_ref()).is_some_and(|(shard, shelf)| disk::contains(shelf, shard))
    }

    /// Works with the builder, and takes down what it has done by then.
    fn with_builder<T>(&self, work: impl FnOnce(&mut Builder) -> T) -> T {
        let mut builder = lock(&self.builder);
        let out = work(&mut builder);
        *lock(&self.tally) = builder.tally();
        out
    }

    fn key(&self, path: u32) -> ShardKey {
        ShardKey { fingerprint: self.fingerprint, path }
    }

    fn keys(&self, paths: &[u32]) -> Vec<ShardKey> {
        paths.iter().map(|path| self.key(*path)).collect()
    }

    /// The paths whose shards are in memory, ascending.
    #[must_use]
    pub fn in_memory(&self) -> Vec<u32> {
        let keys = lock(&self.settings.memory).keys();
        let mut paths: Vec<u32> =
            keys.iter().filter(|key| key.fingerprint == self.fingerprint).map(|key| key.path).collect();
        paths.sort_unstable();
        paths
    }

    /// The paths whose shards are on disk, ascending. Never waits for a shard that is being made.
    #[must_use]
    pub fn on_disk(&self) -> Vec<u32> {
        (0..self.settings.spec.paths()).filter(|path| self.is_on_disk(*path)).collect()
    }

    /// What happened so far. Never waits for a shard that is being made: what is under way is not counted yet.
    #[must_use]
    pub fn counters(&self) -> StoreCounters {
        let Tally { disk, rebuilds, passes } = *lock(&self.tally);
        let memory = lock(&self.settings.memory).counters();
        StoreCounters { memory, disk, rebuilds, passes, checks: *lock(&self.checks) }
    }

    /// Lets nothing through that is known to be wrong, or that must be checked and is not.
    fn pass_gate(&self, cancel: &Cancel) -> Result<(), ShardError> {
        let mut findings = lock(&self.findings);
        match (findings.known(), self.settings.check) {
            (Some(Finding::Refused(reason)), _) => return Err(refused(reason, &findings)),
            (Some(Finding::Verified | Finding::Unverifiable), _) | (None, RoutingCheck::Off) => return Ok(()),
            (None, RoutingCheck::Required) => {}
        }
        let StoreSettings { spec, description, source, .. } = &self.settings;
        let source = CancellingSource::new(source.as_ref(), cancel);
        let stand_ins = source.stand_ins();
        let verdict = verify_routing(spec, description, &source);
        if cancel.is_cancelled() {
            return Err(ShardError::Cancelled);
        }
        let verdict = verdict.map_err(|error| ShardError::Failed { reason: error.to_string() })?;
        *lock(&self.checks) += 1;
        match verdict {
            RoutingVerdict::Verified => self.keep(&mut findings, Finding::Verified),
            RoutingVerdict::Unverifiable { reason } => {
                let text = format!("the routing can't be checked ({reason}): the hash of each shard decides");
                (self.settings.warn)(&text);
                self.keep(&mut findings, Finding::Unverifiable);
            }
            RoutingVerdict::Mismatch { differs } => {
                let reason = format!("the routing is not what the source gives: {differs}");
                if source.stand_ins() > stand_ins {
                    return Err(ShardError::Failed { reason: stood_in(&reason) });
                }
                self.keep(&mut findings, Finding::Refused(reason.clone()));
                return Err(refused(&reason, &findings));
            }
        }
        Ok(())
    }

    /// Remembers a finding, over a restart if that can be.
    fn keep(&self, findings: &mut Findings, finding: Finding) {
        if let Err(error) = findings.keep(finding) {
            let text = format!("what was found about the run can't be kept over a restart: {error}");
            (self.settings.warn)(&text);
        }
    }

    /// Makes a shard from the source, and those of `soon` that there is room for; all go to disk and into memory.
    fn make(&self, path: u32, soon: &[u32], cancel: &Cancel) -> Result<Arc<Table>, ShardError> {
        let StoreSettings { spec, memory, .. } = &self.settings;
        let most = lock(memory).limits().bytes.max(LEAST_SHARD) as u64;
        let (mut paths, room) = self.with_builder(|builder| {
            let mut held = lock(memory);
            // The old table goes before the new one takes memory, and what is wanted soon is not it.
            held.promote(&self.keys(soon));
            held.make_room(0);
            let paths = builder.choose(spec, path, soon, &self.keys(soon), &mut held);
            let room = Room::reserve(memory, &mut held, paths.len(), builder.bytes(spec, &paths));
            (paths, room)
        });
        let tables = self.pass(&mut paths, most, cancel)?;
        drop(room);
        let mut memory = lock(memory);
        let mut room = memory.limits().bytes;
        let mut fit = Vec::new();
        for (key, table) in self.keys(&paths).into_iter().zip(&tables) {
            // Nothing that was just made has to go for another one of them. The wanted one comes first in any case.
            if let Some(left) = room.checked_sub(table.memory()) {
                room = left;
                fit.push((key, table));
            } else if fit.is_empty() {
                fit.push((key, table));
                room = 0;
            }
        }
        // The last to go in is the most recently used.
        for (key, table) in fit.into_iter().rev() {
            memory.insert(key, Arc::clone(table));
        }
        tables.into_iter().next().ok_or(ShardError::NoSuchPath { path, paths: spec.paths() })
    }

    /// The tables of `paths` in one pass over the source, kept on disk; of the first alone where all are larger than was
    /// guessed, and then `paths` is that one. Whoever calls has the turn.
    fn pass(&self, paths: &mut Vec<u32>, most: u64, cancel: &Cancel) -> Result<Vec<Arc<Table>>, ShardError> {
        let StoreSettings { spec, description, source, .. } = &self.settings;
        let stand_ins = source.stand_ins();
        let rows = |path: &u32| spec.shards.get(*path as usize).map_or(0, |shard| shard.rows);
        let make = |paths: &[u32]| {
            if paths.iter().any(|path| RowBytes::least(&spec.schema, rows(path)) > most) {
                return Err(MaterialiseError::TooLarge { most });
            }
            materialise_within(spec, description, source.as_ref(), paths, most, cancel)
        };
        let mut tables = make(paths);
        if matches!(tables, Err(MaterialiseError::TooLarge { .. })) && paths.len() > 1 {
            paths.truncate(1);
            tables = make(paths);
        }
        let path = paths.first().copied().unwrap_or_default();
        let tables = tables.map_err(|error| self.fault(error, path, source.stand_ins() > stand_ins))?;
        let trouble = self.with_builder(|builder| {
            builder.note(&tables);
            builder.keep(spec, paths, &tables)
        });
        if let Some(error) = trouble {
            let text = format!("shards can't be kept on disk ({error}); training goes on without");
            (self.settings.warn)(&text);
        }
        Ok(tables.into_iter().map(Arc::new).collect())
    }

    /// What it means that a pass for the shard of `path` did not give it. A refusal is remembered, unless a mirror stood in.
    fn fault(&self, error: MaterialiseError, path: u32, stand_in: bool) -> ShardError {
        match error {
            MaterialiseError::TooLarge { .. } => ShardError::Failed {
                reason: format!(
                    "the shard of path {path}: {error}: raise --max-shard-memory if this machine has more"
                ),
            },
            MaterialiseError::Cancelled => ShardError::Cancelled,
            error if error.is_refusal() && stand_in => {
                ShardError::Failed { reason: stood_in(&error.to_string()) }
            }
            error if error.is_refusal() => {
                let mut findings = lock(&self.findings);
                let reason = error.to_string();
                self.keep(&mut findings, Finding::Refused(reason.clone()));
                refused(&reason, &findings)
            }
            error => ShardError::Failed { reason: error.to_string() },
        }
    }
}

/// Room in memory that is kept for tables that are being made. Given back when it is dropped.
struct Room<'a> {
    memory: &'a Mutex<ShardCache>,
    shards: usize,
    bytes: usize,
}

impl<'a> Room<'a> {
    fn reserve(memory: &'a Mutex<ShardCache>, held: &mut ShardCache, shards: usize, bytes: usize) -> Self {
        held.reserve(shards, bytes);
        Self { memory, shards, bytes }
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        lock(self.memory).release(self.shards, self.bytes);
    }
}

/// What differs may be the fault of a mirror: no run is refused for it.
fn stood_in(reason: &str) -> String {
    format!("{reason}. A mirror stood in for a place that could not be read, so it is tried again later")
}

fn refused(reason: &str, findings: &Findings) -> ShardError {
    let reason = match findings.file() {
        Some(file) => format!(
            "{reason}. It is not tried again; if the fault was in the file on this machine, delete {} first",
            file.display()
        ),
        None => format!("{reason}. It is not tried again"),
    };
    ShardError::Refused { reason }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
