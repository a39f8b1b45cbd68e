//! How fast a run goes, as one peer hears it: units trained in windows of ten seconds, and what every peer takes for one.
//!
//! No statement carries a time, so all of this is by the time at which it is heard, and only what is heard as it is said can
//! be timed. A table that comes by an exchange tells of hours at once: what it says is taken note of and not counted, but
//! for units whose claim was heard as it was said, since these were trained under our eyes and only the word of it was late.
//!
//! It stands beside the [`LeaseTable`](crate::lease::LeaseTable) and not in it: tables decide and are kept by the thousand in
//! simulations, this is for people.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::ids::PeerKey;
use crate::lease::{Change, Moment, Outcome, Says, Statement, UnitIndex, UnitSet, Units, View};
use crate::windows::{Recent, Ring, WINDOW, WINDOWS, Windows};

/// How many peers are followed: those heard last.
pub const PACE_PEERS: usize = 4096;

/// Claims of one peer that wait for its finished; of more, the oldest are forgotten.
const CLAIMS: usize = 16;

/// Units over which a peer's time for one is smoothed.
const STEADY: u8 = 8;

/// How long one counter of a peer's units is, and how many there are: an hour.
const SLOT: (Duration, usize) = (Duration::from_secs(300), 12);

/// How often what the peers' rates allow is added up.
const SAMPLED_EVERY: Duration = Duration::from_secs(1);

/// How a statement came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// As it was said: by gossip, or by this peer itself.
    Said,
    /// Later, with a neighbour's table.
    Told,
}

/// What is known of one peer's work.
#[derive(Debug, Clone)]
struct Runner {
    heard: Moment,
    /// What it claimed and when that was heard, oldest first.
    claims: Vec<(UnitIndex, Moment)>,
    last: Option<Moment>,
    millis: Option<u32>,
    /// How many units were timed, up to [`STEADY`].
    timed: u8,
    finished: Ring,
}

/// What a peer did, as far as it was heard here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PeerPace {
    /// Units that it said to have finished in the last hour.
    pub finished: u32,
    /// What one unit takes it, in milliseconds. `None`: not measured yet.
    pub millis_per_unit: Option<u32>,
}

/// How fast a run goes. See the module.
#[derive(Debug, Clone)]
pub struct Pace {
    windows: Windows,
    /// What the peers' rates allowed at most in each window, in millionths of a unit a second.
    allowed: Ring,
    sampled: Option<Moment>,
    /// Units that were claimed while we listened.
    begun: UnitSet,
    /// Units that are known to be trained.
    trained: UnitSet,
    peers: BTreeMap<PeerKey, Runner>,
    /// The peers by when they were heard last.
    order: BTreeSet<(Moment, PeerKey)>,
}

impl Pace {
    /// Watches from now on.
    #[must_use]
    pub fn new(now: Moment, units: &Arc<Units>) -> Self {
        Self {
            windows: Windows::new(now),
            allowed: Ring::new(now, WINDOW, WINDOWS),
            sampled: None,
            begun: UnitSet::none(units.len()),
            trained: UnitSet::none(units.len()),
            peers: BTreeMap::new(),
            order: BTreeSet::new(),
        }
    }

    /// Takes note of a statement that the lease table was given, by what that made of it.
    pub fn observe(&mut self, now: Moment, statement: &Statement, outcome: Outcome, way: Way) {
        let Outcome::Applied(change) = outcome else { return };
        let said = way == Way::Said;
        if said && statement.says().counter().is_some() {
            self.hear(now, statement.signer());
        }
        let runner = self.peers.get_mut(&statement.signer());
        match (statement.says(), change) {
            (Says::Claim(_), Change::Claims(unit)) if said => {
                self.begun.insert(unit);
                if let Some(runner) = runner {
                    runner.claim(now, unit);
                }
            }
            (Says::Release(_), Change::Claims(unit)) => {
                if let Some(runner) = runner {
                    runner.let_go(unit);
                }
            }
            (Says::Finished(_), Change::Finished(unit)) => {
                let counts = said || self.begun.contains(unit);
                if let Some(runner) = runner.filter(|_| counts) {
                    runner.finish(now, unit, said);
                }
                self.trained(now, unit, counts);
            }
            // A coordinator that starts again says all its receipts again.
            (Says::Receipt(_), Change::Word(unit)) => self.trained(now, unit, self.begun.contains(unit)),
            (Says::Reopen(_), Change::Word(unit)) => {
                self.begun.remove(unit);
                self.trained.remove(unit);
            }
            _ => {}
        }
    }

