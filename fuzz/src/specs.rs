//! A spec as CBOR: what passes the check can be used for everything that a spec is used for.

use snake::{Cancel, Cell, FeatureKind, Label, TargetKind};
use spec::{
    DataSpec, Format, OnError, PublicSource, Router, VecSource, check_shards, materialise, verify_routing,
};

/// A spec.
pub fn spec(bytes: &[u8]) {
    let Ok(spec) = serde_cbor::from_slice::<DataSpec>(bytes) else { return };
    let again = serde_cbor::to_vec(&spec).unwrap();
    // A kind of router that is not known is read, but its settings are not kept.
    if !matches!(spec.routing, spec::Routing::Unknown) {
        assert_eq!(serde_cbor::from_slice::<DataSpec>(&again).unwrap(), spec);
    }
    checked(&spec);
}

/// A spec that may be anything.
pub fn checked(spec: &DataSpec) {
    let router = Router::new(&spec.routing, &spec.schema);
    if let Err(error) = spec.check() {
        assert!(!error.to_string().is_empty());
        return;
    }
    spec.fingerprint().unwrap();
    let mut router = router.unwrap();
    assert_eq!(
        spec.routed_schema().features.len(),
        spec.schema.features.len() + usize::from(spec.has_path_feature())
    );
    assert!(spec.path_literal(spec.paths() - 1).is_some() == spec.has_path_feature());

    let numbers = [0.0, -1.5, 1e300, f64::MIN_POSITIVE, -1e308];
    let texts = ["", "a", "Two words, one comma", "\u{fffd}\u{1f40d} 0"];
    for round in 0..texts.len() {
        let cell = |(column, kind): (usize, FeatureKind)| match kind {
            FeatureKind::Number => Cell::Number(numbers[(column + round) % numbers.len()]),
            FeatureKind::Text => Cell::Text(texts[(column + round) % texts.len()]),
        };
        let kinds = spec.schema.features.iter().map(|feature| feature.kind);
        let cells: Vec<Cell<'_>> = kinds.enumerate().map(cell).collect();
        let path = router.route(round as u64, &cells);
        assert!(path < spec.paths());
        assert_eq!(router.clone().route(round as u64, &cells), path);
    }
    over_rows(spec);
}

/// Its shards over rows that fit its schema. They are hardly what it says, which is an error and no more.
fn over_rows(spec: &DataSpec) {
    if spec.schema.features.len() > 64 || spec.paths() > 64 {
        return;
    }
    let mut header: Vec<String> = spec.schema.features.iter().map(|feature| feature.name.clone()).collect();
    header.push(spec.schema.target.clone());
    let rows = (0..12).map(|row| {
        let mut cells: Vec<String> =
            (0..spec.schema.features.len()).map(|column| ((row * 7 + column) % 5).to_string()).collect();
        let class = spec.schema.classes.get(row % spec.schema.classes.len().max(1));
        cells.push(match class {
            Some(Label::Text(text)) => text.clone(),
            Some(Label::Integer(value)) => value.to_string(),
            _ => row.to_string(),
        });
        cells
    });
    let source = VecSource::new("rows", header, rows.collect());
    let description = PublicSource {
        format: Format::Csv,
        locations: vec!["rows".into()],
        mirrors: vec![],
        target: spec.schema.target.clone(),
        target_type: None,
        exclude: vec![],
        on_error: OnError::Refuse,
    };
    let paths: Vec<u32> = (0..spec.paths()).collect();
    let tables = materialise(spec, &description, &source, &paths, &Cancel::new());
    let found = check_shards(spec, &description, &source, &mut |_| {});
    if spec.schema.target_kind != TargetKind::Number {
        let found = found.unwrap();
        if found.whole && !found.is_same() {
            assert!(tables.is_err(), "shards that are not what the spec says");
        }
    }
    verify_routing(spec, &description, &source).unwrap();
}
