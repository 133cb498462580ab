//! `${NAME}` and `${NAME:-default}` in the strings of a configuration.
//!
//! Values, not text: what a variable holds can never change the structure of the file.

use super::Issue;
use serde_json::Value;

/// Looks an environment variable up.
pub(super) type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Fills in every string of a tree.
pub(super) fn interpolate(
    value: &mut Value,
    path: &str,
    lookup: Lookup<'_>,
    issues: &mut Vec<Issue>,
) {
    match value {
        Value::String(text) if text.contains("${") => match expand(text, lookup) {
            Ok(expanded) => *text = expanded,
            Err(message) => issues.push(Issue::new(path, message)),
        },
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                interpolate(item, &format!("{path}[{index}]"), lookup, issues);
            }
        }
        Value::Object(map) => {
            for (key, item) in map.iter_mut() {
                let below = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                interpolate(item, &below, lookup, issues);
            }
        }
        _ => {}
    }
}

fn expand(text: &str, lookup: Lookup<'_>) -> Result<String, String> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        expanded.push_str(&rest[..start]);
        let body = &rest[start + 2..];
        let end = body.find('}').ok_or("`${` without `}`")?;
        let (name, default) = match body[..end].split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (&body[..end], None),
        };
        // As in a shell, `:-` also stands in for a variable that is set but empty.
        let value = lookup(name).filter(|value| !(value.is_empty() && default.is_some()));
        match value.as_deref().or(default) {
            Some(value) => expanded.push_str(value),
            None => return Err(format!("environment variable {name} is not set")),
        }
        rest = &body[end + 1..];
    }
    expanded.push_str(rest);
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "SET" => Some("value".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    #[test]
    fn variables_and_defaults() {
        assert_eq!(
            expand("a-${SET}-${NO:-b}-${EMPTY:-c}", &lookup).unwrap(),
            "a-value-b-c"
        );
        assert_eq!(expand("${EMPTY}", &lookup).unwrap(), "");
        assert_eq!(expand("${NO:-}", &lookup).unwrap(), "");
    }

    #[test]
    fn mistakes_name_the_variable() {
        assert!(
            expand("${NO}", &lookup)
                .unwrap_err()
                .contains("NO is not set")
        );
        assert!(expand("${SET", &lookup).is_err());
    }

    #[test]
    fn every_string_of_a_tree() {
        let mut tree = serde_json::json!({"a": ["${SET}"], "b": {"c": "${NO}"}});
        let mut issues = Vec::new();
        interpolate(&mut tree, "", &lookup, &mut issues);
        assert_eq!(tree["a"][0], "value");
        assert_eq!(issues[0].path, "b.c");
    }
}
