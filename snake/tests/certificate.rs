//! The certificate: a sound layer passes, and every way to damage it is caught as what it is.

#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail

use std::sync::Arc;

use proptest::prelude::*;
use snake::{
    Breach, Bucket, Cancel, Cell, Certificate, Config, FORMAT_VERSION, Feature, FeatureKind, Head, Label,
    LayerError, Literal, Lookalikes, Measure, Model, Origin, Predictor, Prepared, Profile, RowBatchBuilder,
    Schema, Table, TableBuilder, TargetKind, TargetValue, Test, TextTest, Training, UnitBuckets, UnitJob,
    UnitSeed, Value, certify_layer, certify_layer_over, certify_unit, train_unit,
};

/// Ordinals are `10 * place + 3`.
fn ordinal(place: usize) -> u64 {
    10 * place as u64 + 3
}

fn features() -> Vec<Feature> {
    vec![
        Feature { name: "size".into(), kind: FeatureKind::Number },
        Feature { name: "name".into(), kind: FeatureKind::Text },
    ]
}

/// Rows of (size, class); the name follows the class.
fn table(rows: &[(f64, u32)]) -> Table {
    let schema = Schema {
        target: "y".into(),
        target_kind: TargetKind::Integer,
        classes: (0..3).map(Label::Integer).collect(),
        features: features(),
    };
    let mut builder = TableBuilder::new(Arc::new(schema));
    for (place, (size, class)) in rows.iter().enumerate() {
        let name = format!("class {class}");
        builder
            .push(ordinal(place), &[Cell::Number(*size), Cell::Text(&name)], TargetValue::Class(*class))
            .unwrap();
    }
    builder.finish()
}

fn above(size: f64) -> Literal {
    Literal { column: 1, negated: true, test: Test::Threshold(Measure::N, size) }
}

fn below(size: f64) -> Literal {
    Literal { column: 1, negated: false, test: Test::Threshold(Measure::N, size) }
}

fn path(name: &str) -> Literal {
    Literal { column: 3, negated: false, test: Test::Text(TextTest::Equals, name.into()) }
}

/// A bucket of these rows, made the plainest way: a clause per member that is not consumed yet.
fn bucket(
    rows: &[(f64, u32)],
    condition: Option<Vec<Literal>>,
    core: &[usize],
    noise: &[usize],
) -> Bucket<u64> {
    let places: Vec<usize> = core.iter().chain(noise).copied().collect();
    let mut clauses: Vec<Vec<Literal>> = Vec::new();
    let mut lists = vec![Vec::new(); places.len()];
    let one_class = places.iter().all(|place| rows[*place].1 == rows[places[0]].1);
    for (position, place) in places.iter().enumerate() {
        if one_class {
            if position == 0 {
                lists[0].push(Vec::new());
            }
            continue;
        }
        if !lists[position].is_empty() {
            continue;
        }
        let (size, class) = rows[*place];
        let others = places.iter().map(|other| rows[*other]).filter(|other| other.1 != class);
        let mut clause: Vec<Literal> =
            others.map(|other| if other.0 < size { below(size) } else { above(other.0) }).collect();
        clause.dedup();
        for (list, other) in lists.iter_mut().zip(&places) {
            let value = Value::Number(rows[*other].0);
            if !clause.iter().any(|literal| literal.holds(value)) {
                list.push(vec![clauses.len() as u32]);
            }
        }
        clauses.push(clause);
    }
    let origins = core.iter().map(|_| Origin::Core).chain(noise.iter().map(|_| Origin::Noise)).collect();
    Bucket {
        condition,
        members: places.iter().map(|place| ordinal(*place)).collect(),
        origins,
        clauses,
        lookalikes: (0..).zip(lists).collect(),
    }
}

/// A chain of three buckets: below 30, below 60, the rest with all rows that it may have as noise.
fn unit(rows: &[(f64, u32)], prefix: &[Literal]) -> UnitBuckets {
    let part = |low: f64, high: f64| -> Vec<usize> {
        (0..rows.len()).filter(|place| low <= rows[*place].0 && rows[*place].0 < high).collect()
    };
    let with = |literal: &[Literal]| Some([prefix, literal].concat());
    let rest = if prefix.is_empty() { None } else { with(&[]) };
    [
        (with(&[below(30.0)]), part(0.0, 30.0), Vec::new()),
        (with(&[below(60.0)]), part(30.0, 60.0), part(0.0, 30.0)),
        (rest, part(60.0, 1e9), part(0.0, 60.0)),
    ]
    .into_iter()
    .map(|(condition, core, noise)| bucket(rows, condition, &core, &noise))
    .collect()
}

