//! Members in the order of a key, with the sets of the members below each key.

use crate::bits;

/// The sets of an axis take at most this many blocks, or this many sets.
const BLOCKS: usize = 1 << 15;
const RUNGS: usize = 64;

/// Numbers that are counted together.
const STEP: usize = 16;
/// Up to this many keys, those below a border are counted: a search waits for each of its comparisons.
const COUNTED: usize = 64;

/// Members in the order of a key; the room is used again.
///
/// The sets of the members below every `step`th distinct key are kept (the ladder), so the members of a stretch of keys
/// are the difference of two rungs: nearly always of the very two, since `step` is 1 but for large buckets.
#[derive(Debug, Default)]
pub(super) struct Axis {
    step: usize,
    words: usize,
    /// Member positions by key, then by position; only needed where `step` is above 1.
    order: Vec<u32>,
    /// The distinct keys.
    pub(super) keys: Vec<u32>,
    /// Where in `order` each key starts; one more for the end. As `order`.
    starts: Vec<u32>,
    /// Rung `i`: the set of the members of the first `i * step` keys.
    ladder: Vec<u64>,
    /// The number that each key stands for, in whole steps, filled up with infinity; empty where keys are no numbers.
    values: Vec<[f64; STEP]>,
    /// The last number of each step.
    tops: Vec<f64>,
    /// The end of texts that each key stands for, as a number; only of use on axes of ends.
    pub(super) ends: Vec<u64>,
}

/// Room to sort in.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    keys: Vec<u32>,
    /// Per possible key, where its set begins in the ladder; 0 for keys that no member has.
    places: Vec<u32>,
    packed: Vec<u64>,
}

#[allow(clippy::cast_possible_truncation)] // positions of members fit 32 bits
impl Axis {
    /// Sorts members, named by their positions, by these keys.
    pub(super) fn build(&mut self, scratch: &mut Scratch, keys: impl Iterator<Item = u32>) {
        self.order.clear();
        self.keys.clear();
        self.starts.clear();
        self.values.clear();
        self.tops.clear();
        scratch.keys.clear();
        scratch.keys.extend(keys);
        let members = scratch.keys.len();
        self.words = bits::whole_lanes(members);
        let low = scratch.keys.iter().copied().min().unwrap_or(0);
        let high = scratch.keys.iter().copied().max().unwrap_or(0);
        let span = (high - low) as usize + 1;
        let rungs = (BLOCKS / self.words.max(1)).max(RUNGS);
        if span <= rungs && span <= 4 * members {
            self.mark(scratch, low, span);
        } else {
            self.sort(scratch);
            self.climb(rungs);
        }
    }

    /// Few possible keys: which ones there are, then every member into the set of its key, then sums of these.
    fn mark(&mut self, scratch: &mut Scratch, low: u32, span: usize) {
        self.lay_out(&mut scratch.places, low, span, scratch.keys.iter().copied());
        for (member, &key) in scratch.keys.iter().enumerate() {
            let start = scratch.places[(key - low) as usize] as usize;
            bits::insert(&mut self.ladder[start..start + self.words], member);
        }
        self.add_up();
    }

    /// The keys of another axis on which every member has one key, turned into these. False, with nothing done, where that is
    /// more work than [`Axis::build`].
    pub(super) fn build_from(
        &mut self,
        scratch: &mut Scratch,
        other: &Axis,
        members: usize,
        of: &[u32],
    ) -> bool {
        if other.step != 1 || other.keys.len() * other.words > 4 * members {
            return false;
        }
        let keys = other.keys.iter().map(|&key| of[key as usize]);
        let low = keys.clone().min().unwrap_or(0);
        let span = (keys.clone().max().unwrap_or(0) - low) as usize + 1;
        if span > members {
            return false;
        }
        self.order.clear();
        self.starts.clear();
        self.values.clear();
        self.tops.clear();
        self.words = other.words;
        self.lay_out(&mut scratch.places, low, span, keys.clone());
        for (group, key) in keys.enumerate() {
            let start = scratch.places[(key - low) as usize] as usize;
            let set = bits::lanes_mut(&mut self.ladder[start..start + self.words]).iter_mut();
            let (below, upto) = (bits::lanes(other.rung(group)), bits::lanes(other.rung(group + 1)));
            for ((set, below), upto) in set.zip(below).zip(upto) {
                for lane in 0..bits::LANE {
                    set[lane] |= below[lane] ^ upto[lane];
                }
            }
        }
        self.add_up();
        true
    }

