//! The rows of a CSV file as a model wants to see them: its features in its order, routed where it routes.

use std::path::Path;

use anyhow::Result;
use snake::{Feature, Model, RowBatch, RowBatchBuilder, TrainingRows, Value};
use spec::{PATH_FEATURE, Record, RecordSource};

use crate::model_file;
use crate::path_router::{PathRouter, value};

/// Rows read before they are predicted.
const ROWS_AT_A_TIME: usize = 16_384;

/// Reads a model file. Its training rows are left out: predictions don't need them.
pub(crate) fn read_model(path: &Path) -> Result<Model> {
    model_file::read(path, TrainingRows::LeftOut)
}

/// Reads a model file with its training rows, if they are in it.
pub(crate) fn read_model_with_rows(path: &Path) -> Result<Model> {
    model_file::read(path, TrainingRows::Kept)
}

/// A part of the rows of a file, in order.
pub(crate) struct Rows {
    /// The rows.
    pub(crate) batch: RowBatch,
    /// The target column's cells, where the file has that column.
    pub(crate) targets: Option<Vec<String>>,
    /// Each row's ordinal in the file.
    pub(crate) ordinals: Vec<u64>,
}

/// Reads a source in parts and gives each to `visit`, only rows for whose ordinal `wanted` holds. A malformed row uses up its
/// ordinal and is passed over, or is an error, as the source was opened.
///
/// As in training, an empty cell is 0 in a number column and the empty text in a text column; a number that does not parse
/// is missing, and so is a column the file doesn't have. `__path` is used where the file has it, and routed where it doesn't.
pub(crate) fn for_each_part(
    model: &Model,
    source: &dyn RecordSource,
    wanted: &dyn Fn(u64) -> bool,
    visit: &mut dyn FnMut(&Rows) -> Result<()>,
) -> Result<()> {
    for_each_part_until(model, source, wanted, u64::MAX, visit)
}

/// The same, no further than to the row of ordinal `end`, which is left out: what comes after it is not read.
pub(crate) fn for_each_part_until(
    model: &Model,
    source: &dyn RecordSource,
    wanted: &dyn Fn(u64) -> bool,
    end: u64,
    visit: &mut dyn FnMut(&Rows) -> Result<()>,
) -> Result<()> {
    let mut reader = source.open()?;
    let mut columns = Columns::new(model, reader.header(), Path::new(&source.location(0)))?;
    reader.only(&columns.needed().into_iter().chain(columns.target).collect::<Vec<_>>());
    let mut builder = RowBatchBuilder::new(&model.head.features);
    let mut targets = columns.target.map(|_| Vec::new());
    let mut ordinals = Vec::new();
    let mut record = Record::default();
    let mut next = 0;
    loop {
        let more = next < end && reader.next(&mut record)? && record.ordinal < end;
        next = record.ordinal.saturating_add(1);
        if builder.rows() >= ROWS_AT_A_TIME || (!more && builder.rows() > 0) {
            let rows = Rows {
                batch: builder.take(),
                targets: targets.as_mut().map(std::mem::take),
                ordinals: std::mem::take(&mut ordinals),
            };
            visit(&rows)?;
        }
        if !more {
            return Ok(());
        }
        if !wanted(record.ordinal) {
            continue;
        }
        record.spell_all();
        columns.push(&record, &mut builder)?;
        ordinals.push(record.ordinal);
        if let (Some(targets), Some(column)) = (&mut targets, columns.target) {
            targets.push(record.text(column).to_owned());
        }
    }
}

/// One row, by the names and the cells of its columns; `place` says in messages where it is from.
pub(crate) fn one_row(
    model: &Model,
    header: &[String],
    cells: Vec<String>,
    place: &Path,
) -> Result<RowBatch> {
    let mut columns = Columns::new(model, header, place)?;
    let mut builder = RowBatchBuilder::new(&model.head.features);
    columns.push(&Record::of_texts(cells), &mut builder)?;
    Ok(builder.take())
}

/// Where the model's features are in the file.
#[derive(Clone)]
pub(crate) struct Columns<'m> {
    features: &'m [Feature],
    places: Vec<Option<usize>>,
    target: Option<usize>,
    path: Option<PathColumn>,
}

/// Routes rows that come without their path.
#[derive(Clone)]
struct PathColumn {
    router: PathRouter,
    /// Position of `__path` among the model's features.
    feature: usize,
}

impl<'m> Columns<'m> {
    /// Finds them; tells of those that are not there.
    pub(crate) fn new(model: &'m Model, header: &[String], csv: &Path) -> Result<Self> {
        let find = |name: &str| header.iter().position(|column| column == name);
        let features = &model.head.features;
        let twice = |name: &&str| header.iter().filter(|column| column == name).count() > 1;
        let mut names =
            features.iter().map(|feature| feature.name.as_str()).chain([model.head.target.as_str()]);
        if let Some(name) = names.find(twice) {
            anyhow::bail!("{}: has two columns {name:?}: rename one of them", csv.display());
        }
        let places: Vec<Option<usize>> = features.iter().map(|feature| find(&feature.name)).collect();
        let missing: Vec<&str> = features
            .iter()
            .zip(&places)
            .filter(|(feature, place)| place.is_none() && feature.name != PATH_FEATURE)
            .map(|(feature, _)| feature.name.as_str())
            .collect();
        anyhow::ensure!(
            missing.len() < features.iter().filter(|feature| feature.name != PATH_FEATURE).count().max(1),
            "{}: has none of the model's features; its header is {}",
            csv.display(),
            header.join(",")
        );
        if !missing.is_empty() {
            tracing::warn!(
                "{}: has no column {}; literals over it are false",
                csv.display(),
                missing.join(", ")
            );
        }
        let path = match features.iter().position(|feature| feature.name == PATH_FEATURE) {
            Some(feature) if places.get(feature).copied().flatten().is_none() => {
                let made = PathRouter::of_model(model, header);
                if let Err(reason) = &made {
                    tracing::warn!(
                        "{}: rows have no {PATH_FEATURE} and can't be routed, so every layer answers with its last bucket: \
                         {reason:#}",
                        csv.display()
                    );
                }
                made.ok().map(|router| PathColumn { router, feature })
            }
            _ => None,
        };
        Ok(Self { features, places, target: find(&model.head.target), path })
    }

    fn push(&mut self, record: &Record, builder: &mut RowBatchBuilder) -> Result<()> {
        self.push_cells(record.ordinal, &|place| record.text(place), builder)
    }

    /// Adds a row, whose cells are asked for by their column in the file.
    pub(crate) fn push_cells<'c>(
        &mut self,
        ordinal: u64,
        cell: &dyn Fn(usize) -> &'c str,
        builder: &mut RowBatchBuilder,
    ) -> Result<()> {
        let path =
            self.path.as_mut().map(|path| (path.feature, path.router.route(ordinal, cell).to_string()));
        let values: Vec<Value<'_>> = self
            .features
            .iter()
            .zip(&self.places)
            .enumerate()
            .map(|(i, (feature, place))| match (&path, place) {
                (Some((routed, path)), _) if *routed == i => Value::Text(path),
                (_, Some(place)) => value(feature.kind, cell(*place)),
                (_, None) => Value::Missing,
            })
            .collect();
        Ok(builder.push(&values)?)
    }

    /// The columns of the file that rows need, ascending.
    pub(crate) fn needed(&self) -> Vec<usize> {
        let routed = self.path.iter().flat_map(|path| path.router.columns());
        let mut needed: Vec<usize> = self.places.iter().copied().flatten().chain(routed).collect();
        needed.sort_unstable();
        needed.dedup();
        needed
    }
}
