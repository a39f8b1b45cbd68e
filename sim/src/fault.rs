//! What goes wrong at a given moment, as a line of a scenario.

use serde::Deserialize;

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When, in seconds from the start.
    pub at_s: f64,
    /// What.
    pub what: What,
    /// To which volunteer, from 0. The others have no use for it.
    #[serde(default)]
    pub who: usize,
    /// For how long, in seconds. What is for good has no use for it.
    #[serde(default)]
    pub for_s: f64,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A volunteer is gone for good.
    Kill,
    /// A volunteer is gone, and starts again with what is on its disk.
    Restart,
    /// A volunteer goes in peace.
    Leave,
    /// The coordinator is gone, and starts again with its store.
    Coordinator,
    /// The same, and its disk is empty.
    LoseStore,
    /// The coordinator's disk takes nothing.
    FullDisk,
}

impl Fault {
    pub(crate) fn at_ms(&self) -> u64 {
        (self.at_s * 1_000.0) as u64
    }

    pub(crate) fn for_ms(&self) -> u64 {
        (self.for_s * 1_000.0) as u64
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        let times = [self.at_s, self.for_s];
        match times.iter().all(|time| time.is_finite() && *time >= 0.0) {
            true => Ok(()),
            false => Err("`at_s` and `for_s` of a fault are 0 or more".into()),
        }
    }
}
