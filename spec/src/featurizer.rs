//! From a row's features to whole numbers that k-means can compare.
//!
//! A number column is standardised by mean and deviation, clamped to ±4 and scaled to ±1024. A text is split into
//! tokens: runs of alphanumeric characters, in lower case. A text of n tokens weighs each with 256 / floor(sqrt(n)), at
//! least 1, so that long texts do not drown everything else. Column names, and names with tokens, are hashed (BLAKE3
//! keyed by the featurizer's seed) to one dimension, with a sign, in each quarter of the dimensions (in each dimension
//! where there are fewer than four), and the number or weight is added there. So no column cancels itself out. In the
//! end every dimension is clamped to ±2^20.
//!
//! Lower case and alphanumeric are Unicode's as the standard library of the toolchain has them. A later Unicode version
//! may classify newly assigned characters another way; what exists keeps its classes.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use snake::{Cell, FeatureKind, Schema};

use crate::check::MAX_COORDINATE;
use crate::routing::ColumnStatistic;

const PURPOSE: &str = "opendipaco 2026 spec featurizer signed-hash-1";
/// The whole number that one deviation, or a text of one token, counts.
const SCALE: f64 = 256.0;
const TOKEN: u64 = 256;
/// Deviations beyond this count no more.
const CLAMP: f64 = 4.0;
/// How many dimensions a column or token is spread over.
const SPREAD: usize = 4;
/// A column's cache has at most this many texts and this many tokens,
const CACHE: usize = 16_384;
/// and all columns together have no more (but a few each, so that tables of thousands of text columns have some).
const CACHES: usize = 4 * CACHE;
const LEAST_CACHE: usize = 16;
/// Longer texts go through the cache of tokens instead of the one of texts.
const CACHED_TEXT: usize = 64;

/// A dimension and a sign there; the sign is 0 where there are fewer dimensions than places.
type Places = [(u16, i32); SPREAD];

/// By text, what was worked out before.
type Seen<T> = HashMap<Box<str>, T, RandomState>;

#[derive(Debug, Clone)]
pub(crate) struct Featurizer {
    key: [u8; 32],
    dimensions: u32,
    columns: Vec<Column>,
    /// How many texts and tokens a column keeps.
    cache: usize,
    token: String,
}

#[derive(Debug, Clone)]
struct Column {
    name: String,
    statistic: ColumnStatistic,
    places: Places,
    /// What a short text adds, in order.
    texts: Seen<Box<[(u16, i32)]>>,
    tokens: Seen<Places>,
}

impl Featurizer {
    /// `dimensions` is at most [`MAX_DIMENSIONS`](crate::check::MAX_DIMENSIONS); one statistic per feature.
    pub(crate) fn new(schema: &Schema, statistics: &[ColumnStatistic], dimensions: u32, seed: u64) -> Self {
        let key = blake3::derive_key(PURPOSE, &seed.to_le_bytes());
        let columns = schema
            .features
            .iter()
            .zip(statistics)
            .map(|(feature, statistic)| Column {
                name: feature.name.clone(),
                statistic: *statistic,
                places: places(&key, dimensions, &feature.name, None),
                texts: HashMap::default(),
                tokens: HashMap::default(),
            })
            .collect();
        let texts = schema.features.iter().filter(|feature| feature.kind == FeatureKind::Text).count();
        let cache = (CACHES / texts.max(1)).clamp(LEAST_CACHE, CACHE);
        Self { key, dimensions, columns, cache, token: String::new() }
    }

    pub(crate) fn dimensions(&self) -> usize {
        self.dimensions as usize
    }

    /// Writes the row's numbers over `out`, which has one place per dimension.
    pub(crate) fn featurize(&mut self, cells: &[Cell<'_>], out: &mut [i32]) {
        out.fill(0);
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            match cell {
                Cell::Number(value) => add(&column.places, standardised(*value, column.statistic), out),
                Cell::Text("") => {}
                Cell::Text(text) if text.len() > CACHED_TEXT => {
                    column.spread(
                        text,
                        &self.key,
                        self.dimensions,
                        self.cache,
                        &mut self.token,
                        &mut |dimension, value| {
                            if let Some(sum) = out.get_mut(usize::from(dimension)) {
                                *sum = sum.saturating_add(value);
                            }
                        },
                    );
                }
                Cell::Text(text) => {
                    if let Some(additions) = column.texts.get(*text) {
                        add_all(additions, out);
                        continue;
                    }
                    let mut additions = Vec::new();
                    column.spread(
                        text,
                        &self.key,
                        self.dimensions,
                        self.cache,
                        &mut self.token,
                        &mut |dimension, value| {
                            additions.push((dimension, value));
                        },
                    );
                    add_all(&additions, out);
                    if column.texts.len() >= self.cache {
                        column.texts.clear();
                    }
                    column.texts.insert((*text).into(), additions.into());
                }
            }
        }
        for value in out {
            *value = (*value).clamp(-MAX_COORDINATE, MAX_COORDINATE);
        }
    }
}

