//! Working on a run: the decisions' events and effects, connected to network, trainer, outbox.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use net::Verdict;
use protocol::lease::{LeaseTimes, Outcome as Merged, Says, Statement, Units};
use protocol::volunteer::{
    OfferAnswer, Volunteer, VolunteerEffect, VolunteerEvent, VolunteerNote, VolunteerSettings, VolunteerStart,
};
use protocol::{Answer, ContentHash, GossipRecord, Identity, Manifest, PeerKey, Unit, Way};
use snake::Cancel;
use spec::{Finding, ShardStore};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::deliver::{Delivered, deliver};
use super::forgetting::Forgetting;
use super::keeping::Keeper;
use super::outbox::Outbox;
use super::standing::Teller;
use super::trainer::{Job, Outcome, Shards, Told, Trainer, Workshop};
use crate::clock::{Clock, Slept, Waking, unix_millis};
use crate::events::{Event, Output};
use crate::exit::Refused;
use crate::peer::{Community, Heard, Turn, Watch, recall, remember, respond, sign, statement, told};

/// How often time passes for the decisions.
const TICK: Duration = Duration::from_millis(150);
/// Finished jobs and deliveries that wait for the loop. They wait when it is full.
const INBOX: usize = 16;
/// How often the neighbours' addresses are written down.
const REMEMBER_EVERY: Duration = Duration::from_secs(60);

/// How long one that was asked to stop takes to say goodbye: what it gives back is said at once, and has to leave the machine.
const GOODBYE: Duration = Duration::from_millis(600);

/// How to work.
pub(crate) struct Settings {
    pub(crate) identity: Identity,
    pub(crate) lease: LeaseTimes,
    pub(crate) threads: usize,
    /// The run's own folder.
    pub(crate) folder: PathBuf,
    /// The folder of its reports: no other process works with it.
    pub(crate) outbox: PathBuf,
    /// Whether to stay when the run is complete.
    pub(crate) stay: bool,
    /// How often it says how it stands, if other than usual.
    pub(crate) status_every: Option<Duration>,
    pub(crate) output: Output,
}

/// Why the work is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Complete,
    Stopped,
}

struct Worker<'c> {
    community: &'c mut Community,
    machine: Volunteer,
    manifest: Arc<Manifest>,
    identity: Identity,
    clock: Clock,
    waking: Waking,
    trainer: Trainer,
    outbox: Outbox,
    output: Output,
    jobs: BTreeMap<Unit, Cancel>,
    /// Reports just made, until the machine says that they are to be kept.
    made: BTreeSet<(Unit, ContentHash)>,
    deliveries: mpsc::Sender<(Unit, ContentHash, Delivered)>,
    finding: Option<Finding>,
    units: u64,
    complete: bool,
    forgetting: Forgetting,
    watch: Watch,
    teller: Teller,
}

