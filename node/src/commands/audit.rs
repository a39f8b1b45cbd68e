//! `audit`: why rows are predicted as they are.

mod json;
mod row;
mod text;

pub(crate) use text::plain;

use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;
use snake::{
    Audit, AuditVote, Label, LayerAudit, Model, Prediction, Predictor, RowBatch, RowBatchBuilder, TargetKind,
    Value,
};
use spec::{OnError, TableSource};

use crate::cli::AuditArgs;
use crate::model_rows::{for_each_part_until, read_model_with_rows};

/// Rows whose lookalikes are held at a time: there may be thousands a row.
const ROWS_AT_A_TIME: usize = 16;

pub(crate) fn run(args: &AuditArgs) -> Result<()> {
    let model = read_model_with_rows(&args.model)?;
    let predictor = Predictor::new(&model)?;
    let shown = Shown::new(args);
    let out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let mut printer = Printer { model: &model, classes: predictor.classes(), shown, json: args.json, out };
    if let Some(row) = &args.row {
        printer.rows(&predictor, &row::of_json(&model, row)?, &[0])?;
    }
    if let Some(csv) = &args.csv {
        csv_rows(args, &model, &predictor, csv, &mut printer)?;
    }
    Ok(printer.out.flush()?)
}

fn csv_rows(
    args: &AuditArgs,
    model: &Model,
    predictor: &Predictor<'_>,
    csv: &Path,
    printer: &mut Printer<'_, impl Write>,
) -> Result<()> {
    let (from, to) = args.rows.map_or((0, u64::MAX), |rows| (rows.from, rows.to));
    let mut any = false;
    let rows = TableSource::of_files(vec![csv.to_owned()], OnError::Refuse);
    for_each_part_until(model, &rows, &|ordinal| ordinal >= from, to, &mut |rows| {
        any = true;
        let places: Vec<usize> = (0..rows.batch.rows()).collect();
        for (places, ordinals) in places.chunks(ROWS_AT_A_TIME).zip(rows.ordinals.chunks(ROWS_AT_A_TIME)) {
            printer.rows(predictor, &some_rows(model, &rows.batch, places)?, ordinals)?;
        }
        Ok(())
    })?;
    anyhow::ensure!(
        any || from == 0,
        "{}: has no row {from}; rows are counted from 0, without the header",
        csv.display()
    );
    Ok(())
}

fn some_rows(model: &Model, batch: &RowBatch, places: &[usize]) -> Result<RowBatch> {
    let mut builder = RowBatchBuilder::new(&model.head.features);
    for place in places {
        let values: Vec<Value<'_>> = (0..batch.width()).map(|feature| batch.value(feature, *place)).collect();
        builder.push(&values)?;
    }
    Ok(builder.take())
}

/// How much of an explanation is shown.
#[derive(Debug, Clone, Copy)]
struct Shown {
    /// Rules per layer.
    rules: usize,
    /// Training rows per rule.
    lookalikes: usize,
    /// Values of the row, or of a training row where no rule says which matter; parts of the AND of the buckets skipped.
    values: usize,
    /// Values of a training row, beside those that the rule is about.
    training_values: usize,
}

impl Shown {
    fn new(args: &AuditArgs) -> Self {
        let unless_all = |few: usize| if args.all || args.json { usize::MAX } else { few };
        Self {
            rules: args.rules.unwrap_or(unless_all(5)),
            lookalikes: args.lookalikes.unwrap_or(unless_all(3)),
            values: unless_all(8),
            training_values: unless_all(0),
        }
    }
}

/// Prints audits as text or as JSON.
struct Printer<'m, W> {
    model: &'m Model,
    classes: &'m [Label],
    shown: Shown,
    json: bool,
    out: W,
}

impl<W: Write> Printer<'_, W> {
    fn rows(&mut self, predictor: &Predictor<'_>, rows: &RowBatch, ordinals: &[u64]) -> Result<()> {
        let predictions = predictor.predict_with_lookalikes(rows);
        for (place, (prediction, ordinal)) in predictions.iter().zip(ordinals).enumerate() {
            let audit = Audit::new(self.model, rows, place, prediction);
            let audited = Audited { row: *ordinal, rows, place, prediction, audit: &audit };
            if self.json {
                let (model, classes, shown) = (self.model, self.classes, self.shown);
                let object = json::RowObject { model, classes, shown, audited: &audited };
                serde_json::to_writer(&mut self.out, &object).map_err(std::io::Error::from)?;
                writeln!(self.out)?;
            } else {
                self.text(&audited)?;
            }
        }
        Ok(())
    }

    fn estimates_a_number(&self) -> bool {
        self.model.head.target_kind == TargetKind::Number
    }
}

/// A row with its prediction and its explanation.
struct Audited<'a> {
    /// Its position in the file.
    row: u64,
    /// The batch and the row's place in it.
    rows: &'a RowBatch,
    place: usize,
    prediction: &'a Prediction<'a>,
    audit: &'a Audit,
}

/// The votes under a rule; of a model of classes, those for one class.
struct Group<'a> {
    /// The place of the rule in the layer.
    rule: usize,
    votes: Vec<&'a AuditVote>,
}

/// A layer's votes by rule and class (numbers to be estimated: by rule), those with most votes first.
fn groups<'a>(layer: &'a LayerAudit, model: &Model) -> Vec<Group<'a>> {
    let by_class = model.head.target_kind != TargetKind::Number;
    let target = |vote: &AuditVote| model.targets.get(vote.row as usize);
    let mut of_rule: Vec<Vec<Group<'a>>> = layer.rules.iter().map(|_| Vec::new()).collect();
    for vote in &layer.votes {
        let Some(groups) = of_rule.get_mut(vote.rule as usize) else { continue };
        let same = groups.iter_mut().find(|group| {
            !by_class || group.votes.first().is_some_and(|first| target(first) == target(vote))
        });
        match same {
            Some(group) => group.votes.push(vote),
            None => groups.push(Group { rule: vote.rule as usize, votes: vec![vote] }),
        }
    }
    let mut groups: Vec<Group<'a>> = of_rule.into_iter().flatten().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.votes.len()));
    groups
}
