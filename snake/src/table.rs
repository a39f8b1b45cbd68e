//! Rows as columns: numbers as floats, texts as codes into a dictionary.

use std::collections::HashMap;
use std::sync::Arc;

use crate::schema::{FeatureKind, Schema};

mod whole_columns;

pub use whole_columns::ColumnsError;

/// One feature column of a [`Table`].
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// One float per row, finite, never negative zero.
    Number(Vec<f64>),
    /// One code per row and the text each code stands for.
    Text(TextColumn),
}

/// A text column, each distinct text stored once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TextColumn {
    /// Per row, its position in `dictionary`.
    pub codes: Vec<u32>,
    /// The distinct texts in the order in which they first occur.
    pub dictionary: Vec<Box<str>>,
}

/// The target of every row.
#[derive(Debug, Clone, PartialEq)]
pub enum TargetColumn {
    /// Per row, the position of its class in [`Schema::classes`].
    Class(Vec<u32>),
    /// Per row, the number to be estimated.
    Number(Vec<f64>),
}

/// A value of a feature, on its way into a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    /// A finite number.
    Number(f64),
    /// A text.
    Text(&'a str),
}

/// A target value, on its way into a table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TargetValue {
    /// The position of the class in [`Schema::classes`].
    Class(u32),
    /// A finite number.
    Number(f64),
}

/// A shard's rows, ready for training: columns of equal length, rows by ascending ordinal.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    schema: Arc<Schema>,
    ordinals: Vec<u64>,
    columns: Vec<Column>,
    target: TargetColumn,
}

impl Table {
    /// The columns' names and kinds.
    #[must_use]
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// How many rows there are.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.ordinals.len()
    }

    /// Every row's ordinal in the source, ascending.
    #[must_use]
    pub fn ordinals(&self) -> &[u64] {
        &self.ordinals
    }

    /// The feature columns in schema order.
    #[must_use]
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The target of every row.
    #[must_use]
    pub fn target(&self) -> &TargetColumn {
        &self.target
    }

    /// The same without the columns of numbers, which are then empty.
    pub(crate) fn without_numbers(mut self) -> Self {
        for column in &mut self.columns {
            if let Column::Number(values) = column {
                *values = Vec::new();
            }
        }
        self
    }

    /// Roughly how many bytes the table takes in memory.
    #[must_use]
    pub fn memory(&self) -> usize {
        let columns: usize = self
            .columns
            .iter()
            .map(|column| match column {
                Column::Number(values) => values.len() * 8,
                Column::Text(text) => {
                    text.codes.len() * 4 + text.dictionary.iter().map(|t| t.len() + 16).sum::<usize>()
                }
            })
            .sum();
        columns + self.rows() * 16
    }
}

/// Why a row could not be added to a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// The row has another number of cells than the schema has features.
    #[error("row {ordinal} has {found} cells, the schema has {expected} features")]
    Width {
        /// The row.
        ordinal: u64,
        /// How many cells came.
        found: usize,
        /// How many the schema has.
        expected: usize,
    },
    /// A cell or the target is not of its column's kind, is not finite, or names no class of the schema.
    #[error("row {ordinal}: the value of column {column:?} does not fit its kind in the schema")]
    Kind {
        /// The row.
        ordinal: u64,
        /// The column.
        column: String,
    },
    /// Rows must come by ascending ordinal.
    #[error("row {ordinal} came after row {previous}: rows are added by ascending ordinal")]
    Order {
        /// The row.
        ordinal: u64,
        /// The one before it.
        previous: u64,
    },
    /// A table holds at most `u32::MAX` rows.
    #[error("a table holds at most 4,294,967,295 rows: use more paths")]
    TooManyRows,
}

/// Collects rows into a [`Table`].
#[derive(Debug)]
pub struct TableBuilder {
    table: Table,
    lookup: Vec<HashMap<Box<str>, u32>>,
    /// What a row takes without its texts, and what the texts take.
    row: usize,
    texts: usize,
}

