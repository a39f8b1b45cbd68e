//! Target values.

use std::io::Read;

use serde_json::Value as Json;

use super::MAX_ROW;
use crate::file::pieces::Pieces;
use crate::model::ModelError;
use crate::schema::{Label, TargetKind};

/// The target values, before it is known what they are to hold.
pub(super) fn targets<R: Read>(pieces: &mut Pieces<R>) -> Result<Vec<Label>, ModelError> {
    pieces.expect(b'[', "a list of target values")?;
    let mut targets = Vec::new();
    while pieces.more(targets.is_empty(), b']', "a comma or the end of the targets")? {
        targets.push(pieces.piece(MAX_ROW, |piece| piece.parse::<Json>().map(label))??);
    }
    targets.shrink_to_fit();
    Ok(targets)
}

/// A value as the plainest label that loses nothing of it.
pub(super) fn label(value: Json) -> Label {
    match value {
        Json::String(text) => Label::Text(text),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Label::Integer(whole),
            None if number.is_f64() => Label::Number(number.as_f64().unwrap_or(f64::NAN)),
            None => Label::Json(Json::Number(number)),
        },
        other => Label::Json(other),
    }
}

/// The target value of a row, under the kind of the target.
pub(super) fn target_value(kind: TargetKind, generic: Label, place: usize) -> Result<Label, ModelError> {
    let json = |label: Label| match label {
        Label::Integer(value) => Json::from(value),
        Label::Number(value) => Json::from(value),
        Label::Text(text) => Json::from(text),
        Label::Json(value) => value,
    };
    let label = match (kind, generic) {
        (TargetKind::Json, label) => Ok(Label::Json(json(label))),
        (TargetKind::Text, label @ Label::Text(_)) => Ok(label),
        #[allow(clippy::cast_precision_loss)]
        (TargetKind::Number, Label::Integer(value)) => Ok(Label::Number(value as f64)),
        (TargetKind::Number, Label::Number(value)) if value.is_finite() => Ok(Label::Number(value)),
        (TargetKind::Binary | TargetKind::Integer, label @ Label::Integer(_)) => Ok(label),
        (TargetKind::Binary | TargetKind::Integer, Label::Number(value)) if value.is_finite() => {
            Ok(whole_or_number(value))
        }
        (TargetKind::Binary | TargetKind::Integer, Label::Json(Json::Bool(flag))) => {
            Ok(Label::Integer(i64::from(flag)))
        }
        // Whole numbers from 2^63 on.
        (_, Label::Json(Json::Number(number))) => match (kind, number.as_f64()) {
            (TargetKind::Number, Some(value)) => Ok(Label::Number(value)),
            (TargetKind::Binary | TargetKind::Integer, Some(value)) => Ok(whole_or_number(value)),
            _ => Err(Label::Json(Json::Number(number))),
        },
        (_, other) => Err(other),
    };
    label.map_err(|other| ModelError::Head {
        part: "targets",
        what: format!("target value {place} is {}, which does not fit the target's datatype", json(other)),
    })
}

/// 3 for 3.0.
fn whole_or_number(x: f64) -> Label {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[allow(clippy::cast_possible_truncation)]
    if x.abs() <= EXACT && x.fract() == 0.0 { Label::Integer(x as i64) } else { Label::Number(x) }
}
