//! Meeting others: hello on every connection, runs and their manifests, addresses, and a small circle of neighbours.
//!
//! The owner's loop takes one raw happening at a time ([`Community::receive`], safe to cancel), hands it back
//! ([`Community::handle`]) and gets what concerns it as [`Heard`]. Requests to others run as tasks of their own and answer
//! through a bounded channel.

mod runs;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use net::{GossipId, Multiaddr, Net, NetEvent, Reply, Stream, Verdict};
use protocol::{
    Address, Answer, ExchangeRequest, GossipRecord, Identity, Manifest, PeerKey, PeerRecord, RecordBytes,
    Request, RunId, Signed, Told, topic,
};
use tokio::sync::mpsc;

use super::answering::respond;
use super::book::NEIGHBOURS_MAX;
use super::budget::Budgets;
use super::exchange::Turn;
use super::known_run::KnownRun;
use super::own_counter::OwnCounter;
use crate::clock::{Clock, unix_millis};

/// Answers of others that wait to be looked at. Asking tasks wait when it is full; there are few of them per connection.
const ANSWERS: usize = 256;
/// Runs that are remembered. Beyond that no new ones are.
const RUNS_MAX: usize = 64;
/// How often a peer says where it can be reached, in milliseconds.
const ADDRESS_EVERY: u64 = 60_000;
/// How often the circle of neighbours is looked at, in milliseconds.
const CIRCLE_EVERY: u64 = 500;
/// Addresses in a peer record.
const ADDRESSES_MAX: usize = 8;

/// Which runs a peer is curious about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wants {
    /// Every run that others show: it looks for one to join.
    AllRuns,
    /// Only the ones it was given.
    OwnRuns,
}

/// What the owner has to deal with.
#[derive(Debug)]
pub(crate) enum Heard {
    /// A run's manifest is here.
    Manifest(RunId),
    /// A manifest was refused: by whom it came, and why.
    BadManifest { from: PeerKey, reason: String },
    /// A connected peer is in this run: time to exchange records.
    Member { run: RunId, peer: PeerKey },
    /// A peer is connected.
    Connected(PeerKey),
    /// The last connection to a peer is gone.
    Gone(PeerKey),
    /// A record of a run, verified; by gossip it wants a verdict.
    Record { run: RunId, record: GossipRecord, ticket: Option<Ticket> },
    /// A neighbour's answer in an exchange of records, of which each is still to be opened.
    Exchanged { peer: PeerKey, turn: Turn, told: Told },
    /// A neighbour wants to know what it lacks.
    ExchangeAsked { request: ExchangeRequest, reply: Reply },
    /// Somebody wants to know how far a run is.
    StatusAsked { run: RunId, reply: Reply },
    /// A peer opened a stream: a report.
    Stream { from: PeerKey, stream: Stream },
}

/// A gossip message that waits for its verdict.
#[derive(Debug)]
pub(crate) struct Ticket {
    id: GossipId,
    from: PeerKey,
}

/// Something that happened, not looked at yet.
pub(crate) enum Raw {
    Event(NetEvent),
    Answer(Asked),
}

/// A question to a peer, answered.
pub(crate) struct Asked {
    peer: PeerKey,
    what: Question,
    answer: Result<Answer, String>,
}

enum Question {
    Hello,
    Manifest(RunId),
    Exchange(Turn),
    Dial,
}

/// The peers around this one, and the runs they know.
pub(crate) struct Community {
    net: Net,
    events: mpsc::Receiver<NetEvent>,
    answers: mpsc::Receiver<Asked>,
    answered: mpsc::Sender<Asked>,
    identity: Identity,
    clock: Clock,
    wants: Wants,
    runs: BTreeMap<RunId, KnownRun>,
    connected: BTreeSet<PeerKey>,
    /// Who said what it knows, since it is connected.
    greeted: BTreeSet<PeerKey>,
    /// Questions that were lost on the way, or met a peer with too many others in hand: asked again with the next look
    /// at the circle. `None`: hello, else for that run's manifest.
    unanswered: BTreeSet<(PeerKey, Option<RunId>)>,
    budgets: Budgets,
    own_record: Option<Signed<PeerRecord>>,
    own_counter: OwnCounter,
    next_address: u64,
    next_circle: u64,
}

