//! The data of a run.

mod data_spec;
mod routing;
mod run;
mod runfile;
mod source;

pub use data_spec::{DataSpec, Fingerprint, Shard, ShardHash};
pub use routing::{ColumnStatistic, KMeansFit, Routing};
pub use run::{
    Format, KMeansSettings, OnError, PublicSource, RoutingSettings, RunSettings, Sampling, TargetType,
    TrainingSettings,
};
pub use runfile::{MAX_RUN_FILE_BYTES, RunFile, RunFileError, VolunteerSettings};
pub use source::{Place, Record, RecordReader, RecordSource, SourceError};
