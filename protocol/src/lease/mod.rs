//! The lease table: who trains what, without a queue and without a scheduler.
//!
//! It has two layers. [`LeaseRecords`] are signed statements that merge; peers exchange these and nothing else. A
//! [`View`] is what follows from them for one peer at one moment: which unit is open, who holds it, what is done.
//! [`LeaseTable`] is both. Nothing here reads a clock: every call that needs the time is handed a [`Moment`].
//!
//! Leases save work, they don't protect the result: training is deterministic, so two peers that train the same unit
//! report the same bytes. That is why every rule here may bound and forget where others would have to remember.

mod bids;
mod exchange;
mod hash;
mod moment;
mod progress;
mod ranges;
mod records;
mod statement;
mod table;
mod times;
mod unit_set;
mod units;
mod view;

pub use bids::KEPT_PER_UNIT;
pub use hash::{rendezvous_hash, tie_hash};
pub use moment::Moment;
pub use progress::{PathProgress, Progress};
pub use ranges::Ranges;
pub use records::{
    Change, Ignored, Invalid, LeaseRecords, MAX_DELEGATIONS, MAX_HEARTBEATS, Outcome, Word, delegations_first,
};
pub use statement::{Says, Statement};
pub use table::LeaseTable;
pub use times::LeaseTimes;
pub use unit_set::UnitSet;
pub use units::{MAX_UNITS, TooManyUnits, UnitIndex, Units};
pub use view::{Stage, UnitState, View};
