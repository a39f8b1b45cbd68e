//! The data of a run.

mod cache;
mod census;
mod check;
mod columns;
mod convert;
mod data_spec;
mod error;
mod featurizer;
mod fit;
#[cfg(test)]
mod fixture;
mod holdout;
mod infer;
#[cfg(feature = "io")]
mod io;
mod keep;
mod kmeans;
mod materialise;
mod memory;
mod number;
mod publish;
mod random;
mod route;
mod routing;
mod rows;
mod run;
mod runfile;
mod shard;
mod source;
mod verify;

pub use cache::{CacheCounters, MemoryLimits, ShardCache, ShardKey};
pub use census::{Census, KeptRow, for_each_kept};
pub use check::{MAX_DIMENSIONS, MAX_LAYERS, MAX_NOISE, MAX_PATHS};
pub use data_spec::{DataSpec, Fingerprint, PATH_FEATURE, Shard, ShardHash};
pub use error::{HeaderError, MaterialiseError, RowError, RowsError, SpecError};
pub use holdout::{HeldOutRow, for_each_held_out};
pub use infer::InferError;
#[cfg(feature = "io")]
pub use io::{
    CsvSource, DiskCache, DiskCounters, LocateError, RoutingCheck, RunFileFault, RunFileReadError,
    ShardError, ShardStore, SourcePlaces, StoreCounters, StoreSettings, read_run_file,
};
pub use materialise::materialise;
pub use memory::VecSource;
pub use publish::{PathSummary, Progress, PublishError, Published, Stage, Summary, publish};
pub use route::Router;
pub use routing::{ColumnStatistic, KMeansFit, Routing};
pub use run::{
    Format, KMeansSettings, OnError, PublicSource, RoutingSettings, RunSettings, Sampling, TargetType,
    TrainingSettings,
};
pub use runfile::{MAX_RUN_FILE_BYTES, RunFile, RunFileError, VolunteerSettings};
pub use source::{Place, Record, RecordReader, RecordSource, SourceError};
pub use verify::{RoutingVerdict, verify_routing};
