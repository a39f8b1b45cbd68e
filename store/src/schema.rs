//! The tables, and the marks that say whose file it is. Keys and values are bytes; numbers in keys are big endian, so that they
//! sort.
//!
//! | table | key | value |
//! |---|---|---|
//! | `meta` | `schema` | version, u32 BE |
//! | `meta` | `run`, `fingerprint` | 32 bytes each |
//! | `reports` | unit (path, layer, part, replica), order: u32 BE each | content hash, body's length u64 BE, the reporter's signed word |
//! | `bodies` | the report's key, piece u32 BE from 0 | that piece of the body, [`PIECE`] bytes but for the last |
//! | `words` | unit | the coordinator's newest signed word about it |
//!
//! Version 1 is the first. Another layout gets another number, and a way to read this one.

use protocol::{ContentHash, RunId};
use redb::{Database, Durability, ReadableDatabase, ReadableTableMetadata, TableDefinition};

type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

pub(crate) const META: Table = TableDefinition::new("meta");
pub(crate) const REPORTS: Table = TableDefinition::new("reports");
pub(crate) const BODIES: Table = TableDefinition::new("bodies");
pub(crate) const WORDS: Table = TableDefinition::new("words");

/// The version of the layout that this program writes.
pub const SCHEMA: u32 = 1;

/// How much of a body is one value: with key and head it fits into 16 KiB, since values take the next power of two. A body as one
/// value would take up to twice its room, and all of it in memory once more.
pub(crate) const PIECE: usize = (16 << 10) - 256;

const SCHEMA_KEY: &[u8] = b"schema";
const RUN_KEY: &[u8] = b"run";
const FINGERPRINT_KEY: &[u8] = b"fingerprint";

/// Whose reports a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The run.
    pub run: RunId,
    /// The fingerprint of its spec, which every content hash depends on.
    pub fingerprint: [u8; 32],
}

/// What a file says about itself.
pub(crate) enum Found {
    /// That it is of this version and mark.
    Marked(u32, Mark),
    /// Nothing that makes sense.
    Nonsense(&'static str),
}

/// Reads whose file it is.
pub(crate) fn read(database: &Database) -> Result<Found, redb::Error> {
    let read = database.begin_read()?;
    let meta = match read.open_table(META) {
        Ok(meta) => meta,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Found::Nonsense("it has no marks")),
        Err(error) => return Err(error.into()),
    };
    let Some(version) = meta.get(SCHEMA_KEY)?.and_then(|v| v.value().try_into().ok()) else {
        return Ok(Found::Nonsense("it has no version"));
    };
    let version = u32::from_be_bytes(version);
    // What else is in a newer one is for a newer program to know.
    if version > SCHEMA {
        let mark = Mark { run: RunId::NONE, fingerprint: [0; 32] };
        return Ok(Found::Marked(version, mark));
    }
    let run = meta.get(RUN_KEY)?.and_then(|v| v.value().try_into().ok());
    let fingerprint = meta.get(FINGERPRINT_KEY)?.and_then(|v| v.value().try_into().ok());
    Ok(match (version, run, fingerprint) {
        (1.., Some(run), Some(fingerprint)) => {
            Found::Marked(version, Mark { run: RunId::from_bytes(run), fingerprint })
        }
        _ => Found::Nonsense("its marks can't be read"),
    })
}

/// Marks a new file, and makes its tables.
pub(crate) fn write(database: &Database, mark: &Mark) -> Result<(), redb::Error> {
    let write = begin(database)?;
    {
        let mut meta = write.open_table(META)?;
        meta.insert(SCHEMA_KEY, &SCHEMA.to_be_bytes()[..])?;
        meta.insert(RUN_KEY, &mark.run.as_bytes()[..])?;
        meta.insert(FINGERPRINT_KEY, &mark.fingerprint[..])?;
        for table in [REPORTS, BODIES, WORDS] {
            write.open_table(table)?.len()?;
        }
    }
    Ok(write.commit()?)
}

/// Begins a commit that is on disk when it is through, after which the file opens quickly whatever happens.
pub(crate) fn begin(database: &Database) -> Result<redb::WriteTransaction, redb::Error> {
    let mut write = database.begin_write()?;
    write.set_durability(Durability::Immediate)?;
    write.set_quick_repair(true);
    Ok(write)
}

/// A row of `reports`, but for its key.
pub(crate) struct Row<'b> {
    pub(crate) content: ContentHash,
    pub(crate) length: u64,
    pub(crate) statement: &'b [u8],
}

impl<'b> Row<'b> {
    pub(crate) fn encode(&self) -> Vec<u8> {
        [&self.content.as_bytes()[..], &self.length.to_be_bytes(), self.statement].concat()
    }

    pub(crate) fn parse(bytes: &'b [u8]) -> Option<Self> {
        let (content, rest) = bytes.split_first_chunk::<32>()?;
        let (length, statement) = rest.split_first_chunk::<8>()?;
        let content = ContentHash::from_bytes(*content);
        Some(Self { content, length: u64::from_be_bytes(*length), statement })
    }
}
