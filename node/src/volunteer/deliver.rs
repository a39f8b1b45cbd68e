//! Delivering a report: connect, offer, send, wait for the coordinator's word.

use std::time::Duration;

use anyhow::{Context, Result};
use net::{Multiaddr, Net};
use protocol::{Codec, OfferAnswer, PeerKey, RecordBytes, ReportAck, ReportOffer, ReportReply};

use crate::frames::Frames;
use crate::report_folder::StoredReport;

/// How long a coordinator may take for one frame; checking and storing a large report takes a while.
const PATIENCE: Duration = Duration::from_secs(120);

/// What came of an offer: the machine's answer, and the coordinator's receipt where it sent one.
#[derive(Debug)]
pub(crate) struct Delivered {
    pub(crate) answer: OfferAnswer,
    pub(crate) receipt: Option<Vec<u8>>,
}

/// Offers a report to the coordinator. Whatever goes wrong on the way is [`OfferAnswer::Unreachable`]: it is offered again.
pub(crate) async fn deliver(net: &Net, to: PeerKey, addresses: Vec<Multiaddr>, report: &StoredReport) -> Delivered {
    match attempt(net, to, addresses, report).await {
        Ok(delivered) => delivered,
        Err(error) => {
            tracing::debug!("a report did not reach {}: {error:#}", to.short());
            Delivered { answer: OfferAnswer::Unreachable, receipt: None }
        }
    }
}

async fn attempt(net: &Net, to: PeerKey, addresses: Vec<Multiaddr>, report: &StoredReport) -> Result<Delivered> {
    net.dial_peer(to, addresses).await?;
    let mut frames = Frames::new(net.open_stream(to).await?, PATIENCE);
    let offer = ReportOffer {
        header: RecordBytes(report.statement.clone()),
        codec: Codec::None,
        packed: report.body.len() as u64,
    };
    frames.send(&offer.encode()?).await?;
    let reply = ReportReply::decode(&frames.receive().await?).context("the coordinator's reply")?;
    let answered = |answer| Ok(Delivered { answer, receipt: None });
    match reply {
        ReportReply::Send => {}
        ReportReply::Have(receipt) => {
            return Ok(Delivered { answer: OfferAnswer::Stored, receipt: Some(receipt.0) });
        }
        ReportReply::Busy(seconds) => return answered(OfferAnswer::Busy(wait(seconds))),
        ReportReply::No(reason) => return answered(OfferAnswer::No(reason)),
    }
    frames.send_all(&report.body).await?;
    match ReportAck::decode(&frames.receive().await?).context("the coordinator's word")? {
        ReportAck::Stored(receipt) => Ok(Delivered { answer: OfferAnswer::Stored, receipt: Some(receipt.0) }),
        ReportAck::Kept => answered(OfferAnswer::Kept),
        ReportAck::Busy(seconds) => answered(OfferAnswer::Busy(wait(seconds))),
        ReportAck::No(reason) => answered(OfferAnswer::No(reason)),
    }
}

/// As asked, within reason.
fn wait(seconds: u32) -> Duration {
    Duration::from_secs(u64::from(seconds.clamp(1, 600)))
}
