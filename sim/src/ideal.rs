//! The best that could be: a list schedule that knows everything and waits for nothing.

/// The time in milliseconds after which `units` equal units are done, by machines that each start at a time and take a time for one.
pub(crate) fn ideal_ms(units: usize, machines: &[(u64, u64)]) -> u64 {
    let done = |at: u64| -> u64 {
        machines.iter().map(|(start, unit)| at.saturating_sub(*start) / (*unit).max(1)).sum()
    };
    let units = units as u64;
    let (mut low, mut high) = (0u64, 1u64);
    while done(high) < units {
        low = high;
        match high.checked_mul(2) {
            Some(next) => high = next,
            None => return u64::MAX,
        }
    }
    while low + 1 < high {
        let middle = low.midpoint(high);
        match done(middle) >= units {
            true => high = middle,
            false => low = middle,
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_soon_as_all_units_can_be_done() {
        assert_eq!(ideal_ms(10, &[(0, 100)]), 1_000);
        assert_eq!(ideal_ms(10, &[(0, 100), (0, 100)]), 500);
        assert_eq!(ideal_ms(11, &[(0, 100), (0, 100)]), 600);
        assert_eq!(ideal_ms(3, &[(0, 100), (150, 50)]), 200);
        assert_eq!(ideal_ms(1, &[]), u64::MAX);
    }
}
