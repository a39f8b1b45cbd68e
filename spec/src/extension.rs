//! What a model file carries of its run, under the key `opendipaco`, so that whoever has the model can route rows.

use serde::{Deserialize, Serialize};
use snake::{Schema, Training};

use crate::check::check_schema;
use crate::data_spec::DataSpec;
use crate::error::SpecError;
use crate::route::Router;
use crate::routing::Routing;

/// The form of the key that is written here.
const FORMAT: u64 = 1;

/// Nothing about who signed, which run it was, or when: the same data and settings give the same bytes.
#[derive(Serialize, Deserialize)]
pub(crate) struct Extension {
    format: u64,
    pub(crate) spec: String,
    pub(crate) schema: Schema,
    pub(crate) routing: Routing,
    pub(crate) training: Training,
    pub(crate) paths: Vec<Path>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Path {
    pub(crate) rows: u64,
    pub(crate) hash: String,
}

/// The value of the key `opendipaco` for models of this spec.
pub(crate) fn extension(spec: &DataSpec) -> Result<serde_json::Value, SpecError> {
    let paths =
        spec.shards.iter().map(|shard| Path { rows: shard.rows, hash: shard.hash.to_string() }).collect();
    let extension = Extension {
        format: FORMAT,
        spec: spec.fingerprint()?.to_string(),
        schema: spec.schema.clone(),
        routing: spec.routing.clone(),
        training: spec.training.clone(),
        paths,
    };
    serde_json::to_value(extension).map_err(|error| SpecError::field("encoding", format!("no JSON: {error}")))
}

/// How a model's rows were routed, read back from its file.
#[derive(Debug, Clone)]
pub struct ModelRouting {
    /// The columns of the source, without `__path`.
    pub schema: Schema,
    /// The router with its whole fit.
    pub routing: Routing,
    router: Router,
}

impl ModelRouting {
    /// A router that sends rows (their features in schema order) where training sent them.
    #[must_use]
    pub fn router(&self) -> Router {
        self.router.clone()
    }
}

/// A model's key `opendipaco` can't be used: the model itself may be, on rows that have their `__path`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelRoutingError {
    /// It is of a later form.
    #[error(
        "the model's routing is of format {found}, this version knows {FORMAT}: use a newer version of opendipaco"
    )]
    NewerVersion {
        /// Its format.
        found: u64,
    },
    /// It is not of the form that it should have.
    #[error("the model's routing does not read: {reason}; get the model again from where it came")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// It contradicts itself.
    #[error("the model's routing can't be used: {0}")]
    Unusable(#[from] SpecError),
}

/// Reads the key `opendipaco` of a model file.
///
/// # Errors
/// [`ModelRoutingError`] when it is not what this version writes, or contradicts itself.
pub fn router_of_model(opendipaco: &serde_json::Value) -> Result<ModelRouting, ModelRoutingError> {
    let Extension { schema, routing, .. } = read_extension(opendipaco)?;
    check_schema(&schema)?;
    let router = Router::new(&routing, &schema)?;
    Ok(ModelRouting { schema, routing, router })
}

/// The key as it stands, of the form that this version knows.
pub(crate) fn read_extension(opendipaco: &serde_json::Value) -> Result<Extension, ModelRoutingError> {
    let malformed = |reason: String| ModelRoutingError::Malformed { reason };
    match opendipaco.get("format").and_then(serde_json::Value::as_u64) {
        Some(FORMAT) => {}
        Some(found) => return Err(ModelRoutingError::NewerVersion { found }),
        None => return Err(malformed("it has no format".into())),
    }
    Extension::deserialize(opendipaco).map_err(|error| malformed(error.to_string()))
}
