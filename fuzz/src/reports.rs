//! A report of a unit.

use std::sync::LazyLock;

use protocol::{ReportLimits, ReportRules, Unit, check_report, decode_report, encode_report};
use snake::TargetKind;
use spec::DataSpec;

use crate::small;

/// The rows of the path, and their classes.
const ORDINALS: [u64; 5] = [0, 1, 3, 4, 7];
const CLASSES: [u32; 5] = [0, 0, 0, 1, 0];

/// A report of a path of five rows.
pub fn report(bytes: &[u8]) {
    static SPEC: LazyLock<DataSpec> =
        LazyLock::new(|| small::round_robin(TargetKind::Text, small::kmeans().schema.classes));
    let limits = ReportLimits::for_path(&SPEC.schema, ORDINALS.len() as u64);
    let buckets = match decode_report(bytes, limits) {
        Ok(buckets) => buckets,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert_eq!(encode_report(&buckets).as_deref(), Ok(bytes), "there is one form only");
    let rules = ReportRules::new(&SPEC, Unit::new(0, 1), &ORDINALS, &CLASSES).unwrap();
    match check_report(&rules, &buckets) {
        Ok(()) => {
            let mut core: Vec<u64> =
                buckets.iter().flat_map(|bucket| bucket.members.iter().copied()).collect();
            core.sort_unstable();
            core.dedup();
            assert_eq!(core, ORDINALS, "every row has its bucket");
        }
        Err(fault) => assert!(!fault.to_string().is_empty()),
    }
}
