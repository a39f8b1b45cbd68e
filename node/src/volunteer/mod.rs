//! The volunteer: finds a run, trains its units, delivers reports. One loop; training, disk and deliveries beside it.

mod ahead;
mod choosing;
mod deliver;
mod forgetting;
mod keeping;
mod outbox;
mod standing;
mod trainer;
mod working;

pub(crate) use choosing::{Choice, choose};
pub(crate) use standing::Standing;
pub(crate) use working::{Settings, work};
