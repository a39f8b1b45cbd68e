//! From a run file to a model that predicts its own rows, without a network.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, clippy::panic)] // also in what the tests share

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::GzEncoder;
use snake::{Cancel, Cell, Column, FeatureKind, Label, Model, Predictor, TrainingRows, Value};
use spec::{
    AssembleError, Census, DataSpec, MemoryLimits, RoutingCheck, RunFile, ShardCache, ShardStore,
    SourcePlaces, StoreSettings, TableSource, VecSource, assemble, publish, read_run_file, router_of_model,
    train_locally, write_whole_file,
};

mod support;

fn csv(source: &VecSource) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let reader = spec::RecordSource::open(source).unwrap();
    writer.write_record(reader.header()).unwrap();
    for record in source.records() {
        writer.write_record(record).unwrap();
    }
    writer.into_inner().unwrap()
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A run on this machine.
struct Run {
    folder: tempfile::TempDir,
    file: RunFile,
    source: TableSource,
    spec: Arc<DataSpec>,
}

impl Run {
    fn new(data: &[u8], rest: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        fs::write(folder.path().join("data/rows.csv"), data).unwrap();
        let text = format!("name = \"whole\"\n[source]\nlocations = [\"data/rows.csv\"]\n{rest}");
        fs::write(folder.path().join("run.toml"), text).unwrap();
        Self::of_file(folder, "run.toml")
    }

    fn of_file(folder: tempfile::TempDir, name: &str) -> Self {
        let file = read_run_file(&folder.path().join(name)).unwrap();
        let source = SourcePlaces::default().of_run_file(&file, folder.path()).unwrap();
        let spec = Arc::new(publish(&file.settings, &source, &mut |_| {}).unwrap().spec);
        Self { folder, file, source, spec }
    }

    fn store(&self, shards: usize, data_dir: Option<PathBuf>) -> ShardStore {
        ShardStore::new(StoreSettings {
            spec: Arc::clone(&self.spec),
            description: self.file.settings.source.clone(),
            source: Arc::new(self.source.clone()),
            memory: Arc::new(Mutex::new(ShardCache::new(MemoryLimits { shards, bytes: 1 << 30 }))),
            data_dir,
            disk_bytes: 1 << 30,
            check: RoutingCheck::Required,
            run_key: "run".into(),
            warn: Box::new(|text| panic!("warned: {text}")),
        })
        .unwrap()
    }

    /// Trains and writes the model.
    fn model(&self, store: &ShardStore) -> PathBuf {
        let cancel = Cancel::new();
        let mut progress = Vec::new();
        let mut shard = |path| store.shard(path, &cancel);
        let mut units =
            train_locally(&self.spec, &mut shard, &mut |unit| progress.push(unit.done), &cancel).unwrap();
        assert_eq!(progress, (1..=units.len() as u64).collect::<Vec<_>>());
        let path = self.folder.path().join("model.json");
        let description = &self.file.settings.source;
        let census = Census::take(&self.spec, description, &self.source).unwrap();
        write_whole_file(&path, |out| {
            let mut unit = |path, layer| units.take(path, layer);
            assemble(&self.spec, description, &self.source, &census, &mut unit, TrainingRows::Kept, out)
                .map(|_| ())
        })
        .unwrap();
        assert!(units.is_empty(), "every unit is asked for");
        path
    }
}

fn read(path: &Path) -> Model {
    Model::read(&fs::read(path).unwrap()).unwrap()
}

/// The share of its own rows that a model is sure and right about.
fn sure(model: &Model) -> f64 {
    let predictor = Predictor::new(model).unwrap();
    let classes = predictor.classes();
    let predictions = predictor.predict(&model.population);
    let right = predictions.iter().zip(&model.targets).filter(|(prediction, target)| {
        prediction.total > 0
            && classes[prediction.class as usize] == **target
            && prediction.probability(prediction.class, classes.len()) == 1.0
    });
    right.count() as f64 / predictions.len() as f64
}

const KMEANS: &str =
    "target = \"class\"\nholdout = 0.2\n[routing]\npaths = 4\n[training]\nlayers = 3\nbucket = 20\n";

