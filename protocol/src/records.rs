//! What peers state, each a small signed record. [`Signed`](crate::Signed) says that the signer said it; each record
//! says here who may.
//!
//! **The signer's counter.** Claims, releases, finished and heartbeats of one signer in one run carry one counter that
//! grows with every record of any of these kinds. So a higher counter is newer, whatever the kind, and any of them
//! shows that the signer lives. It must not go back after a restart: a node starts it at the larger of what it
//! remembers and the clock in Unix milliseconds. A counter is compared only with counters of the same signer.

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::envelope::{Record, Scope};
use crate::ids::{ContentHash, ModelHash, PeerKey};
use crate::limits::{ADDRESS_RECORD_BYTES, ADDRESSES, SMALL_RECORD_BYTES};
use crate::unit::Unit;

/// "I train this unit." Any peer may say it, about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// What is claimed.
    #[serde(rename = "u")]
    pub unit: Unit,
    /// 0 for a first claim; a take-over uses the lowest epoch without a dead claim.
    #[serde(rename = "e")]
    pub epoch: u32,
    /// The signer's counter.
    #[serde(rename = "c")]
    pub counter: u64,
}

/// "I no longer train this unit." Any peer may say it, about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// What is given back.
    #[serde(rename = "u")]
    pub unit: Unit,
    /// The epoch of the claim that ends: claims and releases of a unit are ranked by it alike.
    #[serde(rename = "e")]
    pub epoch: u32,
    /// The signer's counter.
    #[serde(rename = "c")]
    pub counter: u64,
}

/// "I am here": renews all claims of its signer. Any peer may say it, about itself.
///
/// It names no lease time: every peer computes that from how many peers it sees, so nobody can ask for a longer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// The signer's counter.
    #[serde(rename = "c")]
    pub counter: u64,
}

/// "I have trained this unit and hold its report." Any peer may say it, about itself.
///
/// What came out stands in the report alone: others have no use for it, and one who trains the same unit to check it must
/// not read it here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finished {
    /// What was trained.
    #[serde(rename = "u")]
    pub unit: Unit,
    /// The epoch of the claim that ends: all that a peer says about a unit is ranked by it alike. Not written where it is 0.
    #[serde(rename = "e", default, skip_serializing_if = "is_zero")]
    pub epoch: u32,
    /// The signer's counter.
    #[serde(rename = "c")]
    pub counter: u64,
    /// How often the unit had been opened again when this was said; not written where it is 0. One from before the last
    /// reopening is void: whoever holds the report and means to deliver it says so again.
    #[serde(rename = "g", default, skip_serializing_if = "is_zero")]
    pub generation: u32,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// "This unit is done, and this is its content." Said by the coordinator that the delegation with this number names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The number of the delegation under which the coordinator speaks.
    #[serde(rename = "d")]
    pub delegation: u64,
    /// What is done.
    #[serde(rename = "u")]
    pub unit: Unit,
    /// How often the unit was opened again before.
    #[serde(rename = "g")]
    pub generation: u32,
    /// What was accepted.
    #[serde(rename = "h")]
    pub content: ContentHash,
}

/// "This unit is open again": its report was proven wrong. Said by the coordinator that the delegation with this
/// number names. It precedes the receipt of the same generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reopen {
    /// The number of the delegation under which the coordinator speaks.
    #[serde(rename = "d")]
    pub delegation: u64,
    /// What is open again.
    #[serde(rename = "u")]
    pub unit: Unit,
    /// The generation that begins: one more than that of the receipt it undoes, so never 0.
    #[serde(rename = "g")]
    pub generation: u32,
}

/// "The model is written." Said by the coordinator that the delegation with this number names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Complete {
    /// The number of the delegation under which the coordinator speaks.
    #[serde(rename = "d")]
    pub delegation: u64,
    /// The model.
    #[serde(rename = "h")]
    pub model: ModelHash,
}

/// "This peer coordinates the run." Said by the run's operator. The highest number rules; numbers start at 1.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delegation {
    /// Who coordinates.
    #[serde(rename = "k")]
    pub coordinator: PeerKey,
    /// Where it listens, as far as the operator knows; its own peer record is newer.
    #[serde(rename = "a")]
    pub addresses: Vec<Address>,
    /// Which delegation of the run this is, from 1.
    #[serde(rename = "n")]
    pub number: u64,
}

/// "I listen here." Any peer may say it, about itself, and about no run: the envelope carries [`RunId::NONE`].
///
/// Its counter is apart from that of claims: only peer records of the same signer are compared, the highest rules.
///
/// [`RunId::NONE`]: crate::RunId::NONE
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerRecord {
    /// Where it listens.
    #[serde(rename = "a")]
    pub addresses: Vec<Address>,
    /// Grows with every new record of the signer.
    #[serde(rename = "c")]
    pub counter: u64,
}

macro_rules! record {
    ($name:ident, $kind:literal, $scope:ident, $max:expr) => {
        impl Record for $name {
            const KIND: &'static str = $kind;
            const SCOPE: Scope = Scope::$scope;
            const MAX_BYTES: usize = $max;
        }
    };
    ($name:ident, $kind:literal, $scope:ident, $max:expr, $check:expr) => {
        impl Record for $name {
            const KIND: &'static str = $kind;
            const SCOPE: Scope = Scope::$scope;
            const MAX_BYTES: usize = $max;

            fn check(&self) -> Result<(), &'static str> {
                $check(self)
            }
        }
    };
}

record!(Claim, "claim", Run, SMALL_RECORD_BYTES);
record!(Release, "release", Run, SMALL_RECORD_BYTES);
record!(Heartbeat, "heartbeat", Run, SMALL_RECORD_BYTES);
record!(Finished, "finished", Run, SMALL_RECORD_BYTES);
record!(Receipt, "receipt", Run, SMALL_RECORD_BYTES);
record!(Reopen, "reopen", Run, SMALL_RECORD_BYTES, |reopen: &Reopen| match reopen.generation {
    0 => Err("a reopen starts generation 1 or a later one"),
    _ => Ok(()),
});
record!(Complete, "complete", Run, SMALL_RECORD_BYTES);
record!(Delegation, "delegation", Run, ADDRESS_RECORD_BYTES, |delegation: &Delegation| {
    if delegation.number == 0 {
        return Err("delegations are numbered from 1");
    }
    few(&delegation.addresses)
});
record!(PeerRecord, "peer", Network, ADDRESS_RECORD_BYTES, |peer: &PeerRecord| few(&peer.addresses));

fn few(addresses: &[Address]) -> Result<(), &'static str> {
    if addresses.len() > ADDRESSES { Err("it names more than 16 addresses") } else { Ok(()) }
}
