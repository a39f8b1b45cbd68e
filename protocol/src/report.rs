//! A report: a unit's buckets as bytes, and what names them.
//!
//! The body is canonical CBOR made of arrays and numbers, so that its bytes follow from the buckets alone:
//!
//! ```text
//! report    = [1, [literal, ..], [bucket, ..]]
//! literal   = [column, value, negated, kind]       every distinct one once, in order of first use
//! bucket    = [condition, core, noise, clauses, votes]
//! condition = null | [position in literals, ..]
//! core      = [ordinal, gap, ..]                   a gap is the difference to the one before, less 1
//! noise     = the same
//! clauses   = [[position in literals, ..], ..]
//! votes     = [[vote, ..], ..]                     one list per member, core members first
//! vote      = position in clauses | [position, ..] a list only where it has not exactly one position
//! ```
//!
//! Floats are finite, and negative zero is written as zero.

use std::collections::BTreeMap;
use std::mem::size_of;

use snake::{
    Bucket, Frequencies, Interval, Literal, Lookalikes, Origin, Reference, Standardised, Test, UnitBuckets,
};
use spec::Fingerprint;

use crate::cbor::{self, Item, Reader, Wrong};
use crate::ids::ContentHash;
use crate::limits::{LITERAL_BYTES, ReportLimits};
use crate::unit::Unit;

const FORMAT: u64 = 1;
const DOMAIN: &str = "opendipaco report content v1";

/// What an entry of lookalikes takes in memory, what a clause in it does, and what the end of a condition does that is not one
/// clause, in bytes: a list may have twice the room that it needs.
const LOOKALIKE: usize = 2 * size_of::<u32>();
const VOTE: usize = 2 * size_of::<u32>();
const BORDER: usize = 2 * size_of::<u32>();

/// What an allocation takes besides what is in it, in bytes.
const HEAP: usize = 16;

/// Buckets that can't be written as a report. Training never makes such.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bucket {bucket} can't be reported: {reason}")]
pub struct ReportEncodeError {
    /// Which bucket, from 0.
    pub bucket: usize,
    /// What is wrong.
    pub reason: &'static str,
}

/// Bytes that are no report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReportDecodeError {
    /// More bytes than a report of this path may have.
    #[error("a report of this path has at most {limit} bytes; this one has {bytes}")]
    TooLarge {
        /// How many it has.
        bytes: u64,
        /// How many it may have.
        limit: u64,
    },
    /// It would unfold to more memory than a report of this path may take.
    #[error("this report would take more than {limit} bytes of memory, which is more than this path allows")]
    TooMuch {
        /// How many it may take.
        limit: u64,
    },
    /// Written by a later version.
    #[error("this report has format {found} and this program knows {FORMAT}: it needs a newer version")]
    Version {
        /// The report's format.
        found: u64,
    },
    /// Not a report, or not its canonical form.
    #[error("these bytes are no report in canonical form (bucket {bucket})")]
    Malformed {
        /// The bucket that could not be read; 0 also for what stands before the buckets.
        bucket: usize,
    },
}

/// Writes a unit's buckets.
///
/// # Errors
/// [`ReportEncodeError`] for what training never makes: members out of order, a number that is not finite, a kind of
/// literal that is not known, an entry of lookalikes too many or too few.
pub fn encode_report(buckets: &[Bucket<u64>]) -> Result<Vec<u8>, ReportEncodeError> {
    let mut literals = Literals::default();
    let mut body = Vec::new();
    cbor::array(&mut body, buckets.len());
    for (index, bucket) in buckets.iter().enumerate() {
        encode_bucket(&mut body, &mut literals, bucket)
            .map_err(|reason| ReportEncodeError { bucket: index, reason })?;
    }
    let mut out = Vec::with_capacity(body.len() + literals.bytes.len() + 16);
    cbor::array(&mut out, 3);
    cbor::unsigned(&mut out, FORMAT);
    cbor::array(&mut out, literals.positions.len());
    out.extend_from_slice(&literals.bytes);
    out.extend_from_slice(&body);
    Ok(out)
}

/// Reads a unit's buckets. What they say is not checked: see [`check_report`](crate::check_report).
///
/// # Errors
/// [`ReportDecodeError`]: size first, then form, then that writing the buckets again gives the same bytes.
pub fn decode_report(bytes: &[u8], limits: ReportLimits) -> Result<UnitBuckets, ReportDecodeError> {
    if bytes.len() as u64 > limits.bytes {
        return Err(ReportDecodeError::TooLarge { bytes: bytes.len() as u64, limit: limits.bytes });
    }
    let mut reader = Reader::new(bytes, limits.memory);
    let error = |bucket, wrong| match wrong {
        Wrong::Form => ReportDecodeError::Malformed { bucket },
        Wrong::Budget => ReportDecodeError::TooMuch { limit: limits.memory },
    };
    let format = decode_start(&mut reader).map_err(|wrong| error(0, wrong))?;
    if format != FORMAT {
        return Err(ReportDecodeError::Version { found: format });
    }
    let literals = decode_literals(&mut reader).map_err(|wrong| error(0, wrong))?;
    let count = reader.array().map_err(|wrong| error(0, wrong))?;
    let mut buckets = reader.room(count).map_err(|wrong| error(0, wrong))?;
    for index in 0..count {
        buckets.push(decode_bucket(&mut reader, &literals).map_err(|wrong| error(index, wrong))?);
    }
    reader.end().map_err(|wrong| error(count, wrong))?;
    match encode_report(&buckets) {
        Ok(again) if again == bytes => Ok(buckets),
        Ok(_) => Err(ReportDecodeError::Malformed { bucket: 0 }),
        Err(ReportEncodeError { bucket, .. }) => Err(ReportDecodeError::Malformed { bucket }),
    }
}