#[test]
fn several_kmeans_paths() {
    let run = Run::new(&gz(&csv(&support::people(600))), KMEANS);
    let model = read(&run.model(&run.store(4, None)));
    assert_eq!(model.layers.len(), 3);
    assert_eq!(model.head.features.last().unwrap().name, "__path");
    assert_eq!(model.population.rows() as u64, run.spec.shards.iter().map(|shard| shard.rows).sum::<u64>());
    assert_eq!(sure(&model), 1.0);
    // The file routes its own rows where training sent them.
    let routing = router_of_model(model.head.opendipaco.as_ref().unwrap()).unwrap();
    assert_eq!((&routing.schema, &routing.routing), (&run.spec.schema, &run.spec.routing));
    let mut router = routing.router();
    let features = routing.schema.features.len();
    for row in 0..model.population.rows() {
        let cells: Vec<Cell<'_>> = (0..features)
            .map(|feature| match model.population.value(feature, row) {
                Value::Number(number) => Cell::Number(number),
                Value::Text(text) => Cell::Text(text),
                Value::Missing => panic!("a training row has every value"),
            })
            .collect();
        let path = router.route(0, &cells).to_string();
        assert_eq!(model.population.value(features, row), Value::Text(&path));
    }
}

#[test]
fn one_path_has_no_path_feature() {
    let run = Run::new(&csv(&support::people(300)), "target = \"class\"\n[training]\nbucket = 20\n");
    let model = read(&run.model(&run.store(4, None)));
    assert!(model.head.features.iter().all(|feature| feature.name != "__path"));
    assert_eq!((model.layers.len(), sure(&model)), (5, 1.0));
    assert_eq!(model.head.config["n_layers"], 5);
}

#[test]
fn round_robin_makes_a_layer_of_every_unit() {
    let rest = "target = \"class\"\n[routing]\nkind = \"round_robin\"\npaths = 3\n[training]\nlayers = 2\nbucket = 20\n";
    let run = Run::new(&csv(&support::people(300)), rest);
    let model = read(&run.model(&run.store(1, None)));
    assert_eq!((model.layers.len(), model.head.config["n_layers"].as_u64()), (6, Some(6)));
    let ordinals: Vec<u64> = Census::take(&run.spec, &run.file.settings.source, &run.source)
        .unwrap()
        .iter()
        .map(|row| row.0)
        .collect();
    for (number, layer) in model.layers.iter().enumerate() {
        let paths: Vec<u64> =
            layer.iter().flat_map(|b| &b.members).map(|member| ordinals[*member as usize] % 3).collect();
        assert!(paths.iter().all(|path| *path == number as u64 % 3), "layer {number}");
    }
}

#[test]
fn a_number_to_be_estimated() {
    let rest = "target = \"income\"\ntarget_type = \"number\"\n[training]\nlayers = 2\nbucket = 20\n";
    let run = Run::new(&csv(&support::people(200)), rest);
    let model = read(&run.model(&run.store(1, None)));
    assert!(model.targets.iter().all(|target| matches!(target, Label::Number(_))));
    assert_eq!(sure(&model), 1.0);
}

#[test]
fn caches_change_nothing_but_the_work() {
    let run = Run::new(&csv(&support::people(500)), KMEANS);
    let all = fs::read(run.model(&run.store(4, None))).unwrap();
    let data = run.folder.path().join("store");
    let one = run.store(1, Some(data.clone()));
    assert_eq!(fs::read(run.model(&one)).unwrap(), all);
    let counters = one.counters();
    assert_eq!((counters.rebuilds, counters.checks, counters.memory.evictions), (4, 1, 3));
    assert_eq!((one.in_memory(), one.on_disk()), (vec![3], vec![0, 1, 2, 3]));
    let again = run.store(2, Some(data));
    assert_eq!(fs::read(run.model(&again)).unwrap(), all);
    let counters = again.counters();
    assert_eq!((counters.rebuilds, counters.checks, counters.disk.hits), (0, 0, 4));
}

#[test]
fn format_and_parts_change_nothing() {
    let people = support::people(300);
    let text = csv(&people);
    let plain = Run::new(&text, KMEANS);
    let packed = Run::new(&gz(&text), KMEANS);
    assert_eq!(plain.spec, packed.spec);
    let folder = tempfile::tempdir().unwrap();
    let text = String::from_utf8(text).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let cut = rows.match_indices('\n').nth(99).unwrap().0 + 1;
    for (name, rows) in [("a.csv", &rows[..cut]), ("b.csv", &rows[cut..])] {
        fs::write(folder.path().join(name), format!("\u{feff}{header}\r\n{}", rows.replace('\n', "\r\n")))
            .unwrap();
    }
    let run = format!("name = \"parts\"\n[source]\nlocations = [\"a.csv\", \"b.csv\"]\n{KMEANS}");
    fs::write(folder.path().join("run.toml"), run).unwrap();
    let parts = Run::of_file(folder, "run.toml");
    assert_eq!(parts.spec.fingerprint(), plain.spec.fingerprint());
    let (a, b) = (parts.model(&parts.store(4, None)), plain.model(&plain.store(4, None)));
    assert_eq!(fs::read(a).unwrap(), fs::read(b).unwrap());
}

