//! The validated configuration, and how a tree becomes one.

use super::issue::{ConfigError, Issue};
use super::operation::{LineageConfig, MetricsConfig, checks as check_operation};
use super::profile::Profile;
use super::stages::{KindInfo, ResolvedStages, resolve_stages};
use super::tree::check;
use super::weights::{WeightsConfig, resolve_weights};
use crate::graph::{Dag, StageId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A pipeline, ready to be planned.
#[derive(Debug, Clone)]
pub struct PipelineConfig {
    /// Name of the pipeline, for records and reports.
    pub name: String,
    /// Seed of everything random.
    pub seed: u64,
    /// Checkpoint root: path or URL.
    pub checkpoints: String,
    /// Date of the dump, `YYYY-MM-DD`; `None` where none is given.
    pub dump_date: Option<String>,
    /// Most rows in one part.
    pub rows_per_part: usize,
    /// Nobody else writes to the stores, so that one without conditional writes will do.
    pub single_writer: bool,
    /// Seconds that the holder of a lock in a bucket may be silent before it is taken for dead.
    pub lock_timeout_s: f64,
    /// Cache on this machine of checkpoints in a bucket.
    pub cache: CacheConfig,
    /// Least seconds between two epoch snapshots of a training; 0: one after each epoch.
    pub snapshot_every_s: f64,
    /// Batches of images that are made ahead of the network that reads them.
    pub prefetch_batches: usize,
    /// Of the stages that name profiles, those of this one are in the pipeline.
    pub profile: String,
    /// Share of bad rows past which a run fails.
    pub max_reject_ratio: f64,
    /// Share of broken images past which a run fails.
    pub max_image_fault_ratio: f64,
    /// Folder with the SQL queries, relative to the configuration file.
    pub sql: String,
    /// Where the catalogue lies.
    pub source: SourceConfig,
    /// Where predictions go.
    pub sink: SinkConfig,
    /// Metrics of the last run.
    pub metrics: MetricsConfig,
    /// Events for a receiver of `OpenLineage`.
    pub lineage: LineageConfig,
    /// Weights of frozen networks by name.
    pub weights: BTreeMap<String, WeightsConfig>,
    /// The page that is made after a run.
    pub report: ReportConfig,
    /// The stages by name, but for those that are skipped.
    pub stages: BTreeMap<StageId, StageConfig>,
    /// Their graph.
    pub dag: Dag,
    /// Stages that are left out, and why.
    pub skipped: BTreeMap<StageId, String>,
}

/// One stage, validated.
#[derive(Debug, Clone)]
pub struct StageConfig {
    /// Name of the stage.
    pub id: StageId,
    /// Its kind.
    pub kind: String,
    /// Its parameters with all defaults filled in.
    pub params: Value,
}

/// The source catalogue.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SourceConfig {
    /// Path or URL, also `http(s)://`, below which everything lies.
    #[schemars(length(min = 1), extend("x-required" = true))]
    pub root: String,
    /// Table of labelled products: `.csv`, `.ndjson` (`.jsonl`) or `.parquet`.
    #[schemars(length(min = 1), extend("x-required" = true))]
    pub products: String,
    /// Table of their labels; empty where the products table holds them.
    pub labels: String,
    /// Table of products to predict; empty where there is none.
    pub unlabelled: String,
    /// Where the images lie: paths with columns in braces, also into `.tar` and `.zip` shards.
    pub images: ImagesConfig,
    /// Which column is what.
    pub columns: ColumnsConfig,
}

/// Paths of images, with columns in braces.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ImagesConfig {
    /// Of the labelled products, such as `images/image_{imageid}.jpg`; empty for none.
    pub labelled: String,
    /// Of the unlabelled products, such as `images/image_{imageid}.jpg`; empty for none.
    pub unlabelled: String,
}

/// Column names in the source tables.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ColumnsConfig {
    /// Identity of a row, unique in its table; the empty name is a column without one.
    pub id: String,
    /// Title.
    pub title: String,
    /// Description.
    pub description: String,
    /// Product number.
    pub product_id: String,
    /// Category.
    pub label: String,
}

/// Where predictions are published.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SinkConfig {
    /// Path or URL; `predictions/` goes below it.
    #[schemars(length(min = 1))]
    pub root: String,
    /// Dates of which publications are kept, the newest; 0 for all.
    pub retain: usize,
}

/// The page that is made after a run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ReportConfig {
    /// Language of the page, `en` or `fr`.
    #[schemars(extend("enum" = ["en", "fr"]))]
    pub lang: String,
    /// Whether a run makes it at its end.
    pub after_run: bool,
}

