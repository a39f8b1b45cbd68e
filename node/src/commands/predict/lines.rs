//! Predictions as they are to be read: probabilities for classes, an estimate with its candle for numbers.

use std::io::Write;

use anyhow::Result;
use serde_json::{Map, Value};
use snake::{Label, Model, Prediction, TargetKind};

use crate::cli::OutputFormat;

/// Writes a line per prediction.
pub(super) struct Lines<'m> {
    classes: &'m [Label],
    /// Of class models, for JSON: what comes before a class's probability, and the class.
    probabilities: Vec<(String, u32)>,
    /// Whether the model estimates a number.
    number: bool,
    format: OutputFormat,
}

impl<'m> Lines<'m> {
    pub(super) fn new(model: &Model, classes: &'m [Label], format: OutputFormat) -> Self {
        let number = model.head.target_kind == TargetKind::Number;
        let probabilities = if number { Vec::new() } else { probabilities(classes) };
        Self { classes, probabilities, number, format }
    }

    /// What stands before all lines.
    pub(super) fn head(&self) -> String {
        if self.format == OutputFormat::Json {
            return String::new();
        }
        let mut columns = vec!["row".to_owned(), "prediction".to_owned()];
        if self.number {
            columns.extend(["mode", "low", "q1", "median", "q3", "high", "mean", "std"].map(str::to_owned));
        } else {
            columns.extend(self.classes.iter().map(|class| format!("probability {}", class_text(class))));
        }
        columns.push("votes".to_owned());
        columns.iter().map(|column| csv_cell(column)).collect::<Vec<_>>().join(",") + "\n"
    }

    pub(super) fn line(&self, out: &mut Vec<u8>, row: u64, prediction: &Prediction<'_>) -> Result<()> {
        match self.format {
            OutputFormat::Json => self.json(out, row, prediction),
            OutputFormat::Csv => self.csv(out, row, prediction),
        }
    }

