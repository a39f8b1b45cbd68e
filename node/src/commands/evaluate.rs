//! `evaluate`: how good a model is on rows whose truth is known.

use std::path::Path;

use anyhow::{Context, Result};
use protocol::Manifest;
use serde_json::{Map, Value, json};
use snake::{
    CALIBRATION_BINS, CalibrationBin, ClassMetrics, ClassScorer, Confusion, Label, Model, NumberMetrics,
    NumberScorer, Predictor, TargetKind, disturbs,
};
use spec::{Holdout, OnError, RecordSource, TableSource};

use crate::cli::EvaluateArgs;
use crate::commands::predict::class_text;
use crate::exit::Usage;
use crate::files;
use crate::model_rows::{for_each_part, read_model};
use crate::outln;

pub(crate) fn run(args: &EvaluateArgs) -> Result<()> {
    let model = read_model(&args.model)?;
    let held_out = args.held_out.as_deref().map(held_out).transpose()?;
    let on_error = held_out.as_ref().map_or(OnError::Refuse, |held_out| held_out.on_error);
    let rows = TableSource::of_files(vec![args.csv.clone()], on_error);
    let figures = evaluate(&model, &rows, held_out.as_ref())?;
    if args.json {
        outln!("{}", Value::Object(figures.json()))?;
        return Ok(());
    }
    for (name, value) in figures.summary() {
        match value.as_f64().filter(|_| !value.is_u64()) {
            Some(number) => outln!("{name:<18} {number:.4}")?,
            None => outln!("{name:<18} {value}")?,
        }
    }
    if let Figures::Classes(figures, classes) = &figures {
        let strangers: u64 = figures.confusion.iter().filter(|c| c.truth.is_none()).map(|c| c.rows).sum();
        if strangers > 0 {
            tracing::warn!(
                "{strangers} of {} rows have a class that the model has never seen: are the labels written as in training?",
                figures.rows
            );
        }
        print_confusion(&figures.confusion, classes)?;
        print_calibration(&figures.calibration)?;
    }
    Ok(())
}

/// The figures of a model on rows whose truth is known.
pub(crate) enum Figures {
    /// Of classes, with these.
    Classes(ClassMetrics, Vec<Label>),
    /// Of a number to be estimated.
    Number(NumberMetrics),
}

