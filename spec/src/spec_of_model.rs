//! The recipe of a model's rows, from what the model says of its run.
//!
//! A model names everything of its spec but the share of rows that were held out; the spec's fingerprint, which it names
//! too, covers that share. So a share is right if and only if it gives the fingerprint.

use crate::data_spec::{DataSpec, Shard, ShardHash};
use crate::extension::{Extension, ModelRoutingError, read_extension};

/// A spec of this many bytes is not tried with a thousand shares.
const LARGE: usize = 1 << 18;

/// The spec of the run that a model came from, by its key `opendipaco`. `holdout` is the share of rows held out, where it
/// is known; else shares in thousandths (of large specs in hundredths) are tried. `None`: no share tried gives the
/// fingerprint that the model names.
///
/// # Errors
/// [`ModelRoutingError`] when the key is not what this version writes.
pub fn spec_of_model(
    opendipaco: &serde_json::Value,
    holdout: Option<f64>,
) -> Result<Option<DataSpec>, ModelRoutingError> {
    let malformed = |reason: &str| ModelRoutingError::Malformed { reason: reason.into() };
    let Extension { spec: fingerprint, schema, routing, training, paths, .. } = read_extension(opendipaco)?;
    let shard = |path: &crate::extension::Path| {
        let bytes = data_encoding::HEXLOWER.decode(path.hash.as_bytes()).ok();
        let bytes: Option<[u8; 32]> = bytes.and_then(|bytes| bytes.try_into().ok());
        let hash = bytes.map(ShardHash::from_bytes).ok_or_else(|| malformed("a shard's hash is no hash"))?;
        Ok(Shard { rows: path.rows, hash })
    };
    let shards = paths.iter().map(shard).collect::<Result<_, ModelRoutingError>>()?;
    let mut spec = DataSpec { schema, holdout: 0.0, routing, training, shards };
    let large = serde_json::to_string(opendipaco).map_or(0, |text| text.len()) > LARGE;
    let steps: &[u32] = if large { &[20, 100] } else { &[20, 100, 1000] };
    let shares: Vec<f64> = match holdout {
        Some(share) => vec![share],
        None => steps.iter().flat_map(|step| (0..*step).map(|i| f64::from(i) / f64::from(*step))).collect(),
    };
    for share in shares {
        spec.holdout = share;
        if spec.fingerprint()?.to_string() == fingerprint {
            spec.check()?;
            return Ok(Some(spec));
        }
    }
    Ok(None)
}
