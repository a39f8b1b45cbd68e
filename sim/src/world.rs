//! The simulated world: who is there, what is under way, and what happens next.

mod deliver;
mod effects;
mod events;
mod exchange;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use protocol::coordinator::{Coordinator, CoordinatorEffect, CoordinatorSettings, CoordinatorStart};
use protocol::lease::{LeaseTimes, Moment, Says, Statement, Units};
use protocol::volunteer::{OfferAnswer, OutboxItem, Volunteer, VolunteerSettings, VolunteerStart};
use protocol::{ContentHash, Delegation, Identity, PeerKey, RunId, Unit};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::fault::Fault;
use crate::ideal::ideal_ms;
use crate::link::Link;
use crate::machine::{Machine, Mind, Nature};
use crate::measure::Measure;
use crate::scenario::Scenario;

/// The coordinator's machine; the others are volunteers.
pub(crate) const COORDINATOR: usize = 0;
/// Layers per path: with it the number of units gives the number of paths.
const LAYERS: usize = 5;
/// To how many volunteers a new one is connected, beside the coordinator.
const NEIGHBOURS: usize = 6;
/// A run that takes this many times the ideal, and a day, is lost.
const PATIENCE: u64 = 200;
const DAY_MS: u64 = 24 * 3_600_000;
/// Unix milliseconds at the start, by clocks that are right.
const START_MS: i64 = 1_790_000_000_000;
/// What making a shard takes, in times of training a unit of it.
const SHARD: f64 = 0.1;

/// How large a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Volunteers at the same time.
    pub peers: usize,
    /// Units; rounded up to whole paths.
    pub units: usize,
}

/// What happens at a time.
#[derive(Debug, Clone)]
enum Event {
    Start(usize),
    Tick(usize, u32),
    /// A statement reaches some peers.
    Deliver(Arc<Statement>, Vec<u32>),
    Trained(usize, u32, Unit),
    Exchange(usize, u32, usize),
    Header(usize, u32, Unit, ContentHash),
    Arrived(usize, Unit, ContentHash, u32),
    Written(Unit, ContentHash, u32),
    Answered(usize, u32, Unit, OfferAnswer),
    Assembled(u64, u32),
    /// Somebody is replaced.
    Replace,
    Sleep(usize),
    Wake(usize),
    Cut(bool),
    CoordinatorGoes(u64),
    Fault(Fault),
}

/// An event, when, and the how many-th it was to be thought of.
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

/// A run of a scenario.
pub struct World {
    scenario: Scenario,
    size: Size,
    seed: u64,
    now: u64,
    sequence: u64,
    queue: BinaryHeap<Reverse<Timed>>,
    link: Link,
    run: RunId,
    units: Arc<Units>,
    operator: PeerKey,
    delegation: Arc<Statement>,
    machines: Vec<Machine>,
    by_key: BTreeMap<PeerKey, usize>,
    /// Every statement that was ever said, by its digest.
    said: BTreeMap<[u8; 32], Arc<Statement>>,
    /// On the coordinator's disk.
    store: Vec<(Unit, ContentHash)>,
    /// Offers that the coordinator of this life has to answer.
    offers: BTreeMap<(PeerKey, Unit), (usize, u32)>,
    trained: BTreeSet<Unit>,
    is_cut: bool,
    /// When the coordinator's disk takes writes again.
    full_until: u64,
    /// The next volunteer to be replaced.
    oldest: usize,
    measure: Measure,
    /// Threads beside this one, for statements that reach many.
    pool: Option<Arc<ThreadPool>>,
}

/// What every honest peer gets for a unit.
fn content(unit: &Unit) -> ContentHash {
    ContentHash::from_bytes(*blake3::hash(unit.to_string().as_bytes()).as_bytes())
}

fn identity(seed: u64, machine: usize) -> Identity {
    Identity::from_seed(blake3::hash(format!("simulated {seed} {machine}").as_bytes()).as_bytes())
}

