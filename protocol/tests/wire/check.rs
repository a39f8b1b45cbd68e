//! An honest report passes; every broken one is refused for what is broken.

use protocol::{ReportFault, ReportRules, Unit, UnitError, check_report};
use snake::{Bucket, Literal, Measure, Origin, Test, UnitBuckets};
use spec::{DataSpec, Routing};

use crate::samples::{CLASSES, ORDINALS, buckets, number, spec, word};

fn fault(spec: &DataSpec, buckets: &[Bucket<u64>]) -> Result<(), ReportFault> {
    let rules = ReportRules::new(spec, Unit::new(0, 1), &ORDINALS, &CLASSES).unwrap();
    check_report(&rules, buckets)
}

/// The same run with round robin: no path literals.
fn unrouted() -> DataSpec {
    DataSpec { routing: Routing::RoundRobin { paths: 2 }, ..spec() }
}

fn without_path(mut buckets: UnitBuckets) -> UnitBuckets {
    for bucket in &mut buckets {
        let rest: Vec<Literal> = bucket.condition.iter().flatten().skip(1).cloned().collect();
        bucket.condition = (!rest.is_empty()).then_some(rest);
    }
    buckets
}

#[test]
fn an_honest_report_passes() {
    assert_eq!(fault(&spec(), &buckets()), Ok(()));
    assert_eq!(fault(&unrouted(), &without_path(buckets())), Ok(()));
}

macro_rules! broken {
    ($($name:ident: $change:expr => $fault:pat,)*) => {$(
        #[test]
        fn $name() {
            let mut buckets = buckets();
            let change: fn(&mut UnitBuckets) = $change;
            change(&mut buckets);
            let found = fault(&spec(), &buckets).unwrap_err();
            assert!(matches!(found, $fault), "{found:?}");
            assert!(!found.to_string().is_empty());
        }
    )*};
}

broken! {
    no_buckets: |b| b.clear() => ReportFault::Buckets { found: 0, rows: 5 },
    more_buckets_than_rows: |b| *b = vec![b[0].clone(); 6] => ReportFault::Buckets { found: 6, .. },
    the_same_condition: |b| b[1].condition = b[0].condition.clone() => ReportFault::SameCondition { bucket: 1, first: 0 },
    null_with_paths: |b| b[1].condition = None => ReportFault::NoCondition { bucket: 1 },
    an_empty_condition: |b| b[1].condition = Some(vec![]) => ReportFault::EmptyCondition { bucket: 1 },
    a_clause_that_votes_twice: |b| {
        b[1].lookalikes.edit(|lists| {
            let again = lists[0].1[0].clone();
            lists[0].1.insert(0, again);
        });
    } => ReportFault::Votes { bucket: 1, member: 0, most: 1, .. },
    more_after_what_is_joined: |b| {
        b[1].lookalikes.edit(|lists| {
            let clause = lists[0].1[0][0];
            lists[0].1 = vec![vec![clause, clause], vec![clause]];
        });
    } => ReportFault::Votes { bucket: 1, member: 0, .. },
    no_path_literal: |b| b[0].condition = Some(vec![number(1, 1.5, true)]) => ReportFault::PathLiteral { bucket: 0 },
    the_literal_of_another_path: |b| {
        b[0].condition.as_mut().unwrap()[0].test = Test::Text(snake::TextTest::Equals, "1".into());
    } => ReportFault::PathLiteral { bucket: 0 },
    a_path_literal_in_a_clause: |b| {
        let path = b[1].condition.as_ref().unwrap()[0].clone();
        b[1].clauses[2].push(path);
    } => ReportFault::Literal { bucket: 1, literal: 1, .. },
    the_target_as_a_column: |b| b[1].clauses[0][0].column = 0 => ReportFault::Literal { literal: 0, .. },
    a_number_test_of_a_text: |b| b[1].clauses[0][0].column = 2 => ReportFault::Literal { .. },
    a_text_test_of_a_number: |b| b[0].condition.as_mut().unwrap()[1] = Literal { column: 1, ..word("x", true) }
        => ReportFault::Literal { bucket: 0, literal: 1, .. },
    a_kind_never_emitted: |b| b[1].clauses[0][0].test = Test::Threshold(Measure::Nmg, 1.0) => ReportFault::Literal { .. },
    a_number_that_is_not_finite: |b| b[1].clauses[0][0] = number(1, f64::INFINITY, true) => ReportFault::Literal { .. },
    an_origin_too_few: |b| b[1].origins.truncate(3) => ReportFault::Lengths { bucket: 1, members: 4, origins: 3, .. },
    a_lookalike_too_few: |b| b[1].lookalikes.edit(|l| drop(l.pop())) => ReportFault::Lengths { lookalikes: 3, .. },
    no_core_member: |b| b[0].origins.fill(Origin::Noise) => ReportFault::NoCore { bucket: 0 },
    core_after_noise: |b| {
        b[1].members.push(9);
        b[1].origins.push(Origin::Core);
        b[1].lookalikes.edit(|l| l.push((4, vec![vec![1]])));
    } => ReportFault::Order { bucket: 1, member: 4 },
    members_out_of_order: |b| b[1].members.swap(0, 1) => ReportFault::Order { bucket: 1, member: 1 },
    a_member_twice: |b| b[0].members[1] = 1 => ReportFault::Order { bucket: 0, member: 1 },
    a_row_of_another_path: |b| b[0].members = vec![1, 2] => ReportFault::Stranger { bucket: 0, member: 1, ordinal: 2 },
    a_row_core_in_two_buckets: |b| b[1].members[0] = 1 => ReportFault::CoreTwice { bucket: 1, member: 0, ordinal: 1, first: 0 },
    noise_that_is_core_here: |b| b[1].members[3] = 4 => ReportFault::Noise { bucket: 1, member: 3, ordinal: 4 },
    noise_in_the_first_bucket: |b| {
        b[0].members.push(7);
        b[0].origins.push(Origin::Noise);
        b[0].lookalikes.edit(|l| l.push((2, vec![])));
    } => ReportFault::Noise { bucket: 0, member: 2, ordinal: 7 },
    a_missing_row: |b| {
        b[0].members.pop();
        b[0].origins.pop();
        b[0].lookalikes.edit(|l| drop(l.pop()));
        b[1].members[3] = 1;
    } => ReportFault::Missing { ordinal: 3 },
    an_empty_clause: |b| b[1].clauses[0].clear() => ReportFault::EmptyClause { bucket: 1, clause: 0 },
    a_clause_nobody_uses: |b| b[1].clauses.push(vec![word("z", true)]) => ReportFault::UnusedClause { bucket: 1, clause: 3 },
    a_clause_that_is_not_there: |b| b[1].lookalikes.edit(|l| l[0].1[0][0] = 3) => ReportFault::NoSuchClause { bucket: 1, member: 0, clause: 3 },
    a_clause_under_two_classes: |b| b[1].lookalikes.edit(|l| l[1].1.push(vec![2])) => ReportFault::TwoClasses { bucket: 1, member: 1, clause: 2 },
    an_entry_for_another_member: |b| b[1].lookalikes.edit(|l| l[2].0 = 3) => ReportFault::Lookalike { bucket: 1, member: 2, found: 3 },
    a_member_without_a_clause: |b| b[1].lookalikes.edit(|l| l[2].1.clear()) => ReportFault::NoClause { bucket: 1, member: 2 },
    a_member_that_always_votes: |b| b[1].lookalikes.edit(|l| l[2].1.push(vec![])) => ReportFault::NoClause { bucket: 1, member: 2 },
    clauses_in_a_bucket_of_one_class: |b| b[0].clauses.push(vec![word("z", true)]) => ReportFault::OneClassClauses { bucket: 0 },
    nobody_votes: |b| b[0].lookalikes.edit(|l| l[0].1.clear()) => ReportFault::OneClassVotes { bucket: 0 },
    one_votes_twice: |b| b[0].lookalikes.edit(|l| l[0].1.push(vec![])) => ReportFault::OneClassVotes { bucket: 0 },
}

