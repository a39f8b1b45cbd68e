//! The certificate against its definition: trained layers of random tables pass, and a damaged layer passes if and only
//! if the five invariants, written down the plainest way, still hold.

#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use snake::{
    Breach, Bucket, Cancel, Cell, Config, FORMAT_VERSION, Feature, FeatureKind, Head, Label, Literal,
    Measure, Model, Origin, Predictor, Prepared, Profile, RowBatchBuilder, Schema, Table, TableBuilder,
    TargetKind, TargetValue, Test, TextTest, Training, UnitBuckets, UnitJob, UnitSeed, Value, certify_layer,
    certify_unit, survey_layer, train_unit,
};

/// Random numbers for tests.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n.max(1)
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Datum {
    Number(f64),
    Text(String),
}

/// A table of numbers and texts, without two rows that are alike, and its rows.
fn random_table(dice: &mut Dice, number_target: bool) -> (Table, Vec<Vec<Datum>>, Vec<u32>) {
    let kinds: Vec<FeatureKind> = (0..1 + dice.below(4))
        .map(|_| if dice.below(2) == 0 { FeatureKind::Number } else { FeatureKind::Text })
        .collect();
    let features: Vec<Feature> =
        kinds.iter().enumerate().map(|(i, kind)| Feature { name: format!("f{i}"), kind: *kind }).collect();
    let classes = 2 + dice.below(4);
    let pieces = ["a", "Bc", " ", "12", ".", "-", "é", "x,y", "deadbeef", "aaaa", "Straße 7", "", "q"];
    let mut seen = BTreeSet::new();
    let (mut rows, mut targets) = (Vec::new(), Vec::new());
    for _ in 0..10 + dice.below(150) {
        let row: Vec<Datum> = kinds
            .iter()
            .map(|kind| match kind {
                FeatureKind::Number => {
                    let whole = dice.below(40) as f64 - 20.0;
                    Datum::Number(match dice.below(4) {
                        0 => whole,
                        1 => whole / 8.0,
                        2 => whole * 1e9,
                        _ => whole * 1e-7,
                    })
                }
                FeatureKind::Text => {
                    Datum::Text((0..dice.below(5)).map(|_| *dice.pick(&pieces)).collect::<String>())
                }
            })
            .collect();
        if seen.insert(format!("{row:?}").replace("-0.0", "0.0")) {
            rows.push(row);
            targets.push(dice.below(classes) as u32);
        }
    }
    let schema = Schema {
        target: "y".into(),
        target_kind: if number_target { TargetKind::Number } else { TargetKind::Integer },
        classes: if number_target { Vec::new() } else { (0..classes as i64).map(Label::Integer).collect() },
        features,
    };
    let mut builder = TableBuilder::new(Arc::new(schema));
    for (place, (row, class)) in rows.iter().zip(&targets).enumerate() {
        let cells: Vec<Cell<'_>> = row
            .iter()
            .map(|datum| match datum {
                Datum::Number(x) => Cell::Number(*x),
                Datum::Text(text) => Cell::Text(text),
            })
            .collect();
        let target = if number_target {
            TargetValue::Number(f64::from(*class) * 1.5)
        } else {
            TargetValue::Class(*class)
        };
        builder.push(place as u64 * 2 + 1, &cells, target).unwrap();
    }
    (builder.finish(), rows, targets)
}

fn random_training(dice: &mut Dice) -> Training {
    Training {
        layers: 1,
        bucket: 1 + dice.below(30) as u32,
        slice: 5 + dice.below(200) as u32,
        noise: [0.0, 0.25, 1.0, 3.0][dice.below(4)],
        lookahead: 1 + dice.below(8) as u32,
        ..Training::new(*dice.pick(&Profile::ALL), 1)
    }
}

fn train(table: Table, training: &Training, seed: u64) -> (Arc<Table>, UnitBuckets) {
    let table = Arc::new(table);
    let prepared = Prepared::new(Arc::clone(&table), training.profile);
    let seed = UnitSeed { fingerprint: [9; 32], seed, path: 0, layer: 0 };
    let cancel = Cancel::new();
    let buckets =
        train_unit(&UnitJob { prepared: &prepared, training, seed, prefix: &[], cancel: &cancel }).unwrap();
    (table, buckets)
}

