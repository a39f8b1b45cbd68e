//! Starting to listen, and saying clearly why it doesn't work.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use libp2p::Multiaddr;
use libp2p::core::transport::{ListenerId, TransportError};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{Swarm, SwarmEvent};
use tokio::time::{Instant, sleep, timeout_at};
use tracing::debug;

use crate::behaviour::{Behaviour, BehaviourEvent};
use crate::error::{NetError, innermost};
use crate::limits::LISTEN_TIME;

/// A socket address and its kind, read from an address to listen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Socket {
    Tcp(SocketAddr),
    Quic(SocketAddr),
}

fn socket(address: &Multiaddr) -> Option<Socket> {
    let mut parts = address.iter();
    let ip: IpAddr = match parts.next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    match (parts.next()?, parts.next(), parts.next()) {
        (Protocol::Tcp(port), None, None) => Some(Socket::Tcp(SocketAddr::new(ip, port))),
        (Protocol::Udp(port), Some(Protocol::QuicV1), None) => Some(Socket::Quic(SocketAddr::new(ip, port))),
        _ => None,
    }
}

/// Whether an address is one of this machine's talks with itself.
pub(crate) fn is_loopback(address: &Multiaddr) -> bool {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => ip.is_loopback(),
        _ => false,
    }
}

/// Addresses per listener, as the system made them, in the order of asking.
#[derive(Debug, Default)]
pub(crate) struct Listening {
    listeners: Vec<(ListenerId, Vec<Multiaddr>)>,
}

impl Listening {
    pub(crate) fn add(&mut self, listener: ListenerId, address: Multiaddr) {
        match self.listeners.iter_mut().find(|(id, _)| *id == listener) {
            Some((_, addresses)) if addresses.contains(&address) => {}
            Some((_, addresses)) => addresses.push(address),
            None => self.listeners.push((listener, vec![address])),
        }
    }

    pub(crate) fn remove(&mut self, listener: ListenerId, address: &Multiaddr) {
        if let Some((_, addresses)) = self.listeners.iter_mut().find(|(id, _)| *id == listener) {
            addresses.retain(|one| one != address);
        }
    }

    pub(crate) fn close(&mut self, listener: ListenerId) {
        self.listeners.retain(|(id, _)| *id != listener);
    }

    pub(crate) fn ids(&self) -> Vec<ListenerId> {
        self.listeners.iter().map(|(id, _)| *id).collect()
    }

    /// What others could dial. A listener on all of the machine's addresses also has a loopback one: it is
    /// named only when there is no other, so a node that asked for loopback has it.
    pub(crate) fn addresses(&self) -> Vec<Multiaddr> {
        let mut all = Vec::new();
        for (_, addresses) in &self.listeners {
            let loopback_only = addresses.iter().all(is_loopback);
            all.extend(addresses.iter().filter(|one| loopback_only || !is_loopback(one)).cloned());
        }
        all
    }
}

/// Listens everywhere that was asked for and waits until every listener has told its address. Also returns
/// what else happened meanwhile, to be handled later: a peer may connect to the first listener before the
/// second stands.
pub(crate) async fn listen(
    swarm: &mut Swarm<Behaviour>,
    wanted: &[Multiaddr],
) -> Result<(Listening, Vec<SwarmEvent<BehaviourEvent>>), NetError> {
    for address in wanted {
        probe(address)?;
    }
    let mut open = Vec::new();
    for address in wanted {
        let id = swarm.listen_on(address.clone()).map_err(|error| refused(address, error))?;
        open.push((id, address));
    }
    let mut listening = Listening::default();
    let mut early = Vec::new();
    let until = Instant::now() + LISTEN_TIME;
    loop {
        let event = match (open.first(), swarm.select_next_some()) {
            (Some((_, first)), next) => timeout_at(until, next).await.map_err(|_| {
                let reason = format!("no address within {LISTEN_TIME:?}");
                NetError::Listen { address: (*first).clone(), reason }
            })?,
            // A listener on all of the machine's addresses tells them one by one: take those that are there.
            (None, next) => match next.now_or_never() {
                Some(event) => event,
                None => return Ok((listening, early)),
            },
        };
        match event {
            SwarmEvent::NewListenAddr { listener_id, address } => {
                listening.add(listener_id, address);
                open.retain(|(id, _)| *id != listener_id);
            }
            SwarmEvent::ListenerClosed { listener_id, reason: Err(error), .. }
            | SwarmEvent::ListenerError { listener_id, error } => {
                match open.iter().find(|(id, _)| *id == listener_id) {
                    Some((_, address)) => return Err(refused(address, TransportError::Other(error))),
                    None => debug!(%error, "a listener had a problem"),
                }
            }
            other => early.push(other),
        }
    }
}

