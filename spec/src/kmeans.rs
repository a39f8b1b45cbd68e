//! K-means in whole numbers: the same rows give the same centroids to the last bit everywhere.
//!
//! k-means++ picks the first centroids: a row at random, then rows with a chance in proportion to their squared
//! distance to the nearest centroid so far (row 0 when all of them are at distance 0). Lloyd's rounds follow: every row
//! goes to its nearest centroid (the lowest on a tie); a centroid without rows is moved to the row that is farthest
//! from its own centroid (the first such row on a tie; only rows at a distance, of a centroid that has others); then
//! every centroid becomes the mean of its rows, rounded to the nearest whole number, halves up. It ends when no row
//! changed its centroid, or after 50 rounds.

use crate::random::Random;

const PURPOSE: &str = "opendipaco 2026 spec k-means";
const ROUNDS: usize = 50;

/// Rows of `dimensions` whole numbers each, one after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vectors<'a> {
    pub(crate) numbers: &'a [i32],
    pub(crate) dimensions: usize,
}

impl<'a> Vectors<'a> {
    pub(crate) fn rows(self) -> impl ExactSizeIterator<Item = &'a [i32]> + Clone {
        self.numbers.chunks_exact(self.dimensions.max(1))
    }

    fn row(self, index: usize) -> &'a [i32] {
        let start = index * self.dimensions;
        self.numbers.get(start..start + self.dimensions).unwrap_or_default()
    }
}

/// Numbers within this are narrow: squares of their differences are up to 2^26, and sixteen of them up to 2^30.
const NARROW: u32 = 1 << 12;

/// Whether all numbers are narrow. Rows mostly are, and then distances take half as wide arithmetic.
pub(crate) fn is_narrow(numbers: &[i32]) -> bool {
    numbers.iter().fold(0, |most, number| most.max(number.unsigned_abs())) <= NARROW
}

/// The squared distance of narrow rows: the same number as [`distance`], four numbers at a time where [`distance`] has two.
fn narrow_distance(a: &[i32], b: &[i32]) -> u64 {
    let squares = |a: &[i32], b: &[i32]| -> u64 {
        let sum: i32 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
        u64::from(sum.unsigned_abs())
    };
    let (a_chunks, b_chunks) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest = squares(a_chunks.remainder(), b_chunks.remainder());
    a_chunks.zip(b_chunks).fold(rest, |sum, (a, b)| sum + squares(a, b))
}

/// The squared distance. With numbers up to 2^20 and 4,096 dimensions it stays below 2^54.
pub(crate) fn distance(a: &[i32], b: &[i32]) -> u64 {
    let sum: i64 = a
        .iter()
        .zip(b)
        .map(|(a, b)| {
            let difference = i64::from(a - b);
            difference * difference
        })
        .sum();
    sum.unsigned_abs()
}

/// The nearest centroid, the lowest on a tie, and its squared distance. `narrow`: all centroids are.
pub(crate) fn nearest(row: &[i32], centroids: Vectors<'_>, narrow: bool) -> (u32, u64) {
    let distance = if narrow && is_narrow(row) { narrow_distance } else { distance };
    let mut best = (0, u64::MAX);
    for (index, centroid) in (0u32..).zip(centroids.rows()) {
        let distance = distance(row, centroid);
        if distance < best.1 {
            best = (index, distance);
        }
    }
    best
}

/// `count` centroids (at least 1) of rows whose numbers are within ±2^20.
pub(crate) fn kmeans(vectors: Vectors<'_>, count: u32, seed: u64) -> Vec<Vec<i64>> {
    let mut random = Random::new(PURPOSE, seed);
    let mut centroids = first_centroids(vectors, count, &mut random);
    let mut assigned: Vec<u32> = Vec::new();
    for _ in 0..ROUNDS {
        let current = Vectors { numbers: &centroids, dimensions: vectors.dimensions };
        let narrow = is_narrow(&centroids);
        let (mut next, mut distances): (Vec<u32>, Vec<u64>) =
            vectors.rows().map(|row| nearest(row, current, narrow)).unzip();
        let mut sizes = vec![0u64; count as usize];
        for path in &next {
            if let Some(size) = sizes.get_mut(*path as usize) {
                *size += 1;
            }
        }
        reseed(&mut next, &mut distances, &mut sizes);
        if next == assigned {
            break;
        }
        move_to_means(&mut centroids, vectors, &next, &sizes);
        assigned = next;
    }
    centroids
        .chunks_exact(vectors.dimensions.max(1))
        .map(|centroid| centroid.iter().map(|value| i64::from(*value)).collect())
        .collect()
}

fn first_centroids(vectors: Vectors<'_>, count: u32, random: &mut Random) -> Vec<i32> {
    let rows = vectors.rows().len();
    let mut centroids = Vec::with_capacity(count as usize * vectors.dimensions);
    let mut distances = vec![u64::MAX; rows];
    #[allow(clippy::cast_possible_truncation)]
    let mut chosen = random.below(rows as u64) as usize;
    for _ in 0..count {
        let centroid = vectors.row(chosen);
        centroids.extend_from_slice(centroid);
        let mut total = 0u128;
        for (nearest, row) in distances.iter_mut().zip(vectors.rows()) {
            *nearest = (*nearest).min(distance(row, centroid));
            total += u128::from(*nearest);
        }
        let target = random.below_wide(total);
        let mut sum = 0u128;
        chosen = distances
            .iter()
            .position(|distance| {
                sum += u128::from(*distance);
                sum > target
            })
            .unwrap_or(0);
    }
    centroids
}

