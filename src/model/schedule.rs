//! When a training stops and when its learning rate falls: pure functions of the validation
//! losses so far, so that a resumed training decides as an uninterrupted one.

use super::{EpochRecord, ModelError};

/// Stops a training whose validation loss no longer falls.
///
/// # Source
///
/// Keras' `EarlyStopping` with `min_delta` 0 and `restore_best_weights`, except that the best epoch is the best of all:
/// Keras' `start_from_epoch` forgets the epochs before, and restores a worse network where the best was among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EarlyStopping {
    /// Number of counted epochs without a new best loss after which the training stops.
    pub patience: usize,
    /// First epoch that counts, from 1.
    pub start_epoch: usize,
}

impl Default for EarlyStopping {
    fn default() -> Self {
        Self {
            patience: 5,
            start_epoch: 8,
        }
    }
}

impl EarlyStopping {
    /// Returns the first epoch after which a training ends, should none be better than the best so far.
    #[must_use]
    pub fn earliest_end(&self, best_epoch: usize) -> usize {
        best_epoch.max(self.start_epoch.saturating_sub(1)) + self.patience.max(1)
    }
}

/// Lowers the learning rate when the validation loss stays on a plateau.
///
/// # Source
///
/// Keras' `ReduceLROnPlateau` with its defaults `min_delta` 1e-4, `cooldown` 0 and `min_lr` 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plateau {
    /// What the learning rate is multiplied by.
    pub factor: f64,
    /// Number of epochs without a better loss after which that happens.
    pub patience: usize,
}

impl Default for Plateau {
    fn default() -> Self {
        Self {
            factor: 0.1,
            patience: 5,
        }
    }
}

/// A loss must fall by more than this to leave a plateau.
const PLATEAU_MIN_DELTA: f64 = 1e-4;

/// What follows from the loss of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decision {
    /// Whether the loss is the lowest so far.
    pub(super) is_best: bool,
    /// Whether to stop after this epoch.
    pub(super) stop: bool,
}

/// The state of both schedules.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Schedule {
    early_stopping: Option<EarlyStopping>,
    plateau: Option<Plateau>,
    learning_rate: f64,
    epoch: usize,
    best_loss: f64,
    stop_wait: usize,
    plateau_loss: f64,
    plateau_wait: usize,
}

impl Schedule {
    pub(super) fn new(
        learning_rate: f64,
        early_stopping: Option<EarlyStopping>,
        plateau: Option<Plateau>,
    ) -> Self {
        Self {
            early_stopping,
            plateau,
            learning_rate,
            epoch: 0,
            best_loss: f64::INFINITY,
            stop_wait: 0,
            plateau_loss: f64::INFINITY,
            plateau_wait: 0,
        }
    }

    /// Takes in epochs that ran in another process.
    pub(super) fn replayed(
        mut self,
        history: &[EpochRecord],
        best_epoch: usize,
    ) -> Result<Self, ModelError> {
        let mut best = 0;
        let mut fits = true;
        for record in history {
            fits &= record.learning_rate.to_bits() == self.learning_rate.to_bits();
            let decision = self.observe(record.validation_loss);
            fits &= !decision.stop;
            if decision.is_best {
                best = record.epoch;
            }
        }
        if fits && best == best_epoch {
            return Ok(self);
        }
        Err(ModelError::Snapshot {
            reason: "its history does not follow the schedule".to_owned(),
        })
    }

    /// Returns the learning rate of the next epoch.
    pub(super) fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// Takes in the validation loss of the next epoch.
    pub(super) fn observe(&mut self, validation_loss: f64) -> Decision {
        self.epoch += 1;
        self.step_plateau(validation_loss);
        let is_best = validation_loss < self.best_loss;
        if is_best {
            self.best_loss = validation_loss;
        }
        Decision {
            is_best,
            stop: self.step_early_stopping(is_best),
        }
    }

    fn step_plateau(&mut self, loss: f64) {
        let Some(plateau) = self.plateau else { return };
        if loss < self.plateau_loss - PLATEAU_MIN_DELTA {
            self.plateau_loss = loss;
            self.plateau_wait = 0;
            return;
        }
        self.plateau_wait += 1;
        if self.plateau_wait >= plateau.patience {
            self.learning_rate *= plateau.factor;
            self.plateau_wait = 0;
        }
    }

