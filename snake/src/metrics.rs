//! Evaluation figures: how good predictions were on rows whose truth is known.
//!
//! Rows are added one at a time, in order, and not kept. What is kept of them is exact and small: a count per pair of
//! true and predicted class, and per class how many rows had which probability other than zero.

use std::collections::BTreeMap;

use crate::predict::Prediction;

/// Probabilities below this, and above one less it, count as this in the log loss.
pub const LOG_LOSS_CLIP: f64 = 1e-15;

/// Bins of the calibration table.
pub const CALIBRATION_BINS: usize = 10;

/// Figures of a model that tells classes apart.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassMetrics {
    /// Rows evaluated.
    pub rows: u64,
    /// Rows among them without a vote: all classes are as probable, so the first is predicted.
    pub rows_without_votes: u64,
    /// The share of rows whose most probable class (the first on a tie) is the true one.
    pub accuracy: f64,
    /// Area under the ROC curve: the chance that a row of the class has a higher probability for it than a row of
    /// another, half for equal ones. With two classes, of the second in class order; with more, the plain mean over the
    /// classes that some rows have and others have not, each against the rest. `None` when there is no such class.
    pub auroc: Option<f64>,
    /// Mean of -ln(probability of the true class), clipped at [`LOG_LOSS_CLIP`] and 1 less it.
    pub log_loss: f64,
    /// Brier score. With two classes the mean of (probability of the second - truth)^2; with more, the mean of that
    /// square summed over all classes.
    pub brier: f64,
    /// How many rows of which true class were predicted as which: ascending, without zeros. The true class is `None`
    /// where the model does not know it.
    pub confusion: Vec<Confusion>,
    /// Rows by the probability of the predicted class: bin `i` is from `i / 10`, inclusive, to `(i + 1) / 10`, the last
    /// one to 1 inclusive.
    pub calibration: [CalibrationBin; CALIBRATION_BINS],
}

/// A cell of the confusion matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confusion {
    /// The true class; `None`: one the model does not know.
    pub truth: Option<u32>,
    /// The predicted class.
    pub predicted: u32,
    /// How many rows; at least 1.
    pub rows: u64,
}

/// A bin of the calibration table: rows whose predicted class was about as probable.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CalibrationBin {
    /// How many rows.
    pub rows: u64,
    /// The mean probability of the predicted class; 0 without rows.
    pub mean_predicted: f64,
    /// The share of rows whose predicted class is the true one; 0 without rows.
    pub share_right: f64,
}

/// Figures of a model that estimates a number. Rows without a vote have no estimate: they are counted, and the other
/// figures leave them out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumberMetrics {
    /// Rows with an estimate.
    pub rows: u64,
    /// Rows without one.
    pub rows_without_votes: u64,
    /// 1 - (squared errors / squared deviations from the mean); `None` when the truth does not vary.
    pub r2: Option<f64>,
    /// Root of the mean squared error.
    pub rmse: f64,
    /// Mean absolute error.
    pub mae: f64,
}

/// Collects the figures of predicted classes.
#[derive(Debug, Clone)]
pub struct ClassScorer {
    classes: usize,
    loss: f64,
    brier: f64,
    /// Rows without a vote per true class, unknown ones last.
    without: Vec<u64>,
    /// Per class that AUROC is about, the probabilities other than zero.
    scores: Vec<Scores>,
    confusion: BTreeMap<(u32, u32), u64>,
    calibration: [CalibrationBin; CALIBRATION_BINS],
}

/// The place of true classes that the model does not know.
const UNKNOWN: u32 = u32::MAX;

impl ClassScorer {
    /// No rows yet, for a model of so many classes.
    #[must_use]
    pub fn new(classes: usize) -> Self {
        Self {
            classes,
            loss: 0.0,
            brier: 0.0,
            without: vec![0; classes + 1],
            scores: vec![Scores::default(); classes],
            confusion: BTreeMap::new(),
            calibration: [CalibrationBin::default(); CALIBRATION_BINS],
        }
    }

