//! `delegate`: the operator names another coordinator for a run.

use std::path::Path;

use anyhow::{Context, Result};
use protocol::limits::ADDRESS_RECORD_BYTES;
use protocol::{Delegation, Manifest, PeerKey, Signed};

use crate::cli::DelegateArgs;
use crate::exit::{Refused, Usage};
use crate::manifest_source::open_manifest;
use crate::peer::{address, announce, open_delegation};
use crate::{files, key_file, outln};

pub(crate) fn run(args: &DelegateArgs) -> Result<()> {
    let coordinator: PeerKey =
        args.coordinator.parse().map_err(|error| Usage(format!("--coordinator: {error}")))?;
    let peers = args.announce.iter().map(|text| address(text)).collect::<Result<Vec<_>>>()?;
    let addresses = args
        .address
        .iter()
        .map(|text| {
            address(text)?;
            text.parse().map_err(|error| Usage(format!("--address {text}: {error}")).into())
        })
        .collect::<Result<Vec<_>>>()?;
    let manifest = open_manifest(&args.manifest)?;
    let key = match &args.key {
        Some(path) => path.clone(),
        None => key_file::operator_default()?,
    };
    let operator = key_file::load(&key)?;
    if operator.key() != manifest.operator() {
        return Err(Refused(format!(
            "{} is signed by {}, and the key in {} is {}: only the operator can name another coordinator; pass the right --key",
            manifest.title(),
            manifest.operator(),
            key.display(),
            operator.key()
        ))
        .into());
    }
    let beside = args.manifest.with_extension("delegation");
    let number = next_number(&beside, &manifest, args.number)?;
    let delegation = Signed::sign(&operator, manifest.run(), Delegation { coordinator, addresses, number })?;
    files::write_whole(&beside, |out| Ok(out.write_all(delegation.bytes())?))?;
    outln!("run         {}", manifest.run())?;
    outln!("coordinator {coordinator} from now on (delegation {number})")?;
    outln!("delegation  {}", beside.display())?;
    if peers.is_empty() {
        outln!(
            "next        hand this file and the manifest to the new coordinator, who starts `opendipaco coordinate`"
        )?;
        return Ok(());
    }
    let runtime = tokio::runtime::Runtime::new().context("the runtime can't be started")?;
    runtime.block_on(announce(&manifest, &delegation, peers))
}

/// One more than the delegation beside the manifest. Where that is lost, only the operator knows.
fn next_number(beside: &Path, manifest: &Manifest, given: Option<u64>) -> Result<u64> {
    if !beside.exists() {
        return given.ok_or_else(|| {
            Usage(format!(
                "{}: is not there, so the number of the newest delegation is not known here; pass --number with a larger one than \
                 was ever given out for this run",
                beside.display()
            ))
            .into()
        });
    }
    let bytes = files::read_small(beside, ADDRESS_RECORD_BYTES)?;
    let newest = open_delegation(&bytes, manifest)
        .map_err(|error| Refused(format!("{}: {error}", beside.display())))?
        .value()
        .number;
    match given {
        Some(number) if number <= newest => Err(Usage(format!(
            "--number {number}: {} has number {newest}, and only a larger one replaces it",
            beside.display()
        ))
        .into()),
        Some(number) => Ok(number),
        None => newest.checked_add(1).context("there is no larger number left"),
    }
}
