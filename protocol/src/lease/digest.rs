//! Comparing two tables without sending them.

use serde::{Deserialize, Serialize};

/// Units per group of a digest.
pub(crate) const GROUP: usize = 64;
/// Groups of heartbeats, by the upper bits of the signer's key.
pub(crate) const HEARTBEAT_GROUPS: usize = 16;
/// The group of delegations and the word that the run is complete.
pub(crate) const GENERAL: usize = 0;
/// The first group of units.
pub(crate) const FIRST_UNITS: usize = 1 + HEARTBEAT_GROUPS;

/// What a table holds, as one sum per group of statements: peers exchange the groups whose sums differ.
///
/// A sum is not a commitment: somebody who can choose many statements could make two different groups look the same,
/// and would gain that they reach somebody by gossip only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// 16 bytes per group, little endian.
    #[serde(rename = "s", with = "serde_bytes")]
    sums: Vec<u8>,
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Digest({} groups, {})", self.sums.len() / 16, blake3::hash(&self.sums).to_hex().split_at(8).0)
    }
}

impl Digest {
    /// A digest that differs from every table's: the answer is all there is.
    #[must_use]
    pub fn unknown() -> Self {
        Self { sums: Vec::new() }
    }

    pub(crate) fn of(sums: &Sums) -> Self {
        Self { sums: sums.0.iter().flat_map(|sum| sum.to_le_bytes()).collect() }
    }

    /// The groups in which a table with these sums differs. A digest of another shape differs everywhere.
    pub(crate) fn differs(&self, sums: &Sums) -> Vec<usize> {
        let same_shape = self.sums.len() == sums.0.len() * 16;
        let same = |group: &usize| {
            let theirs = self.sums.get(group * 16..group * 16 + 16);
            same_shape && theirs == sums.0.get(*group).map(|sum| sum.to_le_bytes()).as_ref().map(|b| &b[..])
        };
        (0..sums.0.len()).filter(|group| !same(group)).collect()
    }
}

/// Where an exchange goes on. A table that changes in between may skip a statement; the next exchange finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// The group.
    #[serde(rename = "g")]
    pub group: u32,
    /// How many of its statements were handed over already.
    #[serde(rename = "i")]
    pub item: u32,
}

/// The running sums behind a digest.
#[derive(Debug, Clone)]
pub(crate) struct Sums(Vec<u128>);

impl Sums {
    pub(crate) fn new(units: usize) -> Self {
        Self(vec![0; FIRST_UNITS + units.div_ceil(GROUP)])
    }

    pub(crate) fn add(&mut self, group: usize, mark: u128) {
        if let Some(sum) = self.0.get_mut(group) {
            *sum = sum.wrapping_add(mark);
        }
    }

    pub(crate) fn subtract(&mut self, group: usize, mark: u128) {
        if let Some(sum) = self.0.get_mut(group) {
            *sum = sum.wrapping_sub(mark);
        }
    }
}
