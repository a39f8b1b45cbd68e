//! Reports on disk: a volunteer's outbox. One file a report, whole or not there at all.
//!
//! ```text
//! file name   path-layer-part-replica-order-contenthash.report
//! bytes       "ODPCRP01"  u32 LE length  statement  body
//! ```
//! `order` counts the reports of a unit from 0, as they came: the first is the accepted one, others are in dispute with it.
//! `statement` is the reporter's signed word (who, when); `body` the report, which the content hash in the name covers.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use protocol::{ContentHash, Unit};

use crate::disk::{self, Disk, UNFINISHED};

const MAGIC: &[u8; 8] = b"ODPCRP01";
const ENDING: &str = "report";

/// One report as it lies on disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StoredReport {
    /// The reporter's signed word, as it travels.
    pub(crate) statement: Vec<u8>,
    /// The report, as it travels.
    pub(crate) body: Vec<u8>,
}

/// A body's content hash, for the run the folder is of.
pub(crate) type HashBody = Box<dyn Fn(Unit, &[u8]) -> ContentHash + Send + Sync>;

/// A folder of reports.
pub(crate) struct ReportFolder {
    disk: Box<dyn Disk>,
    folder: PathBuf,
    largest: u64,
    hash: HashBody,
}

/// Names a report in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ReportName {
    /// 0, or how many reports of the unit were there before.
    pub(crate) order: u32,
    pub(crate) unit: Unit,
    pub(crate) content: ContentHash,
}

/// What was found at the start.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    /// Per unit, its reports by order; several are a dispute.
    pub(crate) reports: BTreeMap<Unit, Vec<ReportName>>,
    /// Files that were damaged and have been removed.
    pub(crate) damaged: Vec<PathBuf>,
}

impl ReportFolder {
    /// A folder that exists. `largest`: the most bytes a body may have. `hash`: a body's content hash.
    pub(crate) fn new(disk: Box<dyn Disk>, folder: &Path, largest: u64, hash: HashBody) -> Self {
        Self { disk, folder: folder.to_owned(), largest, hash }
    }

    /// Looks through the folder: removes what a crash left half written and what is damaged.
    ///
    /// # Errors
    /// The disk's. A report that can't be read for now is left alone.
    pub(crate) fn look_through(&self) -> io::Result<Found> {
        let mut found = Found::default();
        for path in self.disk.list(&self.folder)? {
            let ending = path.extension().and_then(|e| e.to_str());
            if ending == Some(UNFINISHED) {
                self.disk.remove(&path)?;
            }
            if ending != Some(ENDING) {
                continue;
            }
            let name = parse_name(&path).filter(|name| self.path(*name) == path);
            match name.map(|name| self.get(name).map(|_| name)) {
                Some(Ok(name)) => found.reports.entry(name.unit).or_default().push(name),
                // It may be whole, and acknowledged: what can't be read now is no reason to lose it.
                Some(Err(error)) if error.kind() != io::ErrorKind::InvalidData => {
                    return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display())));
                }
                _ => {
                    self.disk.remove(&path)?;
                    found.damaged.push(path);
                }
            }
        }
        found.reports.values_mut().for_each(|names| names.sort_unstable());
        Ok(found)
    }

    /// Puts a report on disk; when this returns without an error it stays, whatever happens next.
    pub(crate) fn put(&self, name: ReportName, report: &StoredReport) -> io::Result<()> {
        let length = u32::try_from(report.statement.len())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the statement is too long"))?;
        let parts: [&[u8]; 4] = [MAGIC, &length.to_le_bytes(), &report.statement, &report.body];
        disk::put(&*self.disk, &self.path(name), &parts)
    }

    /// Reads a report back. One that is not what its name says is an error of kind `InvalidData`.
    pub(crate) fn get(&self, name: ReportName) -> io::Result<StoredReport> {
        let path = self.path(name);
        let bytes = self.disk.read(&path, self.largest.saturating_add(64 * 1024))?;
        let damaged = || {
            let reason = format!("{}: damaged, or not a report", path.display());
            io::Error::new(io::ErrorKind::InvalidData, reason)
        };
        let (statement, body) = split(&bytes).ok_or_else(damaged)?;
        if (self.hash)(name.unit, body) != name.content {
            return Err(damaged());
        }
        Ok(StoredReport { statement: statement.to_vec(), body: body.to_vec() })
    }

    /// Removes a report.
    pub(crate) fn remove(&self, name: ReportName) -> io::Result<()> {
        self.disk.remove(&self.path(name))
    }

    fn path(&self, name: ReportName) -> PathBuf {
        let ReportName { order, unit: Unit { path, layer, part, replica }, content } = name;
        self.folder.join(format!("{path}-{layer}-{part}-{replica}-{order}-{content}.{ENDING}"))
    }
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

