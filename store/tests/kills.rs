//! A process that takes in reports is killed, again and again, over the same file: what it acknowledged is there.
//!
//! The child is this very test program, told by a variable to run [`child`] alone.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::sync_channel;

use protocol::Unit;
use store::{FilePlace, Found, Report, ReportName, Store};
use support::{hash, mark, report};

const FOLDER: &str = "STORE_KILLS_FOLDER";
const ROUND: &str = "STORE_KILLS_ROUND";
/// Reports that are on their way at once.
const IN_FLIGHT: u32 = 64;
/// More than any child comes to.
const REPORTS: u32 = 100_000;

fn open(folder: &Path) -> (Store, Found) {
    Store::open(Box::new(FilePlace::new(&folder.join("run.redb"))), &mark(), hash()).unwrap()
}

/// The n-th report of a round: of any size from nothing to 40 KB.
fn nth(round: u32, n: u32) -> (ReportName, Report) {
    let length = n.wrapping_mul(2_654_435_761) % 40_000;
    report(Unit::new(round, n), 0, n as u8, length as usize)
}

/// The process that is killed. Without the variables it is a test of nothing.
#[test]
fn child() {
    let (Some(folder), Ok(round)) = (env::var_os(FOLDER).map(PathBuf::from), env::var(ROUND)) else { return };
    let round: u32 = round.parse().unwrap();
    let (store, _) = open(&folder);
    let (answers, answered) = sync_channel(IN_FLIGHT as usize);
    let put = |n: u32| {
        let (name, report) = nth(round, n);
        let answers = answers.clone();
        store.put(name, report, move |outcome| answers.send(outcome.map(|()| n)).unwrap()).unwrap();
    };
    (0..IN_FLIGHT).for_each(put);
    let mut out = std::io::stdout();
    for next in IN_FLIGHT..REPORTS {
        let n = answered.recv().unwrap().unwrap();
        writeln!(out, "\nacknowledged {n}").unwrap();
        out.flush().unwrap();
        put(next);
    }
}

/// Starts a child and kills it after so many acknowledgements; gives all that it had said by then.
fn killed(folder: &Path, round: u32, after: usize) -> BTreeSet<u32> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut acknowledged = BTreeSet::new();
    if after == 0 {
        child.kill().unwrap();
    }
    for line in lines.map_while(Result::ok) {
        let Some(n) = line.strip_prefix("acknowledged ") else { continue };
        acknowledged.insert(n.parse().unwrap());
        if acknowledged.len() == after {
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert!(!status.success(), "round {round} was to be killed");
    acknowledged
}

/// Kills so many processes over one file; gives how many reports were acknowledged.
fn kills(rounds: std::ops::Range<u32>) -> usize {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = BTreeSet::new();
    for round in rounds {
        // From at once to within the fifth commit or so.
        let after = (round as usize * 7_919) % 301;
        acknowledged.extend(killed(folder.path(), round, after).into_iter().map(|n| (round, n)));
        let (store, found) = open(folder.path());
        assert!(found.damaged.is_empty(), "round {round}: {:?}", found.damaged);
        let there: BTreeSet<(u32, u32)> = found.reports.keys().map(|unit| (unit.path, unit.layer)).collect();
        let lost: Vec<_> = acknowledged.difference(&there).collect();
        assert!(lost.is_empty(), "round {round}: acknowledged and lost: {lost:?}");
        for name in found.reports.values().flatten().filter(|name| name.unit.path == round) {
            let (put, report) = nth(round, name.unit.layer);
            assert!(*name == put && store.get(put).unwrap() == report, "round {round}: {name}");
        }
        store.close();
    }
    acknowledged.len()
}

#[test]
fn nothing_acknowledged_is_lost_over_many_kills() {
    let files = if env::var_os("OPENDIPACO_LONG").is_some() { 10 } else { 1 };
    let acknowledged: usize = (0..files).map(|file| kills(file * 20..(file + 1) * 20)).sum();
    println!("{} kills, {acknowledged} reports acknowledged, none lost", files * 20);
}
