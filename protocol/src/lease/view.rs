//! The second layer of the lease table: who holds what, as far as this peer can tell now.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::bids::KEPT_PER_UNIT;
use super::moment::Moment;
use super::records::{Change, LeaseRecords, Word};
use super::statement::{Says, Statement};
use super::times::LeaseTimes;
use super::unit_set::UnitSet;
use super::units::{UnitIndex, Units};
use crate::ids::{ContentHash, PeerKey};

/// How many peers a view follows. Beyond it those that are silent and hold nothing are forgotten, and if there are none
/// a new peer's claims don't count.
const MAX_PEERS: usize = 65_536;

/// What state a unit is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitState {
    /// Nobody holds it.
    Open,
    /// A peer trains it.
    Leased {
        /// Who.
        by: PeerKey,
        /// The epoch of the claim.
        epoch: u32,
    },
    /// A peer has trained it; the coordinator hasn't said anything yet.
    Finished {
        /// Who: of several, the one with the smallest tie hash.
        by: PeerKey,
    },
    /// The coordinator has its report.
    Done {
        /// Its content.
        content: ContentHash,
    },
}

/// The state without details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Nobody holds it.
    Open,
    /// A peer trains it.
    Leased,
    /// A peer has trained it.
    Finished,
    /// The coordinator has its report.
    Done,
}

impl UnitState {
    /// The state without details.
    #[must_use]
    pub fn stage(&self) -> Stage {
        match self {
            Self::Open => Stage::Open,
            Self::Leased { .. } => Stage::Leased,
            Self::Finished { .. } => Stage::Finished,
            Self::Done { .. } => Stage::Done,
        }
    }
}

/// How a peer's claim on a unit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It holds as long as its signer is heard.
    Live,
    /// Its signer fell silent. A heartbeat doesn't bring it back, a claim of a later epoch does.
    Silent,
    /// It lasted `max_lease`. Nothing brings it back.
    Expired,
    /// Released, or finished.
    Over,
}

impl Fate {
    fn is_dead(self) -> bool {
        matches!(self, Self::Silent | Self::Expired)
    }
}

/// A signer's claim on a unit, seen from here.
#[derive(Debug, Clone)]
struct Stay {
    /// Its newest claim or release.
    said: Arc<Statement>,
    first_seen: Moment,
    fate: Fate,
}

impl Stay {
    fn signer(&self) -> PeerKey {
        self.said.signer()
    }

    fn counter(&self) -> u64 {
        self.said.says().counter().unwrap_or(0)
    }

    /// Smaller wins.
    fn rank(&self) -> (u32, u64, PeerKey) {
        (self.said.epoch(), self.said.tie(), self.signer())
    }
}

#[derive(Debug, Clone)]
struct UnitView {
    state: UnitState,
    since: Moment,
    stays: Vec<Stay>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Voice {
    Heard,
    Silent,
}

/// A peer, as its counter shows it.
#[derive(Debug, Clone)]
struct Speaker {
    /// Its highest, once it said anything that has one.
    counter: Option<u64>,
    grew: Moment,
    voice: Voice,
    /// Its live claims, oldest first: the first `share` of them count.
    live: BTreeSet<(u64, UnitIndex)>,
}

/// Who holds a unit and what is open: a function of the records and of the local times at which each counter was
/// first seen.
///
/// A claim is live while its signer's counter grew within the lease time, and at most `max_lease` after this signer's
/// first claim of the unit was seen; then the signer can't hold the unit again. A claim that died of silence stays
/// dead: its signer may claim again, in a later epoch. The lowest live epoch wins a unit, then the smaller tie hash.
/// A word of the coordinator stands above all that: receipted is done, and a finished from before a reopening is void, as is
/// one whose signer claimed or released the unit later.
#[derive(Debug, Clone)]
pub struct View {
    times: LeaseTimes,
    now: Moment,
    units: Vec<UnitView>,
    /// Looked up by key; never gone through in order.
    speakers: HashMap<PeerKey, Speaker, foldhash::fast::RandomState>,
    heard: usize,
    /// One entry per peer that is heard: when to look again whether it still is.
    silences: BinaryHeap<Reverse<(Moment, PeerKey)>>,
    /// First claims in the order in which they were seen.
    tenures: VecDeque<(Moment, UnitIndex, PeerKey)>,
    open: UnitSet,
    leased: UnitSet,
    finished: UnitSet,
    done: usize,
    longest: Option<Duration>,
    typical: Option<Duration>,
}

impl View {
    /// Everything open, nobody heard.
    #[must_use]
    pub fn new(now: Moment, units: &Units, times: LeaseTimes) -> Self {
        let unit = UnitView { state: UnitState::Open, since: now, stays: Vec::new() };
        Self {
            times,
            now,
            units: vec![unit; units.len()],
            speakers: HashMap::default(),
            heard: 0,
            silences: BinaryHeap::new(),
            tenures: VecDeque::new(),
            open: UnitSet::all(units.len()),
            leased: UnitSet::none(units.len()),
            finished: UnitSet::none(units.len()),
            done: 0,
            longest: None,
            typical: None,
        }
    }

