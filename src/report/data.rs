//! Everything that the report says, as values: what `rayonnage report --json` prints, and what figures and page are made of.
//!
//! A section is `None`, or empty, where the stage that it tells of has no checkpoint. Pictures and figures stand here by the names of
//! their files, beside the page.

mod catalogue;
mod images;
mod models;
mod night;

pub use catalogue::{
    Catalogue, Category, Comparison, Drift, FieldShare, SharePair, Strip, WordStats,
};
pub use images::{ChannelMeans, Crop, Images, Spread, Variance};
pub use models::{
    CategoryScores, ConfusedPair, ConfusionMatrix, Epoch, Layer, MistakenPair, Mistakes,
    ModalityScore, ModelScore, Models, NetworkTable, PixelScore,
};
pub use night::{CheckLine, Night, QueryTable, Reject, StageTime};

use serde::{Deserialize, Serialize};

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
