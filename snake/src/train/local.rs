//! A bucket's columns, laid out so that the set of members on which a literal is true costs a few words.

use super::axis::{Axis, Scratch};
use super::draft::{Draft, DraftTest, Shape, check};
use super::entries::Entries;
use super::error::TrainError;
use super::grams::{Grams, Shelf};
use super::masks::Masks;
use super::odds::Odds;
use super::oppose::{conflict, oppose_by, oppose_in};
use super::prepared::{FeatureView, Prepared};
use super::quotes::Quotes;
use super::room::Room;
use super::subspace::Subspace;
use crate::bits;
use crate::cancel::Cancel;
use crate::literal::TextTest;
use crate::stream::Stream;

/// Up to this many features, all of them are compared to draw one in which two rows differ.
const FEW: usize = 64;
/// The weight of the heaviest feature as a whole number: [`FEW`] of them fit 32 bits.
const HEAVIEST: f64 = (1_u32 << 25) as f64;
/// Features that are compared together: rows of codes and the weights are filled up to a multiple with what never differs.
const LANE: usize = 4;
/// Of up to this many values, their axis is made for the sake of another one's.
const FEW_VALUES: usize = 256;
/// Texts searched between two looks at the cancel flag.
const CHUNK: usize = 64;

/// The columns of one bucket after another; the room is used again.
#[derive(Debug)]
pub(super) struct Local<'a> {
    prepared: &'a Prepared,
    rows: Vec<u32>,
    /// Row by row which value each feature has, in whole lanes; empty where there are many features.
    codes: Vec<u32>,
    /// The features' weights as whole numbers, which add up the same in any order; in whole lanes.
    weights: Vec<u32>,
    /// The part of the features that the clause at hand is drawn from, and the weights with those of the others 0: as above, or
    /// where there are many features the odds.
    subspace: Subspace,
    weights_within: Vec<u32>,
    odds_within: Odds,
    /// Per feature its axes, built when they are first needed.
    axes: Vec<Axis>,
    built: Vec<bool>,
    masks: Masks,
    /// Of texts, the bytes in them.
    grams: Shelf,
    scratch: Scratch,
}

impl<'a> Local<'a> {
    pub(super) fn new(prepared: &'a Prepared, room: Room) -> (Self, Quotes) {
        let Room { quotes, masks, mut grams, mut axes, codes, scratch } = room;
        grams.begin(prepared.feature_count());
        let count = prepared.feature_count() * prepared.slots();
        axes.resize_with(count, Axis::default);
        let weights = whole(prepared.odds().weights());
        let local = Self {
            prepared,
            rows: Vec::new(),
            codes,
            weights_within: weights.clone(),
            weights,
            odds_within: prepared.odds().clone(),
            subspace: Subspace::default(),
            axes,
            built: vec![false; count],
            masks,
            grams,
            scratch,
        };
        (local, quotes)
    }

    /// The room that it was made with; there is nothing to be done with it afterwards.
    pub(super) fn leave(&mut self, quotes: Quotes) -> Room {
        Room {
            quotes,
            masks: std::mem::take(&mut self.masks),
            grams: std::mem::take(&mut self.grams),
            axes: std::mem::take(&mut self.axes),
            codes: std::mem::take(&mut self.codes),
            scratch: std::mem::take(&mut self.scratch),
        }
    }

    /// Turns to a bucket with these rows; a member is a position among them.
    pub(super) fn begin(&mut self, rows: impl Iterator<Item = u32>) {
        self.rows.clear();
        self.rows.extend(rows);
        self.built.fill(false);
        self.grams.clear();
        let features = self.prepared.feature_count();
        if features <= FEW {
            // What fills up the lanes is never written, and so stays 0.
            let width = self.weights.len();
            self.codes.resize(width * self.rows.len(), 0);
            let mut columns = [&[][..]; FEW];
            (0_u32..).zip(&mut columns[..features]).for_each(|(feature, column)| {
                *column = self.prepared.codes(feature);
            });
            // Without any feature there is nothing to write.
            for (codes, &row) in self.codes.chunks_exact_mut(width.max(1)).zip(&self.rows) {
                for (place, column) in codes.iter_mut().zip(&columns[..features]) {
                    *place = column[row as usize];
                }
            }
        }
    }

