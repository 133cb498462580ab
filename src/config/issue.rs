//! Mistakes in a configuration.

use std::fmt;
use thiserror::Error;

/// One mistake, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Issue {
    /// Dotted key path, such as `stages.clean_text.params.max_words`.
    pub path: String,
    /// What is wrong, as a lower-case fragment.
    pub message: String,
}

impl Issue {
    /// Makes an issue.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Issue {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return formatter.write_str(&self.message);
        }
        write!(formatter, "{}: {}", self.path, self.message)
    }
}

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The text is no YAML.
    #[error("{path} is not YAML: {message}")]
    Yaml {
        /// The file.
        path: String,
        /// Where and why.
        message: String,
    },
    /// A `--set` argument cannot be used.
    #[error("--set {argument:?}: {message}")]
    Set {
        /// The argument.
        argument: String,
        /// What is wrong with it.
        message: String,
    },
    /// The configuration has mistakes: all of them.
    #[error("{path} has {}:\n{}", count(issues.len()), list(issues))]
    Invalid {
        /// The file.
        path: String,
        /// The mistakes in the order of their key paths.
        issues: Vec<Issue>,
    },
}

fn count(issues: usize) -> String {
    if issues == 1 {
        "a mistake".to_owned()
    } else {
        format!("{issues} mistakes")
    }
}

fn list(issues: &[Issue]) -> String {
    issues
        .iter()
        .map(|issue| format!("  {issue}"))
        .collect::<Vec<_>>()
        .join("\n")
}