impl World {
    /// A world at its beginning.
    ///
    /// # Errors
    /// More units than a run can have.
    pub fn new(scenario: Scenario, size: Size, seed: u64) -> Result<Self> {
        let paths = size.units.div_ceil(LAYERS).max(1);
        let units = Arc::new(Units::new(&vec![1_000; paths], LAYERS as u32)?);
        let run = RunId::from_bytes(*blake3::hash(&seed.to_le_bytes()).as_bytes());
        let operator = identity(seed, usize::MAX);
        let coordinator = identity(seed, COORDINATOR);
        let says = Delegation { coordinator: coordinator.key(), addresses: Vec::new(), number: 1 };
        let nature = Nature { unit_ms: 1, skew_ms: 0, sleeps: false, squats: false, cut_off: false };
        let mut world = Self {
            link: Link::new(&scenario, seed),
            seed,
            now: 0,
            sequence: 0,
            queue: BinaryHeap::new(),
            delegation: Arc::new(Statement::sign(&operator, run, Says::Delegation(says))?),
            operator: operator.key(),
            run,
            measure: Measure { units: units.len(), ..Measure::default() },
            units,
            by_key: BTreeMap::from([(coordinator.key(), COORDINATOR)]),
            machines: vec![Machine::new(coordinator, nature)],
            said: BTreeMap::new(),
            store: Vec::new(),
            offers: BTreeMap::new(),
            trained: BTreeSet::new(),
            is_cut: false,
            full_until: 0,
            oldest: COORDINATOR + 1,
            pool: None,
            scenario,
            size,
        };
        world.said.insert(*world.delegation.digest(), Arc::clone(&world.delegation));
        world.prepare();
        Ok(world)
    }

    /// Lets so many threads work where many peers hear a statement. The run is the same.
    ///
    /// # Errors
    /// The system has no room for them.
    pub fn on_threads(mut self, threads: usize) -> Result<Self> {
        if threads > 1 {
            self.pool = Some(Arc::new(ThreadPoolBuilder::new().num_threads(threads - 1).build()?));
        }
        Ok(self)
    }

    /// Plans what the scenario has in store.
    fn prepare(&mut self) {
        self.at(0, Event::Start(COORDINATOR));
        let flash = self.scenario.flash;
        let mut machines = Vec::new();
        for _ in 0..self.size.peers {
            let late = flash.filter(|flash| self.link.chance(flash.share));
            let when = late.map_or(0, |flash| flash.at_s * 1_000) + self.link.below(2_000);
            let machine = self.add();
            self.at(when, Event::Start(machine));
            machines.push((when, self.machines.get(machine).map_or(1, |machine| machine.nature.unit_ms)));
        }
        self.measure.ideal_ms = ideal_ms(self.units.len(), &machines);
        if self.scenario.churn_per_hour > 0.0 {
            let wait = self.until_replaced();
            self.at(wait, Event::Replace);
        }
        if let Some(partition) = self.scenario.partition {
            self.at(partition.at_s * 1_000, Event::Cut(true));
            self.at((partition.at_s + partition.for_s) * 1_000, Event::Cut(false));
        }
        for fault in self.scenario.faults.clone() {
            self.at(fault.at_ms(), Event::Fault(fault));
        }
        if let Some(away) = self.scenario.away {
            self.at(away.at_s * 1_000, Event::CoordinatorGoes(away.for_s * 1_000));
        }
    }

    /// A machine more, not started.
    fn add(&mut self) -> usize {
        let scenario = &self.scenario;
        // Evenly over the logarithms of speed.
        let speed = scenario.speeds.powf(self.link.unit() - 0.5);
        let slower = scenario.stragglers.filter(|it| self.link.chance(it.share)).map_or(1.0, |it| it.factor);
        let skew = scenario.skew_s * 1_000;
        let nature = Nature {
            unit_ms: (scenario.training_s * 1_000.0 * slower / speed).max(1.0) as u64,
            skew_ms: self.link.below(2 * skew + 1).cast_signed() - skew.cast_signed(),
            sleeps: scenario.sleepers.is_some_and(|it| self.link.chance(it.share)),
            squats: self.link.chance(scenario.squatters),
            cut_off: scenario.partition.is_some_and(|it| self.link.chance(it.share)),
        };
        let number = self.machines.len();
        let machine = Machine::new(identity(self.seed, number), nature);
        self.by_key.insert(machine.key, number);
        self.machines.push(machine);
        self.measure.peers += 1;
        number
    }

