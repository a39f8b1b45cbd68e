//! One run at the coordinator: feeds its decisions and does what they ask for.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use net::{Reply, Verdict};
use protocol::coordinator::{
    AfterRun, Coordinator, CoordinatorEffect, CoordinatorEvent, CoordinatorNote, CoordinatorSettings,
    CoordinatorStart, HeaderAnswer, ReportEnd,
};
use protocol::lease::{LeaseTimes, Says, Statement, Units};
use protocol::{ContentHash, Delegation, Identity, Manifest, PeerKey, RunId, Signed, Unit, Way};
use spec::RecordSource;
use store::{Report, ReportName, Store};
use tokio::sync::{mpsc, oneshot};

use super::assembling::{self, Assembly};
use super::opening;
use super::reception::{Answered, Ended, Received, ReceptionId};
use super::rules::Rules;
use crate::clock::Clock;
use crate::events::{Event, Output};
use crate::peer::{Community, Turn, Watch, opened, sign, verdict};

/// How long a model that could not be written waits for the next attempt, which takes a pass over the source: longer each
/// time, up to the second figure.
const AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));
/// Words of before that are said again per tick after a start.
const SAID_AGAIN: usize = 64;

/// What every desk works with.
pub(crate) struct Around {
    pub(crate) community: Community,
    pub(crate) identity: Identity,
    pub(crate) clock: Clock,
}

/// What a desk's helpers tell the loop.
pub(crate) enum Worked {
    /// A report is on disk.
    Stored { run: RunId, unit: Unit, content: ContentHash },
    /// It could not be put there.
    StoreFailed { run: RunId, unit: Unit, content: ContentHash, why: String },
    /// The model is written.
    Assembled { run: RunId, round: u64, assembly: Assembly },
    /// It could not be.
    AssemblyFailed { run: RunId, round: u64, why: assembling::Failed },
}

impl Worked {
    /// The run it was done for.
    pub(crate) fn run(&self) -> RunId {
        match self {
            Self::Stored { run, .. }
            | Self::StoreFailed { run, .. }
            | Self::Assembled { run, .. }
            | Self::AssemblyFailed { run, .. } => *run,
        }
    }
}

/// What a desk starts from: its run's files were read and its source looked through.
pub(crate) struct DeskStart {
    pub(crate) rules: Arc<Rules>,
    pub(crate) delegation: Signed<Delegation>,
    pub(crate) source: Option<Arc<dyn RecordSource>>,
    pub(crate) store: Arc<Store>,
    /// Reports that lie in the store and passed the check, by unit and order.
    pub(crate) reports: BTreeMap<Unit, Vec<ReportName>>,
    /// What it last said about each unit, signed.
    pub(crate) words: BTreeMap<Unit, Vec<u8>>,
    pub(crate) model: PathBuf,
}

/// One run.
pub(crate) struct Desk {
    run: RunId,
    rules: Arc<Rules>,
    machine: Coordinator,
    watch: Watch,
    source: Option<Arc<dyn RecordSource>>,
    store: Arc<Store>,
    reports: BTreeMap<Unit, Vec<ReportName>>,
    model: PathBuf,
    assembling_since: Option<Instant>,
    /// When to try again to write the model, and how long to wait after the next failure.
    assemble_at: Option<Instant>,
    assemble_pause: Duration,
    /// Offers that wait for the machine's answer, and reports for its last word.
    answers: BTreeMap<ReceptionId, oneshot::Sender<Answered>>,
    ends: BTreeMap<ReceptionId, oneshot::Sender<Ended>>,
    /// Checked reports until they are stored or refused, without their bytes once these are being stored; as many as
    /// the machine lets in.
    arrived: BTreeMap<(Unit, ContentHash), (PeerKey, Report)>,
    /// Words from before the start that are still to be said again, as they were.
    said_before: VecDeque<Arc<Statement>>,
    worked: mpsc::Sender<Worked>,
    output: Output,
    over: bool,
}