    /// Turns to another clause: draws the part of the features that its literals are about. Where the target is a number these
    /// stay all: a box around one value is no use without the features that it depends on.
    pub(super) fn begin_clause(&mut self, stream: &mut Stream) {
        if self.prepared.numeric() {
            return;
        }
        let features = self.prepared.feature_count();
        self.subspace.draw(features, stream);
        let subspace = &self.subspace;
        if features > FEW {
            self.odds_within.set(self.prepared.odds(), |feature| subspace.has(feature));
            return;
        }
        let all = (0_u32..).zip(&self.weights);
        let within = all.map(|(feature, &weight)| if subspace.has(feature) { weight } else { 0 });
        self.weights_within.clear();
        self.weights_within.extend(within);
    }

    /// Sets `out` to a literal that is true on member `yes` and false on member `no`, about a feature of the part at hand if
    /// they differ in one of it.
    ///
    /// # Errors
    /// [`TrainError::Conflict`] when their rows have the same features.
    #[inline]
    pub(super) fn oppose(
        &self,
        stream: &mut Stream,
        yes: usize,
        no: usize,
        out: &mut Draft,
    ) -> Result<(), TrainError> {
        let rows = (self.rows[yes], self.rows[no]);
        let width = self.weights.len();
        if self.prepared.feature_count() > FEW {
            *out = oppose_by(&self.odds_within, self.prepared, stream, rows.0, rows.1)?;
            return Ok(());
        }
        let [yes, no] = [yes, no].map(|member| &self.codes[member * width..(member + 1) * width]);
        let within = draw_differing(&self.weights_within, stream, yes, no);
        let Some(feature) = within.or_else(|| draw_differing(&self.weights, stream, yes, no)) else {
            return Err(conflict(self.prepared, rows.0, rows.1));
        };
        let [yes, no] = [yes, no].map(|codes| codes[feature as usize]);
        oppose_in(feature, self.prepared, stream, yes, no, out);
        Ok(())
    }

    /// Sets `out` to the members on which the literal is true. Bits beyond the last member may be set too.
    ///
    /// # Errors
    /// [`TrainError::Cancelled`].
    #[inline]
    pub(super) fn set(&mut self, draft: &Draft, out: &mut [u64], cancel: &Cancel) -> Result<(), TrainError> {
        if let Some(mask) = self.masks.of(draft, self.prepared) {
            let axis = self.axis(draft.feature, 0);
            fill(axis, mask, draft.negated, out);
            return Ok(());
        }
        if let DraftTest::Number(threshold) = draft.test {
            let axis = self.axis(draft.feature, 0);
            axis.set(0, axis.below(threshold), draft.negated, out);
            return Ok(());
        }
        if let Some((slot, from, to)) = draft.keys() {
            let axis = self.axis(draft.feature, slot);
            let from = if from == 0 { 0 } else { axis.position(from) };
            axis.set(from, axis.position(to), draft.negated, out);
            return Ok(());
        }
        if self.containing(draft, out) {
            return Ok(());
        }
        let shape = draft.shape(self.prepared);
        if let Shape::Entries(entries) = &shape
            && self.near(draft, entries, out)
        {
            return Ok(());
        }
        match (shape, self.prepared.view(draft.feature)) {
            (Shape::Ends { slot, stretch, holds, .. }, _) if stretch.exact => {
                let axis = self.axis(draft.feature, slot);
                let (from, to) = stretch.among(&axis.ends);
                axis.set(from, to, draft.negated == holds, out);
            }
            (Shape::Ends { slot, stretch, holds, entries, .. }, FeatureView::Text { column, .. })
                if self.mostly_distinct(draft.feature) =>
            {
                let axis = self.axis(draft.feature, slot);
                let (from, to) = stretch.among(&axis.ends);
                axis.set(from, to, false, out);
                let codes = self.prepared.codes(draft.feature);
                let code = |member: usize| codes[self.rows[member] as usize];
                bits::retain(out, |member| entries.is(code(member), &column.dictionary) == holds);
                flip(out, draft.negated == holds);
            }
            (Shape::Entries(entries) | Shape::Ends { entries, .. }, FeatureView::Text { column, .. }) => {
                let axis = self.axis(draft.feature, 0);
                out.fill(0);
                let mut group = 0;
                for chunk in axis.keys.chunks(CHUNK) {
                    check(cancel)?;
                    for &key in chunk {
                        if entries.is(key, &column.dictionary) != draft.negated {
                            axis.add(group, group + 1, out);
                        }
                        group += 1;
                    }
                }
            }
            // The other shapes are done with, and a draft is only ever made for a column of its kind.
            _ => out.fill(0),
        }
        Ok(())
    }

