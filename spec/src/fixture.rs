//! What the unit tests share.

use crate::run::{Format, OnError, PublicSource};

/// A source description with nothing special about it.
pub(crate) fn description(target: &str) -> PublicSource {
    PublicSource {
        format: Format::Csv,
        locations: vec!["rows.csv".into()],
        mirrors: vec![],
        target: target.into(),
        target_type: None,
        exclude: vec![],
        on_error: OnError::Refuse,
    }
}
