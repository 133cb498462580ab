//! A parameter that is a mapping, or `null`.
//!
//! Invariant: where it is given, each of its keys is checked on its own, and what is left out has its default, also in the
//! fingerprint.

use crate::config::{Issue, check};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::borrow::Cow;

/// A mapping that may be `null`. The configuration takes a parameter whole where its default is `null`, and serde stops at the
/// first mistake in it; so its keys are checked here, and what was found waits for [`Optional::report`].
#[derive(Debug, Clone)]
pub(super) struct Optional<T> {
    given: Option<T>,
    issues: Vec<Issue>,
}

impl<T> Default for Optional<T> {
    fn default() -> Self {
        Self {
            given: None,
            issues: Vec::new(),
        }
    }
}

impl<T> Optional<T> {
    /// What was given, if anything was.
    pub(super) fn as_ref(&self) -> Option<&T> {
        self.given.as_ref()
    }

    /// Reports what is wrong with its keys; `path` is its own.
    pub(super) fn report(&self, path: &str, issues: &mut Vec<Issue>) {
        for issue in &self.issues {
            let dot = if issue.path.is_empty() { "" } else { "." };
            let path = format!("{path}{dot}{}", issue.path);
            issues.push(Issue::new(path, issue.message.clone()));
        }
    }
}

impl<T: JsonSchema> JsonSchema for Optional<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Optional_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<Option<T>>()
    }
}

impl<T: Serialize> Serialize for Optional<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.given.serialize(serializer)
    }
}

impl<'de, T: Serialize + DeserializeOwned + Default> Deserialize<'de> for Optional<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = Value::deserialize(deserializer)?;
        let mut issues = Vec::new();
        let given = (!given.is_null()).then(|| check(&given, "", &mut issues));
        Ok(Self { given, issues })
    }
}
