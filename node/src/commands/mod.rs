//! The commands, one file each.

pub(crate) mod audit;
pub(crate) mod certify;
pub(crate) mod coordinate;
pub(crate) mod delegate;
pub(crate) mod evaluate;
pub(crate) mod inspect;
pub(crate) mod join;
pub(crate) mod keygen;
pub(crate) mod materialise;
pub(crate) mod predict;
pub(crate) mod publish;
pub(crate) mod route;
pub(crate) mod run;
pub(crate) mod spec;
pub(crate) mod status;
pub(crate) mod strip;
pub(crate) mod train;
pub(crate) mod verify;
