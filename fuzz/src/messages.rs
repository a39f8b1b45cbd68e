//! What peers say to each other, and gossip.

use protocol::{Answer, GossipRecord, ReportAck, ReportOffer, ReportReply, Request, RunId};

use crate::manifests::signed;

const KINDS: [&str; 9] =
    ["claim", "release", "heartbeat", "finished", "receipt", "reopen", "complete", "delegation", "peer"];

/// A message. The first byte says of which kind: 0 to 4 are those of requests and reports, 5 is gossip, and from 6 on the rest is
/// the payload of gossip with a good signature.
pub fn message(input: &[u8]) {
    let Some((kind, bytes)) = input.split_first() else { return };
    macro_rules! same {
        ($kind:ty) => {
            if let Ok(value) = <$kind>::decode(bytes) {
                assert_eq!(value.encode().as_deref(), Ok(bytes), "there is one form only");
            }
        };
    }
    let run = RunId::from_bytes([0xaa; 32]);
    match kind {
        0 => same!(Request),
        1 => same!(Answer),
        2 => same!(ReportOffer),
        3 => same!(ReportReply),
        4 => same!(ReportAck),
        5 => gossip(bytes, run),
        _ => {
            let kind = KINDS[usize::from(*kind - 6) % KINDS.len()];
            gossip(&signed(bytes, kind, run), run);
        }
    }
}

fn gossip(bytes: &[u8], run: RunId) {
    match GossipRecord::open(bytes, run) {
        Ok(record) => assert_eq!(record.bytes(), bytes),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
