//! A run at a glance, as one peer's table shows it: what `status` asks for.
//!
//! It is made for people, and hearsay like everything that a peer says about others: nothing is decided by it. However large
//! the run, it fits one message: what there is too much of is left out, and how much that was is said.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::{ModelHash, PeerKey, RunId};
use crate::lease::{LeaseTable, MAX_UNITS, Moment, Progress, Stage, UnitState};
use crate::limits::{STATUS_HELD, STATUS_PATHS, STATUS_PEERS, STATUS_STAGES_BYTES};
use crate::pace::Pace;
use crate::unit::Unit;
use crate::windows::{Recent, WINDOWS, time_left};

/// What a peer knows of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunStatus {
    /// The run.
    #[serde(rename = "r")]
    pub run: RunId,
    /// Who coordinates, as far as this peer knows.
    #[serde(rename = "k")]
    pub coordinator: Option<PeerKey>,
    /// The model, once the run is complete.
    #[serde(rename = "h")]
    pub model: Option<ModelHash>,
    /// For how long this peer has listened, in milliseconds.
    #[serde(rename = "t")]
    pub watched: u64,
    /// All units by their stage.
    #[serde(rename = "n")]
    pub counts: StageCounts,
    /// How many layers every path has.
    #[serde(rename = "l")]
    pub layers: u32,
    /// The paths that have rows, ascending; the first ones, at most [`STATUS_PATHS`].
    #[serde(rename = "p")]
    pub paths: Vec<PathStatus>,
    /// How many paths were left out.
    #[serde(rename = "po")]
    pub paths_left_out: u32,
    /// Every unit's stage, path by path, two bits each, the first one lowest: 0 open, 1 leased, 2 finished, 3 done. `None` when
    /// a path was left out, or when this would be more than [`STATUS_STAGES_BYTES`].
    #[serde(rename = "s", with = "serde_bytes")]
    pub stages: Option<Vec<u8>>,
    /// Who trains what, what is held longest first; at most [`STATUS_HELD`].
    #[serde(rename = "u")]
    pub held: Vec<Held>,
    /// How many leases were left out.
    #[serde(rename = "uo")]
    pub held_left_out: u32,
    /// How many peers were heard within the lease time.
    #[serde(rename = "a")]
    pub heard: u32,
    /// Peers and what they did, the busiest first; at most [`STATUS_PEERS`].
    #[serde(rename = "v")]
    pub peers: Vec<PeerStatus>,
    /// How many peers were left out.
    #[serde(rename = "vo")]
    pub peers_left_out: u32,
    /// What the measured rates of all peers that are heard come to: units in a million seconds.
    #[serde(rename = "m")]
    pub allowed: u64,
    /// The same as it was in the best window. 0: nothing was measured then.
    #[serde(rename = "b")]
    pub allowed_at_peak: u64,
    /// Units that were trained in each window of ten seconds of the last hour, the newest first: it has just begun.
    #[serde(rename = "w")]
    pub windows: Vec<u32>,
}

/// How many units are in which stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageCounts {
    /// Nobody holds them.
    #[serde(rename = "o")]
    pub open: u32,
    /// Somebody trains them.
    #[serde(rename = "l")]
    pub leased: u32,
    /// Trained, not acknowledged yet.
    #[serde(rename = "f")]
    pub finished: u32,
    /// Acknowledged by the coordinator.
    #[serde(rename = "d")]
    pub done: u32,
}

/// How far a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PathStatus {
    /// The path.
    #[serde(rename = "p")]
    pub path: u32,
    /// Its units by their stage.
    #[serde(rename = "n")]
    pub counts: StageCounts,
}

/// A lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// Of what.
    #[serde(rename = "u")]
    pub unit: Unit,
    /// Who has it.
    #[serde(rename = "p")]
    pub peer: PeerKey,
    /// How often it was taken over.
    #[serde(rename = "e")]
    pub epoch: u32,
    /// For how long, as far as this peer has seen.
    #[serde(rename = "s")]
    pub seconds: u32,
}

