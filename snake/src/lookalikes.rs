//! Who votes, and when: the lookalike entries of a bucket, flat.
//!
//! A bucket of a large model has hundreds of thousands of vote conditions, nearly all of one clause. So they lie one after
//! another in a few lists instead of in a list of lists.

use serde::ser::{Serialize, SerializeSeq, Serializer};

use crate::bits;

/// One condition under which a member votes: positions of clauses that must all be false on the row.
/// Empty: always votes.
pub type VoteCondition = Vec<u32>;

/// Lookalike entries in file order: member positions, each with the conditions under which the member votes.
///
/// Entries are only added, at the end. Equal when they hold the same entries in the same order. There is room for
/// `u32::MAX` conditions in all, which is more than any memory holds: further ones are not added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lookalikes {
    /// Per entry where its conditions end: in `clauses`, or in the ends of `borders`.
    ends: Vec<u32>,
    /// Per entry the member's position; empty as long as every entry's is its own place in the list.
    positions: Vec<u32>,
    /// Where the clauses of each condition end.
    borders: Borders,
    /// The clauses of all conditions.
    clauses: Vec<u32>,
    conditions: u32,
}

/// Where conditions end, as small as what they hold allows; what they hold alone decides which it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Borders {
    /// Every condition has exactly one clause.
    #[default]
    Each,
    /// None is empty: the set of the places of last clauses.
    Marks(Vec<u64>),
    /// The end of each.
    Ends(Vec<u32>),
}

#[allow(clippy::cast_possible_truncation)] // no more entries or conditions than u32::MAX
impl Lookalikes {
    /// No entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes all entries out; their room is used again.
    pub(crate) fn clear(&mut self) {
        self.ends.clear();
        self.positions.clear();
        self.borders = Borders::Each;
        self.clauses.clear();
        self.conditions = 0;
    }

    /// Begins the entry of a member, by its position in the members: so far it never votes.
    pub fn begin(&mut self, position: u32) {
        let place = self.ends.len();
        if self.positions.is_empty() && position as usize != place {
            self.positions.extend(0..place as u32);
            self.positions.push(position);
        } else if !self.positions.is_empty() {
            self.positions.push(position);
        }
        self.ends.push(self.end());
    }

    /// Adds a condition to the entry begun last. Without an entry it is not added.
    pub fn push(&mut self, condition: &[u32]) {
        let full =
            self.clauses.len() + condition.len() >= u32::MAX as usize || self.conditions >= u32::MAX - 1;
        if full || self.ends.is_empty() {
            return;
        }
        match condition.len() {
            0 => self.note_ends(),
            1 => (),
            _ => self.note_marks(),
        }
        self.clauses.extend_from_slice(condition);
        self.conditions += 1;
        let clauses = self.clauses.len();
        match &mut self.borders {
            Borders::Each => (),
            Borders::Marks(marks) => {
                marks.resize(bits::words(clauses), 0);
                bits::insert(marks, clauses - 1);
            }
            Borders::Ends(ends) => ends.push(clauses as u32),
        }
        let end = self.end();
        if let Some(last) = self.ends.last_mut() {
            *last = end;
        }
    }

    /// Where the next condition begins.
    fn end(&self) -> u32 {
        match &self.borders {
            Borders::Each | Borders::Marks(_) => self.clauses.len() as u32,
            Borders::Ends(ends) => ends.len() as u32,
        }
    }

    /// Makes room for conditions of several clauses.
    fn note_marks(&mut self) {
        if self.borders == Borders::Each {
            let mut marks = vec![0; bits::words(self.clauses.len())];
            bits::insert_range(&mut marks, 0..self.clauses.len());
            self.borders = Borders::Marks(marks);
        }
    }

    /// Makes room for empty conditions.
    fn note_ends(&mut self) {
        let ends = match &self.borders {
            Borders::Ends(_) => return,
            Borders::Each => (1..=self.clauses.len() as u32).collect(),
            Borders::Marks(marks) => {
                let ends: Vec<u32> = bits::members(marks).map(|last| last as u32 + 1).collect();
                for end in &mut self.ends {
                    *end = ends.partition_point(|other| other <= end) as u32;
                }
                ends
            }
        };
        self.borders = Borders::Ends(ends);
    }

    /// Gives back the room that was left for more.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.ends.shrink_to_fit();
        self.positions.shrink_to_fit();
        match &mut self.borders {
            Borders::Each => (),
            Borders::Marks(marks) => marks.shrink_to_fit(),
            Borders::Ends(ends) => ends.shrink_to_fit(),
        }
        self.clauses.shrink_to_fit();
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// How many conditions all entries have together.
    #[must_use]
    pub fn conditions(&self) -> usize {
        self.conditions as usize
    }

    /// An entry: the member's position and its conditions.
    #[must_use]
    pub fn get(&self, entry: usize) -> Option<(u32, Conditions<'_>)> {
        let end = *self.ends.get(entry)? as usize;
        let next =
            entry.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |&end| end as usize);
        Some((self.position(entry), Conditions { all: self, next, end }))
    }

    /// The entries in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u32, Conditions<'_>)> + Clone + '_ {
        let mut start = 0;
        self.ends.iter().enumerate().map(move |(entry, &end)| {
            let next = std::mem::replace(&mut start, end as usize);
            (self.position(entry), Conditions { all: self, next, end: end as usize })
        })
    }

    #[inline]
    fn position(&self, entry: usize) -> u32 {
        self.positions.get(entry).copied().unwrap_or(entry as u32)
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

    /// The condition that begins here, and where the one after it does.
    #[inline]
    fn condition(&self, start: usize) -> (&[u32], usize) {
        let (range, next) = match &self.borders {
            Borders::Each => (start..start + 1, start + 1),
            Borders::Marks(marks) => {
                let last = bits::first_from(marks, start).unwrap_or(start);
                (start..last + 1, last + 1)
            }
            Borders::Ends(ends) => {
                let end = |index: usize| ends.get(index).map_or(0, |&end| end as usize);
                (start.checked_sub(1).map_or(0, end)..end(start), start + 1)
            }
        };
        (self.clauses.get(range).unwrap_or(&[]), next)
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
            let (condition, next) = self.all.condition(self.next);
            self.next = next;
            condition
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = match &self.all.borders {
            Borders::Each | Borders::Ends(_) => self.end.saturating_sub(self.next),
            Borders::Marks(marks) => bits::count_range(marks, self.next..self.end),
        };
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
            least in 0..2_usize,
            single in any::<bool>(),
        ) {
            let mut lists = lists;
            for condition in lists.iter_mut().flat_map(|entry| &mut entry.1) {
                condition.resize(condition.len().max(least), 8);
            }
            if single {
                lists.iter_mut().flat_map(|entry| &mut entry.1).for_each(|condition| condition.resize(1, 7));
            }
            let flat: Lookalikes = lists.clone().into_iter().collect();
            prop_assert_eq!(flat.to_lists(), lists.clone());
            prop_assert_eq!(flat.len(), lists.len());
            prop_assert_eq!(flat.conditions(), lists.iter().map(|entry| entry.1.len()).sum::<usize>());
            let lengths: Vec<usize> = lists.iter().flat_map(|entry| entry.1.iter().map(Vec::len)).collect();
            match flat.borders {
                Borders::Each => prop_assert!(lengths.iter().all(|&length| length == 1)),
                Borders::Marks(_) => prop_assert!(lengths.iter().all(|&length| length > 0)),
                Borders::Ends(_) => prop_assert!(lengths.contains(&0)),
            }
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
