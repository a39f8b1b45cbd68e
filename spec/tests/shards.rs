//! Shards: all paths together are the kept rows, and nothing but the signed rows is handed out.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use proptest::prelude::*;
use snake::{Cancel, Cell, Column, Label, Table, TargetColumn, TargetValue};
use spec::{
    Census, DataSpec, KMeansSettings, KeptRow, MaterialiseError, PublicSource, PublishError, RoutedRow,
    Router, RoutingSettings, Sampling, Shard, VecSource, for_each_held_out, for_each_kept, materialise,
    publish,
};
use support::{kmeans, people, published, settings, texts};

fn tables(spec: &DataSpec, description: &PublicSource, source: &VecSource, paths: &[u32]) -> Vec<Table> {
    materialise(spec, description, source, paths, &Cancel::new()).unwrap()
}

/// A row of a table, as text.
fn row_text(table: &Table, row: usize) -> String {
    let mut text = format!("{}", table.ordinals()[row]);
    for column in table.columns() {
        match column {
            Column::Number(values) => text += &format!("|{}", values[row]),
            Column::Text(column) => text += &format!("|{:?}", column.dictionary[column.codes[row] as usize]),
        }
    }
    match table.target() {
        TargetColumn::Class(classes) => text + &format!("|{}", classes[row]),
        TargetColumn::Number(values) => text + &format!("|{}", values[row]),
    }
}

fn cells_text(ordinal: u64, cells: &[Cell<'_>], target: TargetValue) -> String {
    let mut text = format!("{ordinal}");
    for cell in cells {
        match cell {
            Cell::Number(value) => text += &format!("|{value}"),
            Cell::Text(value) => text += &format!("|{value:?}"),
        }
    }
    match target {
        TargetValue::Class(class) => text + &format!("|{class}"),
        TargetValue::Number(value) => text + &format!("|{value}"),
    }
}

fn routings() -> Vec<RoutingSettings> {
    vec![
        RoutingSettings::KMeans(kmeans(1)),
        RoutingSettings::KMeans(kmeans(4)),
        RoutingSettings::KMeans(KMeansSettings { sample: 40, sampling: Sampling::Reservoir, ..kmeans(3) }),
        RoutingSettings::RoundRobin { paths: 1 },
        RoutingSettings::RoundRobin { paths: 5 },
    ]
}

/// Everything that must hold of a source's shards, census and held-out rows.
fn check(source: &VecSource, target: &str, routing: RoutingSettings, holdout: f64) {
    let mut settings = settings(target, routing);
    settings.holdout = holdout;
    let found = match publish(&settings, source, &mut |_| {}) {
        Ok(found) => found,
        // A table may be too small or too plain, but what was inferred from its rows fits its rows.
        Err(
            PublishError::Table(_)
            | PublishError::MorePathsThanRows { .. }
            | PublishError::NothingLeft { .. },
        ) => return,
        Err(error) => panic!("{error}"),
    };
    let (spec, description) = (&found.spec, &settings.source);
    let all: Vec<u32> = (0..spec.paths()).collect();
    let together = tables(spec, description, source, &all);
    let mut rows: Vec<(u64, u32, String)> = Vec::new();
    for (path, table) in (0u32..).zip(&together) {
        assert_eq!(tables(spec, description, source, &[path]), std::slice::from_ref(table));
        assert_eq!(Shard::of_table(table), spec.shards[path as usize]);
        rows.extend((0..table.rows()).map(|row| (table.ordinals()[row], path, row_text(table, row))));
    }
    rows.sort();
    rows.windows(2).for_each(|pair| assert_ne!(pair[0].0, pair[1].0, "a row in two shards"));

    let census = Census::take(spec, description, source).unwrap();
    assert_eq!(census.kept(), rows.len());
    assert_eq!(census.iter().collect::<Vec<_>>(), rows.iter().map(|row| (row.0, row.1)).collect::<Vec<_>>());
    for (rank, (ordinal, path, _)) in (0u32..).zip(&rows) {
        assert_eq!((census.rank(*ordinal), census.path(*ordinal)), (Some(rank), Some(*path)));
    }
    let mut kept = Vec::new();
    for_each_kept(spec, description, source, &census, &mut |row: KeptRow<'_>| {
        assert_eq!(row.rank as usize, kept.len());
        if let TargetValue::Class(class) = row.target {
            assert_eq!(census.class(row.ordinal), Some(class));
        }
        kept.push((row.ordinal, row.path, cells_text(row.ordinal, row.cells, row.target)));
        Ok::<(), MaterialiseError>(())
    })
    .unwrap();
    assert_eq!(kept, rows);

    let mut router = Router::new(&spec.routing, &spec.schema).unwrap();
    let mut held_out = 0;
    for_each_held_out(spec, description, source, &mut |row: RoutedRow<'_>| {
        assert_eq!(census.rank(row.ordinal), None);
        assert_eq!(router.route(row.ordinal, row.cells), row.path);
        held_out += 1;
        Ok::<(), MaterialiseError>(())
    })
    .unwrap();
    assert_eq!(held_out, found.summary.held_out);
    let dropped: u64 = found.summary.paths.iter().map(|path| path.duplicates).sum();
    assert_eq!(rows.len() as u64 + dropped + held_out, source.records().len() as u64);
}