/// A cache on this machine's disk.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct CacheConfig {
    /// Its folder.
    pub folder: String,
    /// Most bytes in it; 0 for none.
    pub max_bytes: u64,
}

/// The top of the file as it is written; `weights` and `stages` are taken apart by hand.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(super) struct RawPipeline {
    /// Name of the pipeline in run records.
    name: String,
    /// Seed of everything random; each stage adds its name.
    seed: u64,
    /// Where checkpoints are kept: a path, or a `file://`, `s3://`, `az://` or `gs://` URL.
    #[schemars(length(min = 1))]
    checkpoints: String,
    /// Date of the dump, `YYYY-MM-DD`; required to publish, but for the sample catalogue.
    #[schemars(regex(pattern = r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$"))]
    dump_date: String,
    /// Most rows in one Parquet file.
    #[schemars(range(min = 1, max = 65_536))]
    rows_per_part: usize,
    /// The profile to run, one of `profiles`.
    profile: String,
    /// Names of sets of stages; a stage that names none of them is in all.
    profiles: Vec<String>,
    /// Whether nobody else writes to these stores, so that one that ignores conditional writes will do.
    single_writer: bool,
    /// Seconds that the run that holds the checkpoints of a bucket may be silent before it is taken for dead.
    #[schemars(range(min = 1.0, max = 86_400.0))]
    lock_timeout_s: f64,
    /// Cache on this machine of checkpoints in a bucket.
    cache: CacheConfig,
    /// Least seconds between two epoch snapshots of a training; 0 for each epoch.
    #[schemars(range(min = 0.0, max = 86_400.0))]
    snapshot_every_s: f64,
    /// Batches of images made ahead beside the network that reads them; 0 for none.
    #[schemars(range(max = 256))]
    prefetch_batches: usize,
    /// Share of bad rows past which a run fails (exit code 13).
    #[schemars(range(min = 0.0, max = 1.0))]
    max_reject_ratio: f64,
    /// Share of broken images past which a run fails (exit code 13).
    #[schemars(range(min = 0.0, max = 1.0))]
    max_image_fault_ratio: f64,
    /// Folder of the queries and checks, relative to this file.
    sql: String,
    /// The source catalogue: where its tables and images lie.
    #[schemars(extend("x-required" = true))]
    source: SourceConfig,
    /// Where predictions are published.
    sink: SinkConfig,
    /// Metrics of each run, for Prometheus.
    metrics: MetricsConfig,
    /// Lineage events of each run.
    lineage: LineageConfig,
    /// The page that a run makes at its end.
    report: ReportConfig,
    /// Files of frozen image networks, by name; without a path, what loads the weights is skipped.
    weights: Value,
    /// The stages by name.
    #[schemars(extend("x-required" = true))]
    stages: Value,
}

impl Default for RawPipeline {
    fn default() -> Self {
        let text = str::to_owned;
        let images = ImagesConfig {
            labelled: String::new(),
            unlabelled: String::new(),
        };
        let columns = ColumnsConfig {
            id: text("id"),
            title: text("title"),
            description: text("description"),
            product_id: text("product_id"),
            label: text("label"),
        };
        let source = SourceConfig {
            root: String::new(),
            products: String::new(),
            labels: String::new(),
            unlabelled: String::new(),
            images,
            columns,
        };
        Self {
            name: text("rayonnage"),
            seed: 123,
            checkpoints: text("checkpoints"),
            dump_date: String::new(),
            rows_per_part: 512,
            profile: String::new(),
            profiles: Vec::new(),
            single_writer: false,
            lock_timeout_s: 60.0,
            cache: CacheConfig {
                folder: text("cache"),
                max_bytes: 10 << 30,
            },
            snapshot_every_s: 10.0,
            prefetch_batches: 4,
            max_reject_ratio: 0.01,
            max_image_fault_ratio: 0.05,
            sql: text("sql"),
            source,
            sink: SinkConfig {
                root: text("out"),
                retain: 0,
            },
            metrics: MetricsConfig::default(),
            lineage: LineageConfig::default(),
            report: ReportConfig {
                lang: text("en"),
                after_run: true,
            },
            weights: Value::Null,
            stages: Value::Null,
        }
    }
}

/// The keys that a file may have at its top.
pub(super) fn top_level_keys() -> Vec<String> {
    let raw = serde_json::to_value(RawPipeline::default()).unwrap_or_default();
    let keys = raw.as_object().into_iter().flat_map(|raw| raw.keys());
    keys.cloned().collect()
}

