//! Comparing two sets of statements and handing over what one side lacks: what to answer and what to ask next.

use std::sync::Arc;

use super::ranges::id;
use super::records::LeaseRecords;
use super::statement::Statement;
use crate::exchange::{Ask, Prints, RangeIds, RecordId, Records, Told};
use crate::limits::{EXCHANGE_IDS, RECORDS};

/// A peer that has fewer statements than this asks for everything: comparing costs about as much.
const FEW: usize = 64;

impl LeaseRecords {
    /// The first question of an exchange. The salt is random, and another one every time.
    #[must_use]
    pub fn ask(&self, salt: [u8; 32]) -> Ask {
        if self.len() < FEW { Ask::From(0) } else { self.compare(salt) }
    }

    fn compare(&self, salt: [u8; 32]) -> Ask {
        let prints = self.sums().iter().flat_map(|sum| sum.print(&salt)).collect();
        Ask::Compare(Prints { salt, prints })
    }

    /// The answer to a question of another peer's.
    #[must_use]
    pub fn tell(&self, ask: &Ask) -> Told {
        match ask {
            Ask::From(place) => Told::Records(self.page(*place)),
            Ask::Compare(prints) => Told::Ids(self.differing(prints)),
            Ask::Fetch(wanted) => Told::Records(self.fetched(wanted)),
        }
    }

    /// What to ask next, when the answer to a question was taken up; `None`: the exchange is through. `news`: whether the answer
    /// held anything that was taken up: a peer may name what is older than what is known here, and would be asked for it for ever.
    #[must_use]
    pub fn next_ask(&self, asked: &Ask, told: &Told, news: bool, salt: [u8; 32]) -> Option<Ask> {
        match (asked, told) {
            (Ask::From(before), Told::Records(records)) => {
                records.next.filter(|next| next > before).map(Ask::From)
            }
            (Ask::Compare(_), Told::Ids(theirs)) => self.lacking(theirs, &salt),
            // There were more than one answer holds, perhaps: what differs still is seen by comparing again.
            (Ask::Fetch(wanted), Told::Records(records)) => {
                let asked_for: usize = wanted.iter().map(RangeIds::len).sum();
                let more = asked_for >= RECORDS || records.records.len() < asked_for;
                (more && news).then(|| self.compare(salt))
            }
            _ => None,
        }
    }

    /// The names of statements in ranges that differ, as many as an answer holds. The ranges are gone through from one that
    /// the salt chooses, so that each has its turn when there are too many.
    fn differing(&self, theirs: &Prints) -> Vec<RangeIds> {
        let mut all = Vec::new();
        let mut left = EXCHANGE_IDS;
        let prints = theirs.prints.as_chunks::<4>().0;
        let ranges: Vec<_> = self.sums().iter().zip(prints).enumerate().collect();
        for (range, (sum, print)) in turned(&ranges, &theirs.salt) {
            if left == 0 {
                break;
            }
            if sum.print(&theirs.salt) == **print {
                continue;
            }
            let mut ids = RangeIds::new(*range as u32);
            self.in_range(*range).take(left).for_each(|statement| ids.push(id(statement)));
            left -= ids.len();
            if !ids.is_empty() {
                all.push(ids);
            }
        }
        all.sort_unstable_by_key(|ids| ids.range);
        all
    }

    /// What of these isn't here: asked for by name, or, when that is most of very many, everything in order from the first on.
    fn lacking(&self, theirs: &[RangeIds], salt: &[u8; 32]) -> Option<Ask> {
        let mut wanted: Vec<RangeIds> = Vec::new();
        let (mut all, mut lacking, mut named) = (0, 0, 0);
        let mut first = u32::MAX;
        let mut mine: Vec<RecordId> = Vec::new();
        for ids in turned(theirs, salt) {
            mine.clear();
            mine.extend(self.in_range(ids.range as usize).map(|it| id(it)));
            mine.sort_unstable();
            let mut missing = RangeIds::new(ids.range);
            for record in ids.iter() {
                all += 1;
                if mine.binary_search(&record).is_ok() {
                    continue;
                }
                lacking += 1;
                first = first.min(ids.range);
                if named < RECORDS {
                    named += 1;
                    missing.push(record);
                }
            }
            if !missing.is_empty() {
                wanted.push(missing);
            }
        }
        wanted.sort_unstable_by_key(|ids| ids.range);
        match lacking > RECORDS && lacking > all / 2 {
            _ if lacking == 0 => None,
            true => Some(Ask::From(self.first_place(first as usize))),
            false => Some(Ask::Fetch(wanted)),
        }
    }

