//! From units to the model file: layers in order, ordinals as ranks, the population from the source.

use std::fmt::{Debug, Display};
use std::io::Write;

use snake::{
    Bucket, Cell, Config, Head, Label, ModelError, ModelWriter, TargetKind, TargetValue, TrainingRows,
    UnitBuckets, Value,
};

use crate::census::{Census, KeptRow, for_each_kept};
use crate::data_spec::DataSpec;
use crate::error::{MaterialiseError, SpecError};
use crate::extension::extension;
use crate::routing::Routing;
use crate::run::PublicSource;
use crate::source::RecordSource;

/// No model was written. What was written so far must not be used.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError<E: Debug + Display> {
    /// The spec is not usable.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The rows can't be read, or are not the published ones.
    #[error(transparent)]
    Rows(#[from] MaterialiseError),
    /// The model can't be written.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A unit is not to be had.
    #[error("unit (path {path}, layer {layer}): {error}")]
    Unit {
        /// Its path.
        path: u32,
        /// Its layer.
        layer: u32,
        /// Why.
        error: E,
    },
    /// A unit names a row that is not in its shard.
    #[error(
        "unit (path {path}, layer {layer}) names row {ordinal}, which is not in the shard of its path: train it again"
    )]
    ForeignRow {
        /// Its path.
        path: u32,
        /// Its layer.
        layer: u32,
        /// The row.
        ordinal: u64,
    },
    /// The census is not of this spec or source.
    #[error("the source now has {found} rows to keep, the census saw {expected}: take it again")]
    Census {
        /// How many rows the source has now.
        found: usize,
        /// How many the census has.
        expected: usize,
    },
}

/// Writes `model.json`: the population by ascending ordinal over all paths (streamed from the source, with `__path` as the
/// last feature where there are several k-means paths), then the layers. Layer `l` of a k-means run holds the buckets of
/// (p, l) for every path p, ascending; round robin makes (p, l) the layer number l x paths + p. A path without rows has no
/// units: it is left out of a k-means layer and an empty layer of a round robin model, which readers skip.
///
/// With `rows` left out the file is stripped: the population is empty, targets and layers are the same.
///
/// `units` is asked once for every unit of a path with rows, layer by layer; one layer is held at a time. The same spec,
/// rows and units give the same bytes. The rows are checked against the spec once they were all read, so use what was
/// written only after this returned without an error.
///
/// # Errors
/// [`AssembleError`].
pub fn assemble<E: Debug + Display, W: Write>(
    spec: &DataSpec,
    description: &PublicSource,
    source: &dyn RecordSource,
    census: &Census,
    units: &mut dyn FnMut(u32, u32) -> Result<UnitBuckets, E>,
    rows: TrainingRows,
    out: W,
) -> Result<W, AssembleError<E>> {
    spec.check()?;
    let mut writer = ModelWriter::new(out, head(spec, rows)?)?;
    write_population(spec, description, source, census, &mut writer)?;
    let mut unit = |path, layer| {
        let buckets = units(path, layer).map_err(|error| AssembleError::Unit { path, layer, error })?;
        let place = Place { census, path, layer };
        buckets.into_iter().map(|bucket| place.ranked(bucket)).collect::<Result<Vec<_>, _>>()
    };
    let trained = |path: &u32| spec.shards.get(*path as usize).is_some_and(|shard| shard.rows > 0);
    for layer in 0..spec.training.layers {
        let mut chain = Vec::new();
        for path in 0..spec.paths() {
            if trained(&path) {
                chain.extend(unit(path, layer)?);
            }
            if matches!(spec.routing, Routing::RoundRobin { .. }) {
                writer.layer(std::mem::take(&mut chain))?;
            }
        }
        if !matches!(spec.routing, Routing::RoundRobin { .. }) {
            writer.layer(chain)?;
        }
    }
    Ok(writer.finish()?)
}

fn head(spec: &DataSpec, rows: TrainingRows) -> Result<Head, SpecError> {
    let schema = spec.routed_schema();
    let training = &spec.training;
    let layers = match spec.routing {
        Routing::RoundRobin { paths } => u64::from(training.layers) * u64::from(paths),
        Routing::Kmeans(_) | Routing::Unknown => training.layers.into(),
    };
    let n_layers = u32::try_from(layers)
        .map_err(|_| SpecError::field("training.layers", format!("{layers} layers in all are too many")))?;
    let config = Config {
        n_layers,
        bucket: training.bucket,
        noise: training.noise,
        vocal: false,
        workers: 1,
        oppose_profile: training.profile.name().into(),
        lookahead: training.lookahead,
    };
    Ok(Head {
        version: snake::FORMAT_VERSION.into(),
        stripped: rows == TrainingRows::LeftOut,
        target: schema.target,
        target_kind: schema.target_kind,
        features: schema.features,
        config: config.into(),
        log: String::new(),
        opendipaco: Some(extension(spec)?),
    })
}

fn write_population<E: Debug + Display, W: Write>(
    spec: &DataSpec,
    description: &PublicSource,
    source: &dyn RecordSource,
    census: &Census,
    writer: &mut ModelWriter<W>,
) -> Result<(), AssembleError<E>> {
    let paths: Vec<String> = if spec.has_path_feature() {
        (0..spec.paths()).map(|path| path.to_string()).collect()
    } else {
        vec![]
    };
    let mut rows = 0;
    for_each_kept(
        spec,
        description,
        source,
        census,
        &mut |row: KeptRow<'_>| -> Result<(), AssembleError<E>> {
            let mut values: Vec<Value<'_>> = Vec::with_capacity(row.cells.len() + 1);
            values.extend(row.cells.iter().map(|cell| match cell {
                Cell::Number(number) => Value::Number(number + 0.0),
                Cell::Text(text) => Value::Text(text),
            }));
            values.extend(paths.get(row.path as usize).map(|path| Value::Text(path)));
            writer.row(&values, label(spec, row.target)?)?;
            rows += 1;
            Ok(())
        },
    )?;
    let expected = census.kept();
    if rows == expected { Ok(()) } else { Err(AssembleError::Census { found: rows, expected }) }
}

/// A target as the model file writes it.
fn label(spec: &DataSpec, target: TargetValue) -> Result<Label, SpecError> {
    match target {
        TargetValue::Number(number) if spec.schema.target_kind == TargetKind::Number => {
            Ok(Label::Number(number + 0.0))
        }
        TargetValue::Class(class) => spec
            .schema
            .classes
            .get(class as usize)
            .cloned()
            .ok_or_else(|| SpecError::field("schema.classes", format!("there is no class {class}"))),
        TargetValue::Number(_) => {
            Err(SpecError::field("schema.target_kind", "a row has a number for a class"))
        }
    }
}

/// The unit whose buckets are being placed.
struct Place<'a> {
    census: &'a Census,
    path: u32,
    layer: u32,
}

impl Place<'_> {
    /// The bucket with its members as positions in the population.
    fn ranked<E: Debug + Display>(&self, bucket: Bucket<u64>) -> Result<Bucket<u32>, AssembleError<E>> {
        let Self { census, path, layer } = *self;
        let rank = |ordinal: u64| match (census.path(ordinal), census.rank(ordinal)) {
            (Some(found), Some(rank)) if found == path => Ok(rank),
            _ => Err(AssembleError::ForeignRow { path, layer, ordinal }),
        };
        Ok(Bucket {
            members: bucket.members.into_iter().map(rank).collect::<Result<_, _>>()?,
            condition: bucket.condition,
            origins: bucket.origins,
            clauses: bucket.clauses,
            lookalikes: bucket.lookalikes,
        })
    }
}
