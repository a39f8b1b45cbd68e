//! Where a command's time and memory went (`--timings`): one line of JSON, the last on standard error.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

/// Seconds by phase, in the order in which the phases came up, and what else is worth knowing.
pub(crate) struct Timings {
    start: Instant,
    phases: Vec<(&'static str, Duration)>,
    facts: Map<String, Value>,
}

impl Timings {
    /// The clock runs from here.
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), phases: Vec::new(), facts: Map::new() }
    }

    /// Since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// Counts what `work` takes to `phase`.
    pub(crate) fn time<T>(&mut self, phase: &'static str, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.add(phase, start.elapsed());
        result
    }

    /// Counts a time to `phase`.
    pub(crate) fn add(&mut self, phase: &'static str, time: Duration) {
        match self.phases.iter_mut().find(|(name, _)| *name == phase) {
            Some((_, sum)) => *sum += time,
            None => self.phases.push((phase, time)),
        }
    }

    /// Notes the highest memory of the process so far, under `name`, in bytes; null where the system doesn't tell.
    pub(crate) fn note_peak_memory(&mut self, name: &str) {
        self.note(name, peak_memory());
    }

    /// Notes a figure.
    pub(crate) fn note(&mut self, name: &str, value: impl Into<Value>) {
        self.facts.insert(name.to_owned(), value.into());
    }

    /// The line: the notes, and `seconds` by phase with `whole` at the end.
    pub(crate) fn line(&self) -> String {
        let mut seconds: Map<String, Value> =
            self.phases.iter().map(|(name, time)| ((*name).to_owned(), json!(time.as_secs_f64()))).collect();
        seconds.insert("whole".into(), json!(self.elapsed().as_secs_f64()));
        let mut line = self.facts.clone();
        line.insert("seconds".into(), Value::Object(seconds));
        Value::Object(line).to_string()
    }
}

/// The process's highest resident memory so far, in bytes, where there is a /proc that says so.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    peak_memory_in(&status)
}

fn peak_memory_in(status: &str) -> Option<u64> {
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix("kB")?;
    kib.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_every_phase_once() {
        let mut timings = Timings::start();
        timings.add("reading", Duration::from_millis(250));
        assert_eq!(timings.time("training", || 7), 7);
        timings.add("reading", Duration::from_millis(500));
        timings.note("threads", 2);
        let line: Value = serde_json::from_str(&timings.line()).unwrap();
        assert_eq!(line["threads"], 2);
        assert_eq!(line["seconds"]["reading"], 0.75);
        let names: Vec<&String> = line["seconds"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["reading", "training", "whole"]);
    }

    #[test]
    fn peak_memory_is_read_from_the_status_of_a_process() {
        assert_eq!(peak_memory_in("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 1024 kB\n"), Some(2 << 20));
        assert_eq!(peak_memory_in("Name:\tx\n"), None);
        assert_eq!(peak_memory_in("VmHWM:\t18446744073709551615 kB\n"), None);
    }
}
