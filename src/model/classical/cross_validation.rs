//! Stratified cross-validation of a classical model.

use super::calibration::stratified_folds;
use super::{ClassicalError, ClassicalOptions};
use crate::model::predict::argmax;
use crate::model::{Confusion, SparseRows};

/// The most folds that make sense: each costs a fit.
pub const MOST_FOLDS: usize = 100;

/// What a model came to on the rows of one fold, fitted on all others.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FoldScore {
    /// Weighted F1.
    pub weighted_f1: f64,
    /// Weighted precision.
    pub weighted_precision: f64,
    /// Weighted recall.
    pub weighted_recall: f64,
    /// Share of the rows whose class was found.
    pub accuracy: f64,
    /// Rows of the fold.
    pub rows: u64,
}

/// Fits a model on all folds but one and scores it on that one, for each fold.
///
/// The folds hold the classes in equal shares, and depend on the order of the rows alone. How the
/// rows were made is outside: a TF-IDF that was fitted on all of them has counted the held-out
/// texts too (their words, not their classes), as in most such searches.
///
/// # Errors
///
/// [`ClassicalError::Options`] for fewer than 2 folds or more than rows, else those of the fits.
///
/// # Source
///
/// The folds of scikit-learn's `StratifiedKFold` without shuffling.
pub fn cross_validate(
    rows: &SparseRows,
    labels: &[u32],
    classes: usize,
    balanced: bool,
    folds: (&ClassicalOptions, usize),
    cancel: &dyn Fn() -> bool,
) -> Result<Vec<FoldScore>, ClassicalError> {
    let mut scores = Vec::new();
    each_fold(
        rows,
        labels,
        classes,
        balanced,
        folds,
        cancel,
        |held, probabilities| {
            let predicted = probabilities.chunks_exact(classes).map(argmax);
            let actual = held.iter().map(|&row| labels[row] as usize);
            let confusion = Confusion::from_pairs(classes, actual.zip(predicted));
            let weighted = confusion.weighted();
            scores.push(FoldScore {
                weighted_f1: weighted.f1,
                weighted_precision: weighted.precision,
                weighted_recall: weighted.recall,
                accuracy: confusion.accuracy(),
                rows: confusion.total(),
            });
        },
    )?;
    Ok(scores)
}

/// Returns the probabilities of the classes for every row, each from a model that was fitted on the other folds; folds as in
/// [`cross_validate`].
///
/// # Shapes
///
/// `[rows, classes]`
///
/// # Errors
///
/// As [`cross_validate`].
///
/// # Source
///
/// scikit-learn's `cross_val_predict` with `method="predict_proba"`.
pub fn out_of_fold(
    rows: &SparseRows,
    labels: &[u32],
    classes: usize,
    balanced: bool,
    folds: (&ClassicalOptions, usize),
    cancel: &dyn Fn() -> bool,
) -> Result<Vec<f32>, ClassicalError> {
    let mut all = vec![0.0; labels.len() * classes];
    each_fold(
        rows,
        labels,
        classes,
        balanced,
        folds,
        cancel,
        |held, probabilities| {
            for (row, values) in held.iter().zip(probabilities.chunks_exact(classes)) {
                all[row * classes..(row + 1) * classes].copy_from_slice(values);
            }
        },
    )?;
    Ok(all)
}

