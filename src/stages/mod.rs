//! Stage kinds, one file each: read parts → kernel → write parts.
//!
//! A stage reads only the checkpoints that it is handed, and writes only its own. Its [`Stage::version`] goes
//! up whenever the same inputs give other outputs.

mod blocks;
mod checks;
mod clean_text;
mod consistency;
mod decode_images;
mod detect_language;
mod embed_images;
mod environment;
mod error;
mod evaluate;
mod features;
mod fit_pca;
mod fit_tfidf;
mod image_variance;
mod ingest;
mod known_features;
mod lookup;
mod modalities;
mod models;
mod needs;
mod partition;
mod pca;
mod predict;
mod publication;
mod publish;
mod registry;
mod row_wise;
mod run;
mod sampling;
mod split;
mod stage;
mod tfidf;
mod tokenize;
mod train;
mod translate;
mod weights;

pub use checks::{CheckResult, keep_checks, run_checks, take_checks, verdict};
pub use consistency::check_stages;
pub use environment::{Environment, Stores};
pub use error::StageError;
pub use registry::{build, kind_schemas, kinds};
pub use run::{Input, StageOutput, StageRun};
pub use stage::Stage;

use needs::{any, at_most_one, one};
use run::device_fields;
use stage::Kind;
