//! A bucket: one link of a layer's IF / ELIF / ELSE chain.

use serde::{Deserialize, Serialize};

use crate::literal::{Clause, Literal};
use crate::lookalikes::Lookalikes;

/// How a row came into a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// The chain walk sends it here ("c").
    #[serde(rename = "c")]
    Core,
    /// It satisfies the condition but went to an earlier bucket ("n").
    #[serde(rename = "n")]
    Noise,
}

/// One link of a layer's chain.
///
/// `M` names a member: the row's ordinal (`u64`) from training to assembly, its position in `population` (`u32`)
/// in a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Bucket<M> {
    /// The complete AND; `None` is ELSE.
    pub condition: Option<Vec<Literal>>,
    /// The rows, core members first, each part ascending.
    pub members: Vec<M>,
    /// How each member came here; as long as `members`.
    pub origins: Vec<Origin>,
    /// The clauses.
    pub clauses: Vec<Clause>,
    /// Member position and the conditions under which it votes, in file order (training: ascending positions, one
    /// entry per member). A member without an entry never votes.
    pub lookalikes: Lookalikes,
}

/// What training makes of a unit: buckets over ordinals, in chain order.
pub type UnitBuckets = Vec<Bucket<u64>>;
