//! The learner and the model of OpenDiPaCo.

mod bits;
mod bucket;
mod cancel;
mod literal;
mod profile;
mod schema;
mod settings;
mod stream;
mod table;
mod train;

pub use bucket::{Bucket, Origin, UnitBuckets, VoteCondition};
pub use cancel::Cancel;
pub use literal::{Clause, Comparison, Literal, Measure, Test, TextTest};
pub use profile::{Profile, TextStatistics, UnknownProfile};
pub use schema::{Feature, FeatureKind, Label, Schema, TargetKind};
pub use settings::{SettingsError, Training};
pub use stream::{Stream, UnitSeed};
pub use table::{Cell, Column, Table, TableBuilder, TableError, TargetColumn, TargetValue, TextColumn};
pub use train::{Prepared, TrainError, UnitJob, train_unit};
