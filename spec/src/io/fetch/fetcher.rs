//! Where reading from afar begins.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::address::{Address, Kind};
use super::download::Download;
use super::error::FetchError;
use super::exchange::Link;
use super::limits::FetchLimits;
use super::object::RemoteObject;
use super::origin::Origin;
use super::reach::Reach;
use super::s3::S3Access;
use super::worker::Worker;

/// Reads objects from afar. Cheap to clone; clones share a thread, which starts with the first use and ends with the last of
/// them and of what they opened.
///
/// All calls block. They may be made from any thread.
#[derive(Debug, Clone)]
pub struct Fetcher {
    reach: Reach,
    limits: FetchLimits,
    s3: Arc<S3Access>,
    worker: Arc<Mutex<Option<Arc<Worker>>>>,
}

impl Fetcher {
    /// Does nothing yet.
    #[must_use]
    pub fn new(reach: Reach, limits: FetchLimits, s3: S3Access) -> Self {
        Self { reach, limits, s3: Arc::new(s3), worker: Arc::default() }
    }

    /// The same thread, limits and settings with another reach: for an address that somebody else wrote.
    #[must_use]
    pub fn with_reach(&self, reach: Reach) -> Self {
        Self { reach, ..self.clone() }
    }

    /// The same but for one try, and no waiting for long: to find out early what no patience helps with.
    pub(crate) fn impatient(&self) -> Self {
        let limits = FetchLimits {
            tries: 1,
            fruitless_tries: 1,
            idle: self.limits.idle.min(Duration::from_secs(5)),
            ..self.limits.clone()
        };
        Self { limits, ..self.clone() }
    }

    /// Scheme, host and port that are connected to for an address.
    #[must_use]
    pub fn origin(&self, address: &Address) -> Option<Origin> {
        match address.kind() {
            Kind::Http(_) => address.origin(),
            Kind::S3(object) => self.s3.origin(object),
        }
    }

    /// Opens a whole object, and waits for the server's first good answer.
    ///
    /// # Errors
    /// [`FetchError`], after as many tries as the limits allow where trying again may help.
    pub fn open(&self, address: &Address) -> Result<Download, FetchError> {
        let worker = self.worker()?;
        let link = self.link(address, &worker);
        Download::begin(worker, link)
    }

    /// Opens an object to read parts of it.
    ///
    /// # Errors
    /// As [`Fetcher::open`]; [`FetchError::NoRanges`] when the server has whole objects only.
    pub fn object(&self, address: &Address) -> Result<RemoteObject, FetchError> {
        let worker = self.worker()?;
        let link = self.link(address, &worker);
        RemoteObject::begin(worker, link)
    }

    /// Ends whatever this fetcher and its clones are doing, for good: all that waits, now or later, ends in
    /// [`FetchError::Stopped`]. For a program that is asked to end.
    pub fn stop(&self) {
        if let Ok(worker) = self.worker() {
            worker.stop();
        }
    }

    fn link(&self, address: &Address, worker: &Worker) -> Link {
        let mut reach = self.reach.clone();
        // The settings' own endpoint was typed by a person; objects in it may be reached, wherever it is.
        if let (Kind::S3(object), Some(endpoint)) = (address.kind(), &self.s3.endpoint)
            && self.s3.is_own(object)
        {
            reach = reach.with_origin(endpoint.clone());
        }
        Link {
            address: address.clone(),
            clients: worker.clients().clone(),
            reach,
            limits: self.limits.clone(),
            s3: self.s3.clone(),
            // Only for the waits between tries: many clients must not come at once.
            seed: RandomState::new().build_hasher().finish(),
        }
    }

    pub(super) fn worker(&self) -> Result<Arc<Worker>, FetchError> {
        let mut slot = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(worker) = slot.as_ref() {
            return Ok(worker.clone());
        }
        let worker = Arc::new(Worker::start(&self.limits)?);
        *slot = Some(worker.clone());
        Ok(worker)
    }
}
