//! The coordinator: a peer that collects reports, checks and keeps them, and writes models. One loop for all its runs.

mod assembling;
mod desk;
mod opening;
mod reception;
mod rules;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use net::{Net, NetEvent, Verdict};
use protocol::coordinator::{AfterRun, CoordinatorEvent};
use protocol::lease::LeaseTimes;
use protocol::{Answer, Identity, RunId, Way};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use self::desk::{Around, Desk, DeskStart, Worked};
pub(crate) use self::opening::RunFiles;
use self::reception::{Answered, Received};
use crate::clock::Clock;
use crate::events::{Event, Output};
use crate::exit::Refused;
use crate::peer::{Community, Heard, Wants, respond, statement, told};

/// How often time passes for the decisions.
const TICK: Duration = Duration::from_millis(150);
/// What receptions and helpers have to say, waiting for the loop. They wait when it is full; there are few of them.
const INBOX: usize = 64;

/// How to coordinate.
pub(crate) struct Settings {
    pub(crate) identity: Identity,
    pub(crate) lease: LeaseTimes,
    pub(crate) after_run: AfterRun,
    pub(crate) output: Output,
}

/// Coordinates these runs until all are complete (or for ever, with [`AfterRun::Stay`]), or until `stop` resolves.
pub(crate) async fn coordinate(
    (net, events): (Net, mpsc::Receiver<NetEvent>),
    runs: Vec<RunFiles>,
    settings: Settings,
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let Settings { identity, lease, after_run, output } = settings;
    let clock = Clock::start();
    let community = Community::new(net, events, identity.clone(), clock, Wants::OwnRuns);
    let (receptions, mut received) = mpsc::channel::<Received>(INBOX);
    let (helpers, mut worked) = mpsc::channel::<Worked>(INBOX);
    let (openers, mut opened_desks) = mpsc::channel::<Result<DeskStart>>(INBOX);
    let mut office = Office {
        around: Around { community, identity, clock },
        desks: BTreeMap::new(),
        opening: runs.len(),
        heard_the_end: false,
        lease,
        after_run,
        receptions,
        helpers,
        output,
    };
    for run in runs {
        office.around.community.add_run(Arc::clone(&run.manifest), Some(run.delegation.bytes()));
        office.around.community.take_part(run.manifest.run()).await;
        let openers = openers.clone();
        tokio::task::spawn_blocking(move || drop(openers.blocking_send(run.open(output))));
    }
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stop = std::pin::pin!(stop);
    while !office.is_over() {
        tokio::select! {
            () = &mut stop => break,
            Some(start) = opened_desks.recv() => office.open(start?).await?,
            raw = office.around.community.receive() => {
                let raw = raw.context("the network has ended")?;
                for heard in office.around.community.handle(raw).await {
                    office.on_heard(heard).await?;
                }
            }
            Some(received) = received.recv() => office.on_received(received).await?,
            Some(worked) = worked.recv() => office.on_worked(worked).await?,
            _ = tick.tick() => office.tick().await?,
        }
    }
    let net = office.around.community.net();
    let traffic = net.traffic();
    let (bytes_sent, bytes_received) = (traffic.bytes_sent, traffic.bytes_received);
    output.show(&Event::Left { units: 0, given_back: 0, bytes_sent, bytes_received });
    net.shutdown().await;
    // The writers must not wait for somebody to tell.
    drop((received, worked, opened_desks));
    let stores: Vec<_> = office.desks.into_values().map(Desk::into_store).collect();
    let closing = move || stores.into_iter().filter_map(Arc::into_inner).for_each(store::Store::close);
    Ok(tokio::task::spawn_blocking(closing).await?)
}

/// All runs of this coordinator.
struct Office {
    around: Around,
    desks: BTreeMap<RunId, Desk>,
    /// Desks whose source is still being read.
    opening: usize,
    /// Whether anybody was there since the end of all runs is announced.
    heard_the_end: bool,
    lease: LeaseTimes,
    after_run: AfterRun,
    receptions: mpsc::Sender<Received>,
    helpers: mpsc::Sender<Worked>,
    output: Output,
}

impl Office {
    /// Whether there is nothing left to do: every run is announced for long enough, or everyone who was there has heard it
    /// and gone.
    fn is_over(&mut self) -> bool {
        let announcing = self.desks.values().all(|desk| desk.machine().is_announcing());
        let anyone = !self.around.community.net().connected().is_empty();
        self.heard_the_end = announcing && (self.heard_the_end || anyone);
        let told = self.heard_the_end && !anyone;
        let over = |desk: &Desk| desk.is_over() || told;
        self.after_run == AfterRun::Exit && self.opening == 0 && self.desks.values().all(over)
    }