    /// Which of the possible keys there are, and empty sets for them.
    fn lay_out(&mut self, places: &mut Vec<u32>, low: u32, span: usize, keys: impl Iterator<Item = u32>) {
        self.step = 1;
        places.clear();
        places.resize(span, 0);
        for key in keys {
            places[(key - low) as usize] = 1;
        }
        self.keys.clear();
        for (place, key) in places.iter_mut().zip(low..) {
            if *place == 1 {
                self.keys.push(key);
                *place = (self.keys.len() * self.words) as u32;
            }
        }
        self.ladder.clear();
        self.ladder.resize((self.keys.len() + 1) * self.words, 0);
    }

    /// From sets of the members of each key to those of the members up to it.
    fn add_up(&mut self) {
        let ladder = bits::lanes_mut(&mut self.ladder);
        let width = self.words / bits::LANE;
        for place in width..ladder.len() {
            let below = ladder[place - width];
            for (block, below) in ladder[place].iter_mut().zip(below) {
                *block |= below;
            }
        }
    }

    fn sort(&mut self, scratch: &mut Scratch) {
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
        self.starts.push(packed.len() as u32);
    }

    /// The ladder of members in order.
    fn climb(&mut self, rungs: usize) {
        self.step = self.keys.len().div_ceil(rungs).max(1);
        let rungs = self.keys.len() / self.step;
        self.ladder.clear();
        self.ladder.resize((rungs + 1) * self.words, 0);
        let mut below = 0;
        for rung in 1..=rungs {
            let (done, next) = self.ladder.split_at_mut(rung * self.words);
            let next = &mut next[..self.words];
            next.copy_from_slice(&done[(rung - 1) * self.words..]);
            let end = self.starts[rung * self.step] as usize;
            for &member in &self.order[below..end] {
                bits::insert(next, member as usize);
            }
            below = end;
        }
    }

    /// Says which numbers the keys stand for, in ascending order.
    pub(super) fn name(&mut self, of: impl Fn(u32) -> f64) {
        for keys in self.keys.chunks(STEP) {
            let mut step = [f64::INFINITY; STEP];
            step.iter_mut().zip(keys).for_each(|(value, &key)| *value = of(key));
            self.values.push(step);
            self.tops.push(step[STEP - 1]);
        }
    }

    /// How many keys stand for numbers below a threshold.
    #[inline]
    pub(super) fn below(&self, threshold: f64) -> usize {
        let below = |values: &[f64]| values.iter().map(|&value| usize::from(value < threshold)).sum();
        let step: usize = if self.tops.len() <= COUNTED {
            below(&self.tops)
        } else {
            self.tops.partition_point(|&top| top < threshold)
        };
        // No infinity is below anything.
        step * STEP + self.values.get(step).map_or(0, |values| below(values))
    }

    /// The position of the first key that is not below a border.
    #[inline]
    pub(super) fn position(&self, border: u32) -> usize {
        if self.keys.len() <= COUNTED {
            return self.keys.iter().map(|&key| u32::from(key < border)).sum::<u32>() as usize;
        }
        self.keys.partition_point(|&key| key < border)
    }

    /// Sets `out` to the members of the keys at positions `from..to`, or to the others where `negated`; there with the
    /// bits beyond the last member.
    #[inline]
    pub(super) fn set(&self, from: usize, to: usize, negated: bool, out: &mut [u64]) {
        let flip = if negated { u64::MAX } else { 0 };
        if self.step > 1 {
            out.fill(0);
            self.add(from, to, out);
            out.iter_mut().for_each(|block| *block ^= flip);
        } else if from == 0 {
            for (out, high) in bits::lanes_mut(out).iter_mut().zip(bits::lanes(self.rung(to))) {
                for lane in 0..bits::LANE {
                    out[lane] = high[lane] ^ flip;
                }
            }
        } else {
            let rungs = bits::lanes(self.rung(from)).iter().zip(bits::lanes(self.rung(to)));
            for (out, (low, high)) in bits::lanes_mut(out).iter_mut().zip(rungs) {
                for lane in 0..bits::LANE {
                    out[lane] = low[lane] ^ high[lane] ^ flip;
                }
            }
        }
    }

