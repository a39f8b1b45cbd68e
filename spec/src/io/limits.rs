//! How much of a source a machine is ready to read.

use std::time::{Duration, Instant};

/// What is read of a source at most. A source that is larger is an error, whoever published it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceLimits {
    /// Bytes of a part as it lies there.
    pub packed_bytes: u64,
    /// Bytes of a part when it is unpacked.
    pub unpacked_bytes: u64,
    /// Unpacked bytes per packed byte, once there are more than `free_bytes` of them.
    pub ratio: u64,
    /// Unpacked bytes that may come out of anything.
    pub free_bytes: u64,
    /// Bytes of a part that has to be copied into a temporary file, as Parquet that is packed or comes from a server without
    /// ranges.
    pub copied_bytes: u64,
    /// Rows over all parts.
    pub rows: u64,
    /// How long one pass may take.
    pub time: Duration,
}

impl Default for SourceLimits {
    /// 1 TiB packed and 4 TiB unpacked a part, 16 GiB of one that is copied, 2^33 rows, a day. KDD Cup's table, which repeats
    /// itself as few do, unpacks to 39 times its size; gzip can't do more than about 1,030 times.
    fn default() -> Self {
        Self {
            packed_bytes: 1 << 40,
            unpacked_bytes: 1 << 42,
            copied_bytes: 16 << 30,
            ratio: 250,
            free_bytes: 256 << 20,
            rows: 1 << 33,
            time: Duration::from_secs(24 * 60 * 60),
        }
    }
}

impl SourceLimits {
    /// What is left when so much time has gone by.
    pub(super) fn after(&self, spent: Duration) -> Self {
        Self { time: self.time.saturating_sub(spent), ..self.clone() }
    }

    /// When reading has to be done that begins now.
    pub(super) fn end(&self) -> Option<Instant> {
        Instant::now().checked_add(self.time)
    }
}

/// What is said when time has run out. A part has what those before it left, so how much that was helps nobody.
pub(super) fn too_long() -> String {
    "takes longer to read than a pass may (a day, unless told otherwise): try again later, or another copy"
        .into()
}
