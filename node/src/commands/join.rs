//! `join`: volunteer.

use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use net::{Multiaddr, Net};
use protocol::{Identity, Manifest, PeerKey, RunId};
use spec::{
    Finding, MemoryLimits, RecordSource, RoutingCheck, ShardCache, ShardStore, StoreSettings, TableSource,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};

use crate::cli::JoinArgs;
use crate::clock::Clock;
use crate::commands::coordinate::lease_times;
use crate::commands::train::threads;
use crate::events::{Event, Output};
use crate::exit::{Refused, Usage};
use crate::manifest_source::source_as_typed;
use crate::peer::{Community, Heard, Listening, Wants, address, recall_all, start_net};
use crate::stopping::Stop;
use crate::volunteer::{Choice, Settings, choose, work};
use crate::{files, key_file};

/// A volunteer's key, where it is not told another place.
const KEY_FILE: &str = "volunteer.pem";
/// How long a volunteer looks for a run that fits, once it has reached somebody.
const LOOK_FOR: Duration = Duration::from_secs(20);
/// How long it waits for more runs to show, when one fits, nobody said which is wanted, and there may be peers it hasn't met.
const LOOK_AROUND: Duration = Duration::from_millis(300);
/// How long after the last time the bootstrap peers are dialed again when nobody is connected.
const DIAL_AGAIN: Duration = Duration::from_secs(2);
/// Ticks are far more frequent: what is beyond this between two, the program slept or was stopped.
const STOOD_STILL: Duration = Duration::from_secs(1);
/// How long after it was asked to stop the program ends in any case.
const STOP_WITHIN: Duration = Duration::from_millis(950);
/// How long it waits for a run that fits, when what was shown first does not.
const HEAR_OUT: Duration = Duration::from_secs(1);

pub(crate) fn run(args: &JoinArgs) -> Result<()> {
    let operator = args.operator.as_deref().map(str::parse::<PeerKey>).transpose();
    let operator = operator.map_err(|error| Usage(format!("--operator: {error}")))?;
    let bootstraps = args.bootstrap.iter().map(|text| address(text)).collect::<Result<Vec<_>>>()?;
    if bootstraps.is_empty() && args.network.no_mdns {
        let text = "with --no-mdns nobody can be found without --bootstrap ADDR: give the address of a peer";
        return Err(Usage(text.into()).into());
    }
    let data_dir = match &args.data_dir {
        Some(folder) => folder.clone(),
        None => files::home()?.join("volunteer"),
    };
    files::make_folder(&data_dir)?;
    let choice = Choice { operator, run: args.run.clone() };
    let stop = Stop::watch(STOP_WITHIN);
    let runtime = tokio::runtime::Runtime::new().context("the runtime can't be started")?;
    let outcome = runtime.block_on(join(args, &data_dir, bootstraps, &choice, stop));
    // A pass over a source that nobody waits for any more must not hold up the end.
    runtime.shutdown_background();
    outcome
}

async fn join(
    args: &JoinArgs,
    data_dir: &Path,
    bootstraps: Vec<Multiaddr>,
    choice: &Choice,
    stop: Stop,
) -> Result<()> {
    let key = args.key.clone().unwrap_or_else(|| data_dir.join(KEY_FILE));
    let identity = key_file::load_or_make(&key)?.identity;
    // Two peers with one key would be taken for one.
    let _lock = files::lock(&key.with_extension("lock"), || {
        format!("{}: another join works with this key; stop it, or pass another --data-dir", key.display())
    })?;
    let mut found = tokio::select! {
        found = look(args, data_dir, &key, identity, &bootstraps, choice) => found?,
        // Nothing is held yet.
        () = stop.clone().asked() => return Ok(()),
    };
    work(&mut found.community, found.manifest, found.store, found.settings, stop.asked()).await
}

/// A run to work on, and what that takes.
struct Found {
    community: Community,
    manifest: Arc<Manifest>,
    store: Arc<ShardStore>,
    settings: Settings,
    _outbox_lock: std::fs::File,
}