#[test]
fn the_shards_of_people_are_the_kept_rows() {
    let people = people(300);
    for routing in routings() {
        check(&people, "class", routing, 0.0);
        check(&people, "class", routing, 0.3);
        check(&people, "income", routing, 0.1);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_shards_of_any_table_are_its_kept_rows(
        rows in prop::collection::vec(
            (
                prop_oneof![Just(""), Just("0"), Just("-0"), Just("1.5"), Just("1e308"), Just("x"), Just("\u{130}b C")],
                prop_oneof![Just(""), Just("0.0"), Just("-2"), Just("7e-3")],
                "[ab]",
            ),
            1..40,
        ),
        routing in 0usize..5,
        holdout in prop_oneof![Just(0.0), Just(0.4)],
    ) {
        let records = rows.iter().map(|(a, b, y)| texts(&[a, b, y])).collect();
        let source = VecSource::new("any.csv", texts(&["a", "b", "y"]), records);
        check(&source, "y", routings()[routing], holdout);
    }
}

#[test]
fn equal_features_are_dropped_within_a_shard_and_the_lowest_ordinal_stays() {
    let records = [["0", "a", "x"], ["-0.0", "a", "x"], ["", "a", "y"], ["0", "b", "x"], ["0", "a", "y"]];
    let records = records.iter().map(|row| texts(row)).collect();
    let source = VecSource::new("rows.csv", texts(&["n", "t", "y"]), records);
    let one = settings("y", RoutingSettings::RoundRobin { paths: 1 });
    let found = published(&one, &source);
    let path = found.summary.paths[0];
    assert_eq!((path.rows, path.duplicates, path.conflicts), (2, 3, 2));
    assert_eq!(tables(&found.spec, &one.source, &source, &[0])[0].ordinals(), [0, 3]);
    let two = settings("y", RoutingSettings::RoundRobin { paths: 2 });
    let spec = published(&two, &source).spec;
    let ordinals: Vec<Vec<u64>> =
        tables(&spec, &two.source, &source, &[0, 1]).iter().map(|table| table.ordinals().to_vec()).collect();
    assert_eq!(ordinals, [vec![0], vec![1, 3]]);
}

#[test]
fn another_source_is_refused() {
    let people = people(100);
    let settings = settings("class", RoutingSettings::KMeans(kmeans(2)));
    let spec = published(&settings, &people).spec;
    let changed = |change: &dyn Fn(&mut Vec<Vec<String>>)| {
        let mut records = people.records().to_vec();
        change(&mut records);
        VecSource::new("people.csv", texts(&["age", "job", "income", "class"]), records)
    };
    let census = Census::take(&spec, &settings.source, &people).unwrap();
    let sources = [
        changed(&|records| records[50][2] = "1.0".into()),
        changed(&|records| records.truncate(99 - 9)),
        changed(&|records| records.extend(support::people(300).records()[200..].to_vec())),
        changed(&|records| {
            let class = if records[0][3] == "yes" { "no" } else { "yes" };
            records[0][3] = class.into();
        }),
        changed(&|records| records.swap(3, 4)),
    ];
    for (case, source) in sources.iter().enumerate() {
        let error = materialise(&spec, &settings.source, source, &[0, 1], &Cancel::new()).unwrap_err();
        assert!(
            matches!(error, MaterialiseError::WrongShard { .. }) && error.is_refusal(),
            "{case}: {error}"
        );
        assert!(Census::take(&spec, &settings.source, source).unwrap_err().is_refusal(), "{case}");
        let again =
            for_each_kept(&spec, &settings.source, source, &census, &mut |_| Ok::<(), MaterialiseError>(()));
        assert!(case == 2 || again.unwrap_err().is_refusal(), "{case}");
    }
    let source = changed(&|records| records[7][0] = "old".into());
    let error = materialise(&spec, &settings.source, &source, &[0], &Cancel::new()).unwrap_err();
    assert!(error.is_refusal());
    assert!(
        error.to_string().starts_with("people.csv, line 9: the value \"old\" of column \"age\""),
        "{error}"
    );
    let mut spec = spec;
    spec.holdout = 0.5;
    assert!(materialise(&spec, &settings.source, &people, &[0], &Cancel::new()).unwrap_err().is_refusal());
}

#[test]
fn paths_are_checked_and_work_can_be_stopped() {
    let people = people(20);
    let settings = settings("class", RoutingSettings::RoundRobin { paths: 2 });
    let spec = published(&settings, &people).spec;
    let run = |paths: &[u32], cancel: &Cancel| {
        materialise(&spec, &settings.source, &people, paths, cancel).unwrap_err().to_string()
    };
    assert_eq!(run(&[2], &Cancel::new()), "there is no path 2: the run has paths 0 to 1");
    assert!(run(&[1, 1], &Cancel::new()).contains("asked for twice"));
    let cancel = Cancel::new();
    cancel.cancel();
    assert!(run(&[0], &cancel).contains("stopped"));
    assert!(tables(&spec, &settings.source, &people, &[]).is_empty());
    let both = tables(&spec, &settings.source, &people, &[1, 0]);
    assert_eq!(both[0].ordinals()[0], 1);
    assert!(std::sync::Arc::ptr_eq(both[0].schema(), both[1].schema()));
}

#[test]
fn mushrooms_are_partitioned() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mushroom.csv");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("{} is not there: nothing to check", path.display());
        return;
    };
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let target = header[0].clone();
    let source = VecSource::new("mushroom.csv", header, lines.collect());
    check(&source, &target, RoutingSettings::KMeans(kmeans(4)), 0.2);
}

#[test]
fn a_class_that_no_row_has_is_refused_although_no_hash_shows_it() {
    let (settings, source) = (settings("class", RoutingSettings::KMeans(kmeans(2))), people(100));
    let mut spec = published(&settings, &source).spec;
    spec.schema.classes.push(Label::Text("zzz".into()));
    let made = materialise(&spec, &settings.source, &source, &[1], &Cancel::new());
    for error in [made.unwrap_err(), Census::take(&spec, &settings.source, &source).unwrap_err()] {
        assert!(error.is_refusal() && error.to_string().contains("class \"zzz\""), "{error}");
    }
}
