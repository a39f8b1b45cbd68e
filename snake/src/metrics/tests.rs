use super::*;

fn close(a: f64, b: f64) {
    assert!((a - b).abs() < 1e-12, "{a} is not {b}");
}

/// A prediction by its votes per class.
fn voted(votes: &[u64]) -> Prediction {
    let mut best = 0;
    for (class, votes_of_class) in votes.iter().enumerate() {
        if *votes_of_class > votes[best] {
            best = class;
        }
    }
    Prediction {
        votes: (0..).zip(votes).filter(|vote| *vote.1 > 0).map(|(class, n)| (class, *n)).collect(),
        total: votes.iter().sum(),
        class: best as u32,
        candle: None,
        lookalikes: None,
    }
}

/// The figures of rows given as true class and votes per class.
fn scored(classes: usize, rows: &[(u32, &[u64])]) -> ClassMetrics {
    let mut scorer = ClassScorer::new(classes);
    for (truth, votes) in rows {
        assert_eq!(votes.len(), classes);
        scorer.add(Some(*truth), &voted(votes));
    }
    scorer.finish().unwrap()
}

#[test]
fn two_classes() {
    // Probabilities of the second class 0.1, 0.4, 0.35, 0.8; truth 0, 0, 1, 1: three of four pairs in order.
    let found = scored(2, &[(0, &[9, 1]), (0, &[6, 4]), (1, &[13, 7]), (1, &[1, 4])]);
    assert_eq!((found.rows, found.rows_without_votes), (4, 0));
    close(found.accuracy, 0.75);
    close(found.auroc.unwrap(), 0.75);
    close(found.brier, (0.01 + 0.16 + 0.4225 + 0.04) / 4.0);
    close(found.log_loss, -(0.9_f64 * 0.6 * 0.35 * 0.8).ln() / 4.0);
    let cell = |truth, predicted, rows| Confusion { truth: Some(truth), predicted, rows };
    assert_eq!(found.confusion, [cell(0, 0, 2), cell(1, 0, 1), cell(1, 1, 1)]);
}

#[test]
fn ties_count_half() {
    let half: &[u64] = &[3, 3];
    let found = scored(2, &[(0, half), (1, half), (0, half), (1, half)]);
    close(found.auroc.unwrap(), 0.5);
    // The first class on a tie.
    close(found.accuracy, 0.5);
    close(found.brier, 0.25);
    // Scores 0.2, 0.5 for class 0 and 0.5, 0.9 for class 1: 3.5 of 4 pairs.
    let found = scored(2, &[(0, &[4, 1]), (0, &[1, 1]), (1, &[2, 2]), (1, &[1, 9])]);
    close(found.auroc.unwrap(), 0.875);
}

#[test]
fn certain_and_wrong_is_clipped() {
    let found = scored(2, &[(0, &[0, 5])]);
    assert_eq!(found.auroc, None);
    close(found.log_loss, -(1e-15_f64).ln());
    close(found.brier, 1.0);
    let found = scored(2, &[(1, &[0, 5])]);
    assert!(found.log_loss < 1e-14 && found.log_loss > 0.0);
}

#[test]
fn several_classes() {
    let rows: [&[u64]; 3] = [&[7, 2, 1], &[3, 3, 4], &[1, 8, 1]];
    let found = scored(3, &[(0, rows[0]), (2, rows[1]), (1, rows[2])]);
    close(found.accuracy, 1.0);
    close(found.auroc.unwrap(), 1.0);
    close(found.brier, (0.09 + 0.04 + 0.01 + 0.09 + 0.09 + 0.36 + 0.01 + 0.04 + 0.01) / 3.0);
    // Class 2 has no row: the mean is over the other two. Class 0: 0.7 over 0.3 and 0.1. Class 1: 0.3 and 0.8 over 0.2.
    let found = scored(3, &[(0, rows[0]), (1, rows[1]), (1, rows[2])]);
    close(found.auroc.unwrap(), 1.0);
}

#[test]
fn classes_the_model_does_not_know_are_wrong() {
    let mut scorer = ClassScorer::new(3);
    scorer.add(None, &voted(&[7, 2, 1]));
    scorer.add(Some(9), &voted(&[0, 0, 0]));
    scorer.add(Some(1), &voted(&[0, 4, 0]));
    let found = scorer.finish().unwrap();
    close(found.accuracy, 1.0 / 3.0);
    assert!(found.log_loss > 20.0);
    close(found.brier, (1.0 + 0.49 + 0.04 + 0.01 + 1.0 + 3.0 / 9.0) / 3.0);
    let unknown = Confusion { truth: None, predicted: 0, rows: 2 };
    assert!(found.confusion.contains(&unknown), "{:?}", found.confusion);
    // Of the classes only 1 has rows: 1 over 0.2 and over a third.
    close(found.auroc.unwrap(), 1.0);
    // With two classes: both probabilities are missed.
    let mut scorer = ClassScorer::new(2);
    scorer.add(None, &voted(&[1, 3]));
    close(scorer.finish().unwrap().brier, 1.0 + 0.0625 + 0.5625);
}

