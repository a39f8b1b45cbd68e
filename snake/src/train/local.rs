//! A bucket's columns, laid out so that the set of members on which a literal is true costs a few words.
//!
//! Members are sorted along a column once, when it is first needed; a threshold is then a prefix of that order and a
//! text a stretch of it. The sets of the prefixes of every `step` members are kept (the ladder), so a set is a copy of
//! one rung and at most `step` bits.

use super::draft::{Draft, Shape, check};
use super::error::TrainError;
use super::oppose::{conflict, draw_differing, oppose, oppose_in};
use super::prepared::{FeatureView, Prepared};
use crate::bits;
use crate::cancel::Cancel;
use crate::stream::Stream;

/// Fewest members between two rungs, and most rungs.
const STEP: usize = 32;
const RUNGS: usize = 64;
/// Up to this many features, all of them are compared to draw one in which two rows differ.
const FEW: usize = 64;
/// Texts searched between two looks at the cancel flag.
const CHUNK: usize = 64;

/// The columns of one bucket after another; the room is used again.
#[derive(Debug)]
pub(super) struct Local<'a> {
    prepared: &'a Prepared,
    rows: Vec<u32>,
    /// Row by row which value each feature has; empty where there are many features.
    codes: Vec<u32>,
    axes: Vec<Axis>,
    built: Vec<usize>,
    scratch: Scratch,
}

/// Members in the order of a key.
#[derive(Debug, Default)]
struct Axis {
    built: bool,
    step: usize,
    words: usize,
    /// Member positions by key, then by position.
    order: Vec<u32>,
    /// The distinct keys.
    keys: Vec<u32>,
    /// Where in `order` each key starts; one more for the end.
    starts: Vec<u32>,
    /// Rung `i`: the set of the first `i * step` members of `order`.
    ladder: Vec<u64>,
}

#[derive(Debug, Default)]
struct Scratch {
    keys: Vec<u32>,
    counts: Vec<u32>,
    packed: Vec<u64>,
}

