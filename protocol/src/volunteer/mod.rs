//! A volunteer's decisions: which unit to train, when to let go of it, whom to offer its report.
//!
//! [`Volunteer`] is handed events and the time, and writes down effects. It opens no socket, reads no clock and no
//! disk, and starts no thread: whoever drives it does that, and signs what it wants to say.
//!
//! * It claims a unit and trains it at once; who loses a claim within the first seconds lets go, later it finishes.
//! * It looks first at units whose rows it has in memory, then on disk, then in its own rendezvous order.
//! * When nothing is open it takes up, after some patience, what others finished without getting it acknowledged, and
//!   doubles units that take far longer than any other.
//! * It keeps every report until the run is complete, and offers it until the coordinator has it.

mod event;
mod machine;
mod outbox;
mod pick;
mod settings;

pub use event::{OfferAnswer, RunComplete, VolunteerEffect, VolunteerEvent, VolunteerNote};
pub use machine::{Volunteer, VolunteerStart};
pub use outbox::OutboxItem;
pub use settings::VolunteerSettings;
