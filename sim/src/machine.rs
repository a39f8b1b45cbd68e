//! A peer of the simulated world: a state machine of `protocol`, and what its shell would keep.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::coordinator::Coordinator;
use protocol::lease::LeaseTable;
use protocol::volunteer::Volunteer;
use protocol::{ContentHash, Identity, PeerKey, Unit};

/// How many shards a volunteer keeps in memory.
const SHARDS: usize = 4;

/// The decisions of a peer that is awake or asleep; gone: none.
pub(crate) enum Mind {
    Volunteer(Box<Volunteer>),
    Coordinator(Box<Coordinator>),
    Gone,
}

/// What a machine is like, whatever runs on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nature {
    /// What a unit takes here, in milliseconds.
    pub(crate) unit_ms: u64,
    /// How far its wall clock is ahead, in milliseconds.
    pub(crate) skew_ms: i64,
    /// It sleeps now and then.
    pub(crate) sleeps: bool,
    /// It claims and never delivers.
    pub(crate) squats: bool,
    /// On which side of a partition it is.
    pub(crate) cut_off: bool,
}

/// A training in hand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Training {
    /// How long the machine had slept when it began.
    pub(crate) slept_ms: u64,
}

/// A peer and its machine.
pub(crate) struct Machine {
    pub(crate) identity: Arc<Identity>,
    pub(crate) key: PeerKey,
    pub(crate) mind: Mind,
    pub(crate) nature: Nature,
    /// Grows with every start, so that what was meant for an earlier life is known.
    pub(crate) life: u32,
    pub(crate) training: BTreeMap<Unit, Training>,
    /// In memory, the last used last.
    pub(crate) shards: Vec<u32>,
    /// The shard that is made while a unit is trained, and when it will be there.
    pub(crate) ahead: Option<(u32, u64)>,
    /// On its disk: what outlives a restart.
    pub(crate) outbox: BTreeMap<Unit, ContentHash>,
    /// Who it is connected to.
    pub(crate) neighbours: Vec<usize>,
    pub(crate) asleep: bool,
    /// How long it has slept in all, before it fell asleep.
    pub(crate) slept_ms: u64,
    /// When it did.
    pub(crate) fell_asleep_ms: u64,
    /// It knows that the run is over.
    pub(crate) ended: bool,
}

impl Machine {
    pub(crate) fn new(identity: Identity, nature: Nature) -> Self {
        let key = identity.key();
        Self {
            identity: Arc::new(identity),
            key,
            mind: Mind::Gone,
            nature,
            life: 0,
            training: BTreeMap::new(),
            shards: Vec::new(),
            ahead: None,
            outbox: BTreeMap::new(),
            neighbours: Vec::new(),
            asleep: false,
            slept_ms: 0,
            fell_asleep_ms: 0,
            ended: false,
        }
    }

    /// Whether it takes part now.
    pub(crate) fn is_up(&self) -> bool {
        !self.asleep && !matches!(self.mind, Mind::Gone)
    }

    pub(crate) fn table(&self) -> Option<&LeaseTable> {
        match &self.mind {
            Mind::Volunteer(volunteer) => Some(volunteer.table()),
            Mind::Coordinator(coordinator) => Some(coordinator.table()),
            Mind::Gone => None,
        }
    }

    /// Uses a shard; says how long that has to wait, where making one takes so long. The first of `soon` that is not there
    /// is made meanwhile.
    pub(crate) fn touch(&mut self, now: u64, path: u32, soon: &[u32], making: u64) -> u64 {
        let is_there = self.shards.contains(&path);
        let wait = match self.ahead {
            _ if is_there => 0,
            Some((made, ready)) if made == path => ready.saturating_sub(now),
            _ => making,
        };
        self.shards.retain(|shard| *shard != path);
        self.shards.push(path);
        if self.shards.len() > SHARDS {
            self.shards.remove(0);
        }
        let next = soon.iter().find(|next| !self.shards.contains(next));
        self.ahead = match (self.ahead, next) {
            (Some((made, ready)), Some(next)) if made == *next => Some((made, ready)),
            (_, next) => next.map(|next| (*next, now + wait + making)),
        };
        wait
    }
}
