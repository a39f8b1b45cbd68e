//! A unit of work.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A unit of work: one layer of one path, later perhaps one part of it, trained perhaps by several peers.
///
/// Orders by path, layer, part, replica. On the wire a map with the keys `p`, `l`, `q`, `r`, all always there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// The path (a cluster of the router), from 0.
    #[serde(rename = "p")]
    pub path: u32,
    /// The layer of the path, from 0.
    #[serde(rename = "l")]
    pub layer: u32,
    /// Which subtree of the divide; 0 until a run uses parts.
    #[serde(rename = "q")]
    pub part: u32,
    /// Which of several trainings of the same thing; 0 until a run uses replicas.
    #[serde(rename = "r")]
    pub replica: u32,
}

impl Unit {
    /// The unit of a path's layer, with part and replica 0.
    #[must_use]
    pub const fn new(path: u32, layer: u32) -> Self {
        Self { path, layer, part: 0, replica: 0 }
    }
}

/// `path 3 layer 1`, with part and replica only where they are not 0.
impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "path {} layer {}", self.path, self.layer)?;
        if self.part != 0 {
            write!(f, " part {}", self.part)?;
        }
        if self.replica != 0 {
            write!(f, " replica {}", self.replica)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_pinned_and_round_trip() {
        let unit = Unit { path: 3, layer: 1, part: 0, replica: 2 };
        let bytes = serde_cbor::to_vec(&unit).unwrap();
        assert_eq!(bytes, b"\xa4\x61l\x01\x61p\x03\x61q\x00\x61r\x02");
        assert_eq!(serde_cbor::from_slice::<Unit>(&bytes).unwrap(), unit);
    }

    #[test]
    fn people_see_part_and_replica_only_where_used() {
        assert_eq!(Unit::new(3, 1).to_string(), "path 3 layer 1");
        assert_eq!(
            Unit { part: 4, replica: 1, ..Unit::new(3, 1) }.to_string(),
            "path 3 layer 1 part 4 replica 1"
        );
    }
}
