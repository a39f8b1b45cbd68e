//! One table of a run file: typed values with the line they stand on, and nothing that is not known.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::RunFileError;
use super::suggest::nearest;

/// A value and the line it stands on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) line: usize,
}

/// Where lines begin, to turn a position into a line.
#[derive(Debug)]
pub(super) struct Lines<'a>(&'a str);

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The line of a byte position, from 1.
    pub(super) fn of(&self, position: usize) -> usize {
        let before = self.0.as_bytes().get(..position.min(self.0.len())).unwrap_or_default();
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }
}

/// A table on its way from TOML to settings. Values are read by key.
pub(super) struct Section<'t, 'i> {
    name: &'static str,
    table: Option<&'t DeTable<'i>>,
    line: usize,
    lines: &'t Lines<'t>,
}

impl<'t, 'i> Section<'t, 'i> {
    /// The whole file. Keys that are none of `known` are refused.
    pub(super) fn root(
        table: &'t DeTable<'i>,
        lines: &'t Lines<'t>,
        known: &[&str],
    ) -> Result<Self, RunFileError> {
        let section = Self { name: "", table: Some(table), line: 1, lines };
        section.refuse_unknown(known)?;
        Ok(section)
    }

    /// A table within this one; empty when it is not there.
    pub(super) fn section(&self, name: &'static str, known: &[&str]) -> Result<Self, RunFileError> {
        let Some((line, value)) = self.find(name) else {
            return Ok(Self { name, table: None, line: self.lines.of(usize::MAX), lines: self.lines });
        };
        let DeValue::Table(table) = value else {
            return Err(self.wrong_type(name, line, value, &format!("a section: write [{name}]")));
        };
        let section = Self { name, table: Some(table), line, lines: self.lines };
        section.refuse_unknown(known)?;
        Ok(section)
    }

    fn refuse_unknown(&self, known: &[&str]) -> Result<(), RunFileError> {
        // The parser sorts keys by name: report the one that stands first in the file.
        let first = self
            .table
            .into_iter()
            .flat_map(DeTable::iter)
            .filter(|(key, _)| !known.contains(&key.get_ref().as_ref()))
            .min_by_key(|(key, _)| key.span().start);
        let Some((key, _)) = first else { return Ok(()) };
        let hint = match nearest(key.get_ref(), known) {
            Some(near) => format!(": did you mean `{near}`?"),
            None => format!(": known here are {}", known.join(", ")),
        };
        Err(RunFileError::UnknownKey {
            line: self.lines.of(key.span().start),
            key: self.path(key.get_ref()),
            hint,
        })
    }

    fn find(&self, key: &str) -> Option<(usize, &'t DeValue<'i>)> {
        let (key, value) = self.table?.get_key_value(key)?;
        Some((self.lines.of(key.span().start), value.get_ref()))
    }

    /// A key with its section, as messages name it.
    fn path(&self, key: &str) -> String {
        let key: String = key.chars().take(100).collect();
        if self.name.is_empty() { key } else { format!("{}.{key}", self.name) }
    }

    /// An error about a value.
    pub(super) fn error(&self, key: &str, line: usize, reason: impl Into<String>) -> RunFileError {
        RunFileError::Value { line, key: self.path(key), reason: reason.into() }
    }

    /// An error about a key that is not there.
    pub(super) fn missing(&self, key: &str, hint: &str) -> RunFileError {
        RunFileError::Missing { line: self.line, key: self.path(key), hint: hint.into() }
    }

    fn wrong_type(&self, key: &str, line: usize, found: &DeValue<'_>, wanted: &str) -> RunFileError {
        let found = match found {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a section",
        };
        self.error(key, line, format!("is {found}, it must be {wanted}"))
    }

