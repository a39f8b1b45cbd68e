//! Which column of a source is which: the target, the features, those left out.

use std::collections::BTreeSet;

use snake::Schema;

use crate::check::{MAX_FEATURES, MAX_NAME};
use crate::error::HeaderError;
use crate::run::PublicSource;

/// Positions in a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns {
    /// Where the target stands.
    pub(crate) target: usize,
    /// Where the features stand, in their order.
    pub(crate) features: Vec<usize>,
}

impl Columns {
    /// The columns of a source that has no schema yet: every column but the target and the excluded ones is a feature.
    pub(crate) fn of_source(header: &[String], description: &PublicSource) -> Result<Self, HeaderError> {
        let target = find_target(header, description)?;
        let mut features = Vec::new();
        for (position, name) in header.iter().enumerate() {
            let excluded = description.exclude.contains(name);
            if excluded && position == target {
                return Err(HeaderError::TargetExcluded { target: name.clone() });
            }
            if excluded {
                continue;
            }
            if name.is_empty() {
                return Err(HeaderError::Unnamed { position: position + 1 });
            }
            if name.starts_with("__") {
                return Err(HeaderError::Reserved { column: name.clone() });
            }
            if name.len() > MAX_NAME {
                return Err(HeaderError::LongName {
                    position: position + 1,
                    length: name.len(),
                    limit: MAX_NAME,
                });
            }
            if position != target {
                features.push(position);
            }
        }
        if let Some(column) = description.exclude.iter().find(|column| !header.contains(column)) {
            return Err(HeaderError::NoExcluded { column: column.clone(), columns: listed(header) });
        }
        if features.is_empty() {
            return Err(HeaderError::NoFeatures { target: description.target.clone() });
        }
        if features.len() > MAX_FEATURES {
            return Err(HeaderError::TooManyColumns { found: features.len(), limit: MAX_FEATURES });
        }
        Ok(Self { target, features })
    }

    /// The columns of a source under a schema, by name: the order in the source may be another one.
    pub(crate) fn of_schema(
        header: &[String],
        schema: &Schema,
        description: &PublicSource,
    ) -> Result<Self, HeaderError> {
        find_target(header, description)?;
        let position = |name: &str| {
            header
                .iter()
                .position(|column| column == name)
                .ok_or_else(|| HeaderError::Missing { column: name.to_owned(), columns: listed(header) })
        };
        let target = position(&schema.target)?;
        let features: Vec<usize> =
            schema.features.iter().map(|feature| position(&feature.name)).collect::<Result<_, _>>()?;
        let known: BTreeSet<usize> = features.iter().copied().chain([target]).collect();
        for (position, name) in header.iter().enumerate() {
            if !known.contains(&position) && !description.exclude.contains(name) {
                return Err(HeaderError::Extra { column: name.clone() });
            }
        }
        Ok(Self { target, features })
    }
}

fn find_target(header: &[String], description: &PublicSource) -> Result<usize, HeaderError> {
    let mut seen = BTreeSet::new();
    for name in header {
        if !seen.insert(name.as_str()) {
            return Err(HeaderError::Duplicate { column: name.clone() });
        }
    }
    header
        .iter()
        .position(|column| *column == description.target)
        .ok_or_else(|| HeaderError::NoTarget { target: description.target.clone(), columns: listed(header) })
}

/// Column names for a message: the first 20.
fn listed(header: &[String]) -> String {
    let mut text: Vec<String> = header.iter().take(20).map(|name| format!("{name:?}")).collect();
    if header.len() > 20 {
        text.push(format!("and {} more", header.len() - 20));
    }
    text.join(", ")
}

#[cfg(test)]
mod tests {
    use snake::{Feature, FeatureKind, TargetKind};

    use super::*;
    use crate::fixture::description;

    fn header(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    fn refused(names: &[&str], exclude: &[&str], expected: &str) {
        let description = PublicSource { exclude: header(exclude), ..description("y") };
        let error = Columns::of_source(&header(names), &description).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn a_header_is_read_or_refused_with_the_column_named() {
        let columns = Columns::of_source(&header(&["a", "y", "b"]), &description("y")).unwrap();
        assert_eq!(columns, Columns { target: 1, features: vec![0, 2] });
        refused(&["a", "b"], &[], "no column \"y\" for the target; the columns are \"a\", \"b\"");
        refused(&["a", "a", "y"], &[], "two columns are called \"a\"");
        refused(&["__path", "y"], &[], "\"__path\" starts with");
        refused(&["a", "y"], &["c"], "names \"c\"");
        refused(&["a", "y"], &["y"], "names the target");
        refused(&["a", "y"], &["a"], "no feature is left");
        refused(&["", "y"], &[], "column 1 has no name");
        let long = "n".repeat(2_000);
        refused(&[&long, "y"], &[], "2000 bytes");
        let open = PublicSource { exclude: header(&["__x", ""]), ..description("y") };
        assert!(Columns::of_source(&header(&["", "__x", "a", "y"]), &open).is_ok());
    }

    #[test]
    fn a_schema_finds_its_columns_by_name() {
        let feature = |name: &str| Feature { name: name.into(), kind: FeatureKind::Number };
        let schema = Schema {
            target: "y".into(),
            target_kind: TargetKind::Number,
            classes: vec![],
            features: vec![feature("a"), feature("b")],
        };
        let of = |names: &[&str], exclude: &[&str]| {
            let description = PublicSource { exclude: header(exclude), ..description("y") };
            Columns::of_schema(&header(names), &schema, &description).map_err(|error| error.to_string())
        };
        assert_eq!(of(&["b", "y", "a"], &[]), Ok(Columns { target: 1, features: vec![2, 0] }));
        assert_eq!(of(&["b", "y", "a", "x"], &["x"]), Ok(Columns { target: 1, features: vec![2, 0] }));
        assert!(of(&["b", "y", "a", "x"], &[]).unwrap_err().contains("\"x\" is neither"));
        assert!(of(&["b", "y"], &[]).unwrap_err().contains("\"a\" is not in the source"));
        assert!(of(&["b", "a"], &[]).unwrap_err().contains("for the target"));
    }
}