/// A peer's part in the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerStatus {
    /// The peer.
    #[serde(rename = "p")]
    pub peer: PeerKey,
    /// Whether it was heard within the lease time.
    #[serde(rename = "a")]
    pub heard: bool,
    /// How many units it holds.
    #[serde(rename = "u")]
    pub held: u32,
    /// How many it finished in the last hour, as far as this peer has heard.
    #[serde(rename = "f")]
    pub finished: u32,
    /// What a unit takes it, in milliseconds. `None`: not measured yet.
    #[serde(rename = "m")]
    pub millis_per_unit: Option<u32>,
}

impl RunStatus {
    /// What there is to say of a run now.
    #[must_use]
    pub fn of(now: Moment, run: RunId, table: &LeaseTable, pace: &Pace) -> Self {
        let (units, view, records) = (table.units(), table.view(), table.records());
        let mut stages = Vec::with_capacity(units.len());
        let mut leases: Vec<(Moment, _)> = Vec::new();
        let mut peers: BTreeMap<PeerKey, PeerStatus> = BTreeMap::new();
        let of_peer = |peer| PeerStatus {
            peer,
            heard: view.is_heard(&peer),
            held: 0,
            finished: 0,
            millis_per_unit: None,
        };
        for index in units.indices() {
            stages.push(view.stage(index));
            if view.stage(index) == Stage::Leased
                && let UnitState::Leased { by, epoch } = table.state(index)
            {
                leases.push((view.since(index), (index, by, epoch)));
                peers.entry(by).or_insert_with(|| of_peer(by)).held += 1;
            }
        }
        for (key, did) in pace.peers(now) {
            let peer = peers.entry(key).or_insert_with(|| of_peer(key));
            (peer.finished, peer.millis_per_unit) = (did.finished, did.millis_per_unit);
        }
        leases.sort_unstable();
        let held = leases.iter().take(STATUS_HELD).map(|(since, (index, peer, epoch))| Held {
            unit: units.unit(*index),
            peer: *peer,
            epoch: *epoch,
            seconds: u32::try_from(now.since(*since).as_secs()).unwrap_or(u32::MAX),
        });
        let mut busiest: Vec<PeerStatus> = peers.into_values().collect();
        busiest.sort_by_key(|peer| Reverse((peer.heard, peer.finished, peer.held, Reverse(peer.peer))));
        let layers = units.layers() as usize;
        let by_path = units.paths().iter().zip(stages.chunks(layers.max(1)));
        let paths = by_path
            .take(STATUS_PATHS)
            .map(|(path, layers)| PathStatus { path: *path, counts: layers.iter().copied().collect() });
        let left_out = |all: usize, most: usize| u32::try_from(all.saturating_sub(most)).unwrap_or(u32::MAX);
        let Recent { watched, counts } = pace.recent(now);
        Self {
            run,
            coordinator: records.delegation().map(|delegation| delegation.coordinator),
            model: records.complete(),
            watched: u64::try_from(watched.as_millis()).unwrap_or(u64::MAX),
            counts: table.progress().into(),
            layers: units.layers(),
            paths: paths.collect(),
            paths_left_out: left_out(units.paths().len(), STATUS_PATHS),
            stages: (units.paths().len() <= STATUS_PATHS).then(|| packed(&stages)).flatten(),
            held: held.collect(),
            held_left_out: left_out(leases.len(), STATUS_HELD),
            heard: u32::try_from(view.peers_heard()).unwrap_or(u32::MAX),
            peers_left_out: left_out(busiest.len(), STATUS_PEERS),
            peers: busiest.into_iter().take(STATUS_PEERS).collect(),
            allowed: pace.allowed(view),
            allowed_at_peak: pace.allowed_at_peak(now),
            windows: counts,
        }
    }

    /// The stage of a unit of the path that stands at `position` among [`paths`](Self::paths). `None`: left out.
    #[must_use]
    pub fn stage(&self, position: usize, layer: u32) -> Option<Stage> {
        let unit = position.checked_mul(self.layers as usize)?.checked_add(layer as usize)?;
        let byte = self.stages.as_ref().filter(|_| layer < self.layers)?.get(unit / 4)?;
        Some(match byte >> (unit % 4 * 2) & 3 {
            0 => Stage::Open,
            1 => Stage::Leased,
            2 => Stage::Finished,
            _ => Stage::Done,
        })
    }