    /// Takes note of a statement that the records took up.
    pub fn observe(&mut self, now: Moment, records: &LeaseRecords, statement: &Statement, change: Change) {
        self.advance(now, records);
        if let Some(counter) = statement.says().counter() {
            self.hear(statement.signer(), counter);
        }
        match change {
            Change::Claims(unit) | Change::Finished(unit) | Change::Word(unit) => self.refresh(unit, records),
            Change::Heartbeat | Change::Delegation | Change::Complete => {}
        }
    }

    /// Lets time pass: leases that ran out end. Time that goes back stands still.
    pub fn advance(&mut self, now: Moment, records: &LeaseRecords) {
        self.now = self.now.max(now);
        while let Some(Reverse((at, peer))) = self.silences.peek().copied() {
            if at > self.now {
                break;
            }
            self.silences.pop();
            self.fall_silent(peer, records);
        }
        while let Some((first_seen, unit, signer)) = self.tenures.front().copied() {
            if first_seen.after(self.times.max_lease) > self.now {
                break;
            }
            self.tenures.pop_front();
            self.expire(unit, signer, first_seen, records);
        }
    }

    fn hear(&mut self, peer: PeerKey, counter: u64) {
        if self.speakers.len() >= MAX_PEERS && !self.speakers.contains_key(&peer) {
            self.speakers.retain(|_, s| s.voice == Voice::Heard || !s.live.is_empty());
            if self.speakers.len() >= MAX_PEERS {
                return;
            }
        }
        let now = self.now;
        let fresh = || Speaker {
            counter: None,
            grew: Moment::default(),
            voice: Voice::Silent,
            live: BTreeSet::new(),
        };
        let speaker = self.speakers.entry(peer).or_insert_with(fresh);
        if speaker.counter.is_some_and(|known| counter <= known) {
            return;
        }
        speaker.counter = Some(counter);
        speaker.grew = now;
        if speaker.voice == Voice::Silent {
            speaker.voice = Voice::Heard;
            self.heard += 1;
            self.silences.push(Reverse((self.times.silent_at(now, self.heard), peer)));
        }
    }

    fn fall_silent(&mut self, peer: PeerKey, records: &LeaseRecords) {
        let (times, heard, now) = (self.times, self.heard, self.now);
        let Some(speaker) = self.speakers.get_mut(&peer) else { return };
        let at = times.silent_at(speaker.grew, heard);
        if at > now {
            self.silences.push(Reverse((at, peer)));
            return;
        }
        speaker.voice = Voice::Silent;
        self.heard = self.heard.saturating_sub(1);
        let lost = std::mem::take(&mut speaker.live);
        for (_, unit) in lost {
            if let Some(stay) = self.stay_mut(unit, &peer) {
                stay.fate = Fate::Silent;
            }
            self.refresh(unit, records);
        }
    }

