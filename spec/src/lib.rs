//! The data of a run.

mod census;
mod check;
mod data_spec;
mod error;
mod holdout;
mod materialise;
mod memory;
mod route;
mod routing;
mod run;
mod source;
mod verify;

pub use census::{Census, KeptRow, for_each_kept};
pub use data_spec::{DataSpec, Fingerprint, PATH_FEATURE, Shard, ShardHash};
pub use error::{HeaderError, MaterialiseError, RowError, RowsError, SpecError};
pub use holdout::{HeldOutRow, for_each_held_out};
pub use materialise::materialise;
pub use memory::VecSource;
pub use route::Router;
pub use routing::{ColumnStatistic, KMeansFit, Routing};
pub use run::{
    Format, KMeansSettings, OnError, PublicSource, RoutingSettings, RunSettings, Sampling, TargetType,
    TrainingSettings,
};
pub use source::{Place, Record, RecordReader, RecordSource, SourceError};
pub use verify::{RoutingVerdict, verify_routing};
