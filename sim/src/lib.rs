//! A network of volunteers and a coordinator as discrete events: seeded, without sockets, clocks and threads.
//!
//! ```text
//! scenarios.toml ─Scenario→ World ─events, one after another→ Measure ─Display→ a table
//! ```
//!
//! The lease table, the volunteer's and the coordinator's decisions are those of the crate `protocol`, and so are the records, signed with
//! real keys, so that sizes are real. Signatures are not checked again on arrival. What stands in for the world:
//!
//! * **Gossip** reaches every peer once, after a latency of its own, or is lost on its way to that one peer. (A real mesh sends it several times
//!   and loses less.) Exchanges of tables and offers of reports are lost as often.
//! * **Training** takes as long as the scenario and the machine's speed say, and comes out the same whoever trains.
//! * **Machines** come, go, sleep, are cut off, have clocks that are wrong, or claim and deliver nothing, as the scenario says.
//!
//! The same scenario, number of peers and seed give the same run, event by event.

mod fault;
mod ideal;
mod link;
mod machine;
mod measure;
mod scenario;
mod world;

pub use fault::{Fault, What};
pub use measure::Measure;
pub use scenario::{Away, Bounds, Flash, Partition, Scenario, ScenarioError, Sleepers, Stragglers};
pub use world::{Size, World};