/// The invariants word by word, over rows one at a time.
fn by_definition(rows: &[Vec<Datum>], classes: &[u32], buckets: &UnitBuckets) -> bool {
    let width = rows[0].len() as u32;
    let row_of = |ordinal: u64| -> Option<usize> {
        (ordinal % 2 == 1 && ((ordinal / 2) as usize) < rows.len()).then_some((ordinal / 2) as usize)
    };
    let holds = |literal: &Literal, row: usize| {
        let value = match &rows[row][literal.column as usize - 1] {
            Datum::Number(x) => Value::number(*x),
            Datum::Text(text) => Value::Text(text),
        };
        literal.holds(value)
    };
    // Well-formed: positions, columns, and the order that training gives.
    for bucket in buckets {
        let literals = bucket.condition.iter().flatten().chain(bucket.clauses.iter().flatten());
        for literal in literals {
            if literal.column == 0 || literal.column > width || serde_json::to_string(literal).is_err() {
                return false;
            }
        }
        if bucket.origins.len() != bucket.members.len() {
            return false;
        }
        if bucket.members.iter().any(|ordinal| row_of(*ordinal).is_none()) {
            return false;
        }
        let keys: Vec<(bool, u64)> =
            bucket.members.iter().zip(&bucket.origins).map(|(m, o)| (*o == Origin::Noise, *m)).collect();
        if keys.windows(2).any(|pair| pair[0] >= pair[1]) {
            return false;
        }
        if bucket.members.iter().collect::<BTreeSet<_>>().len() != bucket.members.len() {
            return false;
        }
        let positions: Vec<u32> = bucket.lookalikes.iter().map(|entry| entry.0).collect();
        if positions != (0..bucket.members.len() as u32).collect::<Vec<_>>() {
            return false;
        }
        if bucket.lookalikes.clauses().iter().any(|clause| *clause as usize >= bucket.clauses.len()) {
            return false;
        }
    }
    // 1: conditions are unique, null is the last one's.
    for (place, bucket) in buckets.iter().enumerate() {
        match &bucket.condition {
            None if place + 1 != buckets.len() => return false,
            Some(condition) if condition.is_empty() => return false,
            Some(_) if buckets.iter().take(place).any(|other| other.condition == bucket.condition) => {
                return false;
            }
            _ => {}
        }
    }
    // 2: core members are those that the walk sends here, and there are some.
    let mut core = vec![BTreeSet::new(); buckets.len()];
    for row in 0..rows.len() {
        let all = |bucket: &Bucket<u64>| bucket.condition.iter().flatten().all(|literal| holds(literal, row));
        let Some(last) = buckets.len().checked_sub(1) else { return false };
        core[buckets.iter().position(all).unwrap_or(last)].insert(row);
    }
    for (bucket, core) in buckets.iter().zip(&core) {
        let members = |origin: Origin| {
            bucket
                .members
                .iter()
                .zip(&bucket.origins)
                .filter(move |(_, o)| **o == origin)
                .map(|(m, _)| (*m / 2) as usize)
        };
        if members(Origin::Core).collect::<BTreeSet<_>>() != *core || core.is_empty() {
            return false;
        }
        // 3: noise satisfies the condition.
        if members(Origin::Noise)
            .any(|row| !bucket.condition.iter().flatten().all(|literal| holds(literal, row)))
        {
            return false;
        }
        // 4: clauses are of one class, and false on exactly those that list them.
        let lists = bucket.lookalikes.to_lists();
        let class = |position: usize| classes[(bucket.members[position] / 2) as usize];
        for (number, clause) in bucket.clauses.iter().enumerate() {
            let listed: BTreeSet<usize> = lists
                .iter()
                .filter(|(_, conditions)| conditions.iter().flatten().any(|c| *c as usize == number))
                .map(|(position, _)| *position as usize)
                .collect();
            let false_on: BTreeSet<usize> = (0..bucket.members.len())
                .filter(|position| {
                    !clause.iter().any(|literal| holds(literal, (bucket.members[*position] / 2) as usize))
                })
                .collect();
            let of: BTreeSet<u32> = listed.iter().map(|position| class(*position)).collect();
            if of.len() != 1 || listed != false_on {
                return false;
            }
        }
        // 5: everybody votes where there are several classes, and on a clause; somebody where there is one.
        let several = (0..bucket.members.len()).map(class).collect::<BTreeSet<_>>().len() > 1;
        let always = lists.iter().any(|(_, conditions)| conditions.iter().any(Vec::is_empty));
        let silent = lists.iter().any(|(_, conditions)| conditions.is_empty());
        let wrong = if several { always || silent } else { silent && !always };
        if wrong {
            return false;
        }
    }
    true
}

