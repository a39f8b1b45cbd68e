//! Pinned routers: BLAKE3 of the canonical CBOR of the fitted routing. The same bits in debug, in release and on whatever
//! processor: `just goldens`.
#![cfg(feature = "io")]
#![allow(clippy::unwrap_used, clippy::panic)] // also in what the tests share

use std::fs;
use std::path::{Path, PathBuf};

use spec::{
    KMeansSettings, RecordSource, Routing, RoutingSettings, RoutingVerdict, RunSettings,
    Sampling::{self, Prefix, Reservoir},
    SourcePlaces, TableSource, VecSource, publish, read_run_file, verify_routing,
};

mod support;

use support::{settings, texts};

/// A reproducible stream of numbers.
struct Stream(u64);

impl Stream {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// 3,000 rows of numbers of all sizes, short texts and missing cells.
fn mixed() -> VecSource {
    let mut next = Stream(11);
    let colours = ["red", "Dark Red", "grün", "", "blue-green 7"];
    let rows = (0..3_000)
        .map(|_| {
            let cloud = next.below(4);
            let small = format!("0.{:05}", cloud * 20_000 + next.below(9_000));
            let large = format!("{}e{}", 1 + next.below(9), 3 * cloud + next.below(3));
            let signed = format!("{}{}", if next.below(2) == 0 { "-" } else { "" }, next.below(1_000));
            let holes = if next.below(5) == 0 { String::new() } else { next.below(77).to_string() };
            let colour = colours[next.below(5) as usize];
            let code = format!("K{} {}", cloud, next.below(12));
            let class = if next.below(4) == cloud { "in" } else { "out" };
            texts(&[&small, &large, &signed, &holes, "4.5", colour, &code, class])
        })
        .collect();
    let header = ["small", "large", "signed", "holes", "constant", "colour", "code", "class"];
    VecSource::new("mixed.csv", texts(&header), rows)
}

/// 2,500 rows with nothing but texts of up to thirty words.
fn words() -> VecSource {
    let mut next = Stream(12);
    let words =
        ["call", "free", "now", "Über", "prize", "mum", "home", "9pm", "日本", "ok", "txt", "won", "the"];
    let rows = (0..2_500)
        .map(|_| {
            let topic = next.below(3) as usize;
            let length = next.below(30);
            let message: Vec<&str> =
                (0..length).map(|_| words[(topic * 4 + next.below(6) as usize) % words.len()]).collect();
            let sender = format!("peer-{}", next.below(400));
            texts(&[&message.join(" "), &sender, if topic == 0 { "spam" } else { "ham" }])
        })
        .collect();
    VecSource::new("words.csv", texts(&["message", "sender", "label"]), rows)
}

fn kmeans(paths: u32, sample: u64, sampling: Sampling) -> RoutingSettings {
    RoutingSettings::KMeans(KMeansSettings {
        paths,
        sample,
        sampling,
        dimensions: 64,
        seed: 3,
        featurizer_seed: 4,
    })
}

/// The hash of the fit, which is verified too.
#[track_caller]
fn hash(settings: &RunSettings, source: &dyn RecordSource) -> String {
    let spec = publish(settings, source, &mut |_| {}).unwrap().spec;
    assert!(matches!(spec.routing, Routing::Kmeans(_)));
    assert_eq!(verify_routing(&spec, &settings.source, source).unwrap(), RoutingVerdict::Verified);
    blake3::hash(&serde_cbor::to_vec(&spec.routing).unwrap()).to_hex().to_string()
}

/// The hashes of fits of so many paths and so large a sample, each in its own way.
#[track_caller]
fn hashes(target: &str, source: &dyn RecordSource, fits: &[(u32, u64, Sampling)]) -> Vec<String> {
    let fit = |&(paths, sample, sampling): &(u32, u64, Sampling)| {
        hash(&settings(target, kmeans(paths, sample, sampling)), source)
    };
    fits.iter().map(fit).collect()
}

#[test]
fn breast_cancer() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/breast-cancer.toml");
    let folder = file.parent().unwrap();
    let file = read_run_file(&file).unwrap();
    let source = SourcePlaces::default().of_run_file(&file, folder).unwrap();
    assert_eq!(
        hash(&file.settings, &source),
        "a40f18145495be9ffc70b755084bf08d362f5a310e80b56f9a720172d37a8c64",
        "the quickstart's router"
    );
    let found = hashes("diagnosis", &source, &[(4, 100, Prefix), (5, 200, Reservoir)]);
    assert_eq!(
        found,
        [
            "5003fe49e7bcdf28a045dc35705199fc732e1ef035826c0922dacea39e5d8a8b",
            "04f8933f7e29645b5c40fdb69e0ff9ff4709536322ac97e35cee2a5b2985bb7c"
        ]
    );
}

