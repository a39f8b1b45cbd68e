//! How even a run's shards are: one path much larger than the others takes most of the time, and its volunteer's memory.

/// A shard may have so many times the rows of the smallest before it is warned of.
const UNEVEN: u64 = 4;
/// Paths that are named; of more there is the number.
const NAMED: usize = 5;

/// The spread of the shards' rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Evenness {
    /// Paths.
    pub(crate) paths: usize,
    /// Rows of the largest shard, and whose it is.
    pub(crate) largest: (u64, usize),
    /// Rows of the smallest shard, and whose it is.
    pub(crate) smallest: (u64, usize),
    /// Rows of the shard in the middle; of an even number of them the lower one.
    pub(crate) median: u64,
    /// Paths with fewer rows than a quarter of the largest shard's, ascending.
    pub(crate) small: Vec<usize>,
}

impl Evenness {
    /// Of the rows by path; `None` where there is no path.
    pub(crate) fn of(rows: &[u64]) -> Option<Self> {
        let mut sorted: Vec<(u64, usize)> =
            rows.iter().enumerate().map(|(path, rows)| (*rows, path)).collect();
        sorted.sort_unstable();
        let (smallest, last) = (*sorted.first()?, *sorted.last()?);
        let median = sorted.get((sorted.len() - 1) / 2)?.0;
        // The lowest path of those that are largest.
        let largest = *sorted.iter().find(|shard| shard.0 == last.0)?;
        let small = |rows: u64| rows.saturating_mul(UNEVEN) < largest.0;
        let small = rows.iter().enumerate().filter(|(_, rows)| small(**rows)).map(|(path, _)| path).collect();
        Some(Self { paths: rows.len(), largest, smallest, median, small })
    }

    /// The spread in a few words.
    pub(crate) fn text(&self) -> String {
        format!(
            "{} paths: {} rows in the largest, {} in the smallest, {} in the middle",
            self.paths, self.largest.0, self.smallest.0, self.median
        )
    }

    /// What to tell whoever publishes them; `None` where they are even enough.
    pub(crate) fn warning(&self, fitted: bool) -> Option<String> {
        if self.small.is_empty() {
            return None;
        }
        let named: Vec<String> = self.small.iter().take(NAMED).map(ToString::to_string).collect();
        let more = match self.small.len().saturating_sub(NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let (paths, have) = if self.small.len() == 1 { ("path", "has") } else { ("paths", "have") };
        let remedy = if fitted {
            "try another `routing.seed`, fewer `routing.paths`, or kind = \"round_robin\""
        } else {
            "many rows repeat others, or there are few: lower `routing.paths`"
        };
        Some(format!(
            "the shards are uneven: path {} has {} rows, and {paths} {}{more} {have} less than a quarter of that (the \
             smallest {}): {remedy}",
            self.largest.1,
            self.largest.0,
            named.join(", "),
            self.smallest.0
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warning(rows: &[u64]) -> Option<String> {
        Evenness::of(rows).and_then(|found| found.warning(true))
    }

    #[test]
    fn the_spread_is_said() {
        assert_eq!(Evenness::of(&[]), None);
        let found = Evenness::of(&[9, 3, 9, 5]).unwrap();
        assert_eq!((found.largest, found.smallest, found.median, found.paths), ((9, 0), (3, 1), 5, 4));
        assert_eq!(found.text(), "4 paths: 9 rows in the largest, 3 in the smallest, 5 in the middle");
        assert_eq!(Evenness::of(&[7]).unwrap().median, 7);
    }

    #[test]
    fn four_times_is_even_and_more_is_not() {
        assert_eq!(warning(&[7]), None);
        assert_eq!(warning(&[400, 100]), None);
        let text = warning(&[401, 100]).unwrap();
        assert!(
            text.contains("path 0 has 401 rows, and path 1 has less") && text.contains("`routing.seed`"),
            "{text}"
        );
        assert_eq!(warning(&[u64::MAX, u64::MAX / 2]), None);
    }

    #[test]
    fn an_empty_path_is_uneven() {
        let text = warning(&[3, 0, 1, 0]).unwrap();
        assert!(text.contains("paths 1, 3 have") && text.contains("(the smallest 0)"), "{text}");
        assert!(warning(&[1, 0]).is_some());
    }

    #[test]
    fn of_many_paths_some_are_named() {
        let rows: Vec<u64> = (0..100).map(|path| if path == 50 { 1_000 } else { 1 }).collect();
        let text = warning(&rows).unwrap();
        assert!(
            text.contains("path 50 has 1000") && text.contains("paths 0, 1, 2, 3, 4 and 94 more"),
            "{text}"
        );
        let dealt = Evenness::of(&rows).unwrap().warning(false).unwrap();
        assert!(!dealt.contains("seed") && dealt.contains("lower `routing.paths`"), "{dealt}");
    }
}