    /// Adds a row: the place of its true class in class order, `None` where the model does not know the class. Such a
    /// row is wrong, and the probability of its truth is 0.
    pub fn add(&mut self, truth: Option<u32>, prediction: &Prediction) {
        let truth = truth.filter(|class| (*class as usize) < self.classes);
        let right = truth == Some(prediction.class);
        let p = |class: u32| prediction.probability(class, self.classes);
        self.loss -= libm::log(truth.map_or(0.0, p).clamp(LOG_LOSS_CLIP, 1.0 - LOG_LOSS_CLIP));
        self.brier += self.squares(truth, prediction);

        *self.confusion.entry((truth.unwrap_or(UNKNOWN), prediction.class)).or_default() += 1;
        let confidence = p(prediction.class);
        if let Some(bin) = self.calibration.get_mut(bin_of(prediction, self.classes)) {
            bin.rows += 1;
            // Sums for now; `finish` divides.
            bin.mean_predicted += confidence;
            bin.share_right += f64::from(u8::from(right));
        }
        if prediction.total == 0 {
            let place = truth.map_or(self.classes, |class| class as usize);
            if let Some(without) = self.without.get_mut(place) {
                *without += 1;
            }
            return;
        }
        for (class, _) in &prediction.votes {
            // Of two classes the second says it all.
            if self.classes == 2 && *class == 0 {
                continue;
            }
            let score = prediction.probability(*class, self.classes);
            if let Some(scores) = self.scores.get_mut(*class as usize) {
                scores.add(score, truth == Some(*class));
            }
        }
    }

    /// The squared misses of a row's probabilities.
    #[allow(clippy::cast_precision_loss)]
    fn squares(&self, truth: Option<u32>, prediction: &Prediction) -> f64 {
        let mut squares = 0.0;
        if prediction.total == 0 {
            let share = 1.0 / self.classes as f64;
            let others = self.classes - usize::from(truth.is_some());
            squares += others as f64 * share * share;
            squares += truth.map_or(1.0, |_| (1.0 - share) * (1.0 - share));
        } else {
            // The truth got no vote: missed by all of 1.
            let voted = truth.is_some_and(|class| prediction.votes.iter().any(|vote| vote.0 == class));
            squares += f64::from(u8::from(!voted));
            for (class, _) in &prediction.votes {
                let p = prediction.probability(*class, self.classes);
                let miss = if truth == Some(*class) { 1.0 - p } else { p };
                squares += miss * miss;
            }
        }
        // Both classes' squares are the same with two.
        if self.classes == 2 && truth.is_some() { squares / 2.0 } else { squares }
    }

    /// The figures; `None` without rows or classes.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn finish(self) -> Option<ClassMetrics> {
        let rows: u64 = self.confusion.values().sum();
        if rows == 0 || self.classes == 0 {
            return None;
        }
        let n = rows as f64;
        let right: u64 =
            self.confusion.iter().filter(|((truth, said), _)| truth == said).map(|entry| entry.1).sum();
        let confusion = self.confusion.iter().map(|((truth, predicted), rows)| Confusion {
            truth: Some(*truth).filter(|class| *class != UNKNOWN),
            predicted: *predicted,
            rows: *rows,
        });
        let calibration = self.calibration.map(|bin| match bin.rows {
            0 => bin,
            rows => CalibrationBin {
                rows,
                mean_predicted: bin.mean_predicted / rows as f64,
                share_right: bin.share_right / rows as f64,
            },
        });
        Some(ClassMetrics {
            rows,
            rows_without_votes: self.without.iter().sum(),
            accuracy: right as f64 / n,
            log_loss: self.loss / n,
            brier: self.brier / n,
            confusion: confusion.collect(),
            calibration,
            auroc: self.auroc(rows),
        })
    }

    #[allow(clippy::cast_precision_loss)]
    fn auroc(mut self, rows: u64) -> Option<f64> {
        let mut of_class = vec![0_u64; self.classes];
        for ((truth, _), rows) in &self.confusion {
            if let Some(count) = of_class.get_mut(*truth as usize) {
                *count += rows;
            }
        }
        let all_without: u64 = self.without.iter().sum();
        let (mut sum, mut count) = (0.0, 0_usize);
        let uniform = 1.0 / self.classes as f64;
        for (class, scores) in self.scores.iter_mut().enumerate().skip(usize::from(self.classes == 2)) {
            let without = self.without.get(class).copied().unwrap_or(0);
            let positives = of_class.get(class).copied().unwrap_or(0);
            scores.add_many(uniform, without, all_without - without);
            if let Some(area) = scores.area(positives, rows - positives) {
                sum += area;
                count += 1;
            }
        }
        (count > 0).then(|| sum / count as f64)
    }
}