/// Meets others and finds a run with a source that can be read.
async fn look(
    args: &JoinArgs,
    data_dir: &Path,
    key: &Path,
    identity: Identity,
    bootstraps: &[Multiaddr],
    choice: &Choice,
) -> Result<Found> {
    let output = Output::of(args.network.json, args.network.verbose);
    let listening = Listening { typed: &args.network.listen, mdns: !args.network.no_mdns, memory: None };
    let (net, events) = start_net(&identity, &listening).await?;
    output.show(&Event::Started { key: identity.key().to_string() });
    for address in net.listening() {
        output.show_detail(&Event::Listening { address: address.to_string() });
    }
    let met = reach(&net, bootstraps, &data_dir.join("runs"), !args.network.no_mdns, output).await?;
    let mut community = Community::new(net, events, identity.clone(), Clock::start(), Wants::AllRuns);
    let manifest = find(&mut community, bootstraps, choice, met, output).await?;
    show_run(&manifest, output);
    confirm(Arc::clone(&manifest), args).await?;
    let folder = data_dir.join("runs").join(manifest.run().to_string());
    files::make_folder(&folder)?;
    let outbox = folder.join(outbox_name(key, data_dir, &identity));
    // The key may be there twice, as two files.
    let outbox_lock = files::lock(&folder.join(format!("{}.lock", identity.key())), || {
        let (data_dir, key) = (data_dir.display(), identity.key());
        format!(
            "{data_dir}: another join works on this run with the same key {key}, from another file; give it a key of its own"
        )
    })?;
    let (store, source) = store(args, &manifest, data_dir, output)?;
    // A run that was refused before is refused again, whether its source is there or not. Otherwise a source that is not
    // there would later look like one that is away for a while.
    if !matches!(store.finding(), Some(Finding::Refused(_))) {
        let check = tokio::task::spawn_blocking(move || source.check());
        check.await.context("the source could not be checked")??;
    }
    let settings = Settings {
        identity,
        lease: lease_times(&args.network),
        threads: threads(args.threads),
        folder,
        outbox,
        stay: args.stay,
        status_every: args.status_ms.map(|ms| Duration::from_millis(ms.max(100))),
        output,
    };
    Ok(Found { community, manifest, store, settings, _outbox_lock: outbox_lock })
}

/// The name of the folder for a volunteer's reports in the folder of a run. Volunteers with keys of their own may share a
/// data folder, and with it the shards, but never an outbox: each lets go of reports that the other one still has to deliver.
fn outbox_name(key: &Path, data_dir: &Path, identity: &Identity) -> String {
    let is_same = |a: PathBuf| a.canonicalize().ok() == key.canonicalize().ok();
    if is_same(data_dir.join(KEY_FILE)) { "outbox".into() } else { format!("outbox-{}", identity.key()) }
}

/// Whether everybody who was to be met is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Met {
    /// What these peers, so many, show is all there is.
    All(usize),
    /// Others may show up.
    Some,
}

/// Connects to the bootstrap peers: one is enough. When none answers, the peers of the last time are tried.
async fn reach(net: &Net, bootstraps: &[Multiaddr], runs: &Path, mdns: bool, output: Output) -> Result<Met> {
    let mut dials = JoinSet::new();
    for address in bootstraps.iter().cloned() {
        let net = net.clone();
        dials.spawn(
            async move { net.dial(address.clone()).await.map(|_| ()).map_err(|error| (address, error)) },
        );
    }
    let mut reached = 0usize;
    let mut unreachable = Vec::new();
    while let Some(dialed) = dials.join_next().await {
        match dialed.context("dialing failed")? {
            Ok(()) => reached += 1,
            Err((address, error)) => {
                let reason = error.to_string();
                output.show(&Event::Unreachable { address: address.to_string(), reason: reason.clone() });
                unreachable.push(reason);
            }
        }
    }
    if reached > 0 || (bootstraps.is_empty() && mdns) {
        return Ok(if unreachable.is_empty() && !mdns { Met::All(reached) } else { Met::Some });
    }
    if reach_remembered(net, runs).await {
        return Ok(Met::Some);
    }
    if mdns {
        output.show(&Event::Warning {
            text: "no bootstrap peer can be reached; looking on the local network".into(),
        });
        return Ok(Met::Some);
    }
    bail!(
        "no bootstrap peer can be reached: {}. --bootstrap may be given several times",
        unreachable.join("; ")
    );
}

/// Connects to peers of the last time; whether anybody answered.
async fn reach_remembered(net: &Net, runs: &Path) -> bool {
    let mut dials = JoinSet::new();
    for (key, addresses) in recall_all(runs) {
        let net = net.clone();
        dials.spawn(async move { net.dial_peer(key, addresses).await });
    }
    while let Some(dialed) = dials.join_next().await {
        if matches!(dialed, Ok(Ok(()))) {
            return true;
        }
    }
    false
}

/// For how long a run was looked for, and when the bootstrap peers were dialed.
struct Search {
    /// Without the time for which the program stood still.
    looked: Duration,
    last: Instant,
    dialed: Instant,
}

impl Search {
    fn begin() -> Self {
        let now = Instant::now();
        Self { looked: Duration::ZERO, last: now, dialed: now }
    }

    /// Lets time pass. The bootstrap peers are dialed again when nobody is connected: they may have been lost before they showed
    /// anything.
    fn go_on(&mut self, net: &Net, bootstraps: &[Multiaddr]) {
        let now = Instant::now();
        self.looked += now.duration_since(self.last).min(STOOD_STILL);
        self.last = now;
        if net.connected().is_empty() && now.duration_since(self.dialed) >= DIAL_AGAIN {
            self.dialed = now;
            for address in bootstraps.iter().cloned() {
                let net = net.clone();
                tokio::spawn(async move {
                    if let Err(error) = net.dial(address).await {
                        tracing::debug!("a bootstrap peer can't be reached: {error}");
                    }
                });
            }
        }
    }
}

