//! What peers say to each other.

mod address;
mod envelope;
mod identity;
mod ids;
pub mod lease;
pub mod limits;
mod records;
mod unit;
pub mod volunteer;

pub use address::{Address, AddressError};
pub use envelope::{DOMAIN, EnvelopeError, Record, Scope, Signed, VERSION};
pub use identity::{Identity, ParseKeyError, WriteKeyError};
pub use ids::{ContentHash, ModelHash, ParseIdError, PeerKey, RunId};
pub use records::{Claim, Complete, Delegation, Finished, Heartbeat, PeerRecord, Receipt, Release, Reopen};
pub use unit::Unit;
