//! A coordinator's decisions: which reports to take, what to say about them, when the model can be written.
//!
//! It schedules nothing. [`Coordinator`] is handed events and the time, and writes down effects, as
//! [`Volunteer`](crate::volunteer::Volunteer) does. It knows which reports lie in its store and says nothing else:
//! **a receipt is only said for what is stored**.
//!
//! After a restart it says its receipts again. When its own older words, which its peers keep, tell of a report that
//! it no longer has, it opens the unit again, and volunteers that kept the report offer it.

mod event;
mod machine;
mod reception;
mod settings;

pub use event::{CoordinatorEffect, CoordinatorEvent, CoordinatorNote, HeaderAnswer, ReportEnd};
pub use machine::{Coordinator, CoordinatorStart, NotDelegated};
pub use settings::{AfterRun, CoordinatorSettings};