    /// Runs until everybody knows the end, or patience is over.
    #[must_use]
    pub fn run(mut self) -> Measure {
        let patience = self.measure.ideal_ms.saturating_mul(PATIENCE).saturating_add(DAY_MS);
        while let Some(Reverse(Timed(at, _, event))) = self.queue.pop() {
            if at > patience {
                break;
            }
            self.now = at;
            self.step(event);
            if self.measure.whole_at_ms.is_some()
                && self.machines.iter().skip(1).all(|machine| machine.ended || !machine.is_up())
            {
                break;
            }
        }
        self.measure.over_at_ms = self.now;
        let stored: BTreeMap<Unit, ContentHash> = self.store.iter().copied().collect();
        let right = |unit: &Unit| stored.get(unit) == Some(&content(unit));
        self.measure.lost = self.units.indices().filter(|index| !right(&self.units.unit(*index))).count();
        self.measure
    }

    fn at(&mut self, when: u64, event: Event) {
        self.sequence += 1;
        self.queue.push(Reverse(Timed(when, self.sequence, event)));
    }

    fn after(&mut self, wait: u64, event: Event) {
        self.at(self.now.saturating_add(wait), event);
    }

    /// About how long until the next volunteer is replaced.
    fn until_replaced(&mut self) -> u64 {
        let per_hour = self.scenario.churn_per_hour * self.size.peers as f64;
        let mean = (3_600_000.0 / per_hour.max(1e-9)) as u64;
        mean / 2 + self.link.below(mean + 1)
    }

    fn life(&self, machine: usize) -> u32 {
        self.machines.get(machine).map_or(0, |machine| machine.life)
    }

    /// Whether two machines reach each other.
    fn reach(&self, one: usize, other: usize) -> bool {
        let machine = |at: usize| self.machines.get(at).filter(|machine| machine.is_up());
        let (Some(one), Some(other)) = (machine(one), machine(other)) else { return false };
        !self.is_cut || one.nature.cut_off == other.nature.cut_off
    }

    fn make_volunteer(&self, number: usize) -> Option<Mind> {
        let machine = self.machines.get(number)?;
        let items = machine.outbox.iter();
        let clock = START_MS + self.now.cast_signed() + machine.nature.skew_ms;
        let start = VolunteerStart {
            me: machine.key,
            run: self.run,
            operator: self.operator,
            units: Arc::clone(&self.units),
            counter: u64::try_from(clock).unwrap_or_default(),
            seed: self.seed ^ number as u64,
            outbox: items
                .map(|(unit, content)| OutboxItem { unit: *unit, content: *content, bytes: 100 })
                .collect(),
            settings: VolunteerSettings { lease: self.lease(), ..VolunteerSettings::default() },
        };
        Some(Mind::Volunteer(Box::new(Volunteer::new(Moment(self.now), start))))
    }

    fn lease(&self) -> LeaseTimes {
        LeaseTimes::with_least(Duration::from_secs_f64(self.scenario.lease_s))
    }

    fn make_coordinator(&self, effects: &mut Vec<CoordinatorEffect>) -> Option<Mind> {
        let machine = self.machines.get(COORDINATOR)?;
        let start = CoordinatorStart {
            me: machine.key,
            operator: self.operator,
            delegation: Arc::clone(&self.delegation),
            units: Arc::clone(&self.units),
            report_limits: vec![1_000; self.units.paths().len()],
            stored: self.store.clone(),
            settings: CoordinatorSettings {
                lease: self.lease(),
                farewell: Duration::from_secs(30),
                ..CoordinatorSettings::default()
            },
        };
        let coordinator = Coordinator::new(Moment(self.now), start, effects).ok()?;
        Some(Mind::Coordinator(Box::new(coordinator)))
    }
}