const ROWS: [(f64, u32); 12] = [
    (1.0, 0),
    (70.0, 1),
    (33.0, 2),
    (5.0, 0),
    (12.0, 1),
    (90.0, 1),
    (64.5, 0),
    (41.0, 2),
    (20.0, 0),
    (99.0, 2),
    (58.0, 2),
    (35.5, 0),
];

#[test]
fn a_sound_unit_passes() {
    let found = certify_unit(&table(&ROWS), &[], &unit(&ROWS, &[])).unwrap();
    assert_eq!((found.buckets, found.core, found.noise), (3, 12, 12));
    assert!(found.clauses > 5);
    let prefix = [path("2")];
    assert_eq!(certify_unit(&table(&ROWS), &prefix, &unit(&ROWS, &prefix)), Ok(found));
}

#[test]
fn what_training_makes_passes() {
    let rows: Vec<(f64, u32)> = (0..400_u32).map(|i| (f64::from(i * 7 % 400), i * i % 7 % 3)).collect();
    let table = Arc::new(table(&rows));
    for (layer, noise) in [(0, 0.0), (1, 0.25), (2, 1.0)] {
        for slice in [60, 1000] {
            let training = Training { bucket: 20, slice, noise, ..Training::new(Profile::Balanced, 5) };
            let prepared = Prepared::new(Arc::clone(&table), training.profile);
            for prefix in [Vec::new(), vec![path("2")]] {
                let seed = UnitSeed { fingerprint: [3; 32], seed: 5, path: 2, layer };
                let cancel = Cancel::new();
                let job = UnitJob {
                    prepared: &prepared,
                    training: &training,
                    seed,
                    prefix: &prefix,
                    cancel: &cancel,
                };
                let buckets = train_unit(&job).unwrap();
                assert_eq!(certify_unit(&table, &prefix, &buckets).unwrap().core, rows.len());
            }
        }
    }
}

#[test]
fn estimated_numbers_are_classes_too() {
    let schema = Schema {
        target: "y".into(),
        target_kind: TargetKind::Number,
        classes: Vec::new(),
        features: features(),
    };
    let mut builder = TableBuilder::new(Arc::new(schema));
    for (place, (size, class)) in ROWS.iter().enumerate() {
        let target = TargetValue::Number(f64::from(*class) / 2.0);
        builder.push(ordinal(place), &[Cell::Number(*size), Cell::Text("")], target).unwrap();
    }
    let table = builder.finish();
    assert!(certify_unit(&table, &[], &unit(&ROWS, &[])).is_ok());
    let mut damaged = unit(&ROWS, &[]);
    damaged[0].clauses[0][0].negated ^= true;
    assert!(certify_unit(&table, &[], &damaged).is_err());
}

/// Damages the sound unit and gives the breach.
fn damaged(damage: impl FnOnce(&mut UnitBuckets)) -> Breach {
    let mut buckets = unit(&ROWS, &[]);
    damage(&mut buckets);
    certify_unit(&table(&ROWS), &[], &buckets).unwrap_err()
}

#[test]
fn shapes() {
    let shape = |breach: Breach| assert!(matches!(breach, Breach::Shape { bucket: 1, .. }), "{breach}");
    shape(damaged(|b| b[1].origins.push(Origin::Core)));
    shape(damaged(|b| b[1].lookalikes.edit(|l| l.push((99, Vec::new())))));
    shape(damaged(|b| b[1].lookalikes.edit(|l| l.push((0, Vec::new())))));
    shape(damaged(|b| b[1].lookalikes.edit(|l| l[0].1.push(vec![u32::MAX]))));
    shape(damaged(|b| b[1].clauses[0][0].column = 3));
    shape(damaged(|b| b[1].condition.as_mut().unwrap()[0].column = u32::MAX));
    assert_eq!(damaged(|b| b[0].members[0] = 4), Breach::UnknownMember { bucket: 0, row: 4 });
    assert_eq!(damaged(|b| b[0].members[1] = 3), Breach::MemberTwice { bucket: 0, row: 3 });
    assert_eq!(damaged(|b| b[2].members.swap(0, 1)), Breach::MemberOrder { bucket: 2 });
    assert_eq!(damaged(|b| b[2].lookalikes.edit(|l| l.swap(0, 1))), Breach::LookalikeOrder { bucket: 2 });
    let breach = damaged(|b| b[1].clauses[0][0].test = Test::Threshold(Measure::N, f64::NAN));
    assert_eq!(breach, Breach::NotFinite { bucket: 1 });
}

