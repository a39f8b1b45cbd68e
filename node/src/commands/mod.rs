//! The commands, one file each.

pub(crate) mod audit;
pub(crate) mod coordinate;
pub(crate) mod evaluate;
pub(crate) mod inspect;
pub(crate) mod join;
pub(crate) mod keygen;
pub(crate) mod predict;
pub(crate) mod publish;
pub(crate) mod run;
pub(crate) mod train;