#[test]
fn the_bytes_of_a_model_are_pinned() {
    let run = Run::new(&csv(&support::people(120)), KMEANS);
    let bytes = fs::read(run.model(&run.store(4, None))).unwrap();
    assert_eq!(
        blake3::hash(&bytes).to_hex().as_str(),
        "84cf2ba68dab227aede7b19a9fd863278a15c875a4b56a76d004bd4f68d10455"
    );
}

#[test]
fn threads_change_neither_units_nor_their_order() {
    let run = Run::new(&csv(&support::people(200)), KMEANS);
    let (store, cancel) = (run.store(4, None), Cancel::new());
    let train = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut told = Vec::new();
            let mut shard = |path| store.shard(path, &cancel);
            let units =
                train_locally(&run.spec, &mut shard, &mut |unit| told.push((unit.path, unit.layer)), &cancel);
            (units.unwrap(), told)
        })
    };
    let (units, told) = train(1);
    assert!(told.is_sorted() && told.len() == units.len() && run.spec.training.layers > 1);
    for threads in [2, 5] {
        assert_eq!(train(threads), (units.clone(), told.clone()));
    }
}

#[test]
fn a_unit_with_rows_of_another_path_is_not_assembled() {
    let run = Run::new(&csv(&support::people(200)), KMEANS);
    let (store, cancel) = (run.store(4, None), Cancel::new());
    let mut units =
        train_locally(&run.spec, &mut |path| store.shard(path, &cancel), &mut |_| {}, &cancel).unwrap();
    let description = &run.file.settings.source;
    let census = Census::take(&run.spec, description, &run.source).unwrap();
    let mut first = units.take(0, 0).unwrap();
    let trained: Vec<u32> = (0..4).filter(|path| run.spec.shards[*path as usize].rows > 0).collect();
    let other = store.shard(trained[1], &cancel).unwrap().ordinals()[0];
    for ordinal in [other, 1_000_000] {
        first[0].members[0] = ordinal;
        let first = first.clone();
        let error = assemble(
            &run.spec,
            description,
            &run.source,
            &census,
            &mut |_, _| Ok::<_, String>(first.clone()),
            TrainingRows::Kept,
            Vec::new(),
        )
        .unwrap_err();
        assert!(
            matches!(error, AssembleError::ForeignRow { ordinal: found, .. } if found == ordinal),
            "{error}"
        );
    }
    let error = assemble(
        &run.spec,
        description,
        &run.source,
        &census,
        &mut |_, _| Err("it is gone"),
        TrainingRows::Kept,
        Vec::new(),
    )
    .unwrap_err();
    assert_eq!(error.to_string(), "unit (path 0, layer 0): it is gone");
}

#[test]
fn a_models_routing_is_checked() {
    let run = Run::new(&csv(&support::people(120)), KMEANS);
    let model = read(&run.model(&run.store(4, None)));
    let good = model.head.opendipaco.unwrap();
    assert!(router_of_model(&good).is_ok());
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut bad = good.clone();
        change(&mut bad);
        router_of_model(&bad).unwrap_err().to_string()
    };
    assert!(with(&|v| v["format"] = 2.into()).contains("newer version"));
    assert!(with(&|v| v["format"] = "x".into()).contains("has no format"));
    assert!(with(&|v| v["routing"]["centroids"] = serde_json::json!([[1]])).contains("routing.centroids"));
    assert!(with(&|v| v["routing"]["featurizer"] = "other".into()).contains("newer version"));
    assert!(with(&|v| v["schema"]["features"] = serde_json::json!([])).contains("schema.features"));
    assert!(with(&|v| v["schema"] = serde_json::Value::Null).contains("does not read"));
    assert!(router_of_model(&serde_json::Value::Null).is_err());
}

#[test]
fn adult_predicts_its_own_rows() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/adult_train.csv.gz");
    if !data.is_file() {
        eprintln!("the shared data is not here: nothing was tested");
        return;
    }
    let run = Run::new(&fs::read(data).unwrap(), "target = \"income\"\n[training]\nlayers = 1\n");
    let store = run.store(1, None);
    let table = store.shard(0, &Cancel::new()).unwrap();
    let kinds = run.spec.schema.features.iter().map(|feature| feature.kind);
    for (column, kind) in table.columns().iter().zip(kinds) {
        assert_eq!(matches!(column, Column::Number(_)), kind == FeatureKind::Number);
    }
    let model = read(&run.model(&store));
    assert_eq!(sure(&model), 1.0);
}