/// A literal over `__path` that is not the prefix would be read as false here and evaluated by the model.
#[test]
fn literals_over_columns_that_only_the_model_has() {
    let path = |text: &str| Literal {
        column: 3,
        negated: false,
        test: Test::Text(snake::TextTest::Contains, text.into()),
    };
    let prefix = [path("2")];
    let mut buckets = unit(&ROWS, &prefix);
    buckets[1].clauses[0].push(path("0"));
    let breach = certify_unit(&table(&ROWS), &prefix, &buckets).unwrap_err();
    assert_eq!(breach, Breach::ForeignColumn { bucket: 1, column: 3 });
}

#[test]
fn conditions() {
    assert_eq!(damaged(|b| b[0].condition = None), Breach::NullCondition { bucket: 0 });
    assert_eq!(damaged(|b| b[2].condition = Some(Vec::new())), Breach::EmptyCondition { bucket: 2 });
    let breach = damaged(|b| b[1].condition = b[0].condition.clone());
    assert_eq!(breach, Breach::SameCondition { bucket: 1, other: 0 });
    let prefix = [path("2")];
    let with_prefix = |damage: &dyn Fn(&mut UnitBuckets)| {
        let mut buckets = unit(&ROWS, &prefix);
        damage(&mut buckets);
        certify_unit(&table(&ROWS), &prefix, &buckets).unwrap_err()
    };
    assert_eq!(with_prefix(&|b| b[2].condition = None), Breach::NullCondition { bucket: 2 });
    assert_eq!(with_prefix(&|b| b[1].condition = Some(vec![below(60.0)])), Breach::Prefix { bucket: 1 });
    assert_eq!(
        with_prefix(&|b| b[1].condition.as_mut().unwrap()[0] = path("1")),
        Breach::Prefix { bucket: 1 }
    );
    let breach = with_prefix(&|b| b[2].condition = Some(vec![path("2"), above(65.0)]));
    assert_eq!(breach, Breach::Unmatched { row: ordinal(6) });
    // A literal over the column that the shard's rows lack, and that is not the prefix: only the model could tell.
    let breach = with_prefix(&|b| b[0].condition.as_mut().unwrap().push(path("1")));
    assert_eq!(breach, Breach::ForeignColumn { bucket: 0, column: 3 });
}

#[test]
fn members() {
    assert_eq!(certify_unit(&table(&ROWS), &[], &Vec::new()), Err(Breach::NoBucket));
    let breach = damaged(|b| b[0].condition = Some(vec![below(19.0)]));
    assert_eq!(breach, Breach::NotRouted { bucket: 0, row: ordinal(8) });
    let breach = damaged(|b| b[0].condition = Some(vec![below(40.0)]));
    assert_eq!(breach, Breach::NotCore { bucket: 0, row: ordinal(2) });
    // A row that is left out, with its lists.
    let breach = damaged(|b| {
        b[0].members.pop();
        b[0].origins.pop();
        b[0].lookalikes.edit(|l| drop(l.pop()));
    });
    assert_eq!(breach, Breach::NotCore { bucket: 0, row: ordinal(8) });
    let breach = damaged(|b| {
        b.insert(
            2,
            Bucket {
                condition: Some(vec![below(-1.0)]),
                members: Vec::new(),
                origins: Vec::new(),
                clauses: Vec::new(),
                lookalikes: Lookalikes::new(),
            },
        );
    });
    assert_eq!(breach, Breach::NoCore { bucket: 2 });
    // Noise of another part: row 1 has size 70.
    let breach = damaged(|b| {
        b[0].members.push(ordinal(1));
        b[0].origins.push(Origin::Noise);
        b[0].lookalikes.edit(|l| l.push((4, Vec::new())));
    });
    assert_eq!(breach, Breach::NoiseOutside { bucket: 0, row: ordinal(1) });
    let breach = damaged(|b| b[1].origins[0] = Origin::Noise);
    assert_eq!(breach.invariant(), 0, "{breach}");
}

