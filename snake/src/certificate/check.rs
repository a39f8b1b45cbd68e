//! The checks, over rows named by their place in columns.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::walk::{Condition, walk};
use super::{Breach, Certificate};
use crate::bucket::{Bucket, Origin};
use crate::literal::{Clause, Literal};
use crate::lookalikes::{Conditions, Lookalikes};
use crate::program::{Bound, Program, Tests};
use crate::table::Column;

/// What a layer is checked against.
pub(super) struct Ground<'a> {
    pub(super) columns: &'a [Column],
    pub(super) program: Program,
    /// The shard's rows, ascending.
    pub(super) rows: &'a [u32],
    /// Every row's class, by row.
    pub(super) classes: &'a [u32],
    /// What rows are called, where it is not their place.
    pub(super) names: Option<&'a [u64]>,
    /// Literals that hold for every row.
    pub(super) prefix: &'a [Literal],
    /// Noise members per core member that there are at most, where that is known.
    pub(super) noise: Option<f64>,
    /// Literals with one of which every condition begins, path by path; none: as they like.
    pub(super) paths: &'a [Literal],
}

impl Ground<'_> {
    fn name(&self, row: u32) -> u64 {
        self.names.and_then(|names| names.get(row as usize)).copied().unwrap_or(u64::from(row))
    }

    /// Whether a row that no condition holds for is a breach: in a chain that several shards share, it would go to the
    /// bucket of another one.
    fn all_matched(&self) -> bool {
        !self.prefix.is_empty() || !self.paths.is_empty()
    }

    fn class(&self, row: u32) -> u32 {
        self.classes.get(row as usize).copied().unwrap_or(u32::MAX)
    }
}

/// A well-formed bucket whose members are places in columns.
pub(super) struct Local<'a> {
    place: usize,
    condition: Option<&'a [Literal]>,
    members: Vec<u32>,
    origins: &'a [Origin],
    clauses: &'a [Clause],
    lookalikes: &'a Lookalikes,
}

impl<'a> Local<'a> {
    /// Checks the bucket's shape.
    pub(super) fn new<M>(
        place: usize,
        bucket: &'a Bucket<M>,
        members: Vec<u32>,
        width: usize,
    ) -> Result<Self, Breach> {
        bucket.check_positions(width).map_err(|fault| Breach::Shape { bucket: place, fault })?;
        let condition = bucket.condition.as_deref();
        let mut literals = condition.unwrap_or(&[]).iter().chain(bucket.clauses.iter().flatten());
        if literals.any(|literal| !literal.test.finite()) {
            return Err(Breach::NotFinite { bucket: place });
        }
        Ok(Self {
            place,
            condition,
            members,
            origins: &bucket.origins,
            clauses: &bucket.clauses,
            lookalikes: &bucket.lookalikes,
        })
    }

    /// Members of an origin, ascending.
    fn of(&self, origin: Origin) -> Vec<u32> {
        let mut rows: Vec<u32> = self
            .members
            .iter()
            .zip(self.origins)
            .filter(|(_, o)| **o == origin)
            .map(|(row, _)| *row)
            .collect();
        rows.sort_unstable();
        rows
    }
}

/// What is found, up to a number of breaches.
pub(super) struct Found {
    pub(super) breaches: Vec<Breach>,
    pub(super) certificate: Certificate,
    most: usize,
}

impl Found {
    /// Looks on until so many breaches were found.
    pub(super) fn at_most(most: usize) -> Self {
        Self { breaches: Vec::new(), certificate: Certificate::default(), most: most.max(1) }
    }

