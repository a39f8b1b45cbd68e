//! Sets of small numbers as blocks of 64 bits.
//!
//! A set over `n` members is `words(n)` blocks; bits from `n` on are zero in every set that is counted. The blocks
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

/// How many members there are.
#[inline]
pub(crate) fn count(set: &[u64]) -> usize {
    set.iter().map(|block| block.count_ones() as usize).sum()
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

/// Turns every bit of the blocks, those beyond the last member too: only for sets that are met with another before
/// they are counted.
#[inline]
pub(crate) fn complement(set: &mut [u64]) {
    for block in set {
        *block = !*block;
    }
}

/// Whether `a | b` holds all of `wanted`.
#[inline]
pub(crate) fn union_covers(a: &[u64], b: &[u64], wanted: &[u64]) -> bool {
    a.iter().zip(b).zip(wanted).all(|((a, b), wanted)| wanted & !(a | b) == 0)
}

/// The member with `rank` members below it; `None` when there are not that many.
#[inline]
pub(crate) fn nth(set: &[u64], mut rank: usize) -> Option<usize> {
    for (index, &block) in set.iter().enumerate() {
        let here = block.count_ones() as usize;
        if rank < here {
            let mut block = block;
            for _ in 0..rank {
                block &= block - 1;
            }
            return Some(index * 64 + block.trailing_zeros() as usize);
        }
        rank -= here;
    }
    None
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
            prop_assert_eq!(count(&x), a.len());
            prop_assert_eq!(members(&x).collect::<Vec<_>>(), a.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(nth(&x, rank), a.iter().nth(rank).copied());
            let (hits, rest) = hits_and_rest(&x, &y, &z);
            prop_assert_eq!(hits, count_common(&x, &y));
            prop_assert_eq!(hits, a.intersection(&b).count() as u64);
            prop_assert_eq!(rest, c.difference(&a).count() as u64);
            let union: BTreeSet<_> = a.union(&b).copied().collect();
            prop_assert_eq!(union_covers(&x, &y, &z), c.is_subset(&union));
            let mut both = x.clone();
            insert_all(&mut both, &y);
            prop_assert_eq!(&both, &set(&union));
            remove_all(&mut both, &z);
            prop_assert_eq!(both, set(&union.difference(&c).copied().collect()));
            let mut other = x.clone();
            complement(&mut other);
            prop_assert_eq!(hits_and_rest(&other, &y, &z).0, b.difference(&a).count() as u64);
        }
    }
}
