//! Some rows of a batch, asked many questions: what is asked about lies together, and answers are sets of bits.

use super::{Ask, Bound, Lane, at, code_at};
use crate::batch::MISSING_CODE;
use crate::bits::{insert, words};

/// Columns with at most so many distinct texts have, per text, the set of the rows that hold it.
const GROUPED_TEXTS: usize = 64;

/// Rows to ask about. What it copies of the columns is kept until it looks at other rows; its memory is used again then.
#[derive(Debug, Default)]
pub(crate) struct View {
    rows: Vec<u32>,
    /// Goes up when the rows change.
    now: u64,
    /// Per lane its numbers for the rows, filled up with NaN to whole blocks.
    lanes: Vec<Kept<f64>>,
    /// Per column its codes for the rows.
    codes: Vec<Kept<u32>>,
    /// Per column of few texts, the rows of each text, then those of any: sets one after another.
    groups: Vec<Kept<u64>>,
}

/// Values of the rows that the view looked at when it said `of`.
#[derive(Debug, Default, Clone)]
struct Kept<T> {
    of: u64,
    values: Vec<T>,
}

impl View {
    /// Looks at these rows.
    pub(crate) fn look_at(&mut self, rows: impl Iterator<Item = u32>) {
        self.rows.clear();
        self.rows.extend(rows);
        self.now += 1;
    }

    /// The rows: bit `i` of a set stands for row `i` of these.
    pub(crate) fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// Keeps in `set` the rows on which the literal is `wanted`.
    pub(crate) fn meet(&mut self, bound: &Bound<'_>, ask: Ask, wanted: bool, set: &mut [u64]) {
        match ask {
            Ask::Never => {
                if wanted {
                    set.fill(0);
                }
            }
            Ask::Always => {
                if !wanted {
                    set.fill(0);
                }
            }
            Ask::Below(lane, t) => self.meet_number(bound, lane, wanted, set, |x| x < t),
            Ask::AtLeast(lane, t) => self.meet_number(bound, lane, wanted, set, |x| x >= t),
            Ask::Zero(lane) => self.meet_number(bound, lane, wanted, set, |x| x == 0.0),
            Ask::NotZero(lane) => self.meet_number(bound, lane, wanted, set, |x| x.abs() > 0.0),
            Ask::Special(index) => {
                if let Some((lane, special)) = bound.program.specials.get(index as usize) {
                    self.meet_number(bound, *lane, wanted, set, |x| special.holds(x));
                }
            }
            Ask::Text { slot, negated } => self.meet_text(bound, slot, negated, wanted, set),
        }
    }

    #[inline]
    fn meet_number(
        &mut self,
        bound: &Bound<'_>,
        lane: u32,
        wanted: bool,
        set: &mut [u64],
        holds: impl Fn(f64) -> bool,
    ) {
        if let Some(Lane::Texts(values, column)) = bound.lanes.get(lane as usize)
            && values.len() <= GROUPED_TEXTS
        {
            let texts =
                values.iter().enumerate().fold(0, |set, (code, x)| set | u64::from(holds(*x)) << code);
            self.meet_groups(bound, *column, texts, wanted, set);
            return;
        }
        let flip = if wanted { 0 } else { !0 };
        let (blocks, _) = self.lane(bound, lane).as_chunks::<64>();
        for (word, block) in set.iter_mut().zip(blocks) {
            if *word != 0 {
                *word &= block_where(block, &holds) ^ flip;
            }
        }
    }

    fn meet_text(&mut self, bound: &Bound<'_>, slot: u32, negated: bool, wanted: bool, set: &mut [u64]) {
        let Some((column, _)) = bound.program.texts.get(slot as usize) else { return };
        let (_, dictionary) = bound.text(*column);
        let flip = if wanted { 0 } else { !0 };
        let Some(answers) = bound.answers(slot, self.rows.len()) else {
            let ask = Ask::Text { slot, negated };
            for (word, rows) in set.iter_mut().zip(self.rows.chunks(64)) {
                let mut left = *word;
                while left != 0 {
                    let place = left.trailing_zeros();
                    left &= left - 1;
                    let row = rows.get(place as usize).copied().unwrap_or(u32::MAX);
                    if bound.holds(ask, row) != wanted {
                        *word &= !(1 << place);
                    }
                }
            }
            return;
        };
        if dictionary.len() <= GROUPED_TEXTS {
            let texts = answers.iter().enumerate();
            let texts = texts.fold(0, |set, (code, plain)| set | u64::from(*plain != negated) << code);
            self.meet_groups(bound, *column, texts, wanted, set);
            return;
        }
        let (blocks, _) = self.codes(bound, *column).as_chunks::<64>();
        for (word, block) in set.iter_mut().zip(blocks) {
            if *word != 0 {
                let holds = |code| answers.get(code as usize).is_some_and(|plain| *plain != negated);
                *word &= block_where(block, &holds) ^ flip;
            }
        }
    }

