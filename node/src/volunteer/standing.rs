//! How a volunteer stands: the status line of `join`, and the event that goes with it.

use std::sync::Arc;
use std::time::Duration;

use net::{Net, Traffic};
use protocol::lease::Moment;
use protocol::volunteer::Volunteer;
use protocol::{Pace, StageCounts, Windows, time_left};
use serde::{Deserialize, Serialize};
use spec::ShardStore;

use crate::amounts::{digits, time};
use crate::events::{Event, Output};
use crate::terminal::StatusLine;

/// How often the line on a terminal is drawn again.
const DRAWN_EVERY: Duration = Duration::from_secs(1);
/// How often there is an event with `--json`.
const EVENT_EVERY: Duration = Duration::from_secs(10);
/// How often there is a line at most where there is no terminal, and when the first one comes.
const LINE_EVERY: Duration = Duration::from_secs(60);
const FIRST_LINE: Duration = Duration::from_secs(5);

/// A volunteer and its run at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Standing {
    /// Units of the run that the coordinator acknowledged, and all.
    pub(crate) units_done: u64,
    pub(crate) units: u64,
    /// Units in hand here.
    pub(crate) held: u64,
    /// Reports made here that wait for their receipt.
    pub(crate) finished: u64,
    /// Units an hour: of this volunteer, and of all as heard here. `None`: not known yet.
    pub(crate) rate: Option<f64>,
    pub(crate) run_rate: Option<f64>,
    pub(crate) shards_in_memory: u64,
    pub(crate) shards_on_disk: u64,
    /// Megabits a second since the last time.
    pub(crate) mbps_up: f64,
    pub(crate) mbps_down: f64,
    /// Peers that are connected.
    pub(crate) peers: u64,
    /// Until all units are trained. `None`: not known yet.
    pub(crate) eta_seconds: Option<u64>,
}

impl Standing {
    /// As one row, in at most so many characters if that can be.
    pub(crate) fn text(&self, columns: usize) -> String {
        let long = self.long();
        if long.len() <= columns { long } else { self.short() }
    }

    fn long(&self) -> String {
        let waits = match self.finished {
            0 => String::new(),
            1 => ", 1 report waits".into(),
            many => format!(", {many} reports wait"),
        };
        let rates = match (self.rate, self.run_rate) {
            (Some(here), Some(all)) => format!("{} units/h here, {} in all", digits(here), digits(all)),
            (Some(here), None) => format!("{} units/h here", digits(here)),
            (None, Some(all)) => format!("{} units/h in all", digits(all)),
            (None, None) => "no rate yet".into(),
        };
        let parts = [
            format!("{} of {} units done", self.units_done, self.units),
            format!("holds {}{waits}", self.held),
            rates,
            format!("shards: {} in memory, {} on disk", self.shards_in_memory, self.shards_on_disk),
            format!("{} Mbps up, {} down", digits(self.mbps_up), digits(self.mbps_down)),
            format!("{} peer{}", self.peers, if self.peers == 1 { "" } else { "s" }),
            self.left("all trained", "time left not known yet"),
        ];
        parts.join(" | ")
    }

    /// For narrow terminals: what is cut off at the right matters least.
    fn short(&self) -> String {
        let waits = if self.finished == 0 { String::new() } else { format!("+{} waiting", self.finished) };
        let rate = self.rate.map_or("-".into(), digits);
        let parts = [
            format!("{}/{} done", self.units_done, self.units),
            format!("holds {}{waits}", self.held),
            format!("{rate}/h"),
            format!("{}+{} shards", self.shards_in_memory, self.shards_on_disk),
            format!("{}/{} Mbps", digits(self.mbps_up), digits(self.mbps_down)),
            format!("{} peers", self.peers),
            self.left("trained", "ETA ?"),
        ];
        parts.join(", ")
    }

    fn left(&self, none: &str, unknown: &str) -> String {
        match self.eta_seconds {
            Some(0) => none.to_owned(),
            Some(seconds) => format!("{} left", time(Duration::from_secs(seconds))),
            None => unknown.to_owned(),
        }
    }

    /// What makes a line worth printing again.
    fn news(&self) -> (u64, u64, u64, u64, u64) {
        (self.units_done, self.held, self.finished, self.shards_in_memory, self.peers)
    }
}

/// Says how the volunteer stands: in place on a terminal, as events with `--json`, else as a line now and then.
pub(crate) struct Teller {
    output: Output,
    line: Option<StatusLine>,
    every: Duration,
    next: Moment,
    last: Option<Standing>,
    store: Arc<ShardStore>,
    /// Units finished here.
    mine: Windows,
    on_disk: usize,
    /// What had gone through by the last time.
    traffic: Option<(Moment, Traffic)>,
}

