//! The schema of a source, from all of its rows.

use std::collections::BTreeSet;

use snake::{Feature, FeatureKind, Label, Profile, Schema, TargetKind, TextStatistics};

use crate::check::{MAX_CLASS_TEXT, MAX_CLASSES, MAX_INTEGER};
use crate::columns::Columns;
use crate::convert::Misfit;
use crate::error::HeaderError;
use crate::number::{all_digits, integer, number};
use crate::record::{RawCell, Record};
use crate::run::{PublicSource, TargetType};

/// `auto` looks at the texts of this many rows.
const PROFILE_ROWS: u64 = 10_000;
/// All classes together have at most this many bytes: they stand in the manifest.
const MAX_CLASS_BYTES: usize = 4 << 20;

/// A table that nothing can be learnt from as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum InferError {
    /// No rows at all.
    #[error("the source has no rows: check its locations, or whether every row was skipped")]
    Empty,
    /// There is nothing to tell apart.
    #[error("every row has the target {value:?}: there is nothing to learn, choose another target")]
    OneClass { value: String },
    /// Classes or a number?
    #[error(
        "the target {target:?} has {distinct} different whole numbers in {rows} rows: set `target_type = \"number\"` to \
         estimate it, or `target_type = \"class\"` to tell its values apart"
    )]
    Ambiguous { target: String, distinct: usize, rows: u64 },
    /// More classes than a spec may have.
    #[error(
        "the target {target:?} has more than {limit} classes, or classes of more text than a manifest holds: choose \
         another target, or `target_type = \"number\"` if it is one"
    )]
    TooManyClasses { target: String, limit: usize },
}

/// Learns a schema from records, in memory that does not grow with their number.
///
/// A feature is a number when every value that is not empty is a finite decimal number; one without any value is a
/// number too (0.0 in every row, which no literal can use).
#[derive(Debug)]
pub(crate) struct SchemaBuilder {
    columns: Columns,
    features: Vec<FeatureBuilder>,
    target: TargetBuilder,
    rows: u64,
}

#[derive(Debug)]
struct FeatureBuilder {
    name: String,
    number: bool,
    texts: TextStatistics,
}

impl SchemaBuilder {
    pub(crate) fn new(header: &[String], description: &PublicSource) -> Result<Self, HeaderError> {
        let columns = Columns::of_source(header, description)?;
        let features = columns
            .features
            .iter()
            .filter_map(|&position| header.get(position))
            .map(|name| FeatureBuilder { name: name.clone(), number: true, texts: TextStatistics::default() })
            .collect();
        let target = TargetBuilder::new(&description.target, description.target_type);
        Ok(Self { columns, features, target, rows: 0 })
    }

