//! `status`: a run at a glance, as any peer's table shows it. Takes no lease and changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use net::Multiaddr;
use protocol::{Manifest, PeerKey, RunId, RunStatus};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::cli::StatusArgs;
use crate::exit::Usage;
use crate::peer::{Asker, Found, address, recall_all};
use crate::status_page::{Seen, Size};
use crate::volunteer::{Choice, choose};
use crate::{files, outln, stopping, terminal};

/// How long it looks for a peer, and waits for a table.
const LOOK_FOR: Duration = Duration::from_secs(10);
/// How long it waits for more runs to show, when one fits and nobody said which is wanted.
const LOOK_AROUND: Duration = Duration::from_millis(300);
/// How long it waits before it asks a peer again that has no table yet.
const AGAIN: Duration = Duration::from_millis(200);

pub(crate) fn run(args: &StatusArgs) -> Result<()> {
    let operator = args.operator.as_deref().map(str::parse::<PeerKey>).transpose();
    let operator = operator.map_err(|error| Usage(format!("--operator: {error}")))?;
    let connect = args.connect.as_deref().map(address).transpose()?;
    let data_dir = match &args.data_dir {
        Some(folder) => folder.clone(),
        None => files::home()?.join("volunteer"),
    };
    let choice = Choice { operator, run: args.run.clone() };
    let runtime = tokio::runtime::Runtime::new().context("the runtime can't be started")?;
    let seen = runtime.block_on(async {
        tokio::select! {
            seen = look(args, connect, &data_dir, &choice) => seen,
            () = stopping::asked() => bail!("stopped"),
        }
    })?;
    if args.json {
        outln!("{}", seen.json())?;
    } else {
        let size = if args.all { Size::ENDLESS } else { terminal::size().map_or(Size::PAPER, Size::of) };
        outln!("{}", seen.page(size))?;
    }
    Ok(())
}

async fn look(
    args: &StatusArgs,
    connect: Option<Multiaddr>,
    data_dir: &Path,
    choice: &Choice,
) -> Result<Seen> {
    let mdns = connect.is_none() && !args.no_mdns;
    let (asker, found) = Asker::start(mdns).await?;
    let mut search = Search {
        named: connect.is_some(),
        asker: asker.clone(),
        asked: JoinSet::new(),
        found,
        mdns,
        known: BTreeSet::new(),
        runs: BTreeMap::new(),
        showers: BTreeMap::new(),
        reached: 0,
        trouble: None,
    };
    match connect {
        Some(address) => search.dial(address),
        None => recall_all(&data_dir.join("runs")).into_iter().for_each(|peer| search.dial_peer(peer)),
    }
    let until = Instant::now() + LOOK_FOR;
    let manifest = search.find(choice, until).await?;
    let peers = search.showers.remove(&manifest.run()).unwrap_or_default();
    let (peer, status) = ask(&asker, &peers, &manifest, until).await?;
    asker.leave().await;
    Ok(Seen { manifest, peer, status })
}

/// Asks those who show the run until one has a table of it.
async fn ask(
    asker: &Asker,
    peers: &[PeerKey],
    manifest: &Manifest,
    until: Instant,
) -> Result<(PeerKey, RunStatus)> {
    let mut trouble = anyhow!(
        "nobody who was asked has a table of {}: a coordinator reads its source before it has one, and whoever only shows the run \
         never has; try again, or ask another peer with --connect ADDR",
        manifest.title()
    );
    loop {
        for peer in peers {
            match timeout_at(until, asker.status(*peer, manifest.run())).await {
                Ok(Ok(Some(status))) if is_of(&status, manifest) => return Ok((*peer, status)),
                Ok(Ok(Some(_))) => {
                    trouble = anyhow!(
                        "{} says things of {} that its manifest contradicts; ask another peer with --connect ADDR",
                        peer.short(),
                        manifest.title()
                    );
                }
                Ok(Ok(None)) | Err(_) => {}
                Ok(Err(error)) => trouble = error,
            }
        }
        if Instant::now() + AGAIN >= until {
            return Err(trouble);
        }
        sleep(AGAIN).await;
    }
}

/// Whether a status is about a run of this shape.
fn is_of(status: &RunStatus, manifest: &Manifest) -> bool {
    let spec = manifest.spec();
    let paths = spec.shards.iter().filter(|shard| shard.rows > 0).count() as u64;
    let told = status.paths.len() as u64 + u64::from(status.paths_left_out);
    status.layers == spec.training.layers && paths == told
}

