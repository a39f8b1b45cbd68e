//! What a report is checked against: the rows of each path, by ordinal and class.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::{Manifest, ReportLimits, ReportRules, Unit, check_report, content_hash, decode_report};
use snake::{TargetValue, UnitBuckets};
use spec::{Census, MaterialiseError, RecordSource, for_each_kept};

/// The kept rows of one path.
#[derive(Debug, Default)]
struct PathRows {
    ordinals: Vec<u64>,
    classes: Vec<u32>,
}

/// What the coordinator knows of its source: every kept row's path and target, no feature of any row.
pub(crate) struct Surveyed {
    /// Which rows are kept, in which path.
    pub(crate) census: Census,
    paths: Vec<PathRows>,
}

impl Surveyed {
    /// Streams the source, which takes a while: every shard is checked against the manifest.
    pub(crate) fn take(manifest: &Manifest, source: &dyn RecordSource) -> Result<Self, MaterialiseError> {
        let (spec, description) = (manifest.spec(), &manifest.body().source);
        let census = Census::take(spec, description, source)?;
        let mut paths: Vec<PathRows> = Vec::new();
        paths.resize_with(spec.paths() as usize, PathRows::default);
        // Equal numbers are one class; `to_bits` tells them apart as `==` does, since there are no negative zeros.
        let mut numbers: BTreeMap<u64, u32> = BTreeMap::new();
        let classes_known = census.iter().next().is_some_and(|(ordinal, _)| census.class(ordinal).is_some());
        if classes_known {
            for (ordinal, path) in census.iter() {
                push(&mut paths, path, ordinal, census.class(ordinal).unwrap_or_default());
            }
        } else {
            for_each_kept::<MaterialiseError>(spec, description, source, &census, &mut |row| {
                let class = match row.target {
                    TargetValue::Class(class) => class,
                    TargetValue::Number(number) => {
                        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
                        *numbers.entry((number + 0.0).to_bits()).or_insert(next)
                    }
                };
                push(&mut paths, row.path, row.ordinal, class);
                Ok(())
            })?;
        }
        Ok(Self { census, paths })
    }
}

fn push(paths: &mut [PathRows], path: u32, ordinal: u64, class: u32) {
    if let Some(rows) = paths.get_mut(path as usize) {
        rows.ordinals.push(ordinal);
        rows.classes.push(class);
    }
}

/// Checks reports of one run.
pub(crate) struct Rules {
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) fingerprint: spec::Fingerprint,
    /// `None`: the source is out of reach, so only the form of a report can be checked for now.
    pub(crate) surveyed: Option<Surveyed>,
}

impl Rules {
    /// How large a report of this path may be.
    pub(crate) fn limits(&self, path: u32) -> ReportLimits {
        let spec = self.manifest.spec();
        let rows = spec.shards.get(path as usize).map_or(0, |shard| shard.rows);
        ReportLimits::for_path(&spec.schema, rows)
    }

    /// A body's content hash.
    pub(crate) fn hash(&self, unit: Unit, body: &[u8]) -> protocol::ContentHash {
        content_hash(&self.fingerprint, unit, body)
    }

    /// Reads a report and checks it as far as that needs no rows.
    pub(crate) fn check(&self, unit: Unit, body: &[u8]) -> Result<UnitBuckets, String> {
        let buckets = decode_report(body, self.limits(unit.path)).map_err(|error| error.to_string())?;
        if let Some(surveyed) = &self.surveyed {
            let rows = surveyed.paths.get(unit.path as usize).ok_or("the run has no such path")?;
            let rules = ReportRules::new(self.manifest.spec(), unit, &rows.ordinals, &rows.classes)
                .map_err(|error| error.to_string())?;
            check_report(&rules, &buckets).map_err(|error| error.to_string())?;
        }
        Ok(buckets)
    }
}
