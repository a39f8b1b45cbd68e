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
use protocol::{Answer, Identity, RunId};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use self::desk::{Desk, DeskStart, Worked};
pub(crate) use self::opening::RunFiles;
use self::reception::{Answered, Received};
use crate::clock::Clock;
use crate::events::{Event, Output};
use crate::exit::Refused;
use crate::peer::{Community, Heard, Wants, opened, respond, statement};

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
    let mut community = Community::new(net, events, identity.clone(), clock, Wants::OwnRuns);
    let (received_in, mut received) = mpsc::channel::<Received>(INBOX);
    let (worked_in, mut worked) = mpsc::channel::<Worked>(INBOX);
    let (open_in, mut opened_desks) = mpsc::channel::<Result<DeskStart>>(INBOX);
    let mut desks: BTreeMap<RunId, Desk> = BTreeMap::new();
    let mut opening = runs.len();
    let mut heard_it = false;
    for run in runs {
        community.add_run(Arc::clone(&run.manifest), Some(run.delegation.bytes()));
        community.take_part(run.manifest.run()).await;
        let open_in = open_in.clone();
        tokio::task::spawn_blocking(move || drop(open_in.blocking_send(run.open(output))));
    }
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(start) = opened_desks.recv() => {
                let start = start?;
                let desk = Desk::open(start, &community, &identity, &clock, (lease, after_run), worked_in.clone(), output);
                let mut desk = desk.await?;
                opening -= 1;
                let run = desk.manifest().run();
                let members = community.runs().get(&run).map(|known| known.members.clone()).unwrap_or_default();
                for peer in members {
                    desk.handle(CoordinatorEvent::PeerSeen(peer), &community, &identity, &clock).await?;
                }
                desks.insert(run, desk);
            }
            raw = community.receive() => {
                let raw = raw.context("the network has ended")?;
                for heard in community.handle(raw).await {
                    on_heard(heard, &community, &mut desks, &identity, &clock, &received_in, output).await?;
                }
            }
            Some(received) = received.recv() => {
                let run = match &received {
                    Received::Header { run, .. } | Received::Failed { run, .. } | Received::Checked { run, .. } => *run,
                };
                match (desks.get_mut(&run), received) {
                    (Some(desk), received) => desk.received(received, &community, &identity, &clock).await?,
                    (None, Received::Header { answer, .. }) => {
                        let known = community.runs().contains_key(&run);
                        let _ = answer.send(Answered { answer: not_open(known), receipt: None, rules: None });
                    }
                    (None, _) => {}
                }
            }
            Some(worked) = worked.recv() => {
                let run = match &worked {
                    Worked::Stored { run, .. } | Worked::StoreFailed { run, .. }
                    | Worked::Assembled { run, .. } | Worked::AssemblyFailed { run, .. } => *run,
                };
                if let Some(desk) = desks.get_mut(&run) {
                    desk.worked(worked, &community, &identity, &clock).await?;
                }
            }
            _ = tick.tick() => {
                community.tick().await;
                for desk in desks.values_mut() {
                    desk.tick(&community, &identity, &clock).await?;
                }
            }
        }
        // Once everyone who was there has heard and gone, the announcement is over.
        let announcing = desks.values().all(|desk| desk.machine().is_announcing());
        let anyone = !community.net().connected().is_empty();
        heard_it = announcing && (heard_it || anyone);
        let over = |desk: &Desk| desk.is_over() || (heard_it && !anyone);
        if after_run == AfterRun::Exit && opening == 0 && desks.values().all(over) {
            break;
        }
    }
    let traffic = community.net().traffic();
    output.show(&Event::Left {
        units: 0,
        bytes_sent: traffic.bytes_sent,
        bytes_received: traffic.bytes_received,
    });
    community.net().shutdown().await;
    Ok(())
}

/// What is said to a report of a run whose desk is not open: its source is still being read, or it is nobody's here. The
/// latter is no refusal: a volunteer that came here was sent by the operator, and would drop a refused report for good.
fn not_open(known: bool) -> protocol::coordinator::HeaderAnswer {
    use protocol::coordinator::HeaderAnswer::Busy;
    Busy(if known { 1 } else { 10 })
}

async fn on_heard(
    heard: Heard,
    community: &Community,
    desks: &mut BTreeMap<RunId, Desk>,
    identity: &Identity,
    clock: &Clock,
    received: &mpsc::Sender<Received>,
    output: Output,
) -> Result<()> {
    match heard {
        Heard::Connected(peer) => output.show(&Event::Connected { peer: peer.to_string() }),
        Heard::Gone(peer) => {
            output.show(&Event::Disconnected { peer: peer.to_string() });
            for desk in desks.values_mut() {
                desk.handle(CoordinatorEvent::PeerGone(peer), community, identity, clock).await?;
            }
        }
        Heard::Member { run, peer } => {
            if let Some(desk) = desks.get_mut(&run) {
                desk.handle(CoordinatorEvent::PeerSeen(peer), community, identity, clock).await?;
            }
        }
        Heard::Record { run, record, ticket } => {
            let verdict = match (desks.get_mut(&run), statement(record)) {
                (Some(desk), Some(statement)) => desk.hear(&statement, community, identity, clock).await?,
                _ => Verdict::Ignore,
            };
            community.verdict(ticket, verdict).await;
        }
        Heard::Records { run, peer, records, more } => {
            if let Some(desk) = desks.get_mut(&run) {
                for statement in opened(run, records.iter().map(protocol::RecordBytes::as_slice)) {
                    desk.hear(&statement, community, identity, clock).await?;
                }
                if let Some(more) = more {
                    community.ask_more(peer, more);
                }
            }
        }
        Heard::RecordsAsked { request, reply } => {
            let answer = desks.get(&request.run).map_or(Answer::Absent, |desk| {
                Answer::Records(desk.machine().table().records().export(request.have.as_ref(), request.after))
            });
            respond(reply, &answer).await;
        }
        Heard::Stream { from, stream } => {
            drop(tokio::spawn(reception::receive(from, stream, received.clone())))
        }
        Heard::BadManifest { from, reason } => {
            tracing::warn!("a manifest from {} is refused: {reason}", from.short());
        }
        Heard::Manifest(_) => {}
    }
    Ok(())
}

/// A refusal as the program ends with it.
pub(crate) fn refused(reason: impl std::fmt::Display) -> anyhow::Error {
    Refused(reason.to_string()).into()
}
