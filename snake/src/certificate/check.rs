//! The checks, over rows named by their place in columns.

use std::collections::BTreeMap;

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
}

impl Ground<'_> {
    fn name(&self, row: u32) -> u64 {
        self.names.and_then(|names| names.get(row as usize)).copied().unwrap_or(u64::from(row))
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

/// The order that training gives members and lookalikes.
pub(super) fn training_order(ground: &Ground<'_>, buckets: &[Local<'_>]) -> Result<(), Breach> {
    for bucket in buckets {
        if let Some(row) = repeated(ground, bucket) {
            return Err(Breach::MemberTwice { bucket: bucket.place, row });
        }
        let keys = bucket.members.iter().zip(bucket.origins).map(|(row, o)| (*o == Origin::Noise, *row));
        if !keys.is_sorted_by(|a, b| a < b) {
            return Err(Breach::MemberOrder { bucket: bucket.place });
        }
        let all = bucket.lookalikes.len() == bucket.members.len();
        if !all || (0_u32..).zip(bucket.lookalikes.iter()).any(|(position, entry)| entry.0 != position) {
            return Err(Breach::LookalikeOrder { bucket: bucket.place });
        }
    }
    Ok(())
}

/// A row that is a member twice.
fn repeated(ground: &Ground<'_>, bucket: &Local<'_>) -> Option<u64> {
    let mut rows = bucket.members.clone();
    rows.sort_unstable();
    let pair = rows.windows(2).find(|pair| pair.first() == pair.last());
    pair.and_then(|pair| pair.first()).map(|row| ground.name(*row))
}

/// Checks all five invariants.
pub(super) fn invariants(mut ground: Ground<'_>, buckets: &[Local<'_>]) -> Result<Certificate, Breach> {
    if buckets.is_empty() {
        return Err(Breach::NoBucket);
    }
    conditions(&ground, buckets)?;
    known_columns(&ground, buckets)?;
    let compiled: Vec<Compiled> = buckets.iter().map(|bucket| compile(&mut ground, bucket)).collect();
    let program = std::mem::take(&mut ground.program);
    let mut bound = program.bind(ground.columns);
    let chain = compiled.iter().map(|compiled| compiled.condition.as_deref());
    let (mut taken, rest) = bound.walk(chain, ground.rows);
    if let Some(row) = rest.first()
        && !ground.prefix.is_empty()
    {
        return Err(Breach::Unmatched { row: ground.name(*row) });
    }
    if let Some(last) = taken.last_mut() {
        last.extend(rest);
        last.sort_unstable();
    }
    let mut certificate = Certificate::default();
    for ((bucket, compiled), walked) in buckets.iter().zip(&compiled).zip(&taken) {
        members(&ground, &mut bound, bucket, compiled, walked)?;
        clauses(&ground, &mut bound, bucket, compiled)?;
        votes(&ground, bucket)?;
        certificate.buckets += 1;
        certificate.core += walked.len();
        certificate.noise += bucket.members.len() - walked.len();
        certificate.clauses += bucket.clauses.len();
    }
    Ok(certificate)
}

/// Invariant 1.
fn conditions(ground: &Ground<'_>, buckets: &[Local<'_>]) -> Result<(), Breach> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for bucket in buckets {
        let place = bucket.place;
        let Some(condition) = bucket.condition else {
            if place + 1 != buckets.len() || !ground.prefix.is_empty() {
                return Err(Breach::NullCondition { bucket: place });
            }
            continue;
        };
        if condition.is_empty() {
            return Err(Breach::EmptyCondition { bucket: place });
        }
        if !condition.starts_with(ground.prefix) {
            return Err(Breach::Prefix { bucket: place });
        }
        let written = serde_json::to_string(condition).map_err(|_| Breach::NotFinite { bucket: place })?;
        if let Some(other) = seen.insert(written, place) {
            return Err(Breach::SameCondition { bucket: place, other });
        }
    }
    Ok(())
}

