//! The certificate against its definition: trained layers of random tables pass, and a damaged layer passes if and only
//! if the five invariants, written down the plainest way, still hold.

#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail

#[path = "support/random_units.rs"]
mod random_units;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use random_units::{Datum, Dice, by_definition, random_table, random_training, train};
use snake::{
    Breach, Bucket, Config, FORMAT_VERSION, Feature, FeatureKind, Head, Label, Literal, Measure, Model,
    Origin, Predictor, RowBatchBuilder, TargetKind, Test, TextTest, UnitBuckets, Value, certify_layer,
    certify_unit, survey_layer,
};

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
