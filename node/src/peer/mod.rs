//! What volunteers and coordinators have in common: meeting others, knowing runs, passing records on.

mod asking;
mod book;
mod community;
mod known_run;
mod listen;
mod memory;
mod statements;
mod watch;

pub(crate) use asking::{Asker, Found};
pub(crate) use community::{Community, Heard, Wants, open_delegation, respond};
pub(crate) use listen::{Listening, address, start_net};
pub(crate) use memory::{recall, recall_all, remember};
pub(crate) use statements::{opened, sign, statement, verdict};
pub(crate) use watch::Watch;
