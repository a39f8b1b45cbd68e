//! A literal: one test of one column, the atom of conditions and clauses.

mod codec;
mod evaluate;

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
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    /// `value > measure`; negated: `value <= measure`.
    Threshold(Measure, f64),
    /// A comparison with a reference text and a threshold.
    Reference(Comparison, Box<str>, f64),
    /// Character frequencies: chi-square distance to the reference shares is at least the threshold (kind CFC).
    Frequencies(Vec<(char, f64)>, f64),
    /// `(x - mean) / deviation < threshold` (kind NZ).
    Standardised {
        /// The mean.
        mean: f64,
        /// The deviation.
        deviation: f64,
        /// The threshold.
        threshold: f64,
    },
    /// A text test: contains, equals, starts or ends with.
    Text(TextTest, Box<str>),
    /// The number is 0 (kind NZR).
    Zero,
    /// Plain: not (`low < x <= high`); negated: `low < x <= high` (kind NRG).
    Range {
        /// Exclusive lower end.
        low: f64,
        /// Inclusive upper end.
        high: f64,
    },
    /// A kind this version does not know: false, whatever `negated` says. Kept so that a file survives a round trip.
    Unknown {
        /// The kind's name.
        kind: Box<str>,
        /// Its value as read.
        value: Box<serde_json::Value>,
    },
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