    /// Opens a desk, and shows it who is there.
    async fn open(&mut self, start: DeskStart) -> Result<()> {
        let around = &self.around;
        let settings = (self.lease, self.after_run);
        let mut desk = Desk::open(start, around, settings, self.helpers.clone(), self.output).await?;
        self.opening -= 1;
        let run = desk.manifest().run();
        let members =
            around.community.runs().get(&run).map(|known| known.members.clone()).unwrap_or_default();
        for peer in members {
            desk.handle(CoordinatorEvent::PeerSeen(peer), around).await?;
        }
        self.desks.insert(run, desk);
        Ok(())
    }

    async fn on_received(&mut self, received: Received) -> Result<()> {
        let run = received.run();
        match (self.desks.get_mut(&run), received) {
            (Some(desk), received) => desk.received(received, &self.around).await?,
            (None, Received::Header { answer, .. }) => {
                let known = self.around.community.runs().contains_key(&run);
                let _ = answer.send(Answered { answer: not_open(known), receipt: None, rules: None });
            }
            (None, _) => {}
        }
        Ok(())
    }

    async fn on_worked(&mut self, worked: Worked) -> Result<()> {
        match self.desks.get_mut(&worked.run()) {
            Some(desk) => desk.worked(worked, &self.around).await,
            None => Ok(()),
        }
    }

    async fn tick(&mut self) -> Result<()> {
        self.around.community.tick().await;
        for desk in self.desks.values_mut() {
            desk.tick(&self.around).await?;
        }
        Ok(())
    }

    async fn on_heard(&mut self, heard: Heard) -> Result<()> {
        let Self { around, desks, output, .. } = self;
        let community = &around.community;
        match heard {
            Heard::Connected(peer) => output.show(&Event::Connected { peer: peer.to_string() }),
            Heard::Gone(peer) => {
                output.show(&Event::Disconnected { peer: peer.to_string() });
                for desk in desks.values_mut() {
                    desk.handle(CoordinatorEvent::PeerGone(peer), around).await?;
                }
            }
            Heard::Member { run, peer } => {
                if let Some(desk) = desks.get_mut(&run) {
                    desk.handle(CoordinatorEvent::PeerSeen(peer), around).await?;
                }
            }
            Heard::Record { run, record, ticket } => {
                let verdict = match (desks.get_mut(&run), statement(record)) {
                    (Some(desk), Some(statement)) => desk.hear(&statement, Way::Said, around).await?,
                    _ => Verdict::Ignore,
                };
                community.verdict(ticket, verdict).await;
            }
            Heard::Exchanged { peer, turn, told: answer } => {
                let run = turn.request.run;
                if let Some(desk) = desks.get_mut(&run) {
                    let mut news = false;
                    for statement in told(run, &answer) {
                        news |= desk.hear(&statement, Way::Told, around).await? == Verdict::Accept;
                    }
                    if let Some(turn) = turn.next(desk.machine().table().records(), &answer, news) {
                        community.exchange(peer, turn);
                    }
                }
            }
            Heard::ExchangeAsked { request, reply } => {
                let answer = desks.get(&request.run).map_or(Answer::Absent, |desk| {
                    Answer::Exchange(desk.machine().table().records().tell(&request.ask))
                });
                respond(reply, &answer).await;
            }
            Heard::StatusAsked { run, reply } => match desks.get_mut(&run) {
                Some(desk) => desk.tell_status(reply, around).await,
                None => respond(reply, &Answer::Absent).await,
            },
            Heard::Stream { from, stream } => {
                drop(tokio::spawn(reception::receive(from, stream, self.receptions.clone())))
            }
            Heard::BadManifest { from, reason } => {
                tracing::warn!("a manifest from {} is refused: {reason}", from.short());
            }
            Heard::Manifest(_) => {}
        }
        Ok(())
    }
}

/// What is said to a report of a run whose desk is not open: its source is still being read, or it is nobody's here. The
/// latter is no refusal: a volunteer that came here was sent by the operator, and would drop a refused report for good.
fn not_open(known: bool) -> protocol::coordinator::HeaderAnswer {
    use protocol::coordinator::HeaderAnswer::Busy;
    Busy(if known { 1 } else { 10 })
}

/// A refusal as the program ends with it.
pub(crate) fn refused(reason: impl std::fmt::Display) -> anyhow::Error {
    Refused(reason.to_string()).into()
}
