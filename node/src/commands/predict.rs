//! `predict`: the rows of a CSV file, one line each.

use std::io::{BufWriter, Write};

use anyhow::Result;
use serde_json::{Map, Value, json};
use snake::{Label, Model, Prediction, Predictor, TargetKind};

use crate::cli::{OutputFormat, PredictArgs};
use crate::model_rows::{for_each_part, read_model};
use crate::timings::Timings;

pub(crate) fn run(args: &PredictArgs) -> Result<()> {
    let mut timings = Timings::start();
    let model = timings.time("reading_model", || read_model(&args.model))?;
    let predictor = timings.time("compiling", || Predictor::new(&model))?;
    let mut predicted = 0u64;
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let mut printer = Printer::new(&model, predictor.classes(), args.format);
    printer.head(&mut out)?;
    for_each_part(&model, &args.csv, &|_| true, &mut |rows| {
        let predictions = timings.time("predicting", || predictor.predict(&rows.batch));
        for (ordinal, prediction) in rows.ordinals.iter().zip(predictions) {
            predicted += 1;
            printer.line(&mut out, *ordinal, &prediction)?;
        }
        Ok(())
    })?;
    out.flush()?;
    if args.timings {
        timings.note_peak_memory("peak_memory");
        timings.note("rows", predicted);
        eprintln!("{}", timings.line());
    }
    Ok(())
}

/// Writes predictions as they are to be read: probabilities for classes, an estimate with its candle for numbers.
struct Printer<'m> {
    classes: &'m [Label],
    keys: Vec<String>,
    number: bool,
    format: OutputFormat,
}

impl<'m> Printer<'m> {
    fn new(model: &Model, classes: &'m [Label], format: OutputFormat) -> Self {
        let number = model.head.target_kind == TargetKind::Number;
        Self { classes, keys: classes.iter().map(class_text).collect(), number, format }
    }

    fn head(&self, out: &mut dyn Write) -> Result<()> {
        if self.format == OutputFormat::Csv {
            let mut columns = vec!["row".to_owned(), "prediction".to_owned()];
            if self.number {
                columns
                    .extend(["mode", "low", "q1", "median", "q3", "high", "mean", "std"].map(str::to_owned));
            } else {
                columns.extend(self.keys.iter().map(|key| format!("probability {key}")));
            }
            columns.push("votes".to_owned());
            writeln!(out, "{}", columns.iter().map(|c| csv_cell(c)).collect::<Vec<_>>().join(","))?;
        }
        Ok(())
    }

    fn line(&mut self, out: &mut dyn Write, row: u64, prediction: &Prediction) -> Result<()> {
        let mode = self.classes.get(prediction.class as usize).map_or(Value::Null, label_json);
        match (self.format, self.number) {
            (OutputFormat::Json, false) => {
                let probability: Map<String, Value> =
                    self.keys.iter().cloned().zip(self.shares(prediction).map(Value::from)).collect();
                let line = json!({
                    "row": row, "prediction": mode, "probability": probability, "votes": prediction.total
                });
                writeln!(out, "{line}")?;
            }
            (OutputFormat::Json, true) => {
                let candle = prediction.candle.map(|c| {
                    json!({ "n": c.n, "low": c.low, "q1": c.q1, "median": c.median, "q3": c.q3, "high": c.high,
                            "mean": c.mean, "std": c.std, "iqr_mean": c.iqr_mean })
                });
                // Without votes there is neither an estimate nor a most probable value to speak of.
                let mode = if prediction.total == 0 { Value::Null } else { mode };
                let line = json!({ "row": row, "prediction": prediction.estimate(), "mode": mode,
                    "candle": candle, "votes": prediction.total });
                writeln!(out, "{line}")?;
            }
            (OutputFormat::Csv, number) => {
                let mut cells = vec![row.to_string()];
                if number {
                    let text = |value: Option<f64>| value.map(|v| v.to_string()).unwrap_or_default();
                    let candle = prediction.candle;
                    cells.push(text(prediction.estimate()));
                    cells.push(if prediction.total == 0 { String::new() } else { plain(&mode) });
                    let values =
                        candle.map(|c| [c.low, c.q1, c.median, c.q3, c.high, c.mean, c.std].map(Some));
                    cells.extend(values.unwrap_or([None; 7]).map(text));
                } else {
                    cells.push(plain(&mode));
                    cells.extend(self.shares(prediction).map(|share| share.to_string()));
                }
                cells.push(prediction.total.to_string());
                writeln!(out, "{}", cells.iter().map(|c| csv_cell(c)).collect::<Vec<_>>().join(","))?;
            }
        }
        Ok(())
    }

    fn shares<'p>(&'p self, prediction: &'p Prediction) -> impl Iterator<Item = f64> + 'p {
        let classes = self.classes.len();
        (0u32..).take(classes).map(move |class| prediction.probability(class, classes))
    }
}

/// A class as the key of an object.
pub(crate) fn class_text(label: &Label) -> String {
    plain(&label_json(label))
}

fn label_json(label: &Label) -> Value {
    serde_json::to_value(label).unwrap_or_default()
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// RFC 4180: quoted where it has to be.
fn csv_cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
