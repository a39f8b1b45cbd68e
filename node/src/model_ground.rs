//! The rows that a model is checked against: its own, matched with data, or the data's where it carries none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use snake::{
    Cell, Label, Model, Origin, RowBatchBuilder, TargetKind, TargetValue, Value, number_text, quoted,
};
use spec::{
    Census, DataSpec, Format, KeptRow, MaterialiseError, OnError, PATH_FEATURE, PublicSource, RecordSource,
    Routing, TableSource, for_each_kept, spec_of_model,
};

use crate::exit::{Refused, Usage};
use crate::model_rows::for_each_part;

/// Differences are named up to this many; the rest are counted.
const NAMED: usize = 20;

/// What the model's rows turned out to be.
#[derive(Debug, Default)]
pub(crate) struct Ground {
    /// How the rows were known for the model's, as a sentence.
    pub(crate) how: String,
    /// Rows of the data, where they were looked through one by one.
    pub(crate) read: Option<u64>,
    /// Per row of the model its ordinal in the data, where the data is the source itself.
    pub(crate) census: Option<Census>,
    /// Per row of the model, its path; empty where all are of one, or carry it.
    pub(crate) paths: Vec<u32>,
    /// What does not fit, by row of the model.
    pub(crate) misfits: Vec<(Option<u64>, String)>,
    /// All of them, named or not.
    pub(crate) misfit_count: u64,
}

impl Ground {
    pub(crate) fn misfit(&mut self, row: Option<u64>, what: impl FnOnce() -> String) {
        self.misfit_count += 1;
        if self.misfits.len() < NAMED {
            self.misfits.push((row, what()));
        }
    }
}

/// Finds the model's rows in the data; of a stripped model they are read from there into it.
pub(crate) fn ground(model: &mut Model, data: &[PathBuf], holdout: Option<f64>) -> Result<Ground> {
    let own = model.population.rows() == model.targets.len();
    if data.is_empty() {
        if !own {
            let what = "the model is stripped, so its rows have to be named: opendipaco certify MODEL DATA";
            return Err(Usage(what.into()).into());
        }
        let mut ground = Ground {
            how: "the model's own; no data was named to compare them with".into(),
            ..Ground::default()
        };
        paths_of_layers(model, &mut ground);
        return Ok(ground);
    }
    let spec = match &model.head.opendipaco {
        Some(ours) => spec_of_model(ours, holdout).map_err(|error| Refused(error.to_string()))?,
        None => None,
    };
    let why = match &spec {
        Some(spec) => match by_ordinal(model, spec, data)? {
            Ok(ground) => return Ok(ground),
            Err(why) => why,
        },
        None if model.head.opendipaco.is_some() && holdout.is_some() => {
            "the share held out is not the one that the model's fingerprint says".into()
        }
        None if model.head.opendipaco.is_some() => {
            "the share of rows held out can't be told: name the run file or manifest with --held-out".into()
        }
        None => "the model says nothing of its source".to_owned(),
    };
    if own { by_content(model, data, &why) } else { in_order(model, data, &why) }
}