fn parse_name(path: &Path) -> Option<ReportName> {
    let mut words = path.file_stem()?.to_str()?.split('-');
    let mut number = || words.next()?.parse::<u32>().ok();
    let unit = Unit { path: number()?, layer: number()?, part: number()?, replica: number()? };
    let order = number()?;
    let content = words.next()?.parse().ok()?;
    words.next().is_none().then_some(ReportName { order, unit, content })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;
    use crate::disk::faults::FullAfter;

    fn hash(unit: Unit, body: &[u8]) -> ContentHash {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&unit.path.to_le_bytes()).update(body);
        ContentHash::from_bytes(*hasher.finalize().as_bytes())
    }

    fn folder(disk: Box<dyn Disk>, at: &Path) -> ReportFolder {
        ReportFolder::new(disk, at, 1_000, Box::new(hash))
    }

    fn report(text: &str) -> StoredReport {
        StoredReport { statement: b"signed".to_vec(), body: text.as_bytes().to_vec() }
    }

    #[test]
    fn reports_come_back_and_damage_is_found() {
        let at = tempfile::tempdir().unwrap();
        let store = folder(Box::new(RealDisk), at.path());
        let (a, b) = (Unit::new(0, 1), Unit::new(3, 0));
        let name = |order, unit, body: &[u8]| ReportName { order, unit, content: hash(unit, body) };
        let (name_a, name_b, other_a) = (name(0, a, b"one"), name(0, b, b"two"), name(1, a, b"another"));
        store.put(other_a, &report("another")).unwrap();
        store.put(name_a, &report("one")).unwrap();
        store.put(name_b, &report("two")).unwrap();
        assert_eq!(store.get(name_a).unwrap(), report("one"));
        std::fs::write(at.path().join("x.unfinished"), "half").unwrap();
        std::fs::write(at.path().join("notes.txt"), "mine").unwrap();
        let path = store.path(name_b);
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, bytes).unwrap();

        let found = store.look_through().unwrap();
        assert_eq!(found.reports, BTreeMap::from([(a, vec![name_a, other_a])]));
        assert_eq!(found.damaged, [path]);
        assert_eq!(std::fs::read_dir(at.path()).unwrap().count(), 3, "the other file is left alone");
    }

    /// A disk on which nothing can be read for now, as when a process has too many files open.
    struct Unreadable;

    impl Disk for Unreadable {
        fn read(&self, _: &Path, _: u64) -> io::Result<Vec<u8>> {
            Err(io::Error::other("too many open files"))
        }
    }

    #[test]
    fn a_report_that_cant_be_read_for_now_is_not_removed() {
        let at = tempfile::tempdir().unwrap();
        let unit = Unit::new(0, 0);
        let name = ReportName { order: 0, unit, content: hash(unit, b"one") };
        let store = folder(Box::new(Unreadable), at.path());
        store.put(name, &report("one")).unwrap();
        assert!(store.look_through().is_err());
        let found = folder(Box::new(RealDisk), at.path()).look_through().unwrap();
        assert_eq!(found.reports, BTreeMap::from([(unit, vec![name])]));
    }

    #[test]
    fn a_full_disk_at_every_step_loses_nothing_and_invents_nothing() {
        let unit = Unit::new(0, 0);
        for steps in 0..=3 {
            let at = tempfile::tempdir().unwrap();
            let kept = ReportName { order: 0, unit, content: hash(unit, b"kept") };
            folder(Box::new(RealDisk), at.path()).put(kept, &report("kept")).unwrap();
            let store = folder(Box::new(FullAfter::new(steps)), at.path());
            let new = ReportName { order: 1, unit, content: hash(unit, b"new") };
            let outcome = store.put(new, &report("new"));
            assert_eq!(outcome.is_ok(), steps == 3, "{steps}");
            let found = store.look_through().unwrap();
            assert!(found.damaged.is_empty() && found.reports[&unit].contains(&kept), "{steps}");
            if outcome.is_ok() {
                assert!(found.reports[&unit].contains(&new));
            }
        }
    }
}
