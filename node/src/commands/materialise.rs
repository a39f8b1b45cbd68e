//! `materialise`: the shard of one path as CSV.

use std::io::Write;

use anyhow::{Context, Result};
use snake::{Cancel, Column, Table, TargetColumn};
use spec::materialise;

use crate::cli::MaterialiseArgs;
use crate::commands::predict::class_text;
use crate::commands::train::spinner;
use crate::csv_rows::{CsvRows, number_text};
use crate::exit::Usage;
use crate::manifest_source::{open_manifest, refusal, source_as_typed};
use crate::outln;
use crate::{files, packed_file};

/// The column of `--ordinals`. A run file has to exclude it.
const ORDINAL: &str = "__ordinal";

pub(crate) fn run(args: &MaterialiseArgs) -> Result<()> {
    files::check_place(&args.out)?;
    let manifest = open_manifest(&args.manifest)?;
    let spec = manifest.spec();
    if args.path >= spec.paths() {
        let last = spec.paths().saturating_sub(1);
        return Err(Usage(format!("--path {}: the run has the paths 0 to {last}", args.path)).into());
    }
    let source = source_as_typed(&manifest, &args.source)?;
    let progress = spinner();
    progress.set_message(format!("reading the shard of path {}", args.path));
    let made = materialise(spec, &manifest.body().source, source.as_ref(), &[args.path], &Cancel::new());
    progress.finish_and_clear();
    // Row count and hash are those that were signed: it would be an error otherwise.
    let table = made.map_err(refusal)?.pop().context("no shard came out")?;
    packed_file::write(&args.out, |out| write(&table, args.ordinals, out))?;
    outln!("{}: path {}, {} rows, as they were signed", args.out.display(), args.path, table.rows())?;
    Ok(())
}

/// The features in the schema's order, then the target.
fn write(table: &Table, ordinals: bool, out: &mut dyn Write) -> Result<()> {
    let schema = table.schema();
    let features = schema.features.iter().map(|feature| feature.name.as_str());
    let first = ordinals.then_some(ORDINAL).into_iter();
    let mut rows = CsvRows::new(out, first.chain(features).chain([schema.target.as_str()]))?;
    let classes: Vec<String> = schema.classes.iter().map(class_text).collect();
    let mut cells: Vec<String> = Vec::new();
    for (row, ordinal) in table.ordinals().iter().enumerate() {
        cells.clear();
        cells.extend(ordinals.then(|| ordinal.to_string()));
        for column in table.columns() {
            cells.push(
                match column {
                    Column::Number(values) => values.get(row).map(|value| number_text(*value)),
                    Column::Text(text) => {
                        let code = text.codes.get(row).and_then(|code| text.dictionary.get(*code as usize));
                        code.map(ToString::to_string)
                    }
                }
                .unwrap_or_default(),
            );
        }
        let target = match table.target() {
            TargetColumn::Class(of) => of.get(row).and_then(|class| classes.get(*class as usize)).cloned(),
            TargetColumn::Number(values) => values.get(row).map(|value| number_text(*value)),
        };
        cells.push(target.unwrap_or_default());
        rows.push(cells.iter().map(String::as_str))?;
    }
    rows.finish()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use snake::{Cell, Feature, FeatureKind, Label, Schema, TableBuilder, TargetKind, TargetValue};
    use spec::{OnError, Record, RecordSource, TableSource};

    use super::*;

    #[test]
    fn cells_come_back_as_they_were() {
        let feature = |name: &str, kind| Feature { name: name.into(), kind };
        let schema = Schema {
            target: "class, of all".into(),
            target_kind: TargetKind::Text,
            classes: vec![Label::Text("no \"no\"".into()), Label::Text("yes".into())],
            features: vec![feature("n", FeatureKind::Number), feature("a text", FeatureKind::Text)],
        };
        let rows = [
            (3, 0.1, "plain", 0),
            (7, -1e-300, "a,\"b\"\r\nc", 1),
            (8, 123_456_789.125, "", 1),
            (90, 5e-324, " x ", 0),
            (91, f64::MAX, "\u{feff}", 0),
        ];
        let mut builder = TableBuilder::new(Arc::new(schema));
        for (ordinal, number, text, class) in rows {
            let cells = [Cell::Number(number), Cell::Text(text)];
            builder.push(ordinal, &cells, TargetValue::Class(class)).unwrap();
        }
        let table = builder.finish();
        let folder = tempfile::tempdir().unwrap();
        for (name, ordinals) in [("s.csv", false), ("s.csv.gz", true)] {
            let path = folder.path().join(name);
            packed_file::write(&path, |out| write(&table, ordinals, out)).unwrap();
            assert_eq!(std::fs::read(&path).unwrap().starts_with(&[0x1f, 0x8b]), name.ends_with("gz"));
            let source = TableSource::of_files(vec![path], OnError::Refuse);
            let mut reader = source.open().unwrap();
            let skip = usize::from(ordinals);
            assert_eq!(reader.header()[skip..], ["n", "a text", "class, of all"]);
            let mut record = Record::default();
            for (ordinal, number, text, class) in rows {
                assert!(reader.next(&mut record).unwrap());
                let all: Vec<_> = record.cells().map(|cell| cell.text().into_owned()).collect();
                let cells = &all[skip..];
                assert_eq!(cells[0].parse::<f64>().unwrap().to_bits(), number.to_bits());
                assert_eq!(
                    (cells[1].as_str(), cells[2].as_str()),
                    (text, ["no \"no\"", "yes"][class as usize])
                );
                assert!(!ordinals || all[0] == ordinal.to_string());
            }
            assert!(!reader.next(&mut record).unwrap());
        }
    }
}