#[test]
fn clauses_and_lists() {
    // Bucket 0 has rows 0, 3, 8 of class 0 and row 4 of class 1.
    let breach = damaged(|b| b[0].clauses[0][0].negated ^= true);
    assert_eq!(breach, Breach::ClauseTrue { bucket: 0, clause: 0, row: ordinal(0) });
    let breach = damaged(|b| b[0].clauses[0].clear());
    assert!(matches!(
        breach,
        Breach::ClauseNotListed { bucket: 0, clause: 0, .. } | Breach::ClauseFalse { .. }
    ));
    let breach = damaged(|b| b[0].clauses[0] = vec![above(13.0)]);
    assert!(matches!(breach, Breach::ClauseFalse { bucket: 0, clause: 0, .. }), "{breach}");
    let breach = damaged(|b| b[0].lookalikes.edit(|l| l[1].1.clear()));
    assert!(matches!(breach, Breach::ClauseNotListed { bucket: 0, row: 33, .. }), "{breach}");
    let breach = damaged(|b| b[0].lookalikes.edit(|l| l[2].1 = vec![vec![0]]));
    assert!(matches!(breach, Breach::ClauseOfTwoClasses { bucket: 0, clause: 0, .. }), "{breach}");
    let breach = damaged(|b| b[0].clauses.push(vec![above(0.0)]));
    assert!(matches!(breach, Breach::ClauseUnused { bucket: 0, .. }), "{breach}");
    let breach = damaged(|b| b[0].lookalikes.edit(|l| l[0].1.push(Vec::new())));
    assert_eq!(breach, Breach::AlwaysVotes { bucket: 0, row: ordinal(0) });
    let breach = damaged(|b| {
        b[0].lookalikes.edit(|l| l.iter_mut().for_each(|list| list.1.clear()));
        b[0].clauses.clear();
    });
    assert_eq!(breach, Breach::NoClause { bucket: 0, row: ordinal(0) });
    // One class: somebody has to vote.
    let rows = [(1.0, 0), (70.0, 1), (2.0, 0), (40.0, 1)];
    let mut buckets = unit(&rows, &[]);
    assert!(certify_unit(&table(&rows), &[], &buckets).is_ok());
    buckets[0].lookalikes.edit(|l| l[0].1.clear());
    let breach = certify_unit(&table(&rows), &[], &buckets).unwrap_err();
    assert_eq!(breach, Breach::NoVote { bucket: 0, row: ordinal(0) });
    assert_eq!(breach.invariant(), 5);
    assert_eq!(breach.to_string(), "row 3 gets no vote in bucket 0, which has one class (invariant 5)");
}

fn layer(unit: UnitBuckets) -> Vec<Bucket<u32>> {
    unit.into_iter()
        .map(|bucket| Bucket {
            members: bucket.members.iter().map(|ordinal| (*ordinal / 10) as u32).collect(),
            condition: bucket.condition,
            origins: bucket.origins,
            clauses: bucket.clauses,
            lookalikes: bucket.lookalikes,
        })
        .collect()
}

fn model(rows: &[(f64, u32)], stripped: bool) -> Model {
    let mut population = RowBatchBuilder::new(&features());
    for (size, class) in rows {
        population.push(&[Value::Number(*size), Value::Text(&format!("class {class}"))]).unwrap();
    }
    let config = Config {
        n_layers: 1,
        bucket: 2,
        noise: 1.0,
        vocal: false,
        workers: 1,
        oppose_profile: "hef".into(),
        lookahead: 1,
    };
    Model {
        head: Head {
            version: FORMAT_VERSION.into(),
            stripped,
            target: "y".into(),
            target_kind: TargetKind::Integer,
            features: features(),
            config: config.into(),
            log: String::new(),
            opendipaco: None,
        },
        population: if stripped { RowBatchBuilder::new(&features()).take() } else { population.take() },
        targets: rows.iter().map(|row| Label::Integer(i64::from(row.1))).collect(),
        layers: vec![layer(unit(rows, &[]))],
    }
}

