//! `coordinate`: collect the reports of runs and write their models.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use protocol::coordinator::AfterRun;
use protocol::lease::LeaseTimes;
use protocol::limits::ADDRESS_RECORD_BYTES;
use protocol::{Identity, Manifest};
use spec::RecordSource;

use crate::cli::{CoordinateArgs, NetworkArgs};
use crate::coordinator::{RunFiles, Settings, coordinate};
use crate::events::{Event, Output};
use crate::exit::{Refused, Usage};
use crate::manifest_source::{open_manifest, source_among};
use crate::peer::{Listening, address, open_delegation, start_net};
use crate::{files, key_file, stopping};

pub(crate) fn run(args: &CoordinateArgs) -> Result<()> {
    let key = match &args.key {
        Some(path) => path.clone(),
        None => key_file::operator_default()?,
    };
    let identity = key_file::load_or_make(&key)?.identity;
    let data_dir = match &args.data_dir {
        Some(folder) => folder.clone(),
        None => files::home()?.join("coordinator"),
    };
    files::make_folder(&data_dir)?;
    let _lock = files::lock(&data_dir.join("lock"), || {
        format!(
            "{}: another coordinator works in this folder; stop it, or pass another --data-dir",
            data_dir.display()
        )
    })?;
    let runs: Vec<RunFiles> = args
        .manifests
        .iter()
        .map(|path| open_run(path, &identity, args, &data_dir))
        .collect::<Result<_>>()?;
    let mut used = Vec::new();
    for run in &runs {
        used.extend(sources_of(&run.manifest, args)?);
    }
    if let Some(place) = args.source.source.iter().find(|place| !used.contains(place)) {
        let name = |place: &str| place.rsplit(['/', '\\']).next().map(str::to_owned);
        let same = args.source.source.iter().filter(|other| name(other) == name(place)).count();
        let text = match same {
            1 => format!("--source {}: no part of these runs has that name", shown(place)),
            _ => format!(
                "--source {}: another one has the same file name, by which they are told apart where there are several manifests: \
                 rename one, or coordinate the runs separately",
                shown(place)
            ),
        };
        return Err(Usage(text).into());
    }
    let runtime = tokio::runtime::Runtime::new().context("the runtime can't be started")?;
    let outcome = runtime.block_on(start(args, &identity, runs, &data_dir));
    // A pass over a source that nobody waits for any more must not hold up the end.
    runtime.shutdown_background();
    outcome
}

async fn start(
    args: &CoordinateArgs,
    identity: &Identity,
    runs: Vec<RunFiles>,
    data_dir: &Path,
) -> Result<()> {
    let output = Output::of(args.network.json, args.network.verbose);
    let memory = data_dir.join("ports");
    let listening =
        Listening { typed: &args.network.listen, mdns: !args.network.no_mdns, memory: Some(&memory) };
    let bootstraps = args.bootstrap.iter().map(|text| address(text)).collect::<Result<Vec<_>>>()?;
    let (net, events) = start_net(identity, &listening).await?;
    output.show(&Event::Started { key: identity.key().to_string() });
    for address in net.listening() {
        output.show(&Event::Listening { address: address.to_string() });
    }
    for address in bootstraps {
        let net = net.clone();
        tokio::spawn(async move {
            if let Err(error) = net.dial(address.clone()).await {
                output.show(&Event::Unreachable { address: address.to_string(), reason: error.to_string() });
            }
        });
    }
    let after_run = if args.keep { AfterRun::Stay } else { AfterRun::Exit };
    let settings =
        Settings { identity: identity.clone(), lease: lease_times(&args.network), after_run, output };
    coordinate((net, events), runs, settings, stopping::asked()).await
}

fn open_run(path: &Path, identity: &Identity, args: &CoordinateArgs, data_dir: &Path) -> Result<RunFiles> {
    let manifest = open_manifest(path)?;
    let beside = path.with_extension("delegation");
    let bytes = files::read_small(&beside, ADDRESS_RECORD_BYTES)
        .context("a run needs its delegation beside its manifest; `opendipaco publish` writes both")?;
    let delegation = open_delegation(&bytes, &manifest)
        .map_err(|error| Refused(format!("{}: {error}", beside.display())))?;
    let coordinator = delegation.value().coordinator;
    if coordinator != identity.key() {
        return Err(Refused(format!(
            "{}: names {} as the coordinator, and this peer's key is {}: pass the right --key",
            beside.display(),
            coordinator,
            identity.key()
        ))
        .into());
    }
    let files = sources_of(&manifest, args)?;
    let given = !files.is_empty();
    let source = source_among(&manifest, &args.source, files);
    let source = source.map(|source| source as Arc<dyn RecordSource>).map_err(|error| error.to_string());
    if let (Err(reason), true) = (&source, given) {
        return Err(Usage(reason.clone()).into());
    }
    let folder =
        data_dir.join(format!("{}-{}", manifest.body().name.replace(' ', "_"), manifest.run().short()));
    files::make_folder(&folder)?;
    Ok(RunFiles { manifest: Arc::new(manifest), delegation, source, folder })
}

/// Of the places that were given with `--source`, those of this run: with several manifests they are told apart by their
/// names.
fn sources_of(manifest: &Manifest, args: &CoordinateArgs) -> Result<Vec<String>> {
    if args.manifests.len() == 1 {
        return Ok(args.source.source.clone());
    }
    let named = |part: &String| {
        args.source
            .source
            .iter()
            .find(|place| place.rsplit(['/', '\\']).next() == Some(part.as_str()) || *place == part)
    };
    let parts = &manifest.body().source.locations;
    let found: Vec<String> = parts.iter().filter_map(named).cloned().collect();
    match parts.iter().find(|part| named(part).is_none()) {
        Some(missing) if !found.is_empty() => Err(Usage(format!(
            "{}: --source names {} of its {} parts, but not {:?}: with several manifests, give --source for every part of such a \
             run (an address as it stands in the manifest)",
            manifest.title(),
            found.len(),
            parts.len(),
            shown(missing),
        ))
        .into()),
        _ => Ok(found),
    }
}

/// A place without what may be secret.
fn shown(place: &str) -> &str {
    place.split('?').next().unwrap_or_default()
}

/// How long leases last here.
pub(crate) fn lease_times(args: &NetworkArgs) -> LeaseTimes {
    match args.lease_ms {
        Some(ms) => LeaseTimes::with_least(Duration::from_millis(ms.max(100))),
        None => LeaseTimes::default(),
    }
}
