//! Scores of predictions against the truth. Pure.
//!
//! # Source
//!
//! Equal to scikit-learn's `confusion_matrix`, `precision_recall_fscore_support`, `f1_score` and
//! `accuracy_score` with `zero_division=0`. As there, a class that occurs neither in the truth
//! nor in the predictions does not count in the macro average.

/// A confusion matrix.
///
/// # Shapes
///
/// `[classes, classes]`: rows are the truth, columns the predictions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    counts: Vec<u64>,
}

/// Scores of one class.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ClassScores {
    /// Share of the predictions of this class that are right.
    pub precision: f64,
    /// Share of the rows of this class that are found.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// Number of rows of this class.
    pub support: u64,
}

impl Confusion {
    /// Makes an empty matrix.
    #[must_use]
    pub fn new(classes: usize) -> Self {
        Self {
            classes,
            counts: vec![0; classes * classes],
        }
    }

    /// Counts pairs of true and predicted class.
    ///
    /// # Panics
    ///
    /// Where a class is not below `classes`.
    #[must_use]
    pub fn from_pairs(classes: usize, pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut confusion = Self::new(classes);
        for (truth, predicted) in pairs {
            confusion.add(truth, predicted);
        }
        confusion
    }

    /// Counts one row.
    ///
    /// # Panics
    ///
    /// Where a class is not below `classes`.
    pub fn add(&mut self, truth: usize, predicted: usize) {
        assert!(
            truth < self.classes && predicted < self.classes,
            "class {truth} or {predicted} is not below {}",
            self.classes
        );
        self.counts[truth * self.classes + predicted] += 1;
    }

    /// Returns the number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Returns the number of rows of a class that were predicted as another (or the same).
    ///
    /// # Panics
    ///
    /// Where a class is not below `classes`.
    #[must_use]
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        assert!(predicted < self.classes, "no class {predicted}");
        self.counts[truth * self.classes + predicted]
    }

    /// Returns the number of rows.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns the share of rows predicted right; 0 of no rows.
    #[must_use]
    pub fn accuracy(&self) -> f64 {
        let right = (0..self.classes)
            .map(|class| self.count(class, class))
            .sum();
        ratio(right, self.total())
    }

    /// Returns the scores of every class.
    #[must_use]
    pub fn per_class(&self) -> Vec<ClassScores> {
        (0..self.classes).map(|class| self.scores(class)).collect()
    }

    fn scores(&self, class: usize) -> ClassScores {
        let right = self.count(class, class);
        let support = self.support(class);
        let predicted = self.predicted(class);
        ClassScores {
            precision: ratio(right, predicted),
            recall: ratio(right, support),
            f1: ratio(2 * right, predicted + support),
            support,
        }
    }

    fn support(&self, class: usize) -> u64 {
        (0..self.classes)
            .map(|other| self.count(class, other))
            .sum()
    }

    fn predicted(&self, class: usize) -> u64 {
        (0..self.classes)
            .map(|other| self.count(other, class))
            .sum()
    }

    /// Returns the mean scores of the classes, weighted by their rows; 0 of no rows.
    #[must_use]
    pub fn weighted(&self) -> ClassScores {
        let mut sums = ClassScores::default();
        for scores in self.per_class() {
            let rows = scores.support as f64;
            sums.precision += scores.precision * rows;
            sums.recall += scores.recall * rows;
            sums.f1 += scores.f1 * rows;
            sums.support += scores.support;
        }
        let rows = sums.support.max(1) as f64;
        ClassScores {
            precision: sums.precision / rows,
            recall: sums.recall / rows,
            f1: sums.f1 / rows,
            support: sums.support,
        }
    }

    /// Returns the mean F1 of the classes, weighted by their rows; 0 of no rows.
    #[must_use]
    pub fn weighted_f1(&self) -> f64 {
        self.weighted().f1
    }

    /// Returns the mean F1 of the classes that occur in the truth or the predictions.
    #[must_use]
    pub fn macro_f1(&self) -> f64 {
        let occurring: Vec<f64> = (0..self.classes)
            .filter(|&class| self.support(class) + self.predicted(class) > 0)
            .map(|class| self.scores(class).f1)
            .collect();
        if occurring.is_empty() {
            return 0.0;
        }
        occurring.iter().sum::<f64>() / occurring.len() as f64
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The literals below are what scikit-learn 1.9.1 prints for these two lists with
    /// `labels=range(5)` (per class) and without `labels` (averages).
    const TRUTH: [usize; 12] = [0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 0];
    const PREDICTED: [usize; 12] = [0, 1, 0, 1, 1, 2, 0, 2, 1, 2, 0, 0];

    fn confusion() -> Confusion {
        Confusion::from_pairs(5, TRUTH.into_iter().zip(PREDICTED))
    }

    fn close(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() < 1e-12,
            "{found} is not {expected}"
        );
    }

    #[test]
    fn counts_are_truth_by_prediction() {
        let confusion = confusion();
        let rows: Vec<Vec<u64>> = (0..5)
            .map(|truth| (0..5).map(|p| confusion.count(truth, p)).collect())
            .collect();
        assert_eq!(
            rows,
            [
                [3, 1, 0, 0, 0],
                [0, 2, 0, 0, 0],
                [1, 1, 2, 0, 0],
                [1, 0, 1, 0, 0],
                [0; 5]
            ]
        );
        assert_eq!(confusion.total(), 12);
    }

    #[test]
    fn class_scores_equal_scikit_learn() {
        let expected = [
            (0.6, 0.75, 0.666_666_666_666_666_6, 4),
            (0.5, 1.0, 0.666_666_666_666_666_6, 2),
            (0.666_666_666_666_666_6, 0.5, 0.571_428_571_428_571_4, 4),
            (0.0, 0.0, 0.0, 2),
            (0.0, 0.0, 0.0, 0),
        ];
        for (scores, (precision, recall, f1, support)) in
            confusion().per_class().iter().zip(expected)
        {
            close(scores.precision, precision);
            close(scores.recall, recall);
            close(scores.f1, f1);
            assert_eq!(scores.support, support);
        }
    }

    #[test]
    fn averages_equal_scikit_learn() {
        close(confusion().accuracy(), 0.583_333_333_333_333_4);
        close(confusion().weighted_f1(), 0.523_809_523_809_523_8);
        close(confusion().weighted().precision, 0.505_555_555_555_555_5);
        close(confusion().weighted().recall, 0.583_333_333_333_333_4);
        close(confusion().macro_f1(), 0.476_190_476_190_476_16);
    }

    #[test]
    fn no_rows_score_zero() {
        let empty = Confusion::new(3);
        assert_eq!(
            (empty.accuracy(), empty.weighted_f1(), empty.macro_f1()),
            (0.0, 0.0, 0.0)
        );
    }
}
