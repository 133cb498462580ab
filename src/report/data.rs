//! Everything that the report says, as values: what `rayonnage report --json` prints, and what figures and page are made of.
//!
//! A section is `None`, or empty, where the stage that it tells of has no checkpoint. Pictures and figures stand here by the names of
//! their files, beside the page.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The report.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ReportData {
    /// What stands at the top.
    pub overview: Overview,
    /// Texts and labels of the catalogue.
    pub catalogue: Option<Catalogue>,
    /// Its images.
    pub images: Option<Images>,
    /// Models, their training and their scores.
    pub models: Models,
    /// What the models get wrong.
    pub mistakes: Option<Mistakes>,
    /// Tonight's rows beside those that the models were fitted on.
    pub drift: Option<Drift>,
    /// What the run did.
    pub night: Night,
    /// Results of the queries of `sql/report`.
    pub tables: Vec<QueryTable>,
}

/// What stands at the top.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Overview {
    /// Name of the pipeline.
    pub pipeline: String,
    /// Version of the program.
    pub version: String,
    /// The run that the report is of.
    pub run: String,
    /// When that began, in UTC.
    pub started: String,
    /// How it ended: `ok`, `failed` or `interrupted`.
    pub status: String,
    /// What went wrong.
    pub error: Option<String>,
    /// Date of the dump.
    pub dump_date: Option<String>,
    /// Labelled rows.
    pub labelled: u64,
    /// Rows to be predicted.
    pub unlabelled: u64,
    /// Categories.
    pub categories: usize,
    /// The model that predicts.
    pub model: Option<String>,
    /// Its weighted F1 on the test rows, 0 to 1.
    pub test_f1: Option<f64>,
    /// What a model that guesses would come to.
    pub chance: Option<f64>,
    /// Rows that were published.
    pub published: Option<u64>,
    /// Where, below the sink.
    pub published_at: Option<String>,
    /// Rows that could not be used.
    pub rejects: u64,
    /// How long the run took.
    pub elapsed_ms: u64,
    /// Most memory that it held.
    pub peak_rss_bytes: u64,
    /// Device that models ran on.
    pub device: Option<String>,
}

/// Texts and labels.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Catalogue {
    /// Shares of empty fields.
    pub fields: Vec<FieldShare>,
    /// Words of the title and of the description.
    pub words: Vec<WordStats>,
    /// Languages of the labelled rows, the most frequent first.
    pub languages: Vec<Counted>,
    /// Categories by number of labelled rows, the largest first.
    pub balance: Vec<CategoryCount>,
    /// Largest over smallest category.
    pub imbalance: f64,
    /// The labels in the order of the file.
    pub strip: Option<Strip>,
    /// Categories in the order of their labels, with samples.
    pub categories: Vec<Category>,
    /// Sizes of the folds, in rows.
    pub folds: Vec<Counted>,
}

/// How often a field is empty.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FieldShare {
    /// Name of the field in the source.
    pub field: String,
    /// Empty ones of the labelled rows.
    pub labelled_empty: u64,
    /// The same as a share, 0 to 1.
    pub labelled_share: f64,
    /// Empty ones of the unlabelled rows.
    pub unlabelled_empty: u64,
    /// The same as a share, 0 to 1.
    pub unlabelled_share: f64,
}

/// Statistics of the number of words of a field, over the labelled rows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct WordStats {
    /// Name of the field in the source.
    pub field: String,
    /// Rows that have it.
    pub rows: u64,
    /// Rows where it is empty.
    pub empty: u64,
    /// Fewest words, over all rows.
    pub least: u64,
    /// Lower quartile.
    pub lower_quartile: u64,
    /// Median.
    pub median: u64,
    /// Upper quartile: three rows of four have no more.
    pub upper_quartile: u64,
    /// Most words.
    pub most: u64,
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
    /// Words in a bin of the histogram.
    pub bin: u64,
    /// Rows of each bin; those beyond the last are counted in it.
    pub bins: Vec<u64>,
}

/// A thing and how many rows have it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Counted {
    /// What.
    pub name: String,
    /// Rows.
    pub rows: u64,
    /// Their share, 0 to 1.
    pub share: f64,
}

/// A category and its rows.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CategoryCount {
    /// Label, as in the source.
    pub label: String,
    /// Name, where the configuration gives one.
    pub name: String,
    /// Labelled rows.
    pub rows: u64,
    /// Their share, 0 to 1.
    pub share: f64,
}

/// The labels in the order of the file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Strip {
    /// Rows.
    pub rows: u64,
    /// Share of the rows whose label is that of the row before, 0 to 1.
    pub repeats: f64,
    /// That share, were the order random.
    pub repeats_by_chance: f64,
    /// File of the figure.
    pub figure: String,
}

/// A category with samples.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Category {
    /// Label, as in the source.
    pub label: String,
    /// Name, where the configuration gives one.
    pub name: String,
    /// Labelled rows.
    pub rows: u64,
    /// Photos of some of them.
    pub photos: Vec<Photo>,
}

