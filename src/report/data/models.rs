//! Models: their scores, their training, and what they get wrong.

use super::{CategoryCount, Photo};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Models, their training and their scores.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Models {
    /// The model that predicts.
    pub chosen: String,
    /// Every model, the best on the test rows first.
    pub scores: Vec<ModelScore>,
    /// F1 on the test rows by category: a row for each category, a value for each model of `scores`.
    pub by_category: Vec<CategoryScores>,
    /// What the networks consist of.
    pub networks: Vec<NetworkTable>,
    /// What classical models of pixels come to.
    pub pixels: Vec<PixelScore>,
    /// Confusion matrices.
    pub confusions: Vec<ConfusionMatrix>,
    /// Scores by what is known of a product, on the test rows.
    pub modalities: Vec<ModalityScore>,
}

/// Scores of a model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ModelScore {
    /// Name of the stage.
    pub model: String,
    /// What kind of model it is.
    pub kind: String,
    /// What it reads: `text`, `image` or `text+image`.
    pub reads: String,
    /// Accuracy on the test rows that it answers for, 0 to 1.
    pub test_accuracy: f64,
    /// Weighted F1 on them.
    pub test_f1: f64,
    /// How many those are.
    pub test_rows: u64,
    /// Weighted F1 on all validation rows, those without an answer counted as wrong.
    pub selection_f1: f64,
    /// Whether it has the best score on the validation rows.
    pub is_best: bool,
    /// Parameters, of a network.
    pub parameters: Option<u64>,
    /// Time of its last training.
    pub elapsed_ms: Option<u64>,
}

/// F1 of a category by each model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CategoryScores {
    /// Label, as in the source; `macro avg` and `weighted avg` for all together.
    pub label: String,
    /// Name, where the configuration gives one.
    pub name: String,
    /// Test rows.
    pub rows: u64,
    /// By model.
    pub f1: Vec<Option<f64>>,
    /// The best of them, where that is more than nothing: all that come to it have it.
    pub best: Option<f64>,
}

/// A network: layers and training.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct NetworkTable {
    /// Name of the stage.
    pub model: String,
    /// Kind of the network.
    pub network: String,
    /// What it reads.
    pub reads: String,
    /// Its layers.
    pub layers: Vec<Layer>,
    /// Parameters in all.
    pub parameters: u64,
    /// Of these, those that training changes.
    pub trainable_parameters: u64,
    /// Epochs, with losses and scores.
    pub history: Vec<Epoch>,
    /// The epoch whose weights were kept.
    pub best_epoch: u64,
    /// Why training ended.
    pub stopped: String,
    /// Accuracy on the training rows in the best epoch, 0 to 1.
    pub accuracy: Option<f64>,
    /// Accuracy on the validation rows in the best epoch.
    pub validation_accuracy: Option<f64>,
    /// Whether it joins other models.
    pub is_fusion: bool,
    /// Files of the figures: learning curves and, of a fusion, the drawing.
    pub figures: BTreeMap<String, String>,
}

/// A layer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Layer {
    /// Name within the network.
    pub name: String,
    /// Kind, by Keras' name.
    pub kind: String,
    /// Shape of the output, without the axis of the rows.
    pub output: Vec<usize>,
    /// Number of parameters.
    pub parameters: u64,
    /// Of these, how many training changes.
    pub trained: u64,
    /// Places of the layers that it reads.
    pub inputs: Vec<usize>,
}

/// An epoch of a training.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Epoch {
    /// Number, from 1.
    pub epoch: u64,
    /// Mean loss on the training rows.
    pub loss: f64,
    /// Accuracy on them, 0 to 1.
    pub accuracy: f64,
    /// Mean loss on the validation rows.
    pub validation_loss: f64,
    /// Accuracy on them.
    pub validation_accuracy: f64,
    /// Learning rate.
    pub learning_rate: f64,
}

/// Scores of a model of pixels: by cross-validation, where it was made, else on the test rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct PixelScore {
    /// Name of the stage.
    pub model: String,
    /// Its parameters, where they are not the defaults.
    pub configuration: String,
    /// Folds of the cross-validation.
    pub folds: Option<usize>,
    /// Accuracy, 0 to 1.
    pub accuracy: f64,
    /// Weighted precision.
    pub precision: f64,
    /// Weighted recall.
    pub recall: f64,
    /// Weighted F1.
    pub f1: f64,
    /// Whether its F1 is the best of them.
    pub is_best: bool,
}

/// How often rows of one category were taken for another, on the test rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    /// Name of the model.
    pub model: String,
    /// Why it is shown: `reference`, `chosen` or `pixels`.
    pub role: String,
    /// Labels in order.
    pub labels: Vec<String>,
    /// Rows of each label (row) taken for each (column), row by row.
    pub rows: Vec<u64>,
    /// File of the figure.
    pub figure: String,
    /// The pairs that are confused most often.
    pub pairs: Vec<ConfusedPair>,
}

/// A pair of categories that is confused.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConfusedPair {
    /// The true category.
    pub actual: CategoryCount,
    /// What it was taken for.
    pub predicted: CategoryCount,
    /// Test rows.
    pub rows: u64,
    /// Their share among the test rows of the true category, 0 to 1.
    pub share: f64,
}

/// Score of a model by what is known of a product.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ModalityScore {
    /// Name of the model.
    pub model: String,
    /// What is known of the rows.
    pub modality: String,
    /// What the model was shown of it.
    pub given: String,
    /// Rows.
    pub rows: u64,
    /// Accuracy, 0 to 1.
    pub accuracy: f64,
    /// Weighted F1.
    pub weighted_f1: f64,
}

/// What the chosen model gets wrong most often, and the products behind it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Mistakes {
    /// The model.
    pub model: String,
    /// The pairs.
    pub pairs: Vec<MistakenPair>,
}

/// A confused pair with products.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MistakenPair {
    /// The pair.
    pub pair: ConfusedPair,
    /// Some of its products.
    pub products: Vec<Photo>,
}
