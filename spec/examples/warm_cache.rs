//! How long a shard of 100,000 rows takes: made from a CSV file on disk, read from the warm disk cache, and kept there.
//!
//! `cargo run --release -p spec --features io --example warm_cache`, or with a folder for the files behind it. The rows are
//! made up, with the shape of Adult: six numbers, eight texts of few values, two classes.

#![allow(clippy::expect_used, clippy::panic, reason = "a measurement that can't go on has failed")]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use snake::Cancel;
use spec::{
    DataSpec, DiskCache, MemoryLimits, RoutingCheck, RunFile, ShardCache, ShardStore, SourcePlaces,
    StoreSettings, publish, read_run_file,
};

const ROWS: u64 = 100_000;

fn write_table(path: &Path, rows: u64) -> std::io::Result<()> {
    let mut state = 7u64;
    let mut next = move |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    let mut out = BufWriter::new(File::create(path)?);
    for column in 0..14 {
        write!(out, "column{column},")?;
    }
    writeln!(out, "class")?;
    for _ in 0..rows {
        for _ in 0..6 {
            write!(out, "{},", next(100_000))?;
        }
        for column in 6..14 {
            write!(out, "Kind-{} of {column},", next(12))?;
        }
        writeln!(out, "{}", if next(4) == 0 { ">50K" } else { "<=50K" })?;
    }
    out.flush()
}

/// The thread's processor time where there is a /proc that says so, so that others on the machine don't count; else time.
struct Clock(Instant, Option<f64>);

impl Clock {
    fn start() -> Self {
        Self(Instant::now(), Self::busy())
    }

    fn stop(&self) -> Spent {
        let wall = self.0.elapsed().as_secs_f64();
        let busy = match (self.1, Self::busy()) {
            (Some(before), Some(now)) => now - before,
            _ => wall,
        };
        Spent { busy, wall }
    }

    fn busy() -> Option<f64> {
        let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        Some(text.split(' ').next()?.parse::<f64>().ok()? / 1e9)
    }
}

/// Seconds.
struct Spent {
    busy: f64,
    wall: f64,
}

impl Spent {
    /// The least of several.
    fn least(times: u32, once: impl FnMut(u32) -> Self) -> Self {
        let least = |a: Self, b: Self| Self { busy: a.busy.min(b.busy), wall: a.wall.min(b.wall) };
        (0..times).map(once).reduce(least).unwrap_or(Self { busy: 0.0, wall: 0.0 })
    }
}

impl std::fmt::Display for Spent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.4} s ({:.4} s passed)", self.busy, self.wall)
    }
}

struct Run {
    folder: PathBuf,
    file: RunFile,
    spec: Arc<DataSpec>,
}

impl Run {
    fn new(folder: PathBuf, rows: u64, routing: &str) -> Self {
        fs::create_dir_all(&folder).expect("a folder");
        write_table(&folder.join("rows.csv"), rows).expect("a table");
        let text = format!(
            "name = \"warm\"\n[source]\nlocations = [\"rows.csv\"]\ntarget = \"class\"\n[routing]\n{routing}\n"
        );
        fs::write(folder.join("run.toml"), text).expect("a run file");
        let file = read_run_file(&folder.join("run.toml")).expect("a sound run file");
        let source = SourcePlaces::default().of_run_file(&file, &folder).expect("the table");
        let spec = Arc::new(publish(&file.settings, &source, &mut |_| {}).expect("a sound table").spec);
        Self { folder, file, spec }
    }

    fn store(&self) -> ShardStore {
        let source = SourcePlaces::default().of_run_file(&self.file, &self.folder).expect("the table");
        ShardStore::new(StoreSettings {
            spec: Arc::clone(&self.spec),
            description: self.file.settings.source.clone(),
            source: Arc::new(source),
            memory: Arc::new(Mutex::new(ShardCache::new(MemoryLimits { shards: 1, bytes: usize::MAX }))),
            data_dir: Some(self.folder.join("data")),
            disk_bytes: u64::MAX,
            check: RoutingCheck::Off,
            run_key: "warm".into(),
            warn: Box::new(|text| panic!("{text}")),
        })
        .expect("a sound spec")
    }

    /// What the shard of path 0 takes.
    fn shard(&self, warm: bool) -> Spent {
        Spent::least(if warm { 20 } else { 5 }, |_| {
            if !warm {
                let _ = fs::remove_dir_all(self.folder.join("data"));
            }
            let store = self.store();
            let clock = Clock::start();
            let table = store.shard(0, &Cancel::new()).expect("the shard");
            let spent = clock.stop();
            assert_eq!(table.rows() as u64, self.spec.shards.first().map_or(0, |shard| shard.rows));
            assert_eq!(store.counters().disk.hits, u64::from(warm));
            spent
        })
    }

    /// What it takes to keep the shard of path 0 on disk, synced.
    fn keep(&self) -> Spent {
        let table = self.store().shard(0, &Cancel::new()).expect("the shard");
        let shard = self.spec.shards.first().expect("a path");
        Spent::least(5, |i| {
            let folder = self.folder.join(format!("kept-{i}"));
            let mut cache = DiskCache::new(folder.clone(), u64::MAX);
            let clock = Clock::start();
            cache.put(&[(shard, &*table)]).expect("room on the disk");
            let spent = clock.stop();
            fs::remove_dir_all(folder).expect("a folder of ours");
            spent
        })
    }
}

fn main() {
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let base = std::env::args_os().nth(1).map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    for (name, rows, routing) in [
        ("1 of 1 path", ROWS, "kind = \"kmeans\"\npaths = 1"),
        ("1 of 8 paths, in turn", 8 * ROWS, "kind = \"round_robin\"\npaths = 8"),
        ("1 of 8 paths, k-means", 8 * ROWS, "kind = \"kmeans\"\npaths = 8"),
    ] {
        let run = Run::new(base.join(name.replace(' ', "-")), rows, routing);
        let (made, warm, kept) = (run.shard(false), run.shard(true), run.keep());
        let rows = run.spec.shards.first().map_or(0, |shard| shard.rows);
        println!(
            "{name}: {rows} rows of {}; from the source {made}, from disk {warm}: {:.1} times as fast; to keep it {kept}",
            run.spec.shards.iter().map(|shard| shard.rows).sum::<u64>(),
            made.busy / warm.busy
        );
    }
}
