//! Where a value that is wrong comes from, where that is not the file alone: `--set`, or the environment.

use super::{ConfigError, Issue};
use serde_json::Value;

/// Adds to each mistake the argument or the variables that its value comes from; `text` is that of the file, `arguments` are those of `--set`.
#[must_use]
pub fn with_origins(error: ConfigError, text: &str, arguments: &[String]) -> ConfigError {
    let ConfigError::Invalid { path, issues } = error else {
        return error;
    };
    let tree: Value = serde_saphyr::from_str(text).unwrap_or_default();
    let set: Vec<&str> = arguments
        .iter()
        .filter_map(|argument| Some(argument.split_once('=')?.0))
        .collect();
    let is_told = |issue: &Issue| issue.message.contains("environment variable");
    let told = |issue: Issue| match origin(&issue.path, &tree, &set).filter(|_| !is_told(&issue)) {
        Some(origin) => Issue::new(issue.path, format!("{} ({origin})", issue.message)),
        None => issue,
    };
    ConfigError::Invalid {
        path,
        issues: issues.into_iter().map(told).collect(),
    }
}

fn origin(path: &str, tree: &Value, set: &[&str]) -> Option<String> {
    let is_at = |key: &&&str| {
        let below = path
            .strip_prefix("stages.")
            .and_then(|path| path.strip_prefix(**key));
        let below = path.strip_prefix(**key).or(below);
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    if let Some(key) = set.iter().find(is_at) {
        return Some(format!("from --set {key}=…"));
    }
    let value = path
        .split('.')
        .try_fold(tree, |place, key| place.get(key))?;
    let names = variables(value.as_str()?);
    (!names.is_empty()).then(|| format!("from the environment: {}", names.join(", ")))
}

/// Names of the variables that a text holds.
fn variables(text: &str) -> Vec<&str> {
    let pieces = text.split("${").skip(1);
    let names = pieces.filter_map(|piece| piece.split_once('}'));
    names
        .map(|(body, _)| body.split_once(":-").map_or(body, |(name, _)| name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(path: &str, arguments: &[&str]) -> String {
        let text = "dump_date: ${DATE:-}\nseed: 1\nsource: {root: '${A:-x}/${B}'}\nstages: {a: {params: {b: 1}}}\n";
        let arguments: Vec<String> = arguments.iter().map(|text| (*text).to_owned()).collect();
        let error = ConfigError::Invalid {
            path: "p.yaml".to_owned(),
            issues: vec![Issue::new(path, "wrong")],
        };
        with_origins(error, text, &arguments).to_string()
    }

    #[test]
    fn a_variable_or_an_argument_is_named() {
        assert!(told("dump_date", &[]).ends_with("dump_date: wrong (from the environment: DATE)"));
        assert!(told("source.root", &[]).ends_with("wrong (from the environment: A, B)"));
        assert!(told("dump_date", &["dump_date=x"]).ends_with("wrong (from --set dump_date=…)"));
        assert!(
            told("stages.a.params.b", &["a.params.b=2"])
                .ends_with("wrong (from --set a.params.b=…)")
        );
        assert!(told("stages.a.params.b[1].c", &["stages.a.params=2"]).ends_with("params=…)"));
    }

    #[test]
    fn what_stands_in_the_file_has_no_other_origin() {
        assert!(told("seed", &["se=1", "seeds=2"]).ends_with("seed: wrong"));
        assert!(told("nowhere.at.all", &[]).ends_with("wrong"));
    }
}