#[test]
fn layers_of_a_model() {
    let sound = model(&ROWS, false);
    assert_eq!(certify_layer(&sound, 0).unwrap().core, 12);
    assert_eq!(certify_layer(&sound, 1), Err(LayerError::NoSuchLayer { layer: 1, layers: 1 }));
    assert_eq!(certify_layer(&model(&ROWS, true), 0), Err(LayerError::NoRows));
    assert_eq!(certify_layer_over(&sound, 0, &[3, 2]), Err(LayerError::BadRows));
    assert_eq!(certify_layer_over(&sound, 0, &[99]), Err(LayerError::BadRows));
    let missing: Vec<u32> = (1..12).collect();
    let breach = certify_layer_over(&sound, 0, &missing).unwrap_err();
    assert_eq!(breach, LayerError::Breach(Breach::UnknownMember { bucket: 0, row: 0 }));
    let mut damaged = sound.clone();
    damaged.layers[0][0].clauses[0][0].negated ^= true;
    assert!(matches!(certify_layer(&damaged, 0), Err(LayerError::Breach(Breach::ClauseTrue { row: 0, .. }))));
    // The layer of a shard: the other rows of the population are not asked about.
    let mut wider = sound;
    let mut population = RowBatchBuilder::new(&features());
    for row in 0..13 {
        let row = row % 12;
        let cells: Vec<Value<'_>> = (0..2).map(|feature| wider.population.value(feature, row)).collect();
        population.push(&cells).unwrap();
    }
    let population = population.take();
    wider.population = population;
    wider.targets.push(Label::Integer(2));
    assert!(certify_layer(&wider, 0).is_err());
    let shard: Vec<u32> = (0..12).collect();
    assert!(certify_layer_over(&wider, 0, &shard).is_ok());
}

/// Every training row gets votes of its own class only.
fn exact(model: &Model) -> Result<(), TestCaseError> {
    let predictor = Predictor::new(model).unwrap();
    for (found, target) in predictor.predict(&model.population).iter().zip(&model.targets) {
        prop_assert_eq!(&predictor.classes()[found.class as usize], target);
        prop_assert_eq!(found.probability(found.class, predictor.classes().len()), 1.0);
    }
    Ok(())
}

proptest! {
    /// Sound units of any rows pass, and prediction keeps what the certificate promises.
    #[test]
    fn sound_units_pass(sizes in prop::collection::btree_set(0_u32..100, 6..30), seed in any::<u64>()) {
        let mut rows: Vec<(f64, u32)> =
            sizes.iter().enumerate().map(|(i, size)| (f64::from(*size), ((seed >> (2 * i)) & 3) as u32 % 3)).collect();
        rows.extend([(10.25, 0), (40.25, 1), (70.25, 2)]);
        let found: Certificate = certify_unit(&table(&rows), &[], &unit(&rows, &[])).unwrap();
        prop_assert_eq!(found.core, rows.len());
        let model = model(&rows, false);
        prop_assert!(certify_layer(&model, 0).is_ok());
        exact(&model)?;
    }

    /// One damage anywhere in a unit never panics, and what still passes is still exact.
    #[test]
    fn damage_never_panics(bucket in 0_usize..3, what in 0_u8..9, a in any::<u32>(), b in 0_u32..6) {
        let mut buckets = unit(&ROWS, &[]);
        let damaged = &mut buckets[bucket];
        let pick = |n: usize| a as usize % n.max(1);
        match what {
            0 => { let i = pick(damaged.members.len()); damaged.members[i] = u64::from(b) }
            1 => { let i = pick(damaged.origins.len()); damaged.origins.remove(i); }
            2 => { let i = pick(damaged.lookalikes.len()); damaged.lookalikes.edit(|l| l[i].0 = a) }
            3 => { let i = pick(damaged.lookalikes.len()); damaged.lookalikes.edit(|l| l[i].1.push(vec![b, a])) }
            4 => { let i = pick(damaged.clauses.len()); damaged.clauses[i].push(above(f64::from(a))) }
            5 => { let i = pick(damaged.clauses.len()); damaged.clauses[i][0].column = b }
            6 => damaged.condition = Some(vec![below(f64::from(b))]),
            7 => { let i = pick(damaged.clauses.len()); damaged.clauses[i].pop(); }
            _ => { let i = pick(damaged.members.len()); damaged.members.remove(i); }
        }
        if certify_unit(&table(&ROWS), &[], &buckets).is_ok() {
            exact(&Model { layers: vec![layer(buckets)], ..model(&ROWS, false) })?;
        }
    }
}
