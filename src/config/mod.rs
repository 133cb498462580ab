//! The configuration: `pipeline.yaml`, resolved and validated.
//!
//! Text → tree with environment variables filled in ([`parse`]) → [`PipelineConfig`] ([`resolve`]). Every mistake is collected, with its key path and, for a misspelt key, what
//! was probably meant; a configuration is used only when there is none.

mod interpolate;
mod issue;
mod json_schema;
mod needs;
mod operation;
mod origin;
mod profile;
mod raw;
mod resolved;
mod skipped;
mod stages;
mod tree;
mod weights;
mod wording;

pub use issue::{ConfigError, Issue};
pub use json_schema::{KindSchema, json_schema};
pub use needs::NeedRule;
pub use operation::{LineageConfig, MetricsConfig};
pub use origin::with_origins;
pub use raw::{parse, set_value};
pub use resolved::{
    ColumnsConfig, ImagesConfig, PipelineConfig, ReportConfig, SinkConfig, SourceConfig,
    StageConfig, resolve,
};
pub use stages::KindInfo;
pub use tree::check;
pub use weights::{VariantConfig, WeightsConfig};
