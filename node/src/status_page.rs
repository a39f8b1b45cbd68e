//! A run at a glance, as a page for people and as an object for programs.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use protocol::lease::Stage;
use protocol::{Held, Manifest, PeerKey, PeerStatus, RunStatus, StageCounts};
use serde_json::{Value, json};

use crate::amounts::{digits, handy, time};

/// Leases and peers on a page that is not meant to be endless.
const LISTED: usize = 12;
/// Characters before a path's layers.
const LABEL: usize = 13;

/// How much fits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    /// Characters in a row.
    columns: usize,
    /// Rows for the paths.
    paths: usize,
    /// Leases, and peers.
    listed: usize,
}

impl Size {
    /// Where there is no terminal.
    pub(crate) const PAPER: Self = Self { columns: 120, paths: 100, listed: LISTED };
    /// Nothing is left out.
    pub(crate) const ENDLESS: Self = Self { columns: usize::MAX, paths: usize::MAX, listed: usize::MAX };

    /// A terminal of so many rows and columns. A page may be a little longer than what is seen at once.
    pub(crate) fn of((rows, columns): (usize, usize)) -> Self {
        Self { columns, paths: rows.max(24), listed: LISTED }
    }
}

/// What a peer said of a run.
pub(crate) struct Seen {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) peer: PeerKey,
    pub(crate) status: RunStatus,
}

impl Seen {
    /// The page, without a line break at its end.
    pub(crate) fn page(&self, size: Size) -> String {
        let (body, spec) = (self.manifest.body(), self.manifest.spec());
        let head = format!(
            "{} {}: {} rows, {} paths x {} layers",
            self.status.run.short(),
            self.manifest.title(),
            body.counts.records,
            spec.paths(),
            self.status.layers
        );
        page(&head, self.peer, &self.status, size)
    }

    /// All of it as one object.
    pub(crate) fn json(&self) -> Value {
        let mut object = json!({
            "run": self.status.run.to_string(),
            "name": self.manifest.body().name,
            "operator": self.manifest.operator().to_string(),
            "asked": self.peer.to_string(),
        });
        if let (Value::Object(object), Value::Object(more)) = (&mut object, json_of(&self.status)) {
            object.extend(more);
        }
        object
    }
}

fn page(head: &str, peer: PeerKey, status: &RunStatus, size: Size) -> String {
    let mut out = String::new();
    let mut line = |name: &str, text: &str| {
        // Into a text, which always has room.
        let _ = writeln!(out, "{}", format!("{name:<LABEL$}{text}").trim_end());
    };
    line("run", head);
    let role = if status.coordinator == Some(peer) { ", the coordinator" } else { "" };
    line("seen by", &format!("{}{role}, for {}", peer.short(), time(Duration::from_millis(status.watched))));
    if let Some(coordinator) = status.coordinator.filter(|key| *key != peer) {
        line("coordinator", &coordinator.short());
    }
    line("units", &counted(&status.counts));
    let (speed, best) = speeds(status);
    line("speed", &speed);
    if let Some(best) = best {
        line("at best", &best);
    }
    line("time left", &left(status));
    if let Some(model) = status.model {
        line("model", &model.to_string());
    }
    line("", "");
    paths(status, size, &mut line);
    held(status, size, &mut line);
    peers(status, size, &mut line);
    out.truncate(out.trim_end().len());
    out
}

fn counted(counts: &StageCounts) -> String {
    let StageCounts { open, leased, finished, done } = counts;
    format!("{}: {done} done, {finished} finished, {leased} in training, {open} open", counts.total())
}

/// How fast it goes, and how fast it went at best; each beside what the peers could do at that time.
fn speeds(status: &RunStatus) -> (String, Option<String>) {
    let recent = status.recent();
    let (now, peak) = (recent.rate(), recent.peak());
    let (allow, allowed) = (status.allowed_rate(), status.allowed_rate_at_peak());
    let largest = [now, Some(peak), allow, allowed].into_iter().flatten().fold(0.0, f64::max);
    let (of, seconds) = handy(largest);
    let an = if of == "hour" { "an" } else { "a" };
    let units = |per_second: f64| format!("{} units {an} {of}", digits(per_second * seconds));
    let beside = |rate: Option<f64>, verb: &str| {
        let rate = rate.map(|rate| digits(rate * seconds));
        rate.map(|rate| format!("; the peers' own speeds {verb} {rate}")).unwrap_or_default()
    };
    let now = match (now, status.model) {
        (_, Some(_)) => "none any more".into(),
        (Some(now), None) => units(now) + &beside(allow, "allow"),
        (None, None) => "not known yet".into(),
    };
    let best = (peak > 0.0)
        .then(|| format!("{} in ten seconds of the last hour{}", units(peak), beside(allowed, "allowed")));
    (now, best)
}

fn left(status: &RunStatus) -> String {
    let StageCounts { finished, .. } = status.counts;
    match (status.model, status.counts.to_train(), status.time_left()) {
        (Some(_), ..) => "none: the run is complete".into(),
        (None, 0, _) if finished > 0 => {
            format!("all units are trained; the coordinator still has to take {finished} of the reports")
        }
        (None, 0, _) => "all units are done; the coordinator writes the model".into(),
        (None, _, Some(left)) => format!("about {}", time(left)),
        (None, _, None) => "not known yet".into(),
    }
}

