//! Judges JSON by a JSON Schema of draft 7, as far as the schema of the configuration goes.
//!
//! It knows few words and panics at any other, so that none is passed over in silence. (The libraries that know all of them would have the tests
//! compile most dependencies anew, with other features.) `make check-schema` asks the reference library of Python the same.

use regex::Regex;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Words that say nothing of values.
const NOTES: [&str; 8] = [
    "$schema",
    "default",
    "definitions",
    "description",
    "enumDescriptions",
    "if",
    "patternErrorMessage",
    "title",
];

/// Everything that is wrong with a value, each with its place.
pub fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    Judgement { root: schema }.judge(schema, value, "", &mut found);
    found
}

struct Judgement<'a> {
    root: &'a Value,
}

impl Judgement<'_> {
    fn judge(&self, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
        let words = match schema {
            Value::Bool(true) => return,
            Value::Object(words) => words,
            _ => return found.push(format!("{place}: nothing may stand here")),
        };
        for (word, said) in words {
            let holds = self.holds(words, word, said, value, place, found);
            if !holds {
                found.push(format!("{place}: {value} is against {word} {said}"));
            }
        }
    }

    /// Whether a word of the schema holds; what is wrong further down goes to `found`.
    fn holds(
        &self,
        words: &Map<String, Value>,
        word: &str,
        said: &Value,
        value: &Value,
        place: &str,
        found: &mut Vec<String>,
    ) -> bool {
        let limit = || said.as_f64().unwrap();
        let number = value.as_f64();
        let (text, list, map) = (value.as_str(), value.as_array(), value.as_object());
        let size = |length: usize| length as f64;
        match word {
            "type" => types(said).iter().any(|name| is_of(value, name)),
            "enum" => said.as_array().unwrap().contains(value),
            "const" => said == value,
            "minimum" => number.is_none_or(|number| number >= limit()),
            "maximum" => number.is_none_or(|number| number <= limit()),
            "exclusiveMinimum" => number.is_none_or(|number| number > limit()),
            "exclusiveMaximum" => number.is_none_or(|number| number < limit()),
            "minLength" => text.is_none_or(|text| size(text.chars().count()) >= limit()),
            "pattern" => {
                let pattern = said.as_str().unwrap();
                text.is_none_or(|text| pattern_of(pattern).is_match(text))
            }
            "minItems" => list.is_none_or(|list| size(list.len()) >= limit()),
            "maxItems" => list.is_none_or(|list| size(list.len()) <= limit()),
            "minProperties" => map.is_none_or(|map| size(map.len()) >= limit()),
            "required" => map.is_none_or(|map| {
                let mut names = said.as_array().unwrap().iter();
                names.all(|name| map.contains_key(name.as_str().unwrap()))
            }),
            "allOf" => {
                for choice in said.as_array().unwrap() {
                    self.judge(choice, value, place, found);
                }
                true
            }
            "anyOf" => said
                .as_array()
                .unwrap()
                .iter()
                .any(|choice| self.takes(choice, value)),
            "not" => !self.takes(said, value),
            "then" => {
                if self.takes(&words["if"], value) {
                    self.judge(said, value, place, found);
                }
                true
            }
            "$ref" => {
                let target = said.as_str().unwrap().strip_prefix('#').unwrap();
                self.judge(self.root.pointer(target).unwrap(), value, place, found);
                true
            }
            "items" => {
                for (index, item) in list.into_iter().flatten().enumerate() {
                    // One schema for all, or one for each place.
                    let of_item = said.as_array().map_or(Some(said), |each| each.get(index));
                    if let Some(schema) = of_item {
                        self.judge(schema, item, &format!("{place}/{index}"), found);
                    }
                }
                true
            }
            "properties" => {
                for (key, item) in map.into_iter().flatten() {
                    if let Some(schema) = said.get(key) {
                        self.judge(schema, item, &format!("{place}/{key}"), found);
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = words.get("properties");
                for (key, item) in map.into_iter().flatten() {
                    if known.and_then(|known| known.get(key)).is_none() {
                        self.judge(said, item, &format!("{place}/{key}"), found);
                    }
                }
                true
            }
            "propertyNames" => {
                for key in map.into_iter().flatten().map(|(key, _)| key) {
                    self.judge(
                        said,
                        &Value::String(key.clone()),
                        &format!("{place}/{key}"),
                        found,
                    );
                }
                true
            }
            _ => {
                assert!(NOTES.contains(&word), "{word:?} is not known here");
                true
            }
        }
    }

    fn takes(&self, schema: &Value, value: &Value) -> bool {
        let mut found = Vec::new();
        self.judge(schema, value, "", &mut found);
        found.is_empty()
    }
}

/// A pattern, which takes longer to read than to apply.
fn pattern_of(text: &str) -> Regex {
    static KNOWN: Mutex<BTreeMap<String, Regex>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let read = || Regex::new(text).unwrap();
    known.entry(text.to_owned()).or_insert_with(read).clone()
}

fn types(said: &Value) -> Vec<&str> {
    let several = said
        .as_array()
        .map(|names| names.iter().filter_map(Value::as_str).collect());
    several.unwrap_or_else(|| vec![said.as_str().unwrap()])
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => panic!("there is no type {name:?}"),
    }
}

