//! Whole processes: the quickstart's network from start to model, against training alone.

#![allow(missing_docs, reason = "criterion's macros make public items")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark that can't go on has failed")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

fn quickstart(criterion: &mut Criterion) {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/breast-cancer.toml");
    let folder = tempfile::tempdir().unwrap();
    let program = |command: &str| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_opendipaco"));
        let model = folder.path().join("model.json");
        program
            .arg(command)
            .arg(&manifest)
            .arg("--out")
            .arg(model)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        program
    };
    let mut group = criterion.benchmark_group("quickstart");
    group.sample_size(10).measurement_time(Duration::from_secs(15));
    for command in ["run", "train"] {
        group.bench_function(command, |bencher| {
            bencher.iter(|| assert!(program(command).status().unwrap().success()));
        });
    }
    group.finish();
}

criterion_group!(benches, quickstart);
criterion_main!(benches);