    /// Takes a record in: one that is as wide as the header and has a target.
    pub(crate) fn push(&mut self, record: &Record) -> Result<(), Misfit> {
        // First, so that a row which is left out for its target leaves no trace.
        self.target.push(&record.cell(self.columns.target).text())?;
        for (feature, &position) in self.features.iter_mut().zip(&self.columns.features) {
            let cell = record.cell(position);
            if let RawCell::Text(value) = cell
                && feature.number
                && !value.is_empty()
                && number(value).is_none()
            {
                feature.number = false;
            }
            if self.rows < PROFILE_ROWS {
                feature.texts.push(&cell.text());
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// The columns that are looked at.
    pub(crate) fn columns(&self) -> Vec<usize> {
        self.columns.features.iter().copied().chain([self.columns.target]).collect()
    }

    /// The schema, and the profile that `auto` means for it.
    pub(crate) fn finish(self) -> Result<(Schema, Profile), InferError> {
        if self.rows == 0 {
            return Err(InferError::Empty);
        }
        let target = self.target.name.clone();
        let (target_kind, classes) = self.target.finish(self.rows)?;
        let mut features = Vec::with_capacity(self.features.len());
        let mut texts = Vec::new();
        for feature in self.features {
            let kind = if feature.number { FeatureKind::Number } else { FeatureKind::Text };
            features.push(Feature { name: feature.name, kind });
            if kind == FeatureKind::Text {
                texts.push(feature.texts);
            }
        }
        let schema = Schema { target, target_kind, classes, features };
        let profile = Profile::choose(&schema, &texts);
        Ok((schema, profile))
    }
}

#[derive(Debug)]
struct TargetBuilder {
    name: String,
    declared: Option<TargetType>,
    zero_one: bool,
    true_false: bool,
    /// Digits alone, and small enough for a class.
    digits: bool,
    /// Digits with or without a sign, and small enough for a class.
    integers: bool,
    numbers: bool,
    first: Option<String>,
    first_number: Option<f64>,
    several_numbers: bool,
    /// The distinct values; `None` once there are too many.
    distinct: Option<BTreeSet<String>>,
    distinct_bytes: usize,
}

impl TargetBuilder {
    fn new(name: &str, declared: Option<TargetType>) -> Self {
        Self {
            name: name.to_owned(),
            declared,
            zero_one: true,
            true_false: true,
            digits: true,
            integers: true,
            numbers: true,
            first: None,
            first_number: None,
            several_numbers: false,
            distinct: (declared != Some(TargetType::Number)).then(BTreeSet::new),
            distinct_bytes: 0,
        }
    }

    fn push(&mut self, value: &str) -> Result<(), Misfit> {
        if self.distinct.as_ref().is_some_and(|distinct| distinct.contains(value)) {
            return Ok(());
        }
        if self.declared == Some(TargetType::Number) && number(value).is_none() {
            let reason = "is not a finite decimal number, as `target_type = \"number\"` says: mend it, take the row \
                          out with `on_error = \"skip\"`, or set `target_type = \"class\"`";
            return Err(Misfit::new(&self.name, value, reason));
        }
        self.first.get_or_insert_with(|| value.to_owned());
        self.zero_one &= matches!(value, "0" | "1");
        self.true_false &= matches!(value, "True" | "False");
        self.integers = self.integers && integer(value, MAX_INTEGER).is_some();
        self.digits = self.digits && self.integers && all_digits(value);
        if self.numbers {
            match number(value) {
                Some(value) => {
                    let first = *self.first_number.get_or_insert(value);
                    self.several_numbers |= first.total_cmp(&value).is_ne();
                }
                None => self.numbers = false,
            }
        }
        if let Some(distinct) = &mut self.distinct {
            self.distinct_bytes += value.len();
            if distinct.len() >= MAX_CLASSES
                || value.len() > MAX_CLASS_TEXT
                || self.distinct_bytes > MAX_CLASS_BYTES
            {
                self.distinct = None;
            } else {
                distinct.insert(value.to_owned());
            }
        }
        Ok(())
    }

    fn finish(self, rows: u64) -> Result<(TargetKind, Vec<Label>), InferError> {
        let one_class = |value: Option<String>| InferError::OneClass { value: value.unwrap_or_default() };
        let too_many = || InferError::TooManyClasses { target: self.name.clone(), limit: MAX_CLASSES };
        let kind = match self.declared {
            Some(TargetType::Number) => TargetKind::Number,
            _ if self.zero_one || self.true_false => TargetKind::Binary,
            Some(TargetType::Class) if self.integers => TargetKind::Integer,
            Some(TargetType::Class) => TargetKind::Text,
            None if self.digits => TargetKind::Integer,
            None if self.numbers => TargetKind::Number,
            None => TargetKind::Text,
        };
        if kind == TargetKind::Number {
            return if self.several_numbers { Ok((kind, Vec::new())) } else { Err(one_class(self.first)) };
        }
        let mut classes: Vec<Label> = match (&self.distinct, kind) {
            (Some(distinct), TargetKind::Binary) => distinct
                .iter()
                .map(|text| Label::Integer(i64::from(matches!(text.as_str(), "1" | "True"))))
                .collect(),
            (Some(distinct), TargetKind::Integer) => {
                distinct.iter().filter_map(|text| integer(text, MAX_INTEGER)).map(Label::Integer).collect()
            }
            (Some(distinct), _) => distinct.iter().cloned().map(Label::Text).collect(),
            (None, _) => Vec::new(),
        };
        classes.sort_by(Label::class_order);
        classes.dedup();
        // Whole numbers that vary this much are as likely a quantity as a name.
        let found = if self.distinct.is_some() { classes.len() } else { MAX_CLASSES + 1 };
        if kind == TargetKind::Integer && self.declared.is_none() && rows > 100 && found as u64 * 20 > rows {
            return Err(InferError::Ambiguous { target: self.name.clone(), distinct: found, rows });
        }
        if self.distinct.is_none() {
            return Err(too_many());
        }
        if classes.len() < 2 {
            return Err(one_class(self.first));
        }
        Ok((kind, classes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::description;

    fn infer_column(values: &[&str], declared: Option<TargetType>) -> Result<Schema, String> {
        let description = PublicSource { target_type: declared, ..description("y") };
        let header = ["x".to_owned(), "y".to_owned()];
        let mut builder = SchemaBuilder::new(&header, &description).unwrap();
        for value in values {
            let cells = vec![(*value).to_owned(), (*value).to_owned()];
            builder.push(&Record::of_texts(cells)).map_err(|misfit| format!("{misfit:?}"))?;
        }
        builder.finish().map(|(schema, _)| schema).map_err(|error| error.to_string())
    }

    fn feature(values: &[&str]) -> FeatureKind {
        let description = description("y");
        let header = ["x".to_owned(), "y".to_owned()];
        let mut builder = SchemaBuilder::new(&header, &description).unwrap();
        for (i, value) in values.iter().enumerate() {
            let cells = vec![(*value).to_owned(), (i % 2).to_string()];
            builder.push(&Record::of_texts(cells)).unwrap();
        }
        builder.finish().unwrap().0.features[0].kind
    }

    #[test]
    fn features_are_numbers_or_text() {
        for values in [["1", "2.5", "-3e4"], ["", "1", ""], ["", "", ""], ["-0", "+1", "007"]] {
            assert_eq!(feature(&values), FeatureKind::Number, "{values:?}");
        }
        for values in [
            ["1", "2", "x"],
            ["2024-01-15", "1", "2"],
            ["nan", "1", "2"],
            ["1e999", "1", "2"],
            [" 1", "1", "2"],
        ] {
            assert_eq!(feature(&values), FeatureKind::Text, "{values:?}");
        }
    }

    #[test]
    fn targets_have_the_kind_of_their_values() {
        use TargetKind::{Binary, Integer, Number, Text};
        let class = Some(TargetType::Class);
        let estimate = Some(TargetType::Number);
        let cases: &[(&[&str], Option<TargetType>, TargetKind, usize)] = &[
            (&["1", "0"], None, Binary, 2),
            (&["True", "False"], None, Binary, 2),
            (&["True", "0"], None, Text, 2),
            (&["true", "false"], None, Text, 2),
            (&["1", "2", "10", "002"], None, Integer, 3),
            (&["1", "-1"], None, Number, 0),
            (&["1", "-1", "+1"], class, Integer, 2),
            (&["1.5", "2"], None, Number, 0),
            (&["1.5", "2"], class, Text, 2),
            (&["0", "1"], class, Binary, 2),
            (&["0", "1"], estimate, Number, 0),
            (&["1", "2", "99999999999999999999"], None, Number, 0),
            (&["1", "2", "99999999999999999999"], class, Text, 3),
            (&["b", "a", "1"], None, Text, 3),
        ];
        for (values, declared, kind, classes) in cases {
            let schema = infer_column(values, *declared).unwrap();
            assert_eq!(
                (schema.target_kind, schema.classes.len()),
                (*kind, *classes),
                "{values:?} {declared:?}"
            );
        }
        let schema = infer_column(&["10", "9", "-1"], class).unwrap();
        assert_eq!(schema.classes, [-1, 9, 10].map(Label::Integer));
    }

    #[test]
    fn targets_that_teach_nothing_are_refused() {
        assert!(infer_column(&[], None).unwrap_err().contains("no rows"));
        for (value, declared) in
            [("a", None), ("7", None), ("1", None), ("2.5", None), ("4", Some(TargetType::Number))]
        {
            let error = infer_column(&[value, value], declared).unwrap_err();
            assert!(error.contains("nothing to learn"), "{error}");
        }
        assert!(infer_column(&["01", "1"], None).unwrap_err().contains("nothing to learn"));
        assert!(
            infer_column(&["1", "1.0"], Some(TargetType::Number)).unwrap_err().contains("nothing to learn")
        );
        let error = infer_column(&["1", "x"], Some(TargetType::Number)).unwrap_err();
        assert!(error.contains("\"x\"") && error.contains("target_type"), "{error}");
    }

    #[test]
    fn whole_numbers_that_vary_need_a_decision() {
        let texts: Vec<String> = (0..101).map(|i| (i % 6).to_string()).collect();
        let values: Vec<&str> = texts.iter().map(String::as_str).collect();
        let error = infer_column(&values, None).unwrap_err();
        assert!(error.contains("\"number\"") && error.contains("\"class\""), "{error}");
        assert_eq!(infer_column(&values, Some(TargetType::Class)).unwrap().classes.len(), 6);
        assert!(infer_column(&values[..100], None).is_ok());
        let texts: Vec<String> = (0..120).map(|i| (i % 6).to_string()).collect();
        let values: Vec<&str> = texts.iter().map(String::as_str).collect();
        assert!(infer_column(&values, None).is_ok());
    }

    #[test]
    fn classes_are_bounded() {
        let texts: Vec<String> = (0..=MAX_CLASSES).map(|i| format!("c{i}")).collect();
        let values: Vec<&str> = texts.iter().map(String::as_str).collect();
        assert!(infer_column(&values, None).unwrap_err().contains("more than 65536 classes"));
        assert_eq!(infer_column(&values[1..], None).unwrap().classes.len(), MAX_CLASSES);
        let long = "x".repeat(MAX_CLASS_TEXT + 1);
        assert!(infer_column(&["a", &long], None).unwrap_err().contains("more text"));
    }
}
