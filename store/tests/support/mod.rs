//! A disk in memory that forgets what was not synced, fails at any operation, and may be full.

#![allow(dead_code, unreachable_pub, reason = "every test file uses another part")]

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use protocol::{ContentHash, RunId, Unit};
use redb::{Database, DatabaseError, StorageBackend};
use store::{Fill, HashBody, Mark, Opening, Place, Report, ReportName, Trimmed};

/// What the disk does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The n-th operation fails, and every one after it.
    From(u64),
    /// The n-th operation fails, and no other one.
    Once(u64),
}

#[derive(Debug, Clone)]
enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

#[derive(Debug, Default)]
struct Inner {
    /// What a program sees, and what would be left if the power went now and nothing unsynced had got through.
    current: Vec<u8>,
    synced: Vec<u8>,
    unsynced: Vec<Change>,
    operations: u64,
    syncs: u64,
    fault: Option<Fault>,
    /// What is written has another name, and is nothing yet.
    draft: bool,
    /// Blocks of 4 KiB that were written, and how many may be.
    blocks: BTreeSet<u64>,
    room: Option<usize>,
}

/// The disk. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Disk(Arc<Mutex<Inner>>);

/// What of the changes that were never synced is there after the power was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// Everything got through.
    Nothing,
    /// Nothing did.
    Everything,
    /// Some did, in whatever order: these bits say which.
    Some(u64),
}

impl Disk {
    /// A disk that will fail.
    pub fn failing(fault: Fault) -> Self {
        let disk = Self::default();
        disk.inner().fault = Some(fault);
        disk
    }

    /// A disk with these bytes on it.
    pub fn holding(bytes: Vec<u8>) -> Self {
        let disk = Self::default();
        disk.inner().current.clone_from(&bytes);
        disk.inner().synced = bytes;
        disk
    }

    /// The disk after the power was cut: another one, that works.
    pub fn after_a_cut(&self, lost: Lost) -> Self {
        let inner = self.inner();
        Self::holding(match lost {
            _ if inner.draft => Vec::new(),
            Lost::Nothing => inner.current.clone(),
            Lost::Everything => inner.synced.clone(),
            Lost::Some(bits) => {
                let mut image = inner.synced.clone();
                for (i, change) in inner.unsynced.iter().enumerate() {
                    if bits.rotate_right(i as u32 % 64) & 1 == 1 {
                        apply(&mut image, change);
                    }
                }
                image
            }
        })
    }

    /// Allows so many blocks of 4 KiB more than are in use.
    pub fn leave_room_for(&self, blocks: usize) {
        let mut inner = self.inner();
        inner.room = Some(inner.blocks.len() + blocks);
    }

    /// As large as anybody may want.
    pub fn make_room(&self) {
        self.inner().room = None;
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.inner().operations
    }

    /// How many of them were syncs.
    pub fn syncs(&self) -> u64 {
        self.inner().syncs
    }

    /// What is on it.
    pub fn bytes(&self) -> Vec<u8> {
        self.inner().current.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    fn operate(&self) -> io::Result<MutexGuard<'_, Inner>> {
        let mut inner = self.inner();
        let n = inner.operations;
        inner.operations += 1;
        let fails = match inner.fault {
            Some(Fault::From(from)) => n >= from,
            Some(Fault::Once(at)) => n == at,
            None => false,
        };
        if fails { Err(io::Error::other("the disk fails")) } else { Ok(inner) }
    }
}

fn apply(image: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Length(length) => image.resize(*length as usize, 0),
        Change::Write(at, bytes) => {
            let (from, to) = (*at as usize, *at as usize + bytes.len());
            image.resize(image.len().max(to), 0);
            image[from..to].copy_from_slice(bytes);
        }
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.operate()?.current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let inner = self.operate()?;
        let from = offset as usize;
        let bytes = inner.current.get(from..from + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut inner = self.operate()?;
        apply(&mut inner.current, &Change::Length(length));
        inner.unsynced.push(Change::Length(length));
        inner.blocks.retain(|block| block * 4096 < length);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut inner = self.operate()?;
        inner.synced = inner.current.clone();
        inner.unsynced.clear();
        inner.syncs += 1;
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut inner = self.operate()?;
        let blocks = offset / 4096..(offset + data.len() as u64).div_ceil(4096);
        let new = blocks.clone().filter(|block| !inner.blocks.contains(block)).count();
        if inner.room.is_some_and(|room| inner.blocks.len() + new > room) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        inner.blocks.extend(blocks);
        let change = Change::Write(offset, data.to_vec());
        apply(&mut inner.current, &change);
        inner.unsynced.push(change);
        Ok(())
    }
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the disk in memory")
    }
}

impl Place for Disk {
    fn is_there(&self) -> io::Result<bool> {
        Ok(!self.operate()?.current.is_empty())
    }

    fn make(&self, fill: Fill<'_>) -> Result<(), redb::Error> {
        self.inner().draft = true;
        let made = Opening::First.builder().create_with_backend(self.clone()).map_err(redb::Error::from);
        let made = made.and_then(|database| fill(&database).and_then(|()| Ok(database.close()?)));
        let mut inner = self.inner();
        if made.is_err() {
            let Inner { operations, fault, room, .. } = *inner;
            *inner = Inner { operations, fault, room, ..Inner::default() };
        }
        inner.draft = false;
        inner.synced = inner.current.clone();
        inner.unsynced.clear();
        made
    }

    fn open(&self, opening: Opening) -> Result<Database, DatabaseError> {
        opening.builder().create_with_backend(Trimmed::new(self.clone()))
    }
}

pub fn mark() -> Mark {
    Mark { run: RunId::from_bytes([7; 32]), fingerprint: [8; 32] }
}

pub fn content(unit: Unit, body: &[u8]) -> ContentHash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&unit.path.to_le_bytes()).update(&unit.layer.to_le_bytes()).update(body);
    ContentHash::from_bytes(*hasher.finalize().as_bytes())
}

pub fn hash() -> HashBody {
    Box::new(content)
}

/// A report that `seed` and `length` describe: always the same one.
pub fn report(unit: Unit, order: u32, seed: u8, length: usize) -> (ReportName, Report) {
    let mut body = vec![0; length];
    let mut stream = blake3::Hasher::new().update(&[seed]).finalize_xof();
    stream.fill(&mut body);
    let name = ReportName { unit, order, content: content(unit, &body) };
    (name, Report { statement: name.content.as_bytes().repeat(5), body })
}
