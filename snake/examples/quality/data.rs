//! A data set for measuring: rows to train on and rows to ask, read from CSV files.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;
use snake::{
    Cell, Feature, FeatureKind, Label, Profile, RowBatch, RowBatchBuilder, Schema, Table, TableBuilder,
    TargetKind, TargetValue, TextStatistics, Value,
};

/// A data set.
pub(crate) struct Data {
    pub(crate) train: Arc<Table>,
    pub(crate) profile: Profile,
    pub(crate) classes: usize,
    pub(crate) test: RowBatch,
    /// Per row of `test` its class; `classes` where training has none of its label.
    pub(crate) truth: Vec<u32>,
}

/// A row's features and its label.
type Row = (Vec<String>, String);

/// Loads `TRAIN[,TEST]:TARGET`. Without a test file a fifth of the rows is held out, drawn by their positions alone.
/// At most `most` rows are used of a file that is split.
///
/// # Errors
/// When a file can't be read or has no column of the target's name.
pub(crate) fn load(name: &str, most: usize) -> Result<Data, Box<dyn Error>> {
    let (files, target) = name.rsplit_once(':').ok_or("a data set is given as TRAIN[,TEST]:TARGET")?;
    let (names, train, test) = match files.split_once(',') {
        Some((train, test)) => {
            let (names, rows) = read(train, target)?;
            (names, rows, read(test, target)?.1)
        }
        None => {
            let (names, rows) = read(files, target)?;
            let (train, test) = split(rows, most);
            (names, train, test)
        }
    };
    let kinds: Vec<FeatureKind> =
        (0..names.len()).map(|column| kind(train.iter().chain(&test), column)).collect();
    let labels: BTreeSet<&str> = train.iter().map(|row| row.1.as_str()).collect();
    let class: BTreeMap<&str, u32> = labels.iter().copied().zip(0..).collect();
    let schema = Schema {
        target: target.to_owned(),
        target_kind: TargetKind::Text,
        classes: labels.iter().map(|label| Label::Text((*label).to_owned())).collect(),
        features: names.into_iter().zip(&kinds).map(|(name, &kind)| Feature { name, kind }).collect(),
    };
    let classes = schema.classes.len();
    let mut asked = RowBatchBuilder::new(&schema.features);
    for (row, _) in &test {
        let row: Vec<Value<'_>> = row.iter().zip(&kinds).map(|(text, kind)| value(text, *kind)).collect();
        asked.push(&row)?;
    }
    let unknown = u32::try_from(classes)?;
    let truth = test.iter().map(|row| class.get(row.1.as_str()).copied().unwrap_or(unknown)).collect();
    let (table, profile) = table(schema, &train, &kinds, &class)?;
    Ok(Data { train: Arc::new(table), profile, classes, test: asked.take(), truth })
}

fn read(path: &str, target: &str) -> Result<(Vec<String>, Vec<Row>), Box<dyn Error>> {
    let file = File::open(path).map_err(|error| format!("{path}: {error}"))?;
    let reader: Box<dyn Read> =
        if path.ends_with(".gz") { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut reader = csv::Reader::from_reader(reader);
    let mut names: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    let at = names
        .iter()
        .position(|name| name == target)
        .ok_or_else(|| format!("{path} has no column {target:?}"))?;
    names.remove(at);
    let mut rows = Vec::new();
    for record in reader.records() {
        let mut cells: Vec<String> = record?.iter().map(str::to_owned).collect();
        let label = cells.remove(at);
        // The test part of Adult has labels with a full stop.
        rows.push((cells, label.strip_suffix('.').unwrap_or(&label).to_owned()));
    }
    Ok((names, rows))
}

/// Four fifths to train on, in their order, and a fifth to ask.
fn split(rows: Vec<Row>, most: usize) -> (Vec<Row>, Vec<Row>) {
    let mut order: Vec<(usize, Row)> = rows.into_iter().enumerate().collect();
    order.sort_by_key(|(position, _)| shuffled(*position as u64));
    order.truncate(most);
    let mut train = order.split_off(order.len() / 5);
    train.sort_by_key(|(position, _)| *position);
    let rows = |part: Vec<(usize, Row)>| part.into_iter().map(|(_, row)| row).collect();
    (rows(train), rows(order))
}

/// The finaliser of the SplitMix64 generator.
fn shuffled(position: u64) -> u64 {
    let mut x = position.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn kind<'a>(mut rows: impl Iterator<Item = &'a Row>, column: usize) -> FeatureKind {
    let number = |text: &str| text.is_empty() || text.parse::<f64>().is_ok_and(f64::is_finite);
    if rows.all(|row| number(&row.0[column])) { FeatureKind::Number } else { FeatureKind::Text }
}

fn value(text: &str, kind: FeatureKind) -> Value<'_> {
    match kind {
        FeatureKind::Number => Value::Number(text.parse().unwrap_or(0.0)),
        FeatureKind::Text => Value::Text(text),
    }
}

/// The rows that are no duplicate of an earlier one in all features, and the profile that `auto` chooses for them.
fn table(
    schema: Schema,
    rows: &[Row],
    kinds: &[FeatureKind],
    class: &BTreeMap<&str, u32>,
) -> Result<(Table, Profile), Box<dyn Error>> {
    let schema = Arc::new(schema);
    let mut builder = TableBuilder::new(Arc::clone(&schema));
    let mut seen = BTreeSet::new();
    let mut statistics = TextStatistics::new();
    for (ordinal, (row, label)) in (0_u64..).zip(rows) {
        if !seen.insert(row) {
            continue;
        }
        let mut cells = Vec::with_capacity(row.len());
        for (text, kind) in row.iter().zip(kinds) {
            cells.push(match kind {
                FeatureKind::Number => Cell::Number(text.parse().unwrap_or(0.0)),
                FeatureKind::Text => {
                    statistics.push(text);
                    Cell::Text(text)
                }
            });
        }
        let code = class.get(label.as_str()).copied().unwrap_or_default();
        builder.push(ordinal, &cells, TargetValue::Class(code))?;
    }
    Ok((builder.finish(), Profile::choose(&schema, &[statistics])))
}