/// Hands over the rows of each fold and the probabilities of a model that was fitted on the others.
fn each_fold(
    rows: &SparseRows,
    labels: &[u32],
    classes: usize,
    balanced: bool,
    (options, folds): (&ClassicalOptions, usize),
    cancel: &dyn Fn() -> bool,
    mut take: impl FnMut(&[usize], &[f32]),
) -> Result<(), ClassicalError> {
    if folds < 2 || folds > labels.len() {
        let (rows, fault) = (labels.len(), "folds of a cross-validation");
        return Err(ClassicalError::Options(format!(
            "{folds} {fault} of {rows} rows"
        )));
    }
    rows.csr().check(labels, classes, None)?;
    let fold_of = stratified_folds(labels, classes, folds);
    for fold in 0..folds {
        let (held, kept): (Vec<usize>, Vec<usize>) =
            (0..labels.len()).partition(|&row| fold_of[row] == fold);
        let training = rows.select(&kept);
        let kept: Vec<u32> = kept.iter().map(|&row| labels[row]).collect();
        let model = options.fit(training.csr(), &kept, classes, balanced, cancel)?;
        drop(training);
        take(
            &held,
            &model.predict_probabilities(rows.select(&held).csr()),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::NeighboursOptions;
    use super::*;

    /// Rows of three classes, each with a column of its own and one in common.
    fn data(rows: u32) -> (SparseRows, Vec<u32>) {
        let mut sparse = SparseRows::empty(4);
        let mut labels = Vec::new();
        for row in 0..rows {
            sparse.push(&[row % 3, 3], &[1.0, 0.1]).unwrap();
            labels.push(row % 3);
        }
        (sparse, labels)
    }

    fn neighbours(neighbours: usize) -> ClassicalOptions {
        ClassicalOptions::NearestNeighbours(NeighboursOptions {
            neighbours,
            ..NeighboursOptions::default()
        })
    }

    #[test]
    fn every_row_is_held_out_once_and_scored_by_a_model_that_never_saw_it() {
        let (rows, mut labels) = data(30);
        let options = neighbours(1);
        let scores = cross_validate(&rows, &labels, 3, false, (&options, 3), &|| false).unwrap();
        assert_eq!(scores.iter().map(|score| score.rows).sum::<u64>(), 30);
        assert!(
            scores
                .iter()
                .flat_map(|score| [
                    score.weighted_f1,
                    score.weighted_precision,
                    score.weighted_recall
                ])
                .all(|score| (score - 1.0).abs() < 1e-12)
        );
        // Each row its own column and no other like it: only a model that saw the row could know.
        let mut alone = SparseRows::empty(30);
        for row in 0..30 {
            alone.push(&[row], &[1.0]).unwrap();
        }
        labels.rotate_left(1);
        let scores = cross_validate(&alone, &labels, 3, false, (&options, 3), &|| false).unwrap();
        assert!(
            scores.iter().all(|score| score.accuracy < 0.5),
            "{scores:?}"
        );
    }

    #[test]
    fn more_folds_than_rows_or_fewer_than_two_are_refused() {
        let (rows, labels) = data(6);
        for folds in [0, 1, 7] {
            let options = (&neighbours(1), folds);
            let outcome = cross_validate(&rows, &labels, 3, false, options, &|| false);
            assert!(matches!(outcome, Err(ClassicalError::Options(_))));
        }
    }

    #[test]
    fn every_row_is_answered_by_a_model_that_never_saw_it() {
        // Nearest rows of one column each: a row whose column is its own is known to no other.
        let (mut rows, mut labels) = (SparseRows::empty(41), Vec::new());
        for row in 0..40 {
            rows.push(&[row], &[1.0]).unwrap();
            labels.push(row % 2);
        }
        let options = neighbours(1);
        let fitted = options
            .fit(rows.csr(), &labels, 2, false, &|| false)
            .unwrap();
        let seen = fitted.predict_probabilities(rows.csr());
        let unseen = out_of_fold(&rows, &labels, 2, false, (&options, 5), &|| false).unwrap();
        assert_eq!(unseen.len(), 80);
        let sure = |values: &[f32], row: usize| values[row * 2 + labels[row] as usize] > 0.9;
        assert!((0..40).all(|row| sure(&seen, row)));
        assert!((0..40).filter(|&row| sure(&unseen, row)).count() < 40);
        let (rows, labels) = data(60);
        let options = neighbours(3);
        let unseen = out_of_fold(&rows, &labels, 3, false, (&options, 4), &|| false).unwrap();
        assert!((0..60).all(|row| unseen[row * 3 + labels[row] as usize] > 0.9));
        assert!(out_of_fold(&rows, &labels, 3, false, (&options, 1), &|| false).is_err());
    }
}