impl<'a> Local<'a> {
    pub(super) fn new(prepared: &'a Prepared) -> Self {
        let mut axes = Vec::new();
        axes.resize_with(prepared.feature_count() * prepared.slots(), Axis::default);
        Self {
            prepared,
            rows: Vec::new(),
            codes: Vec::new(),
            axes,
            built: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// Turns to a bucket with these rows; a member is a position among them.
    pub(super) fn begin(&mut self, rows: impl Iterator<Item = u32>) {
        self.rows.clear();
        self.rows.extend(rows);
        for index in self.built.drain(..) {
            self.axes[index].built = false;
        }
        let width = self.prepared.feature_count();
        self.codes.clear();
        if width <= FEW {
            self.codes.resize(width * self.rows.len(), 0);
            for (feature, at) in (0_u32..).zip(0..width) {
                let codes = self.prepared.codes(feature);
                for (place, &row) in self.codes[at..].iter_mut().step_by(width).zip(&self.rows) {
                    *place = codes[row as usize];
                }
            }
        }
    }

    /// A literal that is true on member `yes` and false on member `no`.
    ///
    /// # Errors
    /// [`TrainError::Conflict`] when their rows have the same features.
    pub(super) fn oppose(&self, stream: &mut Stream, yes: usize, no: usize) -> Result<Draft, TrainError> {
        let width = self.prepared.feature_count();
        let rows = (self.rows[yes], self.rows[no]);
        if width > FEW {
            return oppose(self.prepared, stream, rows.0, rows.1);
        }
        let [yes, no] = [yes, no].map(|member| &self.codes[member * width..(member + 1) * width]);
        let differs = |feature| yes[feature as usize] != no[feature as usize];
        match draw_differing(self.prepared.weights(), stream, differs) {
            Some(feature) => Ok(oppose_in(feature, self.prepared, stream, rows.0, rows.1)),
            None => Err(conflict(self.prepared, rows.0, rows.1)),
        }
    }

    /// Sets `out` to the members on which the draft's test is true, its negation left aside.
    ///
    /// # Errors
    /// [`TrainError::Cancelled`].
    pub(super) fn test(&mut self, draft: &Draft, out: &mut [u64], cancel: &Cancel) -> Result<(), TrainError> {
        out.fill(0);
        match (draft.shape(self.prepared), self.prepared.view(draft.feature)) {
            (Shape::Value(threshold), FeatureView::Number(feature)) => {
                let distinct = &feature.values.distinct;
                let axis = self.axis(draft.feature, 0);
                axis.below(out, |key| distinct[key as usize] < threshold);
            }
            (Shape::Keys { slot, from, to }, _) => {
                let axis = self.axis(draft.feature, slot);
                let place = |border: u32| axis.keys.partition_point(|&key| key < border);
                let from = if from == 0 { 0 } else { place(from) };
                axis.groups(from, place(to), out);
            }
            (Shape::Entries(entries), FeatureView::Text { column, .. }) => {
                let axis = self.axis(draft.feature, 0);
                let mut group = 0;
                for chunk in axis.keys.chunks(CHUNK) {
                    check(cancel)?;
                    for &key in chunk {
                        if entries.holds(key, &column.dictionary) {
                            axis.groups(group, group + 1, out);
                        }
                        group += 1;
                    }
                }
            }
            // A draft is only ever made for a column of its kind.
            _ => {}
        }
        Ok(())
    }

    /// The members sorted along one of a feature's axes.
    fn axis(&mut self, feature: u32, slot: usize) -> &Axis {
        let index = feature as usize * self.prepared.slots() + slot;
        let axis = &mut self.axes[index];
        if !axis.built {
            match self.prepared.view(feature).keys(slot) {
                (codes, None) => axis.build(&self.rows, &mut self.scratch, |row| codes[row as usize]),
                (codes, Some(keys)) => {
                    axis.build(&self.rows, &mut self.scratch, |row| keys[codes[row as usize] as usize]);
                }
            }
            self.built.push(index);
        }
        axis
    }
}

#[allow(clippy::cast_possible_truncation)] // positions of members fit 32 bits
impl Axis {
    fn build(&mut self, rows: &[u32], scratch: &mut Scratch, key: impl Fn(u32) -> u32) {
        self.built = true;
        self.order.clear();
        self.keys.clear();
        self.starts.clear();
        scratch.keys.clear();
        scratch.keys.extend(rows.iter().map(|&row| key(row)));
        let low = scratch.keys.iter().copied().min().unwrap_or(0);
        let high = scratch.keys.iter().copied().max().unwrap_or(0);
        let span = (high - low) as usize + 1;
        if span <= 4 * rows.len() {
            self.sort_by_counting(scratch, low, span);
        } else {
            self.sort_by_comparing(scratch);
        }
        self.starts.push(rows.len() as u32);
        self.build_ladder(rows.len());
    }

    fn sort_by_counting(&mut self, scratch: &mut Scratch, low: u32, span: usize) {
        let counts = &mut scratch.counts;
        counts.clear();
        counts.resize(span, 0);
        for &key in &scratch.keys {
            counts[(key - low) as usize] += 1;
        }
        let mut start = 0;
        for (offset, count) in counts.iter_mut().enumerate() {
            let here = *count;
            if here > 0 {
                self.keys.push(low + offset as u32);
                self.starts.push(start);
            }
            *count = start;
            start += here;
        }
        self.order.resize(scratch.keys.len(), 0);
        for (member, &key) in scratch.keys.iter().enumerate() {
            let place = &mut counts[(key - low) as usize];
            self.order[*place as usize] = member as u32;
            *place += 1;
        }
    }

    fn sort_by_comparing(&mut self, scratch: &mut Scratch) {
        let packed = &mut scratch.packed;
        packed.clear();
        packed.extend(scratch.keys.iter().zip(0_u64..).map(|(&key, member)| u64::from(key) << 32 | member));
        packed.sort_unstable();
        for (place, &both) in packed.iter().enumerate() {
            let key = (both >> 32) as u32;
            if self.keys.last() != Some(&key) {
                self.keys.push(key);
                self.starts.push(place as u32);
            }
            self.order.push(both as u32);
        }
    }

    fn build_ladder(&mut self, members: usize) {
        self.step = STEP.max(members.div_ceil(RUNGS));
        self.words = bits::words(members);
        self.ladder.clear();
        self.ladder.resize(self.words, 0);
        for stretch in self.order.chunks_exact(self.step) {
            let rung = self.ladder.len() - self.words;
            self.ladder.extend_from_within(rung..);
            let rung = &mut self.ladder[rung + self.words..];
            for &member in stretch {
                bits::insert(rung, member as usize);
            }
        }
    }

    /// Adds the members whose key lies below a border.
    fn below(&self, out: &mut [u64], below: impl Fn(u32) -> bool) {
        self.groups(0, self.keys.partition_point(|&key| below(key)), out);
    }

    /// Adds the members of the keys at positions `from..to`.
    fn groups(&self, from: usize, to: usize, out: &mut [u64]) {
        let (from, to) = (self.starts[from] as usize, self.starts[to] as usize);
        let (first, last) = (from.div_ceil(self.step), to / self.step);
        if first >= last {
            self.stretch(from, to, out);
            return;
        }
        let (low, high) = (self.rung(first), self.rung(last));
        for ((out, low), high) in out.iter_mut().zip(low).zip(high) {
            *out |= high & !low;
        }
        self.stretch(from, first * self.step, out);
        self.stretch(last * self.step, to, out);
    }

    fn stretch(&self, from: usize, to: usize, out: &mut [u64]) {
        for &member in &self.order[from..to] {
            bits::insert(out, member as usize);
        }
    }

    fn rung(&self, index: usize) -> &[u64] {
        &self.ladder[index * self.words..(index + 1) * self.words]
    }
}