impl TableBuilder {
    /// An empty table of this schema.
    #[must_use]
    pub fn new(schema: Arc<Schema>) -> Self {
        let columns: Vec<Column> = schema
            .features
            .iter()
            .map(|feature| match feature.kind {
                FeatureKind::Number => Column::Number(Vec::new()),
                FeatureKind::Text => Column::Text(TextColumn::default()),
            })
            .collect();
        let target = if schema.target_kind == crate::schema::TargetKind::Number {
            TargetColumn::Number(Vec::new())
        } else {
            TargetColumn::Class(Vec::new())
        };
        let lookup = columns.iter().map(|_| HashMap::new()).collect();
        let row = 16
            + columns
                .iter()
                .map(|column| if matches!(column, Column::Text(_)) { 4 } else { 8 })
                .sum::<usize>();
        let table = Table { schema, ordinals: Vec::new(), columns, target };
        Self { table, lookup, row, texts: 0 }
    }

    /// Adds a row. Negative zero becomes zero.
    ///
    /// # Errors
    /// [`TableError`] when the row does not fit the schema or comes out of order; the table is then unchanged.
    pub fn push(&mut self, ordinal: u64, cells: &[Cell<'_>], target: TargetValue) -> Result<(), TableError> {
        self.check(ordinal, cells, target)?;
        for ((column, cell), lookup) in self.table.columns.iter_mut().zip(cells).zip(&mut self.lookup) {
            match (column, cell) {
                (Column::Number(values), Cell::Number(value)) => values.push(*value + 0.0),
                (Column::Text(text), Cell::Text(value)) => {
                    let code = match lookup.get(*value) {
                        Some(code) => *code,
                        None => {
                            #[allow(clippy::cast_possible_truncation)]
                            let code = text.dictionary.len() as u32;
                            text.dictionary.push((*value).into());
                            lookup.insert((*value).into(), code);
                            // Here and in the lookup, with their places.
                            self.texts += 2 * value.len() + 48;
                            code
                        }
                    };
                    text.codes.push(code);
                }
                _ => {}
            }
        }
        match (&mut self.table.target, target) {
            (TargetColumn::Class(codes), TargetValue::Class(code)) => codes.push(code),
            (TargetColumn::Number(values), TargetValue::Number(value)) => values.push(value + 0.0),
            _ => {}
        }
        self.table.ordinals.push(ordinal);
        Ok(())
    }

    fn check(&self, ordinal: u64, cells: &[Cell<'_>], target: TargetValue) -> Result<(), TableError> {
        let schema = &self.table.schema;
        if self.table.rows() >= u32::MAX as usize {
            return Err(TableError::TooManyRows);
        }
        if let Some(&previous) = self.table.ordinals.last()
            && previous >= ordinal
        {
            return Err(TableError::Order { ordinal, previous });
        }
        if cells.len() != schema.features.len() {
            return Err(TableError::Width { ordinal, found: cells.len(), expected: schema.features.len() });
        }
        for (feature, cell) in schema.features.iter().zip(cells) {
            let fits = match (feature.kind, cell) {
                (FeatureKind::Number, Cell::Number(value)) => value.is_finite(),
                (FeatureKind::Text, Cell::Text(_)) => true,
                _ => false,
            };
            if !fits {
                return Err(TableError::Kind { ordinal, column: feature.name.clone() });
            }
        }
        let fits = match (&self.table.target, target) {
            (TargetColumn::Class(_), TargetValue::Class(code)) => (code as usize) < schema.classes.len(),
            (TargetColumn::Number(_), TargetValue::Number(value)) => value.is_finite(),
            _ => false,
        };
        if fits { Ok(()) } else { Err(TableError::Kind { ordinal, column: schema.target.clone() }) }
    }

    /// How many rows were added so far.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.table.rows()
    }

    /// Roughly how many bytes it takes in memory so far.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.table.rows().saturating_mul(self.row).saturating_add(self.texts)
    }

    /// The finished table.
    #[must_use]
    pub fn finish(self) -> Table {
        self.table
    }
}
