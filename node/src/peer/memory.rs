//! Neighbours' addresses on disk, so that a peer finds back after a restart, also when its bootstrap peer is gone.

use std::path::{Path, PathBuf};

use anyhow::Result;
use net::Multiaddr;
use protocol::{PeerKey, PeerRecord, Signed};

use crate::files;

/// The file within a run's folder.
const NAME: &str = "peers";
/// The most bytes of it that are read.
const BYTES_MAX: usize = 1 << 20;
/// Peers of the last time that are tried at a start.
const TRIED_MAX: usize = 16;

/// Writes down signed addresses.
pub(crate) fn remember(run_folder: &Path, records: &[Vec<u8>]) -> Result<()> {
    files::write_whole(&run_folder.join(NAME), |out| Ok(out.write_all(&join_records(records))?))
}

/// The signed addresses of the last time; none when the file is not there or can't be read.
pub(crate) fn recall(run_folder: &Path) -> Vec<Vec<u8>> {
    let bytes = files::read_small(&run_folder.join(NAME), BYTES_MAX).unwrap_or_default();
    split_records(&bytes).into_iter().map(<[u8]>::to_vec).collect()
}

/// Peers of any run of the last time, to be tried when nobody else can be reached.
pub(crate) fn recall_all(runs: &Path) -> Vec<(PeerKey, Vec<Multiaddr>)> {
    let Ok(folders) = std::fs::read_dir(runs) else { return Vec::new() };
    let mut folders: Vec<PathBuf> = folders.filter_map(|entry| Some(entry.ok()?.path())).collect();
    folders.sort();
    let mut peers: Vec<(PeerKey, Vec<Multiaddr>)> = Vec::new();
    for bytes in folders.iter().flat_map(|folder| recall(folder)) {
        let Ok(record) = Signed::<PeerRecord>::open(&bytes, None) else { continue };
        let addresses = record.value().addresses.iter().filter_map(|a| a.as_str().parse().ok()).collect();
        if peers.len() < TRIED_MAX && peers.iter().all(|(key, _)| *key != record.signer()) {
            peers.push((record.signer(), addresses));
        }
    }
    peers
}

/// Records one after the other, each after its length.
fn join_records(records: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for record in records {
        // As many as will be read back.
        if let Ok(length) = u32::try_from(record.len())
            && bytes.len() + 4 + record.len() <= BYTES_MAX
        {
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(record);
        }
    }
    bytes
}

/// The records of [`join_records`]; what is cut off at the end is left out.
fn split_records(bytes: &[u8]) -> Vec<&[u8]> {
    let mut records = Vec::new();
    let mut rest = bytes;
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let Some((record, next)) = after.split_at_checked(u32::from_le_bytes(*length) as usize) else {
            break;
        };
        records.push(record);
        rest = next;
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Identity, RunId};

    #[test]
    fn remembered_records_survive_a_cut() {
        let records = vec![b"one".to_vec(), Vec::new(), b"three".to_vec()];
        let mut bytes = join_records(&records);
        assert_eq!(split_records(&bytes), [b"one".as_slice(), b"", b"three"]);
        bytes.pop();
        assert_eq!(split_records(&bytes), [b"one".as_slice(), b""]);
    }

    #[test]
    fn more_than_is_read_back_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        remember(folder.path(), &vec![vec![7; 4_000]; 512]).unwrap();
        assert_eq!(recall(folder.path()).len(), BYTES_MAX / 4_004);
    }

    #[test]
    fn peers_of_all_runs_are_recalled_once() {
        let runs = tempfile::tempdir().unwrap();
        let record = |seed: u8| {
            let address = "/ip4/127.0.0.1/tcp/4001".parse().unwrap();
            let record = PeerRecord { addresses: vec![address], counter: 1 };
            let signed = Signed::sign(&Identity::from_seed(&[seed; 32]), RunId::NONE, record).unwrap();
            signed.bytes().to_vec()
        };
        for (name, seeds) in [("a", [1, 2]), ("b", [2, 3])] {
            let folder = runs.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            remember(&folder, &seeds.map(record)).unwrap();
        }
        assert_eq!(recall(&runs.path().join("a")).len(), 2);
        assert_eq!(recall_all(runs.path()).len(), 3);
        assert!(recall_all(&runs.path().join("nowhere")).is_empty());
    }
}