impl Community {
    pub(crate) fn new(
        net: Net,
        events: mpsc::Receiver<NetEvent>,
        identity: Identity,
        clock: Clock,
        wants: Wants,
    ) -> Self {
        let (answered, answers) = mpsc::channel(ANSWERS);
        let mut community = Self {
            net,
            events,
            answers,
            answered,
            identity,
            clock,
            wants,
            runs: BTreeMap::new(),
            connected: BTreeSet::new(),
            greeted: BTreeSet::new(),
            unanswered: BTreeSet::new(),
            budgets: Budgets::default(),
            own_record: None,
            own_counter: OwnCounter::default(),
            next_address: 0,
            next_circle: 0,
        };
        community.write_own_record();
        community
    }

    /// The network's handle.
    pub(crate) fn net(&self) -> &Net {
        &self.net
    }

    /// The runs.
    pub(crate) fn runs(&self) -> &BTreeMap<RunId, KnownRun> {
        &self.runs
    }

    /// Whether everybody who is connected has said what it knows, and so many have.
    pub(crate) fn is_acquainted_with(&self, peers: usize) -> bool {
        self.greeted.len() >= peers && self.net.connected().iter().all(|peer| self.greeted.contains(peer))
    }

    /// Takes part in a run: its records are heard, its members are met.
    pub(crate) async fn take_part(&mut self, run: RunId) {
        if let Err(error) = self.net.subscribe(&topic(run)).await {
            tracing::warn!("run {}: its topic can't be heard: {error}", run.short());
        }
        if let Some(known) = self.runs.get_mut(&run) {
            known.takes_part = true;
        }
        // A word that was said before is not said again.
        self.write_own_record();
        self.say_address(run).await;
        // Those who are connected greeted a peer without a run. They learn now that it is a member and where it is, and
        // say who came meanwhile: gossip alone reaches only those who were listening already.
        for peer in &self.connected {
            self.ask(*peer, Question::Hello, &Request::Hello(self.hello()));
        }
        self.next_circle = 0;
    }

    /// Makes a run known here.
    pub(crate) fn add_run(&mut self, manifest: Arc<Manifest>, delegation: Option<&[u8]>) {
        let known = self.runs.entry(manifest.run()).or_default();
        known.take_manifest(manifest);
        if let Some(bytes) = delegation {
            known.take_delegation(bytes);
        }
    }

    /// The next happening. Cancelling it loses nothing. `None`: the network has ended.
    pub(crate) async fn receive(&mut self) -> Option<Raw> {
        tokio::select! {
            event = self.events.recv() => event.map(Raw::Event),
            Some(asked) = self.answers.recv() => Some(Raw::Answer(asked)),
        }
    }

    /// Deals with a happening and says what concerns the owner.
    pub(crate) async fn handle(&mut self, raw: Raw) -> Vec<Heard> {
        match raw {
            Raw::Event(event) => self.on_event(event).await,
            Raw::Answer(asked) => self.on_answer(asked),
        }
    }

    /// Lets time pass: say where this peer is, keep enough neighbours.
    pub(crate) async fn tick(&mut self) {
        let now = self.clock.now().0;
        if now >= self.next_address {
            self.next_address = now + ADDRESS_EVERY;
            self.write_own_record();
            let mine = self.runs.iter().filter(|(_, known)| known.takes_part);
            for run in mine.map(|(run, _)| *run).collect::<Vec<_>>() {
                self.say_address(run).await;
            }
        }
        if now >= self.next_circle {
            self.next_circle = now + CIRCLE_EVERY;
            self.ask_again();
            self.widen_circle(now);
        }
    }

    /// The machine slept, and its monotonic clock left so much of it out: whoever was near may be gone, so this peer says
    /// anew where it is and looks around with the next tick.
    pub(crate) fn awake(&mut self, missed: Duration) {
        self.clock.add(missed);
        (self.next_address, self.next_circle) = (0, 0);
    }