/// Peers that are asked at most.
const LOOKED_AT: usize = 64;

/// Who was asked, and what they showed.
struct Search {
    /// Whether somebody was named, so that nobody else is asked.
    named: bool,
    asker: Asker,
    /// Those that are being asked.
    asked: JoinSet<Result<(PeerKey, Vec<Arc<Manifest>>)>>,
    found: mpsc::Receiver<Found>,
    mdns: bool,
    known: BTreeSet<PeerKey>,
    runs: BTreeMap<RunId, Arc<Manifest>>,
    /// Who shows a run, in the order in which they answered.
    showers: BTreeMap<RunId, Vec<PeerKey>>,
    reached: usize,
    trouble: Option<anyhow::Error>,
}

impl Search {
    fn dial(&mut self, address: Multiaddr) {
        let asker = self.asker.clone();
        self.asked.spawn(async move {
            let peer = asker.dial(address).await?;
            Ok((peer, asker.runs(peer).await?))
        });
    }

    fn dial_peer(&mut self, (peer, addresses): Found) {
        // On a network full of peers a few of them know as much as all.
        if self.known.len() >= LOOKED_AT || !self.known.insert(peer) {
            return;
        }
        let asker = self.asker.clone();
        self.asked.spawn(async move {
            asker.dial_peer(peer, addresses).await?;
            Ok((peer, asker.runs(peer).await?))
        });
    }

    fn answered(&mut self, answer: Result<(PeerKey, Vec<Arc<Manifest>>)>) {
        match answer {
            Ok((peer, manifests)) => {
                self.reached += 1;
                for manifest in manifests {
                    self.showers.entry(manifest.run()).or_default().push(peer);
                    self.runs.entry(manifest.run()).or_insert(manifest);
                }
            }
            Err(error) => self.trouble = Some(error),
        }
    }

    /// Waits until a run shows that fits.
    async fn find(&mut self, choice: &Choice, until: Instant) -> Result<Arc<Manifest>> {
        let mut fits_since: Option<Instant> = None;
        loop {
            // Nobody else can come.
            let all = self.asked.is_empty() && !self.mdns;
            let now = Instant::now();
            let heard_out = all || now >= until;
            match choose(choice, &self.runs) {
                Ok(Some(manifest)) => {
                    let since = *fits_since.get_or_insert(now);
                    if choice.run.is_some() || all || since + LOOK_AROUND <= now {
                        return Ok(manifest);
                    }
                }
                Err(error) if heard_out => return Err(error),
                Ok(None) if heard_out => return Err(self.nothing(choice)),
                Ok(None) | Err(_) => {}
            }
            let wake = fits_since.map_or(until, |since| until.min(since + LOOK_AROUND));
            tokio::select! {
                Some(answer) = self.asked.join_next() => {
                    self.answered(answer.unwrap_or_else(|error| Err(error.into())));
                }
                Some(peer) = self.found.recv() => self.dial_peer(peer),
                () = sleep_until(wake) => {}
            }
        }
    }

    /// Why there is nothing to show, and what to do.
    fn nothing(&mut self, choice: &Choice) -> anyhow::Error {
        let typed = choice.run.is_some() || choice.operator.is_some();
        const GIVE: &str =
            "give the address of a peer, as a coordinator prints it when it starts: status --connect ADDR";
        let local = if self.mdns { ", and none shows on the local network" } else { "" };
        match (self.reached, self.trouble.take()) {
            (0, Some(error)) if self.named => error,
            (0, Some(error)) => anyhow!("no peer that was met before answers{local} ({error:#}); {GIVE}"),
            (0, None) if !self.asked.is_empty() => {
                anyhow!("nobody answered within {} s{local}; {GIVE}", LOOK_FOR.as_secs())
            }
            (0, None) => anyhow!("nobody to ask: no volunteer of this machine has met a peer{local}; {GIVE}"),
            (_, _) if typed => anyhow!(
                "no run that fits is open at the {} peer(s) that answered; check --run and --operator, or ask another peer with \
                 --connect ADDR",
                self.reached
            ),
            _ => anyhow!(
                "the {} peer(s) that answered know of no open run; ask another one with --connect ADDR",
                self.reached
            ),
        }
    }
}
