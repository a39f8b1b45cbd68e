//! A manifest as lines of text. It may be a stranger's: nothing in it reaches the terminal as it stands.

use anyhow::Result;
use protocol::Manifest;
use snake::{FeatureKind, TargetKind, column_text};
use spec::{DataSpec, OnError, PublicSource, Routing, Sampling};

use super::{Shown, word};
use crate::clock::date_text;
use crate::commands::audit::plain;
use crate::commands::predict::class_text;
use crate::evenness::Evenness;

/// Columns, classes and locations that are listed.
const LISTED: usize = 12;
/// Shards that are listed; of more, so many of the largest and of the smallest.
const SHARDS: usize = 16;
const EXTREMES: usize = 4;

/// All lines.
pub(super) fn lines(manifest: &Manifest, shown: Shown, all: bool) -> Result<Vec<String>> {
    let (body, spec) = (manifest.body(), manifest.spec());
    let mut lines = Vec::new();
    let mut say = |name: &str, text: String| lines.push(format!("{name:<11} {text}"));
    match shown {
        Shown::Signed => {
            say("run", manifest.run().to_string());
            say("name", manifest.title());
            say("operator", manifest.operator().to_string());
            say("published", date_text(body.published));
        }
        Shown::DryRun => say("name", body.name.clone()),
    }
    say("manifest", format!("{} bytes", manifest.bytes().len()));
    say("fingerprint", spec.fingerprint()?.to_string());
    source(&body.source, all, &mut say);
    let counts = &body.counts;
    let holdout = if spec.holdout > 0.0 { format!(", a share of {}", spec.holdout) } else { String::new() };
    let rows = counts.records.saturating_sub(counts.malformed);
    say("rows", format!("{rows} ({} held out{holdout}, {} malformed)", counts.held_out, counts.malformed));
    say(
        "duplicates",
        format!("{} dropped, {} of them of another class", counts.duplicates, counts.conflicts),
    );
    say("bytes", format!("{} of source", counts.bytes));
    schema(spec, all, &mut say);
    router(&spec.routing, &mut say);
    let t = &spec.training;
    say(
        "training",
        format!(
            "{} layers, bucket {}, slice {}, noise {}, profile {}, lookahead {}, seed {}",
            t.layers,
            t.bucket,
            t.slice,
            t.noise,
            t.profile.name(),
            t.lookahead,
            t.seed
        ),
    );
    shards(spec, all, &mut say);
    Ok(lines)
}

fn source(source: &PublicSource, all: bool, say: &mut impl FnMut(&str, String)) {
    let parts = source.locations.len();
    say(
        "source",
        format!("{}, {parts} part{}", plain(&word(&source.format)), if parts == 1 { "" } else { "s" }),
    );
    let shown = if all { parts } else { LISTED };
    for (part, location) in source.locations.iter().take(shown).enumerate() {
        let mirrors = source.mirrors.get(part).map_or(&[][..], Vec::as_slice);
        let mirrors = match mirrors {
            [] => String::new(),
            mirrors => format!(" (mirrors: {})", listed(mirrors.iter().map(|m| plain(m)), all)),
        };
        say("location", format!("{}{mirrors}", plain(location)));
    }
    if parts > shown {
        say("", format!("and {} more", parts - shown));
    }
    if !source.exclude.is_empty() {
        say("excluded", listed(source.exclude.iter().map(|column| column_text(column)), all));
    }
    let what = match source.on_error {
        OnError::Refuse => "stops with an error",
        OnError::Skip => "is counted and left out",
    };
    say("on_error", format!("{}: a malformed row {what}", word(&source.on_error)));
    let said = match &source.target_type {
        Some(kind) => format!("said to be a {}", word(kind)),
        None => "kind inferred".to_owned(),
    };
    say("target", format!("{} ({said})", column_text(&source.target)));
}

fn schema(spec: &DataSpec, all: bool, say: &mut impl FnMut(&str, String)) {
    let schema = &spec.schema;
    if schema.target_kind == TargetKind::Number {
        say("classes", "none: a number is to be estimated".to_owned());
    } else {
        let classes = schema.classes.iter().map(|class| plain(&class_text(class)));
        say("classes", format!("{}: {}", schema.classes.len(), listed(classes, all)));
    }
    for (name, kind) in [("numbers", FeatureKind::Number), ("texts", FeatureKind::Text)] {
        let of_kind = schema.features.iter().filter(|feature| feature.kind == kind);
        let names: Vec<String> = of_kind.map(|feature| column_text(&feature.name)).collect();
        let colon = if names.is_empty() { "" } else { ": " };
        say(name, format!("{}{colon}{}", names.len(), listed(names.into_iter(), all)));
    }
}

fn router(routing: &Routing, say: &mut impl FnMut(&str, String)) {
    match routing {
        Routing::RoundRobin { paths } => {
            say("router", format!("round robin over {}: nothing is fitted", number_of_paths(*paths)))
        }
        // A manifest with such a router does not open.
        Routing::Unknown => say("router", "unknown".to_owned()),
        Routing::Kmeans(fit) => {
            let settings = &fit.settings;
            let sample = match (settings.sample, settings.sampling) {
                (0, _) => "all rows".to_owned(),
                (rows, Sampling::Prefix) => format!("the first {rows} rows"),
                (rows, Sampling::Reservoir) => format!("a reservoir of {rows} rows"),
            };
            say(
                "router",
                format!("k-means over {} paths, fitted on {sample}: it saw {}", settings.paths, fit.rows),
            );
            say(
                "",
                format!(
                    "{} dimensions, seed {}, featurizer {} of seed {}",
                    settings.dimensions,
                    settings.seed,
                    plain(&fit.featurizer),
                    settings.featurizer_seed
                ),
            );
        }
    }
}

fn number_of_paths(paths: u32) -> String {
    format!("{paths} path{}", if paths == 1 { "" } else { "s" })
}

fn shards(spec: &DataSpec, all: bool, say: &mut impl FnMut(&str, String)) {
    let rows: Vec<u64> = spec.shards.iter().map(|shard| shard.rows).collect();
    if let Some(spread) = Evenness::of(&rows).filter(|_| rows.len() > 1) {
        say("shards", spread.text());
    }
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let shorten = !all && order.len() > SHARDS;
    if shorten {
        order.sort_by_key(|path| std::cmp::Reverse(rows.get(*path)));
    }
    let left_out = if shorten { order.len() - 2 * EXTREMES } else { 0 };
    for (place, path) in order.iter().enumerate() {
        if shorten && (EXTREMES..EXTREMES + left_out).contains(&place) {
            if place == EXTREMES {
                say("", format!("and {left_out} more between these"));
            }
            continue;
        }
        if let Some(shard) = spec.shards.get(*path) {
            say(&format!("path {path}"), format!("{} rows, hash {}", shard.rows, shard.hash));
        }
    }
}

/// The first of them, and how many more there are.
fn listed(names: impl ExactSizeIterator<Item = String>, all: bool) -> String {
    let count = names.len();
    let shown = if all { count } else { LISTED };
    let mut text = names.take(shown).collect::<Vec<_>>().join(", ");
    if count > shown {
        text.push_str(&format!(" and {} more", count - shown));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_shortened() {
        let names = |count: usize| (0..count).map(|i| i.to_string());
        assert_eq!(listed(names(2), false), "0, 1");
        assert!(listed(names(15), false).ends_with("11 and 3 more"));
        assert!(listed(names(15), true).ends_with("13, 14"));
        assert_eq!(listed(names(12), false).matches(',').count(), 11);
    }
}
