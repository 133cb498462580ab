//! Linear support vector machines, one class against the rest, with calibrated probabilities.
//!
//! Invariant: each class is solved by itself, with random numbers of its own; so the bits of a
//! model do not depend on the number of threads.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

use super::calibration::{Calibration, Decision, stratified_folds};
use super::cross_validation::MOST_FOLDS;
use super::csr::Csr;
use super::error::{
    ABOVE_0, AT_LEAST_1, ClassicalError, Decoder, Encoder, OptionProblem, problems_of, refuse,
};

pub(super) const TAG: [u8; 8] = *b"rlinsvm\x01";

/// Passes over its rows that a class makes between two looks at `cancel`.
const PASSES: usize = 10;

/// Share of the tolerance below which a projected gradient is left as it is: a quarter fewer updates
/// and no more passes than with LIBLINEAR's 10⁻¹².
const NEGLIGIBLE: f64 = 0.1;

/// What linear support vector machines are fitted with. The defaults are those of
/// scikit-learn's `LinearSVC`, and of `CalibratedClassifierCV` with 3 folds.
#[derive(Debug, Clone, PartialEq)]
pub struct SvmOptions {
    /// Weight of the loss against the penalty; larger fits closer.
    pub c: f64,
    /// A class is solved where its projected gradients differ by no more than this.
    pub tolerance: f64,
    /// Number of passes over the rows after which a class ends in any case.
    pub max_iterations: usize,
    /// Folds whose held-out decision values calibrate the probabilities; as many as there are rows
    /// where those are fewer. With 0 there is no calibration: probabilities then only keep the
    /// order of the decision values.
    pub calibration_folds: usize,
    /// Seed of the order in which rows are visited.
    pub seed: u64,
}

impl Default for SvmOptions {
    fn default() -> Self {
        Self {
            c: 1.0,
            tolerance: 1e-4,
            max_iterations: 1000,
            calibration_folds: 3,
            seed: 0,
        }
    }
}

impl SvmOptions {
    /// Returns all that is wrong with the options.
    #[must_use]
    pub fn problems(&self) -> Vec<OptionProblem> {
        let folds = self.calibration_folds;
        problems_of([
            (self.c.is_finite() && self.c > 0.0, "c", ABOVE_0),
            (self.tolerance > 0.0, "tolerance", ABOVE_0),
            (self.max_iterations > 0, "max_iterations", AT_LEAST_1),
            (
                folds == 0 || (2..=MOST_FOLDS).contains(&folds),
                "calibration_folds",
                "must lie between 2 and 100, or be 0 for no calibration",
            ),
        ])
    }

    /// Checks that the options make sense.
    pub(super) fn check(&self) -> Result<(), ClassicalError> {
        refuse(&self.problems())
    }
}

/// Fitted linear support vector machines.
///
/// # Source
///
/// The minimum of scikit-learn's `LinearSVC` for each class: squared hinge, L2 penalty, the
/// intercept as the weight of a column of ones. Probabilities as `CalibratedClassifierCV(method=
/// "sigmoid", ensemble=False)`: one sigmoid per class, normalised over the classes.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearSvm {
    decision: Decision,
    calibration: Calibration,
    converged: bool,
}

impl LinearSvm {
    /// Fits a model. `weights` are factors on `c` for the rows of a class where it is the one
    /// against the rest, as in LIBLINEAR.
    ///
    /// # Errors
    ///
    /// Where rows, labels, weights or options make no sense, and
    /// [`Interrupted`](ClassicalError::Interrupted) where `cancel` says so between some passes.
    pub fn fit(
        rows: Csr<'_>,
        labels: &[u32],
        classes: usize,
        weights: Option<&[f32]>,
        options: &SvmOptions,
        cancel: &dyn Fn() -> bool,
    ) -> Result<Self, ClassicalError> {
        rows.check(labels, classes, weights)?;
        options.check()?;
        let problem = Problem::new(rows, labels, classes, weights, options);
        let everything: Vec<u32> = (0u32..).take(rows.rows()).collect();
        let (decision, converged) = problem.solve(&everything, cancel)?;
        let calibration = if options.calibration_folds == 0 {
            Calibration::none(classes)
        } else {
            Calibration::fit(&problem.held_out_values(cancel)?, labels, classes)
        };
        Ok(Self {
            decision,
            calibration,
            converged,
        })
    }