/// What names a unit's content: BLAKE3 over a domain string, the spec's fingerprint, path, layer and part (4 bytes each,
/// little endian) and the report's bytes, each of the four preceded by its length as 8 bytes, little endian.
///
/// Who made it, for which replica, when and under which claim is not part of it.
#[must_use]
pub fn content_hash(fingerprint: &Fingerprint, unit: Unit, report: &[u8]) -> ContentHash {
    let mut place = [0; 12];
    for (bytes, number) in place.chunks_exact_mut(4).zip([unit.path, unit.layer, unit.part]) {
        bytes.copy_from_slice(&number.to_le_bytes());
    }
    let mut hasher = blake3::Hasher::new();
    for part in [DOMAIN.as_bytes(), fingerprint.as_bytes(), &place, report] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    ContentHash::from_bytes(*hasher.finalize().as_bytes())
}

/// Every distinct literal, by its bytes.
#[derive(Default)]
struct Literals {
    positions: BTreeMap<Vec<u8>, u64>,
    bytes: Vec<u8>,
    /// Room for the literal that is looked up: most are there already, and a report has very many.
    one: Vec<u8>,
}

impl Literals {
    fn write(&mut self, out: &mut Vec<u8>, literals: &[Literal]) -> Result<(), &'static str> {
        cbor::array(out, literals.len());
        for literal in literals {
            if matches!(literal.test, Test::Unknown(_)) {
                return Err("a literal is of a kind that this version does not know");
            }
            self.one.clear();
            serde_cbor::to_writer(&mut self.one, literal)
                .map_err(|_| "a literal holds a number that is not finite")?;
            if self.one.len() > LITERAL_BYTES {
                return Err("a literal is larger than a report may quote");
            }
            let next = self.positions.len() as u64;
            let position = match self.positions.get(&self.one) {
                Some(position) => *position,
                None => {
                    self.bytes.extend_from_slice(&self.one);
                    self.positions.insert(self.one.clone(), next);
                    next
                }
            };
            cbor::unsigned(out, position);
        }
        Ok(())
    }
}

fn encode_bucket(
    out: &mut Vec<u8>,
    literals: &mut Literals,
    bucket: &Bucket<u64>,
) -> Result<(), &'static str> {
    cbor::array(out, 5);
    match &bucket.condition {
        None => cbor::null(out),
        Some(condition) => literals.write(out, condition)?,
    }
    if bucket.origins.len() != bucket.members.len() {
        return Err("it has not one origin per member");
    }
    let core = bucket.origins.iter().take_while(|origin| **origin == Origin::Core).count();
    let (core, noise) = bucket.members.split_at_checked(core).ok_or("it has not one origin per member")?;
    if bucket.origins.iter().skip(core.len()).any(|origin| *origin == Origin::Core) {
        return Err("a core member stands after a noise member");
    }
    encode_ordinals(out, core)?;
    encode_ordinals(out, noise)?;
    cbor::array(out, bucket.clauses.len());
    for clause in &bucket.clauses {
        literals.write(out, clause)?;
    }
    if bucket.lookalikes.len() != bucket.members.len() {
        return Err("it has not one entry of lookalikes per member");
    }
    cbor::array(out, bucket.lookalikes.len());
    for (position, (member, votes)) in bucket.lookalikes.iter().enumerate() {
        if member as usize != position {
            return Err("its lookalikes are not in the order of its members");
        }
        cbor::array(out, votes.len());
        for vote in votes {
            if vote.len() != 1 {
                cbor::array(out, vote.len());
            }
            for clause in vote {
                cbor::unsigned(out, u64::from(*clause));
            }
        }
    }
    Ok(())
}

fn encode_ordinals(out: &mut Vec<u8>, ordinals: &[u64]) -> Result<(), &'static str> {
    cbor::array(out, ordinals.len());
    let mut least = Some(0_u64);
    for ordinal in ordinals {
        let gap =
            least.and_then(|least| ordinal.checked_sub(least)).ok_or("its members are not ascending")?;
        cbor::unsigned(out, gap);
        least = ordinal.checked_add(1);
    }
    Ok(())
}

fn decode_start(reader: &mut Reader<'_>) -> Result<u64, Wrong> {
    match reader.array()? {
        3 => reader.unsigned(),
        _ => Err(Wrong::Form),
    }
}

