//! How a report is named, and the keys that come of it.

use std::fmt;
use std::ops::RangeInclusive;

use protocol::{ContentHash, Unit};

/// Names a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReportName {
    /// Of which unit.
    pub unit: Unit,
    /// As they came: the first of a unit is the accepted one, others are in dispute with it.
    pub order: u32,
    /// What the report is.
    pub content: ContentHash,
}

impl fmt::Display for ReportName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the report of {}, content {}", self.unit, self.content.short())
    }
}

/// A unit in bytes that sort as it does.
pub(crate) fn unit_key(unit: &Unit) -> [u8; 16] {
    let mut key = [0; 16];
    let numbers = [unit.path, unit.layer, unit.part, unit.replica];
    for (place, number) in key.chunks_exact_mut(4).zip(numbers) {
        place.copy_from_slice(&number.to_be_bytes());
    }
    key
}

/// The unit of such bytes.
pub(crate) fn parse_unit(key: &[u8]) -> Option<Unit> {
    let (numbers, rest) = key.as_chunks::<4>();
    let [path, layer, part, replica] = *numbers else { return None };
    let number = u32::from_be_bytes;
    let unit =
        Unit { path: number(path), layer: number(layer), part: number(part), replica: number(replica) };
    rest.is_empty().then_some(unit)
}

/// A report's key: its unit and order.
pub(crate) fn report_key(unit: &Unit, order: u32) -> [u8; 20] {
    joined(&unit_key(unit), order)
}

/// Unit and order of a report's key.
pub(crate) fn parse_report(key: &[u8]) -> Option<(Unit, u32)> {
    let (unit, order) = key.split_last_chunk::<4>()?;
    Some((parse_unit(unit)?, u32::from_be_bytes(*order)))
}

/// The key of a piece of a report's body.
pub(crate) fn piece_key(report: &[u8; 20], piece: u32) -> [u8; 24] {
    joined(report, piece)
}

/// The keys of all its pieces.
pub(crate) fn piece_keys(report: &[u8; 20]) -> RangeInclusive<[u8; 24]> {
    piece_key(report, 0)..=piece_key(report, u32::MAX)
}

fn joined<const N: usize, const M: usize>(start: &[u8; N], number: u32) -> [u8; M] {
    let mut key = [0; M];
    let bytes = start.iter().copied().chain(number.to_be_bytes());
    key.iter_mut().zip(bytes).for_each(|(place, byte)| *place = byte);
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_pinned_sort_like_units_and_read_back() {
        let unit = Unit { path: 1, layer: 2, part: 3, replica: 0x0405 };
        let key = report_key(&unit, 256);
        assert_eq!(key, [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 4, 5, 0, 0, 1, 0]);
        assert_eq!(parse_report(&key), Some((unit, 256)));
        assert_eq!(piece_key(&key, 7)[20..], [0, 0, 0, 7]);
        assert!(unit_key(&Unit::new(0, 300)) < unit_key(&Unit::new(1, 0)));
        assert_eq!(parse_report(&key[1..]), None);
        assert_eq!(parse_unit(&key), None);
    }
}