    /// Returns the decision values, rows × classes. Columns that the model was not fitted on are
    /// ignored. The class of the greatest one is what `LinearSVC.predict` answers.
    #[must_use]
    pub fn decision_values(&self, rows: Csr<'_>) -> Vec<f32> {
        self.decision.values(rows)
    }

    /// Returns the probabilities, rows × classes.
    #[must_use]
    pub fn predict_probabilities(&self, rows: Csr<'_>) -> Vec<f32> {
        let mut values = self.decision.values(rows);
        self.calibration.apply(&mut values);
        values
    }

    /// Returns the number of columns that the model was fitted on.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.decision.columns()
    }

    /// Returns the number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.decision.classes()
    }

    /// Returns whether every class reached the tolerance.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.converged
    }

    /// Returns the model as bytes: tag, converged, columns, intercepts, weights, sigmoids;
    /// numbers little-endian, arrays with their length before them.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut encoder = Encoder::new(TAG);
        encoder.count(usize::from(self.converged));
        self.decision.encode(&mut encoder);
        self.calibration.encode(&mut encoder);
        encoder.finish()
    }

    /// Reads a model back.
    ///
    /// # Errors
    ///
    /// [`ClassicalError::Decode`] where the bytes are not from [`to_bytes`](Self::to_bytes).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ClassicalError> {
        let mut decoder = Decoder::new(bytes, TAG)?;
        let converged = decoder.flag()?;
        let decision = Decision::decode(&mut decoder)?;
        let calibration = Calibration::decode(&mut decoder, decision.classes())?;
        decoder.finish()?;
        Ok(Self {
            decision,
            calibration,
            converged,
        })
    }
}

/// The rows and what all classes share about them.
struct Problem<'a> {
    rows: Csr<'a>,
    labels: &'a [u32],
    classes: usize,
    weights: Option<&'a [f32]>,
    options: &'a SvmOptions,
    /// Squared length of each row, with its column of ones.
    squares: Vec<f64>,
}

impl<'a> Problem<'a> {
    fn new(
        rows: Csr<'a>,
        labels: &'a [u32],
        classes: usize,
        weights: Option<&'a [f32]>,
        options: &'a SvmOptions,
    ) -> Self {
        let square = |row| {
            let squares = rows
                .row(row)
                .1
                .iter()
                .map(|&value| f64::from(value).powi(2));
            squares.sum::<f64>() + 1.0
        };
        Self {
            rows,
            labels,
            classes,
            weights,
            options,
            squares: (0..rows.rows()).map(square).collect(),
        }
    }

    /// Solves every class on the rows named; also returns whether all reached the tolerance.
    fn solve(
        &self,
        subset: &[u32],
        cancel: &dyn Fn() -> bool,
    ) -> Result<(Decision, bool), ClassicalError> {
        let mut solvers: Vec<Solver<'_>> = (0u32..)
            .take(self.classes)
            .map(|class| Solver::new(self, class, subset))
            .collect();
        for _ in 0..self.options.max_iterations.div_ceil(PASSES) {
            if cancel() {
                return Err(ClassicalError::Interrupted);
            }
            let each = solvers.par_iter_mut().with_max_len(1);
            each.for_each(Solver::run);
            if solvers.iter().all(|solver| solver.solved) {
                break;
            }
        }
        let converged = solvers.iter().all(|solver| solver.solved);
        let classes: Vec<(Vec<f32>, f32)> = solvers
            .into_iter()
            .map(|solver| (solver.weights, solver.bias))
            .collect();
        Ok((Decision::of_classes(self.rows.columns, &classes), converged))
    }

    /// Returns decision values, rows × classes, each row's by models that were fitted without it.
    fn held_out_values(&self, cancel: &dyn Fn() -> bool) -> Result<Vec<f32>, ClassicalError> {
        // Folds past the number of rows would be empty.
        let folds = self.options.calibration_folds.min(self.rows.rows());
        let fold_of = stratified_folds(self.labels, self.classes, folds);
        let mut values = vec![0.0; self.rows.rows() * self.classes];
        for fold in 0..folds {
            let all = (0u32..).zip(&fold_of);
            let kept = all.filter_map(|(row, &of_row)| (of_row != fold).then_some(row));
            let (decision, _) = self.solve(&kept.collect::<Vec<_>>(), cancel)?;
            let by_row = values.chunks_exact_mut(self.classes);
            let fold_values = decision.values(self.rows);
            let from = fold_values.chunks_exact(self.classes);
            for ((values, from), &of_row) in by_row.zip(from).zip(&fold_of) {
                if of_row == fold {
                    values.copy_from_slice(from);
                }
            }
        }
        Ok(values)
    }
}

