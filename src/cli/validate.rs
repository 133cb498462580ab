//! `rayonnage validate`: whether configuration and queries can be used.

use super::args::{Common, FormatArguments};
use super::output::{print, print_json, skipped};
use super::{CommandError, setup};
use crate::config::{ConfigError, Issue, PipelineConfig};
use crate::monitor::Monitor;
use crate::sql::Queries;
use crate::suggest::suggestion;
use serde::Serialize;
use std::collections::BTreeMap;

/// What was found, as programs read it.
#[derive(Debug, Serialize)]
struct ValidateDocument<'a> {
    config: String,
    /// Names of the stages; empty where there are mistakes.
    stages: Vec<&'a str>,
    /// Names of the checks; likewise.
    checks: Vec<&'a str>,
    skipped: BTreeMap<&'a str, &'a str>,
    issues: Vec<IssueDocument<'a>>,
}

/// A mistake.
#[derive(Debug, Serialize)]
struct IssueDocument<'a> {
    /// Dotted path of the key; empty for the file as a whole.
    path: &'a str,
    message: String,
}

/// Checks the configuration and the queries.
pub(super) fn validate(common: &Common, format: &FormatArguments) -> Result<(), CommandError> {
    setup::logging(common, &Monitor::default());
    let found = setup::configuration(common);
    if format.json {
        print_json(&document(common, &found))?;
        return found.map(drop);
    }
    let (config, queries) = found?;
    warn_of_idle_checks(&config, &queries);
    print(&format!(
        "{}{}: {} stages, {} checks, no mistakes\n",
        skipped(&config.skipped),
        common.config.display(),
        config.stages.len(),
        queries.checks().len()
    ))?;
    Ok(())
}

fn document<'a>(
    common: &Common,
    found: &'a Result<(PipelineConfig, Queries), CommandError>,
) -> ValidateDocument<'a> {
    let mut document = ValidateDocument {
        config: common.config.display().to_string(),
        stages: Vec::new(),
        checks: Vec::new(),
        skipped: BTreeMap::new(),
        issues: Vec::new(),
    };
    match found {
        Ok((config, queries)) => {
            document.stages = config.stages.keys().map(String::as_str).collect();
            document.checks = queries
                .checks()
                .iter()
                .map(|check| check.name.as_str())
                .collect();
            let skipped = config.skipped.iter();
            document.skipped = skipped
                .map(|(stage, why)| (stage.as_str(), why.as_str()))
                .collect();
        }
        Err(CommandError::Config(ConfigError::Invalid { issues, .. })) => {
            document.issues = issues.iter().map(IssueDocument::of).collect();
        }
        Err(error) => document.issues.push(IssueDocument {
            path: "",
            message: error.to_string(),
        }),
    }
    document
}

impl<'a> IssueDocument<'a> {
    fn of(issue: &'a Issue) -> Self {
        Self {
            path: &issue.path,
            message: issue.message.clone(),
        }
    }
}

fn warn_of_idle_checks(config: &PipelineConfig, queries: &Queries) {
    for check in queries.checks() {
        if !config.skipped.contains_key(&check.stage) && !config.stages.contains_key(&check.stage) {
            let meant = suggestion(&check.stage, config.stages.keys().map(String::as_str));
            tracing::warn!(
                file = check.file(),
                stage = check.stage,
                meant,
                "check of a stage that is not there: it never runs"
            );
        }
    }
}