/// Gives every centroid without rows the farthest row.
fn reseed(assigned: &mut [u32], distances: &mut [u64], sizes: &mut [u64]) {
    for empty in (0u32..).take(sizes.len()) {
        if sizes.get(empty as usize).is_none_or(|size| *size > 0) {
            continue;
        }
        let mut farthest: Option<(usize, u64)> = None;
        for (row, (path, distance)) in assigned.iter().zip(distances.iter()).enumerate() {
            let alone = sizes.get(*path as usize).is_none_or(|size| *size < 2);
            if !alone && *distance > farthest.map_or(0, |(_, distance)| distance) {
                farthest = Some((row, *distance));
            }
        }
        let Some((row, _)) = farthest else { return };
        if let (Some(path), Some(distance)) = (assigned.get_mut(row), distances.get_mut(row)) {
            if let Some(size) = sizes.get_mut(*path as usize) {
                *size -= 1;
            }
            *path = empty;
            *distance = 0;
        }
        if let Some(size) = sizes.get_mut(empty as usize) {
            *size = 1;
        }
    }
}

/// Centroids without rows stay where they are.
#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)]
fn move_to_means(centroids: &mut [i32], vectors: Vectors<'_>, assigned: &[u32], sizes: &[u64]) {
    let dimensions = vectors.dimensions;
    let mut sums = vec![0i64; centroids.len()];
    for (row, path) in vectors.rows().zip(assigned) {
        let start = *path as usize * dimensions;
        if let Some(sums) = sums.get_mut(start..start + dimensions) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += i64::from(*value);
            }
        }
    }
    let blocks = centroids.chunks_exact_mut(dimensions.max(1)).zip(sums.chunks_exact(dimensions.max(1)));
    for ((centroid, sums), size) in blocks.zip(sizes) {
        let size = *size as i64;
        if size == 0 {
            continue;
        }
        for (value, sum) in centroid.iter_mut().zip(sums) {
            *value = (2 * sum + size).div_euclid(2 * size) as i32;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::check::MAX_COORDINATE;

    fn centroids(rows: &[[i32; 2]], count: u32, seed: u64) -> Vec<Vec<i64>> {
        let numbers = rows.concat();
        kmeans(Vectors { numbers: &numbers, dimensions: 2 }, count, seed)
    }

    #[test]
    fn two_clusters_are_found_and_pinned() {
        let rows = [[0, 0], [1, 0], [0, 1], [100, 100], [101, 100], [100, 102]];
        let mut found = centroids(&rows, 2, 3);
        found.sort();
        assert_eq!(found, [[0, 0], [100, 101]]);
    }

    #[test]
    fn means_round_to_the_nearest_halves_up() {
        assert_eq!(centroids(&[[1, -1], [2, -2]], 1, 0), [[2, -1]]);
        assert_eq!(centroids(&[[1, -1], [1, -1], [2, -2]], 1, 0), [[1, -1]]);
    }

    #[test]
    fn fewer_distinct_rows_than_centroids_end_without_a_loop() {
        let found = centroids(&[[5, 5]; 4], 3, 9);
        assert_eq!(found, [[5, 5]; 3]);
        let found = centroids(&[[5, 5], [5, 5], [9, 9]], 3, 9);
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn a_centroid_without_rows_takes_the_farthest() {
        let mut assigned = vec![0, 0, 0, 1];
        let mut distances = vec![4, 9, 9, 100];
        let mut sizes = vec![3, 1, 0];
        reseed(&mut assigned, &mut distances, &mut sizes);
        assert_eq!(assigned, [0, 2, 0, 1], "the first of the farthest that is not alone");
        assert_eq!(sizes, [2, 1, 1]);
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let far = vec![MAX_COORDINATE; 4_096];
        let near: Vec<i32> = far.iter().map(|value| -value).collect();
        assert_eq!(distance(&far, &near), 4_096 << 42);
        let numbers = [far, near].concat();
        let found = kmeans(Vectors { numbers: &numbers, dimensions: 4_096 }, 2, 0);
        assert_ne!(found[0], found[1]);
    }

    proptest::proptest! {
        #[test]
        fn narrow_rows_have_the_same_distance(
            pair in proptest::collection::vec((-4_096i32..=4_096, -4_096i32..=4_096), 0..70),
            ends: bool,
        ) {
            let most = |value: i32| if ends { value.signum() * 4_096 } else { value };
            let (a, b): (Vec<i32>, Vec<i32>) = pair.into_iter().map(|(a, b)| (most(a), most(b))).unzip();
            proptest::prop_assert!(is_narrow(&a) && is_narrow(&b) && !is_narrow(&[4_097]));
            proptest::prop_assert_eq!(narrow_distance(&a, &b), distance(&a, &b));
        }
    }

    proptest! {
        #[test]
        fn centroids_lie_between_their_rows(
            rows in prop::collection::vec([-500i32..500, -500i32..500], 1..60), count in 1u32..8, seed: u64,
        ) {
            let found = centroids(&rows, count, seed);
            prop_assert_eq!(&found, &centroids(&rows, count, seed));
            prop_assert_eq!(found.len(), count as usize);
            for axis in 0..2 {
                let low = rows.iter().map(|row| row[axis]).min().unwrap();
                let high = rows.iter().map(|row| row[axis]).max().unwrap();
                for centroid in &found {
                    prop_assert!((i64::from(low)..=i64::from(high)).contains(&centroid[axis]));
                }
            }
        }
    }
}