/// The dual of one class against the rest, by coordinate descent with shrinking.
///
/// # Source
///
/// Hsieh et al. (2008), as LIBLINEAR's `solve_l2r_l1l2_svc` for the squared hinge.
struct Solver<'a> {
    problem: &'a Problem<'a>,
    class: u32,
    weights: Vec<f32>,
    bias: f32,
    /// A multiplier per row; row `i` counts where it is not 0.
    multipliers: Vec<f32>,
    /// The rows in the order of the last pass; those past `active` are shrunk away.
    order: Vec<u32>,
    active: usize,
    /// A row without multiplier whose gradient is above this is shrunk away.
    bound: f64,
    random: ChaCha8Rng,
    passes: usize,
    solved: bool,
}

impl<'a> Solver<'a> {
    fn new(problem: &'a Problem<'a>, class: u32, subset: &[u32]) -> Self {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&problem.options.seed.to_le_bytes());
        seed[8..12].copy_from_slice(&class.to_le_bytes());
        Self {
            problem,
            class,
            weights: vec![0.0; problem.rows.columns],
            bias: 0.0,
            multipliers: vec![0.0; problem.rows.rows()],
            order: subset.to_vec(),
            active: subset.len(),
            bound: f64::INFINITY,
            random: ChaCha8Rng::from_seed(seed),
            passes: 0,
            solved: false,
        }
    }

    /// Makes some passes.
    fn run(&mut self) {
        for _ in 0..PASSES {
            if self.solved || self.passes == self.problem.options.max_iterations {
                return;
            }
            let (greatest, least) = self.pass();
            self.passes += 1;
            self.judge(greatest, least);
        }
    }

    /// Ends, starts again with all rows, or sets the bound of the next pass' shrinking.
    fn judge(&mut self, greatest: f64, least: f64) {
        if greatest - least <= self.problem.options.tolerance {
            self.solved = self.active == self.order.len();
            self.active = self.order.len();
            self.bound = f64::INFINITY;
        } else {
            let descends = greatest > 0.0;
            self.bound = if descends { greatest } else { f64::INFINITY };
        }
    }

    /// Visits every active row once; returns the greatest and the least projected gradient.
    fn pass(&mut self) -> (f64, f64) {
        self.shuffle();
        let (mut greatest, mut least) = (f64::NEG_INFINITY, f64::INFINITY);
        let [diagonal_rest, diagonal_own] = self.diagonals();
        let mut place = 0;
        while place < self.active {
            let row = self.order[place] as usize;
            let own = self.problem.labels[row] == self.class;
            let (sign, diagonal) = if own {
                (1.0, diagonal_own)
            } else {
                (-1.0, diagonal_rest)
            };
            let (columns, values) = self.problem.rows.row(row);
            let multiplier = f64::from(self.multipliers[row]);
            let value = sparse_dot(columns, values, &self.weights) + self.bias;
            let gradient = sign * f64::from(value) - 1.0 + diagonal * multiplier;
            let mut projected = gradient;
            if multiplier == 0.0 {
                if gradient > self.bound {
                    self.active -= 1;
                    self.order.swap(place, self.active);
                    continue;
                }
                projected = gradient.min(0.0);
            }
            greatest = greatest.max(projected);
            least = least.min(projected);
            if projected.abs() > NEGLIGIBLE * self.problem.options.tolerance {
                let curvature = self.problem.squares[row] + diagonal;
                let updated = (multiplier - gradient / curvature).max(0.0) as f32;
                let change = (f64::from(updated) - multiplier) * sign;
                self.multipliers[row] = updated;
                self.add(change as f32, columns, values);
            }
            place += 1;
        }
        (greatest, least)
    }

    /// Returns 1 / 2C of the rows of the rest and of the class.
    fn diagonals(&self) -> [f64; 2] {
        let weight = self
            .problem
            .weights
            .map_or(1.0, |of| of[self.class as usize]);
        let c = self.problem.options.c;
        [0.5 / c, 0.5 / (c * f64::from(weight))]
    }

    fn add(&mut self, factor: f32, columns: &[u32], values: &[f32]) {
        for (&column, &value) in columns.iter().zip(values) {
            self.weights[column as usize] += factor * value;
        }
        self.bias += factor;
    }

    fn shuffle(&mut self) {
        for last in (1..self.active).rev() {
            let drawn = u64::from(self.random.next_u32()) * (last as u64 + 1);
            self.order.swap(last, (drawn >> 32) as usize);
        }
    }
}

