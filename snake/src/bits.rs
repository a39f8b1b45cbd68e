//! Sets of small numbers as blocks of 64 bits.
//!
//! A set over `n` members is `words(n)` blocks; of sets that are counted together, bits from `n` on are zero in one at least. The blocks
//! are plain slices, so that many sets can lie in one buffer.

/// How many blocks a set over `n` members takes.
pub(crate) const fn words(n: usize) -> usize {
    n.div_ceil(64)
}

/// Puts a member in.
#[inline]
pub(crate) fn insert(set: &mut [u64], member: usize) {
    set[member / 64] |= 1 << (member % 64);
}

/// Puts the first `n` in; nothing else is taken out or put in.
pub(crate) fn insert_first(set: &mut [u64], n: usize) {
    for (index, block) in set.iter_mut().enumerate().take(words(n)) {
        let here = n - index * 64;
        *block |= if here < 64 { (1 << here) - 1 } else { !0 };
    }
}

/// How many members two sets have in common.
#[inline]
pub(crate) fn count_common(a: &[u64], b: &[u64]) -> u64 {
    a.iter().zip(b).map(|(a, b)| u64::from((a & b).count_ones())).sum()
}

/// Sizes of `hit & wanted` and of `kept - hit`, in one pass.
#[inline]
pub(crate) fn hits_and_rest(hit: &[u64], wanted: &[u64], kept: &[u64]) -> (u64, u64) {
    let mut hits = 0;
    let mut rest = 0;
    for ((&h, &w), &k) in hit.iter().zip(wanted).zip(kept) {
        hits += u64::from((h & w).count_ones());
        rest += u64::from((k & !h).count_ones());
    }
    (hits, rest)
}

/// `set -= other`.
#[inline]
pub(crate) fn remove_all(set: &mut [u64], other: &[u64]) {
    for (block, other) in set.iter_mut().zip(other) {
        *block &= !other;
    }
}

/// `set |= other`.
#[inline]
pub(crate) fn insert_all(set: &mut [u64], other: &[u64]) {
    for (block, other) in set.iter_mut().zip(other) {
        *block |= other;
    }
}

/// Whether `a | b` holds all of `wanted`.
#[inline]
pub(crate) fn union_covers(a: &[u64], b: &[u64], wanted: &[u64]) -> bool {
    a.iter().zip(b).zip(wanted).all(|((a, b), wanted)| wanted & !(a | b) == 0)
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
    let mut block = *set.get(index)?;
    let before = index.checked_sub(1).map_or(0, |before| sums[before]);
    let mut rest = rank - before;
    // Down to the byte by halves, then bit by bit.
    let mut shift = 0;
    for width in [32, 16, 8] {
        let low = (block & ((1 << width) - 1)).count_ones();
        if rest >= low {
            rest -= low;
            block >>= width;
            shift += width;
        }
    }
    for _ in 0..rest {
        block &= block - 1;
    }
    Some(index * 64 + shift + block.trailing_zeros() as usize)
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

/// The members, ascending.
pub(crate) fn members(set: &[u64]) -> impl Iterator<Item = usize> + '_ {
    set.iter().enumerate().flat_map(|(index, &block)| {
        let mut block = block;
        std::iter::from_fn(move || {
            (block != 0).then(|| {
                let member = index * 64 + block.trailing_zeros() as usize;
                block &= block - 1;
                member
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    use super::*;

    const SIZE: usize = 150;

    fn set(members: &BTreeSet<usize>) -> Vec<u64> {
        let mut set = vec![0; words(SIZE)];
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
            prop_assert_eq!(hits, count_common(&x, &y));
            prop_assert_eq!(hits, a.intersection(&b).count() as u64);
            prop_assert_eq!(rest, c.difference(&a).count() as u64);
            let union: BTreeSet<_> = a.union(&b).copied().collect();
            prop_assert_eq!(union_covers(&x, &y, &z), c.is_subset(&union));
            let mut both = x.clone();
            insert_all(&mut both, &y);
            prop_assert_eq!(&both, &set(&union));
            let mut kept = both.clone();
            retain(&mut kept, |member| a.contains(&member));
            prop_assert_eq!(kept, x);
            remove_all(&mut both, &z);
            prop_assert_eq!(both, set(&union.difference(&c).copied().collect()));
        }
    }
}
