//! What a person or a program is told while a peer works: one event a line, as text or as JSON.

use std::fmt;
use std::io::Write;

use serde::{Deserialize, Serialize};

use crate::terminal::error_line;
use crate::volunteer::Standing;

/// Something that matters to whoever watches. With `--json` each is one line on standard output, named by `event`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// The peer stands.
    Started { key: String },
    /// It listens here.
    Listening { address: String },
    /// A bootstrap peer could not be reached.
    Unreachable { address: String, reason: String },
    /// A peer of the network is connected.
    Connected { peer: String },
    /// A peer of the network is gone.
    Disconnected { peer: String },
    /// A run is known, with what a volunteer should know before taking it.
    Run { run: String, name: String, operator: String, source: String, rows: u64, paths: u32, layers: u32 },
    /// The coordinator read its source: every shard is what the operator signed.
    SourceChecked { run: String, rows: u64, seconds: f64 },
    /// The coordinator has no source: it keeps reports and assembles later.
    SourceMissing { run: String, reason: String },
    /// The router was fitted again and is the published one.
    RoutingVerified { run: String },
    /// Another peer's claim was heard.
    ClaimHeard { peer: String, path: u32, layer: u32 },
    /// This peer trains a unit.
    Training { path: u32, layer: u32 },
    /// It finished one.
    Trained { path: u32, layer: u32, rows: u64, bytes: u64, seconds: f64 },
    /// Its training was given up: another peer has the unit.
    Dropped { path: u32, layer: u32 },
    /// A report arrived at the coordinator and is on its disk.
    Stored { run: String, path: u32, layer: u32, from: String },
    /// A report was refused.
    ReportRefused { run: String, path: u32, layer: u32, from: String, reason: String },
    /// A report could not be stored.
    StoreFailed { run: String, path: u32, layer: u32, reason: String },
    /// Two peers report different buckets for one unit; both are kept.
    Dispute { run: String, path: u32, layer: u32 },
    /// The coordinator has the unit: `units_done` of `units`.
    Progress { run: String, units_done: u64, units: u64 },
    /// The coordinator acknowledged this peer's report.
    Receipt { path: u32, layer: u32 },
    /// Shards in memory, what the cache did so far, and in how many passes over the source shards were made.
    Cache { held: u64, hits: u64, misses: u64, evictions: u64, rebuilds: u64, passes: u64 },
    /// The model is written.
    ModelWritten { run: String, path: String, hash: String, seconds: f64 },
    /// The run is complete.
    Complete { run: String, hash: String },
    /// How this volunteer stands, every ten seconds.
    Status(Standing),
    /// A warning.
    Warning { text: String },
    /// The machine slept.
    Awake { slept_seconds: u64 },
    /// The peer leaves: what it did, and how many units it held and gave back.
    Left { units: u64, given_back: u64, bytes_sent: u64, bytes_received: u64 },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { key } => write!(f, "this peer is {}", short(key)),
            Self::Listening { address } => write!(f, "listening on {address}"),
            Self::Unreachable { address, reason } => write!(f, "{address} can't be reached: {reason}"),
            Self::Connected { peer } => write!(f, "connected to {}", short(peer)),
            Self::Disconnected { peer } => write!(f, "{} is gone", short(peer)),
            Self::Run { run, name, operator, source, rows, paths, layers } => write!(
                f,
                "run {} {name}@{}: {rows} rows of {source}, {paths} paths x {layers} layers",
                short(run),
                short(operator)
            ),
            Self::SourceChecked { rows, seconds, .. } => {
                write!(
                    f,
                    "source checked: {rows} rows, every shard is what the operator signed ({seconds:.1} s)"
                )
            }
            Self::SourceMissing { reason, .. } => {
                write!(f, "no source, so reports are kept and the model waits: {reason}")
            }
            Self::RoutingVerified { .. } => {
                f.write_str("router verified: fitted again, the same to the last bit")
            }
            Self::ClaimHeard { peer, path, layer } => {
                write!(f, "{} claims path {path} layer {layer}", short(peer))
            }
            Self::Training { path, layer } => write!(f, "training path {path} layer {layer}"),
            Self::Trained { path, layer, rows, bytes, seconds } => {
                write!(
                    f,
                    "trained path {path} layer {layer}: {rows} rows, {bytes} bytes of report, {seconds:.2} s"
                )
            }
            Self::Dropped { path, layer } => {
                write!(f, "path {path} layer {layer} is another peer's now: dropped")
            }
            Self::Stored { path, layer, from, .. } => {
                write!(f, "path {path} layer {layer} stored, from {}", short(from))
            }
            Self::ReportRefused { path, layer, from, reason, .. } => {
                write!(f, "report of path {path} layer {layer} from {} refused: {reason}", short(from))
            }
            Self::StoreFailed { path, layer, reason, .. } => {
                write!(
                    f,
                    "report of path {path} layer {layer} can't be stored, so it is not acknowledged: {reason}"
                )
            }
            Self::Dispute { path, layer, .. } => {
                write!(f, "two different reports of path {path} layer {layer}: both are kept")
            }
            Self::Progress { units_done, units, .. } => write!(f, "{units_done} of {units} units done"),
            Self::Receipt { path, layer } => write!(f, "path {path} layer {layer} delivered"),
            Self::Cache { held, hits, misses, evictions, rebuilds, passes } => write!(
                f,
                "shards: {held} in memory, {hits} hits, {misses} misses, {evictions} evictions, {rebuilds} rebuilt in \
                 {passes} passes"
            ),
            Self::ModelWritten { path, hash, seconds, .. } => {
                write!(f, "model written to {path} ({}, {seconds:.1} s)", short(hash))
            }
            Self::Complete { run, hash } => {
                write!(f, "run {} is complete, model {}", short(run), short(hash))
            }
            Self::Status(standing) => f.write_str(&standing.text(usize::MAX)),
            Self::Warning { text } => f.write_str(text),
            Self::Awake { slept_seconds } => {
                write!(f, "slept for {}: looking again who has what", time_text(*slept_seconds))
            }
            Self::Left { units, given_back, bytes_sent, bytes_received } => {
                write!(f, "left after {units} units")?;
                if *given_back > 0 {
                    write!(f, ", {given_back} given back")?;
                }
                write!(f, ", {bytes_sent} bytes sent, {bytes_received} received")
            }
        }
    }
}