/// Reads the source as training did: what it held out and dropped is known, and the shards' hashes say that nothing else
/// differs. Inner error: it is not that source.
fn by_ordinal(model: &mut Model, spec: &DataSpec, data: &[PathBuf]) -> Result<Result<Ground, String>> {
    let source = TableSource::of_files(data.to_vec(), OnError::Skip);
    let names: Vec<&str> = spec.schema.features.iter().map(|feature| feature.name.as_str()).collect();
    let header = source.open()?.header().to_vec();
    let exclude = header
        .into_iter()
        .filter(|name| *name != spec.schema.target && !names.contains(&name.as_str()))
        .collect();
    let description = PublicSource {
        format: Format::Csv,
        locations: data.iter().map(|path| path.display().to_string()).collect(),
        mirrors: Vec::new(),
        target: spec.schema.target.clone(),
        target_type: None,
        exclude,
        on_error: OnError::Skip,
    };
    let census = match Census::take(spec, &description, &source) {
        Ok(census) => census,
        Err(error) if error.is_refusal() => return Ok(Err(error.to_string())),
        Err(error) => return Err(error.into()),
    };
    let mut ground = Ground::default();
    if census.kept() != model.targets.len() {
        let (has, gives) = (model.targets.len(), census.kept());
        ground.misfit(None, || format!("the model has {has} rows, the data gives {gives}"));
        ground.how = "the model's own: the data gives another number of rows".into();
        paths_of_layers(model, &mut ground);
        return Ok(Ok(ground));
    }
    let stripped = model.population.rows() != model.targets.len();
    let mut builder = RowBatchBuilder::new(&model.head.features);
    let round_robin = matches!(spec.routing, Routing::RoundRobin { paths } if paths > 1);
    let read = for_each_kept(
        spec,
        &description,
        &source,
        &census,
        &mut |row: KeptRow<'_>| -> Result<(), Failed> {
            let path = row.path.to_string();
            let mut cells: Vec<Value<'_>> = row.cells.iter().map(|cell| as_value(*cell)).collect();
            if spec.has_path_feature() {
                cells.push(Value::Text(&path));
            }
            let place = row.rank as usize;
            let (rank, ordinal) = (u64::from(row.rank), row.ordinal);
            if cells.len() != model.head.features.len() {
                return Err(anyhow::anyhow!("the header has other features than the model's schema").into());
            }
            if stripped {
                builder.push(&cells).map_err(anyhow::Error::from)?;
            } else {
                for ((feature, cell), name) in cells.iter().enumerate().zip(&model.head.features) {
                    let has = model.population.value(feature, place);
                    if has != *cell {
                        let name = &name.name;
                        ground.misfit(Some(rank), || {
                            let (has, cell) = (shown(has), shown(*cell));
                            format!("row {rank} has {has} in column {name:?}, row {ordinal} of the data has {cell}")
                    });
                    }
                }
            }
            let target = label(spec, row.target);
            if target.as_ref() != model.targets.get(place) {
                ground.misfit(Some(rank), || {
                    format!("row {rank} has another target than row {ordinal} of the data")
                });
            }
            if round_robin {
                ground.paths.push(row.path);
            }
            Ok(())
        },
    );
    match read {
        Ok(()) => {}
        Err(Failed::Rows(error)) => return Err(error.into()),
        Err(Failed::Other(error)) => return Err(error),
    }
    if stripped {
        model.population = builder.take();
    }
    ground.how = format!(
        "those of the data, in its order, with the hashes that training saw ({} held out)",
        if spec.holdout > 0.0 { format!("a share of {}", spec.holdout) } else { "none".into() }
    );
    ground.census = Some(census);
    Ok(Ok(ground))
}

enum Failed {
    Rows(MaterialiseError),
    Other(anyhow::Error),
}

