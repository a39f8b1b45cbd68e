//! An exchange of records with a neighbour, turn by turn.

use protocol::lease::LeaseRecords;
use protocol::{Ask, ExchangeRequest, RunId, Told};

/// Turns that are taken in a row; the next exchange goes on.
const TURNS_MAX: u32 = 256;

/// A question that is asked, and how many came before it.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    pub(crate) request: ExchangeRequest,
    count: u32,
}

impl Turn {
    /// The first turn.
    pub(crate) fn first(run: RunId, records: &LeaseRecords) -> Self {
        Self { request: ExchangeRequest { run, ask: records.ask(salt()) }, count: 0 }
    }

    /// The next one, when the answer was taken up, and had news; `None`: the exchange is through.
    pub(crate) fn next(&self, records: &LeaseRecords, told: &Told, news: bool) -> Option<Self> {
        let count = self.count.checked_add(1).filter(|count| *count < TURNS_MAX)?;
        let ask: Ask = records.next_ask(&self.request.ask, told, news, salt())?;
        Some(Self { request: ExchangeRequest { run: self.request.run, ask }, count })
    }
}

/// Without randomness two sets may seem equal by the same chance twice: no reason not to work.
fn salt() -> [u8; 32] {
    let mut salt = [0; 32];
    if let Err(error) = getrandom::fill(&mut salt) {
        tracing::debug!("no randomness for an exchange: {error}");
    }
    salt
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::lease::Units;
    use protocol::{PeerKey, Records};
    use std::sync::Arc;

    #[test]
    fn turns_end_and_go_forward() {
        let units = Arc::new(Units::new(&[1], 1).unwrap());
        let records = LeaseRecords::new(units, PeerKey::from_bytes([1; 32]));
        let told = |next| Told::Records(Records { records: Vec::new(), next });
        let mut turn = Turn::first(RunId::from_bytes([1; 32]), &records);
        assert!(turn.next(&records, &told(None), true).is_none());
        assert!(turn.next(&records, &told(Some(0)), true).is_none(), "the same page again");
        turn = turn.next(&records, &told(Some(5)), true).unwrap();
        assert_eq!(turn.request.ask, Ask::From(5));
        turn.count = TURNS_MAX - 1;
        assert!(turn.next(&records, &told(Some(6)), true).is_none());
    }
}
