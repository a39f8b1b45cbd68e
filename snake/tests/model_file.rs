//! Reading and writing models: what a file may leave out, what is refused and where, and that nothing read panics.

#![allow(clippy::unwrap_used, clippy::panic)] // a test may fail

use proptest::prelude::*;
use snake::{
    Breach, Bucket, BucketFault, Comparison, FORMAT_VERSION, Feature, FeatureKind, Head, Label, Literal,
    Measure, Model, ModelError, ModelWriter, Origin, Predictor, RowBatchBuilder, TargetKind, Test, TextTest,
    TrainingRows, Value, survey_layer,
};

const TINY: &str = include_str!("../testdata/tiny.json");

/// Reads the small model after a change to its JSON.
fn changed(change: impl FnOnce(&mut serde_json::Value)) -> Result<Model, ModelError> {
    let mut json: serde_json::Value = serde_json::from_str(TINY).unwrap();
    change(&mut json);
    Model::read(json.to_string().as_bytes())
}

fn refused(part: &str, change: impl FnOnce(&mut serde_json::Value)) {
    let error = changed(change).unwrap_err().to_string();
    assert!(error.contains(part), "{error:?} does not say {part:?}");
}

#[test]
fn what_a_file_may_leave_out_or_add() {
    let tiny = Model::read(TINY.as_bytes()).unwrap();
    assert_eq!(tiny.layers[2][0].origins, [Origin::Core]);
    let same = changed(|m| {
        m["future"] = serde_json::json!({"deep": [1, [2]]});
        m["layers"][0][0]["future"] = 1.into();
        m["layers"][0][0]["clauses"][1][0][1] = 0.into();
        m["population"][0]["unknown"] = serde_json::json!([1]);
    });
    assert_eq!(same.unwrap(), tiny);
    let stripped = changed(|m| {
        m["stripped"] = true.into();
        m["population"] = serde_json::json!([]);
    })
    .unwrap();
    assert_eq!((stripped.population.rows(), stripped.targets.len()), (0, 6));
    assert_eq!(Model::read(&stripped.write(Vec::new()).unwrap()).unwrap(), stripped);
    let without = changed(|m| {
        for key in ["version", "stripped", "config", "log", "population"] {
            m.as_object_mut().unwrap().shift_remove(key);
        }
    });
    assert_eq!(without.unwrap().layers, tiny.layers);
    // A row without a key, and one with null, lack the value.
    let holes = changed(|m| {
        m["population"][0].as_object_mut().unwrap().shift_remove("size");
        m["population"][1]["name"] = serde_json::Value::Null;
    })
    .unwrap();
    assert_eq!(holes.population.value(0, 0), Value::Missing);
    assert_eq!(holes.population.value(1, 1), Value::Missing);
    let written = String::from_utf8(holes.write(Vec::new()).unwrap()).unwrap();
    assert!(written.contains(r#"[{"y":"blue","name":""},{"y":"blue","size":2.0},"#), "{written}");
    let quick = Model::read_without_rows(TINY.as_bytes()).unwrap();
    assert_eq!((quick.population.rows(), &quick.layers), (0, &tiny.layers));
    assert!(Predictor::new(&quick).is_ok());
    let error = quick.write(Vec::new()).unwrap_err().to_string();
    assert!(error.contains("0 of its 6 rows"), "{error}");
}

#[test]
fn targets_of_every_kind() {
    let read = |kind: &str, targets: serde_json::Value| {
        changed(|m| {
            m["datatypes"][0] = kind.into();
            m["targets"] = targets;
        })
    };
    let binary = read("B", serde_json::json!([true, 0, 1.0, false, 1, 0])).unwrap();
    assert_eq!(binary.classes(), [Label::Integer(0), Label::Integer(1)]);
    let written = String::from_utf8(binary.write(Vec::new()).unwrap()).unwrap();
    assert!(written.contains(r#""targets":[1,0,1,0,1,0]"#), "{written}");
    let number = read("N", serde_json::json!([10, 9.5, 9, -0.0, 0, 1e300])).unwrap();
    assert_eq!(number.classes().len(), 5);
    let written = String::from_utf8(number.write(Vec::new()).unwrap()).unwrap();
    assert!(written.contains(r#""targets":[10.0,9.5,9.0,-0.0,0.0,1e"#), "{written}");
    let any = read("J", serde_json::json!([{"b": 1, "a": 2}, {"a": 2, "b": 1}, null, [1], "x", 3])).unwrap();
    assert_eq!(any.classes().len(), 5);
    assert_eq!(Model::read(&any.write(Vec::new()).unwrap()).unwrap(), any);
    for (kind, targets) in [
        ("T", serde_json::json!(["a", "b", "c", "d", "e", 1])),
        ("N", serde_json::json!([1, 2, 3, 4, 5, "6"])),
        ("I", serde_json::json!([1, 2, 3, 4, 5, null])),
    ] {
        let error = read(kind, targets).unwrap_err().to_string();
        assert!(error.contains("target value 5"), "{error}");
    }
}

#[test]
fn what_is_refused_names_its_place() {
    refused("layer 0, bucket 1 (both from 0): member 1 is row 6, the model has 6 rows", |m| {
        m["layers"][0][1]["members"][1] = 6.into();
    });
    refused("layer 0, bucket 0 (both from 0): it has 3 members and 2 origins", |m| {
        m["layers"][0][0]["origins"] = serde_json::json!(["c", "c"]);
    });
    refused("layer 0, bucket 0 (both from 0): its condition is null", |m| {
        m["layers"][0][0]["condition"] = serde_json::Value::Null;
    });
    refused("layer 2, bucket 1 (both from 0): member 4 votes on clause 9", |m| {
        m["layers"][2][1]["lookalikes"]["4"] = serde_json::json!([[9]]);
    });
    refused("a lookalike entry is for member 3, the bucket has 3 members", |m| {
        m["layers"][0][0]["lookalikes"]["3"] = serde_json::json!([]);
    });
    refused("lookalike key \"00\"", |m| m["layers"][0][0]["lookalikes"]["00"] = serde_json::json!([]));
    refused("a literal (clause 1) is over column 3, the header has 3 columns", |m| {
        m["layers"][0][0]["clauses"][1][0][0] = 3.into();
    });
    refused("layer 0, bucket 2 (both from 0): line 1, column ", |m| {
        m["layers"][0][2].as_object_mut().unwrap().shift_remove("members");
    });
    refused(": the value of a literal of kind T must be a text", |m| {
        m["layers"][0][0]["clauses"][0][0][1] = 1.into();
    });
    refused("column \"size\" stands in it twice", |m| m["header"][2] = "size".into());
    refused("its first column is \"y\", the target is \"z\"", |m| m["target"] = "z".into());
    refused("there are 2 for 3 columns", |m| m["datatypes"] = serde_json::json!(["T", "N"]));
    refused("feature \"size\" is \"J\"", |m| m["datatypes"][1] = "J".into());
    refused("it has 5 rows, the model has 6 targets", |m| {
        m["population"].as_array_mut().unwrap().pop();
    });
    refused("targets cannot be used: there are none", |m| {
        m["targets"] = serde_json::json!([]);
        m["population"] = serde_json::json!([]);
        m["layers"] = serde_json::json!([]);
    });
    let twice = TINY.replacen(r#""lookalikes": {"2":"#, r#""lookalikes": {"0": [], "2":"#, 1);
    let error = Model::read(twice.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("member 0 has two lookalike entries"), "{error}");
    let deep = format!("{{\"header\": {}", "[".repeat(100_000));
    assert!(matches!(Model::read(deep.as_bytes()), Err(ModelError::Json { .. })));
    let rest = format!("{TINY} x");
    assert!(matches!(Model::read(rest.as_bytes()), Err(ModelError::Json { .. })));
}

/// Gives a few bytes at a time.
struct Drops<'a>(&'a [u8], usize);

impl std::io::Read for Drops<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let length = self.1.min(out.len()).min(self.0.len());
        let (now, later) = self.0.split_at(length);
        out[..length].copy_from_slice(now);
        self.0 = later;
        Ok(length)
    }
}

#[test]
fn files_stream() {
    let tiny = Model::read(TINY.as_bytes()).unwrap();
    for size in [1, 2, 7, 1000] {
        let mut opened = 0;
        let open = || {
            opened += 1;
            Ok(Drops(TINY.as_bytes(), size))
        };
        assert_eq!(Model::read_stream(open, TrainingRows::Kept).unwrap(), tiny);
        assert_eq!(opened, 2, "rows before the header take a second look");
    }
    // A writer that puts the header first needs only one, and so does who wants no rows.
    let json: serde_json::Value = serde_json::from_str(TINY).unwrap();
    let mut first = serde_json::json!({"header": json["header"], "target": json["target"],
        "datatypes": json["datatypes"]});
    for (key, value) in json.as_object().unwrap() {
        first[key] = value.clone();
    }
    for (text, rows) in [(first.to_string(), TrainingRows::Kept), (TINY.to_owned(), TrainingRows::LeftOut)] {
        let mut opened = 0;
        let open = || {
            opened += 1;
            Ok(text.as_bytes())
        };
        let model = Model::read_stream(open, rows).unwrap();
        assert_eq!((&model.layers, &model.targets, opened), (&tiny.layers, &tiny.targets, 1));
        assert_eq!(model.population.rows() == 0, rows == TrainingRows::LeftOut);
    }
    let broken = || Err::<&[u8], _>(std::io::Error::other("the disk is gone"));
    let error = Model::read_stream(broken, TrainingRows::Kept).unwrap_err();
    assert!(matches!(&error, ModelError::Read(_)) && error.to_string().contains("the disk is gone"));
}

#[test]
fn errors_name_line_and_column() {
    let at = |text: &str| match Model::read(text.as_bytes()).unwrap_err() {
        ModelError::Json { line, column, what }
        | ModelError::Bucket { layer: 0, bucket: 0, fault: BucketFault::Unreadable { line, column, what } } => {
            (line, column, what)
        }
        other => panic!("{other}"),
    };
    let (line, column, what) = at("{\"version\": \"5.4.8\",\n  \"stripped\": 3}");
    assert!((line, column) == (2, 15) && what.contains("boolean"), "{line}:{column} {what}");
    let (line, column, what) = at("{\"layers\": [[\n\n {\"condition\": null, \"members\": [\n-1]}]]}");
    assert!((line, column) == (4, 2) && what.contains("integer `-1`"), "{line}:{column} {what}");
    assert_eq!(at("[]").0, 1);
    assert_eq!(at("").2, "expected a model: an object, found the end of the file");
    assert!(at("{\"population\": [{\"y\": \"un").2.contains("ends within"));
    assert!(at("{\"log\": \"\", }").2.contains("expected a comma or the end of the model"));
    for key in ["targets", "population", "layers"] {
        let error = changed(|m| {
            m.as_object_mut().unwrap().shift_remove(key);
        });
        assert!(error.is_err() != (key == "population"), "{key}");
        let twice = TINY.replacen('{', &format!("{{\"{key}\": [], "), 1);
        let error = Model::read(twice.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(key) && error.contains("twice"), "{error}");
    }
}

fn head(stripped: bool) -> Head {
    Head {
        version: FORMAT_VERSION.into(),
        stripped,
        target: "y".into(),
        target_kind: TargetKind::Number,
        features: vec![
            Feature { name: "a".into(), kind: FeatureKind::Number },
            Feature { name: "b \"q\"".into(), kind: FeatureKind::Text },
        ],
        config: serde_json::json!({"n_layers": 1}),
        log: "two\nlines".into(),
        opendipaco: Some(serde_json::json!({"format": 1, "paths": 4})),
    }
}

fn else_bucket(members: Vec<u32>) -> Bucket<u32> {
    let origins = members.iter().map(|_| Origin::Core).collect();
    Bucket {
        condition: None,
        members,
        origins,
        clauses: Vec::new(),
        lookalikes: [(0, vec![vec![]])].into_iter().collect(),
    }
}

/// The document, byte by byte: the order of keys and the form of numbers are part of the format.
#[test]
fn the_bytes_of_a_file() {
    let mut writer = ModelWriter::new(Vec::new(), head(false)).unwrap();
    writer.row(&[Value::Number(3.0), Value::Text("é\n")], Label::Integer(2)).unwrap();
    writer.row(&[Value::Missing, Value::Text("")], Label::Number(-0.5)).unwrap();
    let literal = Literal { column: 1, negated: true, test: Test::Zero };
    let first = Bucket {
        condition: Some(vec![literal]),
        members: vec![0],
        origins: vec![Origin::Noise],
        clauses: vec![vec![Literal { column: 2, negated: false, test: Test::Threshold(Measure::Tn, 3.0) }]],
        lookalikes: [(0, vec![vec![0], vec![]])].into_iter().collect(),
    };
    writer.layer([first, else_bucket(vec![1])]).unwrap();
    writer.layer(Vec::<Bucket<u32>>::new()).unwrap();
    let bytes = writer.finish().unwrap();
    assert_eq!(
        std::str::from_utf8(&bytes).unwrap(),
        concat!(
            r#"{"version":"5.4.8","stripped":false,"#,
            r#""population":[{"y":2.0,"a":3.0,"b \"q\"":"é\n"},{"y":-0.5,"b \"q\"":""}],"#,
            r#""header":["y","a","b \"q\""],"target":"y","targets":[2.0,-0.5],"datatypes":["N","N","T"],"#,
            r#""config":{"n_layers":1},"#,
            r#""layers":[[{"condition":[[1,0,true,"NZR"]],"members":[0],"origins":["n"],"#,
            r#""clauses":[[[2,3.0,false,"TN"]]],"lookalikes":{"0":[[0],[]]}},"#,
            r#"{"condition":null,"members":[1],"origins":["c"],"clauses":[],"lookalikes":{"0":[[]]}}],[]],"#,
            r#""log":"two\nlines","opendipaco":{"format":1,"paths":4}}"#,
        )
    );
    assert!(Model::read(&bytes).is_ok());
}

#[test]
fn what_a_writer_refuses() {
    let row = |cells: &[Value<'_>], target: Label| {
        ModelWriter::new(Vec::new(), head(false)).unwrap().row(cells, target).unwrap_err().to_string()
    };
    let good = [Value::Number(1.0), Value::Text("x")];
    assert!(row(&good[..1], Label::Number(1.0)).contains("row 0 has 1 values"));
    assert!(row(&[Value::Number(f64::NAN), good[1]], Label::Number(1.0)).contains("column \"a\""));
    assert!(row(&[good[1], good[1]], Label::Number(1.0)).contains("column \"a\""));
    assert!(row(&good, Label::Number(f64::INFINITY)).contains("target"));
    assert!(row(&good, Label::Text("x".into())).contains("target"));
    let mut writer = ModelWriter::new(Vec::new(), head(true)).unwrap();
    writer.row(&[], Label::Number(1.0)).unwrap();
    let error = writer.layer([else_bucket(vec![0]), else_bucket(vec![0])]).unwrap_err();
    assert!(matches!(error, ModelError::Bucket { layer: 0, bucket: 0, fault: BucketFault::ElseNotLast }));
    let mut writer = ModelWriter::new(Vec::new(), head(true)).unwrap();
    writer.row(&[], Label::Number(1.0)).unwrap();
    let first = Bucket { condition: Some(Vec::new()), ..else_bucket(vec![0]) };
    let error = writer.layer([first, else_bucket(vec![1])]).unwrap_err();
    let fault = BucketFault::Member { position: 0, member: 1, rows: 1 };
    assert!(matches!(error, ModelError::Bucket { layer: 0, bucket: 1, fault: f } if f == fault));
    let mut writer = ModelWriter::new(Vec::new(), head(true)).unwrap();
    writer.row(&[], Label::Number(1.0)).unwrap();
    writer.layer([else_bucket(vec![0])]).unwrap();
    assert!(writer.row(&[], Label::Number(1.0)).unwrap_err().to_string().contains("after a layer"));
    assert!(ModelWriter::new(Vec::new(), head(true)).unwrap().finish().is_err());
}

fn finite() -> impl Strategy<Value = f64> {
    prop_oneof![any::<i8>().prop_map(f64::from), prop::num::f64::NORMAL | prop::num::f64::ZERO]
}

fn test() -> impl Strategy<Value = Test> {
    use Measure::*;
    let measures = vec![N, Nd, Nl, Nmg, Tn, Tln, Tws, Tps, Tss, Tuc, Tdc, Tsc, Ent, Hex, Rep, Tvr];
    let comparisons =
        vec![Comparison::Lev, Comparison::Jac, Comparison::Sim, Comparison::Pfx, Comparison::Sfx];
    let texts = vec![TextTest::Contains, TextTest::Equals, TextTest::StartsWith, TextTest::EndsWith];
    prop_oneof![
        (prop::sample::select(measures), finite()).prop_map(|(m, t)| Test::Threshold(m, t)),
        (prop::sample::select(comparisons), any::<String>(), finite())
            .prop_map(|(c, text, t)| Test::reference(c, text, t)),
        (prop::collection::btree_map(any::<char>(), finite(), 0..4), finite())
            .prop_map(|(map, t)| Test::frequencies(map.into_iter().collect(), t)),
        [finite(), finite(), finite()]
            .prop_map(|[mean, deviation, threshold]| Test::standardised(mean, deviation, threshold)),
        (prop::sample::select(texts), any::<String>()).prop_map(|(t, text)| Test::Text(t, text.into())),
        Just(Test::Zero),
        [finite(), finite()].prop_map(|[low, high]| Test::range(low, high)),
        ("X[A-Z]{1,4}", any::<Option<bool>>(), any::<String>()).prop_map(|(kind, a, b)| {
            Test::Unknown(Box::new(snake::Unknown {
                kind: kind.into(),
                value: serde_json::json!([a, {"k": b}]),
            }))
        }),
    ]
}

fn literal() -> impl Strategy<Value = Literal> {
    (0_u32..3, any::<bool>(), test()).prop_map(|(column, negated, test)| Literal { column, negated, test })
}

fn literals() -> impl Strategy<Value = Vec<Literal>> {
    prop::collection::vec(literal(), 0..4)
}

prop_compose! {
    fn bucket(rows: u32)(
        condition in literals(),
        members in prop::collection::vec((0..rows, any::<bool>()), 1..6),
        clauses in prop::collection::vec(literals(), 1..4),
        votes in prop::collection::vec(prop::collection::vec(prop::collection::vec(any::<u32>(), 0..3), 0..3), 0..6),
    ) -> Bucket<u32> {
        let count = clauses.len() as u32;
        let bound = |conditions: Vec<Vec<u32>>| -> Vec<Vec<u32>> {
            conditions.into_iter().map(|c| c.into_iter().map(|clause| clause % count).collect()).collect()
        };
        // Not in ascending order: a file's order is kept.
        let mut lookalikes: Vec<(u32, Vec<Vec<u32>>)> =
            (0..members.len() as u32).zip(votes.into_iter().map(bound)).collect();
        lookalikes.reverse();
        Bucket {
            condition: Some(condition),
            members: members.iter().map(|member| member.0).collect(),
            origins: members.iter().map(|m| if m.1 { Origin::Core } else { Origin::Noise }).collect(),
            clauses,
            lookalikes: lookalikes.into_iter().collect(),
        }
    }
}

prop_compose! {
    fn model()(
        rows in prop::collection::vec((prop::option::of(finite()), prop::option::of(any::<String>()), finite()), 4),
        layers in prop::collection::vec(prop::collection::vec(bucket(4), 0..3), 0..3),
        log in any::<String>(),
    ) -> Model {
        let head = Head { log, ..head(false) };
        let mut population = RowBatchBuilder::new(&head.features);
        for (number, text, _) in &rows {
            let number = number.map_or(Value::Missing, Value::number);
            let text = text.as_deref().map_or(Value::Missing, Value::Text);
            population.push(&[number, text]).unwrap();
        }
        let targets = rows.iter().map(|row| Label::Number(row.2)).collect();
        Model { head, population: population.take(), targets, layers }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn literals_survive_both_codecs(literal in literal()) {
        let json = serde_json::to_string(&literal).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Literal>(&json).unwrap(), &literal);
        let bytes = serde_cbor::to_vec(&literal).unwrap();
        let read: Literal = serde_cbor::from_slice(&bytes).unwrap();
        prop_assert_eq!(&read, &literal);
        prop_assert_eq!(serde_cbor::to_vec(&read).unwrap(), bytes);
    }

    #[test]
    fn models_survive_their_file(model in model()) {
        let bytes = model.write(Vec::new()).unwrap();
        let read = Model::read(&bytes).unwrap();
        prop_assert_eq!(&read, &model);
        prop_assert_eq!(read.write(Vec::new()).unwrap(), bytes);
        // Whatever a checked model holds, prediction gives an answer, and the same one with names and without.
        let predictor = Predictor::new(&model).unwrap();
        let named = predictor.predict_with_lookalikes(&model.population);
        for (named, plain) in named.iter().zip(predictor.predict(&model.population)) {
            prop_assert_eq!(named.lookalikes.as_ref().map(Vec::len), Some(named.total as usize));
            prop_assert_eq!(named.votes.clone(), plain.votes);
        }
    }

    /// Bytes of a model with a few of them replaced: an error or a model, never a panic.
    #[test]
    fn damaged_files_never_panic(
        damage in prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(&b"0919-[]{},:\"enctN.\\ \xff"[..])), 1..5),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = TINY.as_bytes().to_vec();
        for (place, byte) in damage {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(model) = Model::read(&bytes) {
            let predictor = Predictor::new(&model).unwrap();
            let _ = predictor.predict_with_lookalikes(&model.population);
            for layer in 0..model.layers.len() {
                let _ = snake::certify_layer(&model, layer);
            }
        }
    }

    #[test]
    fn damaged_literals_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..40), literal in literal(), at in any::<prop::sample::Index>()) {
        let _ = serde_cbor::from_slice::<Literal>(&bytes);
        let mut good = serde_cbor::to_vec(&literal).unwrap();
        let place = at.index(good.len());
        good[place] ^= bytes.first().copied().unwrap_or(1);
        let _ = serde_cbor::from_slice::<Literal>(&good);
    }
}

#[test]
fn what_is_to_be_checked_is_read_although_it_is_wrong() {
    let damaged = |change: fn(&mut serde_json::Value)| {
        let mut file: serde_json::Value = serde_json::from_str(TINY).unwrap();
        change(&mut file);
        file.to_string()
    };
    let read = |text: &str| {
        let mut apart = Vec::new();
        let model =
            Model::read_for_survey(|| Ok(text.as_bytes()), |row, label| apart.push((row, label.clone())));
        (model, apart)
    };
    let tiny = Model::read(TINY.as_bytes()).unwrap();
    let (whole, apart) = read(TINY);
    assert_eq!((whole.unwrap(), apart), (tiny.clone(), Vec::new()));
    let broken = damaged(|m| m["layers"][0][1]["members"][1] = 600.into());
    assert!(Model::read(broken.as_bytes()).is_err());
    let survey = survey_layer(&read(&broken).0.unwrap(), 0, &[0, 1, 2, 3, 4, 5], &[], 9).unwrap();
    assert_eq!(survey.breaches, [Breach::UnknownMember { bucket: 1, row: 600 }]);
    // Rows that name another target, wherever they stand in the file, and such as name none.
    for turned in [false, true] {
        let text = damaged(|m| {
            let target = m["target"].as_str().unwrap().to_owned();
            m["population"][4][&target] = "other".into();
            m["population"][5].as_object_mut().unwrap().shift_remove(&target);
        });
        let file: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
        let keys: serde_json::Map<_, _> = if turned { file.into_iter().rev().collect() } else { file };
        let (model, apart) = read(&serde_json::to_string(&keys).unwrap());
        assert_eq!(apart, [(4, Label::Text("other".into()))]);
        assert_eq!(model.unwrap().population, tiny.population);
    }
}
