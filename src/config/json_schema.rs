//! The JSON Schema of `pipeline.yaml`, for editors.
//!
//! Derived from the types that read the file, so that it knows the same keys with the same defaults. Draft 7, which is what the
//! YAML language server knows best; nothing in it refers to anything outside.
//!
//! *Invariant*: what the program takes the schema takes. It may take more: what only all of a file together can tell, such as a need
//! of the wrong kind, is found by `rayonnage validate`.

use super::resolved::RawPipeline;
use super::weights::WeightsConfig;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// What an editor has to know of a kind of stage.
#[derive(Debug, Clone)]
pub struct KindSchema {
    name: &'static str,
    summary: &'static str,
    params: Value,
}

impl KindSchema {
    /// Describes a kind by its name, a sentence, and the type of its parameters.
    #[must_use]
    pub fn of<P: JsonSchema>(name: &'static str, summary: &'static str) -> Self {
        Self {
            name,
            summary,
            params: schema_of::<P>(),
        }
    }
}

/// The JSON Schema of a configuration with stages of these kinds.
#[must_use]
pub fn json_schema(kinds: &[KindSchema]) -> Value {
    let mut schema = schema_of::<RawPipeline>();
    let of_weights = json!({ "$ref": "#/definitions/weights" });
    let of_stages = json!({ "$ref": "#/definitions/stage" });
    let keys = &mut schema["properties"];
    keys["weights"]["type"] = json!(["object", "null"]);
    keys["weights"]["additionalProperties"] = of_weights;
    keys["stages"]["type"] = json!("object");
    keys["stages"]["minProperties"] = json!(1);
    keys["stages"]["propertyNames"] = json!({ "pattern": "^[a-z][a-z0-9_]*$" });
    keys["stages"]["additionalProperties"] = of_stages;
    for key in ["weights", "stages"] {
        // What their defaults are stands in no file.
        without(&mut keys[key], "default");
    }
    let description = "The configuration of rayonnage: pipeline.yaml.";
    let mut document = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "rayonnage",
        "description": description,
    });
    let definitions = json!({ "stage": stage(kinds), "weights": schema_of::<WeightsConfig>() });
    if let (Some(document), Value::Object(schema)) = (document.as_object_mut(), schema) {
        let rest = schema.into_iter().filter(|(key, _)| key != "description");
        document.extend(rest);
        document.insert("definitions".to_owned(), definitions);
    }
    finish(&mut document);
    document
}

/// The schema of one stage: its kind decides which parameters it takes.
fn stage(kinds: &[KindSchema]) -> Value {
    let names: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
    let summaries: Vec<&str> = kinds.iter().map(|kind| kind.summary).collect();
    let of_kind = kinds.iter().map(|kind| {
        let mut params = kind.params.clone();
        if is_optional(&params) {
            params["type"] = json!(["object", "null"]);
        }
        let then = json!({ "properties": { "params": params } });
        let needs_params = if is_optional(&kind.params) {
            json!([])
        } else {
            json!(["params"])
        };
        json!({
            "if": { "properties": { "kind": { "const": kind.name } }, "required": ["kind"] },
            "then": { "required": needs_params, "properties": then["properties"] },
        })
    });
    let of_kind: Vec<Value> = of_kind.collect();
    let names_of = |description: &str| {
        json!({
            "description": description,
            "type": ["array", "null"],
            "items": { "type": "string" },
            "default": [],
        })
    };
    json!({
        "description": "A stage: its kind, the stages that it needs, and its parameters.",
        "type": "object",
        "properties": {
            "kind": {
                "description": "What the stage does.",
                "enum": names,
                "enumDescriptions": summaries,
                "x-required": true,
            },
            "needs": names_of("The stages that it reads, each whole or one dataset of it: `clean_text.labelled`."),
            "params": { "description": "Parameters; which ones depends on the kind." },
            "profiles": names_of("The profiles that it is for; none for all of them."),
        },
        "allOf": of_kind,
    })
}

/// Whether parameters may be left out as a whole.
fn is_optional(params: &Value) -> bool {
    let keys = params["properties"].as_object();
    let mut keys = keys.into_iter().flatten();
    !keys.any(|(_, key)| key.get(REQUIRED).is_some())
}

/// The schema of a type as it is, everything in place.
fn schema_of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.remove("title");
    schema.to_value()
}

/// Marks a key that must be there, until [`finish`] has said so above it.
const REQUIRED: &str = "x-required";

/// A text that the environment fills in.
const VARIABLE: &str = r"\$\{";

/// Brings a derived schema into the shape that editors read best, from its root down.
fn finish(schema: &mut Value) {
    let Value::Object(map) = schema else {
        if let Value::Array(items) = schema {
            items.iter_mut().for_each(finish);
        }
        return;
    };
    if let Some(Value::String(text)) = map.get_mut("description") {
        *text = first_paragraph(text);
    }
    bound_by_format(map);
    merge_names(map);
    hand_defaults_down(map);
    close(map);
    order(map);
    let is_condition = |key: &str| key == "if" || key == "default" || key == "enum";
    for (key, below) in map.iter_mut() {
        if key == "properties" {
            // These are names of keys, not words of the schema.
            let keys = below.as_object_mut().into_iter().flatten();
            keys.for_each(|(_, key)| {
                finish(key);
                take_variables(key);
            });
        } else if !is_condition(key) {
            finish(below);
        }
    }
}

/// The first paragraph of a doc comment as one line, references of Rust as their text.
fn first_paragraph(text: &str) -> String {
    let lines = text.lines().take_while(|line| !line.trim().is_empty());
    let line = lines.map(str::trim).collect::<Vec<_>>().join(" ");
    let mut plain = String::new();
    let mut rest = line.as_str();
    while let Some((before, after)) = rest.split_once("[`") {
        plain.push_str(before);
        let (name, after) = after.split_once("`]").unwrap_or((after, ""));
        plain.extend(["`", name, "`"]);
        // The target of a link, where it is not its text.
        let target = after
            .strip_prefix('(')
            .and_then(|after| after.split_once(')'));
        rest = target.map_or(after, |(_, after)| after);
    }
    plain + rest
}

