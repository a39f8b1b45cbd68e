//! The data of a run: from the records of a public source to shards that any peer can make and check.
//!
//! ```text
//! RunSettings + RecordSource ─publish→ DataSpec (schema, holdout, routing with its fit, training, shards)
//! DataSpec + RecordSource ─verify_routing→ verdict
//!                         ─materialise→ Table per path      (a volunteer)
//!                         ─check_shards→ every shard, signed and found
//!                         ─Census, for_each_kept→ rows      (who assembles the model)
//!                         ─for_each_held_out→ rows          (who evaluates it)
//! run file ─RunFile::parse→ RunSettings
//! ShardStore ─shard→ table: routing check, then memory, disk, source (a pass makes several shards)
//! DataSpec + Census + units ─assemble→ model.json ─router_of_model→ Router
//! ```
//!
//! A [`DataSpec`] is all that shards and model depend on, and its [`Fingerprint`] names it. It says nothing of where
//! the rows lie: a [`PublicSource`] does, and a [`RecordSource`] reads them. [`VecSource`] has them in memory; sources
//! that touch files are behind the feature `io`.
//!
//! # Rules
//! * A record is named by its **ordinal** over all parts, from 0. Malformed records use theirs up.
//! * A feature is a number if every value that is not empty is a finite decimal number, else text. Empty cells are 0.0
//!   or "". A target is read as classes (0 and 1, whole numbers, texts) or as a number.
//! * Work on a row, in this order: route, hold out, convert, drop duplicates within its shard (the lowest ordinal
//!   stays). A column is converted under the schema alone, so that conversion runs first here changes nothing.
//! * Round robin: path = ordinal modulo paths. K-means: the row's features become whole numbers (a signed hash of
//!   standardised numbers and of tokens), the nearest centroid's path takes it, the lowest on a tie.
//! * The fit is integer arithmetic after statistics summed in the order of the rows: the same sample gives the same
//!   centroids to the last bit on every machine, so [`verify_routing`] can compare them.
//! * A shard's hash is BLAKE3 over its canonical rows ([`Shard`]), and [`materialise`] hands out nothing that has
//!   another one.
//!
//! # Passes and memory
//! [`publish`] reads the source for the schema and once more for the shards; between them the fit reads its sample
//! twice (only the first rows, for a sample of those). [`verify_routing`] reads what the fit read, and a reservoir's
//! source once more to choose it. Memory does not grow with the source, but for: the featurised sample (4 bytes per row
//! and dimension), tables, about 50 bytes per kept row while duplicates are looked for, and the census (8 bytes a row).

mod ahead;
mod assemble;
mod cache;
mod census;
mod check;
mod check_shards;
mod columns;
mod convert;
mod data_spec;
mod error;
mod extension;
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
mod local;
mod local_shards;
mod materialise;
mod memory;
mod number;
mod publish;
mod random;
mod record;
mod route;
mod routed;
mod routing;
mod rows;
mod run;
mod runfile;
mod shard;
mod source;
mod spec_of_model;
mod verify;

pub use assemble::{AssembleError, assemble};
pub use cache::{CacheCounters, MemoryLimits, ShardCache, ShardKey};
pub use census::{Census, KeptRow, for_each_kept};
pub use check::{MAX_DIMENSIONS, MAX_LAYERS, MAX_MIRRORS, MAX_NOISE, MAX_PATHS};
pub use check_shards::{CheckedShard, CheckedShards, check_shards};
pub use data_spec::{DataSpec, Fingerprint, PATH_FEATURE, Shard, ShardHash};
pub use error::{HeaderError, MaterialiseError, RowError, RowsError, SpecError};
pub use extension::{ModelRouting, ModelRoutingError, router_of_model};
pub use holdout::{Holdout, for_each_held_out};
pub use infer::InferError;
#[cfg(feature = "io")]
pub use io::{
    Address, AddressError, DiskCache, DiskCounters, Download, FetchError, FetchLimits, Fetcher, Finding,
    LocateError, Origin, Reach, RemoteObject, RoutingCheck, RunFileFault, RunFileReadError, S3Access,
    S3Credentials, ShardError, ShardStore, SourceLimits, SourcePlaces, StoreCounters, StoreSettings,
    TableSource, WholeFileError, read_run_file, write_whole_file,
};
pub use local::{LocalError, LocalUnits, MissingUnit, UnitDone, train_locally, train_unit_of};
pub use local_shards::LocalShards;
pub use materialise::materialise;
pub use memory::VecSource;
pub use publish::{PathSummary, Progress, PublishError, Published, Stage, Summary, publish};
pub use record::{RawCell, Record};
pub use route::Router;
pub use routed::{RoutedRow, for_each_routed};
pub use routing::{ColumnStatistic, KMeansFit, Routing};
pub use run::{
    Format, KMeansSettings, OnError, PublicSource, RoutingSettings, RunSettings, Sampling, TargetType,
    TrainingSettings,
};
pub use runfile::{MAX_RUN_FILE_BYTES, RunFile, RunFileError, VolunteerSettings};
pub use source::{At, Place, RecordReader, RecordSource, SourceError};
pub use spec_of_model::spec_of_model;
pub use verify::{RoutingVerdict, verify_routing};
