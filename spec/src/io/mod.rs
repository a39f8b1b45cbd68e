//! Everything that touches a file: sources, the disk cache, and the shard store above them.

mod builder;
mod cancelling;
mod csv;
mod csv_part;
mod disk;
mod gate;
mod hashed_reader;
mod input;
mod locate;
mod replace;
mod rows_file;
mod run_file;
mod store;
mod whole_file;

pub use csv::CsvSource;
pub use disk::{DiskCache, DiskCounters};
pub use gate::{Finding, RoutingCheck};
pub use locate::{LocateError, SourcePlaces};
use replace::replace;
pub use run_file::{RunFileFault, RunFileReadError, read_run_file};
pub use store::{ShardError, ShardStore, StoreCounters, StoreSettings};
pub use whole_file::{WholeFileError, write_whole_file};