/// Works on a run until it is complete, or until `stop` resolves; then gives back what it holds.
pub(crate) async fn work(
    community: &mut Community,
    manifest: Arc<Manifest>,
    store: Arc<ShardStore>,
    settings: Settings,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let Settings { identity, lease, threads, folder, outbox, stay, status_every, output } = settings;
    let run = manifest.run();
    let spec = manifest.spec();
    let rows: Vec<u64> = spec.shards.iter().map(|shard| shard.rows).collect();
    let units = Arc::new(Units::new(&rows, spec.training.layers)?);
    let clock = Clock::start();
    let mut stop = std::pin::pin!(stop);
    let fingerprint = store.fingerprint();
    // Reading the reports of many days takes a while.
    let open = tokio::task::spawn_blocking(move || Outbox::open(&outbox, run, fingerprint));
    let (outbox, items) = tokio::select! {
        opened = open => opened.context("the reports that are kept could not be looked through")??,
        () = &mut stop => return Ok(()),
    };
    let (done_in, mut done) = mpsc::channel(INBOX);
    let (delivered_in, mut delivered) = mpsc::channel(INBOX);
    let watch = Watch::new(clock.now(), &units);
    let teller = Teller::start(clock.now(), output, status_every, Arc::clone(&store));
    let keeper = Keeper {
        schema: spec.schema.clone(),
        fingerprint,
        outbox: outbox.clone(),
        identity: identity.clone(),
    };
    let workshop = Workshop { store, keeper, threads };
    let trainer = Trainer::start(workshop, done_in)?;
    let me = identity.key();
    let machine = Volunteer::new(
        clock.now(),
        VolunteerStart {
            me,
            run,
            operator: manifest.operator(),
            units,
            counter: unix_millis(),
            seed: u64::from_le_bytes(*me.as_bytes().first_chunk().unwrap_or(&[0; 8])),
            outbox: items,
            settings: VolunteerSettings { lease, ..VolunteerSettings::default() },
        },
    );
    let mut worker = Worker {
        community,
        machine,
        manifest,
        identity,
        clock,
        waking: Waking::begin(clock.faces()),
        trainer,
        forgetting: Forgetting::new(outbox.clone()),
        outbox,
        output,
        jobs: BTreeMap::new(),
        made: BTreeSet::new(),
        deliveries: delivered_in,
        finding: None,
        units: 0,
        complete: false,
        watch,
        teller,
    };
    worker.begin(&folder).await?;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut remembering = interval(REMEMBER_EVERY);
    remembering.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = async {
        Ok(loop {
            tokio::select! {
                () = &mut stop => break End::Stopped,
                raw = worker.community.receive() => {
                    let raw = raw.context("the network has ended")?;
                    for heard in worker.community.handle(raw).await {
                        worker.on_heard(heard).await?;
                    }
                }
                told = done.recv() => match told {
                    Some(told) => worker.on_told(told).await?,
                    None => bail!("the threads that train and put reports away have ended, which is a defect of this program"),
                },
                Some((unit, content, delivered)) = delivered.recv() => {
                    worker.on_delivered(unit, content, delivered).await?;
                }
                _ = tick.tick() => {
                    if let Some(slept) = worker.waking.tick(worker.clock.faces()) {
                        worker.awake(slept).await?;
                    }
                    worker.community.tick().await;
                    worker.handle(VolunteerEvent::Tick).await?;
                    worker.tell();
                }
                _ = remembering.tick() => worker.remember_neighbours(&folder),
            }
            if worker.complete && !stay {
                break End::Complete;
            }
        })
    }
    .await;
    match end {
        Ok(end) => worker.leave(end, &folder).await,
        Err(error) => {
            // Others need not wait for what a peer holds that can't go on.
            if let Err(second) = worker.leave(End::Stopped, &folder).await {
                tracing::warn!("what is held could not be given back: {second:#}");
            }
            Err(error)
        }
    }
}