/// Cases of the test suite of JSON Schema for the words that are known here.
#[test]
fn each_word_is_understood() {
    use serde_json::json;
    let definitions = json!({ "definitions": { "x": { "type": "null" } }, "properties": { "a": { "$ref": "#/definitions/x" } } });
    let branches = json!({ "if": { "exclusiveMaximum": 0 }, "then": { "minimum": -10 } });
    let closed = json!({ "properties": { "a": true, "b": { "type": "integer" } }, "additionalProperties": false });
    for (schema, taken, refused) in [
        (json!({ "type": "integer" }), json!(1), json!(1.5)),
        (json!({ "type": ["array", "null"] }), json!([]), json!({})),
        (json!({ "enum": ["a", null] }), json!(null), json!("b")),
        (json!({ "const": 2 }), json!(2), json!("2")),
        (json!({ "minimum": 1.1 }), json!("text"), json!(1)),
        (json!({ "maximum": 3 }), json!(3), json!(3.5)),
        (json!({ "exclusiveMinimum": 1 }), json!(1.01), json!(1)),
        (json!({ "exclusiveMaximum": 3 }), json!(2), json!(3)),
        (json!({ "minLength": 2 }), json!("éé"), json!("é")),
        (json!({ "pattern": "^a*$" }), json!(7), json!("abc")),
        (
            json!({ "minItems": 1, "maxItems": 2 }),
            json!([1]),
            json!([1, 2, 3]),
        ),
        (json!({ "minProperties": 1 }), json!({ "a": 1 }), json!({})),
        (json!({ "required": ["a"] }), json!([]), json!({ "b": 1 })),
        (
            json!({ "allOf": [{ "minimum": 1 }, { "maximum": 2 }] }),
            json!(2),
            json!(3),
        ),
        (
            json!({ "anyOf": [{ "minimum": 5 }, { "type": "null" }] }),
            json!(null),
            json!(3),
        ),
        (json!({ "not": { "type": "string" } }), json!(1), json!("a")),
        (branches.clone(), json!(5), json!(-11)),
        (branches, json!(-1), json!(-100)),
        (definitions, json!({ "a": null }), json!({ "a": 1 })),
        (
            json!({ "items": { "type": "integer" } }),
            json!([1]),
            json!(["a"]),
        ),
        (
            json!({ "items": [{ "type": "integer" }] }),
            json!([1, "a"]),
            json!(["a"]),
        ),
        (closed.clone(), json!({ "a": 1, "b": 2 }), json!({ "c": 1 })),
        (closed, json!({}), json!({ "b": "x" })),
        (
            json!({ "additionalProperties": { "type": "null" } }),
            json!({ "a": null }),
            json!({ "a": 1 }),
        ),
        (
            json!({ "propertyNames": { "pattern": "^a" } }),
            json!({ "ab": 1 }),
            json!({ "b": 1 }),
        ),
    ] {
        assert!(faults(&schema, &taken).is_empty(), "{schema}: {taken}");
        assert!(!faults(&schema, &refused).is_empty(), "{schema}: {refused}");
    }
}

#[test]
#[should_panic(expected = "\"oneOf\" is not known here")]
fn a_word_that_is_not_known_is_not_passed_over() {
    faults(&serde_json::json!({ "oneOf": [] }), &Value::Null);
}
