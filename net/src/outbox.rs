//! Gossip that nobody could take yet: right after connecting no peer has said what it listens to. Pure; the
//! time is passed in.

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use crate::limits::{OUTBOX_AGE_MAX, OUTBOX_BYTES_MAX, OUTBOX_MESSAGES_MAX};

/// How one attempt to hand a message over ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// It was taken, or can never be: it leaves the outbox.
    Done,
    /// Nobody takes this topic now: the message and all later ones of its topic stay.
    Later,
}

#[derive(Debug)]
struct Waiting {
    topic: String,
    bytes: Vec<u8>,
    since: Instant,
}

/// A bounded queue in the order of arrival. When it is full the oldest message goes: in this network a newer
/// statement replaces an older one more often than the other way round.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

impl Outbox {
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Keeps a message. Answers how many others had to go for it. The same bytes on the same topic are kept
    /// once, with the age of the first.
    pub(crate) fn keep(&mut self, topic: String, bytes: Vec<u8>, now: Instant) -> u64 {
        if self.waiting.iter().any(|one| one.topic == topic && one.bytes == bytes) {
            return 0;
        }
        self.bytes += bytes.len();
        self.waiting.push_back(Waiting { topic, bytes, since: now });
        let mut dropped = 0;
        while self.waiting.len() > OUTBOX_MESSAGES_MAX || self.bytes > OUTBOX_BYTES_MAX {
            self.drop_oldest();
            dropped += 1;
        }
        dropped
    }

    /// Drops what waited too long and answers how many that were.
    pub(crate) fn expire(&mut self, now: Instant) -> u64 {
        let mut dropped = 0;
        while self.waiting.front().is_some_and(|one| now.duration_since(one.since) >= OUTBOX_AGE_MAX) {
            self.drop_oldest();
            dropped += 1;
        }
        dropped
    }

    /// Offers every message, or those of one topic, oldest first. After a [`Attempt::Later`] the rest of that
    /// topic is not offered in this round, so order within a topic stays and a full network is not pressed.
    pub(crate) fn retry(&mut self, only: Option<&str>, mut attempt: impl FnMut(&str, &[u8]) -> Attempt) {
        let mut stuck = BTreeSet::new();
        let mut left = 0;
        self.waiting.retain(|one| {
            let skip = only.is_some_and(|topic| topic != one.topic) || stuck.contains(&one.topic);
            if !skip && attempt(&one.topic, &one.bytes) == Attempt::Done {
                return false;
            }
            if !skip {
                stuck.insert(one.topic.clone());
            }
            left += one.bytes.len();
            true
        });
        self.bytes = left;
    }

    fn drop_oldest(&mut self) {
        if let Some(oldest) = self.waiting.pop_front() {
            self.bytes -= oldest.bytes.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn contents(outbox: &mut Outbox) -> Vec<(String, Vec<u8>)> {
        let mut all = Vec::new();
        outbox.retry(None, |topic, bytes| {
            all.push((topic.to_owned(), bytes.to_vec()));
            Attempt::Done
        });
        all
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let now = Instant::now();
        let mut outbox = Outbox::default();
        let dropped: u64 = (0..300_u32).map(|n| outbox.keep("t".into(), n.to_be_bytes().to_vec(), now)).sum();
        assert_eq!(dropped, 300 - OUTBOX_MESSAGES_MAX as u64);
        let left = contents(&mut outbox);
        assert_eq!(left.len(), OUTBOX_MESSAGES_MAX);
        assert_eq!(left[0].1, 44_u32.to_be_bytes());
        assert!(outbox.is_empty());
    }

    #[test]
    fn the_oldest_goes_when_there_are_too_many_bytes() {
        let now = Instant::now();
        let mut outbox = Outbox::default();
        let mut dropped = 0;
        for n in 0..100 {
            dropped += outbox.keep("t".into(), vec![n; 60 * 1024], now);
        }
        assert_eq!(dropped, 100 - (OUTBOX_BYTES_MAX / (60 * 1024)) as u64);
        assert!(outbox.bytes <= OUTBOX_BYTES_MAX);
    }

    #[test]
    fn what_is_too_old_goes() {
        let start = Instant::now();
        let mut outbox = Outbox::default();
        outbox.keep("t".into(), vec![1], start);
        outbox.keep("t".into(), vec![2], start + Duration::from_secs(5));
        assert_eq!(outbox.expire(start + OUTBOX_AGE_MAX - Duration::from_millis(1)), 0);
        assert_eq!(outbox.expire(start + OUTBOX_AGE_MAX), 1);
        assert_eq!(contents(&mut outbox), [("t".to_owned(), vec![2])]);
    }

    #[test]
    fn the_same_bytes_are_kept_once() {
        let now = Instant::now();
        let mut outbox = Outbox::default();
        outbox.keep("t".into(), vec![1], now);
        outbox.keep("t".into(), vec![1], now);
        outbox.keep("u".into(), vec![1], now);
        assert_eq!(contents(&mut outbox).len(), 2);
    }

    #[test]
    fn a_topic_that_is_stuck_holds_up_no_other_and_keeps_its_order() {
        let now = Instant::now();
        let mut outbox = Outbox::default();
        for (topic, byte) in [("a", 1), ("b", 2), ("a", 3), ("b", 4)] {
            outbox.keep(topic.into(), vec![byte], now);
        }
        let mut offered = Vec::new();
        outbox.retry(None, |topic, bytes| {
            offered.push(bytes[0]);
            if topic == "a" { Attempt::Later } else { Attempt::Done }
        });
        assert_eq!(offered, [1, 2, 4]);
        assert_eq!(outbox.bytes, 2);
        outbox.retry(Some("b"), |_, _| panic!("nothing of this topic is left"));
        assert_eq!(contents(&mut outbox), [("a".to_owned(), vec![1]), ("a".to_owned(), vec![3])]);
    }
}
