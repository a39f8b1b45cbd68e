//! What all units of a shard share, computed once per shard.

use std::sync::Arc;

use rayon::prelude::*;

use super::family::Mix;
use super::information::Binned;
use crate::profile::Profile;
use crate::table::{Column, Table, TargetColumn, TextColumn};

/// Added to a feature's mutual information, so that every feature has a chance.
const FLOOR: f64 = 1e-4;

/// What all units of a shard share: ranks of numbers, measures of texts, the features' weights (their mutual
/// information with the target). Made once, used by the training of every layer.
#[derive(Debug)]
pub struct Prepared {
    table: Arc<Table>,
    profile: Profile,
    mix: Mix,
    features: Vec<Derived>,
    weights: Vec<f64>,
    cumulative: Vec<f64>,
    classes: Vec<u32>,
}

/// A feature as training looks at it, beside its [`Column`].
#[derive(Debug)]
enum Derived {
    /// Per row the rank of its number among the distinct ones, which are listed ascending.
    Number { ranks: Vec<u32>, distinct: Vec<f64> },
    /// Per dictionary entry its measures.
    Text { measures: [Vec<u32>; 2] },
}

/// A measure of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextMeasure {
    /// TN: its length in code points.
    Length = 0,
    /// TLN: how many distinct characters it has.
    Characters = 1,
}

/// A feature, for those who need to tell its kinds apart.
#[derive(Debug, Clone, Copy)]
pub(super) enum FeatureView<'a> {
    /// Ranks per row, distinct values.
    Number { ranks: &'a [u32], distinct: &'a [f64] },
    /// The column, measures per dictionary entry.
    Text { column: &'a TextColumn, measures: &'a [Vec<u32>; 2] },
}

impl Prepared {
    /// Prepares a shard. Works on the current rayon pool; the result does not depend on its size.
    #[must_use]
    pub fn new(table: Arc<Table>, profile: Profile) -> Self {
        let (classes, target) = target(table.target());
        let (features, weights): (Vec<_>, Vec<f64>) = table
            .columns()
            .par_iter()
            .map(|column| {
                let (feature, binned) = feature(column);
                (feature, FLOOR + binned.information(&target))
            })
            .unzip();
        let cumulative = weights
            .iter()
            .scan(0.0, |sum, weight| {
                *sum += weight;
                Some(*sum)
            })
            .collect();
        Self { table, profile, mix: Mix::new(profile), features, weights, cumulative, classes }
    }

    /// The shard's rows.
    #[must_use]
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// The profile it was prepared for.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    pub(super) fn mix(&self) -> &Mix {
        &self.mix
    }

    /// The features' weights.
    pub(super) fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Sums of the features' weights, each up to and with its own.
    pub(super) fn cumulative(&self) -> &[f64] {
        &self.cumulative
    }

    pub(super) fn feature_count(&self) -> usize {
        self.features.len()
    }

    /// A row's class: of a number to be estimated, each distinct value is one.
    #[inline]
    pub(super) fn class(&self, row: u32) -> u32 {
        self.classes[row as usize]
    }

    #[inline]
    pub(super) fn ordinal(&self, row: u32) -> u64 {
        self.table.ordinals()[row as usize]
    }

    /// A feature with its column.
    #[inline]
    pub(super) fn view(&self, feature: u32) -> FeatureView<'_> {
        match (&self.features[feature as usize], &self.table.columns()[feature as usize]) {
            (Derived::Text { measures }, Column::Text(column)) => FeatureView::Text { column, measures },
            (Derived::Number { ranks, distinct }, _) => FeatureView::Number { ranks, distinct },
            // A text column always has its measures; an empty list of numbers keeps this total.
            (Derived::Text { .. }, Column::Number(_)) => FeatureView::Number { ranks: &[], distinct: &[] },
        }
    }

    /// Per row a number that says which of the feature's values it has.
    #[inline]
    pub(super) fn codes(&self, feature: u32) -> &[u32] {
        match self.view(feature) {
            FeatureView::Number { ranks, .. } => ranks,
            FeatureView::Text { column, .. } => &column.codes,
        }
    }

    /// Whether two rows have different values there.
    #[inline]
    pub(super) fn differs(&self, feature: u32, a: u32, b: u32) -> bool {
        let codes = self.codes(feature);
        codes[a as usize] != codes[b as usize]
    }
}

fn feature(column: &Column) -> (Derived, Binned) {
    match column {
        Column::Number(values) => {
            let (ranks, distinct) = rank(values);
            let binned = Binned::quantiles(&ranks, distinct.len());
            (Derived::Number { ranks, distinct }, binned)
        }
        Column::Text(text) => {
            let lengths = text.dictionary.iter().map(|text| length(text)).collect();
            let characters = text.dictionary.iter().map(|text| distinct_characters(text)).collect();
            let binned = Binned::commonest(&text.codes, text.dictionary.len());
            (Derived::Text { measures: [lengths, characters] }, binned)
        }
    }
}

fn target(column: &TargetColumn) -> (Vec<u32>, Binned) {
    match column {
        TargetColumn::Class(codes) => {
            let distinct = codes.iter().max().map_or(0, |&code| code as usize + 1);
            (codes.clone(), Binned::commonest(codes, distinct))
        }
        TargetColumn::Number(values) => {
            let (ranks, distinct) = rank(values);
            let binned = Binned::quantiles(&ranks, distinct.len());
            (ranks, binned)
        }
    }
}

/// Every value's position among the distinct ones, and these, ascending.
#[allow(clippy::cast_possible_truncation)] // a table has at most u32::MAX rows
fn rank(values: &[f64]) -> (Vec<u32>, Vec<f64>) {
    let mut distinct = values.to_vec();
    distinct.sort_unstable_by(f64::total_cmp);
    distinct.dedup();
    let ranks = values.iter().map(|value| distinct.partition_point(|other| other < value) as u32).collect();
    (ranks, distinct)
}

fn length(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

fn distinct_characters(text: &str) -> u32 {
    if text.is_ascii() {
        let seen = text.bytes().fold(0_u128, |seen, byte| seen | 1 << byte);
        return seen.count_ones();
    }
    let mut characters: Vec<char> = text.chars().collect();
    characters.sort_unstable();
    characters.dedup();
    u32::try_from(characters.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_dense() {
        let (ranks, distinct) = rank(&[3.5, -1.0, 3.5, f64::MAX, 5e-324]);
        assert_eq!(ranks, [2, 0, 2, 3, 1]);
        assert_eq!(distinct, [-1.0, 5e-324, 3.5, f64::MAX]);
    }

    #[test]
    fn measures_count_code_points() {
        assert_eq!((length("äöä€"), distinct_characters("äöä€")), (4, 3));
        assert_eq!((length("abca"), distinct_characters("abca")), (4, 3));
        assert_eq!((length(""), distinct_characters("")), (0, 0));
    }
}
