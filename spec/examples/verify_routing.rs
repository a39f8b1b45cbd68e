//! How long `verify_routing` takes: `cargo run --release -p spec --features io --example verify_routing -- TABLE.csv TARGET`.
//!
//! A k-means router of 8 paths on 10,000 rows, the first ones and then a reservoir, from a file on disk; the best of five.

#![allow(clippy::expect_used, reason = "a measurement that can't go on has failed")]

use std::fs;
use std::path::Path;
use std::time::Instant;

use spec::{RoutingVerdict, SourcePlaces, publish, read_run_file, verify_routing};

fn main() {
    let mut args = std::env::args().skip(1);
    let (Some(table), Some(target)) = (args.next(), args.next()) else {
        eprintln!("verify_routing TABLE.csv TARGET");
        return;
    };
    let table = Path::new(&table).canonicalize().expect("the table");
    let folder = tempfile::tempdir().expect("a temporary folder");
    for sampling in ["prefix", "reservoir"] {
        let text = format!(
            "name = \"verify\"\n[source]\nlocations = [{:?}]\ntarget = {target:?}\n[routing]\npaths = 8\nsample = 10000\nsampling = {sampling:?}\n",
            table.display().to_string()
        );
        let path = folder.path().join("run.toml");
        fs::write(&path, text).expect("a run file");
        let file = read_run_file(&path).expect("a sound run file");
        let source = SourcePlaces::default().of_run_file(&file, folder.path()).expect("the table");
        let spec = publish(&file.settings, &source, &mut |_| {}).expect("a sound table").spec;
        let once = || {
            let start = Instant::now();
            let verdict = verify_routing(&spec, &file.settings.source, &source).expect("the source");
            assert_eq!(verdict, RoutingVerdict::Verified);
            start.elapsed().as_secs_f64()
        };
        let best = (0..5).map(|_| once()).fold(f64::INFINITY, f64::min);
        println!("{sampling}: {best:.3} s");
    }
}