#[test]
fn whatever_is_trained_is_certified() {
    let mut kinds = BTreeSet::new();
    for seed in 0..150 {
        let mut dice = Dice(seed * 77 + 5);
        let (table, rows, classes) = random_table(&mut dice, seed % 5 == 4);
        let training = random_training(&mut dice);
        let (table, buckets) = train(table, &training, seed);
        let found = certify_unit(&table, &[], &buckets);
        assert!(found.is_ok(), "seed {seed}, {training:?}: {}", found.unwrap_err());
        assert!(by_definition(&rows, &classes, &buckets), "seed {seed}: the definition says otherwise");
        for bucket in &buckets {
            let literals = bucket.condition.iter().flatten().chain(bucket.clauses.iter().flatten());
            kinds.extend(literals.map(|literal| literal.test.kind().to_owned()));
        }
    }
    assert!(kinds.len() >= 5, "random tables bring out many kinds of literals: {kinds:?}");
}

/// The ways to damage a unit, each in one place.
const DAMAGES: [&str; 27] = [
    "a clause's literal is negated",
    "a clause's literal has another value",
    "a clause's literal is over another column",
    "a clause loses a literal",
    "a clause gets a literal",
    "a clause is empty",
    "two clauses change places",
    "a clause is lost",
    "a clause stands there twice",
    "a member is another row",
    "a member is lost",
    "a member is added",
    "a member's origin is the other one",
    "two members change places",
    "a list loses a clause",
    "a list gets another clause",
    "a list gets an empty condition",
    "a list is empty",
    "two lists change places",
    "two conditions of a list become one",
    "a condition's literal is negated",
    "a condition's literal has another value",
    "a condition loses a literal",
    "a condition is another bucket's",
    "a condition is null",
    "two buckets change places",
    "a bucket is lost",
];

fn other_value(dice: &mut Dice, literal: &mut Literal, rows: &[Vec<Datum>]) {
    let step = [1e-9, 0.3, 2.0, -1.0, 1e6][dice.below(5)];
    match &mut literal.test {
        Test::Threshold(_, t) => *t += step,
        Test::Reference(_, other) => other.threshold += step,
        Test::Standardised(scale) => scale.threshold += step,
        Test::Range(range) => range.high += step,
        Test::Text(_, text) => {
            let column = literal.column as usize - 1;
            let other = rows[dice.below(rows.len())].get(column);
            *text = match other {
                Some(Datum::Text(other)) if dice.below(2) == 0 => other.as_str().into(),
                _ => format!("{text}q").into(),
            };
        }
        _ => literal.negated ^= true,
    }
}

