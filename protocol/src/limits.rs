//! Every size and every count that a peer may send, in one place, each with its reason. Sizes are checked before
//! anything is decoded; counts right after, before anything is done with it.

use snake::{FeatureKind, Schema};

/// A request or an answer. What the network layer carries at most, too.
pub const MESSAGE_BYTES: usize = 256 * 1024;

/// A manifest as an envelope: fits an offer (with a delegation beside it) into [`MESSAGE_BYTES`]. Enough for about 500
/// k-means paths of 64 dimensions, or some thousand columns.
pub const MANIFEST_BYTES: usize = MESSAGE_BYTES - 8 * 1024;

/// An address as text. The longest multiaddr in use (relay, two peers, a DNS name) is well below.
pub const ADDRESS_BYTES: usize = 256;

/// Addresses in one record: some interfaces times some transports. As many as one dial tries.
pub const ADDRESSES: usize = 16;

/// What an envelope adds to its payload at most: keys, kind, run, signer, signature, version, and their heads.
pub const ENVELOPE_OVERHEAD: usize = 192;

/// A record of a few numbers and hashes, as an envelope: about 300 bytes are used.
pub const SMALL_RECORD_BYTES: usize = 512;

/// A record with addresses, as an envelope: 16 of 256 bytes, and 128 for what is beside them.
pub const ADDRESS_RECORD_BYTES: usize = ADDRESSES * (ADDRESS_BYTES + 3) + ENVELOPE_OVERHEAD + 128;

/// What gossip carries: the largest of the records that are gossiped.
pub const GOSSIP_BYTES: usize = ADDRESS_RECORD_BYTES;

/// Characters of a run's name: it stands in a line of a terminal, with a short key behind it.
pub const NAME_CHARS: usize = 64;

/// Parts of a source, and alternatives of one part.
pub const LOCATIONS: usize = 4096;

/// Bytes of a location: what web servers take as an address.
pub const LOCATION_BYTES: usize = 2048;

/// Runs in one hello: more than anybody follows by hand.
pub const HELLO_RUNS: usize = 16;

/// Peer records per run in one hello.
pub const HELLO_PEERS: usize = 32;

/// Bytes of records in one answer: leaves 16 KiB of [`MESSAGE_BYTES`] for their heads and the rest.
pub const RECORDS_BYTES: usize = MESSAGE_BYTES - 16 * 1024;

/// Records in one answer: at about 250 bytes each this is what [`RECORDS_BYTES`] holds.
pub const RECORDS: usize = 1024;

/// Ranges by which two peers compare their tables: 4 KiB in a request.
pub const EXCHANGE_RANGES: usize = 1024;

/// Records named in one answer of an exchange: half of [`MESSAGE_BYTES`].
pub const EXCHANGE_IDS: usize = 16 * 1024;
/// Paths, one by one, in a status: at most 36 bytes each, 147 KB in all.
pub const STATUS_PATHS: usize = 4096;

/// Bytes of a status's stages, four units each: more units are told by path alone.
pub const STATUS_STAGES_BYTES: usize = 64 * 1024;

/// Leases in a status: at most 90 bytes each.
pub const STATUS_HELD: usize = 256;

/// Peers in a status: at most 64 bytes each. All four together leave 8 KiB of [`MESSAGE_BYTES`] for the rest.
pub const STATUS_PEERS: usize = 256;

/// Bytes of the reason in a refusal.
pub const REASON_BYTES: usize = 512;

/// One frame of a report's stream.
pub const FRAME_BYTES: usize = 64 * 1024;

/// One literal in a report: it may quote a cell.
pub const LITERAL_BYTES: usize = 1024 * 1024;

/// A report, whatever its path.
pub const REPORT_BYTES: u64 = 256 * 1024 * 1024;

/// How large a report of a path may be.
///
/// **Bytes**: 64 KiB for the path, and per row 1 KiB and, for each of up to four text columns, 4 KiB more; never above
/// [`REPORT_BYTES`]. A literal over a number takes 15 bytes, and training took 22 bytes a row on Adult (with the defaults
/// 77) and 64 on random numbers. But one literal may quote a whole cell: random texts of 2,000 characters took 2,259 bytes
/// a row, and five rows of 30 such columns 815. A bound without the allowances for text columns and for small shards would refuse honest
/// reports, and then no run over such data could end.
///
/// **Memory**: four times the bytes, which is far above what honest reports need (a vote is a byte or two and counts as
/// eight; nearly all of a report is votes, members and literals of 24 bytes); a report made to unfold is stopped. Volunteers
/// decode what they report, within the same limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportLimits {
    /// Bytes of the report, uncompressed.
    pub bytes: u64,
    /// Bytes of memory for what is decoded from it.
    pub memory: u64,
}

impl ReportLimits {
    /// The limits for a path with so many rows.
    #[must_use]
    pub fn for_path(schema: &Schema, rows: u64) -> Self {
        let texts =
            schema.features.iter().filter(|feature| feature.kind == FeatureKind::Text).take(4).count();
        let per_row = 1024 + 4096 * texts as u64;
        let bytes = rows.saturating_mul(per_row).saturating_add(64 * 1024).min(REPORT_BYTES);
        Self { bytes, memory: bytes * 4 }
    }
}