    /// Lets time pass: notes what the peers that are heard could do now.
    pub fn advance(&mut self, now: Moment, view: &View) {
        if self.sampled.is_none_or(|sampled| now.since(sampled) >= SAMPLED_EVERY) {
            self.sampled = Some(now);
            let allowed = u32::try_from(self.allowed(view)).unwrap_or(u32::MAX);
            self.allowed.raise(now, allowed);
        }
    }

    /// What the measured rates of the peers that are heard come to: units in a million seconds.
    #[must_use]
    pub fn allowed(&self, view: &View) -> u64 {
        let heard = self.peers.iter().filter(|(key, _)| view.is_heard(key));
        let rates =
            heard.filter_map(|(_, runner)| runner.millis).map(|m| 1_000_000_000 / u64::from(m.max(1)));
        rates.fold(0, u64::saturating_add)
    }

    /// The same in the best window of the last hour, as it was then. 0: nothing was measured yet.
    #[must_use]
    pub fn allowed_at_peak(&self, now: Moment) -> u64 {
        let counts = self.windows.recent(now).counts;
        let best = counts.into_iter().zip(self.allowed.counts(now)).max();
        best.filter(|(units, _)| *units > 0).map_or(0, |(_, allowed)| allowed.into())
    }

    /// The windows of the last hour.
    #[must_use]
    pub fn recent(&self, now: Moment) -> Recent {
        self.windows.recent(now)
    }

    /// What a peer did.
    #[must_use]
    pub fn peer(&self, now: Moment, peer: &PeerKey) -> PeerPace {
        self.peers.get(peer).map(|runner| runner.pace(now)).unwrap_or_default()
    }

    /// All peers that are followed, by key.
    pub fn peers(&self, now: Moment) -> impl Iterator<Item = (PeerKey, PeerPace)> {
        self.peers.iter().map(move |(key, runner)| (*key, runner.pace(now)))
    }

    fn hear(&mut self, now: Moment, peer: PeerKey) {
        if let Some(runner) = self.peers.get_mut(&peer) {
            self.order.remove(&(runner.heard, peer));
            runner.heard = now.max(runner.heard);
            self.order.insert((runner.heard, peer));
            return;
        }
        if self.peers.len() >= PACE_PEERS
            && let Some((_, longest_silent)) = self.order.pop_first()
        {
            self.peers.remove(&longest_silent);
        }
        self.order.insert((now, peer));
        let finished = Ring::new(now, SLOT.0, SLOT.1);
        self.peers.insert(
            peer,
            Runner { heard: now, claims: Vec::new(), last: None, millis: None, timed: 0, finished },
        );
    }

    fn trained(&mut self, now: Moment, unit: UnitIndex, counts: bool) {
        if !self.trained.contains(unit) {
            self.trained.insert(unit);
            if counts {
                self.windows.count(now);
            }
        }
    }
}

impl Runner {
    /// A claim that is renewed goes on.
    fn claim(&mut self, now: Moment, unit: UnitIndex) {
        if self.claims.iter().all(|(claimed, _)| *claimed != unit) {
            if self.claims.len() >= CLAIMS {
                self.claims.remove(0);
            }
            self.claims.push((unit, now));
        }
    }

    fn let_go(&mut self, unit: UnitIndex) -> Option<Moment> {
        let at = self.claims.iter().position(|(claimed, _)| *claimed == unit)?;
        Some(self.claims.remove(at).1)
    }

    fn finish(&mut self, now: Moment, unit: UnitIndex, said: bool) {
        self.finished.count(now);
        let claimed = self.let_go(unit);
        let last = self.last.replace(now);
        // Whoever holds several works on one after the other, or on all with a share of its cores: either way what it gets
        // through is told by the time between two finished.
        let Some(start) = claimed.filter(|_| said).map(|claimed| claimed.max(last.unwrap_or(claimed))) else {
            return;
        };
        let took = u32::try_from(now.since(start).as_millis()).unwrap_or(u32::MAX).max(1);
        // Units differ: at first their mean, later the newest counts for an eighth.
        self.timed = self.timed.saturating_add(1).min(STEADY);
        let before = i64::from(self.millis.unwrap_or(took));
        let smoothed = before + (i64::from(took) - before) / i64::from(self.timed);
        self.millis = Some(u32::try_from(smoothed).unwrap_or(u32::MAX).max(1));
    }

    fn pace(&self, now: Moment) -> PeerPace {
        let finished = self.finished.counts(now).fold(0, u32::saturating_add);
        PeerPace { finished, millis_per_unit: self.millis }
    }
}
