//! Prediction: every layer's chain is walked, lookalikes vote, votes are counted.
//!
//! Rows go in blocks, blocks on the threads of the current pool. In a block, a layer's rows are parted by a tree over its
//! conditions, and each bucket answers for all of its rows at once: a literal becomes a set of rows, a clause is false on
//! what the sets of its literals leave. A row's prediction depends on that row alone, so blocks and threads don't show.

mod link;
mod tree;

use rayon::prelude::*;

use crate::batch::RowBatch;
use crate::bucket::Origin;
use crate::candle::Candle;
use crate::model::{Model, ModelError};
use crate::program::Program;
use crate::schema::{Label, TargetKind};
use link::{Link, Scratch, Tally};
use tree::{Tree, Walk};

/// Rows in a block.
const ROWS_TOGETHER: usize = 1 << 15;
/// Fewer than these are not parted further: buckets would answer for a row or two each.
const ROWS_APART: usize = 1 << 11;
/// Vote counters of a block: rows times classes.
const COUNTERS: usize = 1 << 20;
/// With more classes votes are listed, since most counters would stay at zero.
const COUNTED_CLASSES: usize = 256;
/// Votes that a block's rows could get at most, where they are listed. A row gets a small part of them.
const LISTED_VOTES: usize = 1 << 24;

/// What a model says of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction<'m> {
    /// The votes: position of the class in [`Predictor::classes`] and how many, ascending, without zeros.
    pub votes: Vec<(u32, u64)>,
    /// All votes.
    pub total: u64,
    /// The most probable class, the first on a tie.
    pub class: u32,
    /// Of a model that estimates a number: the votes' candle; `None` without votes.
    pub candle: Option<Candle>,
    /// Who voted, in vote order; where it was asked for.
    pub lookalikes: Option<Vec<Lookalike<'m>>>,
}

/// A vote: a training row that the predicted row looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lookalike<'m> {
    /// The training row: its position in the population.
    pub row: u32,
    /// The clauses of its bucket that both rows make false, as the model lists them.
    pub clauses: &'m [u32],
    /// How the training row came into the bucket.
    pub origin: Origin,
    /// The layer.
    pub layer: u32,
    /// The bucket's place in the layer.
    pub bucket: u32,
}

impl Prediction<'_> {
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
    /// Per training row its class.
    class_of: Vec<u32>,
    /// Per class its number, for models that estimate one.
    values: Option<Vec<f64>>,
    program: Program,
    layers: Vec<Layer>,
}

