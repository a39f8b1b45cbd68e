//! What all units of a shard share, computed once per shard.

use std::sync::Arc;

use rayon::prelude::*;

use super::information::Binned;
use super::numbers::{DIGITS, NumberFeature};
use super::odds::Odds;
use super::ranked::Ranked;
use super::room::Rooms;
use super::texts::TextFeature;
use crate::profile::Profile;
use crate::table::{Column, Table, TargetColumn, TextColumn};

/// Added to a feature's weight, so that every feature has a chance.
const FLOOR: f64 = 1e-4;

/// What all units of a shard share: ranks of numbers, measures of texts, the features' weights (from their
/// mutual information with the target). Made once, used by the training of every layer.
#[derive(Debug)]
pub struct Prepared {
    /// Ordinals and texts; the numbers may be gone.
    table: Arc<Table>,
    profile: Profile,
    features: Arc<[Derived]>,
    odds: Odds,
    classes: Vec<u32>,
    slots: usize,
    nothing: Arc<NumberFeature>,
    rooms: Arc<Rooms>,
    part: Option<Part>,
}

/// What a part of a shard has of its own: its rows, one after another.
#[derive(Debug)]
struct Part {
    /// Per feature, the codes.
    codes: Vec<Vec<u32>>,
    /// Which rows of the shard these are.
    rows: Vec<u32>,
}

/// Up to this many features a part's rows are copied.
const FEW: usize = 64;

/// A feature as training looks at it, beside its [`Column`].
#[derive(Debug)]
enum Derived {
    Number(NumberFeature),
    Text(TextFeature),
}

impl Derived {
    fn slots(&self) -> usize {
        match self {
            Self::Number(feature) => 1 + usize::from(feature.digits.is_some()),
            Self::Text(feature) => feature.slots(),
        }
    }
}

/// A feature, for those who need to tell its kinds apart.
#[derive(Debug, Clone, Copy)]
pub(super) enum FeatureView<'a> {
    Number(&'a NumberFeature),
    Text { column: &'a TextColumn, feature: &'a TextFeature },
}

