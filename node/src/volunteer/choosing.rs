//! Choosing the run to take: the one that peers show, or the one that was asked for.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use protocol::{Manifest, PeerKey, RunId};

use crate::exit::{Refused, Usage};

/// What a person asked for.
#[derive(Debug, Default)]
pub(crate) struct Choice {
    /// Only runs of this operator.
    pub(crate) operator: Option<PeerKey>,
    /// A run id, the start of one, or a name.
    pub(crate) run: Option<String>,
}

/// Chooses among the runs that are known. `None`: none fits yet, more may come.
///
/// # Errors
/// [`Refused`] when a run fits but is not the operator's, [`Usage`] when several fit.
pub(crate) fn choose(choice: &Choice, runs: &BTreeMap<RunId, Arc<Manifest>>) -> Result<Option<Arc<Manifest>>> {
    let named: Vec<&Arc<Manifest>> = runs.values().filter(|manifest| is_named(choice, manifest)).collect();
    let fitting: Vec<&Arc<Manifest>> = named
        .iter()
        .copied()
        .filter(|manifest| choice.operator.is_none_or(|operator| manifest.operator() == operator))
        .collect();
    match (fitting.as_slice(), named.first(), choice.operator) {
        ([one], _, _) => Ok(Some(Arc::clone(one))),
        ([], Some(other), Some(operator)) => Err(Refused(format!(
            "run {} ({}) is signed by {}, not by the operator {operator}: nothing of it was read",
            other.title(),
            other.run().short(),
            other.operator()
        ))
        .into()),
        ([], _, _) => Ok(None),
        (several, _, _) => {
            let list: Vec<String> =
                several.iter().map(|manifest| format!("  --run {}   {}", manifest.run().short(), manifest.title())).collect();
            Err(Usage(format!("several runs are open; choose one:\n{}", list.join("\n"))).into())
        }
    }
}

fn is_named(choice: &Choice, manifest: &Manifest) -> bool {
    let Some(asked) = &choice.run else { return true };
    let id = manifest.run().to_string();
    let by_id = asked.len() >= 4 && id.starts_with(&asked.to_lowercase());
    by_id || *asked == manifest.body().name || *asked == manifest.title()
}
