//! Checks a tree of values against a type with defaults, key by key.
//!
//! Each key is tried on its own in the tree of defaults, so that every mistake is found in one
//! go, each with its own path, while the types stay plain serde types.

use super::Issue;
use super::wording::plain;
use crate::suggest::suggestion;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Checks `given` against `T` and returns it with its defaults filled in; where there was a mistake,
/// with the default in its place, so that later checks can go on and find more.
///
/// Keys whose default is a mapping are checked key by key below; those whose default is `null`, a list or a
/// scalar are taken whole.
///
/// # Panics
///
/// For a type whose defaults cannot be serialised, which no test of that type would survive.
#[must_use]
pub fn check<T: Serialize + DeserializeOwned + Default>(
    given: &Value,
    path: &str,
    issues: &mut Vec<Issue>,
) -> T {
    let defaults = serde_json::to_value(T::default()).expect("defaults are plain values");
    let empty = Map::new();
    let given = match given {
        Value::Null => &empty,
        Value::Object(map) => map,
        other => {
            issues.push(Issue::new(
                path,
                format!("expected a mapping, found {}", name_of(other)),
            ));
            return T::default();
        }
    };
    let mut merged = defaults.clone();
    merge::<T>(
        given,
        &defaults,
        &defaults,
        &mut Vec::new(),
        path,
        &mut merged,
        issues,
    );
    serde_json::from_value(merged).unwrap_or_else(|error| {
        issues.push(Issue::new(path, error.to_string()));
        T::default()
    })
}

/// Merges one level of keys; `keys` is the path below the root of `T`.
fn merge<T: DeserializeOwned>(
    given: &Map<String, Value>,
    level: &Value,
    defaults: &Value,
    keys: &mut Vec<String>,
    path: &str,
    merged: &mut Value,
    issues: &mut Vec<Issue>,
) {
    let known: Vec<&str> = level
        .as_object()
        .map(|map| map.keys().map(String::as_str).collect())
        .unwrap_or_default();
    for (key, value) in given {
        keys.push(key.clone());
        let full = format!(
            "{path}{}{}",
            if path.is_empty() { "" } else { "." },
            keys.join(".")
        );
        match level.get(key) {
            None => issues.push(Issue::new(full, unknown_key(key, &known))),
            Some(Value::Object(below)) if !below.is_empty() && !value.is_null() => {
                if let Value::Object(given) = value {
                    let level = Value::Object(below.clone());
                    merge::<T>(given, &level, defaults, keys, path, merged, issues);
                } else if value.is_array() {
                    // Serde would take its items for the values of the keys in order.
                    let message = format!("expected a mapping, found {}", name_of(value));
                    issues.push(Issue::new(full, message));
                } else if let Err(message) = try_leaf::<T>(defaults, keys, value) {
                    issues.push(Issue::new(full, message));
                } else {
                    place(merged, keys, value.clone());
                }
            }
            Some(_) => match typed_leaf::<T>(defaults, keys, value) {
                Ok(value) => place(merged, keys, value),
                Err(message) => issues.push(Issue::new(full, message)),
            },
        }
        keys.pop();
    }
}

/// Environment variables are strings; where a string does not do, takes the number, truth value or `null` that it spells.
fn typed_leaf<T: DeserializeOwned>(
    defaults: &Value,
    keys: &[String],
    value: &Value,
) -> Result<Value, String> {
    let spelt = || match value {
        Value::String(text) => serde_json::from_str::<Value>(text).ok(),
        _ => None,
    };
    match (try_leaf::<T>(defaults, keys, value), spelt()) {
        (Ok(()), _) => Ok(value.clone()),
        (Err(_), Some(typed)) if !typed.is_object() && !typed.is_array() => {
            try_leaf::<T>(defaults, keys, &typed).map(|()| typed)
        }
        (Err(message), _) => Err(message),
    }
}

fn try_leaf<T: DeserializeOwned>(
    defaults: &Value,
    keys: &[String],
    value: &Value,
) -> Result<(), String> {
    let mut tree = defaults.clone();
    place(&mut tree, keys, value.clone());
    serde_json::from_value::<T>(tree)
        .map(drop)
        .map_err(|error| plain(&error.to_string()))
}

fn place(tree: &mut Value, keys: &[String], value: Value) {
    let mut place = tree;
    for key in keys {
        place = &mut place[key.as_str()];
    }
    *place = value;
}

/// Says that a key is not known, and which one was probably meant.
pub(super) fn unknown_key(key: &str, known: &[&str]) -> String {
    match suggestion(key, known.iter().copied()) {
        Some(meant) => format!("unknown key; did you mean {meant:?}?"),
        None if known.is_empty() => "unknown key; there are none here".to_owned(),
        None => format!("unknown key; known here: {}", known.join(", ")),
    }
}

pub(super) fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    struct Params {
        max_words: u32,
        stem: Option<String>,
        most: Option<u32>,
        stopping: Stopping,
    }

    #[derive(Debug, Serialize, Deserialize, PartialEq)]
    struct Stopping {
        patience: u32,
    }

    impl Default for Params {
        fn default() -> Self {
            Self {
                max_words: 500,
                stem: None,
                most: None,
                stopping: Stopping { patience: 5 },
            }
        }
    }

    fn issues_of(given: &Value) -> Vec<String> {
        let mut issues = Vec::new();
        let _ = check::<Params>(given, "stages.x.params", &mut issues);
        issues.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn defaults_are_filled_in() {
        let mut issues = Vec::new();
        let given = serde_json::json!({"stopping": {"patience": 2}, "stem": "french"});
        let params: Params = check(&given, "p", &mut issues);
        assert_eq!(params.max_words, 500);
        assert_eq!(params.stopping.patience, 2);
        assert_eq!(params.stem.as_deref(), Some("french"));
    }

    #[test]
    fn every_mistake_with_its_path() {
        let given = serde_json::json!({"max_wrods": 1, "max_words": "many", "stopping": {"patience": -1, "x": 1}});
        let issues = issues_of(&given);
        assert_eq!(issues.len(), 4, "{issues:?}");
        assert_eq!(
            issues[0],
            "stages.x.params.max_wrods: unknown key; did you mean \"max_words\"?"
        );
        assert!(
            issues[1].starts_with("stages.x.params.max_words: expected a whole number"),
            "{issues:?}"
        );
        assert!(
            issues[2].starts_with("stages.x.params.stopping.patience: "),
            "{issues:?}"
        );
        assert!(
            issues[3].starts_with("stages.x.params.stopping.x: unknown key"),
            "{issues:?}"
        );
    }

    #[test]
    fn a_number_from_the_environment() {
        let mut issues = Vec::new();
        let params: Params = check(&serde_json::json!({"max_words": "12"}), "p", &mut issues);
        assert_eq!(params.max_words, 12);
    }

    #[test]
    fn what_a_string_spells_counts_only_where_a_string_does_not_do() {
        let mut issues = Vec::new();
        let given = serde_json::json!({"stem": "12", "most": "12"});
        let params: Params = check(&given, "p", &mut issues);
        assert_eq!(params.stem.as_deref(), Some("12"));
        assert_eq!(params.most, Some(12));
        let none: Params = check(&serde_json::json!({"most": "null"}), "p", &mut issues);
        assert_eq!(none.most, None);
        assert!(issues.is_empty(), "{issues:?}");
    }

    #[test]
    fn not_a_mapping() {
        assert_eq!(
            issues_of(&serde_json::json!([1])),
            ["stages.x.params: expected a mapping, found a list"]
        );
    }
}
