//! Evaluation figures: how good predictions were on rows whose truth is known.

/// Probabilities below this, and above one less it, count as this in the log loss.
const CLIP: f64 = 1e-15;

/// Figures of a model that tells classes apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassMetrics {
    /// Rows evaluated.
    pub rows: usize,
    /// The share of rows whose most probable class (the first on a tie) is the true one.
    pub accuracy: f64,
    /// Area under the ROC curve, ties by average rank. With two classes, of the second in class order; with more, the
    /// plain mean over the classes that some rows have and others have not, each against the rest. `None` when all
    /// rows have one class.
    pub auroc: Option<f64>,
    /// Mean of -ln(probability of the true class), clipped at 1e-15 and 1 - 1e-15.
    pub log_loss: f64,
    /// Brier score. With two classes the mean of (probability of the second - truth)^2; with more, the mean of that
    /// square summed over all classes.
    pub brier: f64,
}

/// Figures of a model that estimates a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumberMetrics {
    /// Rows evaluated.
    pub rows: usize,
    /// 1 - (squared errors / squared deviations from the mean); `None` when the truth does not vary.
    pub r2: Option<f64>,
    /// Root of the mean squared error.
    pub rmse: f64,
    /// Mean absolute error.
    pub mae: f64,
}

/// Figures from the true class of each row and a probability per row and class (`classes` probabilities a row, in
/// class order). A true class that the model does not know is `classes` or more: its row is wrong, and has probability
/// 0 for the truth.
///
/// `None` without rows or classes, or when the lengths do not match.
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub fn class_metrics(truth: &[u32], probabilities: &[f64], classes: usize) -> Option<ClassMetrics> {
    let rows = truth.len();
    if rows == 0 || classes == 0 || probabilities.len() != rows.checked_mul(classes)? {
        return None;
    }
    let (mut right, mut loss, mut brier) = (0_usize, 0.0, 0.0);
    for (truth, row) in truth.iter().zip(probabilities.chunks(classes)) {
        let truth = *truth as usize;
        let mut best = (0, f64::NEG_INFINITY);
        let mut squares = 0.0;
        for (class, p) in row.iter().enumerate() {
            if *p > best.1 {
                best = (class, *p);
            }
            let miss = p - f64::from(u8::from(class == truth));
            squares += miss * miss;
        }
        right += usize::from(best.0 == truth);
        if truth >= classes {
            squares += 1.0;
        }
        // Both classes' squares are the same with two.
        brier += if classes == 2 && truth < classes { squares / 2.0 } else { squares };
        loss -= libm::log(row.get(truth).copied().unwrap_or(0.0).clamp(CLIP, 1.0 - CLIP));
    }
    let n = rows as f64;
    Some(ClassMetrics {
        rows,
        accuracy: right as f64 / n,
        auroc: mean_auroc(truth, probabilities, classes),
        log_loss: loss / n,
        brier: brier / n,
    })
}

#[allow(clippy::cast_precision_loss)]
fn mean_auroc(truth: &[u32], probabilities: &[f64], classes: usize) -> Option<f64> {
    let first = if classes == 2 { 1 } else { 0 };
    let (mut sum, mut count) = (0.0, 0_usize);
    for class in first..classes {
        let scores = probabilities.iter().skip(class).step_by(classes).copied();
        let of_class = truth.iter().map(|truth| *truth as usize == class);
        if let Some(area) = auroc(scores.zip(of_class)) {
            sum += area;
            count += 1;
        }
    }
    (count > 0).then(|| sum / count as f64)
}

/// The chance that a positive's score is above a negative's, half for equal ones; `None` without either.
#[allow(clippy::cast_precision_loss)]
fn auroc(scored: impl Iterator<Item = (f64, bool)>) -> Option<f64> {
    let mut scored: Vec<(f64, bool)> = scored.map(|(score, positive)| (score + 0.0, positive)).collect();
    scored.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let mut negatives = 0_u64;
    let mut positives = 0_u64;
    // Twice the pairs that are in order: whole numbers are exact.
    let mut doubled = 0_u128;
    for equal in scored.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let above = equal.iter().filter(|entry| entry.1).count() as u64;
        let beside = equal.len() as u64 - above;
        doubled += u128::from(above) * u128::from(2 * negatives + beside);
        positives += above;
        negatives += beside;
    }
    let pairs = u128::from(positives) * u128::from(negatives);
    (pairs > 0).then(|| doubled as f64 / (2 * pairs) as f64)
}

