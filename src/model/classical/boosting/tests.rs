//! Tests of gradient boosting.

use super::super::csr::with_one_and_four_threads;
use super::super::error::assert_survives_damage;
use super::super::tree::tests::{Catalogue, sums_to_one};
use super::*;

fn options(iterations: usize) -> BoostingOptions {
    BoostingOptions {
        iterations,
        min_leaf_rows: 5,
        max_leaves: 8,
        ..BoostingOptions::default()
    }
}

fn fit(catalogue: &Catalogue, options: &BoostingOptions) -> GradientBoosting {
    let rows = catalogue.rows();
    GradientBoosting::fit(rows, &catalogue.labels, 3, None, options, &|| false).unwrap()
}

#[test]
fn iterations_bring_knowledge() {
    let (known, unseen) = (Catalogue::new(400, 1), Catalogue::new(400, 2));
    let accuracy = |iterations| {
        let shares = fit(&known, &options(iterations)).predict_probabilities(unseen.rows());
        assert!(sums_to_one(&shares));
        unseen.accuracy(&shares)
    };
    let (one, many) = (accuracy(1), accuracy(40));
    assert!(many > 0.93 && many > one, "{one} → {many}");
}

#[test]
fn one_step_is_the_newton_step() {
    // Four rows with 1 in column 0, of class 1 but for one; four with zeros, of class 0.
    let rows = Csr {
        indptr: &[0, 1, 2, 3, 4, 4, 4, 4, 4],
        indices: &[0; 4],
        values: &[1.0; 4],
        columns: 1,
    };
    let options = BoostingOptions {
        iterations: 1,
        learning_rate: 1.0,
        min_leaf_rows: 1,
        l2: 0.0,
        ..BoostingOptions::default()
    };
    let labels = [1, 1, 1, 0, 0, 0, 0, 0];
    let model = GradientBoosting::fit(rows, &labels, 2, None, &options, &|| false).unwrap();
    let shares = model.predict_probabilities(rows);
    // Shares 5/8 and 3/8, hessian 15/64 a row. Class 1, zeros: −(4 · 3/8) / (4 · 15/64) = −1.6,
    // ones: (3 · 5/8 − 3/8) / (15/16) = 1.6; class 0 the other way round.
    let log_odds = (3f32 / 5.0).ln();
    let zeros = 1.0 / (1.0 + (log_odds - 3.2).exp());
    let ones = 1.0 / (1.0 + (log_odds + 3.2).exp());
    assert!((shares[14] - zeros).abs() < 1e-5, "{shares:?} {zeros}");
    assert!((shares[0] - ones).abs() < 1e-5, "{shares:?} {ones}");
}

#[test]
fn a_class_without_rows_is_never_predicted() {
    let catalogue = Catalogue::new(90, 1);
    let rows = catalogue.rows();
    let model = GradientBoosting::fit(rows, &catalogue.labels, 4, None, &options(3), &|| false);
    let shares = model.unwrap().predict_probabilities(rows);
    assert!(shares.chunks_exact(4).all(|row| row[3] == 0.0));
    assert!(shares.iter().all(|share| share.is_finite()));
}

#[test]
fn threads_do_not_matter() {
    let catalogue = Catalogue::new(700, 1);
    let (one, four) = with_one_and_four_threads(|| fit(&catalogue, &options(5)));
    assert_eq!(one, four);
}

#[test]
fn class_weights_move_probabilities() {
    let catalogue = Catalogue::new(90, 1);
    let rows = catalogue.rows();
    let with = |weights: Option<&[f32]>| {
        let options = options(1);
        let model = GradientBoosting::fit(rows, &catalogue.labels, 3, weights, &options, &|| false);
        let shares = model.unwrap().predict_probabilities(rows);
        shares.iter().step_by(3).sum::<f32>()
    };
    assert_eq!(with(None).to_bits(), with(Some(&[1.0; 3])).to_bits());
    assert!(with(Some(&[9.0, 1.0, 1.0])) > 1.5 * with(None));
}

#[test]
fn early_stopping_ends_at_the_least_loss() {
    let mut catalogue = Catalogue::new(200, 1);
    // Wrong labels are learnt last, and nothing held back gains by them.
    for label in catalogue.labels.iter_mut().step_by(4) {
        *label = (*label + 1) % 3;
    }
    let stopped = BoostingOptions {
        learning_rate: 0.8,
        early_stopping: Some(EarlyStopping {
            held_share: 0.2,
            patience: 3,
        }),
        ..options(300)
    };
    let model = fit(&catalogue, &stopped);
    assert!(
        (1..200).contains(&model.iterations()),
        "{}",
        model.iterations()
    );
    assert_eq!(model, fit(&catalogue, &stopped));
}

#[test]
fn bytes_come_back_and_damage_is_an_error_or_another_model() {
    let catalogue = Catalogue::new(60, 1);
    let model = fit(&catalogue, &options(2));
    let bytes = model.to_bytes();
    assert_eq!(GradientBoosting::from_bytes(&bytes).unwrap(), model);
    assert_survives_damage(&bytes, |bytes| {
        let model = GradientBoosting::from_bytes(bytes)?;
        if model.columns == 40 {
            let _ = model.predict_probabilities(catalogue.rows());
        }
        Ok(model)
    });
}

#[test]
fn refusals() {
    let catalogue = Catalogue::new(60, 1);
    let fit = |options: &BoostingOptions, cancel: bool| {
        let rows = catalogue.rows();
        GradientBoosting::fit(rows, &catalogue.labels, 3, None, options, &|| cancel).err()
    };
    assert_eq!(fit(&options(1), true), Some(ClassicalError::Interrupted));
    let bad = [
        options(0),
        BoostingOptions {
            max_leaves: 1,
            ..options(1)
        },
        BoostingOptions {
            learning_rate: f32::NAN,
            ..options(1)
        },
        BoostingOptions {
            l2: -1.0,
            ..options(1)
        },
        BoostingOptions {
            bins: 0,
            ..options(1)
        },
    ];
    for options in bad {
        let refused = fit(&options, false);
        assert!(
            matches!(refused, Some(ClassicalError::Options(_))),
            "{options:?}"
        );
    }
}