    fn json(&self, out: &mut Vec<u8>, row: u64, prediction: &Prediction<'_>) -> Result<()> {
        write!(out, r#"{{"row":{row},"prediction":"#)?;
        if self.number {
            serde_json::to_writer(&mut *out, &prediction.estimate())?;
            // Without votes there is neither an estimate nor a most probable value to speak of.
            out.extend_from_slice(br#","mode":"#);
            serde_json::to_writer(&mut *out, &self.mode(prediction).filter(|_| prediction.total > 0))?;
            match &prediction.candle {
                None => out.extend_from_slice(br#","candle":null"#),
                Some(c) => {
                    write!(out, r#","candle":{{"n":{}"#, c.n)?;
                    for (name, value) in [
                        ("low", c.low),
                        ("q1", c.q1),
                        ("median", c.median),
                        ("q3", c.q3),
                        ("high", c.high),
                        ("mean", c.mean),
                        ("std", c.std),
                        ("iqr_mean", c.iqr_mean),
                    ] {
                        write!(out, r#","{name}":"#)?;
                        serde_json::to_writer(&mut *out, &value)?;
                    }
                    out.push(b'}');
                }
            }
        } else {
            serde_json::to_writer(&mut *out, &self.mode(prediction))?;
            out.extend_from_slice(br#","probability":{"#);
            for (before, class) in &self.probabilities {
                out.extend_from_slice(before.as_bytes());
                serde_json::to_writer(&mut *out, &prediction.probability(*class, self.classes.len()))?;
            }
            out.push(b'}');
        }
        writeln!(out, r#","votes":{}}}"#, prediction.total)?;
        Ok(())
    }

    fn csv(&self, out: &mut Vec<u8>, row: u64, prediction: &Prediction<'_>) -> Result<()> {
        write!(out, "{row},")?;
        let mode = self.mode(prediction).map_or_else(|| "null".to_owned(), class_text);
        if self.number {
            let text = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
            write!(out, "{},", text(prediction.estimate()))?;
            let mode = if prediction.total == 0 { "" } else { &mode };
            write!(out, "{}", csv_cell(mode))?;
            let values =
                prediction.candle.map(|c| [c.low, c.q1, c.median, c.q3, c.high, c.mean, c.std].map(Some));
            for value in values.unwrap_or([None; 7]) {
                write!(out, ",{}", text(value))?;
            }
        } else {
            write!(out, "{}", csv_cell(&mode))?;
            for class in (0_u32..).take(self.classes.len()) {
                write!(out, ",{}", prediction.probability(class, self.classes.len()))?;
            }
        }
        writeln!(out, ",{}", prediction.total)?;
        Ok(())
    }

    fn mode(&self, prediction: &Prediction<'_>) -> Option<&'m Label> {
        self.classes.get(prediction.class as usize)
    }
}

/// What stands before each probability in the object of them. Classes of the same name, which only targets of any JSON can
/// have, are one key with the last one's probability.
fn probabilities(classes: &[Label]) -> Vec<(String, u32)> {
    let keys: Map<String, Value> = (0_u32..).zip(classes).map(|(i, c)| (class_text(c), i.into())).collect();
    let mut comma = "";
    keys.iter()
        .map(|(key, class)| {
            let before = format!("{}{}:", std::mem::replace(&mut comma, ","), Value::from(key.as_str()));
            (before, class.as_u64().and_then(|class| u32::try_from(class).ok()).unwrap_or(0))
        })
        .collect()
}

/// A class as the key of an object.
pub(crate) fn class_text(label: &Label) -> String {
    match serde_json::to_value(label).unwrap_or_default() {
        Value::String(text) => text,
        value => value.to_string(),
    }
}

/// RFC 4180: quoted where it has to be.
fn csv_cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use snake::Predictor;

    fn lines(model: &str, format: OutputFormat) -> (String, String) {
        let model = Model::read(model.as_bytes()).unwrap();
        let predictor = Predictor::new(&model).unwrap();
        let lines = Lines::new(&model, predictor.classes(), format);
        let mut rows = snake::RowBatchBuilder::new(&model.head.features);
        rows.push(&[snake::Value::Number(2.0)]).unwrap();
        rows.push(&[snake::Value::Missing]).unwrap();
        let mut out = Vec::new();
        for (row, prediction) in (7..).zip(predictor.predict(&rows.take())) {
            lines.line(&mut out, row, &prediction).unwrap();
        }
        (lines.head(), String::from_utf8(out).unwrap())
    }

    fn model(kind: &str, targets: &str) -> String {
        format!(
            r#"{{"header": ["y", "x"], "target": "y", "datatypes": ["{kind}", "N"], "population": [],
                "stripped": true, "targets": [{targets}], "layers": [[
                {{"condition": [[1, 5.0, false, "N"]], "members": [0, 1], "clauses": [],
                  "lookalikes": {{"0": [[]], "1": [[]]}}}},
                {{"condition": null, "members": [], "clauses": [], "lookalikes": {{}}}}]]}}"#
        )
    }

    #[test]
    fn classes() {
        let file = model("T", r#""a,\"b", "c""#);
        let (head, out) = lines(&file, OutputFormat::Json);
        assert_eq!(head, "");
        assert_eq!(
            out,
            r#"{"row":7,"prediction":"a,\"b","probability":{"a,\"b":0.5,"c":0.5},"votes":2}
{"row":8,"prediction":"a,\"b","probability":{"a,\"b":0.5,"c":0.5},"votes":0}
"#
        );
        let (head, out) = lines(&file, OutputFormat::Csv);
        assert_eq!(head, "row,prediction,\"probability a,\"\"b\",probability c,votes\n");
        assert_eq!(out, "7,\"a,\"\"b\",0.5,0.5,2\n8,\"a,\"\"b\",0.5,0.5,0\n");
    }

    #[test]
    fn classes_of_one_name_are_one_key() {
        let (_, out) = lines(&model("J", r#"3, "3""#), OutputFormat::Json);
        let line: Value = serde_json::from_str(out.lines().next().unwrap()).unwrap();
        assert_eq!(line["probability"], serde_json::json!({"3": 0.5}));
        assert_eq!(out.matches(r#""3":"#).count(), 2, "{out}");
    }

    #[test]
    fn numbers() {
        let file = model("N", "1.0, 2.0");
        let (_, out) = lines(&file, OutputFormat::Json);
        assert_eq!(
            out,
            r#"{"row":7,"prediction":1.5,"mode":1.0,"candle":{"n":2,"low":1.0,"q1":1.25,"median":1.5,"q3":1.75,"high":2.0,"mean":1.5,"std":0.5,"iqr_mean":1.5},"votes":2}
{"row":8,"prediction":null,"mode":null,"candle":null,"votes":0}
"#
        );
        let (head, out) = lines(&file, OutputFormat::Csv);
        assert_eq!(head, "row,prediction,mode,low,q1,median,q3,high,mean,std,votes\n");
        assert_eq!(out, "7,1.5,1.0,1,1.25,1.5,1.75,2,1.5,0.5,2\n8,,,,,,,,,,0\n");
    }
}
