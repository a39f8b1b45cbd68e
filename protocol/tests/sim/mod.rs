//! A network of volunteers and a coordinator as discrete events: seeded, without sockets, clocks and threads.
//!
//! Gossip reaches every peer with a latency, or is lost; exchanges of tables and offers of reports fail as often.
//! Training takes a time that the seed chooses, and comes out the same whoever trains.

mod node;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use protocol::coordinator::{CoordinatorEffect, CoordinatorEvent, HeaderAnswer, ReportEnd};
use protocol::lease::{LeaseTimes, Moment, Says, Statement, Units, delegations_first};
use protocol::volunteer::{OfferAnswer, VolunteerEvent};
use protocol::{ContentHash, Delegation, ModelHash, PeerKey, Unit};

use node::Node;

/// A scenario.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) seed: u64,
    pub(crate) volunteers: usize,
    /// Rows per path.
    pub(crate) rows: Vec<u64>,
    pub(crate) layers: u32,
    /// How many of 100 messages are lost.
    pub(crate) loss_percent: u64,
    /// The shortest and longest training of a unit, in milliseconds.
    pub(crate) training_ms: (u64, u64),
    pub(crate) lease: LeaseTimes,
    pub(crate) faults: Vec<(u64, Fault)>,
    /// After this many milliseconds a run that isn't over has failed.
    pub(crate) limit_ms: u64,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// A volunteer is gone for good.
    Kill(usize),
    /// A volunteer is gone and starts again, with what is on its disk, so many milliseconds later.
    Restart(usize, u64),
    /// A volunteer goes in peace.
    Leave(usize),
    /// The coordinator is gone and starts again with its store so many milliseconds later.
    RestartCoordinator(u64),
    /// The same, and its disk is empty.
    LoseStore(u64),
    /// The store refuses to write for so many milliseconds.
    FullDisk(u64),
}

impl Scenario {
    pub(crate) fn new(seed: u64, volunteers: usize) -> Self {
        Self {
            seed,
            volunteers,
            rows: vec![100; 4],
            layers: 5,
            loss_percent: 0,
            training_ms: (30, 80),
            lease: LeaseTimes::with_least(std::time::Duration::from_secs(2)),
            faults: Vec::new(),
            limit_ms: 600_000,
        }
    }
}

/// What came out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Metrics {
    /// When the coordinator had every report.
    pub(crate) whole_at_ms: u64,
    /// When the last living volunteer knew that the run is complete.
    pub(crate) over_at_ms: u64,
    pub(crate) units: usize,
    /// Trainings that came to an end.
    pub(crate) trained: usize,
    /// Of these, the ones that weren't the first of their unit.
    pub(crate) duplicates: usize,
    /// Trainings that were given up.
    pub(crate) abandoned: usize,
    /// Statements gossiped.
    pub(crate) said: usize,
    /// Reports that travelled.
    pub(crate) sent: usize,
}

pub(crate) const COORDINATOR: usize = usize::MAX;

#[derive(Debug, Clone)]
pub(crate) enum Event {
    Tick(usize, u64),
    Deliver(usize, Arc<Statement>),
    Trained(usize, u64, Unit),
    Exchange(usize, usize),
    Header { from: usize, unit: Unit, content: ContentHash },
    Arrived { from: usize, unit: Unit, content: ContentHash, life: u64 },
    Written { unit: Unit, content: ContentHash, life: u64 },
    Answered(usize, u64, Unit, OfferAnswer),
    Assembled(u64, u64),
    Fault(Fault),
    Start(usize),
}

#[derive(Debug, Clone)]
struct Timed(u64, u64, Event);

