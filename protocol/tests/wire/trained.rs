//! Reports of real training: they pass the check that needs no rows, and stay within their limits.

use std::sync::Arc;

use protocol::{ReportLimits, ReportRules, Unit, check_report, decode_report, encode_report};
use snake::{
    Cancel, Cell, Feature, FeatureKind, Label, Prepared, Profile, Schema, TableBuilder, TargetColumn,
    TargetKind, TargetValue, Training, UnitJob, UnitSeed, train_unit,
};
use spec::{DataSpec, Routing, Shard, ShardHash};

use crate::samples;

/// A table to train on: random cells with random classes, so that there is nothing to learn and clauses are many.
struct Case {
    name: &'static str,
    rows: u64,
    numbers: usize,
    texts: usize,
    /// Characters of a text.
    length: usize,
    classes: u32,
    profile: Profile,
    slice: u32,
    routed: bool,
    noise: f64,
    lookahead: u32,
    /// Whether the first column says the class, but for a row in a hundred.
    learnable: bool,
}

const CASES: [Case; 9] = [
    Case { name: "five rows", rows: 5, numbers: 30, texts: 0, length: 0, classes: 2, ..PLAIN },
    Case {
        name: "five rows of long texts",
        rows: 5,
        numbers: 0,
        texts: 30,
        length: 2000,
        classes: 2,
        ..PLAIN
    },
    Case { name: "numbers", rows: 2000, numbers: 8, texts: 0, length: 0, classes: 3, ..PLAIN },
    Case { name: "slices", rows: 2000, numbers: 4, texts: 2, length: 6, classes: 5, slice: 300, ..PLAIN },
    Case { name: "long texts", rows: 400, numbers: 0, texts: 4, length: 2000, classes: 2, ..PLAIN },
    Case { name: "distances", rows: 400, texts: 4, length: 500, profile: Profile::Linguistic, ..PLAIN },
    Case { name: "one class", rows: 50, classes: 1, ..PLAIN },
    Case { name: "defaults", rows: 4000, learnable: true, lookahead: 15, ..PLAIN },
    Case { name: "many votes", rows: 4000, learnable: true, lookahead: 25, noise: 3.0, ..PLAIN },
];

const PLAIN: Case = Case {
    name: "",
    rows: 0,
    numbers: 2,
    texts: 0,
    length: 0,
    classes: 2,
    profile: Profile::Balanced,
    slice: 20_000,
    routed: false,
    noise: 1.0,
    lookahead: 5,
    learnable: false,
};

impl Case {
    fn spec(&self) -> DataSpec {
        let numbers = std::iter::repeat_n(FeatureKind::Number, self.numbers);
        let kinds = numbers.chain(std::iter::repeat_n(FeatureKind::Text, self.texts));
        let features = kinds.zip(0..).map(|(kind, i)| Feature { name: format!("c{i}"), kind }).collect();
        let routing = if self.routed { samples::spec().routing } else { Routing::RoundRobin { paths: 2 } };
        let shard = |rows| Shard { rows, hash: ShardHash::from_bytes([0; 32]) };
        DataSpec {
            schema: Schema {
                target: "t".into(),
                target_kind: TargetKind::Integer,
                classes: (0..i64::from(self.classes)).map(Label::Integer).collect(),
                features,
            },
            holdout: 0.0,
            routing,
            training: Training {
                layers: 1,
                bucket: 50,
                slice: self.slice,
                noise: self.noise,
                profile: self.profile,
                lookahead: self.lookahead,
                seed: 0,
            },
            shards: vec![shard(self.rows), shard(self.rows)],
        }
    }

    #[allow(clippy::cast_precision_loss)]
    fn run(&self) {
        let spec = self.spec();
        let seed = UnitSeed { fingerprint: [3; 32], seed: 0, path: 0, layer: 0 };
        let mut random = UnitSeed { layer: 1, ..seed }.node(&[]);
        let mut builder = TableBuilder::new(Arc::new(spec.schema.clone()));
        for row in 0..self.rows {
            let mut numbers: Vec<f64> = (0..self.numbers).map(|_| random.below(1000) as f64 / 8.0).collect();
            let mut text =
                || (0..self.length).map(|_| char::from(b'a' + random.below(26) as u8)).collect::<String>();
            let texts: Vec<String> = (0..self.texts).map(|_| text()).collect();
            // The first rows have a class each, so that no case has fewer by chance.
            let class =
                if row < u64::from(self.classes) { row } else { random.below(self.classes as usize) as u64 };
            if self.learnable && random.below(100) > 0 {
                numbers[0] += class as f64 * 1000.0;
            }
            let numbers = numbers.iter().map(|x| Cell::Number(*x));
            let cells: Vec<Cell<'_>> = numbers.chain(texts.iter().map(|text| Cell::Text(text))).collect();
            let class = u32::try_from(class).unwrap();
            builder.push(row * 2, &cells, TargetValue::Class(class)).unwrap();
        }
        let table = Arc::new(builder.finish());
        let ordinals = table.ordinals().to_vec();
        let TargetColumn::Class(classes) = table.target().clone() else { panic!() };
        let prefix: Vec<_> = spec.path_literal(0).into_iter().collect();
        let buckets = train_unit(&UnitJob {
            prepared: &Prepared::new(table, self.profile),
            training: &spec.training,
            seed,
            prefix: &prefix,
            cancel: &Cancel::new(),
        })
        .unwrap();

        let bytes = encode_report(&buckets).unwrap();
        let limits = ReportLimits::for_path(&spec.schema, self.rows);
        println!(
            "{}: {} bytes a row, {:.1} % of the limit",
            self.name,
            bytes.len() as u64 / self.rows,
            bytes.len() as f64 * 100.0 / limits.bytes as f64
        );
        assert_eq!(decode_report(&bytes, limits).unwrap(), buckets, "{}", self.name);
        let rules = ReportRules::new(&spec, Unit::new(0, 0), &ordinals, &classes).unwrap();
        assert_eq!(check_report(&rules, &buckets), Ok(()), "{}", self.name);
    }
}

#[test]
fn what_training_makes_is_accepted() {
    for case in &CASES {
        case.run();
    }
}

#[test]
fn so_is_what_it_makes_of_a_routed_path() {
    Case { name: "routed", rows: 900, numbers: 1, texts: 1, length: 4, routed: true, ..PLAIN }.run();
}
