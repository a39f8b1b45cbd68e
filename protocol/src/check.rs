//! What can be said about a report without the rows: whether it has the shape of an honest one.
//!
//! Checked are the invariants of a trained layer (model format, "certificate") as far as they need ordinals, classes and
//! the schema only. Whether a condition holds on its members, and a clause on those it should, is the audit's to find
//! out.

use std::collections::BTreeSet;

use snake::{Bucket, Comparison, Conditions, FeatureKind, Literal, Measure, Origin, Schema, Test, Training};
use spec::DataSpec;

use crate::unit::Unit;

/// What a unit's report is checked against.
#[derive(Debug)]
pub struct ReportRules<'a> {
    schema: &'a Schema,
    noise: f64,
    most_votes: u32,
    path_literal: Option<Literal>,
    ordinals: &'a [u64],
    classes: &'a [u32],
}

/// A unit that the run doesn't have, or of which the caller has other rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// There is no such unit.
    #[error("the run has no unit {unit}: it has {paths} paths of {layers} layers, no parts and no replicas")]
    NoSuchUnit {
        /// Which one.
        unit: Unit,
        /// How many paths there are.
        paths: u32,
        /// How many layers each of them has.
        layers: u32,
    },
    /// The path has no rows, so it has no units.
    #[error("the run has no unit {unit}: its path has no rows")]
    Empty {
        /// Which one.
        unit: Unit,
    },
    /// The rows given are not as many as the manifest says, or not in order.
    #[error("the rows of {unit} are not those of the manifest: {given} given, {rows} published")]
    Rows {
        /// Which unit.
        unit: Unit,
        /// How many ordinals and classes were given.
        given: usize,
        /// How many rows the path has.
        rows: u64,
    },
}

/// What is wrong with a report, and where. Buckets and members count from 0; `member` is the position in `members`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum ReportFault {
    #[error("the report has {found} buckets for {rows} rows")]
    Buckets { found: usize, rows: usize },
    #[error("bucket {bucket}: its condition is also that of bucket {first}")]
    SameCondition { bucket: usize, first: usize },
    #[error(
        "bucket {bucket}: only the last bucket of a run without path literals may be without a condition"
    )]
    NoCondition { bucket: usize },
    #[error(
        "bucket {bucket}: its condition has no literals; the bucket for the rest has none instead (null)"
    )]
    EmptyCondition { bucket: usize },
    #[error("bucket {bucket}: its condition does not begin with the literal of its path")]
    PathLiteral { bucket: usize },
    #[error("bucket {bucket}, literal {literal} of {place}: {reason}")]
    Literal { bucket: usize, place: Place, literal: usize, reason: &'static str },
    #[error("bucket {bucket}: {members} members, {origins} origins, {lookalikes} entries of lookalikes")]
    Lengths { bucket: usize, members: usize, origins: usize, lookalikes: usize },
    #[error("bucket {bucket}: it has no core member")]
    NoCore { bucket: usize },
    #[error(
        "bucket {bucket}, member {member}: a core member after a noise member, or ordinals that don't ascend"
    )]
    Order { bucket: usize, member: usize },
    #[error("bucket {bucket}, member {member}: row {ordinal} is not of this path")]
    Stranger { bucket: usize, member: usize, ordinal: u64 },
    #[error("bucket {bucket}, member {member}: row {ordinal} is a core member of bucket {first} already")]
    CoreTwice { bucket: usize, member: usize, ordinal: u64, first: usize },
    #[error(
        "bucket {bucket}, member {member}: noise row {ordinal} is not a core member of an earlier bucket"
    )]
    Noise { bucket: usize, member: usize, ordinal: u64 },
    #[error("bucket {bucket}: {noise} noise members for {core} core members are more than the run allows")]
    MuchNoise { bucket: usize, noise: usize, core: usize },
    #[error("row {ordinal} of the path is a core member of no bucket")]
    Missing { ordinal: u64 },
    #[error("bucket {bucket}, clause {clause}: it has no literals")]
    EmptyClause { bucket: usize, clause: usize },
    #[error("bucket {bucket}, clause {clause}: no member votes by it")]
    UnusedClause { bucket: usize, clause: usize },
    #[error("bucket {bucket}, member {member}: clause {clause} does not exist")]
    NoSuchClause { bucket: usize, member: usize, clause: u32 },
    #[error("bucket {bucket}, member {member}: clause {clause} is also listed by a member of another class")]
    TwoClasses { bucket: usize, member: usize, clause: u32 },
    #[error("bucket {bucket}, member {member}: its entry of lookalikes is for member {found}")]
    Lookalike { bucket: usize, member: usize, found: u32 },
    #[error(
        "bucket {bucket}, member {member}: a member of a bucket of several classes votes by clauses, at least one"
    )]
    NoClause { bucket: usize, member: usize },
    #[error(
        "bucket {bucket}, member {member}: clause {clause} does not vote as training has it: clauses ascending, each a \
         condition and at most {most} times, then at most one condition of those that are joined"
    )]
    Votes { bucket: usize, member: usize, clause: u32, most: u32 },
    #[error("bucket {bucket}: all its members are of one class, so it has no clauses")]
    OneClassClauses { bucket: usize },
    #[error(
        "bucket {bucket}: all its members are of one class, so at least one of them votes, each at most once"
    )]
    OneClassVotes { bucket: usize },
}