    /// Adds the members of the keys at positions `from..to`.
    pub(super) fn add(&self, from: usize, to: usize, out: &mut [u64]) {
        if self.step == 1 {
            self.between(from, to, out);
            return;
        }
        let (first, last) = (from.div_ceil(self.step), to / self.step);
        if first >= last {
            self.stretch(from, to, out);
            return;
        }
        self.between(first, last, out);
        self.stretch(from, first * self.step, out);
        self.stretch(last * self.step, to, out);
    }

    /// Adds the members between two rungs.
    #[inline]
    fn between(&self, first: usize, last: usize, out: &mut [u64]) {
        let rungs = bits::lanes(self.rung(first)).iter().zip(bits::lanes(self.rung(last)));
        for (out, (low, high)) in bits::lanes_mut(out).iter_mut().zip(rungs) {
            for lane in 0..bits::LANE {
                out[lane] |= low[lane] ^ high[lane];
            }
        }
    }

    fn stretch(&self, from: usize, to: usize, out: &mut [u64]) {
        if from < to {
            for &member in &self.order[self.starts[from] as usize..self.starts[to] as usize] {
                bits::insert(out, member as usize);
            }
        }
    }

    #[inline]
    fn rung(&self, index: usize) -> &[u64] {
        &self.ladder[index * self.words..(index + 1) * self.words]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        #[test]
        fn sets_are_those_of_the_keys(
            members in 1_usize..3000, spread in prop::sample::select(vec![1_u64, 3, 50, 1000, 1 << 30]), seed in any::<u64>(),
            ends in (0.0..1.0_f64, 0.0..1.0_f64), negated in any::<bool>(),
        ) {
            let keys: Vec<u32> = (0..members as u64)
                .map(|i| (((i ^ seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20) % spread) as u32)
                .collect();
            let mut axis = Axis::default();
            for _ in 0..2 {
                axis.build(&mut Scratch::default(), keys.iter().copied());
            }
            prop_assert!(axis.keys.is_sorted_by(|a, b| a < b));
            let place = |share: f64| (share * (axis.keys.len() + 1) as f64) as usize;
            let (from, to) = (place(ends.0.min(ends.1)), place(ends.0.max(ends.1)));
            let mut set = vec![7; bits::whole_lanes(members)];
            axis.set(from, to, negated, &mut set);
            for (member, key) in keys.iter().enumerate() {
                let inside = axis.keys[from..to].contains(key);
                prop_assert_eq!(set[member / 64] >> (member % 64) & 1 == 1, inside != negated);
            }
        }
    }

    #[test]
    fn numbers_below_a_threshold() {
        for count in [0, 1, 15, 16, 17, 100, 1024, 1025, 3000] {
            let mut axis = Axis::default();
            axis.build(&mut Scratch::default(), 0..count);
            axis.name(|key| f64::from(key) - 20.0);
            for threshold in [-30.0, -20.0, -4.5, -4.0, 0.5, 79.0, 1004.0, 1005.0, 5000.0, f64::MAX] {
                let below = (0..count).filter(|&key| f64::from(key) - 20.0 < threshold).count();
                assert_eq!(axis.below(threshold), below, "{count} {threshold}");
            }
        }
    }

    #[test]
    fn a_large_bucket_has_fewer_rungs() {
        let mut axis = Axis::default();
        axis.build(&mut Scratch::default(), 0..20_000);
        assert!(axis.step > 1 && axis.ladder.len() <= BLOCKS + 1000);
        let mut set = vec![0; bits::whole_lanes(20_000)];
        axis.set(17, 19_001, false, &mut set);
        assert_eq!(bits::members(&set).collect::<Vec<_>>(), (17..19_001).collect::<Vec<_>>());
    }
}
