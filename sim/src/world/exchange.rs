//! Exchanges of tables: the turns of two real tables, one after the other at the same moment.

use std::sync::Arc;

use protocol::lease::{Statement, delegations_first};
use protocol::volunteer::VolunteerEvent;
use protocol::{Ask, RangeIds, RecordBytes, Told};

use super::{COORDINATOR, World};

/// Turns in a row at most, as between real peers.
const TURNS: usize = 256;
/// What a message has beside its content, about.
const HEAD: usize = 48;

impl World {
    /// A machine takes over what another one knows and it doesn't.
    pub(super) fn exchange(&mut self, number: usize, life: u32, with: usize) {
        if self.life(number) != life || !self.reach(number, with) || self.link.loses() {
            return;
        }
        self.measure.exchanges.0 += 1;
        let salt = self.link.salt();
        let mut ask = self.machines.get(number).and_then(|it| it.table()).map(|it| it.records().ask(salt));
        for _ in 0..TURNS {
            let Some(asked) = ask else { break };
            let Some(answers) = self.machines.get(with).and_then(|it| it.table()) else { break };
            let told = answers.records().tell(&asked);
            self.measure.exchanges.1 += (size_of_ask(&asked) + size_of_told(&told)) as u64;
            let before = self.measure.applied;
            for statement in self.told(&told) {
                self.deliver(number, &statement);
            }
            let news = self.measure.applied > before;
            let salt = self.link.salt();
            let table = self.machines.get(number).and_then(|it| it.table());
            ask = table.and_then(|it| it.records().next_ask(&asked, &told, news, salt));
        }
        if number != COORDINATOR
            && let Some(key) = self.machines.get(with).map(|machine| machine.key)
        {
            self.volunteer(number, VolunteerEvent::Synced(key));
        }
    }

    /// The statements of an answer: opened without checking signatures again, by looking up who said these bytes.
    fn told(&self, told: &Told) -> Vec<Arc<Statement>> {
        let Told::Records(records) = told else { return Vec::new() };
        let said = |bytes: &RecordBytes| self.said.get(blake3::hash(bytes.as_slice()).as_bytes()).cloned();
        let mut statements: Vec<Arc<Statement>> = records.records.iter().filter_map(said).collect();
        delegations_first(&mut statements);
        statements
    }
}

fn size_of_ask(ask: &Ask) -> usize {
    HEAD + match ask {
        Ask::From(_) => 0,
        Ask::Compare(prints) => prints.salt.len() + prints.prints.len(),
        Ask::Fetch(ids) => size_of_ids(ids),
    }
}

fn size_of_told(told: &Told) -> usize {
    HEAD + match told {
        Told::Records(records) => records.records.iter().map(|record| record.as_slice().len() + 3).sum(),
        Told::Ids(ids) => size_of_ids(ids),
    }
}

fn size_of_ids(ids: &[RangeIds]) -> usize {
    ids.iter().map(|ids| 8 + ids.ids.len()).sum()
}