    /// The windows of the last hour.
    #[must_use]
    pub fn recent(&self) -> Recent {
        Recent { watched: Duration::from_millis(self.watched), counts: self.windows.clone() }
    }

    /// Units a second that the measured rates of all peers that are heard come to. `None`: none was measured yet.
    #[must_use]
    pub fn allowed_rate(&self) -> Option<f64> {
        per_second(self.allowed)
    }

    /// The same as it was in the best window.
    #[must_use]
    pub fn allowed_rate_at_peak(&self) -> Option<f64> {
        per_second(self.allowed_at_peak)
    }

    /// How long until every unit is trained. `None`: not known yet.
    #[must_use]
    pub fn time_left(&self) -> Option<Duration> {
        time_left(self.counts.to_train(), self.recent().rate())
    }

    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.paths.len() > STATUS_PATHS || self.held.len() > STATUS_HELD || self.peers.len() > STATUS_PEERS
        {
            return Err("it has more paths, leases or peers than fit");
        }
        if self.windows.len() > WINDOWS {
            return Err("it has more than an hour of windows");
        }
        let layers = u64::from(self.layers);
        let units = (self.paths.len() as u64 + u64::from(self.paths_left_out)).saturating_mul(layers);
        if units > MAX_UNITS as u64 || units != self.counts.total() {
            return Err("it has more units than a run can have, or not as many as its paths");
        }
        if self.paths.iter().any(|path| path.counts.total() != layers)
            || self.paths.iter().zip(self.paths.iter().skip(1)).any(|(path, next)| path.path >= next.path)
        {
            return Err("a path has not as many units as layers, or stands in the wrong place");
        }
        let Some(stages) = &self.stages else { return Ok(()) };
        let spare = stages.last().is_some_and(|last| units % 4 != 0 && last >> (units % 4 * 2) != 0);
        if self.paths_left_out > 0
            || stages.len() > STATUS_STAGES_BYTES
            || stages.len() as u64 != units.div_ceil(4)
            || spare
        {
            return Err("it has not one stage for every unit");
        }
        Ok(())
    }
}

fn per_second(in_a_million_seconds: u64) -> Option<f64> {
    (in_a_million_seconds > 0).then_some(in_a_million_seconds as f64 / 1e6)
}

/// Two bits a unit, if that is not too much.
fn packed(stages: &[Stage]) -> Option<Vec<u8>> {
    let byte = |four: &[Stage]| {
        four.iter().rev().fold(0, |byte, stage| {
            let bits = match stage {
                Stage::Open => 0,
                Stage::Leased => 1,
                Stage::Finished => 2,
                Stage::Done => 3,
            };
            byte << 2 | bits
        })
    };
    (stages.len().div_ceil(4) <= STATUS_STAGES_BYTES).then(|| stages.chunks(4).map(byte).collect())
}

impl StageCounts {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        [self.open, self.leased, self.finished, self.done].into_iter().map(u64::from).sum()
    }

    /// Those that nobody has trained yet.
    #[must_use]
    pub fn to_train(&self) -> u64 {
        u64::from(self.open) + u64::from(self.leased)
    }
}

impl FromIterator<Stage> for StageCounts {
    fn from_iter<I: IntoIterator<Item = Stage>>(stages: I) -> Self {
        let mut counts = Self::default();
        for stage in stages {
            match stage {
                Stage::Open => counts.open += 1,
                Stage::Leased => counts.leased += 1,
                Stage::Finished => counts.finished += 1,
                Stage::Done => counts.done += 1,
            }
        }
        counts
    }
}

impl From<Progress> for StageCounts {
    fn from(progress: Progress) -> Self {
        let count = |units: usize| u32::try_from(units).unwrap_or(u32::MAX);
        let Progress { open, leased, finished, done } = progress;
        Self { open: count(open), leased: count(leased), finished: count(finished), done: count(done) }
    }
}
