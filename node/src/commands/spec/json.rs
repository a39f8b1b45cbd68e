//! A manifest as one JSON object. `docs/operator.md` has its shape.

use anyhow::Result;
use protocol::Manifest;
use serde_json::{Value, json};
use spec::Routing;

/// All of it but the fit itself.
pub(super) fn facts(manifest: &Manifest) -> Result<Value> {
    let (body, spec) = (manifest.body(), manifest.spec());
    let features =
        spec.schema.features.iter().map(|feature| json!({ "name": feature.name, "kind": feature.kind }));
    let router = match &spec.routing {
        Routing::Kmeans(fit) => {
            json!({ "kind": "kmeans", "paths": fit.settings.paths, "sample": fit.settings.sample,
            "sampling": fit.settings.sampling, "dimensions": fit.settings.dimensions, "seed": fit.settings.seed,
            "featurizer_seed": fit.settings.featurizer_seed, "featurizer": fit.featurizer, "rows": fit.rows })
        }
        Routing::RoundRobin { paths } => json!({ "kind": "round_robin", "paths": paths }),
        Routing::Unknown => Value::Null,
    };
    let shards = (0u32..)
        .zip(&spec.shards)
        .map(|(path, shard)| json!({ "path": path, "rows": shard.rows, "hash": shard.hash.to_string() }));
    Ok(json!({
        "name": body.name,
        "run": manifest.run().to_string(),
        "operator": manifest.operator().to_string(),
        "published": body.published,
        "fingerprint": spec.fingerprint()?.to_string(),
        "manifest_bytes": manifest.bytes().len(),
        "source": body.source,
        "counts": body.counts,
        "holdout": spec.holdout,
        "schema": { "target": spec.schema.target, "target_kind": spec.schema.target_kind,
            "classes": spec.schema.classes, "features": features.collect::<Vec<_>>() },
        "router": router,
        "training": spec.training,
        "shards": shards.collect::<Vec<_>>(),
    }))
}