/// Waits until a run shows that fits.
async fn find(
    community: &mut Community,
    bootstraps: &[Multiaddr],
    choice: &Choice,
    met: Met,
    output: Output,
) -> Result<Arc<Manifest>> {
    let mut search = Search::begin();
    let mut seen = Instant::now();
    let mut fits_since: Option<Instant> = None;
    let mut bad: Option<String> = None;
    let mut tick = interval(Duration::from_millis(50));
    loop {
        tokio::select! {
            raw = community.receive() => {
                let raw = raw.context("the network has ended")?;
                for heard in community.handle(raw).await {
                    match heard {
                        Heard::BadManifest { from, reason } => {
                            bad = Some(format!("{} shows a manifest that is refused: {reason}", from.short()));
                        }
                        Heard::Connected(peer) => output.show(&Event::Connected { peer: peer.to_string() }),
                        Heard::Gone(peer) => output.show(&Event::Disconnected { peer: peer.to_string() }),
                        _ => {}
                    }
                }
            }
            _ = tick.tick() => community.tick().await,
        }
        search.go_on(community.net(), bootstraps);
        let runs: BTreeMap<RunId, Arc<Manifest>> = community
            .runs()
            .iter()
            .filter_map(|(run, known)| Some((*run, Arc::clone(known.manifest.as_ref()?))))
            .collect();
        if runs.is_empty() && bad.is_none() {
            seen = Instant::now();
        }
        // Manifests that are still on their way may fit as well.
        let waiting = community.runs().values().any(|known| known.manifest.is_none());
        let settled = fits_since.is_some_and(|since| since.elapsed() >= LOOK_AROUND)
            || matches!(met, Met::All(peers) if !waiting && community.is_acquainted_with(peers));
        match choose(choice, &runs) {
            Ok(Some(manifest)) if choice.run.is_some() || settled => return Ok(manifest),
            Ok(Some(_)) => {
                fits_since.get_or_insert_with(Instant::now);
            }
            // What one peer shows must not keep another from showing the run that is wanted.
            Err(error) if !waiting && seen.elapsed() >= HEAR_OUT => return Err(error),
            Ok(None) | Err(_) => {}
        }
        if let Some(reason) = bad.take_if(|_| runs.is_empty() && seen.elapsed() >= HEAR_OUT) {
            return Err(Refused(reason).into());
        }
        if fits_since.is_none() && search.looked >= LOOK_FOR {
            bail!(
                "no open run was found within {} s; check --bootstrap{}",
                LOOK_FOR.as_secs(),
                if choice.run.is_some() || choice.operator.is_some() { ", --run and --operator" } else { "" }
            );
        }
    }
}

fn show_run(manifest: &Manifest, output: Output) {
    let (body, spec) = (manifest.body(), manifest.spec());
    output.show(&Event::Run {
        run: manifest.run().to_string(),
        name: body.name.clone(),
        operator: manifest.operator().to_string(),
        source: body.source.locations.join(", "),
        rows: body.counts.records,
        paths: spec.paths(),
        layers: spec.training.layers,
    });
}

/// Asks on a terminal, unless told not to.
async fn confirm(manifest: Arc<Manifest>, args: &JoinArgs) -> Result<()> {
    if args.yes || !std::io::stdin().is_terminal() || args.network.json {
        return Ok(());
    }
    // The terminal blocks, and a signal must not wait for it.
    tokio::task::spawn_blocking(move || ask(&manifest)).await.context("nobody could be asked")?
}

fn ask(manifest: &Manifest) -> Result<()> {
    let bytes = manifest.body().counts.bytes;
    eprint!("Train for {} (about {} MB of source)? [y/N] ", manifest.title(), bytes.div_ceil(1_000_000));
    std::io::stderr().flush().context("the terminal can't be written to")?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).context("the terminal can't be read")?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => bail!("not joined"),
    }
}

fn store(
    args: &JoinArgs,
    manifest: &Manifest,
    data_dir: &Path,
    output: Output,
) -> Result<(Arc<ShardStore>, Arc<TableSource>)> {
    let source = source_as_typed(manifest, &args.source)?;
    let mebibytes = |count: u64| usize::try_from(count.saturating_mul(1 << 20)).unwrap_or(usize::MAX);
    let limits = MemoryLimits { shards: args.max_shards as usize, bytes: mebibytes(args.max_shard_memory) };
    let settings = StoreSettings {
        spec: Arc::new(manifest.spec().clone()),
        description: manifest.body().source.clone(),
        source: Arc::clone(&source) as Arc<dyn RecordSource>,
        memory: Arc::new(Mutex::new(ShardCache::new(limits))),
        data_dir: Some(PathBuf::from(data_dir)),
        disk_bytes: args.max_shard_disk.saturating_mul(1 << 20),
        check: if args.verify_routing { RoutingCheck::Required } else { RoutingCheck::Off },
        run_key: manifest.run().to_string(),
        warn: Box::new(move |text| output.show(&Event::Warning { text: text.to_owned() })),
    };
    let store = ShardStore::new(settings).map_err(|error| Refused(error.to_string()))?;
    Ok((Arc::new(store), source))
}
