//! An audit as text for people: what is alike is said once, the strongest first.

use std::collections::BTreeSet;
use std::io::{Result, Write};

use snake::{
    Fact, FeatureKind, LayerAudit, RoutingStep, RowBatch, Rule, Value, and_parts, column_text, disturbs,
    quoted, short_number,
};

use super::{Audited, Group, Printer, groups};
use crate::commands::predict::class_text;

/// Classes that a row's line of votes lists.
const CLASSES: usize = 10;

impl<W: Write> Printer<'_, W> {
    /// One row.
    pub(super) fn text(&mut self, audited: &Audited<'_>) -> Result<()> {
        let prediction = audited.prediction;
        let head = format!("row {}: {}", audited.row, self.answer(audited));
        writeln!(self.out, "{head}")?;
        if !self.estimates_a_number() && prediction.total > 0 {
            let mut votes: Vec<&(u32, u64)> = prediction.votes.iter().collect();
            votes.sort_by_key(|vote| std::cmp::Reverse(vote.1));
            let votes: Vec<String> =
                votes.iter().map(|(class, votes)| format!("{} {votes}", self.class(*class))).collect();
            writeln!(self.out, "  votes    {}", few(votes, CLASSES.max(self.shown.values), ", "))?;
        }
        let all = (0..self.model.head.features.len()).collect::<Vec<_>>();
        writeln!(
            self.out,
            "  values   {}",
            self.values_text(audited.rows, audited.place, &all, self.shown.values)
        )?;
        for layer in &audited.audit.layers {
            self.layer(layer)?;
        }
        writeln!(self.out)
    }

    /// What is predicted, and how sure.
    fn answer(&self, audited: &Audited<'_>) -> String {
        let prediction = audited.prediction;
        let votes = count(usize::try_from(prediction.total).unwrap_or(usize::MAX), "vote");
        if !self.estimates_a_number() {
            let share = prediction.probability(prediction.class, self.classes.len());
            return format!("{} with probability {share:.4}, {votes}", self.class(prediction.class));
        }
        match prediction.candle {
            None => "no estimate, no votes".to_owned(),
            Some(candle) => {
                let [estimate, low, q1, median, q3, high] =
                    [candle.iqr_mean, candle.low, candle.q1, candle.median, candle.q3, candle.high]
                        .map(short_number);
                format!("{estimate}, {votes}: low {low}, q1 {q1}, median {median}, q3 {q3}, high {high}")
            }
        }
    }

    fn class(&self, class: u32) -> String {
        self.classes.get(class as usize).map(|label| plain(&class_text(label))).unwrap_or_default()
    }

    fn layer(&mut self, layer: &LayerAudit) -> Result<()> {
        let buckets = self.model.layers.get(layer.layer as usize).map_or(0, Vec::len);
        let votes = count(layer.votes.len(), "vote");
        writeln!(self.out, "  layer {}: bucket {} of {buckets}, {votes}", layer.layer, layer.bucket)?;
        let skipped: Vec<Fact> = layer
            .routing
            .iter()
            .filter_map(|step| match step {
                RoutingStep::Skipped { because, .. } => Some(because.clone()),
                _ => None,
            })
            .collect();
        let head = &self.model.head;
        if !skipped.is_empty() {
            let because = few(Fact::all_parts(&skipped, head), self.shown.values, " and ");
            let buckets = count(skipped.len(), "bucket");
            writeln!(self.out, "    skipped  {buckets}: {because}")?;
        }
        match layer.routing.last() {
            Some(RoutingStep::Matched { condition, .. }) if !condition.is_empty() => {
                writeln!(self.out, "    matched  {}", and_parts(condition, head).join(" and "))?;
            }
            Some(RoutingStep::Matched { .. }) => writeln!(self.out, "    matched  else")?,
            _ => writeln!(self.out, "    matched  nothing, so the last bucket answers")?,
        }
        let groups = groups(layer, self.model);
        for group in groups.iter().take(self.shown.rules) {
            self.group(layer, group)?;
        }
        let rest = groups.get(self.shown.rules..).unwrap_or_default();
        if !rest.is_empty() {
            let votes: usize = rest.iter().map(|group| group.votes.len()).sum();
            writeln!(self.out, "    .. {} with {}", count(rest.len(), "more rule"), count(votes, "vote"))?;
        }
        Ok(())
    }

    fn group(&mut self, layer: &LayerAudit, group: &Group<'_>) -> Result<()> {
        let Some(rule) = layer.rules.get(group.rule) else { return Ok(()) };
        let facts = match rule.clauses.is_empty() {
            true => "every row of this bucket".to_owned(),
            false => Fact::all_formula(&rule.facts, &self.model.head),
        };
        writeln!(self.out, "    {} {}: {facts}", count(group.votes.len(), "vote"), self.voted_for(group))?;
        // A training row may vote several times under a rule.
        let mut rows: Vec<(u32, usize)> = Vec::new();
        for vote in &group.votes {
            match rows.last_mut() {
                Some((row, votes)) if *row == vote.row => *votes += 1,
                _ => rows.push((vote.row, 1)),
            }
        }
        for (row, votes) in rows.iter().take(self.shown.lookalikes) {
            let often = if *votes > 1 { format!(" ({votes} votes)") } else { String::new() };
            writeln!(self.out, "      training row {row}{often}{}", self.training_text(*row, rule))?;
        }
        if rows.len() > self.shown.lookalikes && self.shown.lookalikes > 0 {
            writeln!(self.out, "      .. {}", count(rows.len() - self.shown.lookalikes, "more row"))?;
        }
        Ok(())
    }

    /// The class of a group, or the numbers it votes for.
    fn voted_for(&self, group: &Group<'_>) -> String {
        let targets = group.votes.iter().filter_map(|vote| self.model.targets.get(vote.row as usize));
        if !self.estimates_a_number() {
            return format!(
                "for {}",
                targets.map(class_text).map(|text| plain(&text)).next().unwrap_or_default()
            );
        }
        let numbers: Vec<f64> = targets.filter_map(snake::Label::number).collect();
        let low = numbers.iter().copied().fold(f64::INFINITY, f64::min);
        let high = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if low < high {
            format!("from {} to {}", short_number(low), short_number(high))
        } else {
            format!("for {}", short_number(low))
        }
    }

    /// The target and the values of a training row, those that the rule is about first.
    fn training_text(&self, row: u32, rule: &Rule) -> String {
        let target = self.model.targets.get(row as usize).map(class_text).unwrap_or_default();
        let mut text = format!(": {}", plain(&target));
        if self.model.population.rows() > 0 {
            // What the rule is about; all the rest of it only where it was asked for, or the rule is about nothing.
            let mut features: Vec<usize> = Vec::new();
            let mentioned =
                rule.facts.iter().filter_map(|fact| (fact.literal().column as usize).checked_sub(1));
            for feature in mentioned.chain(0..self.model.head.features.len()) {
                if !features.contains(&feature) {
                    features.push(feature);
                }
            }
            let about = rule.facts.iter().map(|fact| fact.literal().column).collect::<BTreeSet<_>>().len();
            let shown = if about > 0 { about.max(self.shown.training_values) } else { self.shown.values };
            text += "; ";
            text += &self.values_text(&self.model.population, row as usize, &features, shown);
        }
        text
    }

    fn values_text(&self, rows: &RowBatch, row: usize, features: &[usize], shown: usize) -> String {
        let values = features.iter().filter_map(|place| {
            let feature = self.model.head.features.get(*place)?;
            let value = match (rows.value(*place, row), feature.kind) {
                (Value::Number(x), _) => short_number(x),
                (Value::Text(text), _) => quoted(text),
                (Value::Missing, FeatureKind::Number | FeatureKind::Text) => "missing".to_owned(),
            };
            Some(format!("{} {value}", column_text(&feature.name)))
        });
        few(values.collect(), shown, ", ")
    }
}

/// The first of them, and how many more there are.
fn few(mut parts: Vec<String>, shown: usize, between: &str) -> String {
    let more = parts.len().saturating_sub(shown);
    parts.truncate(shown);
    let mut text = parts.join(between);
    if more > 0 {
        text += &format!("{between}.. {more} more");
    }
    text
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

/// A class without what would disturb a terminal.
pub(crate) fn plain(class: &str) -> String {
    if class.chars().any(disturbs) { quoted(class) } else { class.to_owned() }
}
