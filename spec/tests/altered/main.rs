//! Every field of a published routing, schema and shards section altered in turn: what loading, `verify_routing` and the shard
//! store say of each. The fields are found by walking the serialised spec, so that one that is added later has no row
//! in the table and fails here.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // also in what the tests share

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use snake::Cancel;
use spec::{
    DataSpec, KMeansSettings, MemoryLimits, PublicSource, RecordSource, RoutingCheck, RoutingSettings,
    RoutingVerdict, Sampling, ShardCache, ShardError, ShardStore, StoreSettings, VecSource, verify_routing,
};

#[path = "../support/mod.rs"]
mod support;
mod table;
mod walk;

use table::{Outcome, ROWS, Row, Shards};
use walk::{Place, alter, places};

/// A published spec: k-means on the first rows, on a reservoir, on all rows, or round robin.
struct Base {
    /// Its letter in the table.
    letter: char,
    description: PublicSource,
    source: Arc<VecSource>,
    spec: DataSpec,
}

fn bases() -> Vec<Base> {
    let kmeans = |sample, sampling| {
        let seeds = KMeansSettings { seed: 3, featurizer_seed: 5, ..support::kmeans(4) };
        RoutingSettings::KMeans(KMeansSettings { sample, sampling, ..seeds })
    };
    let base = |letter, routing| {
        let source = Arc::new(support::people(200));
        let settings = support::settings("class", routing);
        let spec = support::published(&settings, &source).spec;
        Base { letter, description: settings.source, source, spec }
    };
    vec![
        base('p', kmeans(150, Sampling::Prefix)),
        base('r', kmeans(150, Sampling::Reservoir)),
        base('a', kmeans(0, Sampling::Prefix)),
        base('o', RoutingSettings::RoundRobin { paths: 4 }),
    ]
}

/// What was found about an altered spec.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    /// Loading, or the verdict.
    words: String,
    stage: Stage,
    shards: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Load,
    Mismatch,
    Verified,
}

fn store(base: &Base, spec: &DataSpec, check: RoutingCheck) -> ShardStore {
    ShardStore::new(StoreSettings {
        spec: Arc::new(spec.clone()),
        description: base.description.clone(),
        source: Arc::clone(&base.source) as Arc<dyn RecordSource>,
        memory: Arc::new(Mutex::new(ShardCache::new(MemoryLimits { shards: 4, bytes: 1 << 30 }))),
        data_dir: None,
        disk_bytes: 0,
        check,
        run_key: "run".into(),
        warn: Box::new(|text| panic!("warned: {text}")),
    })
    .unwrap()
}

/// The first refusal of a shard, or nothing.
fn refusal(store: &ShardStore) -> Option<String> {
    let paths = 0..store.spec().paths();
    paths.map(|path| store.shard(path, &Cancel::new())).find_map(|made| match made {
        Ok(_) => None,
        Err(ShardError::Refused { reason }) => Some(reason),
        Err(error) => panic!("a readable source is refused or taken: {error}"),
    })
}

fn find(base: &Base, altered: &Value) -> Found {
    let load = |error: String| Found { words: error, stage: Stage::Load, shards: String::new() };
    let spec: DataSpec = match serde_json::from_value(altered.clone()) {
        Ok(spec) => spec,
        Err(error) => return load(error.to_string()),
    };
    if let Err(error) = spec.check() {
        return load(error.to_string());
    }
    // As when a manifest is opened: what is not written back as it was read is not its canonical form.
    if serde_json::to_value(&spec).unwrap() != *altered {
        return load("a field that is read over".into());
    }
    assert_ne!(spec.fingerprint().unwrap(), base.spec.fingerprint().unwrap(), "it is another run");
    let verdict = verify_routing(&spec, &base.description, base.source.as_ref()).unwrap();
    let shards = refusal(&store(base, &spec, RoutingCheck::Off));
    let checked = refusal(&store(base, &spec, RoutingCheck::Required));
    let (words, stage) = match verdict {
        RoutingVerdict::Verified => {
            assert_eq!(checked, shards, "a verified router leaves it to the shards");
            (String::new(), Stage::Verified)
        }
        RoutingVerdict::Mismatch { differs } => {
            let reason = checked.unwrap();
            assert!(reason.contains(&differs), "the store says what differs: {reason}");
            (differs, Stage::Mismatch)
        }
        RoutingVerdict::Unverifiable { reason } => panic!("the source has rows enough: {reason}"),
    };
    Found { words, stage, shards: shards.unwrap_or_default() }
}

fn shards_of(found: &Found, shards: Shards) -> bool {
    match shards {
        Shards::Fine => found.shards.is_empty(),
        Shards::Wrong => found.shards.contains("were published: the source is not what the operator signed"),
        Shards::FineOrWrong => shards_of(found, Shards::Fine) || shards_of(found, Shards::Wrong),
        Shards::AbsentClass => found.shards.contains("no row of the source has the class"),
        Shards::Refused(words) => !words.is_empty() && found.shards.contains(words),
    }
}

fn fits(row: &Row, found: &Found) -> bool {
    let says = |words: &str| words.split('|').any(|words| found.words.contains(words));
    match row.outcome {
        Outcome::Load(words) => found.stage == Stage::Load && says(words),
        Outcome::Mismatch(words, after) => {
            found.stage == Stage::Mismatch && says(words) && shards_of(found, after)
        }
        Outcome::NoEffect(why, after) => {
            found.stage == Stage::Verified && !why.is_empty() && shards_of(found, after)
        }
    }
}

#[test]
fn every_single_field_that_is_altered_has_the_outcome_in_the_table() {
    let mut used = BTreeSet::new();
    let mut wrong: BTreeMap<(String, String, Found), String> = BTreeMap::new();
    for base in bases() {
        let honest = serde_json::to_value(&base.spec).unwrap();
        assert_eq!(serde_json::from_value::<DataSpec>(honest.clone()).unwrap(), base.spec);
        for Place { pattern, steps, changes } in places(&honest, &["routing", "schema", "shards"]) {
            for change in changes {
                let found = find(&base, &alter(&honest, &steps, &change));
                // What a field means may depend on the column: one of the rows has to fit, and each has to be of use.
                let row = ROWS.iter().position(|row| {
                    let is_at = row.at == pattern && row.change == change;
                    is_at && row.bases.contains(base.letter) && fits(row, &found)
                });
                match row {
                    Some(number) => drop(used.insert(number)),
                    None => wrong.entry((pattern.clone(), change, found)).or_default().push(base.letter),
                }
            }
        }
    }
    for ((at, change, found), bases) in &wrong {
        println!("no row fits: {at:?}, {change:?}, {bases:?}: {found:?}");
    }
    assert!(wrong.is_empty(), "{} alterations have no row that says what comes of them", wrong.len());
    let unused: Vec<&Row> = (0..).zip(ROWS).filter(|(i, _)| !used.contains(i)).map(|(_, row)| row).collect();
    assert!(unused.is_empty(), "rows of fields that are no longer there: {unused:#?}");
}

#[test]
fn what_is_not_altered_is_verified_and_fine() {
    for base in bases() {
        let verdict = verify_routing(&base.spec, &base.description, base.source.as_ref()).unwrap();
        assert_eq!(verdict, RoutingVerdict::Verified);
        assert_eq!(refusal(&store(&base, &base.spec, RoutingCheck::Required)), None);
    }
}