/// Where a literal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the bucket's condition.
    Condition,
    /// In this clause.
    Clause(usize),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Condition => f.write_str("the condition"),
            Self::Clause(clause) => write!(f, "clause {clause}"),
        }
    }
}

impl<'a> ReportRules<'a> {
    /// The rules for a unit of a run. `ordinals` are the kept rows of the unit's path, ascending; `classes` names for
    /// each of them its target value (for a number to be estimated: equal numbers, equal classes).
    ///
    /// # Errors
    /// [`UnitError`] when the run has no such unit, or the rows are not those of the manifest.
    pub fn new(
        spec: &'a DataSpec,
        unit: Unit,
        ordinals: &'a [u64],
        classes: &'a [u32],
    ) -> Result<Self, UnitError> {
        let (paths, layers) = (spec.paths(), spec.training.layers);
        let known = unit.path < paths && unit.layer < layers && unit.part == 0 && unit.replica == 0;
        let shard = usize::try_from(unit.path).ok().and_then(|path| spec.shards.get(path));
        let Some(shard) = shard.filter(|_| known) else {
            return Err(UnitError::NoSuchUnit { unit, paths, layers });
        };
        if shard.rows == 0 {
            return Err(UnitError::Empty { unit });
        }
        let ascending = ordinals.is_sorted_by(|a, b| a < b);
        if ordinals.len() as u64 != shard.rows || classes.len() != ordinals.len() || !ascending {
            return Err(UnitError::Rows { unit, given: ordinals.len(), rows: shard.rows });
        }
        let path_literal = spec.path_literal(unit.path);
        let Training { noise, .. } = spec.training;
        let most_votes = spec.training.most_votes();
        Ok(Self { schema: &spec.schema, noise, most_votes, path_literal, ordinals, classes })
    }

    fn class(&self, row: usize) -> Option<u32> {
        self.classes.get(row).copied()
    }
}

/// Checks a report as far as that needs no rows.
///
/// # Errors
/// The first [`ReportFault`].
pub fn check_report(rules: &ReportRules<'_>, buckets: &[Bucket<u64>]) -> Result<(), ReportFault> {
    let rows = rules.ordinals.len();
    if buckets.is_empty() || buckets.len() > rows {
        return Err(ReportFault::Buckets { found: buckets.len(), rows });
    }
    check_conditions(rules, buckets)?;
    // Per row of the path, the bucket in which it is core.
    let mut home: Vec<Option<usize>> = vec![None; rows];
    for (index, bucket) in buckets.iter().enumerate() {
        check_clauses(rules, index, bucket)?;
        let members = check_members(rules, index, bucket, &mut home)?;
        check_votes(rules, index, bucket, &members)?;
    }
    match home.iter().zip(rules.ordinals).find(|(home, _)| home.is_none()) {
        Some((_, ordinal)) => Err(ReportFault::Missing { ordinal: *ordinal }),
        None => Ok(()),
    }
}

