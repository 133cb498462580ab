//! The text of a configuration as a tree of values, before anything is known of its meaning.

use super::{ConfigError, Issue, interpolate};
use serde_json::{Map, Value};

/// Parses YAML and fills in the environment; returns the tree and what could not be filled in.
///
/// # Errors
///
/// [`ConfigError::Yaml`] with line and column.
pub fn parse(
    text: &str,
    path: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<(Value, Vec<Issue>), ConfigError> {
    let mut tree: Value = serde_saphyr::from_str(text).map_err(|error| ConfigError::Yaml {
        path: path.to_owned(),
        message: error.to_string(),
    })?;
    if tree.is_null() {
        tree = Value::Object(Map::new());
    }
    let mut issues = Vec::new();
    interpolate::interpolate(&mut tree, "", lookup, &mut issues);
    Ok((tree, issues))
}

/// Sets one value by `key.path=value`; the value is YAML. A path that begins with the name of a stage
/// may leave out `stages.`.
///
/// # Errors
///
/// [`ConfigError::Set`] for an argument without `=`, a value that is no YAML, or a path through
/// something that is not a mapping.
pub fn set_value(tree: &mut Value, argument: &str) -> Result<(), ConfigError> {
    let refuse = |message: String| ConfigError::Set {
        argument: argument.to_owned(),
        message,
    };
    let (path, text) = argument
        .split_once('=')
        .ok_or_else(|| refuse("expected key.path=value".to_owned()))?;
    let value: Value = if text.is_empty() {
        Value::String(String::new())
    } else {
        serde_saphyr::from_str(text).map_err(|error| refuse(error.to_string()))?
    };
    let mut keys: Vec<&str> = path.split('.').collect();
    let is_stage = |name: &str| {
        tree.get("stages")
            .and_then(|stages| stages.get(name))
            .is_some()
    };
    if tree.get(keys[0]).is_none() && is_stage(keys[0]) {
        keys.insert(0, "stages");
    }
    let mut place = tree;
    for key in keys {
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        let map = place
            .as_object_mut()
            .ok_or_else(|| refuse(format!("{key:?} is not inside a mapping")))?;
        place = map.entry(key).or_insert(Value::Null);
    }
    *place = value;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_reaches_stages_by_their_name() {
        let mut tree =
            serde_json::json!({"seed": 1, "stages": {"clean_text": {"kind": "clean_text"}}});
        set_value(&mut tree, "clean_text.params.max_words=300").unwrap();
        set_value(&mut tree, "seed=7").unwrap();
        assert_eq!(tree["stages"]["clean_text"]["params"]["max_words"], 300);
        assert_eq!(tree["seed"], 7);
    }

    #[test]
    fn set_refuses_what_it_cannot_place() {
        let mut tree = serde_json::json!({"seed": 1});
        assert!(set_value(&mut tree, "seed").is_err());
        assert!(set_value(&mut tree, "seed.x=1").is_err());
    }

    #[test]
    fn yaml_errors_say_where() {
        let error = parse("a: [1,\nb: }", "p.yaml", &|_| None).unwrap_err();
        assert!(error.to_string().contains("line"), "{error}");
    }
}
