//! What a spec that came from a stranger must be before anything is done with it.

use snake::{Label, Schema, TargetKind, Training};

use crate::data_spec::{DataSpec, Shard};
use crate::error::SpecError;
use crate::routing::{KMeansFit, Routing};
use crate::run::KMeansSettings;

/// The most feature columns of a spec.
pub(crate) const MAX_FEATURES: usize = 16_384;
/// The most bytes of a column's name.
pub(crate) const MAX_NAME: usize = 1_024;
/// The most classes of a target.
pub(crate) const MAX_CLASSES: usize = 65_536;
/// The most bytes of a class.
pub(crate) const MAX_CLASS_TEXT: usize = 65_536;
/// The most paths.
pub const MAX_PATHS: u32 = 65_536;
/// The most mirrors of a part: whoever joins may try them all.
pub const MAX_MIRRORS: usize = 16;
/// The most dimensions of the featurizer.
pub const MAX_DIMENSIONS: u32 = 4_096;
/// The most numbers in all centroids together.
pub(crate) const MAX_CENTROID_NUMBERS: u64 = 1 << 22;
/// What the fit may keep of its sample, in bytes: 4 per row and dimension, and 8 per row to choose it.
pub(crate) const MAX_FIT_BYTES: u64 = 256 << 20;
/// The most layers per path.
pub const MAX_LAYERS: u32 = 1_000_000;
/// The most noise rows per core member.
pub const MAX_NOISE: f64 = 100.0;
/// Whole numbers up to here are classes that a float holds exactly, as readers of the model format compare them.
pub(crate) const MAX_INTEGER: i64 = 1 << 53;
/// No number of a featurised row, nor of a centroid, is further from 0.
pub(crate) const MAX_COORDINATE: i32 = 1 << 20;
/// The one featurizer there is.
pub(crate) const FEATURIZER: &str = "signed-hash-1";

impl DataSpec {
    /// Checks everything that can be checked without the source: ranges, lengths, names, and that the parts fit
    /// each other.
    ///
    /// # Errors
    /// [`SpecError::NewerVersion`] for a kind of router or featurizer that is not known here, else
    /// [`SpecError::Field`] for the first field that is not usable.
    pub fn check(&self) -> Result<(), SpecError> {
        check_routing(&self.routing)?;
        check_schema(&self.schema)?;
        check_holdout(self.holdout)?;
        check_training(&self.training)?;
        if let Routing::Kmeans(fit) = &self.routing {
            check_fit(fit, &self.schema)?;
        }
        check_shards(&self.shards, self.paths())
    }
}

pub(crate) fn check_holdout(holdout: f64) -> Result<(), SpecError> {
    if (0.0..1.0).contains(&holdout) {
        return Ok(());
    }
    Err(SpecError::field("holdout", format!("{holdout} is not between 0 and 1 (1 excluded)")))
}

pub(crate) fn check_training(training: &Training) -> Result<(), SpecError> {
    let counts = [
        ("training.layers", training.layers, MAX_LAYERS),
        ("training.bucket", training.bucket, u32::MAX),
        ("training.slice", training.slice, u32::MAX),
        ("training.lookahead", training.lookahead, u32::MAX),
    ];
    for (field, value, most) in counts {
        if value == 0 || value > most {
            return Err(SpecError::field(field, format!("{value} is not between 1 and {most}")));
        }
    }
    if !(0.0..=MAX_NOISE).contains(&training.noise) {
        return Err(SpecError::field(
            "training.noise",
            format!("{} is not between 0 and {MAX_NOISE}", training.noise),
        ));
    }
    Ok(())
}

pub(crate) fn check_paths(paths: u32) -> Result<(), SpecError> {
    if paths == 0 || paths > MAX_PATHS {
        return Err(SpecError::field("routing.paths", format!("{paths} is not between 1 and {MAX_PATHS}")));
    }
    Ok(())
}

pub(crate) fn check_kmeans(settings: &KMeansSettings) -> Result<(), SpecError> {
    check_paths(settings.paths)?;
    let dimensions = settings.dimensions;
    if dimensions == 0 || dimensions > MAX_DIMENSIONS {
        return Err(SpecError::field(
            "routing.dimensions",
            format!("{dimensions} is not between 1 and {MAX_DIMENSIONS}"),
        ));
    }
    let numbers = u64::from(settings.paths) * u64::from(dimensions);
    if numbers > MAX_CENTROID_NUMBERS {
        return Err(SpecError::field(
            "routing.dimensions",
            format!("paths x dimensions is {numbers}, at most {MAX_CENTROID_NUMBERS} are allowed"),
        ));
    }
    if settings.sample > most_sampled(dimensions) {
        return Err(SpecError::field("routing.sample", too_many_sampled(settings.sample, dimensions)));
    }
    Ok(())
}

/// How many rows a fit can take.
pub(crate) fn most_sampled(dimensions: u32) -> u64 {
    MAX_FIT_BYTES / (4 * u64::from(dimensions) + 8)
}

pub(crate) fn too_many_sampled(rows: u64, dimensions: u32) -> String {
    format!(
        "{rows} rows of {dimensions} dimensions are more than a fit takes ({} rows, {} MiB): take a smaller sample or fewer \
         dimensions",
        most_sampled(dimensions),
        MAX_FIT_BYTES >> 20
    )
}

fn check_routing(routing: &Routing) -> Result<(), SpecError> {
    match routing {
        Routing::Unknown => {
            Err(SpecError::NewerVersion { what: "the routing kind", found: "of the manifest".into() })
        }
        Routing::RoundRobin { paths } => check_paths(*paths),
        Routing::Kmeans(fit) if fit.featurizer != FEATURIZER => Err(SpecError::NewerVersion {
            what: "the featurizer",
            found: format!("{:?}", fit.featurizer.chars().take(80).collect::<String>()),
        }),
        Routing::Kmeans(fit) => check_kmeans(&fit.settings),
    }
}