fn check_conditions(rules: &ReportRules<'_>, buckets: &[Bucket<u64>]) -> Result<(), ReportFault> {
    let mut seen = std::collections::BTreeMap::new();
    for (index, bucket) in buckets.iter().enumerate() {
        let Some(condition) = &bucket.condition else {
            if rules.path_literal.is_some() || index + 1 != buckets.len() {
                return Err(ReportFault::NoCondition { bucket: index });
            }
            continue;
        };
        if condition.is_empty() {
            return Err(ReportFault::EmptyCondition { bucket: index });
        }
        let own = usize::from(rules.path_literal.is_some());
        if condition.first().filter(|_| own == 1) != rules.path_literal.as_ref() {
            return Err(ReportFault::PathLiteral { bucket: index });
        }
        for (literal, test) in condition.iter().enumerate().skip(own) {
            check_literal(rules.schema, test).map_err(|reason| ReportFault::Literal {
                bucket: index,
                place: Place::Condition,
                literal,
                reason,
            })?;
        }
        // Every number in it is finite by now, so it has a canonical form.
        let key = serde_cbor::to_vec(condition).map_err(|_| ReportFault::EmptyCondition { bucket: index })?;
        if let Some(first) = seen.insert(key, index) {
            return Err(ReportFault::SameCondition { bucket: index, first });
        }
    }
    Ok(())
}

fn check_clauses(rules: &ReportRules<'_>, index: usize, bucket: &Bucket<u64>) -> Result<(), ReportFault> {
    for (clause, literals) in bucket.clauses.iter().enumerate() {
        if literals.is_empty() {
            return Err(ReportFault::EmptyClause { bucket: index, clause });
        }
        for (literal, test) in literals.iter().enumerate() {
            check_literal(rules.schema, test).map_err(|reason| ReportFault::Literal {
                bucket: index,
                place: Place::Clause(clause),
                literal,
                reason,
            })?;
        }
    }
    Ok(())
}

/// Whether training may emit this literal over this schema.
fn check_literal(schema: &Schema, literal: &Literal) -> Result<(), &'static str> {
    let feature = usize::try_from(literal.column)
        .ok()
        .and_then(|column| column.checked_sub(1))
        .and_then(|feature| schema.features.get(feature))
        .ok_or("its column is not a feature of the run")?;
    let (kind, finite) = match &literal.test {
        Test::Threshold(Measure::Nmg, _) | Test::Reference(Comparison::Sim, ..) | Test::Frequencies(..) => {
            return Err("it is of a kind that training never emits");
        }
        Test::Unknown(_) => return Err("it is of a kind that this version does not know"),
        Test::Threshold(Measure::N | Measure::Nd | Measure::Nl, t) => (FeatureKind::Number, t.is_finite()),
        Test::Threshold(_, t) => (FeatureKind::Text, t.is_finite()),
        Test::Reference(_, reference) => (FeatureKind::Text, reference.threshold.is_finite()),
        Test::Standardised(scale) => {
            let numbers = [scale.mean, scale.deviation, scale.threshold];
            (FeatureKind::Number, numbers.into_iter().all(f64::is_finite))
        }
        Test::Range(range) => (FeatureKind::Number, range.low.is_finite() && range.high.is_finite()),
        Test::Zero => (FeatureKind::Number, true),
        Test::Text(..) => (FeatureKind::Text, true),
    };
    if kind != feature.kind {
        return Err("it does not fit what its column holds");
    }
    if finite { Ok(()) } else { Err("it holds a number that is not finite") }
}

