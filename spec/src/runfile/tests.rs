use super::*;
use crate::run::{Format, OnError, TargetType};

const LEAST: &str = "name = \"adult\"\n[source]\nlocations = [\"data/adult.csv.gz\"]\ntarget = \"income\"\n";

fn error(text: &str) -> (Option<usize>, String) {
    let error = RunFile::parse(text).expect_err(text);
    (error.line(), error.to_string())
}

/// The error of `LEAST` with `more` after it; `more` begins on line 5.
fn error_with(more: &str) -> (Option<usize>, String) {
    error(&format!("{LEAST}{more}"))
}

#[test]
fn everything_has_its_default() {
    let run = RunFile::parse(LEAST).unwrap();
    assert_eq!(run.locations, ["data/adult.csv.gz"]);
    let settings = run.settings;
    assert_eq!(settings.name, "adult");
    assert_eq!(settings.source.format, Format::Csv);
    assert_eq!(settings.source.locations, ["adult.csv.gz"]);
    assert_eq!(settings.source.on_error, OnError::Refuse);
    assert_eq!(settings.source.target_type, None);
    assert!(settings.source.exclude.is_empty() && settings.source.mirrors.is_empty());
    assert_eq!(settings.holdout, 0.0);
    assert_eq!(
        settings.routing,
        RoutingSettings::KMeans(KMeansSettings {
            paths: 1,
            sample: 10_000,
            sampling: Sampling::Prefix,
            dimensions: 64,
            seed: 0,
            featurizer_seed: 0,
        })
    );
    let training = TrainingSettings {
        layers: 5,
        bucket: 250,
        slice: 50_000,
        noise: 1.0,
        profile: None,
        lookahead: 15,
        seed: 0,
    };
    assert_eq!(settings.training, training);
    assert_eq!(run.volunteer, VolunteerSettings::default());
}

#[test]
fn everything_can_be_set() {
    let text = r#"
name = "all of it"
[source]
format = "csv"
locations = ["a.csv", "file:///data/b%20c.csv.gz"]
target = "y"
target_type = "number"
exclude = ["id"]
mirrors = [["https://example.org/a.csv"], []]
on_error = "skip"
holdout = 0.2
[routing]
kind = "kmeans"
paths = 4
sample = 500
sampling = "reservoir"
dimensions = 16
seed = 18446744073709551615
featurizer_seed = 0xff
[training]
layers = 25
bucket = 100
slice = 1_000
noise = 0
profile = "hef"
lookahead = 25
seed = 9
[volunteer]
max_shards = 2
max_shard_memory = 1000000
threads = 2
max_mbps = 2.5
verify_routing = true
"#;
    let run = RunFile::parse(text).unwrap();
    assert_eq!(run.locations, ["a.csv", "/data/b c.csv.gz"]);
    assert_eq!(run.settings.source.locations, ["a.csv", "b c.csv.gz"]);
    assert_eq!(run.settings.source.target_type, Some(TargetType::Number));
    assert_eq!(run.settings.source.on_error, OnError::Skip);
    assert_eq!(run.settings.source.mirrors, [vec!["https://example.org/a.csv".to_owned()], vec![]]);
    assert_eq!(run.settings.holdout, 0.2);
    let RoutingSettings::KMeans(fit) = run.settings.routing else { panic!("{:?}", run.settings.routing) };
    assert_eq!((fit.paths, fit.sample, fit.seed, fit.featurizer_seed), (4, 500, u64::MAX, 255));
    assert_eq!(fit.sampling, Sampling::Reservoir);
    assert_eq!(run.settings.training.profile, Some(Profile::Hef));
    assert_eq!((run.settings.training.slice, run.settings.training.noise), (1000, 0.0));
    let volunteer = VolunteerSettings {
        max_shards: 2,
        max_shard_memory: Some(1_000_000),
        threads: Some(2),
        max_mbps: Some(2.5),
        verify_routing: true,
    };
    assert_eq!(run.volunteer, volunteer);
}