impl Column {
    /// Gives every dimension and value that a text adds, token by token.
    fn spread(
        &mut self,
        text: &str,
        key: &[u8; 32],
        dimensions: u32,
        cache: usize,
        token: &mut String,
        give: &mut dyn FnMut(u16, i32),
    ) {
        let mut count = 0u64;
        for_each_token(text, token, &mut |_| count += 1);
        let weight = i32::try_from(TOKEN / count.isqrt().max(1)).unwrap_or(1).max(1);
        for_each_token(text, token, &mut |token| {
            let places = match self.tokens.get(token) {
                Some(places) => *places,
                None => {
                    let places = places(key, dimensions, &self.name, Some(token));
                    if self.tokens.len() >= cache {
                        self.tokens.clear();
                    }
                    // An endless token is as good as any other, but not worth keeping.
                    if token.len() <= 256 {
                        self.tokens.insert(token.into(), places);
                    }
                    places
                }
            };
            for (dimension, sign) in places {
                give(dimension, sign * weight);
            }
        });
    }
}

fn add_all(additions: &[(u16, i32)], out: &mut [i32]) {
    for (dimension, value) in additions {
        if let Some(sum) = out.get_mut(usize::from(*dimension)) {
            *sum = sum.saturating_add(*value);
        }
    }
}

fn add(places: &Places, value: i32, out: &mut [i32]) {
    for &(dimension, sign) in places {
        if let Some(sum) = out.get_mut(usize::from(dimension)) {
            *sum = sum.saturating_add(sign * value);
        }
    }
}

#[allow(clippy::cast_possible_truncation)]
fn standardised(value: f64, statistic: ColumnStatistic) -> i32 {
    if statistic.deviation == 0.0 {
        return 0;
    }
    // Both ends of the clamp are whole numbers once scaled, and an overflow to infinity stops there too.
    (((value - statistic.mean) / statistic.deviation).clamp(-CLAMP, CLAMP) * SCALE).round() as i32
}

/// Runs of alphanumeric characters, in lower case, each built in `token`.
fn for_each_token(text: &str, token: &mut String, give: &mut dyn FnMut(&str)) {
    token.clear();
    for character in text.chars() {
        if character.is_alphanumeric() {
            token.extend(character.to_lowercase());
        } else if !token.is_empty() {
            give(token);
            token.clear();
        }
    }
    if !token.is_empty() {
        give(token);
        token.clear();
    }
}

/// Where a column (`token` is `None`) or a token of it goes: four numbers of the hash, each with its top bit as the
/// sign and its low half, by widening multiplication, as the dimension within its quarter.
#[allow(clippy::cast_possible_truncation)]
fn places(key: &[u8; 32], dimensions: u32, name: &str, token: Option<&str>) -> Places {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(&(name.len() as u64).to_le_bytes());
    hasher.update(name.as_bytes());
    hasher.update(&[u8::from(token.is_some())]);
    hasher.update(token.unwrap_or_default().as_bytes());
    let hash = hasher.finalize();
    let dimensions = u64::from(dimensions);
    let spread = dimensions.min(SPREAD as u64);
    let mut places = [(0, 0); SPREAD];
    for ((place, chunk), quarter) in places.iter_mut().zip(hash.as_bytes().chunks_exact(8)).zip(0..spread) {
        let word = chunk.iter().rev().fold(0u64, |word, byte| (word << 8) | u64::from(*byte));
        let start = quarter * dimensions / spread;
        let width = (quarter + 1) * dimensions / spread - start;
        let within = ((word & u64::from(u32::MAX)) * width) >> 32;
        *place = ((start + within) as u16, if word >> 63 == 1 { -1 } else { 1 });
    }
    places
}

#[cfg(test)]
mod tests {
    use snake::{Feature, FeatureKind, TargetKind};

