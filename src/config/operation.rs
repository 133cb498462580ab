//! The sections `metrics` and `lineage`: what operators see of a run besides its log and its record.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Metrics of the last run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MetricsConfig {
    /// File for the textfile collector of Prometheus' node exporter, which reads `*.prom`; empty for none.
    #[schemars(regex(pattern = r"^$|\.prom$"))]
    pub textfile: String,
}

/// Events for a receiver of `OpenLineage`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LineageConfig {
    /// URL of the receiver; empty for `OPENLINEAGE_URL`, and where that is empty for none.
    #[schemars(regex(pattern = r"^$|^https?://"))]
    pub url: String,
    /// Where the receiver takes events, as seen from `url`; empty for `OPENLINEAGE_ENDPOINT`, or `api/v1/lineage`.
    pub endpoint: String,
    /// Namespace of the pipeline; empty for `OPENLINEAGE_NAMESPACE`, or `default`.
    pub namespace: String,
    /// File that events are appended to, one a line; empty for none.
    pub file: String,
    /// How long an answer of the receiver is waited for.
    #[schemars(range(min = 0.1, max = 300.0))]
    pub timeout_s: f64,
}

impl Default for LineageConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            endpoint: String::new(),
            namespace: String::new(),
            file: String::new(),
            timeout_s: 5.0,
        }
    }
}

/// Checks what types cannot say: whether something holds, its key, and what is said where it does not.
pub(super) fn checks(
    metrics: &MetricsConfig,
    lineage: &LineageConfig,
) -> [(bool, &'static str, &'static str); 3] {
    let textfile = std::path::Path::new(&metrics.textfile);
    let is_prom = textfile
        .extension()
        .is_some_and(|extension| extension == "prom");
    let url = &lineage.url;
    let is_web = url.starts_with("http://") || url.starts_with("https://");
    [
        (
            metrics.textfile.is_empty() || is_prom,
            "metrics.textfile",
            "must end in .prom: the node exporter reads no other files",
        ),
        (
            url.is_empty() || is_web,
            "lineage.url",
            "must begin with http:// or https://",
        ),
        (
            (0.1..=300.0).contains(&lineage.timeout_s),
            "lineage.timeout_s",
            "must lie between 0.1 and 300",
        ),
    ]
}
