//! The open file: commits and reads, and opening it again after a failure. What [`Store`](crate::Store) puts a queue before.

use std::sync::{PoisonError, RwLock};

use protocol::{ContentHash, Unit};
use redb::Database;

use crate::error::{OpenError, StoreError};
use crate::op::Op;
use crate::place::{Opening, Place};
use crate::schema::{self, Mark, SCHEMA};

/// A body's content hash, for the run that the store is of.
pub type HashBody = Box<dyn Fn(Unit, &[u8]) -> ContentHash + Send + Sync>;

/// An open store without its writer: every call does its work before it returns.
pub struct Shelf {
    place: Box<dyn Place>,
    pub(crate) hash: HashBody,
    /// `None` after a failure, until somebody needs it: the database can't be used after one, and has to be opened again, which
    /// may fail as well for as long as the disk is full.
    database: RwLock<Option<Database>>,
}

impl Shelf {
    /// Opens the store of a run in this place, or makes it.
    ///
    /// # Errors
    /// [`OpenError`]. A file that is refused is left as it is.
    pub fn open(place: Box<dyn Place>, mark: &Mark, hash: HashBody) -> Result<Self, OpenError> {
        let name = place.to_string();
        let made = match place.is_there() {
            Ok(true) => Ok(()),
            Ok(false) => place.make(&|database| schema::write(database, mark)),
            Err(error) => Err(error.into()),
        };
        made.map_err(|error| failed(&name, error))?;
        let database = place.open(Opening::First).map_err(|error| failed(&name, error.into()))?;
        match schema::read(&database).map_err(|error| failed(&name, error))? {
            schema::Found::Marked(version, _) if version > SCHEMA => {
                return Err(OpenError::Newer { place: name, found: version, known: SCHEMA });
            }
            schema::Found::Marked(_, found) if found != *mark => {
                let (found, wanted) = (found.run.short(), mark.run.short());
                return Err(OpenError::OtherRun { place: name, found, wanted });
            }
            schema::Found::Marked(..) => {}
            schema::Found::Nonsense(why) => {
                return Err(OpenError::Damaged { place: name, why: why.to_owned() });
            }
        }
        Ok(Self { place, hash, database: RwLock::new(Some(database)) })
    }

    /// Does all of this in one commit, which is on disk when this returns; if that fails, one after the other, so that each
    /// fails for itself alone. What failed may have been done nevertheless.
    pub fn write(&self, ops: &[Op]) -> Vec<Result<(), StoreError>> {
        match (self.commit(ops), ops) {
            (Ok(()), _) => ops.iter().map(|_| Ok(())).collect(),
            (Err(error), [_]) => vec![Err(error)],
            (Err(_), _) => ops.iter().map(|op| self.commit(std::slice::from_ref(op))).collect(),
        }
    }

    fn commit(&self, ops: &[Op]) -> Result<(), StoreError> {
        self.with(|database| {
            let write = schema::begin(database)?;
            for op in ops {
                op.apply(&write)?;
            }
            Ok(write.commit()?)
        })
    }

    /// Works with the database. After any error it is closed, and the next call opens it again.
    pub(crate) fn with<T>(
        &self,
        work: impl Fn(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let done = match self.using(&work) {
            Some(done) => done,
            None => self.open_again().and_then(|()| {
                // Somebody else's failure may have closed it in between: then this one fails too.
                self.using(&work).unwrap_or(Err(redb::Error::PreviousIo))
            }),
        };
        done.map_err(|source| {
            // Every reader lets go first; then nothing holds on to the file.
            *self.database.write().unwrap_or_else(PoisonError::into_inner) = None;
            StoreError::Disk { place: self.place.to_string(), source: Box::new(source) }
        })
    }

    fn using<T>(&self, work: impl Fn(&Database) -> Result<T, redb::Error>) -> Option<Result<T, redb::Error>> {
        self.database.read().unwrap_or_else(PoisonError::into_inner).as_ref().map(work)
    }

    fn open_again(&self) -> Result<(), redb::Error> {
        let mut place = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if place.is_none() {
            *place = Some(self.place.open(Opening::Again)?);
        }
        Ok(())
    }

    /// Where it is, for people.
    pub(crate) fn place(&self) -> String {
        self.place.to_string()
    }
}

/// What an error at the first opening says about the file.
pub(crate) fn failed(place: &str, error: redb::Error) -> OpenError {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    let place = place.to_owned();
    match error {
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => OpenError::InUse { place },
        redb::Error::Corrupted(why) => OpenError::Damaged { place, why },
        redb::Error::Io(error) if matches!(error.kind(), InvalidData | UnexpectedEof) => {
            OpenError::Damaged { place, why: error.to_string() }
        }
        error @ (redb::Error::UpgradeRequired(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TypeDefinitionChanged { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TableDoesNotExist(_)) => OpenError::Damaged { place, why: error.to_string() },
        error => OpenError::Disk { place, source: Box::new(error) },
    }
}
