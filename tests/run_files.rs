//! The run files in `manifests/`: each is valid, and where its data set is there, it is read, fitted and counted.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

#[path = "rig/mod.rs"]
mod rig;

use std::collections::BTreeSet;
use std::fs;

use rig::{repository, shared, succeed};
use spec::RunFile;

/// A run file without its ending, its data set in `shared/data`, its rows and classes.
const SETS: &[(&str, &str, u64, usize)] = &[
    ("adult", "adult_train.csv.gz", 32_561, 2),
    ("covertype", "covertype.csv.gz", 397_050, 7),
    ("kddcup99", "kddcup99_10pct.csv.gz", 494_021, 23),
    ("sms-spam", "sms_spam.csv", 5_574, 2),
    ("babynames", "babynames.csv.gz", 1_690_784, 2),
];

fn text(name: &str) -> String {
    fs::read_to_string(repository("manifests").join(format!("{name}.toml"))).unwrap()
}

#[test]
fn every_run_file_is_valid_and_listed() {
    let readme = fs::read_to_string(repository("manifests").join("README.md")).unwrap();
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(repository("manifests")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = name.strip_suffix(".toml") else { continue };
        let run = RunFile::parse(&text(name)).unwrap_or_else(|error| panic!("{name}.toml: {error}"));
        assert!(readme.contains(&format!("`{name}.toml`")), "manifests/README.md does not list {name}.toml");
        // What is looked for beside the run file is what its data set is called.
        if let Some((_, data, ..)) = SETS.iter().find(|set| set.0 == name) {
            assert_eq!(run.settings.source.locations, [*data]);
        }
        found.insert(name.to_owned());
    }
    let expected = SETS.iter().map(|set| set.0).chain(["breast-cancer"]).map(str::to_owned).collect();
    assert_eq!(found, expected);
}

/// What stands behind a name in the output of `publish --dry-run`.
fn said<'t>(output: &'t str, name: &str) -> &'t str {
    let line = output.lines().find(|line| line.split_whitespace().next() == Some(name));
    line.unwrap_or_else(|| panic!("no line {name}: {output}")).strip_prefix(name).unwrap().trim_start()
}

fn dry_run(name: &str) {
    let (_, data, rows, classes) = SETS.iter().find(|set| set.0 == name).unwrap();
    let Some(data) = shared(&format!("data/{data}")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let place = fs::canonicalize(&data).unwrap();
    let beside = format!("locations = [\"{}\"]", data.file_name().unwrap().to_str().unwrap());
    let text = text(name);
    assert!(text.contains(&beside), "{text}");
    let there = text.replace(&beside, &format!("locations = ['{}']", place.display()));
    fs::write(folder.path().join("run.toml"), there).unwrap();
    let output = succeed(&["publish", "run.toml", "--dry-run"], folder.path());
    assert!(said(&output, "rows").starts_with(&format!("{rows} (")), "{output}");
    assert!(said(&output, "rows").ends_with(" 0 malformed)"), "{output}");
    assert!(said(&output, "classes").starts_with(&format!("{classes}: ")), "{output}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a dry run writes nothing");
}

#[test]
fn adult_is_as_its_run_file_says() {
    dry_run("adult");
}

#[test]
fn covertype_is_as_its_run_file_says() {
    dry_run("covertype");
}

#[test]
fn kddcup99_is_as_its_run_file_says() {
    dry_run("kddcup99");
}

#[test]
fn sms_spam_is_as_its_run_file_says() {
    dry_run("sms-spam");
}

#[test]
fn babynames_are_as_their_run_file_says() {
    dry_run("babynames");
}
