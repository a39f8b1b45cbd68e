//! The run file: what an operator writes, as text in and checked settings out.
//!
//! Every default stands in this file and nowhere else. Nothing is looked up: whether a location exists shows when it
//! is opened.

mod error;
pub(crate) mod location;
mod section;
mod source;
mod suggest;

use snake::{Profile, Training};
use toml::de::DeTable;

use crate::check::{
    MAX_CENTROID_NUMBERS, MAX_DIMENSIONS, MAX_LAYERS, MAX_NOISE, MAX_PATHS, most_sampled, too_many_sampled,
};
use crate::run::{KMeansSettings, RoutingSettings, RunSettings, Sampling, TrainingSettings};

pub use error::RunFileError;
use section::{At, Lines, Section};

/// A run file larger than this is refused before it is parsed.
pub const MAX_RUN_FILE_BYTES: u64 = 1 << 20;

/// Most characters in a run's name.
const MAX_NAME: usize = 64;
/// Most shards in memory.
const MAX_SHARDS: u32 = 1_000_000;

/// A run file, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct RunFile {
    /// What the run depends on. Local parts stand here as their bare names, as they are published.
    pub settings: RunSettings,
    /// What concerns this machine only; never published.
    pub volunteer: VolunteerSettings,
    /// Per part, its path as written (`file://` taken off), to be read beside the run file.
    pub locations: Vec<String>,
}

/// `[volunteer]`: limits of the operator's own machine. They are never published.
#[derive(Debug, Clone, PartialEq)]
pub struct VolunteerSettings {
    /// How many shards are kept in memory, at least 1.
    pub max_shards: u32,
    /// How many bytes the shards in memory may take; `None`: no limit.
    pub max_shard_memory: Option<u64>,
    /// Training threads; `None`: one per core.
    pub threads: Option<u32>,
    /// Megabits per second, each way; `None`: no limit.
    pub max_mbps: Option<f64>,
    /// Whether the router is fitted again and compared before the first training.
    pub verify_routing: bool,
}

impl Default for VolunteerSettings {
    fn default() -> Self {
        Self { max_shards: 4, max_shard_memory: None, threads: None, max_mbps: None, verify_routing: false }
    }
}

impl RunFile {
    /// Reads a run file's text.
    ///
    /// # Errors
    /// [`RunFileError`] for what is not TOML, unknown keys, values out of range and settings that contradict each
    /// other, with the line.
    pub fn parse(text: &str) -> Result<Self, RunFileError> {
        let bytes = text.len() as u64;
        if bytes > MAX_RUN_FILE_BYTES {
            return Err(RunFileError::TooLarge { bytes });
        }
        let lines = Lines::new(text);
        let document = DeTable::parse(text).map_err(|error| RunFileError::Syntax {
            line: error.span().map_or(1, |span| lines.of(span.start)),
            reason: error.message().into(),
        })?;
        let root = Section::root(
            document.get_ref(),
            &lines,
            &["name", "source", "routing", "training", "volunteer"],
        )?;
        let name = name(&root)?;
        let source = source::read(&root)?;
        let routing = routing(&root)?;
        let training = training(&root)?;
        let volunteer = volunteer(&root)?;
        let settings =
            RunSettings { name, source: source.published, holdout: source.holdout, routing, training };
        Ok(Self { settings, volunteer, locations: source.paths })
    }
}

fn name(root: &Section<'_, '_>) -> Result<String, RunFileError> {
    let Some(At { value, line }) = root.text("name")? else {
        return Err(root.missing("name", "give the run a name, such as name = \"adult-income\""));
    };
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    if value.is_empty() || value.chars().count() > MAX_NAME || !value.chars().all(plain) {
        let reason = format!("must be 1 to {MAX_NAME} letters, digits, spaces and any of - _ .");
        return Err(root.error("name", line, reason));
    }
    if !value.starts_with(char::is_alphanumeric) || value.ends_with(' ') {
        return Err(root.error("name", line, "must begin with a letter or digit and not end with a space"));
    }
    Ok(value)
}

/// Keys that only a fitted router has.
const FIT_KEYS: [&str; 5] = ["sample", "sampling", "dimensions", "seed", "featurizer_seed"];

#[derive(Clone, Copy)]
enum RoutingKind {
    KMeans,
    RoundRobin,
}

