//! Writing a model, piece by piece: nothing of the document is held but the target values.

use std::borrow::Borrow;
use std::io::Write;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::bucket::{Bucket, Origin};
use crate::literal::{Clause, Literal};
use crate::lookalikes::Lookalikes;
use crate::model::{BucketFault, FORMAT_VERSION, Head, Model, ModelError, check_layer};
use crate::schema::{FeatureKind, Label, TargetKind};
use crate::value::Value;

/// Writes a model file from its rows and layers as they come: rows first, then layers, then [`finish`](Self::finish).
///
/// The same calls write the same bytes. A writer that is dropped before `finish` leaves half a document: write to a
/// temporary name and rename.
#[derive(Debug)]
pub struct ModelWriter<W: Write> {
    out: W,
    head: Head,
    targets: Vec<Label>,
    layers: usize,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Rows,
    Layers,
}

impl<W: Write> ModelWriter<W> {
    /// Starts a file. `version` is written as [`FORMAT_VERSION`], whatever the head says.
    ///
    /// # Errors
    /// [`ModelError`] when a name stands twice in the header or the writer fails.
    pub fn new(out: W, head: Head) -> Result<Self, ModelError> {
        head.check()?;
        let mut writer = Self { out, head, targets: Vec::new(), layers: 0, stage: Stage::Rows };
        json(&mut writer.out, "{\"version\":", FORMAT_VERSION)?;
        json(&mut writer.out, ",\"stripped\":", &writer.head.stripped)?;
        writer.raw(",\"population\":[")?;
        Ok(writer)
    }

    /// Adds a training row: its features in header order and its target. Of a stripped model only the target is
    /// written; its `cells` may be empty.
    ///
    /// # Errors
    /// [`ModelError`] when the row does not fit the header, holds a number that is not finite, comes after a layer, or
    /// the writer fails.
    pub fn row(&mut self, cells: &[Value<'_>], target: Label) -> Result<(), ModelError> {
        let number = self.targets.len();
        let refuse = |what: String| Err(ModelError::Unwritable(format!("row {number} {what}")));
        if self.stage != Stage::Rows {
            return refuse("comes after a layer: all rows come first".into());
        }
        if number >= u32::MAX as usize {
            return refuse("is one too many: a model has fewer than 4,294,967,295 rows".into());
        }
        let Some(target) = target_value(self.head.target_kind, target) else {
            return refuse(format!("has a target that is no finite {:?} value", self.head.target_kind));
        };
        if !self.head.stripped {
            if cells.len() != self.head.features.len() {
                let width = self.head.features.len();
                return refuse(format!("has {} values, the header has {width} features", cells.len()));
            }
            let row = Row { head: &self.head, cells, target: &target };
            if let Some(column) = row.misfit() {
                return refuse(format!("has a value that does not fit column {column:?}"));
            }
            json(&mut self.out, if number == 0 { "" } else { "," }, &row)?;
        }
        self.targets.push(target);
        Ok(())
    }

    fn end_rows(&mut self) -> Result<(), ModelError> {
        if self.stage == Stage::Layers {
            return Ok(());
        }
        self.stage = Stage::Layers;
        if self.targets.is_empty() {
            return Err(ModelError::Unwritable("a model needs at least one training row".into()));
        }
        let mut header = vec![self.head.target.as_str()];
        header.extend(self.head.features.iter().map(|feature| feature.name.as_str()));
        json(&mut self.out, "],\"header\":", &header)?;
        json(&mut self.out, ",\"target\":", &self.head.target)?;
        json(&mut self.out, ",\"targets\":", &self.targets)?;
        let mut datatypes = vec![DataType::Target(self.head.target_kind)];
        datatypes.extend(self.head.features.iter().map(|feature| DataType::Feature(feature.kind)));
        json(&mut self.out, ",\"datatypes\":", &datatypes)?;
        json(&mut self.out, ",\"config\":", &self.head.config)?;
        self.raw(",\"layers\":[")
    }

    /// Adds a layer, bucket by bucket.
    ///
    /// # Errors
    /// [`ModelError`] when a bucket points to a row, clause or column that is not there, an ELSE is not last, a number is
    /// not finite, or the writer fails.
    pub fn layer<B: Borrow<Bucket<u32>>>(
        &mut self,
        buckets: impl IntoIterator<Item = B>,
    ) -> Result<(), ModelError> {
        self.end_rows()?;
        let number = self.layers;
        self.raw(if number == 0 { "[" } else { ",[" })?;
        let mut buckets = buckets.into_iter().peekable();
        let mut place = 0;
        while let Some(bucket) = buckets.next() {
            let bucket: &Bucket<u32> = bucket.borrow();
            let width = self.head.features.len() + 1;
            check_layer(number, std::slice::from_ref(bucket), self.targets.len(), width)
                .map_err(|error| moved(error, place))?;
            if bucket.condition.is_none() && buckets.peek().is_some() {
                return Err(ModelError::Bucket {
                    layer: number,
                    bucket: place,
                    fault: BucketFault::ElseNotLast,
                });
            }
            json(&mut self.out, if place == 0 { "" } else { "," }, &FileBucket::new(bucket))?;
            place += 1;
        }
        self.layers += 1;
        self.raw("]")
    }

    /// Ends the document and gives the flushed writer back.
    ///
    /// # Errors
    /// [`ModelError`] when there was no row or the writer fails.
    pub fn finish(mut self) -> Result<W, ModelError> {
        self.end_rows()?;
        json(&mut self.out, "],\"log\":", &self.head.log)?;
        if let Some(ours) = &self.head.opendipaco {
            json(&mut self.out, ",\"opendipaco\":", ours)?;
        }
        self.raw("}")?;
        self.out.flush().map_err(ModelError::Write)?;
        Ok(self.out)
    }

    fn raw(&mut self, text: &str) -> Result<(), ModelError> {
        self.out.write_all(text.as_bytes()).map_err(ModelError::Write)
    }
}

/// Writes what leads to a value, then the value.
fn json<T: Serialize + ?Sized>(out: &mut impl Write, lead: &str, value: &T) -> Result<(), ModelError> {
    out.write_all(lead.as_bytes()).map_err(ModelError::Write)?;
    serde_json::to_writer(out, value).map_err(write_error)
}

impl Model {
    /// Writes the model file. The same model writes the same bytes.
    ///
    /// # Errors
    /// [`ModelError`] when the model is not whole (a model that was read without its rows, and is not stripped, is not)
    /// or the writer fails.
    pub fn write<W: Write>(&self, out: W) -> Result<W, ModelError> {
        if !self.head.stripped && self.population.rows() != self.targets.len() {
            return Err(ModelError::Unwritable(format!(
                "it has {} of its {} rows in memory: read it with its rows, or mark it as stripped",
                self.population.rows(),
                self.targets.len()
            )));
        }
        let mut writer = ModelWriter::new(out, self.head.clone())?;
        let mut cells = Vec::with_capacity(self.head.features.len());
        for (row, target) in self.targets.iter().enumerate() {
            cells.clear();
            cells.extend((0..self.head.features.len()).map(|feature| self.population.value(feature, row)));
            writer.row(&cells, target.clone())?;
        }
        for layer in &self.layers {
            writer.layer(layer)?;
        }
        writer.finish()
    }
}

fn write_error(error: serde_json::Error) -> ModelError {
    if error.is_io() { ModelError::Write(error.into()) } else { ModelError::Unwritable(error.to_string()) }
}

fn moved(error: ModelError, place: usize) -> ModelError {
    match error {
        ModelError::Bucket { layer, fault, .. } => ModelError::Bucket { layer, bucket: place, fault },
        other => other,
    }
}

/// The form in which a target of this kind is written; `None` if it has none.
fn target_value(kind: TargetKind, target: Label) -> Option<Label> {
    match (kind, target) {
        (TargetKind::Number, Label::Integer(value)) =>
        {
            #[allow(clippy::cast_precision_loss)]
            Some(Label::Number(value as f64))
        }
        (_, Label::Number(value)) if !value.is_finite() => None,
        (TargetKind::Number, target @ Label::Number(_))
        | (TargetKind::Binary | TargetKind::Integer, target @ (Label::Integer(_) | Label::Number(_)))
        | (TargetKind::Text, target @ Label::Text(_))
        | (TargetKind::Json, target) => Some(target),
        _ => None,
    }
}

/// A row of `population`. A value that is missing has no key.
struct Row<'a> {
    head: &'a Head,
    cells: &'a [Value<'a>],
    target: &'a Label,
}