impl Worker<'_> {
    async fn begin(&mut self, folder: &std::path::Path) -> Result<()> {
        let run = self.manifest.run();
        let remembered = recall(folder);
        self.community.learn_addresses(run, remembered.iter().map(Vec::as_slice));
        self.community.take_part(run).await;
        let known = self.community.runs().get(&run);
        let delegation = known.and_then(|known| known.delegation.clone());
        let members = known.map(|known| known.members.clone()).unwrap_or_default();
        if let Some(delegation) = delegation {
            self.handle(VolunteerEvent::Heard(Arc::new(delegation.into()))).await?;
        }
        for peer in members {
            self.handle(VolunteerEvent::PeerSeen(peer)).await?;
        }
        Ok(())
    }

    async fn handle(&mut self, event: VolunteerEvent) -> Result<()> {
        let mut effects = Vec::new();
        self.machine.handle(self.clock.now(), event, &mut effects);
        self.act(effects).await
    }

    /// The machine slept: others may have taken over what is held here.
    async fn awake(&mut self, slept: Slept) -> Result<()> {
        self.show(&Event::Awake { slept_seconds: slept.length.as_secs() });
        self.clock.add(slept.missed);
        self.community.awake(slept.missed);
        self.handle(VolunteerEvent::Awake).await
    }

    /// Takes a statement; says what it is worth to the peer that passed it on.
    async fn hear(&mut self, statement: &Arc<Statement>, way: Way) -> Result<Verdict> {
        let mut effects = Vec::new();
        let now = self.clock.now();
        let merged = self.machine.hear(now, statement, &mut effects);
        self.watch.observe(now, statement, merged, way);
        if let (Merged::Applied(_), Says::Receipt(receipt)) = (&merged, statement.says()) {
            self.outbox.delivered(receipt.unit, receipt.content);
        }
        if let (Merged::Applied(_), Says::Claim(claim)) = (&merged, statement.says()) {
            let (peer, Unit { path, layer, .. }) = (statement.signer().to_string(), claim.unit);
            if statement.signer() != self.identity.key() {
                self.show(&Event::ClaimHeard { peer, path, layer });
            }
        }
        self.act(effects).await?;
        Ok(crate::peer::verdict(&merged))
    }

    async fn on_heard(&mut self, heard: Heard) -> Result<()> {
        let run = self.manifest.run();
        match heard {
            Heard::Connected(peer) => self.show(&Event::Connected { peer: peer.to_string() }),
            Heard::Gone(peer) => {
                self.show(&Event::Disconnected { peer: peer.to_string() });
                self.handle(VolunteerEvent::PeerGone(peer)).await?;
            }
            Heard::Member { run: of, peer } if of == run => {
                self.handle(VolunteerEvent::PeerSeen(peer)).await?
            }
            Heard::Record { run: of, record, ticket } => {
                let verdict = match statement(record).filter(|_| of == run) {
                    Some(statement) => self.hear(&statement, Way::Said).await?,
                    None => Verdict::Ignore,
                };
                self.community.verdict(ticket, verdict).await;
            }
            Heard::Exchanged { peer, turn, told: answer } if turn.request.run == run => {
                let mut news = false;
                for statement in told(run, &answer) {
                    news |= self.hear(&statement, Way::Told).await? == Verdict::Accept;
                }
                match turn.next(self.machine.table().records(), &answer, news) {
                    Some(turn) => self.community.exchange(peer, turn),
                    None => self.handle(VolunteerEvent::Synced(peer)).await?,
                }
            }
            Heard::ExchangeAsked { request, reply } => {
                let answer = if request.run == run {
                    Answer::Exchange(self.machine.table().records().tell(&request.ask))
                } else {
                    Answer::Absent
                };
                respond(reply, &answer).await;
            }
            Heard::StatusAsked { run: of, reply } if of == run => {
                self.watch.tell(self.clock.now(), run, self.machine.table(), reply).await;
            }
            Heard::StatusAsked { reply, .. } => respond(reply, &Answer::Absent).await,
            Heard::BadManifest { from, reason } => {
                tracing::warn!("a manifest from {} is refused: {reason}", from.short());
            }
            // A volunteer takes no reports: the stream is closed.
            Heard::Stream { .. } | Heard::Manifest(_) | Heard::Member { .. } | Heard::Exchanged { .. } => {}
        }
        Ok(())
    }

    /// Takes up what the last training did to the shards here, before the next one is chosen.
    async fn on_shards(&mut self, shards: Shards) -> Result<()> {
        if self.finding != shards.finding {
            self.finding = shards.finding;
            if self.finding == Some(Finding::Verified) {
                self.show(&Event::RoutingVerified { run: self.manifest.run().to_string() });
            }
        }
        let memory = shards.counters.memory;
        self.show(&Event::Cache {
            held: shards.in_memory.len() as u64,
            hits: memory.hits,
            misses: memory.misses,
            evictions: memory.evictions,
            rebuilds: shards.counters.rebuilds,
            passes: shards.counters.passes,
        });
        self.teller.on_disk(shards.on_disk.len());
        self.handle(VolunteerEvent::ShardsInMemory(shards.in_memory)).await?;
        self.handle(VolunteerEvent::ShardsOnDisk(shards.on_disk)).await
    }

    async fn on_told(&mut self, told: Told) -> Result<()> {
        let Told { unit, outcome, shards } = told;
        let Unit { path, layer, .. } = unit;
        if !matches!(outcome, Outcome::Cancelled | Outcome::Trained) {
            self.jobs.remove(&unit);
        }
        if let Some(shards) = shards {
            self.on_shards(shards).await?;
        }
        match outcome {
            Outcome::Trained => self.handle(VolunteerEvent::TrainingOver { unit }).await,
            Outcome::Kept { content, bytes, rows, seconds, trouble } => {
                self.units += 1;
                self.teller.trained(self.clock.now());
                self.show(&Event::Trained { path, layer, rows, bytes, seconds });
                if let Some(text) = trouble {
                    self.show(&Event::Warning { text });
                }
                self.made.insert((unit, content));
                self.handle(VolunteerEvent::TrainingDone { unit, content, bytes }).await?;
                if self.made.remove(&(unit, content)) && !self.machine.keeps(&unit, content) {
                    // The machine does not want it, and has not had it from before either.
                    self.outbox.forget(unit, content);
                }
                Ok(())
            }
            Outcome::Cancelled => Ok(()),
            Outcome::Failed(why) => self.handle(VolunteerEvent::TrainingFailed { unit, why }).await,
            Outcome::Refused(reason) => Err(Refused(reason).into()),
        }
    }

    async fn on_delivered(&mut self, unit: Unit, content: ContentHash, delivered: Delivered) -> Result<()> {
        let mut has_word = false;
        if let Some(receipt) = delivered.receipt
            && let Ok(record) = GossipRecord::open(&receipt, self.manifest.run())
            && let Some(statement) = statement(record)
        {
            has_word = true;
            self.hear(&statement, Way::Said).await?;
        }
        // In dispute it is kept beside the accepted one.
        if delivered.answer == OfferAnswer::Kept || (delivered.answer == OfferAnswer::Stored && has_word) {
            self.outbox.delivered(unit, content);
        }
        if delivered.answer == OfferAnswer::Stored {
            self.show(&Event::Receipt { path: unit.path, layer: unit.layer });
        }
        self.handle(VolunteerEvent::OfferAnswered { unit, answer: delivered.answer }).await
    }

    /// Does what the decisions ask for, in their order; what it says comes back to it at once.
    async fn act(&mut self, effects: Vec<VolunteerEffect>) -> Result<()> {
        let run = self.manifest.run();
        let mut todo: VecDeque<VolunteerEffect> = effects.into();
        while let Some(effect) = todo.pop_front() {
            let mut more = Vec::new();
            match effect {
                VolunteerEffect::Say(says) => {
                    let statement =
                        sign(&self.identity, run, says).context("a record could not be signed")?;
                    self.community.gossip(run, statement.bytes()).await;
                    let now = self.clock.now();
                    let outcome = self.machine.hear(now, &statement, &mut more);
                    self.watch.observe(now, &statement, outcome, Way::Said);
                }
                VolunteerEffect::Train { unit, soon } => {
                    let cancel = Cancel::new();
                    self.jobs.insert(unit, cancel.clone());
                    self.show(&Event::Training { path: unit.path, layer: unit.layer });
                    if !self.trainer.train(Job { unit, soon, cancel }) {
                        let why = "the trainer has too many jobs waiting".to_owned();
                        let event = VolunteerEvent::TrainingFailed { unit, why };
                        self.machine.handle(self.clock.now(), event, &mut more);
                    }
                }
                VolunteerEffect::Abandon { unit } => {
                    if let Some(cancel) = self.jobs.remove(&unit) {
                        cancel.cancel();
                        self.show(&Event::Dropped { path: unit.path, layer: unit.layer });
                    }
                }
                // The trainer has put it there before it said that it is done.
                VolunteerEffect::Keep { unit, content } => {
                    self.made.remove(&(unit, content));
                }
                VolunteerEffect::Forget { unit, content } => self.forgetting.add(unit, content),
                VolunteerEffect::Offer { unit, content, to } => self.offer(unit, content, to),
                VolunteerEffect::SyncWith(peer) => {
                    self.community.exchange(peer, Turn::first(run, self.machine.table().records()));
                }
                VolunteerEffect::Note(note) => self.note(&note),
                VolunteerEffect::Finished(complete) => {
                    self.complete = true;
                    self.show(&Event::Complete { run: run.to_string(), hash: complete.model.to_string() });
                }
            }
            more.into_iter().rev().for_each(|effect| todo.push_front(effect));
        }
        self.forgetting.remove(self.complete);
        Ok(())
    }

    /// Delivers a report in a task of its own; the machine bounds how many do so at once.
    fn offer(&self, unit: Unit, content: ContentHash, to: PeerKey) {
        let addresses = self.community.addresses(self.manifest.run(), to);
        let (net, deliveries, outbox) =
            (self.community.net().clone(), self.deliveries.clone(), self.outbox.clone());
        tokio::spawn(async move {
            let report = tokio::task::spawn_blocking(move || outbox.get(unit, content)).await;
            let delivered = match report {
                Ok(Ok(report)) => deliver(&net, to, addresses, &report).await,
                Ok(Err(error)) => unreadable(&error),
                Err(_) => Delivered { answer: OfferAnswer::Unreachable, receipt: None },
            };
            let _ = deliveries.send((unit, content, delivered)).await;
        });
    }

    fn note(&self, note: &VolunteerNote) {
        match note {
            VolunteerNote::Failed { .. }
            | VolunteerNote::Lost { .. }
            | VolunteerNote::Refused { .. }
            | VolunteerNote::Disputed { .. } => {
                self.show(&Event::Warning { text: note.to_string() });
            }
            other => tracing::info!("{other}"),
        }
    }

    /// Gives back what is held, remembers the neighbours, says goodbye.
    async fn leave(mut self, end: End, folder: &std::path::Path) -> Result<()> {
        let stopped = end == End::Stopped;
        let given_back = if stopped { self.machine.held() as u64 } else { 0 };
        if stopped {
            self.handle(VolunteerEvent::Leave).await?;
        }
        self.jobs.values().for_each(Cancel::cancel);
        self.remember_neighbours(folder);
        let traffic = self.community.net().traffic();
        let (bytes_sent, bytes_received) = (traffic.bytes_sent, traffic.bytes_received);
        self.show(&Event::Left { units: self.units, given_back, bytes_sent, bytes_received });
        let end = async { tokio::join!(self.community.net().shutdown(), self.forgetting.end()) };
        if !stopped {
            end.await;
        } else if tokio::time::timeout(GOODBYE, end).await.is_err() {
            tracing::info!(
                "not everybody has said goodbye, or not every report that is no longer needed is removed"
            );
        }
        Ok(())
    }

    /// Writes down where the neighbours are. Losing this costs a new look for the network, no more.
    fn remember_neighbours(&self, folder: &std::path::Path) {
        let peers = self.community.known_addresses(self.manifest.run());
        if let Err(error) = remember(folder, &peers) {
            tracing::warn!("the neighbours' addresses can't be remembered: {error:#}");
        }
    }

    /// Says how this volunteer stands, when it is time.
    fn tell(&mut self) {
        let now = self.clock.now();
        self.watch.advance(now, self.machine.table());
        self.teller.tick(now, &self.machine, self.watch.pace(), self.community.net());
    }

    fn show(&self, event: &Event) {
        self.output.show(event);
    }
}

/// What is to be said of a report that is not read back: one that is gone will not come back, and what can't be read now may be
/// the only copy there is.
fn unreadable(error: &io::Error) -> Delivered {
    let answer = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::InvalidData => OfferAnswer::Lost(error.to_string()),
        _ => {
            tracing::warn!("a report can't be read now and is offered later: {error}");
            OfferAnswer::Unreachable
        }
    };
    Delivered { answer, receipt: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_report_that_is_gone_is_lost() {
        for gone in [io::ErrorKind::NotFound, io::ErrorKind::InvalidData] {
            assert!(matches!(unreadable(&gone.into()).answer, OfferAnswer::Lost(_)));
        }
        for other in [io::ErrorKind::PermissionDenied, io::ErrorKind::OutOfMemory, io::ErrorKind::Other] {
            assert_eq!(unreadable(&other.into()).answer, OfferAnswer::Unreachable);
        }
    }
}