    use super::*;

    fn tokens(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for_each_token(text, &mut String::new(), &mut |token| found.push(token.to_owned()));
        found
    }

    #[test]
    fn tokens_are_lower_case_alphanumerics() {
        assert_eq!(tokens("Married-civ-spouse, 2nd"), ["married", "civ", "spouse", "2nd"]);
        assert_eq!(tokens("ÄRGER  straße"), ["ärger", "straße"]);
        assert!(tokens(" -- ").is_empty());
    }

    #[test]
    fn extreme_numbers_stay_within_the_clamp() {
        let statistic = |mean, deviation| ColumnStatistic { mean, deviation };
        assert_eq!(standardised(3.0, statistic(1.0, 2.0)), 256);
        assert_eq!(standardised(-1e308, statistic(1e308, 1e-300)), -1024);
        assert_eq!(standardised(1e308, statistic(-1e308, 5e-324)), 1024);
        assert_eq!(standardised(5.0, statistic(1.0, 0.0)), 0);
        assert_eq!(standardised(0.5 / 256.0, statistic(0.0, 1.0)), 1);
        assert_eq!(standardised(-0.5 / 256.0, statistic(0.0, 1.0)), -1);
    }

    fn mixed() -> (Schema, Vec<ColumnStatistic>) {
        let schema = Schema {
            target: "y".into(),
            target_kind: TargetKind::Number,
            classes: vec![],
            features: vec![
                Feature { name: "age".into(), kind: FeatureKind::Number },
                Feature { name: "job".into(), kind: FeatureKind::Text },
            ],
        };
        (
            schema,
            vec![
                ColumnStatistic { mean: 40.0, deviation: 10.0 },
                ColumnStatistic { mean: 0.0, deviation: 0.0 },
            ],
        )
    }

    #[test]
    fn a_featurised_row_is_pinned() {
        let (schema, statistics) = mixed();
        let mut featurizer = Featurizer::new(&schema, &statistics, 8, 7);
        let mut out = [0; 8];
        featurizer.featurize(&[Cell::Number(55.0), Cell::Text("Sales Manager")], &mut out);
        assert_eq!(out, GOLDEN);
        featurizer.featurize(&[Cell::Number(40.0), Cell::Text("")], &mut out);
        assert_eq!(out, [0; 8]);
    }
    const GOLDEN: [i32; 8] = [512, 384, -896, 0, 512, 384, 256, 640];

    #[test]
    fn caches_do_not_show() {
        let (schema, statistics) = mixed();
        let mut warm = Featurizer::new(&schema, &statistics, 16, 1);
        let (mut a, mut b) = ([0; 16], [0; 16]);
        for i in 0..40_000 {
            let text = format!("word{i} {}", "tail ".repeat(i % 20));
            warm.featurize(&[Cell::Number(0.0), Cell::Text(&text)], &mut a);
            if i % 5_000 == 0 {
                let again = a;
                warm.featurize(&[Cell::Number(0.0), Cell::Text(&text)], &mut a);
                Featurizer::new(&schema, &statistics, 16, 1)
                    .featurize(&[Cell::Number(0.0), Cell::Text(&text)], &mut b);
                assert_eq!((a, a), (b, again));
            }
        }
        assert!(
            warm.columns.iter().all(|column| column.texts.len() <= CACHE && column.tokens.len() <= CACHE)
        );
    }

    #[test]
    fn a_column_has_one_place_in_each_quarter() {
        for dimensions in [1, 2, 3, 4, 5, 7, 64, 4_096] {
            let mut found: Vec<u16> = places(&[1; 32], dimensions, "age", None)
                .into_iter()
                .filter(|(_, sign)| *sign != 0)
                .map(|(dimension, _)| dimension)
                .collect();
            assert!(found.iter().all(|dimension| u32::from(*dimension) < dimensions));
            found.dedup();
            assert_eq!(found.len(), 4.min(dimensions as usize));
        }
    }

    #[test]
    fn a_huge_text_is_clamped() {
        let (schema, statistics) = mixed();
        let text = "x ".repeat(3_000_000);
        let mut out = [0; 1];
        let mut featurizer = Featurizer::new(&schema, &statistics, 1, 0);
        featurizer.featurize(&[Cell::Number(0.0), Cell::Text(&text)], &mut out);
        assert!(out[0].abs() <= MAX_COORDINATE);
    }
}
