//! How bytes get to other machines: QUIC, and TCP with Noise and Yamux, both behind DNS and a byte counter.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures::future::Either;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::timeout::TransportTimeout;
use libp2p::core::transport::{Boxed, Transport as _};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{PeerId, dns, noise, quic, tcp, yamux};
use tracing::warn;

use crate::closing::ClosesInTime;
use crate::error::NetError;
use crate::limits::{CLOSE_TIME, STREAMS_PER_CONNECTION_MAX};
use crate::traffic::{Meter, MeteredMuxer};

/// Bytes that may be under way on one QUIC stream without being read, and on one QUIC connection. Enough for
/// 150 Mbit/s at 100 ms, small enough for hundreds of connections.
const QUIC_STREAM_WINDOW: u32 = 2 * 1024 * 1024;
const QUIC_CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// What the system says, as a source of its own. The layers above ask an error for its source only, so an
/// [`io::Error`] that comes from the system, and has none, would be lost.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct SocketError(#[source] io::Error);

fn quic_error(error: quic::Error) -> SocketError {
    SocketError(match error {
        quic::Error::Io(error) => error,
        quic::Error::HandshakeTimedOut => io::ErrorKind::TimedOut.into(),
        other => io::Error::other(other),
    })
}

/// Builds the transport of a node.
pub(crate) fn build(
    keypair: &Keypair,
    dial_timeout: Duration,
    meter: &Arc<Meter>,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, NetError> {
    let named = match dns::tokio::Transport::system(sockets(keypair, dial_timeout)?) {
        Ok(named) => named,
        Err(reason) => {
            warn!(%reason, "the system's name servers are unknown: only addresses with numbers can be dialed");
            let sockets = sockets(keypair, dial_timeout)?;
            dns::tokio::Transport::custom(
                sockets,
                dns::ResolverConfig::default(),
                dns::ResolverOpts::default(),
            )
        }
    };
    let meter = Arc::clone(meter);
    let metered = named.map(move |(peer, muxer), _| {
        let muxer = MeteredMuxer::new(muxer, Arc::clone(&meter));
        (peer, StreamMuxerBox::new(ClosesInTime::new(muxer, CLOSE_TIME)))
    });
    Ok(TransportTimeout::new(metered, dial_timeout).boxed())
}

/// TCP and QUIC, to numeric addresses.
fn sockets(keypair: &Keypair, dial_timeout: Duration) -> Result<Boxed<(PeerId, StreamMuxerBox)>, NetError> {
    let noise = noise::Config::new(keypair)
        .map_err(|error| NetError::Setup { what: "encryption (Noise)", reason: error.to_string() })?;
    let mut yamux = yamux::Config::default();
    yamux.set_max_num_streams(STREAMS_PER_CONNECTION_MAX);
    let tcp = tcp::tokio::Transport::new(tcp::Config::default())
        .map_err(SocketError)
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(yamux)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));

    let mut quic = quic::Config::new(keypair);
    quic.handshake_timeout = dial_timeout;
    quic.max_concurrent_stream_limit = STREAMS_PER_CONNECTION_MAX as u32;
    quic.max_stream_data = QUIC_STREAM_WINDOW;
    quic.max_connection_data = QUIC_CONNECTION_WINDOW;
    let quic = quic::tokio::Transport::new(quic)
        .map_err(quic_error)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));

    Ok(tcp
        .or_transport(quic)
        .map(|either, _| match either {
            Either::Left(output) | Either::Right(output) => output,
        })
        .boxed())
}
