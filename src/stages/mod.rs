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
mod partition;
mod pca;
mod predict;
mod publication;
mod publish;
mod row_wise;
mod run;
mod sampling;
mod split;
mod tfidf;
mod tokenize;
mod train;
mod translate;
mod weights;

pub use checks::{CheckResult, keep_checks, run_checks, take_checks, verdict};
pub use consistency::check_stages;
pub use environment::{Environment, Stores};
pub use error::StageError;
pub use run::{Input, StageOutput, StageRun};

use crate::checkpoint::CheckpointReader;
use crate::config::{Issue, KindInfo, KindSchema, NeedRule, check};
use crate::plan::Published;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A configured stage.
pub trait Stage: Send + Sync {
    /// Goes up whenever the same inputs give other outputs.
    fn version(&self) -> u32;

    /// Names of the queries that it runs.
    fn queries(&self) -> &'static [&'static str] {
        &[]
    }

    /// Whether it runs on the device, in LibTorch.
    fn uses_device(&self) -> bool {
        false
    }

    /// What it depends on beside checkpoints and parameters: source files, the dump's date.
    ///
    /// # Errors
    ///
    /// Where that cannot be identified.
    fn external_fields(
        &self,
        _environment: &Environment,
    ) -> Result<Vec<(String, String)>, StageError> {
        Ok(Vec::new())
    }

    /// Whether what it left outside its checkpoint is still there.
    ///
    /// # Errors
    ///
    /// Those of the sink.
    fn published(&self, _environment: &Environment) -> Result<Published, StageError> {
        Ok(Published::NothingToPublish)
    }

    /// Says early, before any stage runs, what would keep this one from finishing.
    ///
    /// # Errors
    ///
    /// What is missing.
    fn check_ready(&self, _environment: &Environment) -> Result<(), StageError> {
        Ok(())
    }

    /// Says before any stage runs what would keep this one from finishing, where it is to run.
    ///
    /// # Errors
    ///
    /// What is missing or wrong.
    fn check_inputs(&self, _environment: &Environment) -> Result<(), StageError> {
        Ok(())
    }

    /// Brings what the stage made to where others see it, once its checks have passed and before its manifest is written.
    ///
    /// # Errors
    ///
    /// Those of the sink; what was brought so far is brought again.
    fn deliver(&self, _run: &StageRun<'_>, _reader: &CheckpointReader) -> Result<(), StageError> {
        Ok(())
    }

    /// Makes the outputs, all but the manifest.
    ///
    /// # Errors
    ///
    /// Whatever kept it from finishing; what it wrote so far is kept.
    fn run(&self, run: &StageRun<'_>) -> Result<StageOutput, StageError>;
}

/// A kind of stage, as the registry and the configuration need to know it.
trait Kind: Stage + Sized + 'static {
    const NAME: &'static str;
    /// What it does, as a sentence.
    const SUMMARY: &'static str;
    type Params: Default + Serialize + DeserializeOwned + JsonSchema;

    /// Checks what the configuration gives, key by key, and fills in the defaults.
    fn check(given: &Value, path: &str, issues: &mut Vec<Issue>) -> Self::Params {
        check(given, path, issues)
    }

    fn needs(params: &Self::Params) -> Vec<NeedRule>;

    /// Name of the weights that it loads, if it loads any.
    fn weights(_params: &Self::Params) -> Option<String> {
        None
    }

    /// Checks what types cannot say.
    fn validate(_params: &Self::Params, _path: &str, _issues: &mut Vec<Issue>) {}

    fn new(params: Self::Params) -> Self;
}

struct Entry {
    info: KindInfo,
    schema: fn() -> KindSchema,
    build: fn(Value) -> Option<Box<dyn Stage>>,
}

fn entry<K: Kind>() -> Entry {
    fn check_params<K: Kind>(given: &Value, path: &str, issues: &mut Vec<Issue>) -> Option<Value> {
        let params = K::check(given, path, issues);
        K::validate(&params, path, issues);
        serde_json::to_value(params).ok()
    }
    fn needs<K: Kind>(params: &Value) -> Vec<NeedRule> {
        let params: Option<K::Params> = serde_json::from_value(params.clone()).ok();
        K::needs(&params.unwrap_or_default())
    }
    fn weights<K: Kind>(params: &Value) -> Option<String> {
        let params: Option<K::Params> = serde_json::from_value(params.clone()).ok();
        params.and_then(|params| K::weights(&params))
    }
    fn build<K: Kind>(params: Value) -> Option<Box<dyn Stage>> {
        serde_json::from_value(params)
            .ok()
            .map(|params| Box::new(K::new(params)) as Box<dyn Stage>)
    }
    let info = KindInfo {
        name: K::NAME,
        check_params: check_params::<K>,
        needs: needs::<K>,
        weights: weights::<K>,
    };
    Entry {
        info,
        schema: || KindSchema::of::<K::Params>(K::NAME, K::SUMMARY),
        build: build::<K>,
    }
}

fn registry() -> Vec<Entry> {
    vec![
        entry::<ingest::Ingest>(),
        entry::<detect_language::DetectLanguage>(),
        entry::<translate::Translate>(),
        entry::<clean_text::CleanText>(),
        entry::<split::Split>(),
        entry::<fit_tfidf::FitTfidf>(),
        entry::<tfidf::Tfidf>(),
        entry::<tokenize::Tokenize>(),
        entry::<decode_images::DecodeImages>(),
        entry::<embed_images::EmbedImages>(),
        entry::<fit_pca::FitPca>(),
        entry::<pca::ApplyPca>(),
        entry::<train::Train>(),
        entry::<evaluate::Evaluate>(),
        entry::<predict::Predict>(),
        entry::<publish::Publish>(),
    ]
}

/// Every kind of stage, for the configuration.
#[must_use]
pub fn kinds() -> Vec<KindInfo> {
    registry().into_iter().map(|entry| entry.info).collect()
}

/// What an editor has to know of every kind of stage.
#[must_use]
pub fn kind_schemas() -> Vec<KindSchema> {
    let entries = registry().into_iter();
    entries.map(|entry| (entry.schema)()).collect()
}

/// Builds a stage from its kind and its checked parameters; `None` for an unknown kind.
#[must_use]
pub fn build(kind: &str, params: &Value) -> Option<Box<dyn Stage>> {
    let entry = registry()
        .into_iter()
        .find(|entry| entry.info.name == kind)?;
    (entry.build)(params.clone())
}

/// Shorthand for a need of exactly one stage of a kind.
fn one(kind: &'static str, datasets: &[&'static str]) -> NeedRule {
    NeedRule {
        kind,
        datasets: datasets.to_vec(),
        count: (1, 1),
        may_be_skipped: false,
    }
}

/// Shorthand for a need of any number of stages of a kind, of which some may be skipped.
fn any(kind: &'static str, datasets: &[&'static str]) -> NeedRule {
    NeedRule {
        kind,
        datasets: datasets.to_vec(),
        count: (0, usize::MAX),
        may_be_skipped: true,
    }
}

/// Shorthand for a need of at most one stage of a kind.
fn at_most_one(kind: &'static str, datasets: &[&'static str]) -> NeedRule {
    NeedRule {
        kind,
        datasets: datasets.to_vec(),
        count: (0, 1),
        may_be_skipped: false,
    }
}

/// What LibTorch's arithmetic depends on, as the runner put it into the fingerprint.
fn device_fields(run: &StageRun<'_>) -> Vec<String> {
    let fields = run.fields.as_slice().iter();
    fields
        .filter(|field| field.name.starts_with("device."))
        .map(|field| field.value.clone())
        .collect()
}