#[test]
fn numbers_texts_and_missing_cells() {
    let found = hashes("class", &mixed(), &[(6, 1_000, Prefix), (6, 1_000, Reservoir), (3, 0, Prefix)]);
    assert_eq!(
        found,
        [
            "a233d31d137f9cfdbe21fbe641442d32796656b45c2bf085e1d286b291214c2d",
            "fc68a0286b22628f810cb6f4b5481ed77baf62678db2a741169e7eb0297ebbb3",
            "b7ffed2f8c390ffa3f7f422fd7e82da1a0dd2d40b7bb761442317fb232da31e6"
        ]
    );
}

#[test]
fn texts_alone() {
    let found = hashes("label", &words(), &[(5, 900, Prefix), (5, 900, Reservoir)]);
    assert_eq!(
        found,
        [
            "4a0ec2b66f66190093ad02d8dff99c30ae6b25ccd4624565c9477507b53f1282",
            "a09ae7260023fec79c3fb076127f73fcec209441b3e13893a12506d5f7785621"
        ]
    );
}

/// A shared data set, if it is there; says so if not.
fn shared(name: &str) -> Option<TableSource> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(name);
    if !path.is_file() {
        eprintln!("skipped: shared/data/{name} is not there");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "name = \"golden\"\n[source]\nlocations = [{:?}]\ntarget = \"x\"\n",
        path.display().to_string()
    );
    fs::write(folder.path().join("run.toml"), text).unwrap();
    let file = read_run_file(&folder.path().join("run.toml")).unwrap();
    let source = SourcePlaces::default().of_run_file(&file, folder.path()).unwrap();
    Some(source)
}

#[test]
fn adult() {
    let Some(source) = shared("adult_train.csv.gz") else { return };
    let found = hashes("income", &source, &[(8, 10_000, Prefix), (8, 10_000, Reservoir)]);
    assert_eq!(
        found,
        [
            "a128a2c1764d1e84aad6dd39d5006ddac30d47b59fd2c7a5cb955b74b1b43c2e",
            "70209999a2335bfd4e41511d69365f7551021cc2ab3099b1af75316e2cad3dc6"
        ]
    );
}

#[test]
fn kdd_cup() {
    let Some(source) = shared("kddcup99_10pct.csv.gz") else { return };
    assert_eq!(
        hashes("label", &source, &[(8, 10_000, Reservoir)]),
        ["d1035f26c409b76c0d04fd961337895adbd05ef0f5bc89e6955e77ccde1a5e58"]
    );
}

#[test]
fn baby_names() {
    let Some(source) = shared("babynames.csv.gz") else { return };
    let found = hashes("sex", &source, &[(8, 10_000, Prefix), (8, 10_000, Reservoir)]);
    assert_eq!(
        found,
        [
            "6b057b94eab31e814f4e9c43b4617b382d447a5654229b58363548cce7c67b98",
            "e4e576c17c010f34c75bfe9f9c7eaa4392a7c333eed5acee8c710d6afbc2e247"
        ]
    );
}