impl From<MaterialiseError> for Failed {
    fn from(error: MaterialiseError) -> Self {
        Self::Rows(error)
    }
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

fn as_value(cell: Cell<'_>) -> Value<'_> {
    match cell {
        Cell::Number(number) => Value::number(number),
        Cell::Text(text) => Value::Text(text),
    }
}

fn label(spec: &DataSpec, target: TargetValue) -> Option<Label> {
    match target {
        TargetValue::Number(number) => Some(Label::Number(number)),
        TargetValue::Class(class) => spec.schema.classes.get(class as usize).cloned(),
    }
}

/// Looks for every row of the model among the data's, whatever their order.
fn by_content(model: &Model, data: &[PathBuf], why: &str) -> Result<Ground> {
    let mut ground = Ground::default();
    let routed = model.head.opendipaco.is_some();
    let compared: Vec<usize> = (0..model.head.features.len())
        .filter(|place| {
            routed || model.head.features.get(*place).is_some_and(|feature| feature.name != PATH_FEATURE)
        })
        .collect();
    let mut wanted: BTreeMap<[u8; 16], u32> = BTreeMap::new();
    let mut bytes = Vec::new();
    let mut found = vec![false; model.targets.len()];
    // Rows that are equal stand for one another.
    let mut same: Vec<u32> = Vec::with_capacity(model.targets.len());
    for (row, target) in (0_u32..).zip(&model.targets) {
        bytes.clear();
        compared.iter().for_each(|place| push(&mut bytes, model.population.value(*place, row as usize)));
        same.push(*wanted.entry(key(&mut bytes, Some(target))).or_insert(row));
    }
    let (mut read, mut others) = (0_u64, 0_u64);
    for csv in data {
        let source = TableSource::of_files(vec![csv.clone()], OnError::Skip);
        for_each_part(model, &source, &|_| true, &mut |rows| {
            let targets = rows.targets.as_deref().with_context(|| no_target(model, csv))?;
            for (row, cell) in targets.iter().enumerate() {
                read += 1;
                bytes.clear();
                compared.iter().for_each(|place| push(&mut bytes, rows.batch.value(*place, row)));
                let target = target_of(cell, model.head.target_kind);
                match wanted.get(&key(&mut bytes, target.as_ref())) {
                    Some(first) => {
                        if let Some(found) = found.get_mut(*first as usize) {
                            *found = true;
                        }
                    }
                    None => others += 1,
                }
            }
            Ok(())
        })?;
    }
    for (row, first) in (0_u64..).zip(&same) {
        if !found.get(*first as usize).copied().unwrap_or_default() {
            ground.misfit(Some(row), || format!("row {row} of the model is not in the data"));
        }
    }
    ground.read = Some(read);
    ground.how = format!(
        "looked for one by one in the data, of which {others} rows are not the model's (held out, say, or dropped as \
         duplicates of another class): {why}"
    );
    paths_of_layers(model, &mut ground);
    Ok(ground)
}

/// A stripped model of another writer: its rows are the data's in order, without those equal to an earlier one where
/// that is how their numbers fit.
fn in_order(model: &mut Model, data: &[PathBuf], why: &str) -> Result<Ground> {
    let mut ground = Ground { how: format!("the data's, in its order: {why}"), ..Ground::default() };
    let mut seen = std::collections::BTreeSet::new();
    let mut builder = RowBatchBuilder::new(&model.head.features);
    let mut labels = Vec::new();
    let (mut read, mut bytes) = (0_u64, Vec::new());
    let width = model.head.features.len();
    let limit = model.targets.len();
    for csv in data {
        let source = TableSource::of_files(vec![csv.clone()], OnError::Skip);
        for_each_part(model, &source, &|_| true, &mut |rows| {
            let targets = rows.targets.as_deref().with_context(|| no_target(model, csv))?;
            for (row, cell) in targets.iter().enumerate() {
                read += 1;
                bytes.clear();
                let cells: Vec<Value<'_>> = (0..width).map(|place| rows.batch.value(place, row)).collect();
                cells.iter().for_each(|cell| push(&mut bytes, *cell));
                if seen.insert(key(&mut bytes, None)) && labels.len() <= limit {
                    builder.push(&cells)?;
                    labels.push(target_of(cell, model.head.target_kind));
                }
            }
            Ok(())
        })?;
    }
    ground.read = Some(read);
    if labels.len() != limit {
        let gives = seen.len();
        ground.misfit(None, || {
            format!(
                "the model is stripped and has {limit} rows, the data gives {gives} that differ, so nobody can tell \
                 which are the model's: {why}"
            )
        });
        return Ok(ground);
    }
    for (row, (label, target)) in (0_u64..).zip(labels.iter().zip(&model.targets)) {
        if label.as_ref() != Some(target) {
            ground.misfit(Some(row), || format!("row {row} has another target than the data's"));
        }
    }
    model.population = builder.take();
    paths_of_layers(model, &mut ground);
    Ok(ground)
}

fn no_target(model: &Model, csv: &Path) -> String {
    format!("{}: has no column {:?}, the model's target", csv.display(), model.head.target)
}

/// A value, for comparing rows: what is missing is as an empty cell.
fn push(bytes: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Number(number) => bytes.extend_from_slice(&number.to_bits().to_le_bytes()),
        Value::Text(text) => {
            bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        Value::Missing => bytes.extend_from_slice(&[0; 8]),
    }
}

fn key(bytes: &mut Vec<u8>, target: Option<&Label>) -> [u8; 16] {
    match target {
        Some(label) => match label.number() {
            Some(number) => bytes.extend_from_slice(&number.to_bits().to_le_bytes()),
            None => bytes.extend_from_slice(serde_json::to_string(label).unwrap_or_default().as_bytes()),
        },
        None => bytes.push(0),
    }
    let mut key = [0; 16];
    for (to, from) in key.iter_mut().zip(blake3::hash(bytes).as_bytes()) {
        *to = *from;
    }
    key
}

/// A target cell as a label of its kind.
fn target_of(cell: &str, kind: TargetKind) -> Option<Label> {
    match (kind, cell.trim()) {
        (TargetKind::Binary, "True" | "true") => Some(Label::Integer(1)),
        (TargetKind::Binary, "False" | "false") => Some(Label::Integer(0)),
        (TargetKind::Binary | TargetKind::Integer | TargetKind::Number, number) => {
            number.parse().ok().filter(|x: &f64| x.is_finite()).map(Label::Number)
        }
        (TargetKind::Json, _) => {
            Some(Label::Json(serde_json::from_str(cell).unwrap_or_else(|_| serde_json::Value::from(cell))))
        }
        (TargetKind::Text, _) => Some(Label::Text(cell.to_owned())),
    }
}

/// A value for people.
fn shown(value: Value<'_>) -> String {
    match value {
        Value::Missing => "nothing".into(),
        Value::Number(number) => number_text(number),
        Value::Text(text) => quoted(text),
    }
}

/// With round robin over several paths, which rows are whose shows in the layers alone: a path's layers have to agree, and
/// its rows to be no other's.
fn paths_of_layers(model: &Model, ground: &mut Ground) {
    let paths = round_robin_paths(model);
    if paths < 2 {
        return;
    }
    let mut of_row: Vec<Option<u32>> = vec![None; model.targets.len()];
    for (path, layer) in (0_u32..).zip(model.layers.iter().take(paths as usize)) {
        for bucket in layer {
            for (member, _) in
                bucket.members.iter().zip(&bucket.origins).filter(|(_, origin)| **origin == Origin::Core)
            {
                if let Some(place) = of_row.get_mut(*member as usize) {
                    match place {
                        Some(other) if *other != path => {
                            let other = *other;
                            ground.misfit(Some(u64::from(*member)), || {
                                format!("row {member} is a core member in the layers of path {other} and of path {path}")
                            });
                        }
                        _ => *place = Some(path),
                    }
                }
            }
        }
    }
    for (row, path) in (0_u64..).zip(&of_row) {
        if path.is_none() {
            ground.misfit(Some(row), || {
                format!("row {row} is a core member in no path's first layer (invariant 2)")
            });
        }
    }
    ground.paths = of_row.into_iter().map(|path| path.unwrap_or(u32::MAX)).collect();
}

/// How many paths a round robin model has; 1 for all others.
pub(crate) fn round_robin_paths(model: &Model) -> u32 {
    let routing = model.head.opendipaco.as_ref().and_then(|ours| ours.get("routing"));
    let kind = routing.and_then(|routing| routing.get("kind")).and_then(serde_json::Value::as_str);
    let paths = routing.and_then(|routing| routing.get("paths")).and_then(serde_json::Value::as_u64);
    match (kind, paths) {
        (Some("round_robin"), Some(paths)) => u32::try_from(paths).unwrap_or(1),
        _ => 1,
    }
}