/// Every literal is over a column of the shard, or is of the prefix.
fn known_columns(ground: &Ground<'_>, buckets: &[Local<'_>]) -> Result<(), Breach> {
    for bucket in buckets {
        let literals = bucket.condition.into_iter().chain(bucket.clauses.iter().map(Vec::as_slice)).flatten();
        for literal in literals.filter(|literal| !ground.prefix.contains(literal)) {
            if literal.column == 0 || literal.column as usize > ground.columns.len() {
                return Err(Breach::ForeignColumn { bucket: bucket.place, column: literal.column });
            }
        }
    }
    Ok(())
}

struct Compiled {
    condition: Option<Tests>,
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
        condition: bucket.condition.map(&mut tests),
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
) -> Result<(), Breach> {
    let place = bucket.place;
    if let Some(row) = repeated(ground, bucket) {
        return Err(Breach::MemberTwice { bucket: place, row });
    }
    let core = bucket.of(Origin::Core);
    if let Some(row) = first_not_in(&core, walked) {
        return Err(Breach::NotRouted { bucket: place, row: ground.name(row) });
    }
    if let Some(row) = first_not_in(walked, &core) {
        return Err(Breach::NotCore { bucket: place, row: ground.name(row) });
    }
    if core.is_empty() {
        return Err(Breach::NoCore { bucket: place });
    }
    let noise = bucket.of(Origin::Noise);
    let mut inside = noise.clone();
    bound.all_true(compiled.condition.as_deref().unwrap_or(&[]), &mut inside);
    match first_not_in(&noise, &inside) {
        Some(row) => Err(Breach::NoiseOutside { bucket: place, row: ground.name(row) }),
        None => Ok(()),
    }
}

/// Invariant 4.
fn clauses(
    ground: &Ground<'_>,
    bound: &mut Bound<'_>,
    bucket: &Local<'_>,
    compiled: &Compiled,
) -> Result<(), Breach> {
    let place = bucket.place;
    let mut listed: Vec<Vec<u32>> = vec![Vec::new(); bucket.clauses.len()];
    for (position, conditions) in bucket.lookalikes.iter() {
        let Some(row) = bucket.members.get(position as usize) else { continue };
        for clause in conditions.flatten() {
            if let Some(rows) = listed.get_mut(*clause as usize) {
                rows.push(*row);
            }
        }
    }
    let mut members = bucket.members.clone();
    members.sort_unstable();
    let mut found = Vec::with_capacity(members.len());
    for ((clause, tests), mut listed) in (0_u32..).zip(&compiled.clauses).zip(listed) {
        listed.sort_unstable();
        listed.dedup();
        let Some(first) = listed.first().copied() else {
            return Err(Breach::ClauseUnused { bucket: place, clause });
        };
        let class = ground.class(first);
        if let Some(other) = listed.iter().find(|row| ground.class(**row) != class) {
            return Err(Breach::ClauseOfTwoClasses {
                bucket: place,
                clause,
                row: ground.name(first),
                other: ground.name(*other),
            });
        }
        found.clear();
        found.extend_from_slice(&members);
        bound.all_false(tests, &mut found);
        if let Some(row) = first_not_in(&listed, &found) {
            return Err(Breach::ClauseTrue { bucket: place, clause, row: ground.name(row) });
        }
        if let Some(row) = first_not_in(&found, &listed) {
            let own = ground.class(row) == class;
            let row = ground.name(row);
            return Err(if own {
                Breach::ClauseNotListed { bucket: place, clause, row }
            } else {
                Breach::ClauseFalse { bucket: place, clause, row }
            });
        }
    }
    Ok(())
}

/// Invariant 5.
fn votes(ground: &Ground<'_>, bucket: &Local<'_>) -> Result<(), Breach> {
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
            return Err(Breach::AlwaysVotes { bucket: place, row });
        }
        if several && listed.len() == 0 {
            return Err(Breach::NoClause { bucket: place, row });
        }
        // A member's own clauses are false on it, so that a member with a condition votes for itself.
        if !several && !anybody && listed.len() == 0 {
            return Err(Breach::NoVote { bucket: place, row });
        }
    }
    Ok(())
}

/// The first of `rows` that is not in `others`; both ascending.
fn first_not_in(rows: &[u32], others: &[u32]) -> Option<u32> {
    let mut others = others.iter().peekable();
    rows.iter().copied().find(|row| {
        while others.next_if(|other| *other < row).is_some() {}
        others.peek() != Some(&row)
    })
}