impl PartialEq for Timed {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl Eq for Timed {}
impl PartialOrd for Timed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Timed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

/// The simulated world.
pub(crate) struct World {
    pub(crate) scenario: Scenario,
    pub(crate) metrics: Metrics,
    now: u64,
    sequence: u64,
    queue: BinaryHeap<Reverse<Timed>>,
    rng: ChaCha8Rng,
    units: Arc<Units>,
    pub(crate) nodes: BTreeMap<usize, Node>,
    /// Everything the nodes have on disk, which outlives them.
    pub(crate) outboxes: BTreeMap<usize, BTreeMap<Unit, ContentHash>>,
    pub(crate) store: Vec<(Unit, ContentHash)>,
    /// When the disk takes writes again.
    full_until: u64,
    lives: u64,
    trained_once: BTreeSet<Unit>,
    /// Offers that the coordinator of this life has to answer.
    offers: BTreeMap<(PeerKey, Unit), (usize, u64)>,
    pub(crate) ended: BTreeSet<usize>,
    gone: BTreeSet<usize>,
    /// What a coordinator asked for while it was made.
    pub(crate) pending: Vec<CoordinatorEffect>,
}

pub(crate) fn key(node: usize) -> PeerKey {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&(node as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    bytes[8] = 1;
    PeerKey::from_bytes(bytes)
}

/// What every honest peer gets for a unit.
pub(crate) fn content(unit: &Unit) -> ContentHash {
    ContentHash::from_bytes(*blake3::hash(unit.to_string().as_bytes()).as_bytes())
}

/// A statement without a signature: the machines leave signatures to their callers.
pub(crate) fn seal(signer: PeerKey, says: Says) -> Arc<Statement> {
    let bytes = format!("{signer} {says:?}").into_bytes();
    Arc::new(Statement::new(signer, says, bytes.into()))
}

pub(crate) fn delegation() -> Arc<Statement> {
    let says = Delegation { coordinator: key(COORDINATOR), addresses: Vec::new(), number: 1 };
    seal(operator(), Says::Delegation(says))
}

pub(crate) fn operator() -> PeerKey {
    PeerKey::from_bytes([200; 32])
}

impl World {
    pub(crate) fn new(scenario: Scenario) -> Self {
        let units = Arc::new(Units::new(&scenario.rows, scenario.layers).unwrap());
        let mut world = Self {
            metrics: Metrics { units: units.len(), ..Metrics::default() },
            now: 0,
            sequence: 0,
            queue: BinaryHeap::new(),
            rng: ChaCha8Rng::seed_from_u64(scenario.seed),
            units,
            nodes: BTreeMap::new(),
            outboxes: BTreeMap::new(),
            store: Vec::new(),
            full_until: 0,
            lives: 0,
            trained_once: BTreeSet::new(),
            offers: BTreeMap::new(),
            ended: BTreeSet::new(),
            gone: BTreeSet::new(),
            pending: Vec::new(),
            scenario,
        };
        world.at(0, Event::Start(COORDINATOR));
        for volunteer in 0..world.scenario.volunteers {
            let when = world.below(200);
            world.at(when, Event::Start(volunteer));
        }
        for (when, fault) in world.scenario.faults.clone() {
            world.at(when, Event::Fault(fault));
        }
        world
    }

    /// Runs until everybody alive knows the end.
    pub(crate) fn run(mut self) -> Metrics {
        while let Some(Reverse(Timed(at, _, event))) = self.queue.pop() {
            assert!(at <= self.scenario.limit_ms, "not over in time: {:?}", self.state());
            self.now = at;
            self.step(event);
            let alive = (0..self.scenario.volunteers).filter(|node| !self.gone.contains(node));
            if self.metrics.whole_at_ms > 0 && alive.clone().all(|node| self.ended.contains(&node)) {
                break;
            }
        }
        self.metrics.over_at_ms = self.now;
        let stored: BTreeMap<_, _> = self.store.iter().copied().collect();
        for index in self.units.indices() {
            let unit = self.units.unit(index);
            assert_eq!(stored.get(&unit), Some(&content(&unit)), "{unit}");
        }
        self.metrics
    }

    fn state(&self) -> String {
        let progress = self.nodes.get(&COORDINATOR).map(|node| node.table().progress());
        format!("{:?}, coordinator sees {progress:?}, {} ended", self.metrics, self.ended.len())
    }

    pub(crate) fn moment(&self) -> Moment {
        Moment(self.now)
    }

    pub(crate) fn at(&mut self, when: u64, event: Event) {
        self.sequence += 1;
        self.queue.push(Reverse(Timed(when, self.sequence, event)));
    }

    pub(crate) fn after(&mut self, wait: u64, event: Event) {
        self.at(self.now + wait, event);
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound.max(1)
    }

    pub(crate) fn latency(&mut self) -> u64 {
        2 + self.below(30)
    }

    pub(crate) fn lost(&mut self) -> bool {
        self.below(100) < self.scenario.loss_percent
    }

    pub(crate) fn units(&self) -> &Arc<Units> {
        &self.units
    }

    pub(crate) fn life(&self, node: usize) -> u64 {
        self.nodes.get(&node).map_or(0, Node::life)
    }

    /// Signs for a node, hands back to it, gossips.
    pub(crate) fn say(&mut self, node: usize, says: Says) {
        if let Says::Receipt(receipt) = &says {
            assert!(self.store.contains(&(receipt.unit, receipt.content)), "acknowledged, not stored");
        }
        self.metrics.said += 1;
        let statement = seal(key(node), says);
        self.hear(node, &statement);
        let others: Vec<_> = self.nodes.keys().copied().filter(|other| *other != node).collect();
        for other in others {
            if !self.lost() {
                let latency = self.latency();
                self.after(latency, Event::Deliver(other, Arc::clone(&statement)));
            }
        }
    }

    fn hear(&mut self, node: usize, statement: &Arc<Statement>) {
        if node == COORDINATOR {
            self.coordinator(CoordinatorEvent::Heard(Arc::clone(statement)));
        } else {
            self.volunteer(node, VolunteerEvent::Heard(Arc::clone(statement)));
        }
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Start(node) => self.start(node),
            Event::Tick(node, life) if self.life(node) == life => {
                if node == COORDINATOR {
                    self.coordinator(CoordinatorEvent::Tick);
                } else {
                    self.volunteer(node, VolunteerEvent::Tick);
                }
                self.after(200, Event::Tick(node, life));
            }
            Event::Tick(..) => {}
            Event::Deliver(node, statement) => self.hear(node, &statement),
            Event::Trained(node, life, unit) => {
                let current = self.nodes.get_mut(&node).filter(|node| node.life() == life);
                if current.is_some_and(|node| node.stop_training(&unit)) {
                    self.metrics.trained += 1;
                    self.metrics.duplicates += usize::from(!self.trained_once.insert(unit));
                    let done = VolunteerEvent::TrainingDone { unit, content: content(&unit), bytes: 100 };
                    self.volunteer(node, done);
                }
            }
            Event::Exchange(node, with) => self.exchange(node, with),
            Event::Header { from, unit, content } => self.header(from, unit, content),
            Event::Arrived { from, unit, content, life } if self.life(COORDINATOR) == life => {
                self.metrics.sent += 1;
                let event = CoordinatorEvent::Checked { from: key(from), unit, content, verdict: Ok(()) };
                self.coordinator(event);
            }
            Event::Arrived { .. } => {}
            Event::Written { unit, content, life } if self.life(COORDINATOR) == life => {
                if self.now < self.full_until {
                    let why = "no space left on device".to_owned();
                    self.coordinator(CoordinatorEvent::StoreFailed { unit, content, why });
                } else {
                    self.store.push((unit, content));
                    self.coordinator(CoordinatorEvent::Stored { unit, content });
                }
            }
            Event::Written { .. } => {}
            Event::Answered(node, life, unit, answer) if self.life(node) == life => {
                self.volunteer(node, VolunteerEvent::OfferAnswered { unit, answer });
            }
            Event::Answered(..) => {}
            Event::Assembled(round, life) if self.life(COORDINATOR) == life => {
                self.metrics.whole_at_ms = self.now;
                let model = ModelHash::from_bytes([1; 32]);
                self.coordinator(CoordinatorEvent::Assembled { round, model });
            }
            Event::Assembled(..) => {}
            Event::Fault(fault) => self.fault(fault),
        }
    }

    fn fault(&mut self, fault: Fault) {
        match fault {
            Fault::Kill(node) => {
                self.stop(node);
                self.gone.insert(node);
            }
            Fault::Restart(node, wait) => {
                self.stop(node);
                self.after(wait, Event::Start(node));
            }
            Fault::Leave(node) => {
                self.volunteer(node, VolunteerEvent::Leave);
                self.stop(node);
                self.gone.insert(node);
            }
            Fault::RestartCoordinator(wait) => {
                self.stop(COORDINATOR);
                self.after(wait, Event::Start(COORDINATOR));
            }
            Fault::LoseStore(wait) => {
                self.stop(COORDINATOR);
                self.store.clear();
                self.after(wait, Event::Start(COORDINATOR));
            }
            Fault::FullDisk(wait) => self.full_until = self.now + wait,
        }
    }

    fn start(&mut self, node: usize) {
        self.lives += 1;
        let life = self.lives;
        let made =
            if node == COORDINATOR { self.make_coordinator(life) } else { self.make_volunteer(node, life) };
        self.nodes.insert(node, made);
        let offset = self.below(200);
        self.after(offset, Event::Tick(node, life));
        self.hear(node, &delegation());
        let others: Vec<_> = self.nodes.keys().copied().filter(|other| *other != node).collect();
        // The coordinator and up to six others.
        let neighbours: Vec<_> = others.iter().rev().copied().take(7).collect();
        for other in neighbours {
            self.meet(node, other);
            self.meet(other, node);
        }
        self.act();
    }

    fn meet(&mut self, node: usize, other: usize) {
        if node == COORDINATOR {
            self.coordinator(CoordinatorEvent::PeerSeen(key(other)));
        } else {
            self.volunteer(node, VolunteerEvent::PeerSeen(key(other)));
        }
    }

    fn stop(&mut self, node: usize) {
        if self.nodes.remove(&node).is_none() {
            return;
        }
        if node == COORDINATOR {
            for ((_, unit), (from, life)) in std::mem::take(&mut self.offers) {
                self.after(1, Event::Answered(from, life, unit, OfferAnswer::Unreachable));
            }
        }
        let others: Vec<_> = self.nodes.keys().copied().collect();
        for other in others {
            if other == COORDINATOR {
                self.coordinator(CoordinatorEvent::PeerGone(key(node)));
            } else {
                self.volunteer(other, VolunteerEvent::PeerGone(key(node)));
            }
        }
    }

    /// `node` takes over what `with` knows and it doesn't.
    fn exchange(&mut self, node: usize, with: usize) {
        let mut ask = match (self.lost(), self.nodes.get(&node)) {
            (false, Some(asks)) => Some(asks.table().records().ask([7; 32])),
            _ => None,
        };
        while let (Some(asked), Some(answers)) = (ask.take(), self.nodes.get(&with)) {
            let records = answers.table().records();
            let told = records.tell(&asked);
            let mut statements = Vec::new();
            if let protocol::Told::Records(told) = &told {
                let find = |bytes: &protocol::RecordBytes| {
                    records.statements().find(|it| it.bytes()[..] == *bytes.as_slice()).cloned()
                };
                statements.extend(told.records.iter().filter_map(find));
            }
            delegations_first(&mut statements);
            for statement in statements {
                self.hear(node, &statement);
            }
            let asks = self.nodes.get(&node);
            ask = asks.and_then(|it| it.table().records().next_ask(&asked, &told, [8; 32]));
        }
        if node != COORDINATOR {
            self.volunteer(node, VolunteerEvent::Synced(key(with)));
        }
    }

    pub(crate) fn offer(&mut self, from: usize, unit: Unit, content: ContentHash) {
        let latency = self.latency();
        if self.lost() || !self.nodes.contains_key(&COORDINATOR) {
            let life = self.life(from);
            self.after(latency, Event::Answered(from, life, unit, OfferAnswer::Unreachable));
        } else {
            self.after(latency, Event::Header { from, unit, content });
        }
    }

    fn header(&mut self, from: usize, unit: Unit, content: ContentHash) {
        let life = self.life(from);
        if !self.nodes.contains_key(&COORDINATOR) {
            self.after(1, Event::Answered(from, life, unit, OfferAnswer::Unreachable));
            return;
        }
        self.offers.insert((key(from), unit), (from, life));
        self.coordinator(CoordinatorEvent::HeaderArrived { from: key(from), unit, content, length: 100 });
    }

    pub(crate) fn answer(&mut self, to: PeerKey, unit: Unit, content: ContentHash, answer: HeaderAnswer) {
        let answer = match answer {
            HeaderAnswer::Send => {
                let life = self.life(COORDINATOR);
                let Some((from, _)) = self.offers.get(&(to, unit)).copied() else { return };
                let wait = 2 * self.latency();
                self.after(wait, Event::Arrived { from, unit, content, life });
                return;
            }
            HeaderAnswer::Have => OfferAnswer::Stored,
            HeaderAnswer::Busy(seconds) => OfferAnswer::Busy(std::time::Duration::from_secs(seconds.into())),
            HeaderAnswer::No(why) => OfferAnswer::No(why),
        };
        self.answer_offer(to, unit, answer);
    }

    pub(crate) fn end(&mut self, to: PeerKey, unit: Unit, end: ReportEnd) {
        let answer = match end {
            ReportEnd::Stored => OfferAnswer::Stored,
            ReportEnd::Kept => OfferAnswer::Kept,
            ReportEnd::Busy(seconds) => OfferAnswer::Busy(std::time::Duration::from_secs(seconds.into())),
            ReportEnd::No(why) => OfferAnswer::No(why),
        };
        self.answer_offer(to, unit, answer);
    }

    fn answer_offer(&mut self, to: PeerKey, unit: Unit, answer: OfferAnswer) {
        let Some((node, life)) = self.offers.remove(&(to, unit)) else { return };
        let latency = self.latency();
        // The receipt comes with the answer.
        if answer == OfferAnswer::Stored
            && let Some(receipt) = self.nodes.get(&COORDINATOR).and_then(|c| c.receipt(&unit))
        {
            self.after(latency, Event::Deliver(node, receipt));
        }
        self.after(latency, Event::Answered(node, life, unit, answer));
    }
}
