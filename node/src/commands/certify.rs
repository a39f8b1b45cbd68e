//! `certify`: every promise of a model, checked against the rows it was trained on.

use anyhow::{Context, Result};
use rayon::prelude::*;
use serde_json::{Value, json};
use snake::{Breach, Label, Literal, Model, ModelError, Survey, Test, TextTest, survey_layer};
use spec::PATH_FEATURE;

use crate::cli::CertifyArgs;
use crate::commands::audit::plain;
use crate::commands::evaluate::held_out;
use crate::commands::predict::class_text;
use crate::exit::Refused;
use crate::model_ground::{Ground, ground, round_robin_paths};
use crate::{model_file, outln};

/// Breaches that are named of a layer; one is enough to refuse it.
const NAMED: usize = 20;

pub(crate) fn run(args: &CertifyArgs) -> Result<()> {
    let holdout =
        args.held_out.as_deref().map(|path| held_out(path).map(|held_out| held_out.share)).transpose()?;
    let mut apart: Vec<(usize, Label)> = Vec::new();
    let mut differs = |row: usize, target: &Label| apart.push((row, target.clone()));
    let mut model = match model_file::read_for_survey(&args.model, &mut differs) {
        Ok(model) => model,
        Err(error @ (ModelError::Head { .. } | ModelError::Bucket { .. })) => {
            return contradiction(args, &error.to_string());
        }
        Err(error) => return Err(error).with_context(|| args.model.display().to_string()),
    };
    let head = head(&model);
    let mut ground = match ground(&mut model, &args.data, holdout) {
        Ok(ground) => ground,
        Err(error) if error.is::<Refused>() => return contradiction(args, &error.to_string()),
        Err(error) => return Err(error),
    };
    for (row, target) in &apart {
        let text = |label: Option<&Label>| plain(&label.map(class_text).unwrap_or_default());
        let (has, expected) = (text(Some(target)), text(model.targets.get(*row)));
        ground.misfit(Some(*row as u64), || {
            format!("row {row} has the target {has}, \"targets\" says {expected}")
        });
    }
    let known = model.population.rows() == model.targets.len();
    let layers = if known { layers(&model, &ground)? } else { Vec::new() };
    let breaches: usize = layers.iter().map(|layer| layer.breaches.len()).sum();
    let sound = known && head.is_empty() && ground.misfit_count == 0 && breaches == 0;
    if args.json {
        outln!("{}", as_json(&model, &ground, &head, &layers, sound))?;
    } else {
        print(&model, &ground, &head, &layers)?;
        if sound {
            outln!("certified")?;
        }
    }
    if sound {
        return Ok(());
    }
    let broken = layers.iter().filter(|layer| !layer.breaches.is_empty()).count();
    let mut why = Vec::new();
    if broken > 0 {
        why.push(format!("{broken} of {} layers break the model format's promises", layers.len()));
    }
    if ground.misfit_count > 0 {
        let places = if ground.misfit_count == 1 { "place" } else { "places" };
        why.push(format!("the model and its rows differ in {} {places}", ground.misfit_count));
    }
    why.extend(head);
    Err(Refused(format!("{}: not certified: {}", args.model.display(), why.join("; "))).into())
}

/// A document that contradicts itself, so that nothing more can be said of it.
fn contradiction(args: &CertifyArgs, what: &str) -> Result<()> {
    if args.json {
        outln!("{}", json!({ "certified": false, "model": [what], "layers": [] }))?;
    }
    Err(Refused(format!("{}: not certified: {what}", args.model.display())).into())
}

/// What the model says of itself and does not keep.
fn head(model: &Model) -> Vec<String> {
    let mut wrong = Vec::new();
    if model.head.stripped && model.population.rows() > 0 {
        wrong.push("it says that it is stripped, and has rows".to_owned());
    }
    let layers = model.layers.len() as u64;
    if layers == 0 {
        wrong.push("it has no layer".to_owned());
    }
    let said = model.head.config.get("n_layers").and_then(Value::as_u64);
    if let Some(said) = said.filter(|said| *said != layers) {
        wrong.push(format!("it has {layers} layers and says that it has {said}"));
    }
    let ours = model.head.opendipaco.as_ref();
    let trained = ours.and_then(|ours| ours.get("training")?.get("layers")?.as_u64());
    let trained = trained.map(|layers| layers.saturating_mul(u64::from(round_robin_paths(model))));
    if let Some(trained) = trained.filter(|trained| *trained != layers) {
        wrong.push(format!("it has {layers} layers, its run trained {trained}"));
    }
    wrong
}

