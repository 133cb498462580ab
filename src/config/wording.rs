//! What serde says of a value of the wrong type, in the words of the file instead of those of Rust.

use crate::suggest::suggestion;

/// Says what was expected and what was found.
pub(super) fn plain(message: &str) -> String {
    if let Some(rest) = message.strip_prefix("unknown variant `") {
        return unknown_name(rest).unwrap_or_else(|| message.to_owned());
    }
    let rest = ["invalid type: ", "invalid value: ", "invalid length "]
        .iter()
        .find_map(|prefix| message.strip_prefix(prefix));
    match rest.and_then(|rest| rest.rsplit_once(", expected ")) {
        Some((found, expected)) => {
            format!("expected {}, found {}", type_of(expected), value_of(found))
        }
        None => message.to_owned(),
    }
}

/// From what follows `unknown variant` and a quote: the name, what was meant, or which names there are.
fn unknown_name(rest: &str) -> Option<String> {
    let (name, rest) = rest.split_once('`')?;
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    Some(match suggestion(name, known.iter().copied()) {
        Some(meant) => format!("unknown value {name:?}; did you mean {meant:?}?"),
        None => format!("unknown value {name:?}; known: {}", known.join(", ")),
    })
}

fn type_of(expected: &str) -> &str {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u32" => "a whole number from 0 to 4294967295",
        "u16" | "u64" | "usize" => "a whole number from 0",
        "i64" | "isize" | "i32" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "a mapping",
        "string or map" => "a name",
        other if other.starts_with("struct ") => "a mapping",
        other => other,
    }
}

fn value_of(found: &str) -> String {
    let kinds = [
        ("string ", "the text "),
        ("floating point ", ""),
        ("integer ", ""),
        ("boolean ", ""),
    ];
    for (kind, said) in kinds {
        if let Some(value) = found.strip_prefix(kind) {
            return format!("{said}{}", value.trim_matches('`'));
        }
    }
    match found {
        "null" | "unit value" | "Option value" => "nothing".to_owned(),
        "sequence" => "a list".to_owned(),
        "map" => "a mapping".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    fn said<T: DeserializeOwned>(value: Value) -> String {
        let error = serde_json::from_value::<T>(value).err().unwrap();
        plain(&error.to_string())
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Language {
        French,
        Dutch,
    }

    #[derive(Debug, Deserialize)]
    struct Stopping {
        #[expect(dead_code, reason = "only what keeps it from being read is looked at")]
        patience: u32,
    }

    #[test]
    fn types_are_those_of_the_file() {
        let number = "expected a whole number from 0, found ";
        assert_eq!(
            said::<u64>(json!("many")),
            format!("{number}the text \"many\"")
        );
        assert_eq!(said::<usize>(json!(1.5)), format!("{number}1.5"));
        assert_eq!(said::<u64>(json!(-1)), format!("{number}-1"));
        assert_eq!(said::<usize>(json!(null)), format!("{number}nothing"));
        assert_eq!(
            said::<bool>(json!("yes")),
            "expected true or false, found the text \"yes\""
        );
        assert_eq!(said::<f64>(json!(true)), "expected a number, found true");
        assert_eq!(
            said::<String>(json!({})),
            "expected a string, found a mapping"
        );
        assert_eq!(
            said::<Vec<String>>(json!("a")),
            "expected a list, found the text \"a\""
        );
        assert_eq!(said::<Stopping>(json!(3)), "expected a mapping, found 3");
    }

    #[test]
    fn names_are_guessed_or_listed() {
        assert!(matches!(
            serde_json::from_value(json!("dutch")),
            Ok(Language::Dutch)
        ));
        assert!(matches!(
            serde_json::from_value(json!("french")),
            Ok(Language::French)
        ));
        let guess = "unknown value \"frnech\"; did you mean \"french\"?";
        assert_eq!(said::<Language>(json!("frnech")), guess);
        assert_eq!(
            said::<Language>(json!("x")),
            "unknown value \"x\"; known: french, dutch"
        );
    }

    #[test]
    fn other_messages_stay_as_they_are() {
        assert_eq!(plain("must be two lengths"), "must be two lengths");
    }
}