    fn expire(&mut self, unit: UnitIndex, signer: PeerKey, first_seen: Moment, records: &LeaseRecords) {
        let Some(stay) = self.stay_mut(unit, &signer) else { return };
        // The stay may have begun anew after this one was forgotten.
        if stay.first_seen != first_seen {
            return;
        }
        let was = std::mem::replace(&mut stay.fate, Fate::Expired);
        let key = (stay.counter(), unit);
        if was == Fate::Live {
            self.leave_share(signer, key, records);
        }
        self.refresh(unit, records);
    }

    fn stay_mut(&mut self, unit: UnitIndex, signer: &PeerKey) -> Option<&mut Stay> {
        self.units.get_mut(unit.get())?.stays.iter_mut().find(|stay| stay.signer() == *signer)
    }

    /// Brings a unit's claims and state in line with the records.
    fn refresh(&mut self, unit: UnitIndex, records: &LeaseRecords) {
        if let Some(Word::Receipted { content, .. }) = records.word(unit) {
            self.forget_stays(unit, records);
            self.settle(unit, UnitState::Done { content });
            return;
        }
        let mut released = Vec::new();
        let mut joined = Vec::new();
        if let Some(view) = self.units.get_mut(unit.get()) {
            let bids = records.claims(unit);
            view.stays.retain(|stay| {
                let stays = bids.of(&stay.signer()).is_some();
                if !stays && stay.fate == Fate::Live {
                    released.push((stay.signer(), (stay.counter(), unit)));
                }
                stays
            });
            for said in bids.iter() {
                let signer = said.signer();
                let finished = records.all_finished(unit).find(|finished| finished.by == signer);
                let wanted = wanted(said, finished.map(|finished| finished.counter));
                let heard = self.speakers.get(&signer).is_some_and(|s| s.voice == Voice::Heard);
                let Some(stay) = view.stays.iter_mut().find(|stay| stay.signer() == signer) else {
                    if view.stays.len() == view.stays.capacity() {
                        view.stays.reserve_exact(1);
                    }
                    let stay = Stay::begin(said, wanted, heard, self.now);
                    if stay.fate == Fate::Live {
                        joined.push((signer, (stay.counter(), unit)));
                    }
                    self.tenures.push_back((self.now, unit, signer));
                    view.stays.push(stay);
                    continue;
                };
                let before = (stay.fate, stay.counter());
                stay.follow(said, wanted, heard);
                if before != (stay.fate, stay.counter()) {
                    if before.0 == Fate::Live {
                        released.push((signer, (before.1, unit)));
                    }
                    if stay.fate == Fate::Live {
                        joined.push((signer, (stay.counter(), unit)));
                    }
                }
            }
        }
        for (signer, key) in released {
            self.leave_share(signer, key, records);
        }
        for (signer, key) in joined {
            self.join_share(signer, key, records);
        }
        self.settle(unit, self.judge(unit, records));
        self.compact_tenures();
    }

    /// Claims that were crowded out leave their tenures behind: when these are the most, they go.
    fn compact_tenures(&mut self) {
        if self.tenures.len() <= 2 * KEPT_PER_UNIT * (self.units.len() + 8) {
            return;
        }
        let units = &self.units;
        self.tenures.retain(|(first_seen, unit, signer)| {
            let stays = units.get(unit.get()).map_or(&[][..], |view| &view.stays);
            stays.iter().any(|stay| stay.signer() == *signer && stay.first_seen == *first_seen)
        });
    }

    /// A done unit needs no claims; if it is opened again they are judged anew.
    fn forget_stays(&mut self, unit: UnitIndex, records: &LeaseRecords) {
        let stays = self.units.get_mut(unit.get()).map(|view| std::mem::take(&mut view.stays));
        for stay in stays.into_iter().flatten().filter(|stay| stay.fate == Fate::Live) {
            self.leave_share(stay.signer(), (stay.counter(), unit), records);
        }
    }