    /// T by the bytes of the members' texts; false where these are not known.
    #[inline]
    fn containing(&mut self, draft: &Draft, out: &mut [u64]) -> bool {
        let DraftTest::Piece { test: TextTest::Contains, .. } = draft.test else { return false };
        let piece = draft.text(self.prepared);
        let Some((grams, _)) = self.grams(draft.feature) else { return false };
        grams.containing(piece, out);
        flip(out, draft.negated);
        true
    }

    /// LEV and JAC, asked of the members alone that have enough in common with the reference; false where that is not known.
    fn near(&mut self, draft: &Draft, entries: &Entries<'_>, out: &mut [u64]) -> bool {
        let Some((reference, lacking)) = entries.near() else { return false };
        let codes = self.prepared.codes(draft.feature);
        let Some((grams, rows)) = self.grams(draft.feature) else { return false };
        if !grams.near(reference, lacking, out) {
            return false;
        }
        bits::retain(out, |member| {
            rows.get(member).is_some_and(|&row| !entries.holds(codes[row as usize], grams.text(member)))
        });
        flip(out, !draft.negated);
        true
    }

    /// The bytes of a feature's texts in this bucket, where asking them is faster than asking texts one by one; and the
    /// members' rows.
    #[inline]
    fn grams(&mut self, feature: u32) -> Option<(&mut Grams, &[u32])> {
        let prepared = self.prepared;
        let FeatureView::Text { column, feature: text } = prepared.view(feature) else { return None };
        if text.searches.is_some() || !self.mostly_distinct(feature) {
            return None;
        }
        let codes = prepared.codes(feature);
        let rows = &*self.rows;
        let text = |&row: &u32| &*column.dictionary[codes[row as usize] as usize];
        Some((self.grams.of(feature, || rows.iter().map(text))?, rows))
    }

    /// Whether fewer than two members have the same value in the mean, so that asking some members one by one is faster than
    /// asking all values.
    #[inline]
    fn mostly_distinct(&mut self, feature: u32) -> bool {
        let members = self.rows.len();
        self.axis(feature, 0).keys.len() * 2 > members
    }

    /// The members sorted along one of a feature's axes.
    #[inline]
    fn axis(&mut self, feature: u32, slot: usize) -> &Axis {
        let index = feature as usize * self.prepared.slots() + slot;
        if !self.built[index] {
            self.built[index] = true;
            self.build(feature, slot, index);
        }
        &self.axes[index]
    }