/// The bin of the probability of the predicted class, in whole numbers: 0.3 is in the bin that begins with it.
fn bin_of(prediction: &Prediction, classes: usize) -> usize {
    let (votes, total) = match prediction.total {
        0 => (1, classes.max(1) as u128),
        total => {
            let of_class = prediction.votes.iter().find(|vote| vote.0 == prediction.class);
            (of_class.map_or(0, |vote| u128::from(vote.1)), u128::from(total))
        }
    };
    let bin = usize::try_from(CALIBRATION_BINS as u128 * votes / total).unwrap_or(CALIBRATION_BINS);
    bin.min(CALIBRATION_BINS - 1)
}

/// How many rows of a class, and of others, had which probability for it other than zero.
#[derive(Debug, Clone, Default)]
struct Scores {
    /// Probability, rows of the class, rows of others: ascending.
    counted: Vec<(f64, u64, u64)>,
    /// Rows not yet counted: the probability, below zero for a row of the class.
    pending: Vec<f64>,
}

/// Rows that are not yet counted, at least.
const PENDING: usize = 4096;

impl Scores {
    fn add(&mut self, score: f64, of_class: bool) {
        self.pending.push(if of_class { -score } else { score });
        if self.pending.len() >= PENDING.max(self.counted.len()) {
            self.count();
        }
    }

    fn add_many(&mut self, score: f64, of_class: u64, of_others: u64) {
        if of_class + of_others > 0 {
            self.counted.push((score, of_class, of_others));
        }
    }

    /// Shares of votes are few different numbers, so counting them keeps memory small whatever the number of rows.
    fn count(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        self.counted.extend(pending.iter().map(|score| {
            let of_class = u64::from(score.is_sign_negative());
            (score.abs(), of_class, 1 - of_class)
        }));
        self.counted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        self.counted.dedup_by(|next, kept| {
            let same = next.0.total_cmp(&kept.0).is_eq();
            if same {
                kept.1 += next.1;
                kept.2 += next.2;
            }
            same
        });
        self.pending = pending;
        self.pending.clear();
    }

    /// The chance that a row of the class has the higher score, half for equal ones; `None` without rows on a side.
    /// Rows that were not added have score 0.
    #[allow(clippy::cast_precision_loss)]
    fn area(&mut self, positives: u64, negatives: u64) -> Option<f64> {
        self.count();
        let above: u64 = self.counted.iter().map(|entry| entry.1).sum();
        let others: u64 = self.counted.iter().map(|entry| entry.2).sum();
        let mut below = negatives - others;
        // Twice the pairs that are in order: whole numbers are exact.
        let mut doubled = u128::from(positives - above) * u128::from(below);
        for (_, of_class, of_others) in &self.counted {
            doubled += u128::from(*of_class) * u128::from(2 * below + of_others);
            below += of_others;
        }
        let pairs = u128::from(positives) * u128::from(negatives);
        (pairs > 0).then(|| doubled as f64 / (2 * pairs) as f64)
    }
}

/// Collects the figures of estimated numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct NumberScorer {
    rows: u64,
    without: u64,
    squares: f64,
    absolute: f64,
    /// Mean of the truth so far, and its squared deviations from it (Welford's recurrence).
    mean: f64,
    spread: f64,
}

impl NumberScorer {
    /// No rows yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a row: its true number and its estimate, `None` without votes.
    #[allow(clippy::cast_precision_loss)]
    pub fn add(&mut self, truth: f64, estimate: Option<f64>) {
        let Some(estimate) = estimate else {
            self.without += 1;
            return;
        };
        self.rows += 1;
        let miss = estimate - truth;
        self.squares += miss * miss;
        self.absolute += miss.abs();
        let from_mean = truth - self.mean;
        self.mean += from_mean / self.rows as f64;
        self.spread += from_mean * (truth - self.mean);
    }

    /// The figures; `None` without a row that has an estimate.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn finish(self) -> Option<NumberMetrics> {
        let n = self.rows as f64;
        (self.rows > 0).then(|| NumberMetrics {
            rows: self.rows,
            rows_without_votes: self.without,
            r2: (self.spread > 0.0).then(|| 1.0 - self.squares / self.spread),
            rmse: libm::sqrt(self.squares / n),
            mae: self.absolute / n,
        })
    }
}

#[cfg(test)]
mod tests;
