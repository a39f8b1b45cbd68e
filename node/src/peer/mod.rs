//! What volunteers and coordinators have in common: meeting others, knowing runs, passing records on.

mod book;
mod community;
mod known_run;
mod listen;
mod sync;

pub(crate) use community::{Community, Heard, Wants};
pub(crate) use known_run::KnownRun;
pub(crate) use listen::{Listening, start_net};