    fn add(&mut self, breach: Breach) -> ControlFlow<()> {
        self.breaches.push(breach);
        if self.breaches.len() >= self.most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// The certificate, or the first breach.
    pub(super) fn verdict(self) -> Result<Certificate, Breach> {
        match self.breaches.into_iter().next() {
            Some(breach) => Err(breach),
            None => Ok(self.certificate),
        }
    }
}

/// The order that training gives members and lookalikes.
pub(super) fn training_order(
    ground: &Ground<'_>,
    buckets: &[Local<'_>],
    found: &mut Found,
) -> ControlFlow<()> {
    for bucket in buckets {
        if let Some(row) = repeated(ground, bucket) {
            found.add(Breach::MemberTwice { bucket: bucket.place, row })?;
        }
        let keys = bucket.members.iter().zip(bucket.origins).map(|(row, o)| (*o == Origin::Noise, *row));
        if !keys.is_sorted_by(|a, b| a < b) {
            found.add(Breach::MemberOrder { bucket: bucket.place })?;
        }
        let all = bucket.lookalikes.len() == bucket.members.len();
        if !all || (0_u32..).zip(bucket.lookalikes.iter()).any(|(position, entry)| entry.0 != position) {
            found.add(Breach::LookalikeOrder { bucket: bucket.place })?;
        }
    }
    ControlFlow::Continue(())
}

/// A row that is a member twice.
fn repeated(ground: &Ground<'_>, bucket: &Local<'_>) -> Option<u64> {
    let mut rows = bucket.members.clone();
    rows.sort_unstable();
    let pair = rows.windows(2).find(|pair| pair.first() == pair.last());
    pair.and_then(|pair| pair.first()).map(|row| ground.name(*row))
}

/// Checks all five invariants.
pub(super) fn invariants(
    mut ground: Ground<'_>,
    buckets: &[Local<'_>],
    found: &mut Found,
) -> ControlFlow<()> {
    if buckets.is_empty() {
        // A path that no row came to has an empty layer.
        return if ground.rows.is_empty() { ControlFlow::Continue(()) } else { found.add(Breach::NoBucket) };
    }
    conditions(&ground, buckets, found)?;
    known_columns(&ground, buckets, found)?;
    let compiled: Vec<Compiled> = buckets.iter().map(|bucket| compile(&mut ground, bucket)).collect();
    let program = std::mem::take(&mut ground.program);
    let mut bound = program.bind(ground.columns);
    let chain: Vec<Condition<'_>> = buckets
        .iter()
        .zip(&compiled)
        .map(|(bucket, compiled)| Condition {
            literals: bucket.condition.unwrap_or_default(),
            tests: &compiled.condition,
        })
        .collect();
    let (mut taken, rest) = walk(&mut bound, &chain, ground.rows.to_vec());
    if ground.all_matched() {
        if let Some(row) = rest.first() {
            found.add(Breach::Unmatched { row: ground.name(*row) })?;
        }
    } else if let Some(last) = taken.last_mut() {
        last.extend(rest);
        last.sort_unstable();
    }
    for ((bucket, compiled), walked) in buckets.iter().zip(&compiled).zip(&taken) {
        members(&ground, &mut bound, bucket, compiled, walked, found)?;
        clauses(&ground, &mut bound, bucket, compiled, found)?;
        votes(&ground, bucket, found)?;
        found.certificate.buckets += 1;
        found.certificate.core += bucket.origins.iter().filter(|origin| **origin == Origin::Core).count();
        found.certificate.noise += bucket.origins.iter().filter(|origin| **origin == Origin::Noise).count();
        found.certificate.clauses += bucket.clauses.len();
    }
    ControlFlow::Continue(())
}

/// Invariant 1.
fn conditions(ground: &Ground<'_>, buckets: &[Local<'_>], found: &mut Found) -> ControlFlow<()> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut path = 0;
    for bucket in buckets {
        let place = bucket.place;
        let Some(condition) = bucket.condition else {
            if place + 1 != buckets.len() || ground.all_matched() {
                found.add(Breach::NullCondition { bucket: place })?;
            }
            continue;
        };
        if condition.is_empty() {
            found.add(Breach::EmptyCondition { bucket: place })?;
            continue;
        }
        if !condition.starts_with(ground.prefix) {
            found.add(Breach::Prefix { bucket: place })?;
        } else if !ground.paths.is_empty() {
            match ground.paths.iter().position(|literal| condition.first() == Some(literal)) {
                None => found.add(Breach::Prefix { bucket: place })?,
                Some(before) if before < path => found.add(Breach::PathOrder { bucket: place })?,
                Some(this) => path = this,
            }
        }
        // Every literal was found to be finite, so that it can be written.
        let written = serde_json::to_string(condition).unwrap_or_default();
        if let Some(other) = seen.get(&written) {
            found.add(Breach::SameCondition { bucket: place, other: *other })?;
        } else {
            seen.insert(written, place);
        }
    }
    ControlFlow::Continue(())
}

/// Every literal is over a column of the shard, or is of the prefix.
fn known_columns(ground: &Ground<'_>, buckets: &[Local<'_>], found: &mut Found) -> ControlFlow<()> {
    for bucket in buckets {
        let literals = bucket.condition.into_iter().chain(bucket.clauses.iter().map(Vec::as_slice)).flatten();
        for literal in literals.filter(|literal| !ground.prefix.contains(literal)) {
            if literal.column == 0 || literal.column as usize > ground.columns.len() {
                found.add(Breach::ForeignColumn { bucket: bucket.place, column: literal.column })?;
            }
        }
    }
    ControlFlow::Continue(())
}

struct Compiled {
    condition: Tests,
    clauses: Vec<Tests>,
}

fn compile(ground: &mut Ground<'_>, bucket: &Local<'_>) -> Compiled {
    let prefix = ground.prefix;
    let program = &mut ground.program;
    let mut tests = |literals: &[Literal]| -> Tests {
        let test = |literal| {
            if prefix.contains(literal) { program.always() } else { program.literal(literal) }
        };
        literals.iter().map(test).collect()
    };
    Compiled {
        condition: tests(bucket.condition.unwrap_or_default()),
        clauses: bucket.clauses.iter().map(|clause| tests(clause)).collect(),
    }
}