impl<'a> FeatureView<'a> {
    /// The keys of an axis over the whole shard.
    #[inline]
    fn keys(self, slot: usize) -> (&'a [u32], Option<&'a [u32]>) {
        match self {
            Self::Number(feature) => {
                let digits = if slot == DIGITS { feature.digits.as_ref() } else { None };
                (&feature.values.ranks, digits.map(|digits| &*digits.ranks))
            }
            Self::Text { column, feature } => (&column.codes, feature.keys(slot)),
        }
    }
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
                let (feature, binned) = feature(column, profile);
                let weight = weight(&binned, &target, table.target());
                (feature, weight)
            })
            .unzip();
        // Ranks and distinct numbers say all that the numbers do. Where nobody else needs them they go.
        let table = match Arc::try_unwrap(table) {
            Ok(table) => Arc::new(table.without_numbers()),
            Err(shared) => shared,
        };
        let slots = features.iter().map(Derived::slots).max().unwrap_or(0);
        let nothing = Arc::new(NumberFeature::new(&[], profile));
        let features = features.into();
        let rooms = Arc::default();
        let odds = Odds::new(weights);
        Self { table, profile, features, odds, classes, slots, nothing, rooms, part: None }
    }

    /// The same with some rows alone, which are then the rows 0, 1, ..: a slice's rows lie all over a large shard, and are
    /// looked at so often that a copy next to each other pays. `None` where it would not.
    pub(super) fn part(&self, rows: &[u32]) -> Option<Self> {
        if rows.len() == self.classes.len() || self.features.len() > FEW {
            return None;
        }
        let codes = (0_u32..).zip(&*self.features).map(|(feature, _)| {
            let codes = self.codes(feature);
            rows.iter().map(|&row| codes[row as usize]).collect()
        });
        let of_shard = |&row: &u32| self.part.as_ref().map_or(row, |part| part.rows[row as usize]);
        let part = Part { codes: codes.collect(), rows: rows.iter().map(of_shard).collect() };
        Some(Self {
            table: Arc::clone(&self.table),
            profile: self.profile,
            features: Arc::clone(&self.features),
            odds: self.odds.clone(),
            classes: rows.iter().map(|&row| self.class(row)).collect(),
            slots: self.slots,
            nothing: Arc::clone(&self.nothing),
            rooms: Arc::clone(&self.rooms),
            part: Some(part),
        })
    }

    /// How many rows the shard has.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.table.rows()
    }

    /// The profile it was prepared for.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// The features' weights, to draw by.
    pub(super) fn odds(&self) -> &Odds {
        &self.odds
    }

    pub(super) fn feature_count(&self) -> usize {
        self.features.len()
    }

    /// Whether the target is a number to be estimated.
    pub(super) fn numeric(&self) -> bool {
        matches!(self.table.target(), TargetColumn::Number(_))
    }

    /// The most axes a feature has: one of its values, one for each of its measures, those of its ends.
    pub(super) fn slots(&self) -> usize {
        self.slots
    }

    /// A row's class: of a number to be estimated, each distinct value is one.
    #[inline]
    pub(super) fn class(&self, row: u32) -> u32 {
        self.classes[row as usize]
    }

    #[inline]
    pub(super) fn ordinal(&self, row: u32) -> u64 {
        let row = self.part.as_ref().map_or(row, |part| part.rows[row as usize]);
        self.table.ordinals()[row as usize]
    }

    /// How many rows there are here: of the shard or of the part.
    pub(super) fn rows_here(&self) -> usize {
        self.classes.len()
    }

    /// What those who build clauses leave to each other.
    pub(super) fn rooms(&self) -> &Rooms {
        &self.rooms
    }

    /// A feature with its column.
    #[inline]
    pub(super) fn view(&self, feature: u32) -> FeatureView<'_> {
        match (&self.features[feature as usize], &self.table.columns()[feature as usize]) {
            (Derived::Text(feature), Column::Text(column)) => FeatureView::Text { column, feature },
            (Derived::Number(feature), _) => FeatureView::Number(feature),
            // A text column always has its measures; one without rows keeps this total.
            (Derived::Text(_), Column::Number(_)) => FeatureView::Number(&self.nothing),
        }
    }

    /// Per row a number that says which of the feature's values it has.
    #[inline]
    pub(super) fn codes(&self, feature: u32) -> &[u32] {
        self.keys(feature, 0).0
    }

    /// The keys of an axis: per row a code, and where the axis is not that of the codes themselves, per code the key.
    #[inline]
    pub(super) fn keys(&self, feature: u32, slot: usize) -> (&[u32], Option<&[u32]>) {
        let (codes, keys) = self.view(feature).keys(slot);
        match &self.part {
            Some(part) => (&part.codes[feature as usize], keys),
            None => (codes, keys),
        }
    }

    /// Whether two rows have different values there.
    #[inline]
    pub(super) fn differs(&self, feature: u32, a: u32, b: u32) -> bool {
        let codes = self.codes(feature);
        codes[a as usize] != codes[b as usize]
    }
}

/// How much a feature is worth, by its mutual information with the target: of a class the square root, of a number the fourth
/// root, since what the best features say between them leaves the others more to add than they show by themselves. With a
/// number for target a feature that has nothing to do with it must have no weight, which takes a correction for chance.
fn weight(feature: &Binned, target: &Binned, of: &TargetColumn) -> f64 {
    FLOOR
        + match of {
            TargetColumn::Class(_) => feature.information(target).sqrt(),
            TargetColumn::Number(_) => feature.information_beyond_chance(target).sqrt().sqrt(),
        }
}

fn feature(column: &Column, profile: Profile) -> (Derived, Binned) {
    match column {
        Column::Number(values) => {
            let feature = NumberFeature::new(values, profile);
            let binned = Binned::quantiles(&feature.values.ranks, feature.values.distinct.len());
            (Derived::Number(feature), binned)
        }
        Column::Text(text) => {
            let binned = Binned::commonest(&text.codes, text.dictionary.len());
            (Derived::Text(TextFeature::new(&text.dictionary, profile)), binned)
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
            let Ranked { ranks, distinct } = Ranked::of(values);
            let binned = Binned::quantiles(&ranks, distinct.len());
            (ranks, binned)
        }
    }
}