impl Figures {
    /// Those that are one number each, by name.
    pub(crate) fn summary(&self) -> Map<String, Value> {
        let pairs = match self {
            Self::Classes(figures, _) => vec![
                ("rows", json!(figures.rows)),
                ("rows_without_votes", json!(figures.rows_without_votes)),
                ("accuracy", json!(figures.accuracy)),
                ("auroc", json!(figures.auroc)),
                ("log_loss", json!(figures.log_loss)),
                ("brier", json!(figures.brier)),
            ],
            Self::Number(figures) => vec![
                ("rows", json!(figures.rows)),
                ("rows_without_votes", json!(figures.rows_without_votes)),
                ("r2", json!(figures.r2)),
                ("rmse", json!(figures.rmse)),
                ("mae", json!(figures.mae)),
            ],
        };
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// All of them.
    fn json(&self) -> Map<String, Value> {
        let mut map = self.summary();
        if let Self::Classes(figures, classes) = self {
            let confusion = figures.confusion.iter().map(|cell| {
                let truth = cell.truth.and_then(|class| classes.get(class as usize));
                let predicted = classes.get(cell.predicted as usize);
                json!({ "truth": truth, "predicted": predicted, "rows": cell.rows })
            });
            map.insert("confusion".into(), confusion.collect());
            let calibration = bounds(&figures.calibration).map(|(from, to, bin)| {
                let of_rows = |figure: f64| (bin.rows > 0).then_some(figure);
                json!({ "from": from, "to": to, "rows": bin.rows,
                    "mean_predicted": of_rows(bin.mean_predicted), "share_right": of_rows(bin.share_right) })
            });
            map.insert("calibration".into(), calibration.collect());
        }
        map
    }
}

/// The bins of the calibration table with where they begin and end.
#[allow(clippy::cast_precision_loss)]
fn bounds(bins: &[CalibrationBin]) -> impl Iterator<Item = (f64, f64, &CalibrationBin)> {
    let at = |place: usize| place as f64 / CALIBRATION_BINS as f64;
    bins.iter().enumerate().map(move |(place, bin)| (at(place), at(place + 1), bin))
}

/// Classes that a matrix is printed for; of more the commonest mistakes are listed.
const MATRIX_CLASSES: usize = 12;

fn print_confusion(cells: &[Confusion], classes: &[Label]) -> Result<()> {
    let name = |class: Option<u32>| match class.and_then(|class| classes.get(class as usize)) {
        Some(label) => short(&class_text(label)),
        None => "(not known)".to_owned(),
    };
    if classes.len() > MATRIX_CLASSES {
        let mut mistakes: Vec<&Confusion> =
            cells.iter().filter(|cell| cell.truth != Some(cell.predicted)).collect();
        mistakes.sort_by_key(|cell| std::cmp::Reverse(cell.rows));
        outln!(
            "\ncommonest mistakes{}",
            if mistakes.is_empty() { ": none" } else { " (truth, predicted, rows)" }
        )?;
        for cell in mistakes.iter().take(MATRIX_CLASSES) {
            outln!("{:>18} {:>18} {:>10}", name(cell.truth), name(Some(cell.predicted)), cell.rows)?;
        }
        return Ok(());
    }
    let known = (0u32..).take(classes.len());
    let columns: Vec<String> = known.clone().map(|class| format!("{:>10}", name(Some(class)))).collect();
    outln!("\n{:<18} {}", "truth \\ predicted", columns.join(" "))?;
    let unknown = cells.iter().any(|cell| cell.truth.is_none());
    for truth in known.clone().map(Some).chain(unknown.then_some(None)) {
        let rows = |class: u32| {
            let cell = cells.iter().find(|cell| (cell.truth, cell.predicted) == (truth, class));
            cell.map_or(0, |cell| cell.rows)
        };
        let counts: Vec<String> = known
            .clone()
            .zip(&columns)
            .map(|(class, column)| format!("{:>width$}", rows(class), width = column.chars().count()))
            .collect();
        outln!("{:<18} {}", name(truth), counts.join(" "))?;
    }
    Ok(())
}

fn print_calibration(bins: &[CalibrationBin]) -> Result<()> {
    outln!("\n{:<18} {:>10} {:>10} {:>10}", "probability", "rows", "mean", "right")?;
    for (from, to, bin) in bounds(bins).filter(|(_, _, bin)| bin.rows > 0) {
        let range = format!("{from:.1} to {to:.1}");
        outln!("{range:<18} {:>10} {:>10.4} {:>10.4}", bin.rows, bin.mean_predicted, bin.share_right)?;
    }
    Ok(())
}

/// A name that fits a column.
fn short(name: &str) -> String {
    const WIDTH: usize = 18;
    let name: String = name.chars().map(|c| if disturbs(c) { '?' } else { c }).collect();
    if name.chars().count() <= WIDTH {
        return name;
    }
    name.chars().take(WIDTH - 2).chain("..".chars()).collect()
}

/// Measures a model on a source's rows, all or only those held out. No row is kept.
pub(crate) fn evaluate(
    model: &Model,
    source: &dyn RecordSource,
    held_out: Option<&HeldOut>,
) -> Result<Figures> {
    let holdout = held_out.map(|held_out| Holdout::new(held_out.share, held_out.seed));
    let location = &source.location(0);
    // What the run left out for its target is left out here too.
    let lenient = held_out.is_some_and(|held_out| held_out.on_error == OnError::Skip);
    let predictor = Predictor::new(model)?;
    let classes = predictor.classes();
    let wanted = |ordinal| holdout.as_ref().is_none_or(|holdout| holdout.holds_out(ordinal));
    if model.head.target_kind == TargetKind::Number {
        let mut scorer = NumberScorer::new();
        for_each_part(model, source, &wanted, &mut |rows| {
            let targets = targets(rows.targets.as_deref(), model, location)?;
            // Votes of numbers are many, and only the estimate is asked for.
            let estimates = predictor.predict_each(&rows.batch, |_, prediction| prediction.estimate());
            for ((target, ordinal), estimate) in targets.iter().zip(&rows.ordinals).zip(estimates) {
                match target.trim().parse().ok().filter(|v: &f64| v.is_finite()) {
                    Some(value) => scorer.add(value, estimate),
                    None if lenient => {}
                    None => anyhow::bail!("{location}: row {ordinal}: the target {target:?} is not a number"),
                }
            }
            Ok(())
        })?;
        return Ok(Figures::Number(scorer.finish().with_context(|| no_rows(location))?));
    }
    let mut scorer = ClassScorer::new(classes.len());
    for_each_part(model, source, &wanted, &mut |rows| {
        let targets = targets(rows.targets.as_deref(), model, location)?;
        for (target, prediction) in targets.iter().zip(predictor.predict(&rows.batch)) {
            if lenient && target.is_empty() {
                continue;
            }
            scorer.add(class_of(target, model.head.target_kind, classes), &prediction);
        }
        Ok(())
    })?;
    let figures = scorer.finish().with_context(|| no_rows(location))?;
    Ok(Figures::Classes(figures, classes.to_vec()))
}

fn no_rows(location: &str) -> String {
    format!("{location}: has no rows to evaluate on, or none with a vote")
}

fn targets<'t>(targets: Option<&'t [String]>, model: &Model, location: &str) -> Result<&'t [String]> {
    targets.with_context(|| {
        format!(
            "{location}: has no column {:?}, the model's target, to compare with; `predict` does without",
            model.head.target
        )
    })
}

