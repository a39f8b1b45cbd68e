//! From records to typed cells under a schema.

use snake::{Cell, FeatureKind, Label, Schema, TargetKind, TargetValue};

use crate::check::MAX_INTEGER;
use crate::columns::Columns;
use crate::error::{HeaderError, RowError};
use crate::number::{integer, number};
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
            line: record.place.line,
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

    /// Appends the record's features to `cells`, in schema order, and gives its target.
    pub(crate) fn convert<'r>(
        &self,
        record: &'r Record,
        cells: &mut Vec<Cell<'r>>,
    ) -> Result<TargetValue, Misfit> {
        let text = |position: usize| record.cells.get(position).map_or("", String::as_str);
        for (feature, &position) in self.schema.features.iter().zip(&self.columns.features) {
            let value = text(position);
            cells.push(match feature.kind {
                FeatureKind::Text => Cell::Text(value),
                FeatureKind::Number if value.is_empty() => Cell::Number(0.0),
                FeatureKind::Number => match number(value) {
                    Some(value) => Cell::Number(value),
                    None => {
                        let reason = format!("is not a finite decimal number, as the schema says: {REMEDY}");
                        return Err(Misfit::new(&feature.name, value, reason));
                    }
                },
            });
        }
        let value = text(self.columns.target);
        target_value(self.schema, value).ok_or_else(|| {
            let what =
                if self.schema.target_kind == TargetKind::Number { "number" } else { "class of the schema" };
            Misfit::new(&self.schema.target, value, format!("is no {what}: {REMEDY}"))
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
