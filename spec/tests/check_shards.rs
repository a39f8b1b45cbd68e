//! All shards in one pass: the same, or every one that differs.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use snake::Label;
use spec::{MaterialiseError, RoutingSettings, RowsError, Shard, ShardHash, VecSource, check_shards};
use support::{kmeans, people, published, settings, texts};

fn with(source: &VecSource, change: impl FnOnce(&mut Vec<Vec<String>>)) -> VecSource {
    let mut records = source.records().to_vec();
    change(&mut records);
    VecSource::new("people.csv", texts(&["age", "job", "income", "class"]), records)
}

#[test]
fn what_was_published_is_found_again() {
    let source = people(500);
    for routing in [RoutingSettings::KMeans(kmeans(4)), RoutingSettings::RoundRobin { paths: 3 }] {
        let mut settings = settings("class", routing);
        settings.holdout = 0.1;
        let spec = published(&settings, &source).spec;
        let mut told = Vec::new();
        let checked = check_shards(&spec, &settings.source, &source, &mut |rows| told.push(rows)).unwrap();
        assert!(checked.is_same(), "{checked:?}");
        assert_eq!((checked.rows, checked.skipped, told), (500, 0, vec![500]));
        assert_eq!(checked.shards.iter().map(|shard| shard.found).collect::<Vec<_>>(), spec.shards);
    }
}

#[test]
fn every_shard_that_differs_is_named() {
    let source = people(300);
    let settings = settings("class", RoutingSettings::RoundRobin { paths: 5 });
    let spec = published(&settings, &source).spec;
    // Row r is in path r modulo 5.
    let changed = with(&source, |records| {
        records[11][2] = "1.5".into();
        records[13][0] = "99".into();
    });
    let checked = check_shards(&spec, &settings.source, &changed, &mut |_| {}).unwrap();
    let differ: Vec<u32> =
        checked.shards.iter().filter(|shard| !shard.is_same()).map(|shard| shard.path).collect();
    assert_eq!((differ, checked.is_same()), (vec![1, 3], false));
    let shorter = with(&source, |records| records.truncate(299));
    let checked = check_shards(&spec, &settings.source, &shorter, &mut |_| {}).unwrap();
    assert!(!checked.shards[4].is_same() && checked.shards[..4].iter().all(spec::CheckedShard::is_same));
}

#[test]
fn a_class_that_no_row_has_is_a_difference() {
    let source = people(100);
    let settings = settings("class", RoutingSettings::KMeans(kmeans(2)));
    let mut spec = published(&settings, &source).spec;
    spec.schema.classes.push(Label::Text("zebra".into()));
    let checked = check_shards(&spec, &settings.source, &source, &mut |_| {}).unwrap();
    assert_eq!(checked.absent_classes, [Label::Text("zebra".into())]);
    assert!(checked.shards.iter().all(spec::CheckedShard::is_same) && !checked.is_same());
}

#[test]
fn a_source_that_does_not_end_is_not_read_to_its_end() {
    let rows = (0..70_000).map(|i| texts(&[&i.to_string(), ["a", "b"][i % 2]])).collect();
    let source = VecSource::new("rows.csv", texts(&["x", "y"]), rows);
    let settings = settings("y", RoutingSettings::RoundRobin { paths: 2 });
    let mut spec = published(&settings, &source).spec;
    for shard in &mut spec.shards {
        *shard = Shard { rows: 1, hash: ShardHash::from_bytes([0; 32]) };
    }
    let checked = check_shards(&spec, &settings.source, &source, &mut |_| {}).unwrap();
    assert!(!checked.whole && !checked.is_same() && checked.rows < 70_000, "{}", checked.rows);
    assert!(checked.absent_classes.is_empty());
}

#[test]
fn values_that_do_not_fit_are_errors() {
    let source = people(100);
    let settings = settings("class", RoutingSettings::KMeans(kmeans(2)));
    let spec = published(&settings, &source).spec;
    let changed = with(&source, |records| records[7][0] = "old".into());
    let error = check_shards(&spec, &settings.source, &changed, &mut |_| {}).unwrap_err();
    assert!(matches!(&error, MaterialiseError::Rows(RowsError::Row(_))) && error.is_refusal(), "{error}");
}