impl Desk {
    /// Opens the desk of a run.
    pub(crate) async fn open(
        start: DeskStart,
        around: &Around,
        (lease, after_run): (LeaseTimes, AfterRun),
        worked: mpsc::Sender<Worked>,
        output: Output,
    ) -> Result<Self> {
        let DeskStart { rules, delegation, source, store, reports, words, model } = start;
        let manifest = &rules.manifest;
        let spec = manifest.spec();
        let rows: Vec<u64> = spec.shards.iter().map(|shard| shard.rows).collect();
        let units = Arc::new(Units::new(&rows, spec.training.layers)?);
        let watch = Watch::new(around.clock.now(), &units);
        let mut effects = Vec::new();
        let mut machine = Coordinator::new(
            around.clock.now(),
            CoordinatorStart {
                me: around.identity.key(),
                operator: manifest.operator(),
                delegation: Arc::new(delegation.into()),
                report_limits: (0u32..).zip(&rows).map(|(path, _)| rules.limits(path).bytes).collect(),
                stored: reports.values().flatten().map(|name| (name.unit, name.content)).collect(),
                units,
                settings: CoordinatorSettings { lease, after_run, ..CoordinatorSettings::default() },
            },
            &mut effects,
        )?;
        // Its table knows its own last words, also when no peer is there to tell: generations go on from where they were.
        let run = manifest.run();
        let said_before = opened(run, words.values().map(Vec::as_slice));
        for statement in &said_before {
            machine.hear(around.clock.now(), statement, &mut effects);
        }
        let mut desk = Self {
            run,
            rules,
            machine,
            watch,
            source,
            store,
            reports,
            model,
            assembling_since: None,
            assemble_at: None,
            assemble_pause: AGAIN.0,
            answers: BTreeMap::new(),
            ends: BTreeMap::new(),
            arrived: BTreeMap::new(),
            said_before: said_before.into(),
            worked,
            output,
            over: false,
        };
        desk.show_progress();
        desk.act(effects, around).await?;
        Ok(desk)
    }

