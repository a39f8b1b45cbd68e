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
mod outcome;
mod progress;
mod ranges;
mod records;
mod speakers;
mod state;
mod statement;
mod stay;
mod table;
mod times;
mod unit_set;
mod units;
mod view;
mod word;

pub use bids::KEPT_PER_UNIT;
pub(crate) use bids::by as bid_of;
pub use hash::{rendezvous_hash, tie_hash};
pub use moment::Moment;
pub use outcome::{Change, Ignored, Invalid, Outcome};
pub use progress::{PathProgress, Progress};
pub use ranges::Ranges;
pub use records::{LeaseRecords, MAX_DELEGATIONS, MAX_HEARTBEATS, delegations_first};
pub use state::{Stage, UnitState};
pub use statement::{Says, Statement};
pub use table::LeaseTable;
pub use times::LeaseTimes;
pub use unit_set::UnitSet;
pub use units::{MAX_UNITS, TooManyUnits, UnitIndex, Units};
pub use view::View;
pub use word::Word;
