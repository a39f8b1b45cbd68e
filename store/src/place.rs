//! Where a store's bytes are: a file, or in tests a disk that fails when told to.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError};

use crate::trim::Trimmed;

/// Memory for pages that were read or wait to be written. A batch of more goes to the disk earlier.
const CACHE: usize = 64 << 20;

/// Why the place is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// For the first time: every page is checked, since anything may have happened to the file.
    First,
    /// Again, after a failure: what is there was written by this very process.
    Again,
}

impl Opening {
    /// How the database is to be opened.
    #[must_use]
    pub fn builder(self) -> Builder {
        let mut builder = Builder::new();
        builder.set_cache_size(CACHE);
        builder.set_check_integrity_on_open(self == Self::First);
        builder
    }
}

/// What fills a new database.
pub type Fill<'f> = &'f dyn Fn(&Database) -> Result<(), redb::Error>;

/// A place that a store can be opened in, as often as it has to be. Its `Display` names it to people.
pub trait Place: fmt::Display + Send + Sync {
    /// Whether something is there.
    ///
    /// # Errors
    /// The disk's.
    fn is_there(&self) -> io::Result<bool>;

    /// Makes a database, filled, or nothing: half a one would look like a damaged one later.
    ///
    /// # Errors
    /// The database's.
    fn make(&self, fill: Fill<'_>) -> Result<(), redb::Error>;

    /// Opens what is there.
    ///
    /// # Errors
    /// The database's.
    fn open(&self, opening: Opening) -> Result<Database, DatabaseError>;
}

/// A file.
#[derive(Debug, Clone)]
pub struct FilePlace(PathBuf);

impl FilePlace {
    /// The file of this path, in a folder that exists.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }
}

impl fmt::Display for FilePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.display())
    }
}

impl Place for FilePlace {
    fn is_there(&self) -> io::Result<bool> {
        self.0.try_exists()
    }

    fn make(&self, fill: Fill<'_>) -> Result<(), redb::Error> {
        let unfinished = self.0.with_extension("unfinished");
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let database = Opening::First.builder().create(&unfinished)?;
        fill(&database)?;
        database.close()?;
        fs::rename(&unfinished, &self.0)?;
        // What lies in a file whose name is lost with the power is lost too.
        Ok(sync_folder(self.0.parent().unwrap_or(Path::new(".")))?)
    }

    fn open(&self, opening: Opening) -> Result<Database, DatabaseError> {
        let file = OpenOptions::new().read(true).write(true).open(&self.0)?;
        // An empty file would be filled as a new one.
        if file.metadata()?.len() == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is empty").into());
        }
        opening.builder().create_with_backend(Trimmed::new(FileBackend::new(file)?))
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