    /// The run's manifest.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.rules.manifest
    }

    /// Whether the run is over, announced, and nothing is left to be done.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// The machine, for looking at.
    pub(crate) fn machine(&self) -> &Coordinator {
        &self.machine
    }

    /// Takes a statement; says what it is worth to the peer that passed it on.
    pub(crate) async fn hear(
        &mut self,
        statement: &Arc<Statement>,
        way: Way,
        around: &Around,
    ) -> Result<Verdict> {
        let mut effects = Vec::new();
        let now = around.clock.now();
        let outcome = self.machine.hear(now, statement, &mut effects);
        self.watch.observe(now, statement, outcome, way);
        self.act(effects, around).await?;
        Ok(verdict(&outcome))
    }

    /// Tells who asks how far the run is.
    pub(crate) async fn tell_status(&mut self, reply: Reply, around: &Around) {
        self.watch.tell(around.clock.now(), self.run, self.machine.table(), reply).await;
    }

    /// Takes an event.
    pub(crate) async fn handle(&mut self, event: CoordinatorEvent, around: &Around) -> Result<()> {
        let mut effects = Vec::new();
        self.machine.handle(around.clock.now(), event, &mut effects);
        self.act(effects, around).await
    }

    /// Lets time pass.
    pub(crate) async fn tick(&mut self, around: &Around) -> Result<()> {
        if self.assemble_at.take_if(|at| *at <= Instant::now()).is_some() {
            let mut effects = Vec::new();
            self.machine.assemble_again(&mut effects);
            self.act(effects, around).await?;
        }
        self.watch.advance(around.clock.now(), self.machine.table());
        for _ in 0..SAID_AGAIN {
            let Some(statement) = self.said_before.pop_front() else { break };
            if self.is_newest(&statement) {
                around.community.gossip(self.run, statement.bytes()).await;
            }
        }
        self.handle(CoordinatorEvent::Tick, around).await
    }

    /// Takes what a reception has to say.
    pub(crate) async fn received(&mut self, received: Received, around: &Around) -> Result<()> {
        let event = match received {
            Received::Header { id, length, answer, .. } => {
                if self.answers.contains_key(&id) || self.ends.contains_key(&id) {
                    // The same report from the same peer is on its way already.
                    let _ =
                        answer.send(Answered { answer: HeaderAnswer::Busy(1), receipt: None, rules: None });
                    return Ok(());
                }
                self.answers.insert(id, answer);
                let ReceptionId { from, unit, content } = id;
                CoordinatorEvent::HeaderArrived { from, unit, content, length }
            }
            Received::Failed { id: ReceptionId { from, unit, content }, .. } => {
                CoordinatorEvent::ReceptionFailed { from, unit, content }
            }
            Received::Checked { id, verdict, report, end, .. } => {
                let ReceptionId { from, unit, content } = id;
                self.ends.insert(id, end);
                if verdict.is_ok() {
                    self.arrived.entry((unit, content)).or_insert((from, report));
                }
                CoordinatorEvent::Checked { from, unit, content, verdict }
            }
        };
        self.handle(event, around).await
    }

    /// Takes what a helper has done.
    pub(crate) async fn worked(&mut self, worked: Worked, around: &Around) -> Result<()> {
        let event = match worked {
            Worked::Stored { unit, content, .. } => {
                if let Some((from, _)) = self.arrived.remove(&(unit, content)) {
                    let Unit { path, layer, .. } = unit;
                    self.show(&Event::Stored {
                        run: self.run.to_string(),
                        path,
                        layer,
                        from: from.to_string(),
                    });
                }
                CoordinatorEvent::Stored { unit, content }
            }
            Worked::StoreFailed { unit, content, why, .. } => {
                self.not_stored(unit, content);
                CoordinatorEvent::StoreFailed { unit, content, why }
            }
            Worked::Assembled { round, assembly, .. } => {
                let since = self.assembling_since.take();
                self.show(&Event::ModelWritten {
                    run: self.run.to_string(),
                    path: self.model.display().to_string(),
                    hash: assembly.hash.to_string(),
                    seconds: since.map_or(0.0, |since| since.elapsed().as_secs_f64()),
                });
                CoordinatorEvent::Assembled { round, model: assembly.hash }
            }
            Worked::AssemblyFailed { round, why, .. } => {
                if let assembling::Failed::Refused(reason) = why {
                    return Err(crate::exit::Refused(reason).into());
                }
                let mut why = why.to_string();
                // Without a source nothing changes until somebody starts the program with one.
                if self.source.is_some() {
                    why += &format!("; it is tried again in {} s", self.assemble_pause.as_secs());
                    self.assemble_at = Some(Instant::now() + self.assemble_pause);
                    self.assemble_pause = AGAIN.1.min(self.assemble_pause * 2);
                }
                CoordinatorEvent::AssemblyFailed { round, why }
            }
        };
        self.handle(event, around).await
    }

    /// Does what the decisions ask for, in their order; what it says comes back to it at once.
    async fn act(&mut self, effects: Vec<CoordinatorEffect>, around: &Around) -> Result<()> {
        let mut todo: VecDeque<CoordinatorEffect> = effects.into();
        while let Some(effect) = todo.pop_front() {
            match effect {
                CoordinatorEffect::Say(says) => {
                    let complete = matches!(says, Says::Complete(_));
                    let statement =
                        sign(&around.identity, self.run, says).context("a record could not be signed")?;
                    around.community.gossip(self.run, statement.bytes()).await;
                    self.keep(&statement);
                    let mut more = Vec::new();
                    let now = around.clock.now();
                    let outcome = self.machine.hear(now, &statement, &mut more);
                    self.watch.observe(now, &statement, outcome, Way::Said);
                    more.into_iter().rev().for_each(|effect| todo.push_front(effect));
                    if complete && let Says::Complete(said) = statement.says() {
                        tracing::info!("run {}: complete, model {}", self.run.short(), said.model.short());
                    }
                }
                CoordinatorEffect::Answer { to, unit, content, answer } => {
                    let receipt = self.receipt(&unit).filter(|_| answer == HeaderAnswer::Have);
                    let rules = (answer == HeaderAnswer::Send).then(|| Arc::clone(&self.rules));
                    if let Some(waiting) = self.answers.remove(&ReceptionId { from: to, unit, content }) {
                        let _ = waiting.send(Answered { answer, receipt, rules });
                    }
                }
                CoordinatorEffect::End { to, unit, content, end } => {
                    let receipt = self.receipt(&unit).filter(|_| end == ReportEnd::Stored);
                    // One that came too late to be stored.
                    if self.arrived.get(&(unit, content)).is_some_and(|(from, _)| *from == to) {
                        self.arrived.remove(&(unit, content));
                    }
                    if let Some(waiting) = self.ends.remove(&ReceptionId { from: to, unit, content }) {
                        let _ = waiting.send(Ended { end, receipt });
                    }
                }
                CoordinatorEffect::Store { unit, content } => {
                    if let Err(error) = self.store(unit, content) {
                        self.not_stored(unit, content);
                        let failed = CoordinatorEvent::StoreFailed { unit, content, why: error.to_string() };
                        let mut more = Vec::new();
                        self.machine.handle(around.clock.now(), failed, &mut more);
                        todo.extend(more);
                    }
                }
                CoordinatorEffect::Drop { unit, content } => self.discard(unit, content),
                CoordinatorEffect::Assemble { round } => self.assemble(round),
                CoordinatorEffect::SyncWith(peer) => {
                    around.community.exchange(peer, Turn::first(self.run, self.machine.table().records()));
                }
                CoordinatorEffect::Note(note) => self.note(&note),
                CoordinatorEffect::Exit => self.over = true,
            }
        }
        Ok(())
    }

    fn receipt(&self, unit: &Unit) -> Option<Vec<u8>> {
        self.machine.receipt(unit).map(|statement| statement.bytes().to_vec())
    }

    /// Whether nothing newer was said about the unit since.
    fn is_newest(&self, statement: &Statement) -> bool {
        let table = self.machine.table();
        let index = word_of(statement).and_then(|unit| table.units().index(&unit));
        let newest = index.and_then(|index| table.records().word_statement(index));
        newest.is_some_and(|newest| **newest == *statement)
    }

    /// Keeps what is said about a unit for the next start. Nothing waits for it: if a crash comes first, the word is derived
    /// from the stored reports, or comes back from peers, as it would without a store.
    fn keep(&self, statement: &Statement) {
        let Some(unit) = word_of(statement) else { return };
        let told = move |outcome: Result<(), store::StoreError>| {
            if let Err(error) = outcome {
                tracing::debug!("the word about {unit} is not kept: {error}");
            }
        };
        if let Err(error) = self.store.keep_word(unit, statement.bytes().to_vec(), told) {
            told(Err(error));
        }
    }

    /// Hands a report to the store's writer, whose answer comes as [`Worked`].
    fn store(&mut self, unit: Unit, content: ContentHash) -> Result<(), store::StoreError> {
        let (run, worked) = (self.run, self.worked.clone());
        let names = self.reports.entry(unit).or_default();
        let order = names.last().map_or(0, |name| name.order.saturating_add(1));
        let name = ReportName { order, unit, content };
        let Some((_, report)) = self.arrived.get_mut(&(unit, content)) else { return Ok(()) };
        names.push(name);
        self.store.put(name, std::mem::take(report), move |outcome| {
            let done = match outcome {
                Ok(()) => Worked::Stored { run, unit, content },
                Err(error) => Worked::StoreFailed { run, unit, content, why: error.to_string() },
            };
            let _ = worked.blocking_send(done);
        })
    }

    /// Nobody was told of it: its place in the order is given away again. It may be there nevertheless.
    fn not_stored(&mut self, unit: Unit, content: ContentHash) {
        self.arrived.remove(&(unit, content));
        self.discard(unit, content);
    }

    /// Takes a report out of the store.
    fn discard(&mut self, unit: Unit, content: ContentHash) {
        let names = self.reports.entry(unit).or_default();
        for name in names.extract_if(.., |name| name.content == content) {
            opening::remove(&self.store, name);
        }
    }

    /// The store, to be closed when the desk is.
    pub(crate) fn into_store(self) -> Arc<Store> {
        self.store
    }

    /// Writes the model, off the loop.
    fn assemble(&mut self, round: u64) {
        self.assembling_since = Some(Instant::now());
        let accepted: BTreeMap<Unit, ReportName> = self
            .machine
            .stored()
            .filter_map(|(unit, content)| {
                let names = self.reports.get(&unit)?;
                names.iter().find(|name| name.content == content).map(|name| (unit, *name))
            })
            .collect();
        let (run, worked) = (self.run, self.worked.clone());
        let (rules, store, source, model) =
            (Arc::clone(&self.rules), Arc::clone(&self.store), self.source.clone(), self.model.clone());
        tokio::task::spawn_blocking(move || {
            let done = match assembling::assemble(&rules, source.as_deref(), &store, &accepted, &model) {
                Ok(assembly) => Worked::Assembled { run, round, assembly },
                Err(why) => Worked::AssemblyFailed { run, round, why },
            };
            let _ = worked.blocking_send(done);
        });
    }

    fn note(&self, note: &CoordinatorNote) {
        let run = self.run.to_string();
        match note {
            CoordinatorNote::Accepted { .. } => self.show_progress(),
            CoordinatorNote::Refused { from, unit, why } => self.show(&Event::ReportRefused {
                run,
                path: unit.path,
                layer: unit.layer,
                from: from.to_string(),
                reason: why.clone(),
            }),
            CoordinatorNote::Disputed { unit, .. } => {
                self.show(&Event::Dispute { run, path: unit.path, layer: unit.layer });
            }
            CoordinatorNote::StoreFailed { unit, why } => {
                self.show(&Event::StoreFailed {
                    run,
                    path: unit.path,
                    layer: unit.layer,
                    reason: why.clone(),
                });
            }
            CoordinatorNote::Complete { model } => {
                self.show(&Event::Complete { run, hash: model.to_string() })
            }
            other @ (CoordinatorNote::Reopened { .. }
            | CoordinatorNote::AssemblyFailed { .. }
            | CoordinatorNote::Superseded { .. }) => {
                self.show(&Event::Warning { text: format!("run {}: {other}", self.run.short()) });
            }
        }
    }

    fn show_progress(&self) {
        let units = self.machine.table().units().len() as u64;
        let units_done = self.machine.stored().count() as u64;
        self.show(&Event::Progress { run: self.run.to_string(), units_done, units });
    }

    fn show(&self, event: &Event) {
        self.output.show(event);
    }
}

/// The unit that a coordinator's word is about.
fn word_of(statement: &Statement) -> Option<Unit> {
    match statement.says() {
        Says::Receipt(receipt) => Some(receipt.unit),
        Says::Reopen(reopen) => Some(reopen.unit),
        _ => None,
    }
}