/// Damages a unit in this way; `false`: there is no place for it.
fn damage(dice: &mut Dice, kind: usize, buckets: &mut UnitBuckets, rows: &[Vec<Datum>]) -> bool {
    let count = buckets.len();
    let place = dice.below(count);
    let width = rows[0].len() as u32;
    let other_condition = buckets[dice.below(count)].condition.clone();
    let donor = buckets[dice.below(count)].clauses.iter().flatten().next().cloned();
    let bucket = &mut buckets[place];
    let members = bucket.members.len();
    let clauses = bucket.clauses.len();
    let in_clause =
        |dice: &mut Dice, bucket: &mut Bucket<u64>, change: &mut dyn FnMut(&mut Dice, &mut Literal)| {
            if clauses == 0 {
                return false;
            }
            let clause = dice.below(clauses);
            let length = bucket.clauses[clause].len();
            if length == 0 {
                return false;
            }
            let literal = dice.below(length);
            change(dice, &mut bucket.clauses[clause][literal]);
            true
        };
    match kind {
        0 => return in_clause(dice, bucket, &mut |_, literal| literal.negated ^= true),
        1 => return in_clause(dice, bucket, &mut |dice, literal| other_value(dice, literal, rows)),
        2 => {
            return in_clause(dice, bucket, &mut |dice, literal| {
                literal.column = dice.below(width as usize + 2) as u32
            });
        }
        3 if clauses > 0 => {
            let clause = dice.below(clauses);
            if bucket.clauses[clause].is_empty() {
                return false;
            }
            let literal = dice.below(bucket.clauses[clause].len());
            bucket.clauses[clause].remove(literal);
        }
        4 if clauses > 0 => {
            let Some(literal) = donor else { return false };
            bucket.clauses[dice.below(clauses)].push(literal);
        }
        5 if clauses > 0 => bucket.clauses[dice.below(clauses)].clear(),
        6 if clauses > 1 => bucket.clauses.swap(dice.below(clauses), dice.below(clauses)),
        7 if clauses > 0 => {
            bucket.clauses.remove(dice.below(clauses));
        }
        8 if clauses > 0 => {
            let again = bucket.clauses[dice.below(clauses)].clone();
            bucket.clauses.push(again);
        }
        9 => bucket.members[dice.below(members)] = dice.below(rows.len() * 2 + 2) as u64,
        10 => {
            let member = dice.below(members);
            bucket.members.remove(member);
            bucket.origins.remove(member);
            bucket.lookalikes.edit(|lists| {
                lists.remove(member);
                lists.iter_mut().enumerate().for_each(|(i, list)| list.0 = i as u32);
            });
        }
        11 => {
            bucket.members.push(dice.below(rows.len()) as u64 * 2 + 1);
            bucket.origins.push(if dice.below(3) == 0 { Origin::Core } else { Origin::Noise });
            let list = dice.below(members);
            bucket.lookalikes.edit(|lists| {
                let conditions = lists[list].1.clone();
                lists.push((members as u32, conditions));
            });
        }
        12 => {
            let member = dice.below(members);
            bucket.origins[member] =
                if bucket.origins[member] == Origin::Core { Origin::Noise } else { Origin::Core };
        }
        13 => bucket.members.swap(dice.below(members), dice.below(members)),
        14 => {
            let member = dice.below(members);
            bucket.lookalikes.edit(|lists| drop(lists[member].1.pop()));
        }
        15 if clauses > 0 => {
            let (member, clause) = (dice.below(members), dice.below(clauses) as u32);
            bucket.lookalikes.edit(|lists| lists[member].1.push(vec![clause]));
        }
        16 => {
            let member = dice.below(members);
            bucket.lookalikes.edit(|lists| lists[member].1.push(Vec::new()));
        }
        17 => {
            let member = dice.below(members);
            bucket.lookalikes.edit(|lists| lists[member].1.clear());
        }
        18 => {
            let (a, b) = (dice.below(members), dice.below(members));
            bucket.lookalikes.edit(|lists| {
                let one = std::mem::take(&mut lists[a].1);
                let other = std::mem::replace(&mut lists[b].1, one);
                if a != b {
                    lists[a].1 = other;
                }
            });
        }
        19 => {
            let member = dice.below(members);
            bucket.lookalikes.edit(|lists| {
                let conditions = std::mem::take(&mut lists[member].1);
                lists[member].1 = vec![conditions.concat()];
            });
        }
        20..=22 => {
            let Some(condition) = bucket.condition.as_mut().filter(|condition| !condition.is_empty()) else {
                return false;
            };
            let literal = dice.below(condition.len());
            match kind {
                20 => condition[literal].negated ^= true,
                21 => other_value(dice, &mut condition[literal], rows),
                _ => drop(condition.remove(literal)),
            }
        }
        23 => bucket.condition = other_condition,
        24 => bucket.condition = None,
        25 if count > 1 => buckets.swap(dice.below(count), place),
        26 => {
            buckets.remove(place);
        }
        _ => return false,
    }
    true
}