    fn step_early_stopping(&mut self, is_best: bool) -> bool {
        let Some(stopping) = self.early_stopping else {
            return false;
        };
        if is_best {
            self.stop_wait = 0;
            return false;
        }
        if self.epoch < stopping.start_epoch {
            return false;
        }
        self.stop_wait += 1;
        self.stop_wait >= stopping.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the epoch of the best loss and the epoch a training with these losses stops in.
    fn stops(patience: usize, start_epoch: usize, losses: &[f64]) -> (usize, Option<usize>) {
        let stopping = EarlyStopping {
            patience,
            start_epoch,
        };
        let mut schedule = Schedule::new(1e-3, Some(stopping), None);
        let mut best = 0;
        for (epoch, &loss) in (1..).zip(losses) {
            let decision = schedule.observe(loss);
            if decision.is_best {
                best = epoch;
            }
            if decision.stop {
                return (best, Some(epoch));
            }
        }
        (best, None)
    }

    #[test]
    fn early_stopping_waits_for_its_patience() {
        assert_eq!(stops(2, 1, &[3.0, 2.0, 2.0, 2.5, 1.0]), (2, Some(4)));
        assert_eq!(stops(2, 1, &[3.0, 2.0, 2.5, 1.0, 1.5]), (4, None));
        assert_eq!(stops(1, 1, &[3.0, 3.0]), (1, Some(2)));
        assert_eq!(stops(3, 1, &[5.0, 4.0, 3.0, 2.0]), (4, None));
    }

    /// A case of `tests/fixtures/keras_callbacks.json`, which `make schedule-fixture` makes.
    #[derive(serde::Deserialize)]
    struct OfKeras {
        patience: usize,
        start_epoch: usize,
        factor: f64,
        plateau_patience: usize,
        losses: Vec<f64>,
        best_epoch: usize,
        stopped_epoch: Option<usize>,
        learning_rates: Vec<f64>,
    }

    #[test]
    fn schedules_decide_as_those_of_keras() {
        let text = include_str!("../../tests/fixtures/keras_callbacks.json");
        let cases: Vec<OfKeras> = serde_json::from_str(text).unwrap();
        assert_eq!(cases.len(), 60);
        for (number, case) in cases.iter().enumerate() {
            let stopping = EarlyStopping {
                patience: case.patience,
                start_epoch: case.start_epoch,
            };
            let plateau = Plateau {
                factor: case.factor,
                patience: case.plateau_patience,
            };
            let mut schedule = Schedule::new(0.001, Some(stopping), Some(plateau));
            let (mut best, mut stopped) = (0, None);
            for (epoch, &loss) in (1..).zip(&case.losses) {
                let decision = schedule.observe(loss);
                if decision.is_best {
                    best = epoch;
                }
                let expected = case.learning_rates[epoch - 1];
                let found = schedule.learning_rate();
                assert!(
                    (found / expected - 1.0).abs() < 1e-6,
                    "case {number}, epoch {epoch}: {found} is not {expected}"
                );
                if decision.stop {
                    stopped = Some(epoch);
                    break;
                }
            }
            let expected = (case.best_epoch, case.stopped_epoch);
            assert_eq!((best, stopped), expected, "case {number}");
        }
    }

    #[test]
    fn without_patience_no_epoch_before_the_first_that_counts_stops() {
        assert_eq!(stops(0, 4, &[1.0, 2.0, 2.0, 2.0]), (1, Some(4)));
        assert_eq!(stops(0, 4, &[1.0, 2.0, 2.0, 0.5, 0.6]), (4, Some(5)));
    }

    #[test]
    fn early_stopping_counts_from_its_first_epoch() {
        let best_in_epoch_3 = [
            9.0, 8.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0,
        ];
        assert_eq!(stops(5, 8, &best_in_epoch_3), (3, Some(12)));
        let mut best_in_epoch_9 = best_in_epoch_3.to_vec();
        best_in_epoch_9[8] = 0.5;
        assert_eq!(stops(5, 8, &best_in_epoch_9), (9, None));
        best_in_epoch_9.extend([0.6, 0.6]);
        assert_eq!(stops(5, 8, &best_in_epoch_9), (9, Some(14)));
    }

    #[test]
    fn the_earliest_end_is_where_a_training_ends_that_gets_no_better() {
        for (patience, start_epoch, best) in [(5, 8, 3), (5, 8, 9), (2, 1, 1), (1, 4, 2), (0, 1, 2)]
        {
            let stopping = EarlyStopping {
                patience,
                start_epoch,
            };
            let losses: Vec<f64> = (1..50)
                .map(|epoch| if epoch == best { 1.0 } else { 2.0 })
                .collect();
            let (_, stopped) = stops(patience, start_epoch, &losses);
            assert_eq!(
                stopped,
                Some(stopping.earliest_end(best)),
                "{stopping:?} {best}"
            );
        }
    }

    #[test]
    fn the_learning_rate_falls_on_a_plateau() {
        let plateau = Plateau {
            factor: 0.5,
            patience: 2,
        };
        let mut schedule = Schedule::new(8.0, None, Some(plateau));
        let rates: Vec<f64> = [
            1.0, 0.9, 0.899_95, 0.899_92, 0.91, 0.92, 0.5, 0.6, 0.7, 0.8, 0.4,
        ]
        .into_iter()
        .map(|loss| {
            assert!(!schedule.observe(loss).stop);
            schedule.learning_rate()
        })
        .collect();
        // Epochs 3 and 4 fall by less than 1e-4 and are a plateau; so are 5 and 6, 8 and 9.
        assert_eq!(
            rates,
            [8.0, 8.0, 8.0, 4.0, 4.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0]
        );
    }

    #[test]
    fn without_schedules_nothing_changes() {
        let mut schedule = Schedule::new(0.1, None, None);
        assert!((0..50).all(|_| !schedule.observe(1.0).stop));
        assert!((schedule.learning_rate() - 0.1).abs() < f64::EPSILON);
    }
}