/// Widths of numbers of Rust as bounds; defaults in single precision as they were written.
fn bound_by_format(map: &mut Map<String, Value>) {
    let Some(Value::String(format)) = map.remove("format") else {
        return;
    };
    let most = match format.as_str() {
        "uint8" => Some(u64::from(u8::MAX)),
        "uint32" => Some(u64::from(u32::MAX)),
        _ => None,
    };
    if let Some(most) = most {
        map.entry("maximum").or_insert(json!(most));
    }
    if let (Some(Value::Number(number)), "float") = (map.get("default"), format.as_str())
        && let Ok(number) = (number.as_f64().unwrap_or_default() as f32)
            .to_string()
            .parse::<f64>()
    {
        map.insert("default".to_owned(), json!(number));
    }
}

/// A choice among single names, each with a description, as one list of names: editors offer these, and say which there are.
fn merge_names(map: &mut Map<String, Value>) {
    let Some(Value::Array(choices)) = map.get("oneOf") else {
        return;
    };
    let names: Option<Vec<Value>> = choices
        .iter()
        .map(|choice| choice.get("const").cloned())
        .collect();
    let docs = choices
        .iter()
        .map(|choice| choice["description"].as_str().unwrap_or_default());
    let docs: Vec<String> = docs.map(first_paragraph).collect();
    if let Some(names) = names {
        map.remove("oneOf");
        map.insert("type".to_owned(), json!("string"));
        map.insert("enum".to_owned(), Value::Array(names));
        map.insert("enumDescriptions".to_owned(), json!(docs));
    }
}

/// The default of a mapping as the defaults of its keys: one that is given has those of the keys that it lacks.
fn hand_defaults_down(map: &mut Map<String, Value>) {
    let Some(Value::Object(keys)) = map.get("properties") else {
        return;
    };
    let mut keys = keys.clone();
    let Some(Value::Object(defaults)) = map.get("default").cloned() else {
        return;
    };
    for (key, default) in defaults {
        if let Some(Value::Object(key)) = keys.get_mut(&key) {
            key.entry("default").or_insert(default);
        }
    }
    map.remove("default");
    map.insert("properties".to_owned(), Value::Object(keys));
}

/// Says which keys of a mapping must be there, and that there are no others.
fn close(map: &mut Map<String, Value>) {
    let Some(Value::Object(keys)) = map.get_mut("properties") else {
        return;
    };
    let mut required = Vec::new();
    for (name, key) in keys.iter_mut() {
        if without(key, REQUIRED) {
            // A default that is refused is none; that of a mapping is for its keys.
            if !key["default"].is_object() {
                without(key, "default");
            }
            required.push(name.clone());
        }
    }
    let is_whole = map.contains_key("type");
    let knows_all = !map.contains_key("allOf") || map["properties"].get("kind").is_some();
    if is_whole {
        map.remove("required");
        if !required.is_empty() {
            map.insert("required".to_owned(), json!(required));
        }
        if knows_all {
            map.insert("additionalProperties".to_owned(), Value::Bool(false));
        }
    }
}

/// Puts what people look for first.
fn order(map: &mut Map<String, Value>) {
    const FIRST: [&str; 5] = ["$schema", "title", "description", "type", "default"];
    let place = |key: &str| {
        FIRST
            .iter()
            .position(|first| *first == key)
            .unwrap_or(FIRST.len())
    };
    let mut words: Vec<(String, Value)> = std::mem::take(map).into_iter().collect();
    words.sort_by_key(|(key, _)| place(key));
    map.extend(words);
}

/// Lets `${NAME}` stand where a number, a truth value, one of some names or a text of a pattern is expected.
fn take_variables(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else {
        return;
    };
    if map.contains_key("enum") || map.contains_key("anyOf") {
        let mut described = Map::new();
        for word in ["description", "default"] {
            described.extend(map.remove(word).map(|value| (word.to_owned(), value)));
        }
        let names = Value::Object(std::mem::take(map));
        let choices = match names {
            Value::Object(mut names) if names.contains_key("anyOf") => {
                names.remove("anyOf").unwrap_or_default()
            }
            names => json!([names]),
        };
        let mut choices = choices.as_array().cloned().unwrap_or_default();
        choices.push(json!({ "type": "string", "pattern": VARIABLE }));
        described.insert("anyOf".to_owned(), Value::Array(choices));
        *map = described;
        return;
    }
    if let Some(Value::String(pattern)) = map.get_mut("pattern") {
        *pattern = format!("{pattern}|{VARIABLE}");
        return;
    }
    let given = match map.get("type") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(several)) => several
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => return,
    };
    let is_scalar = |name: &String| ["integer", "number", "boolean"].contains(&name.as_str());
    if given.iter().any(is_scalar) && !given.contains(&"string".to_owned()) {
        let said = format!(
            "expected {} or a variable, such as ${{NAME:-default}}",
            given.join(" or ")
        );
        map.insert("patternErrorMessage".to_owned(), json!(said));
        let with_text: Vec<String> = given.into_iter().chain(["string".to_owned()]).collect();
        map.insert("type".to_owned(), json!(with_text));
        map.insert("pattern".to_owned(), json!(VARIABLE));
    }
}

/// Takes a word out of a schema; returns whether it was there.
fn without(schema: &mut Value, word: &str) -> bool {
    schema
        .as_object_mut()
        .is_some_and(|map| map.remove(word).is_some())
}