#[test]
fn more_noise_than_the_run_allows() {
    let mut spec = spec();
    spec.training.noise = 0.25;
    assert_eq!(fault(&spec, &buckets()), Err(ReportFault::MuchNoise { bucket: 1, noise: 1, core: 3 }));
}

#[test]
fn null_stands_last_only() {
    let mut buckets = without_path(buckets());
    buckets[0].condition = None;
    assert_eq!(fault(&unrouted(), &buckets), Err(ReportFault::NoCondition { bucket: 0 }));
}

#[test]
fn the_place_is_named() {
    let mut buckets = buckets();
    buckets[1].clauses[2][0].column = 7;
    let fault = fault(&spec(), &buckets).unwrap_err();
    assert_eq!(fault.to_string(), "bucket 1, literal 0 of clause 2: its column is not a feature of the run");
}

#[test]
fn units_and_rows_are_those_of_the_run() {
    let spec = spec();
    let new = |unit| ReportRules::new(&spec, unit, &ORDINALS, &CLASSES).map(drop);
    for unit in [
        Unit::new(2, 0),
        Unit::new(0, 2),
        Unit { part: 1, ..Unit::new(0, 0) },
        Unit { replica: 1, ..Unit::new(0, 0) },
    ] {
        assert!(matches!(new(unit), Err(UnitError::NoSuchUnit { paths: 2, layers: 2, .. })), "{unit}");
    }
    assert!(matches!(new(Unit::new(1, 0)), Err(UnitError::Rows { given: 5, rows: 3, .. })));
    let unit = Unit::new(0, 0);
    assert!(ReportRules::new(&spec, unit, &ORDINALS, &CLASSES[1..]).is_err());
    assert!(ReportRules::new(&spec, unit, &[0, 1, 4, 3, 7], &CLASSES).is_err());
    let mut empty = spec.clone();
    empty.shards[0].rows = 0;
    assert_eq!(ReportRules::new(&empty, unit, &[], &[]).map(drop), Err(UnitError::Empty { unit }));
}