    /// The statements with these names, as many as an answer holds.
    fn fetched(&self, wanted: &[RangeIds]) -> Records {
        let mut found = Records::default();
        let mut left = Records::ROOM;
        let mut names: Vec<RecordId> = Vec::new();
        for ids in wanted {
            names.clear();
            names.extend(ids.iter());
            names.sort_unstable();
            let named = |it: &&Arc<Statement>| names.binary_search(&id(it)).is_ok();
            for statement in self.in_range(ids.range as usize).filter(named) {
                if !found.add(&mut left, statement.bytes()) {
                    return found;
                }
            }
        }
        found
    }

    /// A page of all statements in order, from a place on: see [`LeaseRecords::at_place`]. A place that is longer than a
    /// page is cut; comparing finds the rest.
    fn page(&self, from: u32) -> Records {
        let mut page = Records::default();
        let mut left = Records::ROOM;
        for place in from..self.places() {
            let (statements, bytes) = self
                .at_place(place)
                .fold((0, 0), |(count, bytes), statement| (count + 1, bytes + statement.bytes().len()));
            let fits = bytes <= left && page.records.len() + statements <= RECORDS;
            if !fits && !page.records.is_empty() {
                page.next = Some(place);
                return page;
            }
            for statement in self.at_place(place) {
                if !page.add(&mut left, statement.bytes()) {
                    break;
                }
            }
        }
        page
    }
}

