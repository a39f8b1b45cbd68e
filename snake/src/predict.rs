//! Prediction: every layer's chain is walked, lookalikes vote, votes are counted.

mod chain;

use crate::batch::RowBatch;
use crate::bucket::Origin;
use crate::candle::Candle;
use crate::model::{Model, ModelError};
use crate::program::Program;
use crate::schema::{Label, TargetKind};
use chain::{Link, Tally};

/// Rows that are predicted at a time.
const ROWS_AT_A_TIME: usize = 1 << 15;
/// Rows at a time where every vote is kept until a row is done.
const ROWS_IN_ORDER: usize = 1024;
/// Vote counters that are held at a time: rows times classes.
const COUNTERS: usize = 1 << 21;

/// What a model says of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The votes: position of the class in [`Predictor::classes`] and how many, ascending, without zeros.
    pub votes: Vec<(u32, u64)>,
    /// All votes.
    pub total: u64,
    /// The most probable class, the first on a tie.
    pub class: u32,
    /// Of a model that estimates a number: the votes' candle; `None` without votes.
    pub candle: Option<Candle>,
    /// Who voted, in vote order; where it was asked for.
    pub lookalikes: Option<Vec<Lookalike>>,
}

/// A vote: a training row that the predicted row looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookalike {
    /// The training row: its position in the population.
    pub row: u32,
    /// The clauses of its bucket that both rows make false.
    pub clauses: Vec<u32>,
    /// How the training row came into the bucket.
    pub origin: Origin,
    /// The layer.
    pub layer: u32,
    /// The bucket's place in the layer.
    pub bucket: u32,
}

impl Prediction {
    /// The probability of a class: its share of the votes; the same for all `classes` without votes.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn probability(&self, class: u32, classes: usize) -> f64 {
        if self.total == 0 {
            return 1.0 / classes as f64;
        }
        let place = self.votes.binary_search_by_key(&class, |vote| vote.0);
        let votes = place.ok().and_then(|place| self.votes.get(place)).map_or(0, |vote| vote.1);
        votes as f64 / self.total as f64
    }

    /// The estimate of a number, where there are votes.
    #[must_use]
    pub fn estimate(&self) -> Option<f64> {
        self.candle.map(|candle| candle.iqr_mean)
    }
}

/// A model made ready to predict many rows.
#[derive(Debug)]
pub struct Predictor<'m> {
    model: &'m Model,
    classes: Vec<Label>,
    /// Per class its number, for models that estimate one.
    values: Option<Vec<f64>>,
    program: Program,
    layers: Vec<Vec<Link>>,
}

impl<'m> Predictor<'m> {
    /// Compiles a model.
    ///
    /// # Errors
    /// [`ModelError`] when the model fails [`Model::check`].
    pub fn new(model: &'m Model) -> Result<Self, ModelError> {
        model.check()?;
        let classes = model.classes();
        #[allow(clippy::cast_possible_truncation)]
        let class_of = |label: &Label| -> u32 {
            classes.binary_search_by(|class| class.class_order(label)).unwrap_or_default() as u32
        };
        let class_of: Vec<u32> = model.targets.iter().map(class_of).collect();
        let mut program = Program::new(model.head.features.iter().map(|feature| feature.kind));
        let layers = model
            .layers
            .iter()
            .map(|layer| layer.iter().map(|bucket| Link::new(bucket, &class_of, &mut program)).collect())
            .collect();
        let values = (model.head.target_kind == TargetKind::Number)
            .then(|| classes.iter().map(|class| class.number().unwrap_or(f64::NAN)).collect());
        Ok(Self { model, classes, values, program, layers })
    }

    /// The model's classes in class order; of a model that estimates a number, the distinct numbers.
    #[must_use]
    pub fn classes(&self) -> &[Label] {
        &self.classes
    }

    /// Predicts every row of a batch, whose columns are the model's features.
    #[must_use]
    pub fn predict(&self, rows: &RowBatch) -> Vec<Prediction> {
        self.run(rows, false)
    }

