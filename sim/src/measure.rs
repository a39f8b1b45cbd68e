//! What a run was like.

use std::fmt;
use std::time::Duration;

/// The figures of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measure {
    /// Volunteers that were there at some time.
    pub peers: usize,
    /// Units of the run.
    pub units: usize,
    /// When the coordinator had every report, in simulated milliseconds; `None`: never.
    pub whole_at_ms: Option<u64>,
    /// What a schedule that knows everything takes.
    pub ideal_ms: u64,
    /// When the simulation ended.
    pub over_at_ms: u64,
    /// Trainings that came to an end.
    pub trained: usize,
    /// Of these, the ones that weren't the first of their unit.
    pub duplicated: usize,
    /// Trainings that were given up.
    pub abandoned: usize,
    /// Reports that travelled to the coordinator.
    pub sent: usize,
    /// Units of which the coordinator has no report at the end.
    pub lost: usize,
    /// Heartbeats said, and their bytes.
    pub heartbeats: (u64, u64),
    /// Claims, releases, finished and the coordinator's words, and their bytes.
    pub words: (u64, u64),
    /// Exchanges of tables, and the bytes that travelled in them.
    pub exchanges: (u64, u64),
    /// Statements that reached a peer.
    pub delivered: u64,
    /// Of these, the ones that its table took up.
    pub applied: u64,
    /// And the ones that it had already.
    pub known: u64,
}

impl Measure {
    /// The time until every report was there, in times of the ideal.
    #[must_use]
    pub fn stretch(&self) -> f64 {
        self.whole_at_ms.map_or(f64::INFINITY, |whole| whole as f64 / self.ideal_ms.max(1) as f64)
    }

    /// Duplicated work as a share of the units.
    #[must_use]
    pub fn duplicated_share(&self) -> f64 {
        self.duplicated as f64 / self.units.max(1) as f64
    }

    /// Bytes of heartbeats that a peer hears per second, each counted once.
    #[must_use]
    pub fn heartbeat_rate(&self) -> f64 {
        self.heartbeats.1 as f64 * 1_000.0 / self.over_at_ms.max(1) as f64
    }

    /// Bytes of claims, releases, finished and words per unit: every peer hears them.
    #[must_use]
    pub fn bytes_per_unit(&self) -> f64 {
        self.words.1 as f64 / self.units.max(1) as f64
    }

    /// Statements that reach a peer per second, by gossip and in exchanges.
    #[must_use]
    pub fn messages_per_second(&self) -> f64 {
        self.delivered as f64 * 1_000.0 / (self.over_at_ms.max(1) as f64 * self.peers.max(1) as f64)
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = |ms: u64| Duration::from_millis(ms).as_secs_f64();
        let whole = self.whole_at_ms.map_or("never".to_owned(), |ms| format!("{:.1} s", seconds(ms)));
        writeln!(f, "volunteers            {}", self.peers)?;
        writeln!(f, "units                 {}, {} lost", self.units, self.lost)?;
        writeln!(
            f,
            "every report there    {whole}, ideal {:.1} s: a factor of {:.2}",
            seconds(self.ideal_ms),
            self.stretch()
        )?;
        writeln!(
            f,
            "trained               {}, {} of them again ({:.1} %), {} given up",
            self.trained,
            self.duplicated,
            100.0 * self.duplicated_share(),
            self.abandoned
        )?;
        writeln!(
            f,
            "heartbeats            {} said, {:.0} bytes a second to each peer",
            self.heartbeats.0,
            self.heartbeat_rate()
        )?;
        writeln!(
            f,
            "words                 {} said, {:.0} bytes per unit to each peer",
            self.words.0,
            self.bytes_per_unit()
        )?;
        writeln!(f, "exchanges             {}, {} bytes", self.exchanges.0, self.exchanges.1)?;
        write!(
            f,
            "messages              {:.1} a second to each peer, {:.1} % of them known already",
            self.messages_per_second(),
            100.0 * self.known as f64 / self.delivered.max(1) as f64
        )
    }
}
