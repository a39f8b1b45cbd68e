//! What a reporter states about its report, outside of the content.

use serde::{Deserialize, Serialize};

use crate::envelope::{Record, Scope};
use crate::ids::ContentHash;
use crate::limits::{REPORT_BYTES, SMALL_RECORD_BYTES};
use crate::unit::Unit;

/// "I trained this unit, and this came out." Any peer may say it, about itself, whatever became of its claim.
///
/// It is kept with the report: when the content is proven wrong, this is the proof of who reported it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportHeader {
    /// What was trained.
    #[serde(rename = "u")]
    pub unit: Unit,
    /// What came out: [`content_hash`](crate::content_hash) of the report.
    #[serde(rename = "h")]
    pub content: ContentHash,
    /// Bytes of the report, uncompressed.
    #[serde(rename = "n")]
    pub length: u64,
    /// The counter of the claim under which it was trained; 0: of none.
    #[serde(rename = "c")]
    pub claim: u64,
    /// When it was finished, by the reporter's clock, in Unix milliseconds. For people; nothing depends on it.
    #[serde(rename = "t")]
    pub finished: u64,
}

impl Record for ReportHeader {
    const KIND: &'static str = "report";
    const SCOPE: Scope = Scope::Run;
    const MAX_BYTES: usize = SMALL_RECORD_BYTES;

    fn check(&self) -> Result<(), &'static str> {
        if self.length > REPORT_BYTES { Err("it announces more than 256 MiB") } else { Ok(()) }
    }
}
