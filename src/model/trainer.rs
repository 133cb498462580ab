//! Training: one loop for every network.
//!
//! Adam on the sparse categorical cross-entropy, as Keras does it. Invariant: an epoch depends on
//! the weights and the optimiser before it and on (seed, epoch), on nothing else that ran before.
//! Losses and scores are computed on the host in double precision from the logits, which are
//! copied from the device many steps at a time: a step waits for nothing.

mod options;
mod scores;
mod supervisor;

use std::ops::ControlFlow;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use burn::tensor::{Tensor, TensorData, activation};

use super::batch::{Batch, Examples};
use super::networks::{Classifier, Pass};
use super::optimizer::Optimizer;
use super::order::EpochOrder;
use super::predict::{in_batches, read};
use super::random::{Purpose, generator};
use super::schedule::{Decision, Schedule};
use super::snapshot::{self, Past, Snapshot};
use super::{ModelError, Network};
pub use options::TrainOptions;
use scores::{Pending, Scores};
use supervisor::Observed;
pub use supervisor::Supervisor;

/// Steps after which logits are copied from the device.
const STEPS_PER_COPY: usize = 64;

/// Rows of a validation batch of a network that takes no images.
const EVALUATION_ROWS: usize = 1024;

/// What an epoch came to.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct EpochRecord {
    /// Number of the epoch, from 1.
    pub epoch: usize,
    /// Mean training loss, measured during the epoch with dropout on, as Keras does.
    pub loss: f64,
    /// Training accuracy, measured likewise.
    pub accuracy: f64,
    /// Weighted F1 on the training rows, measured likewise.
    pub f1: f64,
    /// Mean validation loss after the epoch.
    pub validation_loss: f64,
    /// Validation accuracy after the epoch.
    pub validation_accuracy: f64,
    /// Weighted F1 on the validation rows after the epoch.
    pub validation_f1: f64,
    /// Learning rate of the epoch.
    pub learning_rate: f64,
}

/// When an epoch ran. No part of the history, which is the same whenever a training runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EpochTime {
    /// When it ended, in seconds since 1970.
    pub ended_unix_s: f64,
    /// What it took in seconds, validation included.
    pub elapsed_s: f64,
}

/// Why a training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// All epochs ran.
    Epochs,
    /// The validation loss no longer fell.
    EarlyStopping,
}

/// A trained network.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The network with the weights of the best epoch.
    pub network: Network,
    /// All epochs.
    pub history: Vec<EpochRecord>,
    /// When each of them ran.
    pub times: Vec<EpochTime>,
    /// The epoch with the lowest validation loss, from 1.
    pub best_epoch: usize,
    /// Why the training ended.
    pub stopped: Stopped,
}

/// Trains a network.
///
/// The observer sees each epoch when it ends; `Break` ends the training.
///
/// # Errors
///
/// As [`fit_supervised`].
pub fn fit(
    network: Network,
    train: &dyn Examples,
    validation: &dyn Examples,
    options: &TrainOptions,
    observer: &mut dyn FnMut(&EpochRecord) -> ControlFlow<()>,
) -> Result<Fitted, ModelError> {
    fit_supervised(network, train, validation, options, &mut Observed(observer))
}

/// Trains a network as [`fit`] does, from its last epoch snapshot on where the supervisor has one.
///
/// On a CPU a training that was stopped and goes on so ends with the bytes of one that was not.
///
/// # Errors
///
/// [`ModelError::Interrupted`] on `Break`, [`ModelError::Diverged`] where a loss is not finite,
/// [`ModelError::Empty`], [`ModelError::Class`] and [`ModelError::Inputs`] where the examples do
/// not fit, and what [`Rows::batches`](super::Rows::batches) returns.
pub fn fit_supervised(
    network: Network,
    train: &dyn Examples,
    validation: &dyn Examples,
    options: &TrainOptions,
    supervisor: &mut dyn Supervisor,
) -> Result<Fitted, ModelError> {
    let classes = network.spec().classes();
    options.check()?;
    check_examples(train, "training", classes)?;
    check_examples(validation, "validation", classes)?;
    let options = &TrainOptions {
        precision: options.precision.on(network.runtime()),
        ..options.clone()
    };
    network.runtime().bind_thread();
    let evaluation_rows = if network.spec().image_size().is_some() {
        options.batch_size
    } else {
        EVALUATION_ROWS
    };
    let mut training = Training {
        identity: identity(&network, train, validation, options),
        train,
        validation,
        options,
        classes,
        evaluation_rows,
        supervisor,
    };
    let run = training.run(network.layers().clone())?;
    Ok(run.fitted(|layers| network.with_layers(layers)))
}

