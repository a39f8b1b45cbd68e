//! Sets of small numbers as blocks of 64 bits.
//!
//! A set over `n` members is `words(n)` blocks; of sets that are counted together, bits from `n` on are zero in one at least. The blocks
//! are plain slices, so that many sets can lie in one buffer.

use std::ops::Range;

/// How many blocks a set over `n` members takes.
pub(crate) const fn words(n: usize) -> usize {
    n.div_ceil(64)
}

/// Puts a member in.
#[inline]
pub(crate) fn insert(set: &mut [u64], member: usize) {
    set[member / 64] |= 1 << (member % 64);
}

/// Blocks that are worked on together: lengths that are a multiple of it leave no remainder to a loop.
pub(crate) const LANE: usize = 4;

/// As [`words`], in whole lanes.
pub(crate) const fn whole_lanes(n: usize) -> usize {
    n.div_ceil(64 * LANE) * LANE
}

/// Puts the members of a range in; nothing else is taken out or put in.
pub(crate) fn insert_range(set: &mut [u64], range: Range<usize>) {
    if range.is_empty() {
        return;
    }
    let (first, last) = (range.start / 64, (range.end - 1) / 64);
    let low = !0 << (range.start % 64);
    let high = !0 >> (63 - (range.end - 1) % 64);
    if first == last {
        set[first] |= low & high;
        return;
    }
    set[first] |= low;
    set[first + 1..last].fill(!0);
    set[last] |= high;
}

/// Sizes of `hit & wanted` and of `kept - hit`, in one pass. Sets of whole lanes.
#[inline]
pub(crate) fn hits_and_rest(hit: &[u64], wanted: &[u64], kept: &[u64]) -> (u64, u64) {
    let (hit, wanted, kept) = (lanes(hit), lanes(wanted), lanes(kept));
    let mut hits = 0;
    let mut rest = 0;
    for ((h, w), k) in hit.iter().zip(wanted).zip(kept) {
        for lane in 0..LANE {
            hits += u64::from((h[lane] & w[lane]).count_ones());
            rest += u64::from((k[lane] & !h[lane]).count_ones());
        }
    }
    (hits, rest)
}

/// A set of whole lanes, lane by lane.
#[inline]
pub(crate) fn lanes(set: &[u64]) -> &[[u64; LANE]] {
    set.as_chunks().0
}

/// As [`lanes`].
#[inline]
pub(crate) fn lanes_mut(set: &mut [u64]) -> &mut [[u64; LANE]] {
    set.as_chunks_mut().0
}

/// `set -= other`.
#[inline]
pub(crate) fn remove_all(set: &mut [u64], other: &[u64]) {
    for (block, other) in set.iter_mut().zip(other) {
        *block &= !other;
    }
}

/// Whether `set` holds all of `wanted`.
#[inline]
pub(crate) fn covers(set: &[u64], wanted: &[u64]) -> bool {
    set.iter().zip(wanted).all(|(set, wanted)| wanted & !set == 0)
}

/// Sets `sums` to the numbers of members up to and with each block; the last one is the set's size.
#[inline]
pub(crate) fn sum_up(set: &[u64], sums: &mut [u32]) -> usize {
    let mut sum = 0;
    for (block, place) in set.iter().zip(sums) {
        sum += block.count_ones();
        *place = sum;
    }
    sum as usize
}

/// The member with `rank` members below it, of a set with these sums; `None` when there are not that many.
#[inline]
pub(crate) fn nth(set: &[u64], sums: &[u32], rank: usize) -> Option<usize> {
    let rank = u32::try_from(rank).ok()?;
    let index = sums.iter().filter(|&&sum| sum <= rank).count();
    let block = *set.get(index)?;
    let before = index.checked_sub(1).map_or(0, |before| sums[before]);
    Some(index * 64 + nth_of_block(block, rank - before))
}

/// The bit with `rank` bits below it in a block that has more than that: counts of all bytes at once, then a table. A branch
/// here would be one that chance decides.
#[inline]
#[allow(clippy::cast_possible_truncation)] // the lowest byte is meant
fn nth_of_block(block: u64, rank: u32) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let pairs = block - (block >> 1 & 0x5555_5555_5555_5555);
    let quads = (pairs & 0x3333_3333_3333_3333) + (pairs >> 2 & 0x3333_3333_3333_3333);
    let bytes = (quads + (quads >> 4)) & 0x0f0f_0f0f_0f0f_0f0f;
    // Per byte, the bits up to and with it: at most 64, so that there is a bit to spare.
    let sums = bytes.wrapping_mul(ONES);
    let rank = u64::from(rank);
    let below = (((rank * ONES) | HIGHS) - sums) & HIGHS;
    let shift = 8 * below.count_ones() % 64;
    let rest = rank - (sums << 8 >> shift & 0xff);
    let byte = (block >> shift) as u8;
    shift as usize + usize::from(NTH_OF_BYTE[rest as usize % 8][usize::from(byte)])
}

