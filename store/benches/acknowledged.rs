//! Reports acknowledged per second: 64 on their way at once, each answered when it is synced, on the disk of the temporary folder.

#![allow(missing_docs, reason = "criterion's macros make public items")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark that can't go on has failed")]

use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use protocol::{ContentHash, RunId, Unit};
use store::{FilePlace, Mark, Report, ReportName, Store};

const IN_FLIGHT: u64 = 64;

/// Puts `reports` in, so many at a time, with a word about each as a coordinator keeps it; how long until all are acknowledged.
fn acknowledge(reports: u64, length: usize, in_flight: u64) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let place = FilePlace::new(&folder.path().join("run.redb"));
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
    for (length, in_flight) in [(2_000, IN_FLIGHT), (50_000, IN_FLIGHT), (2_000, 1)] {
        let name = format!("{length} bytes, {in_flight} at once");
        // A sample is a store of its own, of so many reports for each that is asked for.
        let each = if in_flight == 1 { 20 } else { 1_000 };
        group.throughput(Throughput::Elements(each));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter_custom(|iterations| {
                (0..iterations).map(|_| acknowledge(each, length, in_flight)).sum()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, acknowledged);
criterion_main!(benches);