/// What an epoch snapshot must agree in with the training that goes on from it.
fn identity(
    network: &Network,
    train: &dyn Examples,
    validation: &dyn Examples,
    options: &TrainOptions,
) -> String {
    format!(
        "{:?} {options:?} {} training rows {} validation rows on {}",
        network.spec(),
        train.len(),
        validation.len(),
        network.runtime().kind(),
    )
}

fn check_examples(
    examples: &dyn Examples,
    fold: &'static str,
    classes: usize,
) -> Result<(), ModelError> {
    if examples.is_empty() {
        return Err(ModelError::Empty { fold });
    }
    let labels = examples.labels();
    if labels.len() != examples.len() {
        let reason = format!("{} labels for {} {fold} rows", labels.len(), examples.len());
        return Err(ModelError::Inputs { reason });
    }
    match labels.iter().position(|&class| class >= classes) {
        Some(row) => Err(ModelError::Class {
            row,
            class: labels[row],
            classes,
        }),
        None => Ok(()),
    }
}

struct Training<'a> {
    train: &'a dyn Examples,
    validation: &'a dyn Examples,
    options: &'a TrainOptions,
    classes: usize,
    evaluation_rows: usize,
    supervisor: &'a mut dyn Supervisor,
    identity: String,
}

/// What a training came to, without the network around it.
struct Run<C> {
    best: C,
    past: Past,
    stopped: Stopped,
}

impl<C> Run<C> {
    fn fitted(self, network: impl FnOnce(C) -> Network) -> Fitted {
        Fitted {
            network: network(self.best),
            history: self.past.history,
            times: self.past.times,
            best_epoch: self.past.best_epoch,
            stopped: self.stopped,
        }
    }
}

/// A training between two epochs.
struct Underway<C> {
    /// With gradients, as an epoch takes it.
    classifier: C,
    optimizer: Optimizer,
    schedule: Schedule,
    best: C,
    past: Past,
}