fn routing(root: &Section<'_, '_>) -> Result<RoutingSettings, RunFileError> {
    let known = ["kind", "paths", "sample", "sampling", "dimensions", "seed", "featurizer_seed"];
    let section = root.section("routing", &known)?;
    let kinds = [("kmeans", RoutingKind::KMeans), ("round_robin", RoutingKind::RoundRobin)];
    let kind = value_or(section.choice("kind", &kinds)?, RoutingKind::KMeans);
    let paths = value_or(section.whole32("paths", 1, MAX_PATHS)?, 1);
    let sample = value_or(section.whole("sample", 0, u64::MAX)?, 10_000);
    let samplings = [("prefix", Sampling::Prefix), ("reservoir", Sampling::Reservoir)];
    let sampling = section.choice("sampling", &samplings)?;
    let dimensions = value_or(section.whole32("dimensions", 1, MAX_DIMENSIONS)?, 64);
    let seed = value_or(section.whole("seed", 0, u64::MAX)?, 0);
    let featurizer_seed = value_or(section.whole("featurizer_seed", 0, u64::MAX)?, 0);
    if matches!(kind, RoutingKind::RoundRobin) {
        let stray = FIT_KEYS.iter().filter_map(|key| Some((section.line_of(key)?, key))).min();
        if let Some((line, key)) = stray {
            let reason = "has no meaning with kind = \"round_robin\", which is not fitted: \
                          remove it, or set kind = \"kmeans\"";
            return Err(section.error(key, line, reason));
        }
        return Ok(RoutingSettings::RoundRobin { paths });
    }
    if let (0, Some(At { value: Sampling::Reservoir, line })) = (sample, &sampling) {
        let reason = "is \"reservoir\" while sample = 0 takes every row: remove one of the two";
        return Err(section.error("sampling", *line, reason));
    }
    let sampling = value_or(sampling, Sampling::Prefix);
    let numbers = u64::from(paths) * u64::from(dimensions);
    if numbers > MAX_CENTROID_NUMBERS {
        let line = section.line_of("paths").unwrap_or(1);
        let reason = format!(
            "x dimensions is {numbers}, at most {MAX_CENTROID_NUMBERS} can be published: lower one of the two"
        );
        return Err(section.error("paths", line, reason));
    }
    if sample > most_sampled(dimensions) {
        let line = section.line_of("sample").or_else(|| section.line_of("dimensions")).unwrap_or(1);
        return Err(section.error(
            "sample",
            line,
            format!("is too large: {}", too_many_sampled(sample, dimensions)),
        ));
    }
    Ok(RoutingSettings::KMeans(KMeansSettings { paths, sample, sampling, dimensions, seed, featurizer_seed }))
}

fn training(root: &Section<'_, '_>) -> Result<TrainingSettings, RunFileError> {
    let known = ["layers", "bucket", "slice", "noise", "profile", "lookahead", "seed"];
    let section = root.section("training", &known)?;
    let noise = section.number("noise")?;
    if let Some(At { value, line }) = &noise
        && !(0.0..=MAX_NOISE).contains(value)
    {
        return Err(section.error("noise", *line, format!("is {value}, it must be from 0 to {MAX_NOISE}")));
    }
    let profiles = [
        ("auto", None),
        ("balanced", Some(Profile::Balanced)),
        ("scientific", Some(Profile::Scientific)),
        ("industrial", Some(Profile::Industrial)),
        ("categorical", Some(Profile::Categorical)),
        ("cryptographic", Some(Profile::Cryptographic)),
        ("linguistic", Some(Profile::Linguistic)),
        ("hef", Some(Profile::Hef)),
    ];
    // The defaults are the learner's; they are the same for every profile.
    let default = Training::new(Profile::Balanced, 0);
    Ok(TrainingSettings {
        layers: value_or(section.whole32("layers", 1, MAX_LAYERS)?, default.layers),
        bucket: value_or(section.whole32("bucket", 1, u32::MAX)?, default.bucket),
        slice: value_or(section.whole32("slice", 1, u32::MAX)?, default.slice),
        noise: value_or(noise, default.noise),
        profile: value_or(section.choice("profile", &profiles)?, None),
        lookahead: value_or(section.whole32("lookahead", 1, u32::MAX)?, default.lookahead),
        seed: value_or(section.whole("seed", 0, u64::MAX)?, default.seed),
    })
}

fn volunteer(root: &Section<'_, '_>) -> Result<VolunteerSettings, RunFileError> {
    let known = ["max_shards", "max_shard_memory", "threads", "max_mbps", "verify_routing"];
    let section = root.section("volunteer", &known)?;
    let default = VolunteerSettings::default();
    let max_mbps = section.number("max_mbps")?;
    if let Some(At { value, line }) = &max_mbps
        && *value <= 0.0
    {
        return Err(section.error("max_mbps", *line, "must be above 0; leave it out for no limit"));
    }
    Ok(VolunteerSettings {
        max_shards: value_or(section.whole32("max_shards", 1, MAX_SHARDS)?, default.max_shards),
        max_shard_memory: section.whole("max_shard_memory", 1, u64::MAX)?.map(|bytes| bytes.value),
        threads: section.whole32("threads", 1, 65_536)?.map(|threads| threads.value),
        max_mbps: max_mbps.map(|mbps| mbps.value),
        verify_routing: value_or(section.flag("verify_routing")?, default.verify_routing),
    })
}

fn value_or<T>(found: Option<At<T>>, default: T) -> T {
    found.map_or(default, |found| found.value)
}

#[cfg(test)]
mod tests;
