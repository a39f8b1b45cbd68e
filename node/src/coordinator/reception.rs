//! Receiving one report: offer, answer, body, check, the coordinator's word. One task per stream.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use net::Stream;
use protocol::coordinator::{HeaderAnswer, ReportEnd};
use protocol::{
    Codec, ContentHash, PeerKey, RecordBytes, ReportAck, ReportHeader, ReportOffer, ReportReply, RunId,
    Signed, Unit,
};
use store::Report;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::rules::Rules;
use crate::frames::Frames;

/// How long a volunteer may take for one frame.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it may take for all of a report, after which the machine has given it up: a frame now and then must not hold
/// a place for ever.
const PATIENCE_IN_ALL: Duration = Duration::from_secs(600);

/// A reception, named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ReceptionId {
    pub(crate) from: PeerKey,
    pub(crate) unit: Unit,
    pub(crate) content: ContentHash,
}

/// What a reception tells the coordinator's loop.
pub(crate) enum Received {
    /// A report is offered.
    Header { run: RunId, id: ReceptionId, length: u64, answer: oneshot::Sender<Answered> },
    /// It did not arrive whole.
    Failed { run: RunId, id: ReceptionId },
    /// It arrived and was checked.
    Checked {
        run: RunId,
        id: ReceptionId,
        verdict: Result<(), String>,
        report: Report,
        end: oneshot::Sender<Ended>,
    },
}

impl Received {
    /// The run of the report.
    pub(crate) fn run(&self) -> RunId {
        match self {
            Self::Header { run, .. } | Self::Failed { run, .. } | Self::Checked { run, .. } => *run,
        }
    }
}

/// The loop's answer to a header.
pub(crate) struct Answered {
    pub(crate) answer: HeaderAnswer,
    /// With `Have`: the receipt.
    pub(crate) receipt: Option<Vec<u8>>,
    /// With `Send`: what to check the report against.
    pub(crate) rules: Option<Arc<Rules>>,
}

/// The loop's last word on a report.
pub(crate) struct Ended {
    pub(crate) end: ReportEnd,
    /// With `Stored`: the receipt.
    pub(crate) receipt: Option<Vec<u8>>,
}

/// Receives a report. The bound on how many do so at once is the swarm's, and the machine's for those that send.
pub(crate) async fn receive(from: PeerKey, stream: Stream, desk: mpsc::Sender<Received>) {
    if let Err(error) = attempt(from, stream, &desk).await {
        tracing::debug!("a report from {} did not arrive: {error:#}", from.short());
    }
}

async fn attempt(from: PeerKey, stream: Stream, desk: &mpsc::Sender<Received>) -> Result<()> {
    let mut frames = Frames::new(stream, PATIENCE);
    let offer = ReportOffer::decode(&frames.receive().await?)?;
    let header = Signed::<ReportHeader>::open(offer.header.as_slice(), None)?;
    header.signed_by(from)?;
    let ReportHeader { unit, content, length, .. } = *header.value();
    let (run, id) = (header.run(), ReceptionId { from, unit, content });
    let Codec::None = offer.codec;
    if offer.packed != length {
        bail!("{} packed bytes for {length}", offer.packed);
    }
    let (answer, answered) = oneshot::channel();
    desk.send(Received::Header { run, id, length, answer }).await.context("the coordinator has ended")?;
    let Answered { answer, receipt, rules } = answered.await.context("nobody answers for this run")?;
    let reply = match answer {
        HeaderAnswer::Send => ReportReply::Send,
        HeaderAnswer::Have => ReportReply::Have(RecordBytes(receipt.unwrap_or_default())),
        HeaderAnswer::Busy(seconds) => ReportReply::Busy(seconds),
        HeaderAnswer::No(reason) => ReportReply::No(short(&reason)),
    };
    let sent = frames.send(&reply.encode()?).await;
    let (ReportReply::Send, Some(rules)) = (&reply, rules) else {
        sent?;
        return Ok(frames.close().await?);
    };
    let body = match sent {
        Ok(()) => timeout(PATIENCE_IN_ALL, frames.receive_all(length))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
        Err(error) => Err(error),
    };
    let body = match body {
        Ok(body) => body,
        Err(error) => {
            desk.send(Received::Failed { run, id }).await.context("the coordinator has ended")?;
            return Err(error.into());
        }
    };
    // Hashing and checking a large report takes a while: not on the threads that serve the network.
    let (verdict, body) = tokio::task::spawn_blocking(move || {
        let verdict = if rules.hash(unit, &body) == content {
            rules.check(unit, &body).map(|_| ())
        } else {
            Err("its content is not what its header says".to_owned())
        };
        (verdict, body)
    })
    .await?;
    let report = Report { statement: header.bytes().to_vec(), body };
    let (end, ended) = oneshot::channel();
    desk.send(Received::Checked { run, id, verdict, report, end })
        .await
        .context("the coordinator has ended")?;
    let Ended { end, receipt } = ended.await.context("nobody answers for this run")?;
    let ack = match end {
        ReportEnd::Stored => ReportAck::Stored(RecordBytes(receipt.unwrap_or_default())),
        ReportEnd::Kept => ReportAck::Kept,
        ReportEnd::Busy(seconds) => ReportAck::Busy(seconds),
        ReportEnd::No(reason) => ReportAck::No(short(&reason)),
    };
    frames.send(&ack.encode()?).await?;
    Ok(frames.close().await?)
}

/// A reason has at most 512 bytes on the wire.
fn short(reason: &str) -> String {
    reason.chars().take(120).collect()
}