fn decode_literals(reader: &mut Reader<'_>) -> Result<Vec<Literal>, Wrong> {
    let count = reader.array()?;
    let mut literals = reader.room(count)?;
    for _ in 0..count {
        let bytes = reader.raw(LITERAL_BYTES)?;
        let literal: Literal = serde_cbor::from_slice(bytes).map_err(|_| Wrong::Form)?;
        if matches!(literal.test, Test::Unknown(_)) {
            return Err(Wrong::Form);
        }
        reader.charge(quoted(&literal).saturating_add(boxed(&literal)))?;
        literals.push(literal);
    }
    Ok(literals)
}

/// What every copy of a literal takes besides its own size: a box, and what is not shared.
fn boxed(literal: &Literal) -> usize {
    match &literal.test {
        Test::Reference(..) => size_of::<Reference>() + HEAP,
        Test::Frequencies(other) => {
            let shares = other.shares.len().saturating_mul(size_of::<(char, f64)>());
            shares.saturating_add(size_of::<Frequencies>() + 2 * HEAP)
        }
        Test::Standardised(_) => size_of::<Standardised>() + HEAP,
        Test::Range(_) => size_of::<Interval>() + HEAP,
        Test::Text(..) | Test::Threshold(..) | Test::Zero | Test::Unknown(_) => 0,
    }
}

/// What a literal's text takes, which its copies share: the text, and what counts and points to it.
fn quoted(literal: &Literal) -> usize {
    match &literal.test {
        Test::Reference(_, reference) => reference.text.len().saturating_add(4 * HEAP),
        Test::Text(_, text) => text.len().saturating_add(4 * HEAP),
        _ => 0,
    }
}

fn decode_positions(
    reader: &mut Reader<'_>,
    count: usize,
    literals: &[Literal],
) -> Result<Vec<Literal>, Wrong> {
    let mut list = reader.room(count)?;
    for _ in 0..count {
        let position = usize::try_from(reader.unsigned()?).map_err(|_| Wrong::Form)?;
        let literal = literals.get(position).ok_or(Wrong::Form)?;
        reader.charge(boxed(literal))?;
        list.push(literal.clone());
    }
    Ok(list)
}

fn decode_bucket(reader: &mut Reader<'_>, literals: &[Literal]) -> Result<Bucket<u64>, Wrong> {
    if reader.array()? != 5 {
        return Err(Wrong::Form);
    }
    let condition = match reader.item()? {
        Item::Null => None,
        Item::Array(count) => Some(decode_positions(reader, count, literals)?),
        Item::Unsigned(_) => return Err(Wrong::Form),
    };
    let mut members = decode_ordinals(reader)?;
    let core = members.len();
    let noise = decode_ordinals(reader)?;
    let mut origins = reader.room(core + noise.len())?;
    origins.resize(core, Origin::Core);
    origins.resize(core + noise.len(), Origin::Noise);
    reader.charge(noise.len().saturating_mul(size_of::<u64>()))?;
    members.extend_from_slice(&noise);
    let count = reader.array()?;
    let mut clauses = reader.room(count)?;
    for _ in 0..count {
        let count = reader.array()?;
        clauses.push(decode_positions(reader, count, literals)?);
    }
    let count = reader.array()?;
    if count != members.len() {
        return Err(Wrong::Form);
    }
    let mut lookalikes = Lookalikes::new();
    let mut borders = false;
    for position in 0..count {
        reader.charge(LOOKALIKE)?;
        lookalikes.begin(u32::try_from(position).map_err(|_| Wrong::Form)?);
        decode_votes(reader, &mut lookalikes, &mut borders)?;
    }
    Ok(Bucket { condition, members, origins, clauses, lookalikes })
}

fn decode_ordinals(reader: &mut Reader<'_>) -> Result<Vec<u64>, Wrong> {
    let count = reader.array()?;
    let mut ordinals = reader.room(count)?;
    let mut least = Some(0_u64);
    for _ in 0..count {
        let gap = reader.unsigned()?;
        let ordinal = least.and_then(|least| least.checked_add(gap)).ok_or(Wrong::Form)?;
        ordinals.push(ordinal);
        least = ordinal.checked_add(1);
    }
    Ok(ordinals)
}

/// `borders`: whether the end of every condition is kept, as it is from the first empty one on.
fn decode_votes(
    reader: &mut Reader<'_>,
    lookalikes: &mut Lookalikes,
    borders: &mut bool,
) -> Result<(), Wrong> {
    let mut vote = Vec::new();
    for _ in 0..reader.array()? {
        vote.clear();
        match reader.item()? {
            Item::Unsigned(clause) => vote.push(u32::try_from(clause).map_err(|_| Wrong::Form)?),
            Item::Array(count) => {
                for _ in 0..count {
                    reader.charge(VOTE)?;
                    vote.push(reader.small()?);
                }
            }
            Item::Null => return Err(Wrong::Form),
        }
        if vote.is_empty() && !*borders {
            *borders = true;
            reader.charge(lookalikes.conditions().saturating_mul(BORDER))?;
        }
        // One byte of the report makes one condition at least, so a condition costs something whatever is in it.
        reader.charge(VOTE + if *borders { BORDER } else { 0 })?;
        lookalikes.push(&vote);
    }
    Ok(())
}