#[test]
fn rows_without_votes_are_uniform() {
    // Scores of class 1: 1/3 without votes (truth 1), 0 (truth 0), 0.5 (truth 2): one of two pairs.
    let found = scored(3, &[(1, &[0, 0, 0]), (0, &[5, 0, 0]), (2, &[0, 1, 1])]);
    assert_eq!(found.rows_without_votes, 1);
    // Class 0: 1 over 1/3 and 0. Class 2: 0.5 over 1/3 and 0.
    close(found.auroc.unwrap(), (1.0 + 0.5 + 1.0) / 3.0);
    close(found.log_loss, (3.0_f64.ln() - (1.0_f64 - 1e-15).ln() + 2.0_f64.ln()) / 3.0);
    close(found.brier, ((4.0 / 9.0 + 2.0 / 9.0) + 0.0 + 0.5) / 3.0);
    // Without votes the first class is predicted.
    close(found.accuracy, 1.0 / 3.0);
}

#[test]
fn calibration_goes_by_the_predicted_class() {
    let found =
        scored(2, &[(0, &[7, 3]), (1, &[7, 3]), (1, &[1, 3]), (1, &[0, 2]), (0, &[1, 9]), (0, &[1, 1])]);
    let of = |bin: usize| {
        let bin = found.calibration[bin];
        (bin.rows, bin.mean_predicted, bin.share_right)
    };
    assert_eq!(of(0), (0, 0.0, 0.0));
    assert_eq!(of(5), (1, 0.5, 1.0));
    let seven = found.calibration[7];
    assert_eq!((seven.rows, seven.share_right), (3, 2.0 / 3.0));
    close(seven.mean_predicted, (0.7 + 0.7 + 0.75) / 3.0);
    // 0.9 begins the last bin, which 1 belongs to.
    assert_eq!(of(9), (2, 0.95, 0.5));
    assert_eq!(found.calibration.iter().map(|bin| bin.rows).sum::<u64>(), found.rows);
    // Three tenths are 0.3 as a share, 0.30000000000000004 as a sum of floats: the bin goes by the votes.
    let found = scored(4, &[(0, &[3, 3, 2, 2])]);
    assert_eq!(found.calibration[3].rows, 1);
}

/// AUROC by comparing all pairs.
fn by_pairs(scores: &[(f64, bool)]) -> Option<f64> {
    let (mut sum, mut pairs) = (0.0, 0.0);
    for (score, _) in scores.iter().filter(|entry| entry.1) {
        for (other, _) in scores.iter().filter(|entry| !entry.1) {
            pairs += 1.0;
            sum += if score > other {
                1.0
            } else if score == other {
                0.5
            } else {
                0.0
            };
        }
    }
    (pairs > 0.0).then(|| sum / pairs)
}

/// More rows than are counted at a time, and more different shares than fit beside them.
#[test]
fn counting_changes_nothing() {
    let mut state = 3_u64;
    let mut below = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    for (classes, rows) in [(2, 3 * PENDING), (5, 2_000)] {
        let mut scorer = ClassScorer::new(classes);
        let mut all = Vec::new();
        for _ in 0..rows {
            let truth = below(classes as u64) as u32;
            let mut votes: Vec<u64> =
                (0..classes).map(|_| if below(3) == 0 { 0 } else { below(60) }).collect();
            votes[truth as usize] += below(20);
            let prediction = voted(&votes);
            scorer.add(Some(truth), &prediction);
            all.push((truth, prediction));
        }
        let of_class = |class: u32| {
            let scores = all.iter().map(|(truth, said)| (said.probability(class, classes), *truth == class));
            by_pairs(&scores.collect::<Vec<_>>()).unwrap()
        };
        let expected = match classes {
            2 => of_class(1),
            _ => (0..classes as u32).map(of_class).sum::<f64>() / classes as f64,
        };
        close(scorer.finish().unwrap().auroc.unwrap(), expected);
    }
}

fn numbers(rows: &[(f64, Option<f64>)]) -> Option<NumberMetrics> {
    let mut scorer = NumberScorer::new();
    rows.iter().for_each(|(truth, estimate)| scorer.add(*truth, *estimate));
    scorer.finish()
}

