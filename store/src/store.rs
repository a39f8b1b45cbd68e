//! A store with its writer, as a coordinator uses it.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use protocol::Unit;

use crate::error::{OpenError, StoreError};
use crate::look::Found;
use crate::name::ReportName;
use crate::op::{Op, Report};
use crate::place::Place;
use crate::schema::Mark;
use crate::shelf::{HashBody, Shelf};
use crate::writer::{self, QUEUE, Request};

/// The store of one run. Every call but [`Store::get`] returns at once: what it asks for waits for the writer, in the order in
/// which it was asked for, and `done` is called on the writer's thread.
///
/// When it is dropped, the writer does what waits and ends by itself; [`Store::close`] waits for that.
pub struct Store {
    shelf: Arc<Shelf>,
    requests: SyncSender<Request>,
    writer: JoinHandle<()>,
    place: Arc<str>,
}

impl Store {
    /// Opens the store of a run, or makes it, and looks through it: takes as long as reading all of it does.
    ///
    /// # Errors
    /// [`OpenError`]. A file that is refused is left as it is.
    pub fn open(place: Box<dyn Place>, mark: &Mark, hash: HashBody) -> Result<(Self, Found), OpenError> {
        let name: Arc<str> = place.to_string().into();
        let shelf = Arc::new(Shelf::open(place, mark, hash)?);
        let found = shelf.look_through()?;
        let (requests, waiting) = sync_channel(QUEUE);
        let writers = Arc::clone(&shelf);
        let writer = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer::run(&writers, &waiting))
            .map_err(|error| OpenError::Disk { place: name.to_string(), source: Box::new(error.into()) })?;
        Ok((Self { shelf, requests, writer, place: name }, found))
    }

    /// Puts a report in. `done(Ok)` is said when it is on disk and stays, whatever happens next.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Closed`]: it is not taken, and `done` is not called.
    pub fn put(
        &self,
        name: ReportName,
        report: Report,
        done: impl FnOnce(Result<(), StoreError>) + Send + 'static,
    ) -> Result<(), StoreError> {
        self.ask(Op::Put { name, report }, Box::new(done))
    }

    /// Takes a report out; it not being there is no error.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub fn remove(
        &self,
        name: ReportName,
        done: impl FnOnce(Result<(), StoreError>) + Send + 'static,
    ) -> Result<(), StoreError> {
        self.ask(Op::Remove { name }, Box::new(done))
    }

    /// Keeps the coordinator's newest word about a unit.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub fn keep_word(
        &self,
        unit: Unit,
        statement: Vec<u8>,
        done: impl FnOnce(Result<(), StoreError>) + Send + 'static,
    ) -> Result<(), StoreError> {
        self.ask(Op::Word { unit, statement }, Box::new(done))
    }

    fn ask(&self, op: Op, done: writer::Done) -> Result<(), StoreError> {
        let request = Request::new(op, done, Arc::clone(&self.place));
        let place = || self.place.to_string();
        let (request, why) = match self.requests.try_send(request) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Full(request)) => (request, StoreError::Full { place: place() }),
            Err(TrySendError::Disconnected(request)) => (request, StoreError::Closed { place: place() }),
        };
        request.refused();
        Err(why)
    }

    /// Reads a report back, from any thread; takes as long as the disk does.
    ///
    /// # Errors
    /// [`StoreError`]: also when what lies there is not what the name says.
    pub fn get(&self, name: ReportName) -> Result<Report, StoreError> {
        self.shelf.get(name)
    }

    /// Does what waits, and closes the file.
    pub fn close(self) {
        let Self { shelf, requests, writer, .. } = self;
        drop((shelf, requests));
        let _ = writer.join();
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.place)
    }
}
