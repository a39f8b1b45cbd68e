//! From records to typed cells under a schema.

use snake::{Cell, FeatureKind, Label, Schema, TargetKind, TargetValue};

use crate::check::MAX_INTEGER;
use crate::columns::Columns;
use crate::error::{HeaderError, RowError};
use crate::number::{integer, number};
use crate::record::RawCell;
use crate::run::PublicSource;
use crate::source::{Record, RecordSource};

/// Turns the records of one source into cells of a schema. An empty cell is 0.0 in a number column and "" in a text
/// column; negative zero is zero.
#[derive(Debug)]
pub(crate) struct Converter<'s> {
    schema: &'s Schema,
    columns: Columns,
}

/// A value that does not fit, before it is said where.
#[derive(Debug)]
pub(crate) struct Misfit {
    column: String,
    value: String,
    reason: String,
}

impl Misfit {
    /// `value` is shortened.
    pub(crate) fn new(column: &str, value: &str, reason: impl Into<String>) -> Self {
        let mut short: String = value.chars().take(60).collect();
        if short.len() < value.len() {
            short.push_str("..");
        }
        Self { column: column.to_owned(), value: short, reason: reason.into() }
    }

    pub(crate) fn at(self, record: &Record, source: &dyn RecordSource) -> RowError {
        RowError {
            location: source.location(record.place.part),
            at: record.place.at,
            column: self.column,
            value: self.value,
            reason: self.reason,
        }
    }
}

const REMEDY: &str = "use the source the run was published from, or publish it again";

impl<'s> Converter<'s> {
    pub(crate) fn new(
        header: &[String],
        schema: &'s Schema,
        description: &PublicSource,
    ) -> Result<Self, HeaderError> {
        Ok(Self { schema, columns: Columns::of_schema(header, schema, description)? })
    }

    /// The columns that are looked at.
    pub(crate) fn columns(&self) -> Vec<usize> {
        self.columns.features.iter().copied().chain([self.columns.target]).collect()
    }

    /// Gives texts to the columns that hold texts, where a format had numbers. Comes before [`convert`](Self::convert).
    pub(crate) fn spell(&self, record: &mut Record) {
        for (feature, &position) in self.schema.features.iter().zip(&self.columns.features) {
            if feature.kind == FeatureKind::Text {
                record.spell(position);
            }
        }
        if self.schema.target_kind != TargetKind::Number {
            record.spell(self.columns.target);
        }
    }

    /// Appends the record's features to `cells`, in schema order, and gives its target.
    pub(crate) fn convert<'r>(
        &self,
        record: &'r Record,
        cells: &mut Vec<Cell<'r>>,
    ) -> Result<TargetValue, Misfit> {
        for (feature, &position) in self.schema.features.iter().zip(&self.columns.features) {
            cells.push(match (feature.kind, record.cell(position)) {
                (FeatureKind::Text, RawCell::Text(text)) => Cell::Text(text),
                (FeatureKind::Number, RawCell::Number(value)) => Cell::Number(value),
                (FeatureKind::Number, RawCell::Text("")) => Cell::Number(0.0),
                (FeatureKind::Number, RawCell::Text(text)) => match number(text) {
                    Some(value) => Cell::Number(value),
                    None => {
                        let reason = format!("is not a finite decimal number, as the schema says: {REMEDY}");
                        return Err(Misfit::new(&feature.name, text, reason));
                    }
                },
                // Spelled before.
                (FeatureKind::Text, RawCell::Number(_)) => Cell::Text(""),
            });
        }
        let value = record.cell(self.columns.target);
        let target = match (self.schema.target_kind, value) {
            (TargetKind::Number, RawCell::Number(value)) => Some(TargetValue::Number(value)),
            (_, value) => target_value(self.schema, &value.text()),
        };
        target.ok_or_else(|| {
            let what =
                if self.schema.target_kind == TargetKind::Number { "number" } else { "class of the schema" };
            Misfit::new(&self.schema.target, &value.text(), format!("is no {what}: {REMEDY}"))
        })
    }
}

/// What a target cell says under a schema.
fn target_value(schema: &Schema, text: &str) -> Option<TargetValue> {
    let position = match schema.target_kind {
        TargetKind::Number => return number(text).map(TargetValue::Number),
        TargetKind::Binary => {
            let value = match text {
                "0" | "False" => 0,
                "1" | "True" => 1,
                _ => return None,
            };
            position_of(&schema.classes, &Label::Integer(value))
        }
        TargetKind::Integer => position_of(&schema.classes, &Label::Integer(integer(text, MAX_INTEGER)?)),
        TargetKind::Text => schema
            .classes
            .binary_search_by(|class| match class {
                Label::Text(class) => class.as_str().cmp(text),
                _ => std::cmp::Ordering::Less,
            })
            .ok(),
        TargetKind::Json => None,
    };
    position.and_then(|position| u32::try_from(position).ok()).map(TargetValue::Class)
}

fn position_of(classes: &[Label], label: &Label) -> Option<usize> {
    classes.binary_search_by(|class| class.class_order(label)).ok()
}