    /// Says something to everyone in a run.
    pub(crate) async fn gossip(&self, run: RunId, bytes: &[u8]) {
        if let Err(error) = self.net.gossip(&topic(run), bytes.to_vec()).await {
            tracing::warn!("run {}: a record could not be said: {error}", run.short());
        }
    }

    /// What the owner thinks of a record that came by gossip.
    pub(crate) async fn verdict(&self, ticket: Option<Ticket>, verdict: Verdict) {
        if let Some(ticket) = ticket {
            let _ = self.net.verdict(ticket.id, ticket.from, verdict).await;
        }
    }

    /// Asks a neighbour for the records this peer lacks, a turn at a time; it ends as [`Heard::Exchanged`].
    pub(crate) fn exchange(&self, peer: PeerKey, turn: Turn) {
        let request = Request::Exchange(turn.request.clone());
        self.ask(peer, Question::Exchange(turn), &request);
    }

    /// The addresses at which a peer of a run said it can be reached.
    pub(crate) fn addresses(&self, run: RunId, peer: PeerKey) -> Vec<Multiaddr> {
        let Some(known) = self.runs.get(&run) else { return Vec::new() };
        let told = known.delegation.as_ref().filter(|d| d.value().coordinator == peer);
        let told = told.map(|d| d.value().addresses.clone()).unwrap_or_default();
        known.book.addresses(peer).iter().chain(&told).filter_map(|a| a.as_str().parse().ok()).collect()
    }

    /// The signed addresses that this peer knows for a run, to be kept on disk.
    pub(crate) fn known_addresses(&self, run: RunId) -> Vec<Vec<u8>> {
        let records = self.runs.get(&run).map(|known| known.book.records());
        records.into_iter().flatten().map(|record| record.bytes().to_vec()).collect()
    }