    /// Keeps the rows whose text is one of `texts`, a set of codes, or those whose isn't.
    fn meet_groups(&mut self, bound: &Bound<'_>, column: usize, texts: u64, wanted: bool, set: &mut [u64]) {
        let width = words(self.rows.len());
        let groups = self.groups(bound, column);
        // The last group is that of all rows that have a text.
        let known = (groups.len() / width.max(1)).saturating_sub(1);
        let all = if known < 64 { (1 << known) - 1 } else { !0 };
        let others = !texts & all;
        let by_others = others.count_ones() < (texts & all).count_ones();
        let asked = if by_others { others } else { texts & all };
        for (index, word) in set.iter_mut().enumerate() {
            if *word == 0 {
                continue;
            }
            let of = |code: usize| groups.get(code * width + index).copied().unwrap_or(0);
            let mut left = asked;
            let mut here = 0;
            while left != 0 {
                here |= of(left.trailing_zeros() as usize);
                left &= left - 1;
            }
            if by_others {
                here = of(known) & !here;
            }
            *word &= if wanted { here } else { !here };
        }
    }

    fn lane(&mut self, bound: &Bound<'_>, lane: u32) -> &[f64] {
        let kept = slot(&mut self.lanes, lane as usize, bound.lanes.len());
        if kept.of != self.now {
            kept.of = self.now;
            let rows = self.rows.iter().copied();
            match bound.lanes.get(lane as usize) {
                Some(Lane::Column(values)) => {
                    refill(&mut kept.values, rows.map(|row| at(values, row)), f64::NAN)
                }
                Some(Lane::Rows(values)) => {
                    refill(&mut kept.values, rows.map(|row| at(values, row)), f64::NAN)
                }
                Some(Lane::Texts(values, column)) => {
                    let codes = bound.text(*column).0;
                    refill(&mut kept.values, rows.map(|row| at(values, code_at(codes, row))), f64::NAN);
                }
                None => kept.values.clear(),
            }
        }
        &kept.values
    }

    fn codes(&mut self, bound: &Bound<'_>, column: usize) -> &[u32] {
        let kept = slot(&mut self.codes, column, bound.columns.len());
        if kept.of != self.now {
            kept.of = self.now;
            let codes = bound.text(column).0;
            refill(&mut kept.values, self.rows.iter().map(|row| code_at(codes, *row)), MISSING_CODE);
        }
        &kept.values
    }

    fn groups(&mut self, bound: &Bound<'_>, column: usize) -> &[u64] {
        let kept = slot(&mut self.groups, column, bound.columns.len());
        if kept.of != self.now {
            kept.of = self.now;
            let (codes, dictionary) = bound.text(column);
            let width = words(self.rows.len());
            kept.values.clear();
            kept.values.resize((dictionary.len() + 1) * width, 0);
            for (place, row) in self.rows.iter().enumerate() {
                let code = code_at(codes, *row) as usize;
                if code < dictionary.len() {
                    insert(&mut kept.values[code * width..], place);
                    insert(&mut kept.values[dictionary.len() * width..], place);
                }
            }
        }
        &kept.values
    }
}

/// The place of a lane or column; made when it is first asked for.
fn slot<T: Clone + Default>(kept: &mut Vec<Kept<T>>, index: usize, count: usize) -> &mut Kept<T> {
    if kept.len() <= index {
        kept.resize(count.max(index + 1), Kept::default());
    }
    &mut kept[index]
}

fn refill<T: Copy>(into: &mut Vec<T>, values: impl Iterator<Item = T>, rest: T) {
    into.clear();
    into.extend(values);
    into.resize(into.len().next_multiple_of(64), rest);
}

/// The bits of the values that a question holds for: first a byte each, which goes many at a time, then packed.
#[inline]
fn block_where<T: Copy>(values: &[T; 64], holds: &impl Fn(T) -> bool) -> u64 {
    let mut bytes = [0_u8; 64];
    for (byte, value) in bytes.iter_mut().zip(values) {
        *byte = u8::from(holds(*value));
    }
    let (eights, _) = bytes.as_chunks::<8>();
    let mut word = 0;
    for (place, eight) in eights.iter().enumerate() {
        // Byte i, which is 0 or 1, comes to bit 56 + i of the product; no two terms meet.
        let product = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080);
        word |= (product >> 56) << (8 * place);
    }
    word
}