#[test]
fn every_damage_is_caught_or_changes_nothing() {
    let (mut caught, mut harmless) = (BTreeMap::new(), 0);
    let mut by_invariant = BTreeMap::new();
    for seed in 0..60 {
        let mut dice = Dice(seed * 1_001 + 17);
        let (table, rows, classes) = random_table(&mut dice, seed % 6 == 5);
        let training = random_training(&mut dice);
        let (table, sound) = train(table, &training, seed);
        for (kind, name) in DAMAGES.iter().enumerate() {
            for _ in 0..6 {
                let mut buckets = sound.clone();
                if !damage(&mut dice, kind, &mut buckets, &rows) {
                    continue;
                }
                let found = certify_unit(&table, &[], &buckets);
                let sound = by_definition(&rows, &classes, &buckets);
                assert_eq!(found.is_ok(), sound, "seed {seed}, {name}: {found:?}");
                match found {
                    Ok(_) => harmless += 1,
                    Err(breach) => {
                        *caught.entry(*name).or_insert(0) += 1;
                        *by_invariant.entry(breach.invariant()).or_insert(0) += 1;
                    }
                }
            }
        }
    }
    for name in DAMAGES {
        // A row whose clauses have to be false together still votes for itself, and for nobody of another class.
        if name == "two conditions of a list become one" {
            continue;
        }
        assert!(caught.get(name).is_some_and(|times| *times >= 20), "{name}: {caught:?}");
    }
    assert_eq!(by_invariant.keys().copied().collect::<Vec<u8>>(), [0, 1, 2, 3, 4, 5], "{by_invariant:?}");
    let all: i32 = caught.values().sum();
    // A threshold that moves between two rows' values, and the like.
    assert!(harmless * 4 < all, "{harmless} of {all} damages change nothing");
}

fn model_of(
    rows: &[Vec<Datum>],
    classes: &[u32],
    features: &[Feature],
    layers: Vec<Vec<Bucket<u32>>>,
) -> Model {
    let mut population = RowBatchBuilder::new(features);
    for row in rows {
        let cells: Vec<Value<'_>> = row
            .iter()
            .map(|datum| match datum {
                Datum::Number(x) => Value::Number(*x),
                Datum::Text(text) => Value::Text(text),
            })
            .collect();
        population.push(&cells).unwrap();
    }
    let config = Config {
        n_layers: layers.len() as u32,
        bucket: 1,
        noise: 0.0,
        vocal: false,
        workers: 1,
        oppose_profile: "balanced".into(),
        lookahead: 1,
    };
    Model {
        head: Head {
            version: FORMAT_VERSION.into(),
            stripped: false,
            target: "y".into(),
            target_kind: TargetKind::Integer,
            features: features.to_vec(),
            config: config.into(),
            log: String::new(),
            opendipaco: None,
        },
        population: population.take(),
        targets: classes.iter().map(|class| Label::Integer(i64::from(*class))).collect(),
        layers,
    }
}