/// Invariants 2 and 3.
fn members(
    ground: &Ground<'_>,
    bound: &mut Bound<'_>,
    bucket: &Local<'_>,
    compiled: &Compiled,
    walked: &[u32],
    found: &mut Found,
) -> ControlFlow<()> {
    let place = bucket.place;
    if let Some(row) = repeated(ground, bucket) {
        found.add(Breach::MemberTwice { bucket: place, row })?;
    }
    let core = bucket.of(Origin::Core);
    if let Some(row) = first_not_in(&core, walked) {
        found.add(Breach::NotRouted { bucket: place, row: ground.name(row) })?;
    }
    if let Some(row) = first_not_in(walked, &core) {
        found.add(Breach::NotCore { bucket: place, row: ground.name(row) })?;
    }
    if core.is_empty() {
        found.add(Breach::NoCore { bucket: place })?;
    }
    let noise = bucket.of(Origin::Noise);
    let mut inside = noise.clone();
    bound.all_true(&compiled.condition, &mut inside);
    if let Some(row) = first_not_in(&noise, &inside) {
        found.add(Breach::NoiseOutside { bucket: place, row: ground.name(row) })?;
    }
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let most = ground.noise.map(|share| (share * core.len() as f64).floor() as usize);
    match most.filter(|most| noise.len() > *most) {
        Some(most) => {
            let (noise, core) = (noise.len(), core.len());
            found.add(Breach::NoiseCount { bucket: place, noise, core, most })
        }
        None => ControlFlow::Continue(()),
    }
}

/// Invariant 4.
fn clauses(
    ground: &Ground<'_>,
    bound: &mut Bound<'_>,
    bucket: &Local<'_>,
    compiled: &Compiled,
    found: &mut Found,
) -> ControlFlow<()> {
    let place = bucket.place;
    let mut listed: Vec<Vec<u32>> = vec![Vec::new(); bucket.clauses.len()];
    for (position, conditions) in bucket.lookalikes.iter() {
        let Some(row) = bucket.members.get(position as usize) else { continue };
        for clause in conditions.flatten() {
            // A member that votes by a clause several times lists it once.
            if let Some(rows) = listed.get_mut(*clause as usize).filter(|rows| rows.last() != Some(row)) {
                rows.push(*row);
            }
        }
    }
    let mut members = bucket.members.clone();
    members.sort_unstable();
    let mut false_on = Vec::with_capacity(members.len());
    for ((clause, tests), mut listed) in (0_u32..).zip(&compiled.clauses).zip(listed) {
        listed.sort_unstable();
        listed.dedup();
        let Some(first) = listed.first().copied() else {
            found.add(Breach::ClauseUnused { bucket: place, clause })?;
            continue;
        };
        let class = ground.class(first);
        if let Some(other) = listed.iter().find(|row| ground.class(**row) != class) {
            let (row, other) = (ground.name(first), ground.name(*other));
            found.add(Breach::ClauseOfTwoClasses { bucket: place, clause, row, other })?;
        }
        false_on.clear();
        false_on.extend_from_slice(&members);
        bound.all_false(tests, &mut false_on);
        if let Some(row) = first_not_in(&listed, &false_on) {
            found.add(Breach::ClauseTrue { bucket: place, clause, row: ground.name(row) })?;
        }
        if let Some(row) = first_not_in(&false_on, &listed) {
            let own = ground.class(row) == class;
            let row = ground.name(row);
            found.add(if own {
                Breach::ClauseNotListed { bucket: place, clause, row }
            } else {
                Breach::ClauseFalse { bucket: place, clause, row }
            })?;
        }
    }
    ControlFlow::Continue(())
}

/// Invariant 5.
fn votes(ground: &Ground<'_>, bucket: &Local<'_>, found: &mut Found) -> ControlFlow<()> {
    let place = bucket.place;
    let mut conditions = vec![Conditions::none(bucket.lookalikes); bucket.members.len()];
    for (position, listed) in bucket.lookalikes.iter() {
        if let Some(entry) = conditions.get_mut(position as usize) {
            *entry = listed;
        }
    }
    let mut classes = bucket.members.iter().map(|row| ground.class(*row));
    let first = classes.next();
    let several = classes.any(|class| Some(class) != first);
    let anybody = conditions.iter().any(|listed| listed.clone().any(<[u32]>::is_empty));
    for (row, listed) in bucket.members.iter().zip(&conditions) {
        let row = ground.name(*row);
        if several && listed.clone().any(<[u32]>::is_empty) {
            return found.add(Breach::AlwaysVotes { bucket: place, row });
        }
        if several && listed.len() == 0 {
            return found.add(Breach::NoClause { bucket: place, row });
        }
        // A member's own clauses are false on it, so that a member with a condition votes for itself.
        if !several && !anybody && listed.len() == 0 {
            return found.add(Breach::NoVote { bucket: place, row });
        }
    }
    ControlFlow::Continue(())
}

/// The first of `rows` that is not in `others`; both ascending.
fn first_not_in(rows: &[u32], others: &[u32]) -> Option<u32> {
    let mut others = others.iter().peekable();
    rows.iter().copied().find(|row| {
        while others.next_if(|other| *other < row).is_some() {}
        others.peek() != Some(&row)
    })
}
