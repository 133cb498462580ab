//! Texts, labels and folds of the catalogue, and how its new rows differ.

use super::{CategoryCount, Counted, Photo};
use serde::{Deserialize, Serialize};

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
    /// What is distributed: `language`, `title_words`, `description_words`, `category` or `photo`.
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