    fn join_share(&mut self, signer: PeerKey, key: (u64, UnitIndex), records: &LeaseRecords) {
        let share = self.times.share;
        let Some(speaker) = self.speakers.get_mut(&signer) else { return };
        speaker.live.insert(key);
        // An older claim than those that count pushes one of them out.
        let displaced = speaker.live.iter().nth(share).map(|(_, unit)| *unit);
        self.rejudge(displaced, records);
    }

    fn leave_share(&mut self, signer: PeerKey, key: (u64, UnitIndex), records: &LeaseRecords) {
        let share = self.times.share;
        let Some(speaker) = self.speakers.get_mut(&signer) else { return };
        speaker.live.remove(&key);
        let promoted = share.checked_sub(1).and_then(|last| speaker.live.iter().nth(last));
        let promoted = promoted.map(|(_, unit)| *unit);
        self.rejudge(promoted, records);
    }

    fn rejudge(&mut self, unit: Option<UnitIndex>, records: &LeaseRecords) {
        if let Some(unit) = unit {
            self.settle(unit, self.judge(unit, records));
        }
    }

    fn counts(&self, unit: UnitIndex, stay: &Stay) -> bool {
        stay.fate == Fate::Live
            && self.speakers.get(&stay.signer()).is_some_and(|speaker| {
                speaker.live.iter().take(self.times.share).any(|key| *key == (stay.counter(), unit))
            })
    }

    fn live(&self, unit: UnitIndex) -> impl Iterator<Item = &Stay> {
        let stays = self.units.get(unit.get()).map_or(&[][..], |view| &view.stays);
        stays.iter().filter(move |stay| self.counts(unit, stay))
    }

    fn judge(&self, unit: UnitIndex, records: &LeaseRecords) -> UnitState {
        if let Some(Word::Receipted { content, .. }) = records.word(unit) {
            return UnitState::Done { content };
        }
        if let Some(by) = records.finished(unit).next() {
            return UnitState::Finished { by };
        }
        match self.live(unit).min_by_key(|stay| stay.rank()) {
            Some(stay) => UnitState::Leased { by: stay.signer(), epoch: stay.said.epoch() },
            None => UnitState::Open,
        }
    }

    fn settle(&mut self, unit: UnitIndex, state: UnitState) {
        let now = self.now;
        let Some(view) = self.units.get_mut(unit.get()) else { return };
        let before = std::mem::replace(&mut view.state, state);
        if before == state {
            return;
        }
        let lasted = now.since(view.since);
        view.since = now;
        let (old, new) = (before.stage(), state.stage());
        if old == new {
            return;
        }
        if old == Stage::Leased && new != Stage::Open {
            self.longest = self.longest.max(Some(lasted));
            self.typical = Some(self.typical.map_or(lasted, |typical| (typical * 15 + lasted) / 16));
        }
        match old {
            Stage::Open => self.open.remove(unit),
            Stage::Leased => self.leased.remove(unit),
            Stage::Finished => self.finished.remove(unit),
            Stage::Done => self.done -= 1,
        }
        match new {
            Stage::Open => self.open.insert(unit),
            Stage::Leased => self.leased.insert(unit),
            Stage::Finished => self.finished.insert(unit),
            Stage::Done => self.done += 1,
        }
    }

    /// The state of a unit of the run.
    #[must_use]
    pub fn state(&self, unit: UnitIndex) -> UnitState {
        self.units.get(unit.get()).map_or(UnitState::Open, |view| view.state)
    }

    /// Since when the unit is in this state, or since the view began.
    #[must_use]
    pub fn since(&self, unit: UnitIndex) -> Moment {
        self.units.get(unit.get()).map_or(self.now, |view| view.since)
    }

    /// Whose live claims a unit has, the winning one first. A finished unit has a claimant when somebody trains it
    /// again.
    #[must_use]
    pub fn claimants(&self, unit: UnitIndex) -> Vec<PeerKey> {
        let mut live: Vec<_> = self.live(unit).map(Stay::rank).collect();
        live.sort_unstable();
        live.into_iter().map(|(.., signer)| signer).collect()
    }