#[test]
fn round_robin_takes_paths_alone() {
    let run = RunFile::parse(&format!("{LEAST}[routing]\nkind = \"round_robin\"\npaths = 3\n")).unwrap();
    assert_eq!(run.settings.routing, RoutingSettings::RoundRobin { paths: 3 });
    for key in ["sample = 5", "sampling = \"prefix\"", "dimensions = 64", "seed = 0", "featurizer_seed = 1"] {
        let (line, text) = error_with(&format!("[routing]\nkind = \"round_robin\"\n{key}\n"));
        assert_eq!(line, Some(7), "{text}");
        let name = key.split(' ').next().unwrap();
        assert!(text.starts_with(&format!("line 7: `routing.{name}` has no meaning")), "{text}");
    }
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_a_near_one() {
    assert_eq!(
        error_with("[training]\nlayer = 3\n").1,
        "line 6: unknown key `training.layer`: did you mean `layers`?"
    );
    assert_eq!(error_with("[trainnig]\n").1, "line 5: unknown key `trainnig`: did you mean `training`?");
    let (line, text) = error_with("zzz = 1\naaa = 1\n");
    assert_eq!(line, Some(5), "the first in the file is named: {text}");
    assert!(text.contains("`source.zzz`") && text.contains("known here are format, locations"), "{text}");
    assert_eq!(
        error(&format!("nmae = \"x\"\n{LEAST}")).1,
        "line 1: unknown key `nmae`: did you mean `name`?"
    );
}

#[test]
fn values_out_of_range_or_of_another_type_are_refused() {
    for (more, wanted) in [
        ("[training]\nlayers = 0", "line 6: `training.layers` is 0, it must be a whole number from 1"),
        ("[training]\nlayers = -1", "line 6: `training.layers` is -1, it must be"),
        ("[training]\nlayers = \"5\"", "line 6: `training.layers` is a text, it must be a whole number"),
        ("[training]\nlayers = 5.5", "line 6: `training.layers` is a number with a fraction"),
        ("[training]\nbucket = 0", "`training.bucket` is 0"),
        ("[training]\nslice = 0", "`training.slice` is 0"),
        ("[training]\nslice = 99999999999999999999999", "`training.slice` is 99999999999999999999999"),
        ("[training]\nlookahead = 0", "`training.lookahead` is 0"),
        ("[training]\nnoise = 100.5", "`training.noise` is 100.5, it must be from 0 to 100"),
        ("[training]\nnoise = -0.1", "`training.noise` is -0.1"),
        ("[training]\nnoise = nan", "`training.noise` is nan, it must be a finite number"),
        (
            "[training]\nprofile = \"balancd\"",
            "`training.profile` is \"balancd\": did you mean \"balanced\"?",
        ),
        ("[routing]\npaths = 0", "line 6: `routing.paths` is 0"),
        ("[routing]\ndimensions = 0", "line 6: `routing.dimensions` is 0"),
        (
            "[routing]\nkind = \"random\"",
            "`routing.kind` is \"random\": it must be one of kmeans, round_robin",
        ),
        (
            "[routing]\nsample = 1_016_801",
            "line 6: `routing.sample` is too large: 1016801 rows of 64 dimensions",
        ),
        ("[routing]\nsample = 0\nsampling = \"reservoir\"", "line 7: `routing.sampling` is \"reservoir\""),
        ("holdout = 1.0", "line 5: `source.holdout` is 1, it must be from 0 up to but not including 1"),
        ("holdout = -0.5", "line 5: `source.holdout` is -0.5"),
        (
            "format = \"xlsx\"",
            "`source.format` is \"xlsx\": it must be one of csv, jsonl, parquet, synthetic",
        ),
        ("on_error = \"ignore\"", "`source.on_error` is \"ignore\": it must be one of refuse, skip"),
        ("target_type = \"numbr\"", "did you mean \"number\"?"),
        (
            "exclude = [\n \"a\",\n \"income\",\n]",
            "line 7: `source.exclude` leaves out \"income\", which is the target",
        ),
        ("exclude = [\"a\", \"a\"]", "names \"a\" twice"),
        ("exclude = \"a\"", "`source.exclude` is a text, it must be a list of texts"),
        ("exclude = [1]", "`source.exclude` is a whole number"),
        ("mirrors = []", "line 5: `source.mirrors` has 0 lists for 1 locations"),
        ("mirrors = [\"https://x.org/\"]", "`source.mirrors` is a text, it must be a list of lists"),
        ("mirrors = [[\"/home/me/x.csv\"]]", "not an address"),
        ("mirrors = [[\"https://me:secret@x.org/a.csv\"]]", "user name or password"),
        ("routing = 5", "`source.routing`"),
        ("[volunteer]\nmax_shards = 0", "line 6: `volunteer.max_shards` is 0"),
        ("[volunteer]\nverify_routing = \"yes\"", "must be true or false"),
        ("[volunteer]\nmax_mbps = 0", "`volunteer.max_mbps` must be above 0"),
    ] {
        let (_, text) = error_with(&format!("{more}\n"));
        assert!(text.contains(wanted), "{more:?} gave {text:?}");
    }
    assert!(error("name = \"x\"\nsource = 5\n").1.contains("line 2: `source` is a whole number"));
}

#[test]
fn locations_are_files_or_addresses() {
    for (locations, wanted) in [
        ("[]", "line 3: `source.locations` is empty"),
        ("[\"\"]", "`source.locations` \"\" is empty"),
        ("[\"ftp://example.org/a.csv\"]", "holds a ftp address: https://, http:// and s3:// are read"),
        ("[\"https://me:secret@example.org/a.csv\"]", "user name or password"),
        ("[\"https://x.org/a?X-Amz-Signature=12\"]", "gives access to whoever has it"),
        ("[\"https://x.org/a?x=1&client_secret=12\"]", "\"client_secret\" in it, which gives access"),
        ("[\"https://x.org/a?OSSAccessKeyId=12\"]", "gives access to whoever has it"),
        ("[\"https://x.org/a?download=1&token=12\"]", "holds an address with \"token\" in it"),
        ("[\"synthetic://mixed\"]", "format = \"synthetic\" and synthetic:// addresses belong together"),
        ("[\"data/\"]", "is a folder"),
        ("[\"a.csv.xz\"]", "unpack it, or use .gz or .zst"),
        ("[\"a/x.csv\",\n\"b/x.csv\"]", "line 4: `source.locations` \"b/x.csv\" has the same file name"),
    ] {
        let (_, text) = error(&format!("name = \"n\"\n[source]\nlocations = {locations}\ntarget = \"t\"\n"));
        assert!(text.contains(wanted), "{locations} gave {text:?}");
    }
}

#[test]
fn what_has_no_default_must_be_there() {
    assert!(error("").1.starts_with("line 1: `name` is missing"));
    assert!(error("name = \"x\"\n").1.contains("`source.locations` is missing: name the file or address"));
    let (line, text) = error("name = \"x\"\n\n[source]\nlocations = [\"a.csv\"]\n");
    assert_eq!((line, text.contains("`source.target` is missing")), (Some(3), true), "{text}");
    assert!(error(&LEAST.replace("income", "")).1.contains("line 4: `source.target` is empty"));
    for name in ["", "a/b", "..", " x", "x ", "a\\nb"] {
        assert!(error(&LEAST.replace("\"adult\"", &format!("\"{name}\""))).1.contains("line 1: `name` must"));
    }
}

#[test]
fn what_is_not_toml_has_its_line() {
    let (line, text) = error_with("holdout = \n");
    assert_eq!(line, Some(5), "{text}");
    let (line, text) = error_with("target = \"again\"\n");
    assert_eq!(line, Some(5), "{text}");
    let large = "#".repeat(1 << 21);
    assert!(error(&large).1.contains("too many for a run file"));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_fail_in_another_way(text in "(name|source|\\[|\\]|=|\"|\\n|locations|target|x|1|\\.|,| ){0,40}") {
        if let Err(error) = RunFile::parse(&text) {
            proptest::prop_assert!(!error.to_string().is_empty());
        }
    }
}