/// Resolves a tree; `issues` are those found so far.
///
/// # Errors
///
/// [`ConfigError::Invalid`] with every mistake.
pub fn resolve(
    tree: &Value,
    path: &str,
    kinds: &[KindInfo],
    mut issues: Vec<Issue>,
) -> Result<PipelineConfig, ConfigError> {
    let raw = check::<RawPipeline>(tree, "", &mut issues);
    check_top(&raw, &mut issues);
    let section = |name| tree.get(name).unwrap_or(&Value::Null);
    let weights = resolve_weights(section("weights"), &mut issues);
    let ResolvedStages {
        stages,
        dag,
        skipped,
    } = resolve_stages(
        section("stages"),
        kinds,
        &weights,
        &Profile {
            name: &raw.profile,
            known: &raw.profiles,
        },
        &mut issues,
    );
    let invalid = |mut issues: Vec<Issue>| {
        issues.sort();
        issues.dedup();
        ConfigError::Invalid {
            path: path.to_owned(),
            issues,
        }
    };
    let (Some(dag), true) = (dag, issues.is_empty()) else {
        return Err(invalid(issues));
    };
    Ok(PipelineConfig {
        name: raw.name,
        seed: raw.seed,
        checkpoints: raw.checkpoints,
        dump_date: (!raw.dump_date.is_empty()).then_some(raw.dump_date),
        rows_per_part: raw.rows_per_part,
        profile: raw.profile,
        single_writer: raw.single_writer,
        lock_timeout_s: raw.lock_timeout_s,
        cache: raw.cache,
        snapshot_every_s: raw.snapshot_every_s,
        prefetch_batches: raw.prefetch_batches,
        max_reject_ratio: raw.max_reject_ratio,
        max_image_fault_ratio: raw.max_image_fault_ratio,
        sql: raw.sql,
        source: raw.source,
        sink: raw.sink,
        metrics: raw.metrics,
        lineage: raw.lineage,
        report: raw.report,
        weights,
        stages,
        dag,
        skipped,
    })
}

fn check_top(raw: &RawPipeline, issues: &mut Vec<Issue>) {
    let mut require = |ok: bool, path: &str, message: &str| {
        // A key that is of the wrong type stands at its default here: one issue is enough.
        let known = issues
            .iter()
            .any(|issue| issue.path == path || path.starts_with(&format!("{}.", issue.path)));
        if !ok && !known {
            issues.push(Issue::new(path, message));
        }
    };
    require(
        !raw.checkpoints.is_empty(),
        "checkpoints",
        "must name a path or URL",
    );
    require(
        !raw.source.root.is_empty(),
        "source.root",
        "must name a path or URL",
    );
    require(
        !raw.source.products.is_empty(),
        "source.products",
        "must name a table",
    );
    require(
        !raw.sink.root.is_empty(),
        "sink.root",
        "must name a path or URL",
    );
    require(
        ["en", "fr"].contains(&raw.report.lang.as_str()),
        "report.lang",
        "must be en or fr",
    );
    require(
        (1..=65_536).contains(&raw.rows_per_part),
        "rows_per_part",
        "must lie between 1 and 65536",
    );
    require(
        (0.0..=86_400.0).contains(&raw.snapshot_every_s),
        "snapshot_every_s",
        "must lie between 0 and 86400",
    );
    require(
        (1.0..=86_400.0).contains(&raw.lock_timeout_s),
        "lock_timeout_s",
        "must lie between 1 and 86400",
    );
    require(
        raw.cache.max_bytes == 0 || !raw.cache.folder.is_empty(),
        "cache.folder",
        "must name a folder",
    );
    require(
        raw.prefetch_batches <= 256,
        "prefetch_batches",
        "must be at most 256",
    );
    for (path, ratio) in [
        ("max_reject_ratio", raw.max_reject_ratio),
        ("max_image_fault_ratio", raw.max_image_fault_ratio),
    ] {
        require(
            (0.0..=1.0).contains(&ratio),
            path,
            "must lie between 0 and 1",
        );
    }
    require(
        raw.dump_date.is_empty() || is_date(&raw.dump_date),
        "dump_date",
        &format!("must be a date, YYYY-MM-DD, not {:?}", raw.dump_date),
    );
    for (holds, path, message) in check_operation(&raw.metrics, &raw.lineage) {
        require(holds, path, message);
    }
}

/// Whether a text is a date of the calendar, `YYYY-MM-DD`.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shape = bytes.len() == 10
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !shape {
        return false;
    }
    let number = |range: std::ops::Range<usize>| text[range].parse::<u32>().unwrap_or(0);
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => 0,
    };
    (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_of_the_calendar() {
        for good in ["2024-02-29", "2026-11-20"] {
            assert!(is_date(good), "{good}");
        }
        for bad in [
            "2023-02-29",
            "2026-13-01",
            "2026-1-01",
            "20261120",
            "2026-11-2x",
        ] {
            assert!(!is_date(bad), "{bad}");
        }
    }
}
