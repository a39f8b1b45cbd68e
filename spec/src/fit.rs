//! Fitting the router on a sample.
//!
//! The sample is streamed twice, for the statistics and then for the featurised rows, of which alone something is kept
//! (4 bytes per row and dimension, up to a limit). A sample of the first rows reads no further than that.

use std::ops::ControlFlow;

use snake::{Cell, Schema};

use crate::check::{FEATURIZER, most_sampled};
use crate::error::RowsError;
use crate::featurizer::Featurizer;
use crate::kmeans::{Vectors, kmeans};
use crate::random::Random;
use crate::routing::{ColumnStatistic, KMeansFit};
use crate::rows::{Row, for_each_row};
use crate::run::{KMeansSettings, PublicSource, Sampling};
use crate::source::RecordSource;

const RESERVOIR: &str = "opendipaco 2026 spec reservoir";

/// Which well-formed rows the fit sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sample {
    /// All of them.
    All,
    /// The first ones.
    First(u64),
    /// Those with these ordinals, ascending.
    Ordinals(Vec<u64>),
}

/// Chooses a sample while rows go by.
#[derive(Debug)]
pub(crate) enum Sampler {
    Fixed(Sample),
    /// Row n (from 0) takes a place with the chance size / (n + 1), and then a random one.
    Reservoir {
        random: Random,
        size: u64,
        seen: u64,
        ordinals: Vec<u64>,
    },
}

impl Sampler {
    pub(crate) fn new(settings: &KMeansSettings) -> Self {
        match (settings.sample, settings.sampling) {
            (0, _) => Self::Fixed(Sample::All),
            (size, Sampling::Prefix) => Self::Fixed(Sample::First(size)),
            (size, Sampling::Reservoir) => Self::Reservoir {
                random: Random::new(RESERVOIR, settings.seed),
                size,
                seen: 0,
                ordinals: Vec::new(),
            },
        }
    }

    pub(crate) fn push(&mut self, ordinal: u64) {
        let Self::Reservoir { random, size, seen, ordinals } = self else { return };
        *seen += 1;
        if (ordinals.len() as u64) < *size {
            ordinals.push(ordinal);
            return;
        }
        let place = usize::try_from(random.below(*seen)).ok();
        if let Some(place) = place.and_then(|place| ordinals.get_mut(place)) {
            *place = ordinal;
        }
    }

    pub(crate) fn finish(self) -> Sample {
        match self {
            Self::Fixed(sample) => sample,
            Self::Reservoir { mut ordinals, .. } => {
                ordinals.sort_unstable();
                Sample::Ordinals(ordinals)
            }
        }
    }

    /// Chooses the sample in a pass of its own, where one is needed: from the rows that fit the schema, as publishing does.
    pub(crate) fn run(
        settings: &KMeansSettings,
        schema: &Schema,
        description: &PublicSource,
        source: &dyn RecordSource,
    ) -> Result<Sample, RowsError> {
        let mut sampler = Self::new(settings);
        if let Self::Reservoir { .. } = sampler {
            for_each_row(schema, description, source, &mut |row| -> Result<_, RowsError> {
                sampler.push(row.ordinal);
                Ok(ControlFlow::Continue(()))
            })?;
        }
        Ok(sampler.finish())
    }
}

/// What came of a fit.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fitted {
    Fit(KMeansFit),
    /// The sample has fewer rows than there are paths.
    TooFewRows {
        rows: u64,
    },
    /// All rows were asked for, and there are more than a fit holds.
    TooManyRows {
        rows: u64,
    },
}

