//! Who votes, and when: the lookalike entries of a bucket, flat.
//!
//! A bucket of a large model has hundreds of thousands of vote conditions, nearly all of one clause. So they lie one after
//! another in a few lists instead of in a list of lists.

use serde::ser::{Serialize, SerializeSeq, Serializer};

/// One condition under which a member votes: positions of clauses that must all be false on the row.
/// Empty: always votes.
pub type VoteCondition = Vec<u32>;

/// Lookalike entries in file order: member positions, each with the conditions under which the member votes.
///
/// Entries are only added, at the end. Equal when they hold the same entries in the same order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lookalikes {
    /// Per entry the member's position, and where its conditions end.
    entries: Vec<(u32, usize)>,
    /// Where the clauses of each condition end; empty as long as every condition has exactly one clause.
    bounds: Vec<usize>,
    /// How many conditions there are.
    conditions: usize,
    /// The clauses of all conditions.
    clauses: Vec<u32>,
}

impl Lookalikes {
    /// No entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// No entries yet, with room for so many and for so many conditions of one clause.
    #[must_use]
    pub fn with_capacity(entries: usize, conditions: usize) -> Self {
        Self {
            entries: Vec::with_capacity(entries),
            bounds: Vec::new(),
            conditions: 0,
            clauses: Vec::with_capacity(conditions),
        }
    }

    /// Begins the entry of a member, by its position in the members: so far it never votes.
    pub fn begin(&mut self, position: u32) {
        self.entries.push((position, self.conditions));
    }

    /// Adds a condition to the entry begun last. Without an entry it is not added.
    pub fn push(&mut self, condition: &[u32]) {
        let Some((_, end)) = self.entries.last_mut() else { return };
        if condition.len() != 1 && self.bounds.is_empty() {
            self.bounds.extend(1..=self.conditions);
        }
        self.clauses.extend_from_slice(condition);
        self.conditions += 1;
        *end = self.conditions;
        if condition.len() != 1 || !self.bounds.is_empty() {
            self.bounds.push(self.clauses.len());
        }
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many conditions all entries have together.
    #[must_use]
    pub fn conditions(&self) -> usize {
        self.conditions
    }

    /// An entry: the member's position and its conditions.
    #[must_use]
    pub fn get(&self, entry: usize) -> Option<(u32, Conditions<'_>)> {
        let (position, end) = *self.entries.get(entry)?;
        let start = entry.checked_sub(1).and_then(|before| self.entries.get(before)).map_or(0, |e| e.1);
        Some((position, Conditions { all: self, next: start, end }))
    }

    /// The entries in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u32, Conditions<'_>)> + Clone + '_ {
        let mut start = 0;
        self.entries.iter().map(move |&(position, end)| {
            let next = std::mem::replace(&mut start, end);
            (position, Conditions { all: self, next, end })
        })
    }

    /// All clause positions of all conditions, in order, without the borders between them.
    #[must_use]
    pub fn clauses(&self) -> &[u32] {
        &self.clauses
    }

    /// The entries as lists, to be changed and collected again.
    #[must_use]
    pub fn to_lists(&self) -> Vec<(u32, Vec<VoteCondition>)> {
        self.iter()
            .map(|(position, conditions)| (position, conditions.map(<[u32]>::to_vec).collect()))
            .collect()
    }

    /// Changes the entries as lists: for tests and tools, since it copies all of them.
    pub fn edit(&mut self, change: impl FnOnce(&mut Vec<(u32, Vec<VoteCondition>)>)) {
        let mut lists = self.to_lists();
        change(&mut lists);
        *self = lists.into_iter().collect();
    }

    fn condition(&self, index: usize) -> &[u32] {
        let (start, end) = if self.bounds.is_empty() {
            (index, index + 1)
        } else {
            let start = index.checked_sub(1).and_then(|before| self.bounds.get(before));
            (start.copied().unwrap_or(0), self.bounds.get(index).copied().unwrap_or(0))
        };
        self.clauses.get(start..end).unwrap_or(&[])
    }
}

impl FromIterator<(u32, Vec<VoteCondition>)> for Lookalikes {
    fn from_iter<I: IntoIterator<Item = (u32, Vec<VoteCondition>)>>(lists: I) -> Self {
        let mut lookalikes = Self::new();
        for (position, conditions) in lists {
            lookalikes.begin(position);
            conditions.iter().for_each(|condition| lookalikes.push(condition));
        }
        lookalikes
    }
}

/// The conditions of an entry, in order: clause positions each.
#[derive(Debug, Clone)]
pub struct Conditions<'a> {
    all: &'a Lookalikes,
    next: usize,
    end: usize,
}

impl<'a> Conditions<'a> {
    /// None at all: never votes.
    pub(crate) fn none(all: &'a Lookalikes) -> Self {
        Self { all, next: 0, end: 0 }
    }
}

impl<'a> Iterator for Conditions<'a> {
    type Item = &'a [u32];

    #[inline]
    fn next(&mut self) -> Option<&'a [u32]> {
        (self.next < self.end).then(|| {
            self.next += 1;
            self.all.condition(self.next - 1)
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.end.saturating_sub(self.next);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Conditions<'_> {}

/// As the file has them: `[[clause, ..], ..]`.
impl Serialize for Conditions<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.len()))?;
        for condition in self.clone() {
            list.serialize_element(condition)?;
        }
        list.end()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn holds_what_lists_hold(
            lists in proptest::collection::vec(
                (0..50_u32, proptest::collection::vec(proptest::collection::vec(0..9_u32, 0..3), 0..4)), 0..8,
            ),
            single in any::<bool>(),
        ) {
            let mut lists = lists;
            if single {
                lists.iter_mut().flat_map(|entry| &mut entry.1).for_each(|condition| condition.resize(1, 7));
            }
            let flat: Lookalikes = lists.clone().into_iter().collect();
            prop_assert_eq!(flat.to_lists(), lists.clone());
            prop_assert_eq!(flat.len(), lists.len());
            prop_assert_eq!(flat.conditions(), lists.iter().map(|entry| entry.1.len()).sum::<usize>());
            prop_assert_eq!(single, flat.bounds.is_empty() && single);
            for (index, (position, conditions)) in lists.iter().enumerate() {
                let (found, listed) = flat.get(index).unwrap();
                prop_assert_eq!(found, *position);
                prop_assert_eq!(listed.len(), conditions.len());
                prop_assert!(listed.eq(conditions.iter().map(Vec::as_slice)));
            }
            prop_assert!(flat.get(lists.len()).is_none());
        }
    }

    #[test]
    fn one_empty_condition_is_not_one_clause() {
        let mut flat = Lookalikes::new();
        flat.push(&[3]);
        assert!(flat.is_empty() && flat.conditions() == 0);
        flat.begin(0);
        flat.push(&[]);
        flat.push(&[4]);
        assert_eq!(flat.to_lists(), [(0, vec![vec![], vec![4]])]);
    }
}
