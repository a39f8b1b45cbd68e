//! Reports acknowledged per second, each when it is synced: on the disk of the temporary folder, and on one of which every sync
//! takes 5 ms longer, a commit some 10 ms.

#![allow(missing_docs, reason = "criterion's macros make public items")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark that can't go on has failed")]

use std::fmt;
use std::fs::OpenOptions;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use protocol::{ContentHash, RunId, Unit};
use redb::backends::FileBackend;
use redb::{Database, DatabaseError, StorageBackend};
use store::{FilePlace, Fill, Mark, Opening, Place, Report, ReportName, Store, Trimmed};

/// A disk of which every sync takes longer.
#[derive(Debug)]
struct Slow(FileBackend, Duration);

impl StorageBackend for Slow {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        std::thread::sleep(self.1);
        self.0.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }
}

struct SlowPlace(PathBuf, Duration);

impl fmt::Display for SlowPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.display())
    }
}

impl Place for SlowPlace {
    fn is_there(&self) -> io::Result<bool> {
        FilePlace::new(&self.0).is_there()
    }
    fn make(&self, fill: Fill<'_>) -> Result<(), redb::Error> {
        FilePlace::new(&self.0).make(fill)
    }
    fn open(&self, opening: Opening) -> Result<Database, DatabaseError> {
        let file = OpenOptions::new().read(true).write(true).open(&self.0)?;
        opening.builder().create_with_backend(Trimmed::new(Slow(FileBackend::new(file)?, self.1)))
    }
}

/// Puts `reports` in, so many at a time, with a word about each as a coordinator keeps it; how long until all are acknowledged.
fn acknowledge(reports: u64, length: usize, in_flight: u64, longer: Duration) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let place = SlowPlace(folder.path().join("run.redb"), longer);
    let mark = Mark { run: RunId::from_bytes([1; 32]), fingerprint: [2; 32] };
    let hash = Box::new(|_, body: &[u8]| ContentHash::from_bytes(*blake3::hash(body).as_bytes()));
    let (store, _) = Store::open(Box::new(place), &mark, hash).unwrap();
    let body: Vec<u8> = (0..length).map(|i| (i * 31 % 251) as u8).collect();
    let (answers, answered) = sync_channel(in_flight as usize);
    let put = |n: u64| {
        let unit = Unit::new((n / 50) as u32, (n % 50) as u32);
        let content = ContentHash::from_bytes(*blake3::hash(&n.to_le_bytes()).as_bytes());
        let report = Report { statement: vec![7; 250], body: body.clone() };
        let answers = answers.clone();
        store
            .put(ReportName { unit, order: 0, content }, report, move |outcome| {
                outcome.unwrap();
                answers.send(unit).unwrap();
            })
            .unwrap();
    };
    let start = Instant::now();
    let first = in_flight.min(reports);
    (0..first).for_each(put);
    for n in first..first + reports {
        let unit = answered.recv().unwrap();
        store.keep_word(unit, vec![8; 300], |outcome| outcome.unwrap()).unwrap();
        if n < reports {
            put(n);
        }
    }
    start.elapsed()
}

fn acknowledged(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("acknowledged");
    group.sample_size(10).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(10));
    let cases =
        [(2_000, 64, 0), (50_000, 64, 0), (2_000, 64, 5), (50_000, 64, 5), (2_000, 16, 5), (2_000, 16, 0)];
    for (length, in_flight, longer) in cases {
        let name = format!("{length} bytes, {in_flight} at once, {longer} ms a sync more");
        // A sample is a store of its own, of so many reports for each that is asked for.
        let each = in_flight * 15;
        group.throughput(Throughput::Elements(each));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            let longer = Duration::from_millis(longer);
            bencher.iter_custom(|iterations| {
                (0..iterations).map(|_| acknowledge(each, length, in_flight, longer)).sum()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, acknowledged);
criterion_main!(benches);
