//! What every stage does, and what every kind of stage says of itself.

use super::{Environment, StageError, StageOutput, StageRun};
use crate::checkpoint::CheckpointReader;
use crate::config::{Issue, NeedRule, check};
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
pub(super) trait Kind: Stage + Sized + 'static {
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