/// The position of a cell's class; `None` for one that the model doesn't know.
fn class_of(cell: &str, kind: TargetKind, classes: &[Label]) -> Option<u32> {
    let label = match (kind, cell.trim()) {
        (TargetKind::Binary, "True" | "true") => Some(Label::Integer(1)),
        (TargetKind::Binary, "False" | "false") => Some(Label::Integer(0)),
        (TargetKind::Binary | TargetKind::Integer, number) => number.parse().ok().map(Label::Integer),
        // A text may stand there without the quotes of JSON.
        (TargetKind::Json, _) => {
            Some(Label::Json(serde_json::from_str(cell).unwrap_or_else(|_| Value::from(cell))))
        }
        _ => Some(Label::Text(cell.to_owned())),
    };
    let place = label.and_then(|label| classes.binary_search_by(|class| class.class_order(&label)).ok());
    place.and_then(|place| u32::try_from(place).ok())
}

/// What a run holds out of its source.
pub(crate) struct HeldOut {
    /// The share.
    pub(crate) share: f64,
    /// The seed of the choice.
    pub(crate) seed: u64,
    /// What becomes of malformed rows.
    pub(crate) on_error: OnError,
}

/// What a run file or a manifest says of it.
pub(crate) fn held_out(path: &Path) -> Result<HeldOut> {
    let bytes = files::read_small(path, 1 << 20)?;
    if let Ok(manifest) = Manifest::open(&bytes) {
        let (spec, on_error) = (manifest.spec(), manifest.body().source.on_error);
        return Ok(HeldOut { share: spec.holdout, seed: spec.training.seed, on_error });
    }
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Err(Usage(format!("{}: is neither a run file nor a manifest", path.display())).into());
    };
    let run = spec::RunFile::parse(text).with_context(|| path.display().to_string())?;
    let settings = run.settings;
    Ok(HeldOut { share: settings.holdout, seed: settings.training.seed, on_error: settings.source.on_error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_find_their_classes() {
        let json = |texts: &[&str]| -> Vec<Label> {
            let mut classes: Vec<Label> =
                texts.iter().map(|text| Label::Json(serde_json::from_str(text).unwrap())).collect();
            classes.sort_by(Label::class_order);
            classes
        };
        let classes = json(&[r#""red""#, "3", "true", r#"{"a":1,"b":2}"#]);
        for (cell, class) in [
            ("red", r#""red""#),
            (r#""red""#, r#""red""#),
            ("3", "3"),
            ("true", "true"),
            (r#"{ "b": 2, "a": 1 }"#, r#"{"a":1,"b":2}"#),
        ] {
            let found = class_of(cell, TargetKind::Json, &classes);
            assert_eq!(classes.get(found.unwrap() as usize), json(&[class]).first(), "{cell}");
        }
        assert_eq!(class_of("blue", TargetKind::Json, &classes), None);
        let binary = [Label::Integer(0), Label::Integer(1)];
        for (cell, class) in [("1", Some(1)), ("True", Some(1)), ("false", Some(0)), ("2", None), ("", None)]
        {
            assert_eq!(class_of(cell, TargetKind::Binary, &binary), class, "{cell}");
        }
    }
}