/// Fits a router on a sample, in the order of the rows.
pub(crate) fn fit(
    settings: &KMeansSettings,
    sample: &Sample,
    schema: &Schema,
    description: &PublicSource,
    source: &dyn RecordSource,
) -> Result<Fitted, RowsError> {
    let mut moments = vec![Moments::default(); schema.features.len()];
    let mut rows = 0u64;
    for_each_sampled(sample, schema, description, source, &mut |row| {
        rows += 1;
        for (moments, cell) in moments.iter_mut().zip(row.cells) {
            if let Cell::Number(value) = cell {
                moments.push(*value);
            }
        }
    })?;
    if rows < u64::from(settings.paths) {
        return Ok(Fitted::TooFewRows { rows });
    }
    if rows > most_sampled(settings.dimensions) {
        return Ok(Fitted::TooManyRows { rows });
    }
    let statistics: Vec<ColumnStatistic> = moments.iter().map(Moments::statistic).collect();
    let mut featurizer = Featurizer::new(schema, &statistics, settings.dimensions, settings.featurizer_seed);
    let dimensions = featurizer.dimensions();
    let mut numbers: Vec<i32> =
        Vec::with_capacity(usize::try_from(rows).unwrap_or_default().saturating_mul(dimensions));
    for_each_sampled(sample, schema, description, source, &mut |row| {
        let start = numbers.len();
        numbers.resize(start + dimensions, 0);
        if let Some(out) = numbers.get_mut(start..) {
            featurizer.featurize(row.cells, out);
        }
    })?;
    let centroids = kmeans(Vectors { numbers: &numbers, dimensions }, settings.paths, settings.seed);
    Ok(Fitted::Fit(KMeansFit {
        settings: *settings,
        featurizer: FEATURIZER.to_owned(),
        rows,
        statistics,
        centroids,
    }))
}

fn for_each_sampled(
    sample: &Sample,
    schema: &Schema,
    description: &PublicSource,
    source: &dyn RecordSource,
    visit: &mut dyn FnMut(Row<'_>),
) -> Result<(), RowsError> {
    let mut seen = 0u64;
    let mut position = 0;
    for_each_row(schema, description, source, &mut |row| -> Result<_, RowsError> {
        seen += 1;
        let (take, last) = match sample {
            Sample::All => (true, false),
            Sample::First(count) => (true, seen >= *count),
            Sample::Ordinals(ordinals) => {
                let take = ordinals.get(position) == Some(&row.ordinal);
                position += usize::from(take);
                (take, position >= ordinals.len())
            }
        };
        if take {
            visit(row);
        }
        Ok(if last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(())
}

/// Mean and deviation by Welford's method: one value after the other, in the order of the rows.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Moments {
    #[allow(clippy::cast_precision_loss)]
    fn push(&mut self, value: f64) {
        self.count += 1;
        let before = value - self.mean;
        self.mean += before / self.count as f64;
        self.squares += before * (value - self.mean);
    }

    /// Where a sum left the range of floats, the column says nothing: (0, 0).
    #[allow(clippy::cast_precision_loss)]
    fn statistic(&self) -> ColumnStatistic {
        let deviation = if self.count == 0 { 0.0 } else { (self.squares / self.count as f64).sqrt() };
        if self.mean.is_finite() && deviation.is_finite() {
            ColumnStatistic { mean: self.mean + 0.0, deviation: deviation + 0.0 }
        } else {
            ColumnStatistic { mean: 0.0, deviation: 0.0 }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(values: &[f64]) -> ColumnStatistic {
        let mut moments = Moments::default();
        values.iter().for_each(|value| moments.push(*value));
        moments.statistic()
    }

    #[test]
    fn moments_are_mean_and_population_deviation() {
        assert_eq!(
            moments(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]),
            ColumnStatistic { mean: 5.0, deviation: 2.0 }
        );
        let nothing = ColumnStatistic { mean: 0.0, deviation: 0.0 };
        assert_eq!(moments(&[]), nothing);
        assert_eq!(moments(&[1e308, -1e308, 1e308]), nothing);
        assert_eq!(moments(&[3.0, 3.0]), ColumnStatistic { mean: 3.0, deviation: 0.0 });
    }

    #[test]
    fn a_reservoir_is_a_pinned_sample_in_order() {
        let settings = KMeansSettings {
            paths: 1,
            sample: 5,
            sampling: Sampling::Reservoir,
            dimensions: 1,
            seed: 4,
            featurizer_seed: 0,
        };
        let mut sampler = Sampler::new(&settings);
        (0..1_000).for_each(|ordinal| sampler.push(ordinal));
        assert_eq!(sampler.finish(), Sample::Ordinals(vec![502, 585, 603, 734, 804]));
        let mut sampler = Sampler::new(&settings);
        (0..3).for_each(|ordinal| sampler.push(ordinal));
        assert_eq!(sampler.finish(), Sample::Ordinals(vec![0, 1, 2]));
    }
}