/// A layer made ready.
#[derive(Debug)]
struct Layer {
    tree: Tree,
    links: Vec<Link>,
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
        let class_of: Vec<u32> = model.targets.par_iter().map(class_of).collect();
        let mut program = Program::new(model.head.features.iter().map(|feature| feature.kind));
        let layers = model
            .layers
            .iter()
            .map(|layer| {
                let chain: Vec<_> = layer
                    .iter()
                    .map(|bucket| bucket.condition.as_ref().map(|literals| program.literals(literals)))
                    .collect();
                let clauses: Vec<Vec<_>> = layer
                    .iter()
                    .map(|bucket| bucket.clauses.iter().map(|clause| program.literals(clause)).collect())
                    .collect();
                let links = layer.par_iter().zip(clauses);
                Layer {
                    tree: Tree::new(&chain),
                    links: links.map(|(bucket, clauses)| Link::new(bucket, &clauses, &class_of)).collect(),
                }
            })
            .collect();
        let values = (model.head.target_kind == TargetKind::Number)
            .then(|| classes.iter().map(|class| class.number().unwrap_or(f64::NAN)).collect());
        Ok(Self { model, classes, class_of, values, program, layers })
    }

    /// The model's classes in class order; of a model that estimates a number, the distinct numbers.
    #[must_use]
    pub fn classes(&self) -> &[Label] {
        &self.classes
    }

    /// Predicts every row of a batch, whose columns are the model's features.
    #[must_use]
    pub fn predict(&self, rows: &RowBatch) -> Vec<Prediction<'m>> {
        self.predict_each(rows, |_, prediction| prediction)
    }

    /// Predicts every row of a batch and hands `then` each with its row, from 0, as soon as it is made; gives what `then`
    /// made of them, in the order of the rows. For predictions that need not be kept: those of a number hold hundreds of
    /// votes each.
    pub fn predict_each<T: Send>(
        &self,
        rows: &RowBatch,
        then: impl Fn(usize, Prediction<'m>) -> T + Sync,
    ) -> Vec<T> {
        self.run(rows, false, then)
    }

    /// Predicts every row of a batch and says who voted: thousands of lookalikes a row in a large model, so ask for few
    /// rows at a time.
    #[must_use]
    pub fn predict_with_lookalikes(&self, rows: &RowBatch) -> Vec<Prediction<'m>> {
        self.run(rows, true, |_, prediction| prediction)
    }

    fn run<T: Send>(
        &self,
        batch: &RowBatch,
        named: bool,
        then: impl Fn(usize, Prediction<'m>) -> T + Sync,
    ) -> Vec<T> {
        let bound = self.program.bind(batch.columns());
        let listed = named || self.values.is_some() || self.classes.len() > COUNTED_CLASSES;
        let most = if listed {
            let votes = |layer: &Layer| layer.links.iter().map(|link| link.votes).max().unwrap_or(0);
            LISTED_VOTES / self.layers.iter().map(votes).sum::<usize>().max(1)
        } else {
            COUNTERS / self.classes.len().max(1)
        };
        let share = batch.rows().div_ceil(rayon::current_num_threads());
        let step = share.clamp(ROWS_APART, ROWS_TOGETHER).min(most).max(1);
        let blocks = (0..batch.rows().div_ceil(step)).into_par_iter();
        let blocks: Vec<Vec<T>> = blocks
            .map_init(<(Walk, Scratch)>::default, |(walk, scratch), block| {
                let rows = block * step..batch.rows().min((block + 1) * step);
                let (start, count) = (rows.start, rows.len());
                let mut tally = if listed {
                    let names = named.then(|| vec![Vec::new(); count]);
                    Tally::InOrder { start, votes: vec![Vec::new(); count], names }
                } else {
                    let classes = self.classes.len().max(1);
                    Tally::Counted { start, classes, counts: vec![0; count * classes] }
                };
                for (number, (layer, of)) in (0..).zip(self.layers.iter().zip(&self.model.layers)) {
                    // A batch has fewer rows than a u32 counts, a layer fewer buckets.
                    #[allow(clippy::cast_possible_truncation)]
                    layer.tree.walk(&bound, rows.clone().map(|row| row as u32), walk, &mut |place, rows| {
                        if let (Some(link), Some(bucket)) = (layer.links.get(place), of.get(place)) {
                            let of = (bucket, &*self.class_of, (number, place as u32));
                            link.vote(&bound, rows, of, scratch, &mut tally);
                        }
                    });
                }
                self.conclude(tally, &then)
            })
            .collect();
        blocks.into_iter().flatten().collect()
    }

    fn conclude<T>(&self, tally: Tally<'m>, then: &impl Fn(usize, Prediction<'m>) -> T) -> Vec<T> {
        match tally {
            Tally::Counted { start, classes, counts } => {
                let rows = (start..).zip(counts.chunks(classes));
                rows.map(|(row, counts)| {
                    let voted = counts.iter().filter(|count| **count > 0).count();
                    let mut votes = Vec::with_capacity(voted);
                    votes.extend((0_u32..).zip(counts.iter().copied()).filter(|vote| vote.1 > 0));
                    then(row, prediction(votes))
                })
                .collect()
            }
            Tally::InOrder { start, votes, names } => {
                let mut names = names.map(Vec::into_iter);
                let (mut values, mut ascending) = (Vec::new(), Vec::new());
                let rows = (start..).zip(votes);
                rows.map(|(row, mut votes)| {
                    if let Some(numbers) = &self.values {
                        let value = |class: &u32| numbers.get(*class as usize).copied().unwrap_or(f64::NAN);
                        values.clear();
                        values.extend(votes.iter().map(value));
                        votes.sort_unstable();
                        // Classes go by value, so the values are in order too.
                        ascending.clear();
                        ascending.extend(votes.iter().map(value));
                    } else {
                        votes.sort_unstable();
                    }
                    let same = votes.chunk_by(|a, b| a == b);
                    let counted = same.filter_map(|same| Some((*same.first()?, same.len() as u64)));
                    let mut prediction = prediction(counted.collect());
                    prediction.candle = Candle::of_sorted(&values, &ascending);
                    prediction.lookalikes = names.as_mut().and_then(Iterator::next);
                    then(row, prediction)
                })
                .collect()
            }
        }
    }
}

/// Counted votes, without candle and names. The most probable class is the first of those with most votes.
fn prediction<'m>(votes: Vec<(u32, u64)>) -> Prediction<'m> {
    let total = votes.iter().map(|vote| vote.1).sum();
    let best = votes.iter().rev().max_by_key(|vote| vote.1);
    let class = best.map_or(0, |vote| vote.0);
    Prediction { votes, total, class, candle: None, lookalikes: None }
}