/// Sums the products of a row with dense weights, in four sums so that one addition does not wait
/// for the one before.
fn sparse_dot(columns: &[u32], values: &[f32], weights: &[f32]) -> f32 {
    let mut sums = [0.0; 4];
    let (columns, columns_rest) = columns.as_chunks::<4>();
    let (values, values_rest) = values.as_chunks::<4>();
    for (columns, values) in columns.iter().zip(values) {
        for ((sum, &column), &value) in sums.iter_mut().zip(columns).zip(values) {
            *sum += value * weights[column as usize];
        }
    }
    let rest = columns_rest.iter().zip(values_rest);
    let rest: f32 = rest
        .map(|(&column, &value)| value * weights[column as usize])
        .sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

#[cfg(test)]
mod tests {
    use super::super::csr::{assert_close, many, small, with_one_and_four_threads};
    use super::super::error::assert_survives_damage;
    use super::*;
    use std::cell::Cell;

    fn fit(weights: Option<&[f32]>, options: &SvmOptions) -> LinearSvm {
        let (rows, labels) = small();
        LinearSvm::fit(rows.as_csr(), &labels, 3, weights, options, &|| false).unwrap()
    }

    #[test]
    fn decision_values_and_probabilities_are_those_of_scikit_learn() {
        let (rows, _) = small();
        let model = fit(None, &SvmOptions::default());
        assert!(model.converged());
        assert_close(
            &model.decision_values(rows.as_csr())[..6],
            &[
                0.598_830, -0.839_943, -0.770_075, -0.451_407, 0.573_788, -1.146_167,
            ],
            1e-3,
        );
        let probabilities = model.predict_probabilities(rows.as_csr());
        assert_close(
            &probabilities[..6],
            &[
                0.718_448, 0.150_277, 0.131_275, 0.270_572, 0.678_050, 0.051_377,
            ],
            1e-3,
        );
        let weighted = fit(Some(&[1.0, 4.0, 1.0]), &SvmOptions::default());
        let values = weighted.decision_values(rows.as_csr());
        assert_close(&values[..3], &[0.598_830, -0.694_379, -0.770_075], 1e-3);
    }

    #[test]
    fn a_model_does_not_depend_on_threads_and_comes_back_from_its_bytes() {
        let (rows, labels) = many();
        let options = SvmOptions::default();
        let (one, four) = with_one_and_four_threads(|| {
            LinearSvm::fit(rows.as_csr(), &labels, 3, None, &options, &|| false)
        });
        assert_eq!(one, four);
        let one = fit(None, &options).to_bytes();
        assert_survives_damage(&one, LinearSvm::from_bytes);
        assert_eq!(LinearSvm::from_bytes(&one).unwrap().to_bytes(), one);
    }

    #[test]
    fn a_fit_stops_when_asked_to_and_refuses_bad_options() {
        let (rows, labels) = small();
        let fit = |options: &SvmOptions, stop: bool| {
            LinearSvm::fit(rows.as_csr(), &labels, 3, None, options, &|| stop)
        };
        let stopped = fit(&SvmOptions::default(), true);
        assert_eq!(stopped, Err(ClassicalError::Interrupted));
        let one_fold = SvmOptions {
            calibration_folds: 1,
            ..SvmOptions::default()
        };
        assert!(matches!(
            fit(&one_fold, false),
            Err(ClassicalError::Options(_))
        ));
    }

    #[test]
    fn no_fold_without_rows_is_solved() {
        let (rows, labels) = small();
        let solved = |calibration_folds| {
            let options = SvmOptions {
                calibration_folds,
                ..SvmOptions::default()
            };
            let looks = Cell::new(0);
            let look = || {
                looks.set(looks.get() + 1);
                false
            };
            let model = LinearSvm::fit(rows.as_csr(), &labels, 3, None, &options, &look);
            (model.unwrap(), looks.get())
        };
        assert_eq!(solved(100), solved(labels.len()));
        let too_many = SvmOptions {
            calibration_folds: 101,
            ..SvmOptions::default()
        };
        assert_eq!(too_many.problems()[0].0, "calibration_folds");
    }

    #[test]
    fn more_folds_than_rows_of_a_class_still_give_probabilities() {
        let options = SvmOptions {
            calibration_folds: 9,
            ..SvmOptions::default()
        };
        let (rows, _) = small();
        for row in fit(None, &options)
            .predict_probabilities(rows.as_csr())
            .chunks(3)
        {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        }
    }
}
