//! Running a recorded fit again and comparing.

use snake::Schema;

use crate::check::{FEATURIZER, check_fit};
use crate::data_spec::DataSpec;
use crate::error::RowsError;
use crate::fit::{Fitted, Sampler, fit};
use crate::routing::{KMeansFit, Routing};
use crate::run::PublicSource;
use crate::source::{RecordSource, SourceError};

/// What running the fit again has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RoutingVerdict {
    /// The fit came out the same to the last bit, or there is nothing to verify.
    Verified,
    /// The recorded fit is not what the source gives: refuse, and don't try again.
    Mismatch {
        /// What differs.
        differs: String,
    },
    /// The source now yields fewer rows than the router has paths: warn once, the shard hash decides.
    Unverifiable {
        /// Why.
        reason: String,
    },
}

/// Fits the spec's router again from the source and compares everything that routing depends on: sample, sampling,
/// seeds, dimensions, featurizer, schema, statistics, centroids and the number of rows. Of the source it reads what the
/// fit sees, so columns or values beyond a sample of the first rows are left to the shard's hash.
///
/// # Errors
/// [`SourceError`] when the source can't be read, which says nothing about the run
/// ([`is_refusal`](SourceError::is_refusal) is false).
pub fn verify_routing(
    spec: &DataSpec,
    description: &PublicSource,
    source: &dyn RecordSource,
) -> Result<RoutingVerdict, SourceError> {
    let recorded = match &spec.routing {
        Routing::RoundRobin { .. } => return Ok(RoutingVerdict::Verified),
        Routing::Unknown => return Ok(mismatch("the routing kind is unknown: it needs a newer version")),
        Routing::Kmeans(fit) => fit,
    };
    if recorded.featurizer != FEATURIZER {
        return Ok(mismatch("the featurizer is unknown: it needs a newer version"));
    }
    if let Err(error) = check_fit(recorded, &spec.schema) {
        return Ok(mismatch(error.to_string()));
    }
    let settings = &recorded.settings;
    let sample = Sampler::run(settings, &spec.schema, description, source);
    match sample.and_then(|sample| fit(settings, &sample, &spec.schema, description, source)) {
        Ok(Fitted::Fit(found)) => Ok(compare(recorded, &found, &spec.schema)),
        Ok(Fitted::TooFewRows { rows }) => Ok(RoutingVerdict::Unverifiable {
            reason: format!("the source now yields {rows} rows for a router of {} paths", settings.paths),
        }),
        // Once more than was recorded is also more than a fit holds.
        Ok(Fitted::TooManyRows { rows }) => {
            Ok(mismatch(format!("the number of rows the fit saw: {} recorded, {rows} found", recorded.rows)))
        }
        Err(RowsError::Source(error)) if error.is_refusal() => Ok(mismatch(format!("the source: {error}"))),
        Err(RowsError::Source(error)) => Err(error),
        Err(RowsError::Header(error)) => Ok(mismatch(format!("the schema: {error}"))),
        Err(RowsError::Row(error)) => Ok(mismatch(format!("the schema: {error}"))),
    }
}

fn mismatch(differs: impl Into<String>) -> RoutingVerdict {
    RoutingVerdict::Mismatch { differs: differs.into() }
}

fn compare(recorded: &KMeansFit, found: &KMeansFit, schema: &Schema) -> RoutingVerdict {
    if recorded.rows != found.rows {
        return mismatch(format!(
            "the number of rows the fit saw: {} recorded, {} found",
            recorded.rows, found.rows
        ));
    }
    let bits = |value: f64| value.to_bits();
    for ((recorded, found), feature) in
        recorded.statistics.iter().zip(&found.statistics).zip(&schema.features)
    {
        if bits(recorded.mean) != bits(found.mean) || bits(recorded.deviation) != bits(found.deviation) {
            return mismatch(format!(
                "the statistics of column {:?}: mean {} and deviation {} recorded, {} and {} found",
                feature.name, recorded.mean, recorded.deviation, found.mean, found.deviation
            ));
        }
    }
    for (path, (recorded, found)) in recorded.centroids.iter().zip(&found.centroids).enumerate() {
        if recorded != found {
            return mismatch(format!("the centroid of path {path} (settings, seeds and schema go into it)"));
        }
    }
    // Whatever else there is, and may be added later.
    if recorded == found { RoutingVerdict::Verified } else { mismatch("the recorded fit") }
}