/// A length of time in the unit that fits.
fn time_text(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

impl Event {
    /// Whether it is left out unless somebody asks for more: a volunteer's status line and the line of each unit tell of it.
    fn is_detail(&self) -> bool {
        matches!(
            self,
            Self::ClaimHeard { .. }
                | Self::Cache { .. }
                | Self::Connected { .. }
                | Self::Disconnected { .. }
                | Self::Training { .. }
                | Self::Dropped { .. }
                | Self::Receipt { .. }
        )
    }
}

/// How events are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    /// Sentences on standard error, one for what matters.
    Text,
    /// Sentences on standard error, details too.
    Detailed,
    /// Lines of JSON on standard output.
    Json,
}

impl Output {
    /// What `--json` and `--verbose` ask for.
    pub(crate) fn of(json: bool, verbose: bool) -> Self {
        match (json, verbose) {
            (true, _) => Self::Json,
            (false, true) => Self::Detailed,
            (false, false) => Self::Text,
        }
    }

    /// Whether a person reads it.
    pub(crate) fn is_text(self) -> bool {
        self != Self::Json
    }

    /// Shows an event that is a detail here, though not everywhere.
    pub(crate) fn show_detail(self, event: &Event) {
        match self {
            Self::Text => tracing::info!("{event}"),
            Self::Detailed | Self::Json => self.show(event),
        }
    }

    /// Shows an event. A reader that went away is no reason to stop working.
    pub(crate) fn show(self, event: &Event) {
        match self {
            Self::Text if event.is_detail() => tracing::info!("{event}"),
            Self::Text | Self::Detailed => error_line(format_args!("{event}")),
            Self::Json => {
                if let Ok(line) = serde_json::to_string(event) {
                    let mut out = std::io::stdout().lock();
                    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_json_names_its_event() {
        let event = Event::Progress { run: "ab".into(), units_done: 1, units: 4 };
        let line = serde_json::to_string(&event).unwrap();
        assert_eq!(line, r#"{"event":"progress","run":"ab","units_done":1,"units":4}"#);
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
        assert_eq!(event.to_string(), "1 of 4 units done");
    }

    #[test]
    fn a_sleep_is_said_in_the_unit_that_fits() {
        for (slept_seconds, text) in [(6, "6 s"), (119, "119 s"), (2_100, "35 min"), (36_000, "10 h")] {
            let said = Event::Awake { slept_seconds }.to_string();
            assert_eq!(said, format!("slept for {text}: looking again who has what"));
        }
    }
}
