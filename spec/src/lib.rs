//! The data of a run.

mod census;
mod check;
mod data_spec;
mod error;
mod holdout;
#[cfg(feature = "io")]
mod io;
mod materialise;
mod memory;
mod route;
mod routing;
mod run;
mod runfile;
mod source;
mod verify;

pub use census::{Census, KeptRow, for_each_kept};
pub use data_spec::{DataSpec, Fingerprint, PATH_FEATURE, Shard, ShardHash};
pub use error::{HeaderError, MaterialiseError, RowError, RowsError, SpecError};
pub use holdout::{HeldOutRow, for_each_held_out};
#[cfg(feature = "io")]
pub use io::{CsvSource, LocateError, RunFileFault, RunFileReadError, SourcePlaces, read_run_file};
pub use materialise::materialise;
pub use memory::VecSource;
pub use route::Router;
pub use routing::{ColumnStatistic, KMeansFit, Routing};
pub use run::{
    Format, KMeansSettings, OnError, PublicSource, RoutingSettings, RunSettings, Sampling, TargetType,
    TrainingSettings,
};
pub use runfile::{MAX_RUN_FILE_BYTES, RunFile, RunFileError, VolunteerSettings};
pub use source::{Place, Record, RecordReader, RecordSource, SourceError};
pub use verify::{RoutingVerdict, verify_routing};
