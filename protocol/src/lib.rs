//! What peers say to each other.

mod ids;

pub use ids::{ContentHash, ModelHash, ParseIdError, PeerKey, RunId};
