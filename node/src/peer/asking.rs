//! A peer that only asks: nobody can dial it, it takes part in no run, and it is gone when it has its answer.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use net::{Multiaddr, Net, NetConfig, NetEvent};
use protocol::{Answer, Hello, Manifest, PeerKey, Request, RunId, RunStatus};
use tokio::sync::mpsc;

use super::answering::respond;

/// Peers of the local network that wait to be looked at; more are left alone.
const FOUND: usize = 16;

/// A connection to the network, under a key that is nobody's and is forgotten.
#[derive(Clone)]
pub(crate) struct Asker {
    net: Net,
}

/// A peer on the local network, and where it listens.
pub(crate) type Found = (PeerKey, Vec<Multiaddr>);

impl Asker {
    /// Starts; with `mdns` the peers of the local network come through the receiver.
    pub(crate) async fn start(mdns: bool) -> Result<(Self, mpsc::Receiver<Found>)> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)
            .map_err(|error| anyhow::anyhow!("no random numbers from the system: {error}"))?;
        let mut config = NetConfig::new(seed, Vec::new());
        config.mdns = mdns;
        let (net, events) = Net::start(config).await.context("the network can't be started")?;
        let (found_in, found) = mpsc::channel(FOUND);
        tokio::spawn(attend(events, found_in));
        Ok((Self { net }, found))
    }

    /// Connects to whoever is at this address.
    pub(crate) async fn dial(&self, address: Multiaddr) -> Result<PeerKey> {
        let text = address.to_string();
        let context = || {
            format!(
                "{text} can't be reached; is a peer running there, and is this the address that it prints?"
            )
        };
        self.net.dial(address).await.with_context(context)
    }

    /// Connects to a peer that was there before, or is on the local network.
    pub(crate) async fn dial_peer(&self, peer: PeerKey, addresses: Vec<Multiaddr>) -> Result<()> {
        Ok(self.net.dial_peer(peer, addresses).await?)
    }

    /// The manifests of the runs that a peer knows.
    pub(crate) async fn runs(&self, peer: PeerKey) -> Result<Vec<Arc<Manifest>>> {
        let Answer::Hello(hello) = self.ask(peer, &Request::Hello(Hello::default())).await? else {
            bail!("{} did not say hello", peer.short());
        };
        let mut manifests = Vec::new();
        for shown in hello.runs {
            let Answer::Manifest(bytes) = self.ask(peer, &Request::Manifest(shown.run)).await? else {
                continue;
            };
            match Manifest::open(bytes.as_slice()) {
                Ok(manifest) if manifest.run() == shown.run => manifests.push(Arc::new(manifest)),
                Ok(_) => tracing::warn!("{} shows another manifest than was asked for", peer.short()),
                Err(error) => {
                    tracing::warn!("{} shows a manifest that is refused: {error}", peer.short());
                }
            }
        }
        Ok(manifests)
    }

    /// How far a run is, by a peer's table; `None`: it has none, or not yet.
    pub(crate) async fn status(&self, peer: PeerKey, run: RunId) -> Result<Option<RunStatus>> {
        match self.ask(peer, &Request::Status(run)).await? {
            Answer::Status(status) if status.run == run => Ok(Some(*status)),
            Answer::Absent | Answer::Busy(_) => Ok(None),
            Answer::No(why) => {
                bail!("{} can't say how far a run is ({why}): it may need a newer version", peer.short())
            }
            _ => bail!("{} gave an answer that makes no sense here", peer.short()),
        }
    }

    /// Says goodbye.
    pub(crate) async fn leave(self) {
        self.net.shutdown().await;
    }

    async fn ask(&self, peer: PeerKey, request: &Request) -> Result<Answer> {
        let answer = self.net.request(peer, request.encode()?).await?;
        Ok(Answer::decode(&answer)?)
    }
}

/// Answers what others ask: it knows no run. Everything else is let go.
async fn attend(mut events: mpsc::Receiver<NetEvent>, found: mpsc::Sender<Found>) {
    while let Some(event) = events.recv().await {
        match event {
            NetEvent::Discovered { key, addresses } => drop(found.try_send((key, addresses))),
            NetEvent::Request { bytes, reply, .. } => {
                let answer = match Request::decode(&bytes) {
                    Ok(Request::Hello(_)) => Answer::Hello(Hello::default()),
                    _ => Answer::Absent,
                };
                respond(reply, &answer).await;
            }
            _ => {}
        }
    }
}