impl Row<'_> {
    fn misfit(&self) -> Option<&str> {
        let fits = |kind: FeatureKind, cell: &Value<'_>| match cell {
            Value::Missing => true,
            Value::Number(x) => kind == FeatureKind::Number && x.is_finite(),
            Value::Text(_) => kind == FeatureKind::Text,
        };
        let mut cells = self.head.features.iter().zip(self.cells);
        cells.find(|(feature, cell)| !fits(feature.kind, cell)).map(|(feature, _)| feature.name.as_str())
    }
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(&self.head.target, self.target)?;
        for (feature, cell) in self.head.features.iter().zip(self.cells) {
            match cell {
                Value::Missing => {}
                Value::Number(value) => map.serialize_entry(&feature.name, value)?,
                Value::Text(value) => map.serialize_entry(&feature.name, value)?,
            }
        }
        map.end()
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum DataType {
    Target(TargetKind),
    Feature(FeatureKind),
}

/// A bucket in the file's order of keys.
#[derive(Serialize)]
struct FileBucket<'a> {
    condition: &'a Option<Vec<Literal>>,
    members: &'a [u32],
    origins: &'a [Origin],
    clauses: &'a [Clause],
    lookalikes: FileLookalikes<'a>,
}

impl<'a> FileBucket<'a> {
    fn new(bucket: &'a Bucket<u32>) -> Self {
        Self {
            condition: &bucket.condition,
            members: &bucket.members,
            origins: &bucket.origins,
            clauses: &bucket.clauses,
            lookalikes: FileLookalikes(&bucket.lookalikes),
        }
    }
}

struct FileLookalikes<'a>(&'a Lookalikes);

impl Serialize for FileLookalikes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter())
    }
}