    /// The line of a key, if it is there.
    pub(super) fn line_of(&self, key: &str) -> Option<usize> {
        self.find(key).map(|(line, _)| line)
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<At<String>>, RunFileError> {
        match self.find(key) {
            None => Ok(None),
            Some((line, DeValue::String(text))) => Ok(Some(At { value: text.to_string(), line })),
            Some((line, other)) => Err(self.wrong_type(key, line, other, "a text in quotes")),
        }
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<At<bool>>, RunFileError> {
        match self.find(key) {
            None => Ok(None),
            Some((line, DeValue::Boolean(value))) => Ok(Some(At { value: *value, line })),
            Some((line, other)) => Err(self.wrong_type(key, line, other, "true or false, without quotes")),
        }
    }

    /// A whole number within `low..=high`.
    pub(super) fn whole(&self, key: &str, low: u64, high: u64) -> Result<Option<At<u64>>, RunFileError> {
        let range = || {
            if high == u64::MAX {
                format!("a whole number from {low} up")
            } else {
                format!("a whole number from {low} to {high}")
            }
        };
        match self.find(key) {
            None => Ok(None),
            Some((line, DeValue::Integer(number))) => {
                match u64::from_str_radix(number.as_str(), number.radix()) {
                    Ok(value) if (low..=high).contains(&value) => Ok(Some(At { value, line })),
                    _ => Err(self.error(key, line, format!("is {number}, it must be {}", range()))),
                }
            }
            Some((line, other)) => Err(self.wrong_type(key, line, other, &range())),
        }
    }

    /// [`whole`](Self::whole) for a setting of 32 bits.
    pub(super) fn whole32(&self, key: &str, low: u32, high: u32) -> Result<Option<At<u32>>, RunFileError> {
        Ok(self
            .whole(key, low.into(), high.into())?
            .and_then(|At { value, line }| Some(At { value: u32::try_from(value).ok()?, line })))
    }

    /// A finite number; whole ones may be written without a point.
    pub(super) fn number(&self, key: &str) -> Result<Option<At<f64>>, RunFileError> {
        let Some((line, found)) = self.find(key) else { return Ok(None) };
        let text = match found {
            DeValue::Float(number) => number.as_str(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            other => return Err(self.wrong_type(key, line, other, "a number")),
        };
        match text.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Some(At { value: value + 0.0, line })),
            _ => Err(self.error(key, line, format!("is {text}, it must be a finite number"))),
        }
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        &self,
        key: &str,
        choices: &[(&str, T)],
    ) -> Result<Option<At<T>>, RunFileError> {
        let Some(At { value, line }) = self.text(key)? else { return Ok(None) };
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == value) {
            return Ok(Some(At { value: *choice, line }));
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let hint = match nearest(&value, &words) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("it must be one of {}", words.join(", ")),
        };
        Err(self.error(key, line, format!("is {value:?}: {hint}")))
    }

    /// A list of texts, each with its own line.
    pub(super) fn texts(&self, key: &str) -> Result<Option<At<Vec<At<String>>>>, RunFileError> {
        let Some((line, value)) = self.find(key) else { return Ok(None) };
        let DeValue::Array(items) = value else {
            return Err(self.wrong_type(key, line, value, "a list of texts, such as [\"one\", \"two\"]"));
        };
        let value = self.text_items(key, items.iter())?;
        Ok(Some(At { value, line }))
    }

    /// A list of lists of texts.
    pub(super) fn text_lists(&self, key: &str) -> Result<Option<At<Vec<Vec<At<String>>>>>, RunFileError> {
        let wanted = "a list of lists of texts, one list per location";
        let Some((line, value)) = self.find(key) else { return Ok(None) };
        let DeValue::Array(lists) = value else {
            return Err(self.wrong_type(key, line, value, wanted));
        };
        let mut all = Vec::new();
        for list in lists.iter() {
            let DeValue::Array(items) = list.get_ref() else {
                return Err(self.wrong_type(key, self.lines.of(list.span().start), list.get_ref(), wanted));
            };
            all.push(self.text_items(key, items.iter())?);
        }
        Ok(Some(At { value: all, line }))
    }

    fn text_items<'v>(
        &self,
        key: &str,
        items: impl Iterator<Item = &'v Spanned<DeValue<'v>>>,
    ) -> Result<Vec<At<String>>, RunFileError> {
        items
            .map(|item| {
                let line = self.lines.of(item.span().start);
                match item.get_ref() {
                    DeValue::String(text) => Ok(At { value: text.to_string(), line }),
                    other => Err(self.wrong_type(key, line, other, "a list of texts in quotes")),
                }
            })
            .collect()
    }
}