pub(crate) fn check_fit(fit: &KMeansFit, schema: &Schema) -> Result<(), SpecError> {
    check_kmeans(&fit.settings)?;
    if fit.statistics.len() != schema.features.len() {
        return Err(SpecError::field(
            "routing.statistics",
            format!("{} entries for {} features", fit.statistics.len(), schema.features.len()),
        ));
    }
    for (statistic, feature) in fit.statistics.iter().zip(&schema.features) {
        if !statistic.mean.is_finite() || !statistic.deviation.is_finite() || statistic.deviation < 0.0 {
            return Err(SpecError::field(
                "routing.statistics",
                format!("the mean or deviation of {:?} is not a usable number", feature.name),
            ));
        }
    }
    if fit.centroids.len() != fit.settings.paths as usize {
        return Err(SpecError::field(
            "routing.centroids",
            format!("{} centroids for {} paths", fit.centroids.len(), fit.settings.paths),
        ));
    }
    for (path, centroid) in fit.centroids.iter().enumerate() {
        if centroid.len() != fit.settings.dimensions as usize {
            return Err(SpecError::field(
                "routing.centroids",
                format!(
                    "the one of path {path} has {} numbers for {} dimensions",
                    centroid.len(),
                    fit.settings.dimensions
                ),
            ));
        }
        let limit = i64::from(MAX_COORDINATE);
        if centroid.iter().any(|value| !(-limit..=limit).contains(value)) {
            return Err(SpecError::field(
                "routing.centroids",
                format!("the one of path {path} has a number beyond {limit}"),
            ));
        }
    }
    if fit.rows < u64::from(fit.settings.paths) {
        return Err(SpecError::field(
            "routing.rows",
            format!("{} rows in the sample for {} paths", fit.rows, fit.settings.paths),
        ));
    }
    if fit.rows > most_sampled(fit.settings.dimensions) {
        return Err(SpecError::field("routing.rows", too_many_sampled(fit.rows, fit.settings.dimensions)));
    }
    if fit.settings.sample != 0 && fit.rows > fit.settings.sample {
        return Err(SpecError::field(
            "routing.rows",
            format!("{} rows in a sample of {}", fit.rows, fit.settings.sample),
        ));
    }
    Ok(())
}

fn check_shards(shards: &[Shard], paths: u32) -> Result<(), SpecError> {
    if shards.len() != paths as usize {
        return Err(SpecError::field("shards", format!("{} shards for {paths} paths", shards.len())));
    }
    let mut rows = 0u64;
    for shard in shards {
        rows = rows.saturating_add(shard.rows);
    }
    if rows == 0 || rows > u64::from(u32::MAX) {
        return Err(SpecError::field("shards", format!("{rows} rows in all is not between 1 and 2^32 - 1")));
    }
    Ok(())
}

pub(crate) fn check_schema(schema: &Schema) -> Result<(), SpecError> {
    if schema.features.is_empty() || schema.features.len() > MAX_FEATURES {
        return Err(SpecError::field(
            "schema.features",
            format!("{} features is not between 1 and {MAX_FEATURES}", schema.features.len()),
        ));
    }
    let mut names: Vec<&str> = schema.features.iter().map(|feature| feature.name.as_str()).collect();
    names.push(&schema.target);
    for name in &names {
        if name.is_empty() || name.len() > MAX_NAME {
            return Err(SpecError::field(
                "schema",
                format!("a column's name has {} bytes, not 1 to {MAX_NAME}", name.len()),
            ));
        }
        if name.starts_with("__") {
            return Err(SpecError::field("schema", format!("column {name:?} starts with the reserved `__`")));
        }
    }
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair.first() == pair.last()) {
        return Err(SpecError::field("schema", format!("two columns are called {:?}", pair.first())));
    }
    check_classes(schema)
}

fn check_classes(schema: &Schema) -> Result<(), SpecError> {
    let classes = &schema.classes;
    let wrong = |reason: String| Err(SpecError::field("schema.classes", reason));
    match schema.target_kind {
        TargetKind::Json => {
            return Err(SpecError::field("schema.target_kind", "J can be read but not trained"));
        }
        TargetKind::Number if classes.is_empty() => return Ok(()),
        TargetKind::Number => return wrong("a number to be estimated has no classes".into()),
        TargetKind::Binary | TargetKind::Integer | TargetKind::Text => {}
    }
    if classes.len() < 2 || classes.len() > MAX_CLASSES {
        return wrong(format!("{} classes is not between 2 and {MAX_CLASSES}", classes.len()));
    }
    for class in classes {
        let fits = match (schema.target_kind, class) {
            (TargetKind::Binary, Label::Integer(value)) => (0..=1).contains(value),
            (TargetKind::Integer, Label::Integer(value)) => (-MAX_INTEGER..=MAX_INTEGER).contains(value),
            (TargetKind::Text, Label::Text(text)) => !text.is_empty() && text.len() <= MAX_CLASS_TEXT,
            _ => false,
        };
        if !fits {
            return wrong(format!("a class does not fit the target kind {:?}", schema.target_kind));
        }
    }
    let ascending = classes.windows(2).all(|pair| match pair {
        [a, b] => a.class_order(b).is_lt(),
        _ => true,
    });
    if ascending { Ok(()) } else { wrong("the classes are not in ascending order, each once".into()) }
}