/// Ten buckets under one condition, each with rows of its own: nine of them never vote.
#[test]
fn ten_buckets_under_one_condition() {
    let rows: Vec<Vec<Datum>> = (0..40).map(|i| vec![Datum::Number(f64::from(i))]).collect();
    let classes: Vec<u32> = (0..40).map(|i| i % 2).collect();
    let features = [Feature { name: "x".into(), kind: FeatureKind::Number }];
    let above = |t: f64, negated: bool| Literal { column: 1, negated, test: Test::Threshold(Measure::N, t) };
    let bucket = |part: u32| {
        let members: Vec<u32> = (part * 4..part * 4 + 4).collect();
        let clauses: Vec<Vec<Literal>> = members
            .iter()
            .map(|row| vec![above(f64::from(*row), false), above(f64::from(*row) + 1.0, true)])
            .collect();
        Bucket {
            condition: Some(vec![above(0.0, true)]),
            members,
            origins: vec![Origin::Core; 4],
            clauses,
            lookalikes: (0..4).map(|clause| (clause, vec![vec![clause]])).collect(),
        }
    };
    let model = model_of(&rows, &classes, &features, vec![(0..10).map(bucket).collect()]);
    let survey = survey_layer(&model, 0, &(0..40).collect::<Vec<_>>(), &[], 1000).unwrap();
    for place in 1..10 {
        let same = Breach::SameCondition { bucket: place, other: 0 };
        assert!(survey.breaches.contains(&same), "{:?}", survey.breaches);
        assert!(survey.breaches.contains(&Breach::NotRouted { bucket: place, row: place as u64 * 4 }));
    }
    assert!(survey.breaches.contains(&Breach::NotCore { bucket: 0, row: 4 }));
    let error = certify_layer(&model, 0).unwrap_err().to_string();
    assert!(
        error.contains("bucket 1 has the condition of bucket 0") && error.contains("never vote"),
        "{error}"
    );
    let found = Predictor::new(&model).unwrap().predict(&model.population);
    assert!(found.iter().skip(4).all(|prediction| prediction.total == 0), "36 of 40 rows get no vote");
}

/// Layers of several paths in one chain: every condition begins with its path, and no row falls through.
#[test]
fn layers_of_several_paths() {
    let path = |p: usize| Literal {
        column: 2,
        negated: false,
        test: Test::Text(TextTest::Equals, p.to_string().into()),
    };
    let rows: Vec<Vec<Datum>> =
        (0..6).map(|i| vec![Datum::Number(f64::from(i)), Datum::Text((i % 2).to_string())]).collect();
    let features = [
        Feature { name: "x".into(), kind: FeatureKind::Number },
        Feature { name: "__path".into(), kind: FeatureKind::Text },
    ];
    let bucket = |p: usize| Bucket {
        condition: Some(vec![path(p)]),
        members: (0..6).filter(|row| row % 2 == p as u32).collect(),
        origins: vec![Origin::Core; 3],
        clauses: Vec::new(),
        lookalikes: [(0, vec![vec![]])].into_iter().collect(),
    };
    let all: Vec<u32> = (0..6).collect();
    let paths = [path(0), path(1)];
    let breaches = |layer: Vec<Bucket<u32>>| {
        let model = model_of(&rows, &[0, 1, 0, 1, 0, 1], &features, vec![layer]);
        survey_layer(&model, 0, &all, &paths, 100).unwrap().breaches
    };
    assert_eq!(breaches(vec![bucket(0), bucket(1)]), []);
    assert_eq!(breaches(vec![bucket(1), bucket(0)]), [Breach::PathOrder { bucket: 1 }]);
    let null = Bucket { condition: None, ..bucket(1) };
    assert_eq!(breaches(vec![bucket(0), null]), [Breach::NullCondition { bucket: 1 }]);
    let without = Bucket {
        condition: Some(vec![Literal { column: 1, negated: true, test: Test::Threshold(Measure::N, 0.0) }]),
        ..bucket(1)
    };
    assert_eq!(breaches(vec![bucket(0), without]), [Breach::Prefix { bucket: 1 }]);
    let never = Literal { column: 1, negated: true, test: Test::Threshold(Measure::N, 3.0) };
    let narrow = Bucket { condition: Some(vec![path(1), never]), ..bucket(1) };
    let found = breaches(vec![bucket(0), narrow]);
    assert_eq!(found, [Breach::Unmatched { row: 1 }, Breach::NotRouted { bucket: 1, row: 1 }]);
    assert_eq!((found[1].bucket(), found[1].row(), found[1].clause()), (Some(1), Some(1), None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any seed at all: trained layers pass.
    #[test]
    fn trained_layers_pass(seed in any::<u64>(), number in any::<bool>()) {
        let mut dice = Dice(seed);
        let (table, rows, classes) = random_table(&mut dice, number);
        let training = random_training(&mut dice);
        let (table, buckets) = train(table, &training, seed);
        let found = certify_unit(&table, &[], &buckets);
        prop_assert!(found.is_ok(), "{training:?}: {found:?}");
        prop_assert!(by_definition(&rows, &classes, &buckets));
    }
}