/// Checks the members and returns, for each, its position among the path's rows.
fn check_members(
    rules: &ReportRules<'_>,
    index: usize,
    bucket: &Bucket<u64>,
    home: &mut [Option<usize>],
) -> Result<Vec<usize>, ReportFault> {
    let (members, origins) = (bucket.members.len(), bucket.origins.len());
    if origins != members || bucket.lookalikes.len() != members {
        let lookalikes = bucket.lookalikes.len();
        return Err(ReportFault::Lengths { bucket: index, members, origins, lookalikes });
    }
    let core = bucket.origins.iter().take_while(|origin| **origin == Origin::Core).count();
    if core == 0 {
        return Err(ReportFault::NoCore { bucket: index });
    }
    let noise = members - core;
    #[allow(clippy::cast_precision_loss)]
    if noise as f64 > (rules.noise * core as f64).floor() {
        return Err(ReportFault::MuchNoise { bucket: index, noise, core });
    }
    let mut rows = Vec::with_capacity(members.min(rules.ordinals.len().saturating_mul(2)));
    let mut before = None;
    for (member, (ordinal, origin)) in bucket.members.iter().zip(&bucket.origins).enumerate() {
        let first_noise = member == core;
        let ascends = first_noise || before.is_none_or(|before| before < *ordinal);
        if !ascends || (member >= core && *origin == Origin::Core) {
            return Err(ReportFault::Order { bucket: index, member });
        }
        before = Some(*ordinal);
        let place = rules.ordinals.binary_search(ordinal).ok();
        let Some((row, home)) = place.and_then(|row| home.get_mut(row).map(|home| (row, home))) else {
            return Err(ReportFault::Stranger { bucket: index, member, ordinal: *ordinal });
        };
        match (origin, *home) {
            (Origin::Core, None) => *home = Some(index),
            (Origin::Core, Some(first)) => {
                return Err(ReportFault::CoreTwice { bucket: index, member, ordinal: *ordinal, first });
            }
            (Origin::Noise, Some(earlier)) if earlier < index => {}
            (Origin::Noise, _) => {
                return Err(ReportFault::Noise { bucket: index, member, ordinal: *ordinal });
            }
        }
        rows.push(row);
    }
    Ok(rows)
}

/// The first clause that stands where training puts none (clauses ascending, then those that are joined), or more often: else a peer could give its layer as much weight
/// as it likes.
fn odd_vote(votes: Conditions<'_>, most: u32) -> Option<u32> {
    let mut last: Option<(u32, u32)> = None;
    let mut joined = false;
    for condition in votes {
        match *condition {
            [] => {}
            [clause, ..] if joined => return Some(clause),
            [clause] => {
                let times = match last {
                    // What is joined may be one clause.
                    Some((before, _)) if before > clause => {
                        joined = true;
                        1
                    }
                    Some((before, times)) if before == clause => times + 1,
                    _ => 1,
                };
                if times > most {
                    return Some(clause);
                }
                last = Some((clause, times));
            }
            [..] => joined = true,
        }
    }
    None
}

fn check_votes(
    rules: &ReportRules<'_>,
    index: usize,
    bucket: &Bucket<u64>,
    rows: &[usize],
) -> Result<(), ReportFault> {
    let classes: BTreeSet<Option<u32>> = rows.iter().map(|row| rules.class(*row)).collect();
    let several = classes.len() > 1;
    if !several && !bucket.clauses.is_empty() {
        return Err(ReportFault::OneClassClauses { bucket: index });
    }
    let mut class_of: Vec<Option<u32>> = vec![None; bucket.clauses.len()];
    let mut voters = 0_usize;
    for (member, ((named, votes), row)) in bucket.lookalikes.iter().zip(rows).enumerate() {
        if usize::try_from(named) != Ok(member) {
            return Err(ReportFault::Lookalike { bucket: index, member, found: named });
        }
        if several && (votes.len() == 0 || votes.clone().any(<[u32]>::is_empty)) {
            return Err(ReportFault::NoClause { bucket: index, member });
        }
        if !several && votes.len() > 1 {
            return Err(ReportFault::OneClassVotes { bucket: index });
        }
        voters += usize::from(votes.len() > 0);
        let class = rules.class(*row);
        for clause in votes.clone().flatten() {
            let known = usize::try_from(*clause).ok().and_then(|clause| class_of.get_mut(clause));
            let Some(listed) = known else {
                return Err(ReportFault::NoSuchClause { bucket: index, member, clause: *clause });
            };
            if listed.is_some() && *listed != class {
                return Err(ReportFault::TwoClasses { bucket: index, member, clause: *clause });
            }
            *listed = class;
        }
        if let Some(clause) = odd_vote(votes, rules.most_votes) {
            return Err(ReportFault::Votes { bucket: index, member, clause, most: rules.most_votes });
        }
    }
    if !several && voters == 0 {
        return Err(ReportFault::OneClassVotes { bucket: index });
    }
    match class_of.iter().position(Option::is_none) {
        Some(clause) => Err(ReportFault::UnusedClause { bucket: index, clause }),
        None => Ok(()),
    }
}
