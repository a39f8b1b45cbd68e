//! The learner and the model of OpenDiPaCo.

mod bucket;
mod cancel;
mod literal;
mod measure;
mod profile;
mod schema;
mod settings;
mod stream;
mod table;
mod text;
mod value;

pub use bucket::{Bucket, Origin, UnitBuckets, VoteCondition};
pub use cancel::Cancel;
pub use literal::{Clause, Comparison, Literal, Measure, Test, TextTest};
pub use profile::Profile;
pub use schema::{Feature, FeatureKind, Label, Schema, TargetKind};
pub use settings::Training;
pub use stream::{Stream, UnitSeed};
pub use table::{Cell, Column, Table, TableBuilder, TableError, TargetColumn, TargetValue, TextColumn};
pub use text::number_text;
pub use value::Value;