/// A grid of units, else counts path by path, else how many paths are how far.
fn paths(status: &RunStatus, size: Size, line: &mut impl FnMut(&str, &str)) {
    let layers = status.layers as usize;
    let fits = status.paths_left_out == 0 && status.paths.len() <= size.paths;
    if fits && status.stages.is_some() && layers.saturating_add(LABEL) <= size.columns {
        for (position, path) in status.paths.iter().enumerate() {
            line(&format!("path {}", path.path), &row(status, position));
        }
        line("", "");
        line(
            "",
            "# done   + trained, not acknowledged yet   o in training   . open; layers from left to right",
        );
    } else if fits {
        for path in &status.paths {
            let StageCounts { open, leased, finished, done } = path.counts;
            line(
                &format!("path {}", path.path),
                &format!("{done} done, {finished} finished, {leased} in training, {open} open"),
            );
        }
    } else {
        let all = |of: fn(&StageCounts) -> bool| status.paths.iter().filter(|path| of(&path.counts)).count();
        let done = all(|counts| u64::from(counts.done) == counts.total());
        let untouched = all(|counts| u64::from(counts.open) == counts.total());
        let begun = status.paths.len().saturating_sub(done + untouched);
        let more = match status.paths_left_out {
            0 => String::new(),
            more => format!(", and {more} more that were not looked at"),
        };
        line(
            "paths",
            &format!("{}: {done} done, {begun} begun, {untouched} not begun{more}", status.paths.len()),
        );
    }
    line("", "");
}

/// A path's layers, a character each.
fn row(status: &RunStatus, position: usize) -> String {
    let sign = |layer| match status.stage(position, layer) {
        Some(Stage::Done) => '#',
        Some(Stage::Finished) => '+',
        Some(Stage::Leased) => 'o',
        Some(Stage::Open) => '.',
        None => '?',
    };
    (0..status.layers).map(sign).collect()
}

fn held(status: &RunStatus, size: Size, line: &mut impl FnMut(&str, &str)) {
    let shown = status.held.len().min(size.listed);
    for (index, held) in status.held.iter().take(shown).enumerate() {
        let Held { unit, peer, epoch, seconds } = held;
        let again = match epoch {
            0 => String::new(),
            1 => ", taken over once".into(),
            many => format!(", taken over {many} times"),
        };
        let name = if index == 0 { "in training" } else { "" };
        let lasts = time(Duration::from_secs((*seconds).into()));
        line(name, &format!("{:<24} {}  for {lasts}{again}", unit.to_string(), peer.short()));
    }
    more(status.held.len() - shown, status.held_left_out, line);
    if shown > 0 {
        line("", "");
    }
}

fn peers(status: &RunStatus, size: Size, line: &mut impl FnMut(&str, &str)) {
    let shown = status.peers.len().min(size.listed);
    line("peers", &format!("{} heard", status.heard));
    if shown > 0 {
        line("", "key                holds  finished in the last hour  a unit takes");
    }
    for peer in status.peers.iter().take(shown) {
        let PeerStatus { peer, heard, held, finished, millis_per_unit } = peer;
        let takes = match millis_per_unit {
            Some(millis) if *millis < 60_000 => format!("{} s", digits(f64::from(*millis) / 1_000.0)),
            Some(millis) => time(Duration::from_millis((*millis).into())),
            None => "not measured yet".into(),
        };
        let silent = if *heard { "" } else { " (silent)" };
        line("", &format!("{:<18} {held:<6} {finished:<26} {takes}", format!("{}{silent}", peer.short())));
    }
    more(status.peers.len() - shown, status.peers_left_out, line);
}

fn more(here: usize, left_out: u32, line: &mut impl FnMut(&str, &str)) {
    match here as u64 + u64::from(left_out) {
        0 => {}
        more if left_out == 0 => line("", &format!("and {more} more: --all")),
        more => line("", &format!("and {more} more")),
    }
}

fn json_of(status: &RunStatus) -> Value {
    let counts = |counts: &StageCounts| {
        let StageCounts { open, leased, finished, done } = counts;
        json!({ "all": counts.total(), "open": open, "leased": leased, "finished": finished, "done": done })
    };
    let paths = status.paths.iter().enumerate().map(|(position, path)| {
        let mut object = json!({ "path": path.path, "units": counts(&path.counts) });
        if status.stages.is_some() {
            object["layers"] = row(status, position).into();
        }
        object
    });
    let held = status.held.iter().map(|Held { unit, peer, epoch, seconds }| {
        json!({
            "path": unit.path, "layer": unit.layer, "peer": peer.to_string(), "epoch": epoch, "seconds": seconds,
        })
    });
    let peers = status.peers.iter().map(|peer| {
        let PeerStatus { peer, heard, held, finished, millis_per_unit } = peer;
        json!({
            "peer": peer.to_string(), "heard": heard, "held": held, "finished_last_hour": finished,
            "seconds_per_unit": millis_per_unit.map(|millis| f64::from(millis) / 1_000.0),
        })
    });
    let recent = status.recent();
    json!({
        "coordinator": status.coordinator.map(|key| key.to_string()),
        "complete": status.model.is_some(),
        "model": status.model.map(|model| model.to_string()),
        "watched_seconds": status.watched as f64 / 1_000.0,
        "units": counts(&status.counts),
        "units_per_second": {
            "now": recent.rate(), "allowed": status.allowed_rate(),
            "peak": recent.peak(), "allowed_at_peak": status.allowed_rate_at_peak(),
        },
        "eta_seconds": status.time_left().map(|left| left.as_secs()),
        "layers": status.layers,
        "paths": paths.collect::<Vec<_>>(),
        "paths_left_out": status.paths_left_out,
        "held": held.collect::<Vec<_>>(),
        "held_left_out": status.held_left_out,
        "peers_heard": status.heard,
        "peers": peers.collect::<Vec<_>>(),
        "peers_left_out": status.peers_left_out,
        "windows": status.windows,
    })
}

#[cfg(test)]
mod tests;
