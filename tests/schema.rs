//! The JSON Schema of the configuration: it takes what the program takes, with the same keys, bounds and names, and refuses the mistakes
//! that an editor can find.

use crate::golden::assert_file;
use crate::space::{TestSpace, options};
use crate::validator::faults;
use rayonnage::config::{ConfigError, json_schema, parse, resolve};
use rayonnage::stages::{check_stages, kind_schemas, kinds};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// The schema, ready to judge.
struct Judge {
    schema: Value,
}

impl Judge {
    fn new() -> Self {
        let schema = json_schema(&kind_schemas());
        Self { schema }
    }

    /// Whether the part of a configuration is taken that a key stands in.
    fn takes_at(&self, path: &[String], tree: &Value) -> bool {
        let part = match path[0].as_str() {
            "stages" if path.len() > 1 => "stage",
            "weights" if path.len() > 1 => "weights",
            _ => return faults(&self.schema, tree).is_empty(),
        };
        let schema = &self.schema["definitions"][part];
        faults(schema, &tree[&path[0]][&path[1]]).is_empty()
    }

    /// What is wrong with a configuration; empty where nothing is.
    fn says(&self, tree: &Value) -> String {
        faults(&self.schema, tree).join("\n")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a configuration as a tree, variables as they are written.
fn tree_of(text: &str) -> Value {
    let (tree, issues) =
        parse(text, "pipeline.yaml", &|name| Some(format!("${{{name}}}"))).unwrap();
    assert!(issues.is_empty(), "{issues:?}");
    tree
}

/// The shipped file with nothing set in the environment.
fn filled() -> Value {
    let (tree, issues) = parse(include_str!("../pipeline.yaml"), "p", &|_| None).unwrap();
    assert!(issues.is_empty(), "{issues:?}");
    tree
}

/// The shipped file, variables as they are written.
fn shipped() -> Value {
    tree_of(include_str!("../pipeline.yaml"))
}

#[test]
fn the_shipped_schema_is_what_the_command_prints() {
    let space = TestSpace::with_sample(&options(20));
    let printed = space.rayonnage(&["schema"]);
    printed.expect(0, &[]);
    assert_file(
        &root().join("scripts/pipeline.schema.json"),
        &printed.stdout,
    );
    let text = include_str!("../pipeline.yaml");
    let line = "# yaml-language-server: $schema=scripts/pipeline.schema.json";
    assert_eq!(text.lines().next(), Some(line));
}

#[test]
fn the_shipped_configuration_is_valid() {
    let judge = Judge::new();
    assert_eq!(judge.says(&shipped()), "");
}

#[test]
fn typical_mistakes_are_refused() {
    let judge = Judge::new();
    let text = include_str!("../pipeline.yaml");
    for (before, after, place) in [
        ("seed: 123  ", "sead: 123  ", "sead"),
        ("seed: 123  ", "seed: many  ", "/seed"),
        ("rows_per_part: 512", "rows_per_part: 0", "/rows_per_part"),
        (
            "single_writer: false",
            "single_writer: maybe",
            "/single_writer",
        ),
        (
            "max_reject_ratio: 0.01",
            "max_reject_ratio: 7",
            "/max_reject_ratio",
        ),
        (
            "dump_date: ${RAYONNAGE_DATE:-}",
            "dump_date: 20.11.2026",
            "/dump_date",
        ),
        ("source:\n", "sources:\n", "sources"),
        (
            "    product_id: productid",
            "    productid: productid",
            "productid",
        ),
        (
            "backbone: vgg16",
            "backbone: vgg19",
            "/weights/vgg16/backbone",
        ),
        (
            "kind: clean_text\n",
            "kind: claen_text\n",
            "/stages/clean_text",
        ),
        ("    kind: clean_text\n", "", "/stages/clean_text"),
        ("  clean_text:\n", "  Clean Text:\n", "Clean Text"),
        ("needs: [translate]", "needs: translate", "/needs"),
        ("strip_html: true", "strip_html: 1", "/strip_html"),
        ("max_words: 500", "max_wrods: 500", "max_wrods"),
        ("stem: french", "stem: frnech", "/stem"),
        ("margin: 0.10", "margin: 0.5", "/margin"),
        ("params: { weights: mobilenet_v2 }", "params: {}", "weights"),
        ("    params: { weights: mobilenet_v2 }\n", "", "params"),
        ("model: linear_svm", "model: linear_svn", "/model"),
        ("      model: neural_simple\n", "", "model"),
        ("trees: 100", "tress: 100", "tress"),
        (
            "      neighbours: 5\n",
            "      neighbours: 5\n      trees: 5\n",
            "trees",
        ),
        ("ngrams: [1, 1]", "ngrams: [1]", "/ngrams"),
        ("- field: text ", "- field: texts ", "/field"),
        ("cv: { folds: 3 }", "cv: { folds: 1 }", "/cv"),
        (
            "cv: { folds: 3 }",
            "cv: { folds: 3, grid: { C: [1] } }",
            "C",
        ),
    ] {
        assert!(text.contains(before), "{before:?} is not in pipeline.yaml");
        let tree = tree_of(&text.replacen(before, after, 1));
        let said = judge.says(&tree);
        assert!(said.contains(place), "{before:?} -> {after:?}: {said}");
        assert!(mistakes(&tree).is_some(), "the program takes {after:?}");
    }
}

#[test]
fn variables_may_stand_for_numbers_and_names() {
    let judge = Judge::new();
    let text = include_str!("../pipeline.yaml");
    for (before, after) in [
        ("seed: 123  ", "seed: ${SEED:-123}  "),
        ("single_writer: false", "single_writer: ${ALONE:-false}"),
        ("max_words: 500", "max_words: ${WORDS:-500}"),
        ("stem: french", "stem: ${STEM:-french}"),
        ("sample: null", "sample: ${SAMPLE:-1000}"),
        ("max_features: sqrt", "max_features: ${COLUMNS:-10}"),
        ("model: linear_svm", "model: ${MODEL:-linear_svm}"),
        ("lang: en", "lang: ${LANG_OF_PAGE:-fr}"),
    ] {
        assert!(text.contains(before), "{before:?} is not in pipeline.yaml");
        let text = text.replacen(before, after, 1);
        assert_eq!(judge.says(&tree_of(&text)), "", "{after}");
        let (filled, issues) = parse(&text, "p", &|_| None).unwrap();
        assert!(issues.is_empty());
        assert_eq!(mistakes(&filled), None, "{after}");
    }
}

/// Key paths and messages of what the program finds wrong.
fn mistakes(tree: &Value) -> Option<Vec<(String, String)>> {
    let issues = match resolve(tree, "pipeline.yaml", &kinds(), Vec::new()) {
        Ok(config) => check_stages(&config),
        Err(ConfigError::Invalid { issues, .. }) => issues,
        Err(error) => panic!("{error}"),
    };
    let issues = issues.into_iter();
    let issues: Vec<_> = issues.map(|issue| (issue.path, issue.message)).collect();
    (!issues.is_empty()).then_some(issues)
}

/// A key of the schema: where it stands in a configuration, and what is said of it.
struct Key {
    path: Vec<String>,
    schema: Value,
}

/// Every key of a schema of a mapping, and of those in it.
fn keys_of(schema: &Value, path: &[String], found: &mut Vec<Key>) {
    for (name, key) in schema["properties"].as_object().into_iter().flatten() {
        let path = [path, std::slice::from_ref(name)].concat();
        if key.is_object() && name != "grid" {
            keys_of(key, &path, found);
            let schema = key.clone();
            found.push(Key { path, schema });
        }
    }
}

/// Stages of the shipped file, one of each kind and model, with the schema of their parameters.
fn params_by_stage(schema: &Value, shipped: &Value) -> Vec<(String, Value)> {
    let then = |choices: &Value, key: &str, name: &Value| {
        let choices = choices["allOf"].as_array().unwrap().iter();
        let mut chosen = choices.filter(|choice| choice["if"]["properties"][key]["const"] == *name);
        chosen
            .next()
            .unwrap_or_else(|| panic!("{name} is not in the schema"))["then"]
            .clone()
    };
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (stage, config) in shipped["stages"].as_object().unwrap() {
        let of_kind = then(&schema["definitions"]["stage"], "kind", &config["kind"]);
        let mut params = of_kind["properties"]["params"].clone();
        if config["kind"] == "train" {
            params = then(&params, "model", &config["params"]["model"]);
        }
        let name = format!("{} {}", config["kind"], config["params"]["model"]);
        if seen.insert(name) {
            found.push((stage.clone(), params));
        }
    }
    found
}

/// All keys of the schema, at places of the shipped file.
fn all_keys(shipped: &Value) -> Vec<Key> {
    let schema = json_schema(&kind_schemas());
    let at = |path: &[&str]| {
        path.iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    let mut found = Vec::new();
    keys_of(&schema, &[], &mut found);
    keys_of(
        &schema["definitions"]["weights"],
        &at(&["weights", "vgg16"]),
        &mut found,
    );
    for (stage, params) in params_by_stage(&schema, shipped) {
        keys_of(&params, &at(&["stages", &stage, "params"]), &mut found);
    }
    found
}

/// The tree with a value at a place; mappings on the way are made.
fn with(tree: &Value, path: &[String], value: &Value) -> Value {
    let mut tree = tree.clone();
    let mut place = &mut tree;
    for name in path {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = place
            .as_object_mut()
            .unwrap()
            .entry(name)
            .or_insert(Value::Null);
    }
    *place = value.clone();
    tree
}

/// Values of every type, at the ends of usual bounds.
fn probes() -> Vec<Value> {
    let numbers = [
        json!(-1),
        json!(0),
        json!(0.25),
        json!(0.5),
        json!(1),
        json!(1.5),
        json!(2),
    ];
    let large = [3_u64, 64, 101, 5000, 1_000_000_000_000].map(|number| json!(number));
    let others = [
        json!(true),
        json!(null),
        json!(""),
        json!("nonsense"),
        json!([]),
        json!([1]),
        json!([1, 2]),
        json!([0, 2]),
        json!({}),
        json!({ "nonsense": 1 }),
    ];
    [&numbers[..], &large, &others].concat()
}

/// Where the program knows more than a schema can say: what depends on other keys, on other sections, or on tables of names.
const ONLY_THE_PROGRAM: [&str; 15] = [
    "cache.folder",
    "profile",
    "profiles",
    "weights.vgg16.sha256",
    "detect_language.params.allow",
    "detect_language.params.prior",
    "translate.params.target",
    "split.params.test_fold",
    "fit_pca.params.size",
    "fit_pca.params.sample",
    "params.image_size",
    "augmentation.fill_value",
    "fusion.params.branch_dense",
    "soft_vote.params.weights",
    "predict.params.model",
];

fn is_the_programs_alone(path: &str, probe: &Value) -> bool {
    let names_weights = path.ends_with("params.weights") && probe.is_string();
    names_weights || ONLY_THE_PROGRAM.iter().any(|known| path.ends_with(known))
}

/// For each key and each value: the editor and the program say the same.
#[test]
fn the_schema_and_the_program_agree() {
    let (judge, shipped) = (Judge::new(), filled());
    assert_eq!(mistakes(&shipped), None);
    let keys = all_keys(&shipped);
    assert!(keys.len() > 200, "{} keys", keys.len());
    let mut differences = Vec::new();
    let mut refused = 0;
    for key in &keys {
        let path = key.path.join(".");
        for probe in probes() {
            let tree = with(&shipped, &key.path, &probe);
            let is_here = |place: &str| {
                let rest = place.strip_prefix(&path);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            let found = mistakes(&tree).unwrap_or_default();
            let of_program = found.iter().find(|(place, _)| is_here(place));
            let is_taken = judge.takes_at(&key.path, &tree);
            refused += usize::from(!is_taken);
            let agree = is_taken == of_program.is_none();
            if !(agree || is_taken && is_the_programs_alone(&path, &probe)) {
                differences.push(format!(
                    "{path}: {probe}: schema {is_taken}, program {of_program:?}"
                ));
            }
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
    assert!(refused > keys.len() * 5, "{refused} of {} keys", keys.len());
}

#[test]
fn every_key_is_described_and_has_its_default() {
    let shipped = shipped();
    let required = [
        "source",
        "source.root",
        "source.products",
        "weights.vgg16.backbone",
    ];
    for key in all_keys(&shipped) {
        let path = key.path.join(".");
        let description = key.schema["description"].as_str().unwrap_or_default();
        assert!(
            description.len() > 5 && description.ends_with('.'),
            "{path}: {description:?}"
        );
        let is_required = required.contains(&path.as_str()) || path.ends_with("params.weights");
        let is_mapping = key.schema["type"] == "object";
        let has_default = key.schema.get("default").is_some();
        let is_section = path == "weights" || path == "stages";
        assert!(
            has_default || is_required || is_mapping || is_section,
            "{path} has no default"
        );
    }
}

/// A default that an editor shows is the one that the program fills in.
#[test]
fn defaults_are_those_of_the_program() {
    let shipped = shipped();
    let mut compared = 0;
    for (stage, params) in params_by_stage(&json_schema(&kind_schemas()), &shipped) {
        let config = &shipped["stages"][&stage];
        let kinds = kinds();
        let kind = kinds
            .iter()
            .find(|kind| config["kind"] == kind.name)
            .unwrap();
        let given = match config["params"].get("model") {
            Some(model) => json!({ "model": model }),
            None => json!({}),
        };
        let filled = (kind.check_params)(&given, "p", &mut Vec::new()).unwrap();
        let mut keys = Vec::new();
        keys_of(&params, &[], &mut keys);
        for key in keys
            .iter()
            .filter(|key| key.schema.get("default").is_some())
        {
            let of_program = key
                .path
                .iter()
                .try_fold(&filled, |place, name| place.get(name));
            // Keys of a mapping that is null unless it is given have theirs when it is.
            let Some(of_program) = of_program else {
                continue;
            };
            let shown = &key.schema["default"];
            let is_same = match (shown.as_f64(), of_program.as_f64()) {
                (Some(shown), Some(own)) => (shown - own).abs() <= 1e-7 * own.abs(),
                _ => shown == of_program,
            };
            assert!(is_same, "{stage} {:?}: {shown}, not {of_program}", key.path);
            compared += 1;
        }
    }
    assert!(compared > 100, "{compared}");
}