/// Looks at every layer, on all cores.
fn layers(model: &Model, ground: &Ground) -> Result<Vec<Survey>> {
    let round_robin = round_robin_paths(model).max(1) as usize;
    let all: Vec<u32> = (0..).take(model.targets.len()).collect();
    let paths = path_literals(model);
    let rows_of = |layer: usize| -> Vec<u32> {
        let path = layer % round_robin;
        let of = |row: &u32| ground.paths.get(*row as usize).is_none_or(|p| *p as usize == path);
        all.iter().copied().filter(of).collect()
    };
    let survey =
        |layer: usize| -> Result<Survey> { Ok(survey_layer(model, layer, &rows_of(layer), &paths, NAMED)?) };
    (0..model.layers.len()).into_par_iter().map(survey).collect()
}

/// What every path's conditions begin with, where the model has `__path`.
fn path_literals(model: &Model) -> Vec<Literal> {
    let Some(feature) = model.head.features.iter().position(|feature| feature.name == PATH_FEATURE) else {
        return Vec::new();
    };
    let ours = model.head.opendipaco.as_ref();
    let paths = ours.and_then(|ours| ours.get("paths")).and_then(Value::as_array).map_or(0, Vec::len);
    let literal = |path: usize| Literal {
        column: u32::try_from(feature + 1).unwrap_or(u32::MAX),
        negated: false,
        test: Test::Text(TextTest::Equals, path.to_string().into()),
    };
    (0..paths).map(literal).collect()
}

fn print(model: &Model, ground: &Ground, head: &[String], layers: &[Survey]) -> Result<()> {
    outln!("rows        {}: {}", model.targets.len(), ground.how)?;
    for (_, what) in &ground.misfits {
        outln!("  {what}")?;
    }
    let unnamed = ground.misfit_count.saturating_sub(ground.misfits.len() as u64);
    if unnamed > 0 {
        outln!("  and {unnamed} more")?;
    }
    for what in head {
        outln!("model       {what}")?;
    }
    for (number, layer) in layers.iter().enumerate() {
        if layer.breaches.is_empty() {
            let c = layer.certificate;
            outln!(
                "layer {number:<5} sound: {} buckets, {} core members, {} noise, {} clauses",
                c.buckets,
                c.core,
                c.noise,
                c.clauses
            )?;
            continue;
        }
        outln!("layer {number:<5} broken")?;
        for breach in &layer.breaches {
            match ordinal(ground, breach) {
                Some(ordinal) => outln!("  {breach}; that is row {ordinal} of the data")?,
                None => outln!("  {breach}")?,
            }
        }
        if layer.breaches.len() == NAMED {
            outln!("  and perhaps more")?;
        }
    }
    Ok(())
}

/// The breach's row in the data, where that is known and another number.
fn ordinal(ground: &Ground, breach: &Breach) -> Option<u64> {
    let row = breach.row()?;
    let found = ground.census.as_ref()?.iter().nth(usize::try_from(row).ok()?)?.0;
    (found != row).then_some(found)
}

fn as_json(model: &Model, ground: &Ground, head: &[String], layers: &[Survey], sound: bool) -> Value {
    let breach = |breach: &Breach| {
        json!({ "invariant": breach.invariant(), "bucket": breach.bucket(), "clause": breach.clause(),
            "row": breach.row(), "data_row": ordinal(ground, breach).or(ground.census.as_ref().and(breach.row())),
            "what": breach.to_string() })
    };
    let layers: Vec<Value> = layers
        .iter()
        .map(|layer| {
            let c = layer.certificate;
            json!({ "sound": layer.breaches.is_empty(), "buckets": c.buckets, "core": c.core, "noise": c.noise,
                "clauses": c.clauses, "breaches": layer.breaches.iter().map(breach).collect::<Vec<_>>() })
        })
        .collect();
    let misfits: Vec<Value> =
        ground.misfits.iter().map(|(row, what)| json!({ "row": row, "what": what })).collect();
    json!({
        "certified": sound,
        "rows": model.targets.len(),
        "matched": ground.how,
        "data_rows": ground.read,
        "misfits": ground.misfit_count,
        "misfits_named": misfits,
        "model": head,
        "layers": layers,
    })
}
