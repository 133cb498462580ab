//! Errors of stages.

use crate::checkpoint::CheckpointError;
use crate::image::ImageError;
use crate::model::ModelError;
use crate::model::classical::ClassicalError;
use crate::source::SourceError;
use crate::sql::SqlError;
use crate::store::StoreError;
use crate::text::TextError;
use thiserror::Error;

/// Why a stage could not finish.
#[derive(Debug, Error)]
pub enum StageError {
    /// A checkpoint could not be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The source could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A query failed.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// A text kernel refused its options or its input.
    #[error(transparent)]
    Text(#[from] TextError),
    /// An image kernel refused its options.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A model could not be trained, read or applied.
    #[error(transparent)]
    Model(ModelError),
    /// A classical model could not be fitted or read.
    #[error(transparent)]
    Classical(#[from] ClassicalError),
    /// The stage panicked: a bug.
    #[error("internal error: {message}")]
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// A signal asked the run to stop.
    #[error("interrupted by signal {signal}")]
    Interrupted {
        /// The signal.
        signal: usize,
    },
    /// Too many rows are bad.
    #[error(
        "{rejects} of {rows} rows are rejected, more than max_reject_ratio {limit} allows: {reasons}; the first: {first}"
    )]
    TooManyRejects {
        /// Bad rows.
        rejects: u64,
        /// All rows.
        rows: u64,
        /// The limit.
        limit: f64,
        /// How many of what.
        reasons: String,
        /// Where the first of them stand, and why.
        first: String,
    },
    /// Too many images are broken.
    #[error(
        "{faults} of {images} images are broken, more than max_image_fault_ratio {limit} allows: {reasons}"
    )]
    TooManyImageFaults {
        /// Broken images.
        faults: u64,
        /// Images that are there.
        images: u64,
        /// The limit.
        limit: f64,
        /// How many of what.
        reasons: String,
    },
    /// A check found rows.
    #[error("check {check} found {rows} rows; the first: {first}")]
    Check {
        /// Name of the check.
        check: String,
        /// How many rows break its rule.
        rows: usize,
        /// The first of them.
        first: String,
    },
    /// Two datasets that should hold the same rows do not.
    #[error("{left} and {right} do not hold the same rows in part {part}")]
    Misaligned {
        /// One stage.
        left: String,
        /// The other.
        right: String,
        /// The part.
        part: usize,
    },
    /// There is nothing to learn from, or nothing to choose from.
    #[error("{0}")]
    Unusable(String),
    /// A file of weights is not there.
    #[error("there is no file of weights {path}")]
    NoWeights {
        /// The file.
        path: String,
    },
    /// A file of weights is not the one that the configuration names.
    #[error("{path} has the SHA-256 {found}, not {expected}")]
    WrongWeights {
        /// The file.
        path: String,
        /// Of the file.
        found: String,
        /// As configured.
        expected: String,
    },
    /// A file of weights does not hold the network that the configuration names.
    #[error("{path} does not hold the weights of {backbone} in the layout {layout}")]
    Weights {
        /// The file.
        path: String,
        /// The network.
        backbone: &'static str,
        /// Whose names and shapes were expected.
        layout: String,
        /// What is wrong.
        source: Box<ModelError>,
    },
    /// Two translations of one text differ.
    #[error("{first} and {second} translate the same text differently: {text:?}")]
    ConflictingTranslations {
        /// Table and line that stand first.
        first: String,
        /// The other table and line.
        second: String,
        /// The normalised text.
        text: String,
    },
    /// Texts are without translation, and the configuration forbids that.
    #[error("{count} texts have no translation (on_missing: fail); the first: {first:?}")]
    MissingTranslations {
        /// Distinct texts.
        count: u64,
        /// One of them.
        first: String,
    },
    /// There is less to publish than the configuration asks for.
    #[error("{rows} rows are to be published, fewer than min_rows {least} asks for")]
    TooFewRows {
        /// Rows there are.
        rows: u64,
        /// The limit.
        least: u64,
    },
    /// No dump date is given.
    #[error("publishing needs the date of the dump: set dump_date (DATE=YYYY-MM-DD with make)")]
    NoDumpDate,
    /// Somebody else published at the same time.
    #[error("lost the race to publish: {detail}")]
    LostRace {
        /// Who won, or how we know.
        detail: String,
    },
}

impl From<ModelError> for StageError {
    fn from(error: ModelError) -> Self {
        Self::Model(error)
    }
}