/// Finds a TCP port that is in use. libp2p opens its listeners so that several programs of one user may share
/// a port, and then two nodes would each get a part of the connections; so the port is first asked for
/// without sharing.
fn probe(address: &Multiaddr) -> Result<(), NetError> {
    let socket = socket(address).ok_or_else(|| NetError::Unsupported { address: address.clone() })?;
    match socket {
        Socket::Tcp(at) if at.port() != 0 => {
            TcpListener::bind(at).map(drop).map_err(|error| refused(address, TransportError::Other(error)))
        }
        Socket::Tcp(_) | Socket::Quic(_) => Ok(()),
    }
}

fn refused(address: &Multiaddr, error: TransportError<io::Error>) -> NetError {
    let address = address.clone();
    match error {
        TransportError::MultiaddrNotSupported(_) => NetError::Unsupported { address },
        TransportError::Other(error) => match innermost(&error) {
            (io::ErrorKind::AddrInUse, _) => NetError::PortInUse { address },
            (_, reason) => NetError::Listen { address, reason },
        },
    }
}

/// Waits until the ports of a swarm that was dropped are free again, as far as `patience` goes: QUIC gives
/// its socket back only when its last packets are out, and a node that restarts wants its old port.
pub(crate) async fn released(addresses: &[Multiaddr], patience: Duration) {
    let until = Instant::now() + patience;
    for address in addresses {
        let Some(socket) = socket(address) else { continue };
        let free = || match socket {
            Socket::Tcp(at) => TcpListener::bind(at).is_ok(),
            Socket::Quic(at) => UdpSocket::bind(at).is_ok(),
        };
        while !free() && Instant::now() < until {
            sleep(Duration::from_millis(10)).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_to_listen_on_are_understood() {
        let tcp = socket(&"/ip4/127.0.0.1/tcp/4001".parse().unwrap());
        assert_eq!(tcp, Some(Socket::Tcp("127.0.0.1:4001".parse().unwrap())));
        let quic = socket(&"/ip6/::1/udp/0/quic-v1".parse().unwrap());
        assert_eq!(quic, Some(Socket::Quic("[::1]:0".parse().unwrap())));
        for odd in
            ["/dns4/example.org/tcp/1", "/ip4/127.0.0.1/udp/1", "/ip4/127.0.0.1", "/ip4/127.0.0.1/tcp/1/ws"]
        {
            assert_eq!(socket(&odd.parse().unwrap()), None, "{odd}");
        }
    }

    #[test]
    fn loopback_is_named_only_when_it_was_asked_for() {
        let [first, second] = [ListenerId::next(), ListenerId::next()];
        let mut listening = Listening::default();
        listening.add(first, "/ip4/127.0.0.1/tcp/1".parse().unwrap());
        listening.add(first, "/ip4/192.0.2.1/tcp/1".parse().unwrap());
        listening.add(second, "/ip4/127.0.0.1/udp/2/quic-v1".parse().unwrap());
        let text: Vec<_> = listening.addresses().iter().map(ToString::to_string).collect();
        assert_eq!(text, ["/ip4/192.0.2.1/tcp/1", "/ip4/127.0.0.1/udp/2/quic-v1"]);
    }
}
