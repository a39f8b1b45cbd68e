//! The learner and the model of OpenDiPaCo.

mod batch;
mod bits;
mod bucket;
mod cancel;
mod candle;
mod file;
mod literal;
mod measure;
mod model;
mod predict;
mod profile;
mod program;
mod schema;
mod settings;
mod stream;
mod table;
mod text;
mod train;
mod value;

pub use batch::{BatchError, RowBatch, RowBatchBuilder};
pub use bucket::{Bucket, Origin, UnitBuckets, VoteCondition};
pub use cancel::Cancel;
pub use candle::Candle;
pub use file::ModelWriter;
pub use literal::{Clause, Comparison, Literal, Measure, Test, TextTest};
pub use model::{BucketFault, Config, FORMAT_VERSION, Head, Layer, Model, ModelError};
pub use predict::{Lookalike, Prediction, Predictor};
pub use profile::{Profile, TextStatistics, UnknownProfile};
pub use schema::{Feature, FeatureKind, Label, Schema, TargetKind};
pub use settings::{SettingsError, Training};
pub use stream::{Stream, UnitSeed};
pub use table::{Cell, Column, Table, TableBuilder, TableError, TargetColumn, TargetValue, TextColumn};
pub use text::number_text;
pub use value::Value;
pub use train::{Prepared, TrainError, UnitJob, train_unit};
