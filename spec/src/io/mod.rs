//! Everything that touches a file: sources, the disk cache, and the shard store above them.

mod csv;
mod csv_part;
mod input;
mod locate;
mod run_file;

pub use csv::CsvSource;
pub use locate::{LocateError, SourcePlaces};
pub use run_file::{RunFileFault, RunFileReadError, read_run_file};