impl Teller {
    /// `every`: other than usual, for tests.
    pub(crate) fn start(
        now: Moment,
        output: Output,
        every: Option<Duration>,
        store: Arc<ShardStore>,
    ) -> Self {
        let line = if output.is_text() { StatusLine::start() } else { None };
        let (usual, first) = match (&line, output.is_text()) {
            (Some(_), _) => (DRAWN_EVERY, Duration::ZERO),
            (None, true) => (LINE_EVERY, FIRST_LINE),
            (None, false) => (EVENT_EVERY, EVENT_EVERY),
        };
        let on_disk = store.on_disk().len();
        Self {
            output,
            line,
            every: every.unwrap_or(usual),
            next: now.after(every.unwrap_or(first)),
            last: None,
            store,
            mine: Windows::new(now),
            on_disk,
            traffic: None,
        }
    }

    /// A unit was trained here.
    pub(crate) fn trained(&mut self, now: Moment) {
        self.mine.count(now);
    }

    /// So many shards are on disk.
    pub(crate) fn on_disk(&mut self, shards: usize) {
        self.on_disk = shards;
    }

    /// Says it, if it is time.
    pub(crate) fn tick(&mut self, now: Moment, machine: &Volunteer, pace: &Pace, net: &Net) {
        if now < self.next {
            return;
        }
        let standing = self.standing(now, machine, pace, net);
        if let Some(line) = &self.line {
            line.show(standing.text(line.columns()));
        } else if !self.output.is_text() || self.last.as_ref().is_none_or(|l| l.news() != standing.news()) {
            self.output.show(&Event::Status(standing.clone()));
        } else {
            // Nothing new: the next line comes as soon as there is.
            return;
        }
        self.next = now.after(self.every);
        self.traffic = Some((now, net.traffic()));
        self.last = Some(standing);
    }

    fn standing(&self, now: Moment, machine: &Volunteer, pace: &Pace, net: &Net) -> Standing {
        let counts = StageCounts::from(machine.table().progress());
        let run_rate = pace.recent(now).rate();
        let traffic = net.traffic();
        let (since, before) = self.traffic.unwrap_or((now, traffic));
        let seconds = now.since(since).as_secs_f64().max(0.001);
        let mbps = |now: u64, before: u64| rounded(now.saturating_sub(before) as f64 * 8e-6 / seconds);
        let an_hour = |rate: f64| rounded(rate * 3_600.0);
        Standing {
            units_done: counts.done.into(),
            units: counts.total(),
            held: machine.held() as u64,
            finished: machine.unreceipted() as u64,
            rate: self.mine.recent(now).rate().map(an_hour),
            run_rate: run_rate.map(an_hour),
            shards_in_memory: self.store.in_memory().len() as u64,
            shards_on_disk: self.on_disk as u64,
            mbps_up: mbps(traffic.bytes_sent, before.bytes_sent),
            mbps_down: mbps(traffic.bytes_received, before.bytes_received),
            peers: net.connected().len() as u64,
            eta_seconds: time_left(counts.to_train(), run_rate).map(|left| left.as_secs()),
        }
    }
}

fn rounded(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing() -> Standing {
        Standing {
            units_done: 9,
            units: 20,
            held: 1,
            finished: 0,
            rate: Some(312.4),
            run_rate: Some(1_870.0),
            shards_in_memory: 4,
            shards_on_disk: 6,
            mbps_up: 0.41,
            mbps_down: 1.24,
            peers: 6,
            eta_seconds: Some(125),
        }
    }

    #[test]
    fn a_row_says_how_a_volunteer_stands() {
        assert_eq!(
            standing().text(200),
            "9 of 20 units done | holds 1 | 312 units/h here, 1870 in all | shards: 4 in memory, 6 on disk | \
             0.41 Mbps up, 1.2 down | 6 peers | 2 min 5 s left"
        );
        assert_eq!(
            standing().text(80),
            "9/20 done, holds 1, 312/h, 4+6 shards, 0.41/1.2 Mbps, 6 peers, 2 min 5 s left"
        );
    }

    #[test]
    fn what_is_not_known_is_not_made_up() {
        let new =
            Standing { rate: None, run_rate: None, eta_seconds: None, peers: 1, finished: 2, ..standing() };
        assert_eq!(
            new.text(200),
            "9 of 20 units done | holds 1, 2 reports wait | no rate yet | shards: 4 in memory, 6 on disk | \
             0.41 Mbps up, 1.2 down | 1 peer | time left not known yet"
        );
        assert_eq!(
            new.text(1),
            "9/20 done, holds 1+2 waiting, -/h, 4+6 shards, 0.41/1.2 Mbps, 1 peers, ETA ?"
        );
        assert!(Standing { eta_seconds: Some(0), ..standing() }.text(80).ends_with(", trained"));
    }

    #[test]
    fn the_event_has_all_of_it() {
        let line =
            serde_json::to_string(&Event::Status(Standing { eta_seconds: None, ..standing() })).unwrap();
        assert_eq!(
            line,
            "{\"event\":\"status\",\"units_done\":9,\"units\":20,\"held\":1,\"finished\":0,\"rate\":312.4,\
             \"run_rate\":1870.0,\"shards_in_memory\":4,\"shards_on_disk\":6,\"mbps_up\":0.41,\"mbps_down\":1.24,\
             \"peers\":6,\"eta_seconds\":null}"
        );
        assert!(matches!(serde_json::from_str(&line).unwrap(), Event::Status(_)));
    }
}