impl Training<'_> {
    fn run<C: Classifier>(&mut self, classifier: C) -> Result<Run<C>, ModelError> {
        let weights = self.class_weights();
        let mut underway = self.begin(classifier)?;
        let mut stopped = Stopped::Epochs;
        for epoch in underway.past.history.len() + 1..=self.options.epochs {
            let decision;
            (underway, decision) = self.advance(underway, epoch, &weights)?;
            let record = &underway.past.history[epoch - 1];
            let is_ending = self.supervisor.epoch_ended(record).is_break();
            let is_last = decision.stop || epoch == self.options.epochs;
            // A training that is over is quickly over again from its last snapshot.
            if !is_last && self.supervisor.wants_snapshot(is_ending) {
                // It saves time; that it cannot be made is not worth the training.
                match self.snapshot(&underway) {
                    Ok(snapshot) => self.supervisor.save_snapshot(epoch, snapshot),
                    Err(error) => self.supervisor.no_snapshot(epoch, &error),
                }
            }
            if is_ending {
                return Err(ModelError::Interrupted);
            }
            if decision.stop {
                stopped = Stopped::EarlyStopping;
                break;
            }
        }
        Ok(Run {
            best: underway.best,
            past: underway.past,
            stopped,
        })
    }

    /// Goes on from the newest snapshot that fits, or begins anew.
    fn begin<C: Classifier>(&mut self, classifier: C) -> Result<Underway<C>, ModelError> {
        while let Some(bytes) = self.supervisor.load_snapshot() {
            match self.resume(classifier.clone(), &bytes) {
                Ok(underway) => {
                    self.supervisor.resumed(&underway.past.history);
                    return Ok(underway);
                }
                Err(reason) => self.supervisor.refuse_snapshot(&reason),
            }
        }
        Ok(Underway {
            optimizer: Optimizer::new(&classifier, self.options.embedding_optimizer)?,
            schedule: self.schedule(),
            best: classifier.clone(),
            classifier: classifier.train(),
            past: Past::default(),
        })
    }

    fn resume<C: Classifier>(
        &self,
        classifier: C,
        bytes: &[u8],
    ) -> Result<Underway<C>, ModelError> {
        let snapshot = Snapshot::open(bytes, &self.identity)?;
        let past = snapshot.past().clone();
        let schedule = self.schedule().replayed(&past.history, past.best_epoch)?;
        let (classifier, best) = snapshot.weights(classifier)?;
        let optimizer = Optimizer::new(&classifier, self.options.embedding_optimizer)?;
        let classifier = classifier.train();
        Ok(Underway {
            optimizer: snapshot.optimizer(&classifier, optimizer)?,
            classifier,
            schedule,
            best,
            past,
        })
    }

    fn snapshot<C: Classifier>(&self, underway: &Underway<C>) -> Result<Vec<u8>, ModelError> {
        let Underway {
            classifier,
            optimizer,
            best,
            past,
            ..
        } = underway;
        snapshot::save(&self.identity, past, classifier, best, optimizer)
    }

    fn schedule(&self) -> Schedule {
        let options = self.options;
        Schedule::new(
            options.learning_rate,
            options.early_stopping,
            options.plateau,
        )
    }

    /// Runs an epoch, and looks at what became of the network.
    fn advance<C: Classifier>(
        &mut self,
        mut underway: Underway<C>,
        epoch: usize,
        weights: &[f64],
    ) -> Result<(Underway<C>, Decision), ModelError> {
        let started = Instant::now();
        let learning_rate = underway.schedule.learning_rate();
        let optimizer = &mut underway.optimizer;
        let (classifier, scores) = self.epoch(
            underway.classifier,
            optimizer,
            epoch,
            learning_rate,
            weights,
        )?;
        let evaluated = classifier.valid();
        let validation = self.evaluate(&evaluated)?;
        let record = scores.record(epoch, learning_rate, &validation);
        if !(record.loss.is_finite() && record.validation_loss.is_finite()) {
            return Err(ModelError::Diverged { epoch });
        }
        let decision = underway.schedule.observe(record.validation_loss);
        if decision.is_best {
            underway.best = evaluated;
            underway.past.best_epoch = epoch;
        }
        underway.past.history.push(record);
        underway.past.times.push(EpochTime {
            ended_unix_s: unix_s(),
            elapsed_s: started.elapsed().as_secs_f64(),
        });
        let underway = Underway {
            classifier,
            ..underway
        };
        Ok((underway, decision))
    }

    fn epoch<C: Classifier>(
        &self,
        mut classifier: C,
        optimizer: &mut Optimizer,
        epoch: usize,
        learning_rate: f64,
        weights: &[f64],
    ) -> Result<(C, Scores), ModelError> {
        let seed = self.options.seed;
        let order = EpochOrder::Shuffled { seed, epoch };
        let mut dropout = generator(seed, Purpose::Dropout, epoch);
        let mut scores = Scores::new(self.classes, weights);
        let mut pending = Pending::default();
        for batch in self.train.batches(order, self.options.batch_size) {
            let Batch { rows, inputs } = batch?.checked()?;
            let classes: Vec<usize> = rows.iter().map(|&row| self.train.labels()[row]).collect();
            let (network, inputs) = optimizer.begin(classifier, inputs)?;
            let mut pass = Pass::training(&mut dropout, self.options.precision);
            let logits = network.logits(&inputs, &mut pass)?;
            let loss = cross_entropy(logits.clone(), &classes, weights);
            pending.push(logits.without_autodiff(), classes);
            classifier = optimizer.step(learning_rate, network, &loss)?;
            if pending.steps() == STEPS_PER_COPY {
                pending.drain_into(&mut scores)?;
            }
        }
        pending.drain_into(&mut scores)?;
        Ok((optimizer.whole(classifier), scores))
    }

    fn evaluate<C: Classifier>(&self, classifier: &C) -> Result<Scores, ModelError> {
        let mut scores = Scores::new(self.classes, &vec![1.0; self.classes]);
        let labels = self.validation.labels();
        in_batches(self.validation, self.evaluation_rows, |inputs, rows| {
            let logits = read(classifier.logits(inputs, &mut Pass::evaluation())?)?;
            scores.add(&logits, rows.iter().map(|&row| labels[row]));
            Ok(())
        })?;
        Ok(scores)
    }

    /// The weight of a row of each class; their mean over the rows is 1.
    fn class_weights(&self) -> Vec<f64> {
        let mut counts = vec![0usize; self.classes];
        for &class in self.train.labels() {
            counts[class] += 1;
        }
        let occurring = counts.iter().filter(|&&count| count > 0).count();
        let weight = |count: usize| {
            if self.options.class_weights && count > 0 {
                self.train.len() as f64 / (occurring * count) as f64
            } else {
                1.0
            }
        };
        counts.into_iter().map(weight).collect()
    }
}

/// The time now in seconds since 1970.
fn unix_s() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

/// The mean over the rows of −weight · log probability of the row's class.
fn cross_entropy(logits: Tensor<2>, classes: &[usize], weights: &[f64]) -> Tensor<1> {
    let rows = classes.len();
    let mut targets = vec![0.0f32; rows * weights.len()];
    for (target, &class) in targets.chunks_exact_mut(weights.len()).zip(classes) {
        target[class] = (-weights[class] / rows as f64) as f32;
    }
    let device = logits.device().without_autodiff();
    let targets = Tensor::from_data(TensorData::new(targets, [rows, weights.len()]), &device);
    (activation::log_softmax(logits, 1) * targets).sum()
}

#[cfg(test)]
mod fusion_tests;
#[cfg(test)]
mod resume_tests;
#[cfg(test)]
mod snapshot_tests;
#[cfg(test)]
mod streamed_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod word_tests;
