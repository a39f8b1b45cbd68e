//! What happens in a run, as a table of `scenarios.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::fault::Fault;

/// The scenarios that come with the program.
const SCENARIOS: &str = include_str!("../scenarios.toml");

/// A scenario. What is not said is calm.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// In a sentence, for people.
    pub about: String,
    /// What a unit takes on a machine of speed 1, in seconds.
    pub training_s: f64,
    /// How many times as fast the fastest machine is as the slowest.
    pub speeds: f64,
    /// The shortest and the longest latency of a message, in milliseconds.
    pub latency_ms: [u64; 2],
    /// Of so many messages in 1,000 the latency is up to fifty times that.
    pub tail_per_mille: u64,
    /// The share of messages that are lost, 0 to 1.
    pub loss: f64,
    /// The share of all volunteers that is replaced within an hour.
    pub churn_per_hour: f64,
    /// Many come at once.
    pub flash: Option<Flash>,
    /// The network falls in two, and heals.
    pub partition: Option<Partition>,
    /// Clocks are wrong by up to so many seconds, either way.
    pub skew_s: u64,
    /// Machines that are far slower than the others.
    pub stragglers: Option<Stragglers>,
    /// Machines that sleep now and then.
    pub sleepers: Option<Sleepers>,
    /// The share of volunteers that claim and never deliver, 0 to 1.
    pub squatters: f64,
    /// The coordinator is away, and comes back with its store.
    pub away: Option<Away>,
    /// What goes wrong at given moments.
    pub faults: Vec<Fault>,
    /// How long a lease lasts at least, in seconds.
    pub lease_s: f64,
    /// How often time passes for the decisions, in milliseconds.
    pub tick_ms: u64,
    /// What a small run (as in the tests) must keep to.
    pub bounds: Bounds,
}

/// Many volunteers come at once.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flash {
    /// When, in seconds from the start.
    pub at_s: u64,
    /// Which share of all, 0 to 1. The others are there from the start.
    pub share: f64,
}

/// The network falls in two.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// When, in seconds from the start.
    pub at_s: u64,
    /// For how long.
    pub for_s: u64,
    /// Which share of the volunteers is cut off from the coordinator and the others, 0 to 1.
    pub share: f64,
}

/// Machines that are far slower.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stragglers {
    /// Which share, 0 to 1.
    pub share: f64,
    /// How many times slower.
    pub factor: f64,
}

/// Machines that sleep.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sleepers {
    /// Which share, 0 to 1.
    pub share: f64,
    /// How long they are awake, on average, in seconds.
    pub every_s: u64,
    /// How long they sleep, on average, in seconds.
    pub for_s: u64,
}

/// The coordinator is away.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Away {
    /// When, in seconds from the start.
    pub at_s: u64,
    /// For how long.
    pub for_s: u64,
}

/// What is recorded of a scenario, and compared by the tests.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// Trainings that were not the first of their unit, as a share of the units.
    pub duplicated: f64,
    /// The time until every report was there, in times of the ideal.
    pub stretch: f64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { duplicated: 0.02, stretch: 1.25 }
    }
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            about: String::new(),
            training_s: 60.0,
            speeds: 4.0,
            latency_ms: [20, 200],
            tail_per_mille: 10,
            loss: 0.0,
            churn_per_hour: 0.0,
            flash: None,
            partition: None,
            skew_s: 0,
            stragglers: None,
            sleepers: None,
            squatters: 0.0,
            away: None,
            faults: Vec::new(),
            lease_s: 20.0,
            tick_ms: 500,
            bounds: Bounds::default(),
        }
    }
}

/// Scenarios can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScenarioError(String);

impl Scenario {
    /// The scenarios of a TOML text, by name.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(text: &str) -> Result<BTreeMap<String, Self>, ScenarioError> {
        let scenarios: BTreeMap<String, Self> =
            toml::from_str(text).map_err(|error| ScenarioError(error.to_string()))?;
        for (name, scenario) in &scenarios {
            scenario.check().map_err(|reason| ScenarioError(format!("scenario {name}: {reason}")))?;
        }
        Ok(scenarios)
    }

    /// Those that come with the program.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn known() -> Result<BTreeMap<String, Self>, ScenarioError> {
        Self::parse(SCENARIOS)
    }

    fn check(&self) -> Result<(), String> {
        let share = |name: &str, value: f64| match (0.0..=1.0).contains(&value) {
            true => Ok(()),
            false => Err(format!("`{name}` is {value}, not from 0 to 1")),
        };
        share("loss", self.loss)?;
        share("squatters", self.squatters)?;
        for (name, value) in [
            ("flash.share", self.flash.map(|it| it.share)),
            ("partition.share", self.partition.map(|it| it.share)),
            ("stragglers.share", self.stragglers.map(|it| it.share)),
            ("sleepers.share", self.sleepers.map(|it| it.share)),
        ] {
            value.map_or(Ok(()), |value| share(name, value))?;
        }
        self.faults.iter().try_for_each(Fault::check)?;
        let well = self.training_s > 0.0
            && self.lease_s > 0.0
            && self.tick_ms > 0
            && self.speeds >= 1.0
            && self.latency_ms[0] <= self.latency_ms[1]
            && self.churn_per_hour >= 0.0
            && self.stragglers.is_none_or(|it| it.factor >= 1.0);
        match well {
            true => Ok(()),
            false => {
                Err("times are above 0, speeds and factors 1 or more, the shortest latency comes first"
                    .into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scenarios_that_come_with_the_program_are_well() {
        let known = Scenario::known().unwrap();
        for name in
            ["calm", "loss-20", "loss-50", "tails", "churn", "flash", "partition", "skew", "stragglers"]
        {
            assert!(known.contains_key(name), "{name}");
        }
        assert!(known.values().all(|scenario| !scenario.about.is_empty()));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error = |text: &str| Scenario::parse(text).unwrap_err().to_string();
        assert!(error("[x]\nloss = 1.5").contains("scenario x: `loss` is 1.5"));
        assert!(error("[x]\nlos = 0.5").contains("los"));
        assert!(error("[x]\nspeeds = 0.5").contains("speeds"));
    }
}
