//! What volunteers and coordinators have in common: meeting others, knowing runs, passing records on.

mod announcing;
mod answering;
mod asking;
mod book;
mod budget;
mod community;
mod exchange;
mod known_run;
mod listen;
mod memory;
mod own_counter;
mod statements;
mod watch;

pub(crate) use announcing::announce;
pub(crate) use answering::respond;
pub(crate) use asking::{Asker, Found};
pub(crate) use community::{Community, Heard, Wants, open_delegation};
pub(crate) use exchange::Turn;
pub(crate) use listen::{Listening, address, start_net};
pub(crate) use memory::{recall, recall_all, remember};
pub(crate) use statements::{opened, sign, statement, told, verdict};
pub(crate) use watch::Watch;
