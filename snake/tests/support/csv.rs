//! Reads a CSV file into a table, plainly: the last column is the target, its labels are classes.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use snake::{Cell, Feature, FeatureKind, Label, Schema, Table, TableBuilder, TargetKind, TargetValue};

/// A file's rows as text.
#[derive(Debug)]
pub(crate) struct Data {
    pub(crate) names: Vec<String>,
    pub(crate) kinds: Vec<FeatureKind>,
    pub(crate) rows: Vec<Vec<String>>,
    pub(crate) targets: Vec<String>,
    /// Distinct targets, sorted.
    pub(crate) labels: Vec<String>,
    /// The rows that are no duplicate of an earlier one in all features.
    pub(crate) kept: BTreeSet<usize>,
}

/// Reads a file, unpacked if its name ends in `.gz`.
///
/// # Errors
/// When it can't be read.
pub(crate) fn read(path: &Path) -> Result<Data, Box<dyn Error>> {
    let file = File::open(path)?;
    let reader: Box<dyn Read> = if path.extension().is_some_and(|extension| extension == "gz") {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    let mut reader = csv::Reader::from_reader(reader);
    let mut names: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    names.pop();
    let (mut rows, mut targets) = (Vec::new(), Vec::new());
    for record in reader.records() {
        let mut cells: Vec<String> = record?.iter().map(str::to_owned).collect();
        let target = cells.pop().unwrap_or_default();
        targets.push(target.strip_suffix('.').unwrap_or(&target).to_owned());
        rows.push(cells);
    }
    let numeric = |column: usize| {
        rows.iter().all(|row| row[column].is_empty() || row[column].parse::<f64>().is_ok_and(f64::is_finite))
    };
    let kinds = (0..names.len())
        .map(|column| if numeric(column) { FeatureKind::Number } else { FeatureKind::Text })
        .collect();
    let labels = targets.iter().collect::<BTreeSet<_>>().into_iter().cloned().collect();
    let mut seen = BTreeMap::new();
    let kept = rows
        .iter()
        .enumerate()
        .filter_map(|(index, row)| seen.insert(row.clone(), index).is_none().then_some(index))
        .collect();
    Ok(Data { names, kinds, rows, targets, labels, kept })
}

impl Data {
    /// The row as cells of this file's columns.
    pub(crate) fn cells<'a>(&self, row: &'a [String]) -> Vec<Cell<'a>> {
        row.iter()
            .zip(&self.kinds)
            .map(|(text, kind)| match kind {
                FeatureKind::Number => Cell::Number(text.parse().unwrap_or(0.0)),
                FeatureKind::Text => Cell::Text(text),
            })
            .collect()
    }

    /// The class of a row.
    pub(crate) fn class(&self, ordinal: u64) -> usize {
        let target = usize::try_from(ordinal).ok().and_then(|index| self.targets.get(index));
        self.labels.iter().position(|label| Some(label) == target).unwrap_or(0)
    }

    /// The kept rows as a table, and how many were dropped.
    pub(crate) fn table(&self) -> (Table, usize) {
        let features = self
            .names
            .iter()
            .zip(&self.kinds)
            .map(|(name, &kind)| Feature { name: name.clone(), kind })
            .collect();
        let schema = Schema {
            target: "target".to_owned(),
            target_kind: TargetKind::Text,
            classes: self.labels.iter().cloned().map(Label::Text).collect(),
            features,
        };
        let mut builder = TableBuilder::new(Arc::new(schema));
        for &index in &self.kept {
            let ordinal = index as u64;
            let class = TargetValue::Class(u32::try_from(self.class(ordinal)).unwrap_or(0));
            if let Err(error) = builder.push(ordinal, &self.cells(&self.rows[index]), class) {
                println!("left out: {error}");
            }
        }
        (builder.finish(), self.rows.len() - self.kept.len())
    }
}
