//! The router: from a row to its path.

use snake::{Cell, Schema};

use crate::check::{FEATURIZER, check_fit, check_paths};
use crate::error::SpecError;
use crate::featurizer::Featurizer;
use crate::kmeans::{Vectors, is_narrow, nearest};
use crate::routing::Routing;

/// Sends rows to paths. It remembers texts it has seen (a bounded number), which changes nothing but the speed: clone
/// it to route on several threads.
#[derive(Debug, Clone)]
pub struct Router {
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    RoundRobin { paths: u64 },
    Kmeans { featurizer: Featurizer, centroids: Vec<i32>, narrow: bool, row: Vec<i32> },
}

impl Router {
    /// The router that a spec records.
    ///
    /// # Errors
    /// [`SpecError`] when the recorded fit is inconsistent with itself or the schema, or of a kind unknown here.
    pub fn new(routing: &Routing, schema: &Schema) -> Result<Self, SpecError> {
        let fit = match routing {
            Routing::Unknown => {
                return Err(SpecError::NewerVersion {
                    what: "the routing kind",
                    found: "of the manifest".into(),
                });
            }
            Routing::RoundRobin { paths } => {
                check_paths(*paths)?;
                return Ok(Self { kind: Kind::RoundRobin { paths: u64::from(*paths) } });
            }
            Routing::Kmeans(fit) => fit,
        };
        if fit.featurizer != FEATURIZER {
            return Err(SpecError::NewerVersion {
                what: "the featurizer",
                found: format!("{:?}", fit.featurizer.chars().take(80).collect::<String>()),
            });
        }
        check_fit(fit, schema)?;
        let settings = &fit.settings;
        let featurizer =
            Featurizer::new(schema, &fit.statistics, settings.dimensions, settings.featurizer_seed);
        // In range: the check has just seen to it.
        let centroids: Vec<i32> =
            fit.centroids.iter().flatten().map(|value| i32::try_from(*value).unwrap_or_default()).collect();
        let row = vec![0; featurizer.dimensions()];
        let narrow = is_narrow(&centroids);
        Ok(Self { kind: Kind::Kmeans { featurizer, centroids, narrow, row } })
    }

    /// The path of a row, from its ordinal (round robin) or its features in schema order, without `__path` (k-means).
    #[allow(clippy::cast_possible_truncation)]
    pub fn route(&mut self, ordinal: u64, cells: &[Cell<'_>]) -> u32 {
        match &mut self.kind {
            Kind::RoundRobin { paths } => (ordinal % *paths) as u32,
            Kind::Kmeans { centroids, row, .. } if centroids.len() == row.len() => 0,
            Kind::Kmeans { featurizer, centroids, narrow, row } => {
                featurizer.featurize(cells, row);
                nearest(row, Vectors { numbers: centroids, dimensions: row.len() }, *narrow).0
            }
        }
    }
}
