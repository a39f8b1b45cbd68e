//! Handing a manifest and a delegation to peers.

use anyhow::{Context, Result};
use net::{Multiaddr, Net, NetConfig};
use protocol::{Answer, Delegation, Manifest, Offer, RecordBytes, Request, Signed};

use crate::outln;

/// Hands a run's manifest and a delegation to peers, one after the other, and says so on standard output.
///
/// # Errors
/// The first peer that can't be reached or does not take it; those before it have it.
pub(crate) async fn announce(
    manifest: &Manifest,
    delegation: &Signed<Delegation>,
    peers: Vec<Multiaddr>,
) -> Result<()> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| anyhow::anyhow!("no random numbers from the system: {error}"))?;
    let (net, _events) = Net::start(NetConfig::new(seed, Vec::new())).await?;
    let offer = Request::Offer(Offer {
        manifest: RecordBytes::from(manifest.bytes()),
        delegation: RecordBytes::from(delegation.bytes()),
    });
    let offer = offer.encode()?;
    for address in peers {
        let peer = net.dial(address.clone()).await?;
        let answer = net.request(peer, offer.clone()).await.with_context(|| address.to_string())?;
        match Answer::decode(&answer)? {
            Answer::Accepted => outln!("announced   {address}")?,
            Answer::No(reason) => anyhow::bail!("{address} does not take it: {reason}"),
            _ => anyhow::bail!("{address} gave an answer that makes no sense here"),
        }
    }
    net.shutdown().await;
    Ok(())
}
