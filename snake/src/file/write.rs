//! Writing a model, piece by piece: nothing of the document is held but the target values.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use serde::Serialize;

use crate::bucket::{Bucket, Origin};
use crate::model::{BucketFault, FORMAT_VERSION, Head, Model, ModelError, check_layer};
use crate::schema::{FeatureKind, Label, TargetKind};
use crate::value::Value;

/// Bytes that are gathered before they are written.
const BUFFER: usize = 256 * 1024;

/// Writes a model file from its rows and layers as they come: rows first, then layers, then [`finish`](Self::finish).
///
/// The same calls write the same bytes. They are gathered here, so `out` need not be buffered. A writer that is dropped
/// before `finish` leaves half a document: write to a temporary name and rename.
#[derive(Debug)]
pub struct ModelWriter<W: Write> {
    out: W,
    /// What is not written yet.
    buffer: Vec<u8>,
    head: Head,
    /// Per feature, its name as a key, with the comma before and the colon behind.
    keys: Vec<Vec<u8>>,
    targets: Targets,
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
        let mut keys = Vec::with_capacity(head.features.len());
        for feature in &head.features {
            let mut key = vec![b','];
            push_json(&mut key, &feature.name)?;
            key.push(b':');
            keys.push(key);
        }
        let targets = Targets::default();
        let buffer = Vec::with_capacity(BUFFER);
        let mut writer = Self { out, buffer, head, keys, targets, layers: 0, stage: Stage::Rows };
        writer.json("{\"version\":", FORMAT_VERSION)?;
        let stripped = writer.head.stripped;
        writer.json(",\"stripped\":", &stripped)?;
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
            let mut cells = self.head.features.iter().zip(cells);
            if let Some((feature, _)) = cells.find(|(feature, cell)| !fits(feature.kind, cell)) {
                return refuse(format!("has a value that does not fit column {:?}", feature.name));
            }
        }
        if self.head.stripped {
            return self.targets.push(&target, &mut Vec::new());
        }
        self.buffer.extend_from_slice(if number == 0 { b"{" } else { b",{" });
        push_json(&mut self.buffer, &self.head.target)?;
        self.buffer.push(b':');
        self.targets.push(&target, &mut self.buffer)?;
        for (key, cell) in self.keys.iter().zip(cells) {
            match cell {
                Value::Missing => {}
                Value::Number(value) => {
                    self.buffer.extend_from_slice(key);
                    push_json(&mut self.buffer, value)?;
                }
                Value::Text(value) => {
                    self.buffer.extend_from_slice(key);
                    push_json(&mut self.buffer, value)?;
                }
            }
        }
        self.buffer.push(b'}');
        self.flush_if_full()
    }

    fn end_rows(&mut self) -> Result<(), ModelError> {
        if self.stage == Stage::Layers {
            return Ok(());
        }
        self.stage = Stage::Layers;
        if self.targets.len() == 0 {
            return Err(ModelError::Unwritable("a model needs at least one training row".into()));
        }
        let mut header = vec![self.head.target.as_str()];
        header.extend(self.head.features.iter().map(|feature| feature.name.as_str()));
        push_lead(&mut self.buffer, "],\"header\":", &header)?;
        push_lead(&mut self.buffer, ",\"target\":", &self.head.target)?;
        self.raw(",\"targets\":[")?;
        for row in 0..self.targets.len() {
            if row > 0 {
                self.buffer.push(b',');
            }
            self.targets.write(row, &mut self.buffer)?;
            self.flush_if_full()?;
        }
        let mut datatypes = vec![DataType::Target(self.head.target_kind)];
        datatypes.extend(self.head.features.iter().map(|feature| DataType::Feature(feature.kind)));
        push_lead(&mut self.buffer, "],\"datatypes\":", &datatypes)?;
        push_lead(&mut self.buffer, ",\"config\":", &self.head.config)?;
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
            if place > 0 {
                self.buffer.push(b',');
            }
            self.bucket(bucket)?;
            place += 1;
        }
        self.layers += 1;
        self.raw("]")
    }

    /// A bucket, a literal or a number at a time.
    fn bucket(&mut self, bucket: &Bucket<u32>) -> Result<(), ModelError> {
        match &bucket.condition {
            None => self.raw("{\"condition\":null")?,
            Some(literals) => {
                self.raw("{\"condition\":[")?;
                self.list(literals, push_json)?;
            }
        }
        self.raw(",\"members\":[")?;
        self.list(&bucket.members, |buffer, member| {
            push_number(buffer, *member);
            Ok(())
        })?;
        self.raw(",\"origins\":[")?;
        self.list(&bucket.origins, |buffer, origin| {
            buffer.extend_from_slice(match origin {
                Origin::Core => b"\"c\"",
                Origin::Noise => b"\"n\"",
            });
            Ok(())
        })?;
        self.raw(",\"clauses\":[")?;
        for (number, clause) in bucket.clauses.iter().enumerate() {
            self.buffer.extend_from_slice(if number == 0 { b"[" } else { b",[" });
            self.list(clause, push_json)?;
        }
        self.raw("],\"lookalikes\":{")?;
        for (number, (position, conditions)) in bucket.lookalikes.iter().enumerate() {
            let buffer = &mut self.buffer;
            buffer.extend_from_slice(if number == 0 { b"\"" } else { b",\"" });
            push_number(buffer, position);
            buffer.extend_from_slice(b"\":[");
            for (number, condition) in conditions.enumerate() {
                buffer.extend_from_slice(if number == 0 { b"[" } else { b",[" });
                for (number, clause) in condition.iter().enumerate() {
                    if number > 0 {
                        buffer.push(b',');
                    }
                    push_number(buffer, *clause);
                }
                buffer.push(b']');
            }
            buffer.push(b']');
            self.flush_if_full()?;
        }
        self.raw("}}")
    }

    /// The items of a list, and its end.
    fn list<T>(
        &mut self,
        items: &[T],
        push: impl Fn(&mut Vec<u8>, &T) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        for (number, item) in items.iter().enumerate() {
            if number > 0 {
                self.buffer.push(b',');
            }
            push(&mut self.buffer, item)?;
            self.flush_if_full()?;
        }
        self.buffer.push(b']');
        Ok(())
    }

    /// Ends the document and gives the flushed writer back.
    ///
    /// # Errors
    /// [`ModelError`] when there was no row or the writer fails.
    pub fn finish(mut self) -> Result<W, ModelError> {
        self.end_rows()?;
        push_lead(&mut self.buffer, "],\"log\":", &self.head.log)?;
        if let Some(ours) = &self.head.opendipaco {
            push_lead(&mut self.buffer, ",\"opendipaco\":", ours)?;
        }
        self.raw("}")?;
        self.out.write_all(&self.buffer).map_err(ModelError::Write)?;
        self.out.flush().map_err(ModelError::Write)?;
        Ok(self.out)
    }

    fn raw(&mut self, text: &str) -> Result<(), ModelError> {
        self.buffer.extend_from_slice(text.as_bytes());
        self.flush_if_full()
    }

    fn json<T: Serialize + ?Sized>(&mut self, lead: &str, value: &T) -> Result<(), ModelError> {
        push_lead(&mut self.buffer, lead, value)
    }

    #[inline]
    fn flush_if_full(&mut self) -> Result<(), ModelError> {
        if self.buffer.len() >= BUFFER {
            self.out.write_all(&self.buffer).map_err(ModelError::Write)?;
            self.buffer.clear();
        }
        Ok(())
    }
}