    #[cold]
    fn build(&mut self, feature: u32, slot: usize, index: usize) {
        let view = self.prepared.view(feature);
        match self.prepared.keys(feature, slot) {
            (_, Some(keys)) if self.build_from(feature, index, keys) => (),
            (codes, None) => {
                let keys = self.rows.iter().map(|&row| codes[row as usize]);
                self.axes[index].build(&mut self.scratch, keys);
            }
            (codes, Some(keys)) => {
                let keys = self.rows.iter().map(|&row| keys[codes[row as usize] as usize]);
                self.axes[index].build(&mut self.scratch, keys);
            }
        }
        let axis = &mut self.axes[index];
        match view {
            FeatureView::Number(feature) if slot == 0 => {
                axis.name(|rank| feature.values.distinct[rank as usize]);
            }
            FeatureView::Text { feature, .. } => {
                if let Some(ends) = feature.ends_of(slot) {
                    axis.ends.clear();
                    axis.ends.extend(axis.keys.iter().map(|&rank| ends.distinct[rank as usize]));
                }
            }
            FeatureView::Number(_) => {}
        }
    }

    /// Makes the axis of a measure from that of the values, whose members are sorted already: few sets instead of many
    /// members. False where that is not less work.
    fn build_from(&mut self, feature: u32, index: usize, keys: &[u32]) -> bool {
        let values = feature as usize * self.prepared.slots();
        // Of many values the axis may not be there, and would be made for this alone.
        if !self.built[values] && keys.len() > FEW_VALUES {
            return false;
        }
        self.axis(feature, 0);
        let Ok([axis, values]) = self.axes.get_disjoint_mut([index, values]) else { return false };
        axis.build_from(&mut self.scratch, values, self.rows.len(), keys)
    }
}

/// Turns a set into its opposite, or does not.
#[inline]
fn flip(out: &mut [u64], opposite: bool) {
    let mask = if opposite { u64::MAX } else { 0 };
    out.iter_mut().for_each(|block| *block ^= mask);
}

/// Sets `out` to the members of the keys below 64 that are in the mask, or to the others: stretch by stretch.
fn fill(axis: &Axis, mask: u64, negated: bool, out: &mut [u64]) {
    out.fill(0);
    let mask = if negated { !mask } else { mask };
    let mut inside =
        axis.keys.iter().zip(0_u32..64).fold(0, |set, (key, group)| set | (mask >> key & 1) << group);
    while inside != 0 {
        let from = inside.trailing_zeros();
        let to = from + (inside >> from).trailing_ones();
        axis.add(from as usize, to as usize, out);
        // What is left, without the stretch: all above it.
        inside &= u64::MAX.checked_shl(to).unwrap_or(0);
    }
}

/// Weights as whole numbers in proportion, none of them 0; then zeros to whole lanes.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between 1 and HEAVIEST
fn whole(weights: &[f64]) -> Vec<u32> {
    let heaviest = weights.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let whole = weights.iter().map(|weight| (weight / heaviest * HEAVIEST).max(1.0) as u32);
    let lanes = weights.len().next_multiple_of(LANE);
    whole.chain(std::iter::repeat(0)).take(lanes).collect()
}

