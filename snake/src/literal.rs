//! A literal: one test of one column, the atom of conditions and clauses.

mod codec;
mod evaluate;
mod quote;

pub use quote::Quote;

/// A test of one column of a row, or its opposite.
///
/// In files and reports it is the array `[column, value, negated, kind]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Literal {
    /// The column's position in the header: the target is 0, features start at 1.
    pub column: u32,
    /// Whether the opposite of the test is meant. A row without the column makes both false.
    pub negated: bool,
    /// The test.
    pub test: Test,
}

/// What a literal asks of a value.
///
/// A large model has millions of these, so one takes 16 bytes: what is rare and larger lies in a box.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// `value > measure`; negated: `value <= measure`.
    Threshold(Measure, f64),
    /// A comparison with a reference text and a threshold.
    Reference(Comparison, Box<Reference>),
    /// Character frequencies: chi-square distance to the reference shares is at least the threshold (kind CFC).
    Frequencies(Box<Frequencies>),
    /// `(x - mean) / deviation < threshold` (kind NZ).
    Standardised(Box<Standardised>),
    /// A text test: contains, equals, starts or ends with.
    Text(TextTest, Quote),
    /// The number is 0 (kind NZR).
    Zero,
    /// Plain: not (`low < x <= high`); negated: `low < x <= high` (kind NRG).
    Range(Box<Interval>),
    /// A kind this version does not know: false, whatever `negated` says. Kept so that a file survives a round trip.
    Unknown(Box<Unknown>),
}

/// What [`Test::Reference`] compares with.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// The text.
    pub text: Quote,
    /// The threshold of the comparison's measure.
    pub threshold: f64,
}

/// What [`Test::Frequencies`] compares with.
#[derive(Debug, Clone, PartialEq)]
pub struct Frequencies {
    /// The shares of characters.
    pub shares: Vec<(char, f64)>,
    /// The least distance.
    pub threshold: f64,
}

/// What [`Test::Standardised`] compares with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standardised {
    /// The mean.
    pub mean: f64,
    /// The deviation.
    pub deviation: f64,
    /// The threshold.
    pub threshold: f64,
}

/// The range of [`Test::Range`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Exclusive lower end.
    pub low: f64,
    /// Inclusive upper end.
    pub high: f64,
}

/// The kind of a [`Test::Unknown`].
#[derive(Debug, Clone, PartialEq)]
pub struct Unknown {
    /// The kind's name.
    pub kind: Box<str>,
    /// Its value as read.
    pub value: serde_json::Value,
}

impl Test {
    /// [`Test::Reference`].
    #[must_use]
    pub fn reference(comparison: Comparison, text: impl Into<Quote>, threshold: f64) -> Self {
        Self::Reference(comparison, Box::new(Reference { text: text.into(), threshold }))
    }

    /// [`Test::Frequencies`].
    #[must_use]
    pub fn frequencies(shares: Vec<(char, f64)>, threshold: f64) -> Self {
        Self::Frequencies(Box::new(Frequencies { shares, threshold }))
    }

    /// [`Test::Standardised`].
    #[must_use]
    pub fn standardised(mean: f64, deviation: f64, threshold: f64) -> Self {
        Self::Standardised(Box::new(Standardised { mean, deviation, threshold }))
    }

    /// [`Test::Range`].
    #[must_use]
    pub fn range(low: f64, high: f64) -> Self {
        Self::Range(Box::new(Interval { low, high }))
    }
}

/// A number taken of a row's value, compared with a threshold. Named as the model format names the kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Measure {
    N,
    Nd,
    Nl,
    Nmg,
    Tn,
    Tln,
    Tws,
    Tps,
    Tss,
    Tuc,
    Tdc,
    Tsc,
    Ent,
    Hex,
    Rep,
    Tvr,
}

/// How a text is compared with a reference text. Named as the model format names the kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Comparison {
    Lev,
    Jac,
    Sim,
    Pfx,
    Sfx,
}

/// A test of a text against a fixed text. Named as the model format names the kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum TextTest {
    /// T
    Contains,
    /// TEQ
    Equals,
    /// TSW
    StartsWith,
    /// TEW
    EndsWith,
}

/// An OR of literals. Without literals it is false.
pub type Clause = Vec<Literal>;