/// All of them in order, beginning somewhere.
fn turned<'a, T>(all: &'a [T], salt: &[u8; 32]) -> impl Iterator<Item = &'a T> {
    let first = u16::from_le_bytes([salt[0], salt[1]]);
    let (before, from) = all.split_at(usize::from(first).checked_rem(all.len()).unwrap_or(0));
    from.iter().chain(before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::PeerKey;
    use crate::lease::{Outcome, Says, Units};
    use crate::records::{Claim, Delegation, Finished, Heartbeat, Release};
    use proptest::prelude::*;

    fn peer(number: u64) -> PeerKey {
        PeerKey::from_bytes(*blake3::hash(&number.to_le_bytes()).as_bytes())
    }

    fn seal(signer: PeerKey, says: Says) -> Arc<Statement> {
        let bytes = format!("{signer} {says:?}").into_bytes();
        Arc::new(Statement::new(signer, says, bytes.into()))
    }

    fn empty(units: usize) -> LeaseRecords {
        LeaseRecords::new(Arc::new(Units::new(&vec![1; units], 1).unwrap()), peer(0))
    }

    /// A claim of every unit and a finished by somebody else, heartbeats, a delegation.
    fn full(units: usize) -> LeaseRecords {
        let mut records = empty(units);
        let delegation = Delegation { coordinator: peer(1), addresses: Vec::new(), number: 1 };
        records.merge(&seal(peer(0), Says::Delegation(delegation)));
        for index in records.units().clone().indices() {
            let signer = peer(index.get() as u64);
            let other = peer(100_000 + index.get() as u64);
            let (unit, counter) = (records.units().unit(index), 5);
            records.merge(&seal(signer, Says::Claim(Claim { unit, epoch: 0, counter })));
            records.merge(&seal(other, Says::Finished(Finished { unit, epoch: 0, counter, generation: 0 })));
            records.merge(&seal(signer, Says::Heartbeat(Heartbeat { counter: 7 })));
        }
        records
    }

    /// Exchanges, one way; says how many questions it took and how many records travelled.
    fn pull(from: &LeaseRecords, to: &mut LeaseRecords) -> (usize, usize) {
        let (mut ask, mut turns, mut travelled) = (Some(to.ask([99; 32])), 0_u8, 0);
        while let Some(asked) = ask {
            turns += 1;
            let request =
                crate::ExchangeRequest { run: crate::RunId::from_bytes([1; 32]), ask: asked.clone() };
            crate::Request::Exchange(request).encode().unwrap();
            let told = from.tell(&asked);
            crate::Answer::Exchange(told.clone()).encode().unwrap();
            let mut news = false;
            if let Told::Records(records) = &told {
                travelled += records.records.len();
                let all: Vec<_> = from.statements().cloned().collect();
                for record in &records.records {
                    let known = all.iter().find(|it| it.bytes()[..] == *record.as_slice()).unwrap();
                    news |= matches!(to.merge(known), Outcome::Applied(_));
                }
            }
            ask = to.next_ask(&asked, &told, news, [turns; 32]);
        }
        (turns.into(), travelled)
    }

    #[test]
    fn a_newcomer_gets_everything_in_order() {
        let from = full(2_000);
        let mut to = empty(2_000);
        let (_, travelled) = pull(&from, &mut to);
        assert_eq!(travelled, from.len(), "each once");
        assert!(to.sums() == from.sums());
    }

    #[test]
    fn what_differs_travels_and_nothing_else() {
        let from = full(2_000);
        let mut to = from.clone();
        let mut newer = from.clone();
        let unit = from.units().unit(from.units().indices().nth(77).unwrap());
        newer.merge(&seal(peer(5_000), Says::Claim(Claim { unit, epoch: 1, counter: 9 })));
        newer.merge(&seal(peer(9), Says::Heartbeat(Heartbeat { counter: 99 })));
        let Ask::Compare(prints) = to.ask([3; 32]) else { panic!("it has many") };
        let Told::Ids(ids) = newer.tell(&Ask::Compare(prints)) else { panic!() };
        assert_eq!(ids.len(), 2, "two ranges differ: {ids:?}");
        assert_eq!(pull(&newer, &mut to), (2, 2));
        assert!(to.sums() == newer.sums());
        let again = to.ask([4; 32]);
        assert_eq!(newer.tell(&again), Told::Ids(Vec::new()));
        assert_eq!(to.next_ask(&again, &newer.tell(&again), false, [5; 32]), None);
    }

    #[test]
    fn one_who_slept_through_most_gets_everything_or_what_it_lacks() {
        let from = full(4_000);
        // Half of it: fetched by name, in several answers.
        let mut to = empty(4_000);
        let half: Vec<_> = from.statements().step_by(2).cloned().collect();
        for statement in &half {
            to.merge(statement);
        }
        let (_, travelled) = pull(&from, &mut to);
        assert!(to.sums() == from.sums());
        assert_eq!(travelled, from.len() - half.len());
        // Nearly nothing: in order.
        let mut to = empty(4_000);
        for statement in from.statements().step_by(50) {
            to.merge(statement);
        }
        let (_, travelled) = pull(&from, &mut to);
        assert!(to.sums() == from.sums());
        assert!(travelled <= from.len(), "{travelled}");
    }

    #[test]
    fn answers_that_make_no_sense_end_an_exchange() {
        let records = full(100);
        let ids = |range, byte| Told::Ids(vec![RangeIds { range, ids: vec![byte; 8] }]);
        let compare = records.ask([0; 32]);
        // It asks once for a record that nobody has, and gives up.
        let ask = records.next_ask(&compare, &ids(u32::MAX, 9), false, [1; 32]).unwrap();
        assert_eq!(records.tell(&ask), Told::Records(Records::default()));
        assert_eq!(records.next_ask(&ask, &records.tell(&ask), false, [1; 32]), None);
        assert_eq!(records.next_ask(&Ask::From(3), &ids(0, 1), false, [1; 32]), None);
        let backwards = Told::Records(Records { records: Vec::new(), next: Some(3) });
        assert_eq!(records.next_ask(&Ask::From(3), &backwards, true, [1; 32]), None);
        let odd = Prints { salt: [0; 32], prints: Vec::new() };
        assert_eq!(records.tell(&Ask::Compare(odd)), Told::Ids(Vec::new()));
    }

    /// Statements that supersede each other: few signers, units and counters.
    fn statements() -> impl Strategy<Value = Vec<Arc<Statement>>> {
        let one = (0..60_u32, 0..6_u64, 0..4_u64, 0..3_u32, 0..8_u8);
        prop::collection::vec(one, 0..400).prop_map(|all| {
            let said = all.into_iter().map(|(path, signer, counter, epoch, kind)| {
                let unit = crate::Unit::new(path, 0);
                let says = match kind {
                    0..=3 => Says::Claim(Claim { unit, epoch, counter }),
                    4 | 5 => Says::Finished(Finished { unit, epoch, counter, generation: epoch }),
                    6 => Says::Release(Release { unit, epoch, counter }),
                    _ => Says::Heartbeat(Heartbeat { counter }),
                };
                seal(peer(signer), says)
            });
            said.collect()
        })
    }

    fn merged(all: &[Arc<Statement>]) -> LeaseRecords {
        let mut records = full(60);
        for statement in all {
            records.merge(statement);
        }
        records
    }

    /// The sums of what is kept, made anew.
    fn summed(records: &LeaseRecords) -> Vec<super::super::ranges::Sum> {
        let sum = |range| {
            let mut sum = super::super::ranges::Sum::default();
            records.in_range(range).for_each(|statement| sum.add(statement));
            sum
        };
        (0..records.ranges().count()).map(sum).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever supersedes what, sums are those of what is kept, and after an exchange both ways nothing differs.
        #[test]
        fn comparing_makes_equal(a in statements(), b in statements()) {
            let (mut ra, mut rb) = (merged(&a), merged(&b));
            prop_assert!(matches!(ra.ask([0; 32]), Ask::Compare(_)), "there is enough to compare");
            prop_assert!(summed(&ra) == ra.sums());
            pull(&ra, &mut rb);
            pull(&rb, &mut ra);
            prop_assert!(ra.sums() == rb.sums());
            prop_assert!(summed(&rb) == rb.sums());
            prop_assert_eq!(ra.statements().count(), rb.statements().count());
        }
    }

    #[test]
    fn what_was_dropped_is_in_no_sum() {
        let mut records = empty(1);
        for number in 0..crate::lease::MAX_HEARTBEATS as u64 + 50 {
            records.merge(&seal(peer(number), Says::Heartbeat(Heartbeat { counter: 1 })));
        }
        for number in 1..40 {
            let delegation = Delegation { coordinator: peer(1), addresses: Vec::new(), number };
            records.merge(&seal(peer(0), Says::Delegation(delegation)));
        }
        assert_eq!(records.len(), crate::lease::MAX_HEARTBEATS + crate::lease::MAX_DELEGATIONS);
        assert!(summed(&records) == records.sums());
    }

    #[test]
    fn one_who_has_only_older_things_is_asked_once() {
        let to = full(4_000);
        let mut old = empty(4_000);
        for index in old.units().clone().indices() {
            let unit = old.units().unit(index);
            let claim = Claim { unit, epoch: 0, counter: 1 };
            old.merge(&seal(peer(index.get() as u64), Says::Claim(claim)));
        }
        let mut newer = to.clone();
        let (turns, travelled) = pull(&old, &mut newer);
        assert!(newer.sums() == to.sums(), "nothing of it is news");
        assert!(travelled <= old.len(), "{turns} questions, {travelled} records");
        // The same where it is few among many that both have.
        let mut mixed = to.clone();
        mixed.merge(&seal(peer(9_999), Says::Heartbeat(Heartbeat { counter: 1 })));
        let mut newer = to.clone();
        for counter in 2..4 {
            newer.merge(&seal(peer(9_999), Says::Heartbeat(Heartbeat { counter })));
        }
        assert_eq!(pull(&mixed, &mut newer), (2, 1));
    }

    #[test]
    fn one_who_was_cut_off_goes_on_where_it_was() {
        let from = full(4_000);
        let mut to = empty(4_000);
        for statement in from.statements().take(9_000) {
            to.merge(statement);
        }
        let asked = to.ask([0; 32]);
        let Some(Ask::From(place)) = to.next_ask(&asked, &from.tell(&asked), false, [0; 32]) else {
            panic!()
        };
        assert!(place > 257, "not from the first on: {place}");
    }
}