    /// Open units, in order.
    pub fn open(&self) -> &UnitSet {
        &self.open
    }

    /// Units that somebody trains.
    pub fn leased(&self) -> &UnitSet {
        &self.leased
    }

    /// Units that somebody has trained and the coordinator hasn't acknowledged.
    pub fn finished(&self) -> &UnitSet {
        &self.finished
    }

    /// How many units are done.
    #[must_use]
    pub fn done(&self) -> usize {
        self.done
    }

    /// How many peers were heard within the lease time.
    #[must_use]
    pub fn peers_heard(&self) -> usize {
        self.heard
    }

    /// Whether a peer was heard within the lease time.
    #[must_use]
    pub fn is_heard(&self, peer: &PeerKey) -> bool {
        self.speakers.get(peer).is_some_and(|speaker| speaker.voice == Voice::Heard)
    }

    /// How long a lease lasts now without a word from its holder.
    #[must_use]
    pub fn lease(&self) -> Duration {
        self.times.lease(self.heard)
    }

    /// The longest time for which a unit was leased until it was finished, of those seen from here.
    #[must_use]
    pub fn longest_lease(&self) -> Option<Duration> {
        self.longest
    }

    /// The time for which units are leased until they are finished, smoothed over those seen from here.
    #[must_use]
    pub fn typical_lease(&self) -> Option<Duration> {
        self.typical
    }

    /// The epoch in which `peer` can claim a unit: the lowest without a dead claim, not below its own earlier claim, and
    /// such that the claim is kept. `None` when it can't hold this unit (again); it may train it all the same.
    #[must_use]
    pub fn next_epoch(&self, records: &LeaseRecords, unit: UnitIndex, peer: &PeerKey) -> Option<u32> {
        let view = self.units.get(unit.get())?;
        let bids = records.claims(unit);
        if bids.iter().len() == 0 {
            return Some(0);
        }
        let own = view.stays.iter().find(|stay| stay.signer() == *peer);
        if own.is_some_and(|stay| stay.fate == Fate::Expired) {
            return None;
        }
        let mut epoch = bids.of(peer).map_or(0, |kept| kept.epoch());
        let mut dead: Vec<_> =
            view.stays.iter().filter(|stay| stay.fate.is_dead()).map(|stay| stay.said.epoch()).collect();
        dead.sort_unstable();
        for dead in dead {
            if dead == epoch {
                epoch = epoch.checked_add(1)?;
            }
        }
        let name = records.units().unit(unit);
        if bids.has_room(&name, epoch, peer) {
            return Some(epoch);
        }
        bids.iter().map(|kept| kept.epoch()).max()?.checked_add(1)
    }
}

/// What a kept statement asks for, its signer having said `finished` with this counter.
fn wanted(said: &Statement, finished: Option<u64>) -> Fate {
    let claim = matches!(said.says(), Says::Claim(_));
    let over = !claim || finished.is_some_and(|finished| Some(finished) >= said.says().counter());
    if over { Fate::Over } else { Fate::Live }
}

impl Stay {
    fn begin(said: &Arc<Statement>, wanted: Fate, heard: bool, now: Moment) -> Self {
        let fate = match wanted {
            Fate::Live if !heard => Fate::Silent,
            other => other,
        };
        Self { said: Arc::clone(said), first_seen: now, fate }
    }

    /// Takes up a newer statement of the same signer.
    fn follow(&mut self, said: &Arc<Statement>, wanted: Fate, heard: bool) {
        let later = said.epoch() > self.said.epoch();
        let newer = later || said.says().counter() > self.said.says().counter();
        self.fate = match (self.fate, wanted) {
            (Fate::Expired, _) => Fate::Expired,
            (Fate::Silent, _) if !later => Fate::Silent,
            (_, Fate::Live) if newer && !heard => Fate::Silent,
            (Fate::Over, Fate::Live) if !newer => Fate::Over,
            (_, wanted) => wanted,
        };
        self.said = Arc::clone(said);
    }
}