/// By rank and byte, the bit of the byte with that many bits below it.
static NTH_OF_BYTE: [[u8; 256]; 8] = nth_of_byte();

#[allow(clippy::cast_possible_truncation)] // below 256 and 8
const fn nth_of_byte() -> [[u8; 256]; 8] {
    let mut table = [[0; 256]; 8];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut rank) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                table[rank][byte] = bit as u8;
                rank += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    table
}

/// Takes the members out for which `keep` is false.
#[inline]
pub(crate) fn retain(set: &mut [u64], mut keep: impl FnMut(usize) -> bool) {
    for (index, block) in set.iter_mut().enumerate() {
        let mut left = *block;
        while left != 0 {
            if !keep(index * 64 + left.trailing_zeros() as usize) {
                *block ^= left & left.wrapping_neg();
            }
            left &= left - 1;
        }
    }
}

/// The first member from this one on.
#[inline]
pub(crate) fn first_from(set: &[u64], from: usize) -> Option<usize> {
    let mut index = from / 64;
    let mut block = set.get(index)? & (!0 << (from % 64));
    while block == 0 {
        index += 1;
        block = *set.get(index)?;
    }
    Some(index * 64 + block.trailing_zeros() as usize)
}

/// How many members lie in a range.
pub(crate) fn count_range(set: &[u64], range: Range<usize>) -> usize {
    if range.is_empty() {
        return 0;
    }
    let (first, last) = (range.start / 64, (range.end - 1) / 64);
    let blocks = set.get(first..=last).unwrap_or(&[]);
    let count: usize = blocks.iter().map(|block| block.count_ones() as usize).sum();
    let below = blocks.first().map_or(0, |block| (block & !(!0 << (range.start % 64))).count_ones() as usize);
    let above =
        blocks.last().map_or(0, |block| (block & !(!0 >> (63 - (range.end - 1) % 64))).count_ones() as usize);
    count - below - above
}

/// The members, ascending.
#[inline]
pub(crate) fn members(set: &[u64]) -> impl Iterator<Item = usize> + '_ {
    let mut blocks = set.iter();
    let mut block = 0_u64;
    let mut start = 0_usize.wrapping_sub(64);
    std::iter::from_fn(move || {
        while block == 0 {
            block = *blocks.next()?;
            start = start.wrapping_add(64);
        }
        let member = start + block.trailing_zeros() as usize;
        block &= block - 1;
        Some(member)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    use super::*;

    const SIZE: usize = 150;

    fn set(members: &BTreeSet<usize>) -> Vec<u64> {
        let mut set = vec![0; whole_lanes(SIZE)];
        members.iter().for_each(|&m| insert(&mut set, m));
        set
    }

    fn some() -> impl Strategy<Value = BTreeSet<usize>> {
        proptest::collection::btree_set(0..SIZE, 0..SIZE)
    }

    proptest! {
        #[test]
        fn agrees_with_an_ordered_set(a in some(), b in some(), c in some(), rank in 0..SIZE) {
            let (x, y, z) = (set(&a), set(&b), set(&c));
            prop_assert_eq!(members(&x).collect::<Vec<_>>(), a.iter().copied().collect::<Vec<_>>());
            let mut sums = vec![0; x.len()];
            prop_assert_eq!(sum_up(&x, &mut sums), a.len());
            prop_assert_eq!(nth(&x, &sums, rank), a.iter().nth(rank).copied());
            let (hits, rest) = hits_and_rest(&x, &y, &z);
            prop_assert_eq!(hits, a.intersection(&b).count() as u64);
            prop_assert_eq!(rest, c.difference(&a).count() as u64);
            prop_assert_eq!(covers(&x, &y), b.is_subset(&a));
            let mut less = x.clone();
            remove_all(&mut less, &z);
            prop_assert_eq!(less, set(&a.difference(&c).copied().collect()));
            let mut kept = x.clone();
            retain(&mut kept, |member| c.contains(&member));
            prop_assert_eq!(kept, set(&a.intersection(&c).copied().collect()));
        }

        #[test]
        fn the_nth_bit(block in any::<u64>(), dense in any::<u64>()) {
            for block in [block, block & dense, block | dense, !0, 1, 1 << 63] {
                for (rank, bit) in (0..).zip(members(&[block])) {
                    prop_assert_eq!(nth_of_block(block, rank), bit);
                }
            }
        }

        #[test]
        fn a_range_is_its_members(a in some(), from in 0..SIZE, to in 0..=SIZE) {
            let mut ranged = set(&a);
            insert_range(&mut ranged, from..to);
            prop_assert_eq!(ranged, set(&a.iter().copied().chain(from..to).collect()));
            prop_assert_eq!(count_range(&set(&a), from..to), a.iter().filter(|&&one| from <= one && one < to).count());
            prop_assert_eq!(first_from(&set(&a), from), a.iter().copied().filter(|&one| one >= from).min());
        }
    }
}