/// Draws a feature in which two rows differ, by weight; `None` when there is none. At most [`FEW`] features, in whole lanes.
#[inline]
fn draw_differing(weights: &[u32], stream: &mut Stream, yes: &[u32], no: &[u32]) -> Option<u32> {
    let mut differing = [[0_u32; LANE]; FEW / LANE];
    let mut sums = [0_u32; LANE];
    let weights = weights.as_chunks::<LANE>().0;
    let codes = yes.as_chunks::<LANE>().0.iter().zip(no.as_chunks::<LANE>().0);
    for ((place, weights), (yes, no)) in differing.iter_mut().zip(weights).zip(codes) {
        for lane in 0..LANE {
            // All bits where they differ, and none where not: chance would decide a branch.
            let differ = yes[lane] ^ no[lane];
            place[lane] =
                weights[lane] & ((differ | differ.wrapping_neg()).cast_signed() >> 31).cast_unsigned();
            sums[lane] += place[lane];
        }
    }
    let sum: u32 = sums.iter().sum();
    if sum == 0 {
        return None;
    }
    #[allow(clippy::cast_possible_truncation)] // below the sum
    let at = stream.below(sum as usize) as u32;
    let mut below = 0;
    let mut drawn = 0;
    for weights in &differing[..weights.len()] {
        for weight in weights {
            below += weight;
            drawn += u32::from(below <= at);
        }
    }
    Some(drawn)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::profile::Profile;
    use crate::schema::{Feature, FeatureKind, Label, Schema, TargetKind};
    use crate::stream::UnitSeed;
    use crate::table::{Cell, Table, TableBuilder, TargetValue};

    /// Two rows that differ in the features that `differ` names, and a third one that is like the first.
    fn three(features: usize, differ: &[usize]) -> Table {
        let feature = |at| Feature { name: format!("f{at}"), kind: FeatureKind::Number };
        let schema = Schema {
            target: "y".into(),
            target_kind: TargetKind::Binary,
            classes: vec![Label::Integer(0), Label::Integer(1)],
            features: (0..features).map(feature).collect(),
        };
        let mut table = TableBuilder::new(Arc::new(schema));
        for row in 0..3 {
            let cell = |at: usize| Cell::Number(f64::from(u8::from(row == 1 && differ.contains(&at))));
            let cells: Vec<_> = (0..features).map(cell).collect();
            table.push(row, &cells, TargetValue::Class(u32::from(row == 1))).unwrap();
        }
        table.finish()
    }

    #[test]
    fn literals_are_about_the_part_where_it_tells_the_rows_apart() {
        let mut stream = UnitSeed { fingerprint: [0; 32], seed: 1, path: 0, layer: 0 }.node(&[]);
        for features in [4, FEW, 70] {
            let differ = [1, 3, features - 1];
            let prepared = Prepared::new(Arc::new(three(features, &differ)), Profile::Scientific);
            let (mut local, _) = Local::new(&prepared, prepared.rooms().take());
            local.begin([0, 1, 2].into_iter());
            let mut draft = Draft::default();
            let (mut inside, mut outside) = (0, 0);
            for _ in 0..100 {
                local.begin_clause(&mut stream);
                let any = differ.iter().any(|&feature| local.subspace.has(feature as u32));
                for (yes, no) in [(0, 1), (1, 0)] {
                    local.oppose(&mut stream, yes, no, &mut draft).unwrap();
                    assert!(differ.contains(&(draft.feature as usize)));
                    assert_eq!(local.subspace.has(draft.feature), any);
                }
                if any {
                    inside += 1
                } else {
                    outside += 1
                }
                let equal = local.oppose(&mut stream, 0, 2, &mut draft);
                assert!(matches!(equal, Err(TrainError::Conflict { first: 0, second: 2 })));
            }
            assert!(inside > 70 && outside > 0, "{features}: {inside}, {outside}");
        }
    }

    #[test]
    fn features_are_drawn_by_weight_where_rows_differ() {
        let weights = whole(&[0.3, 1e-12, 0.1, 0.2]);
        assert_eq!(weights[1], 1);
        let mut stream = UnitSeed { fingerprint: [0; 32], seed: 1, path: 0, layer: 0 }.node(&[]);
        let mut drawn = [0; 4];
        for _ in 0..4000 {
            let feature = draw_differing(&weights, &mut stream, &[1, 2, 3, 4], &[0, 2, 0, 0]).unwrap();
            drawn[feature as usize] += 1;
        }
        assert!(drawn[1] == 0 && drawn.iter().sum::<usize>() == 4000);
        assert!((1900..2100).contains(&drawn[0]) && (550..780).contains(&drawn[2]), "{drawn:?}");
        assert_eq!(draw_differing(&weights, &mut stream, &[1; 4], &[1; 4]), None);
        assert_eq!(draw_differing(&weights, &mut stream, &[1; 4], &[1, 0, 1, 1]), Some(1));
    }
}
