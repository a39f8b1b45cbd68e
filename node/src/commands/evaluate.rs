//! `evaluate`: how good a model is on rows whose truth is known.

use std::path::Path;

use anyhow::{Context, Result};
use protocol::Manifest;
use serde_json::{Map, Value, json};
use snake::{Label, Model, Predictor, TargetKind, class_metrics, number_metrics};
use spec::Holdout;

use crate::cli::EvaluateArgs;
use crate::exit::Usage;
use crate::files;
use crate::model_rows::{for_each_part, read_model};
use crate::outln;

pub(crate) fn run(args: &EvaluateArgs) -> Result<()> {
    let model = read_model(&args.model)?;
    let holdout = args.held_out.as_deref().map(holdout_of).transpose()?;
    let figures = evaluate(&model, &args.csv, holdout.as_ref())?;
    if args.json {
        outln!("{}", Value::Object(figures))?;
        return Ok(());
    }
    for (name, value) in figures {
        match value.as_f64().filter(|_| !value.is_u64()) {
            Some(number) => outln!("{name:<10} {number:.4}")?,
            None => outln!("{name:<10} {value}")?,
        }
    }
    Ok(())
}

/// The figures of a model on a file's rows, all or only those held out: `rows`, and what applies of `accuracy`, `auroc`,
/// `log_loss`, `brier`, `r2`, `rmse`, `mae`.
pub(crate) fn evaluate(model: &Model, csv: &Path, holdout: Option<&Holdout>) -> Result<Map<String, Value>> {
    let predictor = Predictor::new(model)?;
    let classes = predictor.classes();
    let wanted = |ordinal| holdout.is_none_or(|holdout| holdout.holds_out(ordinal));
    if model.head.target_kind == TargetKind::Number {
        let (mut truth, mut estimates, mut without) = (Vec::new(), Vec::new(), 0u64);
        for_each_part(model, csv, &wanted, &mut |rows| {
            let targets = targets(rows.targets.as_deref(), model, csv)?;
            for ((target, ordinal), prediction) in
                targets.iter().zip(&rows.ordinals).zip(predictor.predict(&rows.batch))
            {
                let value: f64 =
                    target.trim().parse().ok().filter(|v: &f64| v.is_finite()).with_context(|| {
                        format!("{}: row {ordinal}: the target {target:?} is not a number", csv.display())
                    })?;
                match prediction.estimate() {
                    Some(estimate) => {
                        truth.push(value);
                        estimates.push(estimate);
                    }
                    None => without += 1,
                }
            }
            Ok(())
        })?;
        let figures = number_metrics(&truth, &estimates).with_context(|| no_rows(csv))?;
        let mut map = Map::new();
        map.insert("rows".into(), json!(figures.rows));
        if without > 0 {
            map.insert("rows_without_votes".into(), json!(without));
        }
        map.insert("r2".into(), json!(figures.r2));
        map.insert("rmse".into(), json!(figures.rmse));
        map.insert("mae".into(), json!(figures.mae));
        return Ok(map);
    }
    let (mut truth, mut shares) = (Vec::new(), Vec::new());
    for_each_part(model, csv, &wanted, &mut |rows| {
        let targets = targets(rows.targets.as_deref(), model, csv)?;
        for (target, prediction) in targets.iter().zip(predictor.predict(&rows.batch)) {
            truth.push(class_of(target, model.head.target_kind, classes));
            shares.extend(
                (0u32..).take(classes.len()).map(|class| prediction.probability(class, classes.len())),
            );
        }
        Ok(())
    })?;
    let figures = class_metrics(&truth, &shares, classes.len()).with_context(|| no_rows(csv))?;
    let mut map = Map::new();
    map.insert("rows".into(), json!(figures.rows));
    map.insert("accuracy".into(), json!(figures.accuracy));
    map.insert("auroc".into(), json!(figures.auroc));
    map.insert("log_loss".into(), json!(figures.log_loss));
    map.insert("brier".into(), json!(figures.brier));
    Ok(map)
}

fn no_rows(csv: &Path) -> String {
    format!("{}: has no rows to evaluate on", csv.display())
}

fn targets<'t>(targets: Option<&'t [String]>, model: &Model, csv: &Path) -> Result<&'t [String]> {
    targets.with_context(|| {
        format!(
            "{}: has no column {:?}, the model's target, to compare with; `predict` does without",
            csv.display(),
            model.head.target
        )
    })
}

/// The position of a cell's class; one that the model doesn't know is beyond all of them.
fn class_of(cell: &str, kind: TargetKind, classes: &[Label]) -> u32 {
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
    place.and_then(|place| u32::try_from(place).ok()).unwrap_or(u32::MAX)
}

/// What a run file or a manifest holds out.
pub(crate) fn holdout_of(path: &Path) -> Result<Holdout> {
    let bytes = files::read_small(path, 1 << 20)?;
    if let Ok(manifest) = Manifest::open(&bytes) {
        return Ok(Holdout::new(manifest.spec().holdout, manifest.spec().training.seed));
    }
    let Ok(text) = std::str::from_utf8(&bytes) else {
        return Err(Usage(format!("{}: is neither a run file nor a manifest", path.display())).into());
    };
    let run = spec::RunFile::parse(text).with_context(|| path.display().to_string())?;
    Ok(Holdout::new(run.settings.holdout, run.settings.training.seed))
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
            assert_eq!(classes.get(found as usize), json(&[class]).first(), "{cell}");
        }
        assert_eq!(class_of("blue", TargetKind::Json, &classes), u32::MAX);
        let binary = [Label::Integer(0), Label::Integer(1)];
        for (cell, class) in [("1", 1), ("True", 1), ("false", 0), ("2", u32::MAX), ("", u32::MAX)] {
            assert_eq!(class_of(cell, TargetKind::Binary, &binary), class, "{cell}");
        }
    }
}