fn push_json<T: Serialize + ?Sized>(buffer: &mut Vec<u8>, value: &T) -> Result<(), ModelError> {
    serde_json::to_writer(buffer, value).map_err(|error| ModelError::Unwritable(error.to_string()))
}

/// What leads to a value, then the value.
fn push_lead<T: Serialize + ?Sized>(buffer: &mut Vec<u8>, lead: &str, value: &T) -> Result<(), ModelError> {
    buffer.extend_from_slice(lead.as_bytes());
    push_json(buffer, value)
}

/// A whole number in decimal digits.
fn push_number(buffer: &mut Vec<u8>, mut number: u32) {
    let mut digits = [0; 10];
    let mut start = digits.len();
    for place in digits.iter_mut().rev() {
        *place = b'0' + (number % 10) as u8;
        number /= 10;
        start -= 1;
        if number == 0 {
            break;
        }
    }
    buffer.extend_from_slice(digits.get(start..).unwrap_or_default());
}

/// The target values: numbers, or each different value as it is written once.
#[derive(Debug, Default)]
struct Targets {
    numbers: Vec<f64>,
    /// Per row, its place in `written`.
    codes: Vec<u32>,
    written: Vec<Arc<[u8]>>,
    known: HashMap<Arc<[u8]>, u32>,
}

impl Targets {
    fn len(&self) -> usize {
        // A model of whole numbers may begin with numbers that are none: these come first.
        self.numbers.len() + self.codes.len()
    }

    /// Adds a row's, and writes it.
    fn push(&mut self, target: &Label, out: &mut Vec<u8>) -> Result<(), ModelError> {
        let start = out.len();
        push_json(out, target)?;
        if let Label::Number(value) = target
            && self.codes.is_empty()
        {
            self.numbers.push(*value);
            return Ok(());
        }
        let target = out.get(start..).unwrap_or_default();
        let code = match self.known.get(target) {
            Some(code) => *code,
            None => {
                // As many as rows at most, which a u32 counts.
                #[allow(clippy::cast_possible_truncation)]
                let code = self.written.len() as u32;
                let target: Arc<[u8]> = target.into();
                self.known.insert(Arc::clone(&target), code);
                self.written.push(target);
                code
            }
        };
        self.codes.push(code);
        Ok(())
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) -> Result<(), ModelError> {
        let number = self.numbers.get(row);
        if let Some(number) = number {
            return push_json(out, number);
        }
        let code = row.checked_sub(self.numbers.len()).and_then(|row| self.codes.get(row));
        if let Some(written) = code.and_then(|code| self.written.get(*code as usize)) {
            out.extend_from_slice(written);
        }
        Ok(())
    }
}

fn fits(kind: FeatureKind, cell: &Value<'_>) -> bool {
    match cell {
        Value::Missing => true,
        Value::Number(x) => kind == FeatureKind::Number && x.is_finite(),
        Value::Text(_) => kind == FeatureKind::Text,
    }
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

#[derive(Serialize)]
#[serde(untagged)]
enum DataType {
    Target(TargetKind),
    Feature(FeatureKind),
}