    /// Takes peers' signed addresses, as they were kept on disk.
    pub(crate) fn learn_addresses<'b>(&mut self, run: RunId, records: impl Iterator<Item = &'b [u8]>) {
        for bytes in records {
            if let Ok(record) = Signed::<PeerRecord>::open(bytes, None) {
                self.learn_address(run, record);
            }
        }
    }

    /// Takes a peer's signed addresses; whether they are news. An own word of another time, which others would prefer to what
    /// this peer says now, is answered with a newer one at the next tick.
    fn learn_address(&mut self, run: RunId, record: Signed<PeerRecord>) -> bool {
        if record.signer() == self.identity.key() {
            if self.own_counter.heard(record.value().counter) {
                self.next_address = 0;
            }
            return false;
        }
        self.runs.get_mut(&run).is_some_and(|known| known.book.learn(record))
    }

    async fn on_event(&mut self, event: NetEvent) -> Vec<Heard> {
        match event {
            NetEvent::Connected { key, .. } => {
                self.connected.insert(key);
                for known in self.runs.values_mut() {
                    known.book.connected(key);
                }
                self.ask(key, Question::Hello, &Request::Hello(self.hello()));
                vec![Heard::Connected(key)]
            }
            NetEvent::Disconnected { key } => {
                self.connected.remove(&key);
                self.greeted.remove(&key);
                for known in self.runs.values_mut() {
                    known.members.remove(&key);
                }
                vec![Heard::Gone(key)]
            }
            NetEvent::Discovered { key, addresses } => {
                if !self.connected.contains(&key) && self.connected.len() < NEIGHBOURS_MAX {
                    self.dial(key, addresses);
                }
                Vec::new()
            }
            NetEvent::Identified { .. } => Vec::new(),
            NetEvent::Gossip { topic: name, id, from, bytes, .. } => {
                self.on_gossip(&name, Ticket { id, from }, &bytes).await
            }
            NetEvent::Request { from, bytes, reply } => self.on_request(from, &bytes, reply).await,
            NetEvent::Stream { from, stream } => vec![Heard::Stream { from, stream }],
        }
    }

    async fn on_gossip(&mut self, name: &str, ticket: Ticket, bytes: &[u8]) -> Vec<Heard> {
        let Some(run) = self.runs.keys().copied().find(|run| topic(*run) == name) else {
            self.verdict(Some(ticket), Verdict::Ignore).await;
            return Vec::new();
        };
        match GossipRecord::open(bytes, run) {
            Err(error) => {
                tracing::debug!("a record from {} is refused: {error}", ticket.from.short());
                let verdict = if error.needs_newer_version() { Verdict::Ignore } else { Verdict::Reject };
                self.verdict(Some(ticket), verdict).await;
                Vec::new()
            }
            Ok(GossipRecord::Peer(record)) => {
                let news = self.learn_address(run, record);
                self.verdict(Some(ticket), if news { Verdict::Accept } else { Verdict::Ignore }).await;
                Vec::new()
            }
            Ok(record) => {
                if let (GossipRecord::Delegation(delegation), Some(known)) =
                    (&record, self.runs.get_mut(&run))
                {
                    known.take_delegation(delegation.bytes());
                }
                vec![Heard::Record { run, record, ticket: Some(ticket) }]
            }
        }
    }

    async fn on_request(&mut self, from: PeerKey, bytes: &[u8], reply: Reply) -> Vec<Heard> {
        let request = match Request::decode(bytes) {
            Ok(request) => request,
            Err(error) => {
                respond(reply, &Answer::No(error.to_string())).await;
                return Vec::new();
            }
        };
        match request {
            Request::Hello(hello) => {
                respond(reply, &Answer::Hello(self.hello())).await;
                self.on_hello(from, hello)
            }
            Request::Manifest(run) => {
                let manifest = self.runs.get(&run).and_then(|known| known.manifest.as_ref());
                let answer =
                    manifest.map_or(Answer::Absent, |m| Answer::Manifest(RecordBytes::from(m.bytes())));
                respond(reply, &answer).await;
                Vec::new()
            }
            Request::Offer(offer) => {
                let (answer, heard) = self.on_offer(from, &offer);
                respond(reply, &answer).await;
                // Whoever offers it tells one peer, and that one the others.
                for heard in &heard {
                    if let Heard::Record { run, record, .. } = heard
                        && self.runs.get(run).is_some_and(|known| known.takes_part)
                    {
                        self.gossip(*run, record.bytes()).await;
                    }
                }
                heard
            }
            Request::Exchange(_) if !self.may_ask(from) => {
                respond(reply, &Answer::No("too many exchanges in a row: later".into())).await;
                Vec::new()
            }
            Request::Exchange(request) => vec![Heard::ExchangeAsked { request, reply }],
            Request::Status(run) => vec![Heard::StatusAsked { run, reply }],
        }
    }

    /// Whether a peer may ask for one more exchange. One that is gone meanwhile gets no answer anyway.
    fn may_ask(&mut self, peer: PeerKey) -> bool {
        self.connected.contains(&peer) && self.budgets.spend(self.clock.now(), peer)
    }

    fn on_answer(&mut self, asked: Asked) -> Vec<Heard> {
        let Asked { peer, what, answer } = asked;
        if let Question::Manifest(run) = &what
            && let Some(known) = self.runs.get_mut(run)
        {
            known.asked.remove(&peer);
        }
        match (what, answer) {
            (Question::Hello, Ok(Answer::Hello(hello))) => {
                if self.connected.contains(&peer) {
                    self.greeted.insert(peer);
                }
                self.on_hello(peer, hello)
            }
            (Question::Manifest(run), Ok(Answer::Manifest(bytes))) => {
                self.on_manifest(peer, Some(run), bytes.as_slice()).1
            }
            (Question::Exchange(turn), Ok(Answer::Exchange(told))) => {
                vec![Heard::Exchanged { peer, turn, told }]
            }
            (Question::Exchange(turn), answer) => {
                // It is over, and not well: whoever waits for a table waits for another one.
                let run = turn.request.run.short();
                match answer {
                    Err(reason) => tracing::debug!("run {run}: {} did not answer: {reason}", peer.short()),
                    Ok(_) => tracing::debug!("run {run}: {} has no table of it", peer.short()),
                }
                Vec::new()
            }
            (Question::Dial, Err(reason)) => {
                tracing::debug!("{} can't be reached: {reason}", peer.short());
                let now = self.clock.now().0;
                for known in self.runs.values_mut() {
                    known.book.failed(peer, now);
                }
                Vec::new()
            }
            (what, Err(reason)) => {
                tracing::debug!("{} did not answer: {reason}", peer.short());
                match what {
                    Question::Hello => drop(self.unanswered.insert((peer, None))),
                    Question::Manifest(run) => drop(self.unanswered.insert((peer, Some(run)))),
                    Question::Exchange(_) | Question::Dial => {}
                }
                Vec::new()
            }
            (_, Ok(_)) => Vec::new(),
        }
    }

    /// Asks peers that are still there what they did not answer.
    fn ask_again(&mut self) {
        for (peer, what) in std::mem::take(&mut self.unanswered) {
            if !self.connected.contains(&peer) {
                continue;
            }
            match what {
                None => self.ask(peer, Question::Hello, &Request::Hello(self.hello())),
                Some(run) => {
                    let wanted = self.runs.get_mut(&run).filter(|known| known.manifest.is_none());
                    if wanted.is_some_and(|known| known.asked.insert(peer)) {
                        self.ask(peer, Question::Manifest(run), &Request::Manifest(run));
                    }
                }
            }
        }
    }

    fn ask(&self, peer: PeerKey, what: Question, request: &Request) {
        let bytes = match request.encode() {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::warn!("a request to {} could not be written: {error}", peer.short());
                return;
            }
        };
        let (net, answered) = (self.net.clone(), self.answered.clone());
        tokio::spawn(async move {
            let answer = match net.request(peer, bytes).await {
                Ok(bytes) => Answer::decode(&bytes).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            let _ = answered.send(Asked { peer, what, answer }).await;
        });
    }

    fn dial(&self, peer: PeerKey, addresses: Vec<Multiaddr>) {
        let (net, answered) = (self.net.clone(), self.answered.clone());
        tokio::spawn(async move {
            if let Err(error) = net.dial_peer(peer, addresses).await {
                let _ =
                    answered.send(Asked { peer, what: Question::Dial, answer: Err(error.to_string()) }).await;
            }
        });
    }

    /// Dials members of every run until there are enough connections, and the coordinator always.
    fn widen_circle(&mut self, now: u64) {
        let me = self.identity.key();
        let connected: Vec<PeerKey> = self.connected.iter().copied().collect();
        let mut wanted = BTreeSet::new();
        // Whoever shows a run names its members: only for one's own runs are they dialed.
        for known in self.runs.values_mut().filter(|known| known.takes_part) {
            let coordinator = known.coordinator();
            let neighbours = known.members.iter().filter(|peer| Some(**peer) != coordinator).count();
            wanted.extend(known.book.dial_now(now, me, &connected, neighbours));
            if let Some(coordinator) = coordinator.filter(|c| *c != me && !connected.contains(c)) {
                wanted.extend(known.book.due(coordinator, now));
            }
        }
        for peer in wanted {
            let addresses: Vec<Multiaddr> =
                self.runs.keys().flat_map(|run| self.addresses(*run, peer)).collect();
            // One that was named without a place is met when it says itself where it is.
            if !addresses.is_empty() {
                self.dial(peer, addresses);
            }
        }
    }

    fn write_own_record(&mut self) {
        let addresses: Vec<Address> = self
            .net
            .listening()
            .iter()
            .filter_map(|address| address.to_string().parse().ok())
            .take(ADDRESSES_MAX)
            .collect();
        let record = PeerRecord { addresses, counter: self.own_counter.next(unix_millis()) };
        match Signed::sign(&self.identity, RunId::NONE, record) {
            Ok(record) => self.own_record = Some(record),
            Err(error) => tracing::warn!("this peer's addresses could not be signed: {error}"),
        }
    }

    async fn say_address(&self, run: RunId) {
        if let Some(record) = &self.own_record {
            self.gossip(run, record.bytes()).await;
        }
    }
}

pub(crate) use runs::open_delegation;
