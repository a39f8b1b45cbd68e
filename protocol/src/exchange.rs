//! Comparing two sets of records without sending them, and handing over what one side lacks: the messages.
//!
//! A set is spread over *ranges* that follow from the run's shape (see [`Ranges`](crate::lease::Ranges)). The asker says
//! what it has in 4 bytes a range; the answer names the records of the ranges that differ in 8 bytes each; the asker
//! fetches those that it lacks. A peer that has nothing yet asks for everything in order instead. Every message is
//! bounded, no side keeps anything between two of them, and [`LeaseRecords`](crate::lease::LeaseRecords) says what to
//! answer and what to ask next.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::RunId;
use crate::limits::{ADDRESS_RECORD_BYTES, EXCHANGE_IDS, EXCHANGE_RANGES, RECORDS, RECORDS_BYTES};
use crate::message::RecordBytes;

/// A step of an exchange, asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExchangeRequest {
    /// The run.
    #[serde(rename = "r")]
    pub run: RunId,
    /// What is asked for.
    #[serde(rename = "q")]
    pub ask: Ask,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ask {
    /// All records in order, from this place on; 0 is the first. Answered with [`Told::Records`].
    From(u32),
    /// Which records there are in ranges that differ. Answered with [`Told::Ids`].
    Compare(Prints),
    /// These records. Answered with [`Told::Records`].
    Fetch(Vec<RangeIds>),
}

/// A step of an exchange, answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Told {
    /// Records.
    Records(Records),
    /// The names of records.
    Ids(Vec<RangeIds>),
}

/// Records, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Records {
    /// The signed records: see [`GossipRecord`](crate::GossipRecord).
    #[serde(rename = "l")]
    pub records: Vec<RecordBytes>,
    /// Where to go on; `None`: this was all.
    #[serde(rename = "n")]
    pub next: Option<u32>,
}

/// What a peer has: 4 bytes a range, from the range's sum and a salt of the asker's, in order.
///
/// The salt is another one every time, so that sets that differ can seem equal by chance once, but not again. Somebody with
/// very many statements in one range could make sums equal that are not of the same set; all it hides is what gossip brings too.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prints {
    /// Chosen anew for every exchange.
    #[serde(rename = "s", with = "serde_bytes")]
    pub salt: [u8; 32],
    /// 4 bytes a range.
    #[serde(rename = "p", with = "serde_bytes")]
    pub prints: Vec<u8>,
}

/// Records of a range, by the first 8 bytes of their digests.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RangeIds {
    /// The range.
    #[serde(rename = "r")]
    pub range: u32,
    /// 8 bytes a record.
    #[serde(rename = "i", with = "serde_bytes")]
    pub ids: Vec<u8>,
}

/// The first 8 bytes of a record's digest.
pub type RecordId = [u8; 8];

impl RangeIds {
    /// No record of a range yet.
    #[must_use]
    pub fn new(range: u32) -> Self {
        Self { range, ids: Vec::new() }
    }

    /// One more.
    pub fn push(&mut self, id: RecordId) {
        self.ids.extend_from_slice(&id);
    }

    /// The records, in order.
    pub fn iter(&self) -> impl Iterator<Item = RecordId> {
        self.ids.as_chunks().0.iter().copied()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len() / size_of::<RecordId>()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

impl fmt::Debug for RangeIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RangeIds({}: {} records)", self.range, self.len())
    }
}

impl fmt::Debug for Prints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prints({} ranges)", self.prints.len() / 4)
    }
}

impl ExchangeRequest {
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        match &self.ask {
            Ask::From(_) => Ok(()),
            Ask::Compare(prints) if !prints.prints.len().is_multiple_of(4) => Err("a print has 4 bytes"),
            Ask::Compare(prints) if prints.prints.len() > 4 * EXCHANGE_RANGES => {
                Err("a run has fewer ranges")
            }
            Ask::Compare(_) => Ok(()),
            Ask::Fetch(ranges) => check_ids(ranges, RECORDS),
        }
    }
}

impl Told {
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        match self {
            Self::Records(records) if records.records.len() > RECORDS => Err("it has more than 1024 records"),
            Self::Records(records) => {
                records.records.iter().try_for_each(|record| record.check(ADDRESS_RECORD_BYTES))
            }
            Self::Ids(ranges) => check_ids(ranges, EXCHANGE_IDS),
        }
    }
}

fn check_ids(ranges: &[RangeIds], most: usize) -> Result<(), &'static str> {
    let whole =
        |ranges: &RangeIds| !ranges.is_empty() && ranges.ids.len().is_multiple_of(size_of::<RecordId>());
    if !ranges.iter().all(whole) {
        return Err("a record's name has 8 bytes, and a range one at least");
    }
    if !ranges.is_sorted_by(|a, b| a.range < b.range) {
        return Err("ranges come in order, each once");
    }
    let all: usize = ranges.iter().map(RangeIds::len).sum();
    if all > most { Err("it names too many records") } else { Ok(()) }
}

impl Records {
    /// Adds a record if the answer has room for it.
    pub(crate) fn add(&mut self, left: &mut usize, bytes: &[u8]) -> bool {
        match left.checked_sub(bytes.len()) {
            Some(less) if self.records.len() < RECORDS => *left = less,
            _ => return false,
        }
        self.records.push(RecordBytes::from(bytes));
        true
    }

    /// How many bytes of records an answer may have.
    pub(crate) const ROOM: usize = RECORDS_BYTES;
}
