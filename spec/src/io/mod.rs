//! Everything that touches a file: sources, the disk cache, and the shard store above them.

mod arrow_cells;
mod builder;
mod cancelling;
mod csv;
mod csv_records;
mod disk;
mod fetch;
mod gate;
mod hashed_reader;
mod hashed_writer;
mod json_lines;
mod limits;
mod locate;
mod parquet;
mod parquet_pages;
mod part;
mod part_place;
mod random_access;
mod replace;
mod rows_file;
mod run_file;
mod store;
mod synthetic;
mod table_source;
#[cfg(test)]
mod testing;
mod turn;
mod unpack;
mod whole_file;
mod width;

pub use disk::{DiskCache, DiskCounters};
pub use fetch::{
    Address, AddressError, Download, FetchError, FetchLimits, Fetcher, Origin, Reach, RemoteObject, S3Access,
    S3Credentials,
};
pub use gate::{Finding, RoutingCheck};
pub use limits::SourceLimits;
pub use locate::{LocateError, SourcePlaces};
use replace::replace;
pub use run_file::{RunFileFault, RunFileReadError, read_run_file};
pub use store::{ShardError, ShardStore, StoreCounters, StoreSettings};
pub use table_source::TableSource;
pub use whole_file::{WholeFileError, write_whole_file};
