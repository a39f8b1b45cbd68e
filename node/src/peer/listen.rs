//! Starting the network: where to listen, and taking the old ports again after a restart.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use net::{Multiaddr, Net, NetConfig, NetEvent};
use protocol::Identity;
use tokio::sync::mpsc;

use crate::exit::Usage;
use crate::files;

/// Where peers listen unless told otherwise: every interface, ports of the system's choice.
const DEFAULT: [&str; 2] = ["/ip4/0.0.0.0/udp/0/quic-v1", "/ip4/0.0.0.0/tcp/0"];

/// How to listen.
#[derive(Debug)]
pub(crate) struct Listening<'a> {
    /// What was typed with `--listen`.
    pub(crate) typed: &'a [String],
    /// Whether to look for peers on the local network.
    pub(crate) mdns: bool,
    /// Where the ports of the last time are remembered.
    pub(crate) memory: Option<&'a Path>,
}

/// Reads an address that a person typed.
pub(crate) fn address(text: &str) -> Result<Multiaddr> {
    text.parse().map_err(|error| {
        Usage(format!("{text}: not an address ({error}); one looks like /ip4/192.0.2.7/tcp/4001")).into()
    })
}

/// Starts the network. Ports that the system chose the last time are taken again where they are free, so that others find
/// this peer where it was.
pub(crate) async fn start_net(
    identity: &Identity,
    listening: &Listening<'_>,
) -> Result<(Net, mpsc::Receiver<NetEvent>)> {
    let asked: Vec<String> = match listening.typed {
        [] => DEFAULT.iter().map(|s| (*s).to_owned()).collect(),
        typed => typed.to_vec(),
    };
    let addresses: Vec<Multiaddr> = asked.iter().map(|text| address(text)).collect::<Result<_>>()?;
    let remembered = listening.memory.map(remembered).unwrap_or_default();
    let again: Vec<Multiaddr> =
        addresses.iter().map(|a| remembered.get(&a.to_string()).cloned().unwrap_or_else(|| a.clone())).collect();
    let config = |listen: Vec<Multiaddr>| {
        let mut config = NetConfig::new(*identity.seed(), listen);
        config.mdns = listening.mdns;
        config
    };
    let started = match Net::start(config(again.clone())).await {
        Err(error) if again != addresses => {
            tracing::info!("the old ports are not free ({error}): taking new ones");
            Net::start(config(addresses.clone())).await
        }
        other => other,
    };
    let (net, events) = started.context("the network can't be started")?;
    if let Some(memory) = listening.memory {
        remember(memory, &addresses, &net.listening())?;
    }
    Ok((net, events))
}

/// Per asked-for address with port 0, the port it got: `asked got` a line.
fn remembered(path: &Path) -> BTreeMap<String, Multiaddr> {
    let Ok(bytes) = files::read_small(path, 16 * 1024) else { return BTreeMap::new() };
    String::from_utf8_lossy(&bytes)
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(asked, got)| Some((asked.to_owned(), got.parse().ok()?)))
        .collect()
}

fn remember(path: &Path, asked: &[Multiaddr], got: &[Multiaddr]) -> Result<()> {
    let mut text = String::new();
    for asked in asked {
        if let Some(again) = got.iter().find_map(|got| with_port_of(asked, got)) {
            text.push_str(&format!("{asked} {again}\n"));
        }
    }
    files::write_whole(path, |out| Ok(out.write_all(text.as_bytes())?))
}

/// The asked-for address with the port that a listener of the same kind got; `None` when nothing was left open.
fn with_port_of(asked: &Multiaddr, got: &Multiaddr) -> Option<Multiaddr> {
    use net::Protocol::{Tcp, Udp};
    let port = got.iter().find(|part| matches!(part, Tcp(_) | Udp(_)))?;
    let mut open = false;
    let again = asked
        .iter()
        .map(|part| match (&part, &port) {
            (Tcp(0), Tcp(_)) | (Udp(0), Udp(_)) => {
                open = true;
                port.clone()
            }
            _ => part,
        })
        .collect();
    open.then_some(again)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_that_was_got_is_asked_for_again() {
        let asked: Multiaddr = "/ip4/0.0.0.0/udp/0/quic-v1".parse().unwrap();
        let tcp: Multiaddr = "/ip4/10.1.2.3/tcp/4001".parse().unwrap();
        let udp: Multiaddr = "/ip4/10.1.2.3/udp/4002/quic-v1".parse().unwrap();
        assert_eq!(with_port_of(&asked, &tcp), None);
        assert_eq!(with_port_of(&asked, &udp).unwrap().to_string(), "/ip4/0.0.0.0/udp/4002/quic-v1");
        assert_eq!(with_port_of(&udp, &udp), None);
    }
}