/// A photo of a product.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Photo {
    /// Id of the row.
    pub id: String,
    /// Title of the product.
    pub title: String,
    /// File of the picture; empty where it could not be read.
    pub picture: String,
    /// Width of the picture in pixels.
    pub width: u32,
    /// Height of the picture in pixels.
    pub height: u32,
}

/// The images.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Images {
    /// The stage that read them.
    pub stage: String,
    /// Rows by what became of their image.
    pub statuses: Vec<Counted>,
    /// Sizes of the images, the most frequent first.
    pub sizes: Vec<Counted>,
    /// Share of near-white pixels by category.
    pub white: Vec<Spread>,
    /// Means of the three channels by category.
    pub channels: Vec<ChannelMeans>,
    /// Variance of each pixel.
    pub variance: Option<Variance>,
    /// Photos before and after the crop.
    pub crops: Vec<Crop>,
    /// Share of the width, and of the height, that is cut off each side.
    pub margin: f64,
    /// Width and height of the tensors in pixels.
    pub size: u32,
}

/// How a number spreads within a category.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spread {
    /// Label, as in the source.
    pub label: String,
    /// Name, where the configuration gives one.
    pub name: String,
    /// Images.
    pub images: u64,
    /// Least value, lower quartile, median, upper quartile and largest value, 0 to 1.
    pub numbers: [f64; 5],
}

/// Means of the channels of a category's images.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChannelMeans {
    /// Label, as in the source.
    pub label: String,
    /// Name, where the configuration gives one.
    pub name: String,
    /// Images.
    pub images: u64,
    /// Mean of red, green and blue, 0 to 255.
    pub means: [f64; 3],
}

/// Variance of each pixel over a sample of the images.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Variance {
    /// Images of the sample.
    pub images: u64,
    /// Mean variance of the outermost tenth of the pixels, of levels of 0 to 255.
    pub border: f64,
    /// Mean variance of the pixels in the middle.
    pub middle: f64,
    /// Largest variance.
    pub most: f64,
    /// File of the figure.
    pub figure: String,
}

/// A photo before and after the crop.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Crop {
    /// The whole photo.
    pub before: Photo,
    /// What models see of it.
    pub after: Photo,
}

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
    /// Which of them is the best.
    pub best: Option<usize>,
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
    /// Whether training changes them.
    pub is_trained: bool,
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

/// Tonight's rows beside those that the models were fitted on.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Drift {
    /// Labelled rows.
    pub labelled: u64,
    /// Unlabelled rows.
    pub unlabelled: u64,
    /// Distributions that are compared.
    pub comparisons: Vec<Comparison>,
}

/// One distribution in both sets of rows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Comparison {
    /// What is distributed: `language`, `title_words`, `description_words`, `category` or `modality`.
    pub what: String,
    /// Values or ranges, with the share of the labelled and of the unlabelled rows, 0 to 1.
    pub shares: Vec<SharePair>,
    /// Population stability index.
    pub stability_index: f64,
    /// File of the figure.
    pub figure: String,
}

/// A value and its shares.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SharePair {
    /// Value or range.
    pub name: String,
    /// Share of the labelled rows, 0 to 1.
    pub labelled: f64,
    /// Share of the unlabelled rows.
    pub unlabelled: f64,
}

/// What the run did.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Night {
    /// Rejects by reason.
    pub rejects: Vec<Counted>,
    /// The first of them.
    pub first_rejects: Vec<Reject>,
    /// The stages in order.
    pub stages: Vec<StageTime>,
    /// What the checks found.
    pub checks: Vec<CheckLine>,
    /// Stages that the configuration leaves out, and why.
    pub skipped: BTreeMap<String, String>,
}

/// A row that could not be used.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reject {
    /// Its id, where it has one.
    pub id: Option<String>,
    /// Table and line.
    pub place: String,
    /// Reason code.
    pub reason: String,
    /// What was found.
    pub detail: String,
}

/// A stage and what it took.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StageTime {
    /// Name.
    pub stage: String,
    /// Kind.
    pub kind: String,
    /// What became of it in this run: `ran`, `fresh` or `failed`.
    pub state: String,
    /// How long it took when it last ran.
    pub elapsed_ms: Option<u64>,
    /// Most memory that the process held meanwhile.
    pub peak_rss_bytes: Option<u64>,
    /// What it worked on, with its unit.
    pub done: Option<String>,
    /// That per second.
    pub done_per_s: Option<f64>,
    /// Parts that it made.
    pub parts_made: u64,
    /// Parts that it took over.
    pub parts_taken_over: u64,
    /// Bytes of its checkpoint.
    pub bytes: u64,
}

/// What a check found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckLine {
    /// Name of the check.
    pub check: String,
    /// Stage that it looks at.
    pub stage: String,
    /// `warn` or `fail`.
    pub severity: String,
    /// What it is for.
    pub description: String,
    /// Rows that break its rule.
    pub rows: u64,
    /// The first of them.
    pub first: String,
}

/// The result of a query of `sql/report`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct QueryTable {
    /// Name of the file, without its extension.
    pub query: String,
    /// Its title.
    pub title: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Values, row by row.
    pub rows: Vec<Vec<String>>,
    /// How many rows more there are.
    pub more_rows: usize,
    /// Why there are none.
    pub error: Option<String>,
}
