//! Parameters that all networks share: how they are trained.

use crate::config::Issue;
use crate::model::{EarlyStopping, Plateau, Precision, TrainOptions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How any network is trained.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(super) struct Training {
    /// Share of the values that are dropped in training.
    #[schemars(extend("minimum" = 0, "exclusiveMaximum" = 1))]
    pub(super) dropout: f64,
    /// Most epochs; early stopping ends the training before.
    #[schemars(range(min = 1))]
    epochs: usize,
    /// Rows of a batch.
    #[schemars(range(min = 1))]
    batch_size: usize,
    /// Learning rate of Adam.
    #[schemars(extend("exclusiveMinimum" = 0))]
    learning_rate: f64,
    /// When training stops early.
    early_stopping: EarlyStoppingParams,
    /// When the learning rate is lowered.
    plateau: PlateauParams,
    /// Whether rows weigh inversely to the number of rows of their class.
    class_weights: bool,
    /// In which numbers dense layers and convolutions multiply.
    precision: Precision,
}

/// When to stop early.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(expecting = "a mapping with patience and start_epoch")]
pub(super) struct EarlyStoppingParams {
    /// Counted epochs without a better validation loss, after which training stops; the weights of the best epoch are kept.
    patience: usize,
    /// First epoch that counts, from 1.
    start_epoch: usize,
}

/// When to lower the learning rate.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(expecting = "a mapping with factor and patience")]
pub(super) struct PlateauParams {
    /// What the learning rate is multiplied by.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    factor: f64,
    /// Epochs without a better validation loss, after which it is lowered.
    patience: usize,
}

impl Default for Training {
    fn default() -> Self {
        let options = TrainOptions::default();
        let (stopping, plateau) = (EarlyStopping::default(), Plateau::default());
        Self {
            dropout: 0.2,
            epochs: options.epochs,
            batch_size: options.batch_size,
            learning_rate: options.learning_rate,
            early_stopping: EarlyStoppingParams {
                patience: stopping.patience,
                start_epoch: stopping.start_epoch,
            },
            plateau: PlateauParams {
                factor: plateau.factor,
                patience: plateau.patience,
            },
            class_weights: options.class_weights,
            precision: options.precision,
        }
    }
}

impl Training {
    pub(super) fn validate(&self, require: &mut dyn FnMut(bool, &str, &str)) {
        require(
            (0.0..1.0).contains(&self.dropout),
            "dropout",
            "must be at least 0 and below 1",
        );
        require(self.epochs > 0, "epochs", "must be at least 1");
        require(self.batch_size > 0, "batch_size", "must be at least 1");
        require(self.learning_rate > 0.0, "learning_rate", "must be above 0");
        let factor = self.plateau.factor;
        require(
            factor > 0.0 && factor < 1.0,
            "plateau.factor",
            "must be above 0 and below 1",
        );
    }

    pub(super) fn options(&self, seed: u64) -> TrainOptions {
        TrainOptions {
            epochs: self.epochs,
            batch_size: self.batch_size,
            learning_rate: self.learning_rate,
            seed,
            early_stopping: Some(EarlyStopping {
                patience: self.early_stopping.patience,
                start_epoch: self.early_stopping.start_epoch,
            }),
            plateau: Some(Plateau {
                factor: self.plateau.factor,
                patience: self.plateau.patience,
            }),
            class_weights: self.class_weights,
            precision: self.precision,
            ..TrainOptions::default()
        }
    }
}

/// Collects what is wrong, under the path of its key.
pub(super) fn collector<'a>(
    path: &'a str,
    issues: &'a mut Vec<Issue>,
) -> impl FnMut(bool, &str, &str) + use<'a> {
    move |holds, key, message| {
        if !holds {
            issues.push(Issue::new(format!("{path}.{key}"), message));
        }
    }
}

const WIDEST: usize = 65_536;

pub(super) fn require_width(require: &mut dyn FnMut(bool, &str, &str), key: &str, width: usize) {
    let holds = (1..=WIDEST).contains(&width);
    require(holds, key, "must lie between 1 and 65536");
}