    /// Predicts every row of a batch and says who voted: thousands of lookalikes a row in a large model, so ask for few
    /// rows at a time.
    #[must_use]
    pub fn predict_with_lookalikes(&self, rows: &RowBatch) -> Vec<Prediction> {
        self.run(rows, true)
    }

    #[allow(clippy::cast_possible_truncation)]
    fn run(&self, batch: &RowBatch, named: bool) -> Vec<Prediction> {
        let mut bound = self.program.bind(batch.columns());
        let mut predictions = Vec::with_capacity(batch.rows());
        let in_order = named || self.values.is_some();
        let step = if in_order {
            ROWS_IN_ORDER
        } else {
            (COUNTERS / self.classes.len().max(1)).clamp(1, ROWS_AT_A_TIME)
        };
        let mut start = 0;
        while start < batch.rows() {
            let end = (start + step).min(batch.rows());
            // A batch has fewer rows than a u32 counts.
            let rows: Vec<u32> = (start as u32..end as u32).collect();
            let mut tally = if in_order {
                Tally::in_order(start, rows.len())
            } else {
                Tally::counted(start, rows.len(), self.classes.len())
            };
            for (number, layer) in self.layers.iter().enumerate() {
                let (mut taken, rest) = bound.walk(layer.iter().map(|link| link.condition.as_deref()), &rows);
                if let Some(last) = taken.last_mut() {
                    last.extend(rest);
                    last.sort_unstable();
                }
                for (place, (link, rows)) in layer.iter().zip(&taken).enumerate() {
                    if !rows.is_empty() {
                        link.vote(&mut bound, rows, (number as u32, place as u32), &mut tally);
                    }
                }
            }
            self.conclude(tally, named, &mut predictions);
            start = end;
        }
        predictions
    }

    fn conclude(&self, tally: Tally, named: bool, predictions: &mut Vec<Prediction>) {
        match tally {
            Tally::Counted { counts, .. } => {
                predictions.extend(counts.chunks(self.classes.len().max(1)).map(|counts| {
                    let votes: Vec<(u32, u64)> =
                        (0_u32..).zip(counts).filter(|vote| *vote.1 > 0).map(|(c, n)| (c, *n)).collect();
                    prediction(votes)
                }));
            }
            Tally::InOrder { votes, .. } => predictions.extend(votes.into_iter().map(|votes| {
                let mut classes: Vec<u32> = votes.iter().map(|vote| vote.class).collect();
                classes.sort_unstable();
                let counts = classes.chunk_by(|a, b| a == b);
                let counted = counts.filter_map(|same| Some((*same.first()?, same.len() as u64))).collect();
                let mut prediction = prediction(counted);
                if let Some(values) = &self.values {
                    let value = |class: u32| values.get(class as usize).copied().unwrap_or(f64::NAN);
                    let values: Vec<f64> = votes.iter().map(|vote| value(vote.class)).collect();
                    // Classes go by value, so they are in order already.
                    let ascending: Vec<f64> = classes.iter().map(|class| value(*class)).collect();
                    prediction.candle = Candle::of_sorted(&values, &ascending);
                }
                if named {
                    prediction.lookalikes =
                        Some(votes.iter().filter_map(|vote| self.lookalike(vote)).collect());
                }
                prediction
            })),
        }
    }

    fn lookalike(&self, vote: &chain::Vote) -> Option<Lookalike> {
        let (layer, place) = vote.place;
        let bucket = self.model.layers.get(layer as usize)?.get(place as usize)?;
        let (position, mut conditions) = bucket.lookalikes.get(vote.entry as usize)?;
        Some(Lookalike {
            row: *bucket.members.get(position as usize)?,
            clauses: conditions.nth(vote.condition as usize)?.to_vec(),
            origin: *bucket.origins.get(position as usize)?,
            layer,
            bucket: place,
        })
    }
}

/// Counted votes, without candle and names. The most probable class is the first of those with most votes.
fn prediction(votes: Vec<(u32, u64)>) -> Prediction {
    let total = votes.iter().map(|vote| vote.1).sum();
    let best = votes.iter().rev().max_by_key(|vote| vote.1);
    let class = best.map_or(0, |vote| vote.0);
    Prediction { votes, total, class, candle: None, lookalikes: None }
}