#[test]
fn estimated_numbers() {
    let found =
        numbers(&[(1.0, Some(1.0)), (2.0, Some(3.0)), (50.0, None), (3.0, Some(3.0)), (6.0, Some(4.0))])
            .unwrap();
    assert_eq!((found.rows, found.rows_without_votes), (4, 1));
    // Squared errors 5, squared deviations from 3: 4 + 1 + 0 + 9.
    close(found.r2.unwrap(), 1.0 - 5.0 / 14.0);
    close(found.rmse, (5.0_f64 / 4.0).sqrt());
    close(found.mae, 0.75);
    assert_eq!(numbers(&[(2.0, Some(1.0)), (2.0, Some(3.0))]).unwrap().r2, None);
    // Far from zero the deviations are still those of 1, 2 and 3.
    let far = [1.0, 2.0, 3.0].map(|x| (1e9 + x, Some(1e9 + 2.0)));
    close(numbers(&far).unwrap().r2.unwrap(), 0.0);
}

#[test]
fn nothing_to_evaluate() {
    assert_eq!(ClassScorer::new(2).finish(), None);
    assert_eq!(ClassScorer::new(0).finish(), None);
    assert_eq!(numbers(&[]), None);
    assert_eq!(numbers(&[(1.0, None)]), None);
}

/// What scikit-learn 1.9 says of the same probabilities (`accuracy_score`, `roc_auc_score` with "ovr" and "macro",
/// `brier_score_loss`, `confusion_matrix`, `r2_score`; the log loss with this crate's clipping).
#[test]
fn known_values_of_two_classes() {
    let found = scored(
        2,
        &[
            (0, &[4, 4]),
            (0, &[0, 4]),
            (0, &[2, 3]),
            (1, &[0, 0]),
            (0, &[5, 0]),
            (1, &[0, 2]),
            (1, &[3, 2]),
            (1, &[0, 0]),
            (0, &[0, 0]),
            (0, &[0, 5]),
            (1, &[0, 3]),
            (0, &[4, 0]),
        ],
    );
    assert_eq!((found.accuracy, found.rows_without_votes), (0.5, 3));
    close(found.auroc.unwrap(), 0.5714285714285714);
    close(found.brier, 0.31);
    close(found.log_loss, 6.140226914650789);
    let cells: Vec<u64> = found.confusion.iter().map(|cell| cell.rows).collect();
    assert_eq!(cells, [4, 3, 3, 2]);
}

#[test]
fn known_values_of_four_classes() {
    let found = scored(
        4,
        &[
            (3, &[3, 4, 3, 0]),
            (0, &[5, 3, 5, 0]),
            (3, &[2, 5, 0, 0]),
            (3, &[0, 0, 0, 0]),
            (1, &[2, 0, 3, 5]),
            (1, &[5, 5, 0, 0]),
            (3, &[4, 4, 4, 0]),
            (3, &[0, 3, 2, 2]),
            (2, &[5, 0, 3, 0]),
            (1, &[0, 4, 0, 0]),
            (0, &[0, 0, 0, 4]),
            (3, &[3, 2, 0, 4]),
            (1, &[4, 0, 0, 0]),
            (2, &[0, 4, 3, 3]),
            (2, &[0, 3, 5, 0]),
            (0, &[4, 0, 0, 5]),
        ],
    );
    assert_eq!(found.accuracy, 0.25);
    close(found.auroc.unwrap(), 0.6174679487179487);
    close(found.brier, 0.9462176051249997);
    close(found.log_loss, 13.487315027730176);
    let rows: Vec<(u32, u32, u64)> =
        found.confusion.iter().map(|cell| (cell.truth.unwrap(), cell.predicted, cell.rows)).collect();
    let expected = [
        (0, 0, 1),
        (0, 3, 2),
        (1, 0, 2),
        (1, 1, 1),
        (1, 3, 1),
        (2, 0, 1),
        (2, 1, 1),
        (2, 2, 1),
        (3, 0, 2),
        (3, 1, 3),
        (3, 3, 1),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn known_values_of_numbers() {
    let rows = [(3.0, 2.5), (-0.5, 0.0), (2.0, 2.0), (7.0, 8.0), (4.2, 4.2)];
    let found = numbers(&rows.map(|(truth, estimate)| (truth, Some(estimate)))).unwrap();
    close(found.r2.unwrap(), 0.9509675732217573);
    close(found.rmse, 0.5477225575051661);
    close(found.mae, 0.4);
}