/// Figures from the true number of each row and its estimate. `None` without rows, or when the lengths do not match.
///
/// A row without an estimate (no votes) has to be given one by the caller, or left out on both sides.
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub fn number_metrics(truth: &[f64], estimates: &[f64]) -> Option<NumberMetrics> {
    let rows = truth.len();
    if rows == 0 || estimates.len() != rows {
        return None;
    }
    let n = rows as f64;
    let mean = truth.iter().sum::<f64>() / n;
    let (mut squares, mut absolute, mut spread) = (0.0, 0.0, 0.0);
    for (truth, estimate) in truth.iter().zip(estimates) {
        let miss = estimate - truth;
        squares += miss * miss;
        absolute += miss.abs();
        spread += (truth - mean) * (truth - mean);
    }
    Some(NumberMetrics {
        rows,
        r2: (spread > 0.0).then(|| 1.0 - squares / spread),
        rmse: libm::sqrt(squares / n),
        mae: absolute / n,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 1e-12, "{a} is not {b}");
    }

    #[test]
    fn two_classes() {
        // Probabilities of the second class 0.1, 0.4, 0.35, 0.8; truth 0, 0, 1, 1: three of four pairs in order.
        let probabilities = [0.9, 0.1, 0.6, 0.4, 0.65, 0.35, 0.2, 0.8];
        let found = class_metrics(&[0, 0, 1, 1], &probabilities, 2).unwrap();
        close(found.accuracy, 0.75);
        close(found.auroc.unwrap(), 0.75);
        close(found.brier, (0.01 + 0.16 + 0.4225 + 0.04) / 4.0);
        close(found.log_loss, -(0.9_f64 * 0.6 * 0.35 * 0.8).ln() / 4.0);
    }

    #[test]
    fn ties_count_half() {
        let half = [0.5; 8];
        let found = class_metrics(&[0, 1, 0, 1], &half, 2).unwrap();
        close(found.auroc.unwrap(), 0.5);
        // The first class on a tie.
        close(found.accuracy, 0.5);
        close(found.brier, 0.25);
        // Scores 0.2, 0.5 for class 0 and 0.5, 0.9 for class 1: 3.5 of 4 pairs.
        let found = class_metrics(&[0, 0, 1, 1], &[0.8, 0.2, 0.5, 0.5, 0.5, 0.5, 0.1, 0.9], 2).unwrap();
        close(found.auroc.unwrap(), 0.875);
    }

    #[test]
    fn certain_and_wrong_is_clipped() {
        let found = class_metrics(&[0], &[0.0, 1.0], 2).unwrap();
        assert_eq!(found.auroc, None);
        close(found.log_loss, -(1e-15_f64).ln());
        let found = class_metrics(&[1], &[0.0, 1.0], 2).unwrap();
        assert!(found.log_loss < 1e-14 && found.log_loss > 0.0);
    }

    #[test]
    fn several_classes() {
        let probabilities = [0.7, 0.2, 0.1, 0.3, 0.3, 0.4, 0.1, 0.8, 0.1];
        let found = class_metrics(&[0, 2, 1], &probabilities, 3).unwrap();
        close(found.accuracy, 1.0);
        close(found.auroc.unwrap(), 1.0);
        close(found.brier, (0.09 + 0.04 + 0.01 + 0.09 + 0.09 + 0.36 + 0.01 + 0.04 + 0.01) / 3.0);
        // Class 2 has no row: the mean is over the other two.
        let found = class_metrics(&[0, 1, 1], &probabilities, 3).unwrap();
        close(found.auroc.unwrap(), 1.0);
        // A class that the model does not know.
        let found = class_metrics(&[7, 0, 1], &probabilities, 3).unwrap();
        assert!(found.accuracy < 0.5 && found.log_loss > 10.0);
    }

    #[test]
    fn numbers() {
        let found = number_metrics(&[1.0, 2.0, 3.0, 6.0], &[1.0, 3.0, 3.0, 4.0]).unwrap();
        // Squared errors 5, squared deviations from 3: 4 + 1 + 0 + 9.
        close(found.r2.unwrap(), 1.0 - 5.0 / 14.0);
        close(found.rmse, (5.0_f64 / 4.0).sqrt());
        close(found.mae, 0.75);
        assert_eq!(number_metrics(&[2.0, 2.0], &[1.0, 3.0]).unwrap().r2, None);
    }

    #[test]
    fn nothing_to_evaluate() {
        assert_eq!(class_metrics(&[], &[], 2), None);
        assert_eq!(class_metrics(&[0], &[1.0], 2), None);
        assert_eq!(class_metrics(&[0], &[], 0), None);
        assert_eq!(number_metrics(&[], &[]), None);
        assert_eq!(number_metrics(&[1.0], &[]), None);
    }
}
