//! The text of a configuration as a tree of values, before anything is known of its meaning.

use super::resolved::top_level_keys;
use super::{ConfigError, Issue, interpolate};
use crate::suggest::suggestion;
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
        message: describe(&error, path),
    })?;
    if tree.is_null() {
        tree = Value::Object(Map::new());
    }
    let mut issues = Vec::new();
    interpolate::interpolate(&mut tree, "", lookup, &mut issues);
    Ok((tree, issues))
}

/// What is wrong with a text, with the lines around it.
fn describe(error: &serde_saphyr::Error, name: &str) -> String {
    let options = serde_saphyr::render_options! {
        formatter: &serde_saphyr::UserMessageFormatter,
        source_name: Some(name),
    };
    let text = error.render_with_options(options);
    text.trim_start_matches("error: ").to_owned()
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
        serde_saphyr::from_str(text).map_err(|error| {
            let message = describe(error.without_snippet(), argument);
            refuse(format!("the value is not YAML: {message}"))
        })?
    };
    let mut keys: Vec<&str> = path.split('.').collect();
    let is_stage = |name: &str| {
        tree.get("stages")
            .and_then(|stages| stages.get(name))
            .is_some()
    };
    if tree.get(keys[0]).is_none() && is_stage(keys[0]) {
        keys.insert(0, "stages");
    } else if let Some(hint) = neither_key_nor_stage(tree, keys[0]) {
        return Err(refuse(hint));
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

/// What to say of a name that the file cannot have at its top; `None` where it can.
fn neither_key_nor_stage(tree: &Value, name: &str) -> Option<String> {
    let keys = top_level_keys();
    if keys.iter().any(|key| key == name) || tree.get(name).is_some() {
        return None;
    }
    let stages = tree.get("stages").and_then(Value::as_object);
    let stages = stages.into_iter().flat_map(|stages| stages.keys());
    let known = keys.iter().chain(stages).map(String::as_str);
    let hint = suggestion(name, known).map(|meant| format!("; did you mean {meant:?}?"));
    let hint = hint.unwrap_or_default();
    Some(format!(
        "{name:?} is neither a key of the file nor a stage{hint}"
    ))
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
        let mut tree = serde_json::json!({"stages": {"clean_text": {}}});
        let refused = |argument: &str| {
            set_value(&mut tree.clone(), argument)
                .unwrap_err()
                .to_string()
        };
        assert!(refused("clean_txt.params.max_words=3").contains("did you mean \"clean_text\"?"));
        assert!(refused("sead=3").contains("did you mean \"seed\"?"));
        assert!(
            refused("max_words=3")
                .ends_with("\"max_words\" is neither a key of the file nor a stage")
        );
        set_value(&mut tree, "sql=other").unwrap();
        assert_eq!(tree["sql"], "other");
    }

    #[test]
    fn yaml_errors_say_where() {
        let error = parse("a: [1,\nb: }", "p.yaml", &|_| None).unwrap_err();
        assert!(error.to_string().contains("line"), "{error}");
    }
}
