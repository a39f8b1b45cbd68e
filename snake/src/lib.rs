//! The learner and the model of OpenDiPaCo: Snakes.
//!
//! A Snake is a list of **layers**. A layer is an IF / ELIF / ELSE chain of **buckets**. A bucket has a condition (an
//! AND of **literals**, each a test of one column), the training rows that were routed to it (its **members**), a list
//! of **clauses** (each an OR of literals) and, per member, the clauses that this member makes false. To predict a row,
//! walk each layer's chain to the first bucket whose condition holds; every member whose listed clauses are all false
//! on the row too is a **lookalike** and votes for its own target. Every vote names a training row and the literals that
//! made it a lookalike, so every prediction can be audited.
//!
//! The crate is pure: no files, sockets, clocks or terminals. Random numbers, readers and writers are passed in, and the
//! same input gives the same bytes on any machine with any number of threads.
//!
//! | room | what it is about |
//! |---|---|
//! | `schema`, `table`, `batch`, `value` | columns: of a shard to train on ([`Table`]), of rows to predict ([`RowBatch`]) |
//! | `literal`, `measure`, `text` | literals: their form in files and reports, what they say of a value |
//! | `bucket`, `lookalikes`, `settings`, `profile`, `stream`, `cancel` | what training is asked for and what it makes ([`UnitBuckets`]) |
//! | `train`, `bits` | from a shard's table to the buckets of a layer ([`train_unit`]) |
//! | `model`, `file` | a whole [`Model`], and `model.json` as an interchange format: read, or written piece by piece ([`ModelWriter`]) |
//! | `program`, `predict`, `candle` | literals compiled for columns, chains walked and votes counted for many rows at once ([`Predictor`]) |
//! | `audit`, `overview`, `readable` | why a row is predicted as it is ([`Audit`]), what is in a model ([`Overview`]), and literals as formulas for people |
//! | `metrics` | how good predictions were |
//! | `certificate` | whether a layer keeps the format's promises, checked without training it ([`certify_unit`], [`certify_layer`]) |
//!
//! ```
//! use snake::{Model, Predictor, RowBatchBuilder, Value};
//!
//! let file = br#"{"header": ["colour", "size"], "target": "colour", "datatypes": ["T", "N"],
//!     "population": [{"colour": "red", "size": 1.0}, {"colour": "blue", "size": 5.0}],
//!     "targets": ["red", "blue"],
//!     "layers": [[{"condition": null, "members": [0, 1],
//!         "clauses": [[[1, 5.0, true, "N"]], [[1, 5.0, false, "N"]]],
//!         "lookalikes": {"0": [[0]], "1": [[1]]}}]]}"#;
//! let model = Model::read(file)?;
//! let predictor = Predictor::new(&model)?;
//! let mut rows = RowBatchBuilder::new(&model.head.features);
//! rows.push(&[Value::Number(2.0)])?;
//! let prediction = &predictor.predict_with_lookalikes(&rows.take())[0];
//! assert_eq!(predictor.classes()[prediction.class as usize], model.targets[0]);
//! assert_eq!(prediction.lookalikes.as_ref().map(|voters| voters[0].row), Some(0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod audit;
mod batch;
mod bits;
mod bucket;
mod cancel;
mod candle;
mod certificate;
mod file;
mod literal;
mod lookalikes;
mod measure;
mod metrics;
mod model;
mod overview;
mod predict;
mod profile;
mod program;
mod readable;
mod schema;
mod settings;
mod stream;
mod table;
mod text;
mod train;
mod value;

pub use audit::{Audit, AuditVote, Fact, LayerAudit, RoutingStep, Rule};
pub use batch::{BatchError, RowBatch, RowBatchBuilder};
pub use bucket::{Bucket, Origin, UnitBuckets};
pub use cancel::Cancel;
pub use candle::Candle;
pub use certificate::{
    Breach, Certificate, LayerError, Survey, certify_layer, certify_layer_over, certify_unit, survey_layer,
};
pub use file::ModelWriter;
pub use literal::{
    Clause, Comparison, Frequencies, Interval, Literal, Measure, Quote, Reference, Standardised, Test,
    TextTest, Unknown,
};
pub use lookalikes::{Conditions, Lookalikes, VoteCondition};
pub use metrics::{
    CALIBRATION_BINS, CalibrationBin, ClassMetrics, ClassScorer, Confusion, LOG_LOSS_CLIP, NumberMetrics,
    NumberScorer,
};
pub use model::{BucketFault, Config, FORMAT_VERSION, Head, Layer, Model, ModelError, TrainingRows};
pub use overview::{FeatureUse, KindUse, LargeClause, LayerOverview, Overview, Spread};
pub use predict::{Lookalike, Prediction, Predictor};
pub use profile::{Profile, TextStatistics, UnknownProfile};
pub use readable::{and_formula, and_parts, column_text, disturbs, or_formula, quoted, short_number};
pub use schema::{Feature, FeatureKind, Label, Schema, TargetKind};
pub use settings::{SettingsError, Training};
pub use stream::{Stream, UnitSeed};
pub use table::{
    Cell, Column, ColumnsError, Table, TableBuilder, TableError, TargetColumn, TargetValue, TextColumn,
};
pub use text::number_text;
pub use train::{Prepared, TrainError, UnitJob, train_unit};
pub use value::Value;
