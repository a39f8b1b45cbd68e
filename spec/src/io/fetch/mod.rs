//! Bytes from `http(s)://` and `s3://` addresses.
//!
//! ```text
//! Address ─Fetcher::open→   Download      the whole object from its first byte, as a Read
//!         ─Fetcher::object→ RemoteObject  ranges of it
//! ```
//!
//! * Which machines may be connected to is decided by a [`Reach`], on the very address that is connected to, at the first
//!   request and at each redirect.
//! * Requests run on one thread of their own per [`Fetcher`] and its clones; chunks come over a bounded channel, so that
//!   reading waits for the network and the network for reading, and neither grows.
//! * What breaks off is taken up again where it broke ([`FetchLimits`] says how often), but only if it is still the same
//!   object; another object is never joined to the first half of one.

mod address;
mod answer;
mod download;
#[cfg(test)]
mod ending_tests;
mod error;
mod exchange;
mod fetcher;
mod limits;
mod object;
mod origin;
mod pace;
mod public;
mod reach;
mod redirect;
mod retry;
mod s3;
mod transfer;
mod worker;

pub use address::{Address, AddressError};
pub use download::Download;
pub use error::FetchError;
pub use fetcher::Fetcher;
pub use limits::FetchLimits;
pub use object::RemoteObject;
pub use origin::Origin;
pub use reach::Reach;
pub use s3::{S3Access, S3Credentials};

/// What may be shown of a URL: no user, no query, no fragment.
fn shown(url: &url::Url) -> String {
    let query = if url.query().is_some() { "?.." } else { "" };
    match Origin::of(url) {
        Some(origin) => format!("{origin}{}{query}", url.path()),
        None => format!("{}:..", url.scheme()),
    }
}
