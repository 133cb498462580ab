//! Who may name whom: reads `src/` and holds it to the rules of `src/ARCHITECTURE.md`.
//!
//! It looks at code, not only at `use` lines: a path written out in place counts too. Comments, strings and unit tests
//! do not.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Longest file in lines.
const MOST_LINES: usize = 700;

/// Files of `src/` by path relative to it.
fn sources() -> BTreeMap<String, String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    assert!(paths.len() > 50, "{paths:?}");
    paths
        .iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
            (name.to_owned(), fs::read_to_string(path).unwrap())
        })
        .collect()
}

/// The code of a file up to its unit tests, without comments and strings.
fn code(text: &str) -> String {
    let text = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let lines = lines.map(|line| {
        // Every second piece between quotes is a string; no string here spans lines and holds a path.
        let pieces: Vec<&str> = line.split('"').step_by(2).collect();
        pieces.join(" ")
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// First module of a file: `stages/run.rs` and `stages.rs` are both of `stages`.
fn module(file: &str) -> &str {
    let first = file.split('/').next().unwrap();
    first.strip_suffix(".rs").unwrap_or(first)
}

/// Whether code names a crate: `name::` at the beginning of a path.
fn names_crate(code: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(&format!("{name}::")).any(|(at, _)| {
        let before = &code[..at];
        let before = before.strip_suffix("::").unwrap_or(before);
        !before.ends_with(is_word)
    })
}

/// The modules of the crate that code names, by `crate::name` and in `use crate::{…}` groups.
fn named_modules(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, path) in code.match_indices("crate::") {
        let rest = &code[at + path.len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let group = group.split('}').next().unwrap();
            found.extend(
                group
                    .split(',')
                    .map(|name| first_word(name.trim()).to_owned()),
            );
        } else {
            found.push(first_word(rest).to_owned());
        }
    }
    found
}

fn first_word(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_');
    &text[..end.unwrap_or(text.len())]
}

/// Fails with the files of modules other than `allowed` that name one of `crates`.
#[track_caller]
fn only(allowed: &[&str], crates: &[&str]) {
    let mut offenders = Vec::new();
    let mut users = 0;
    for (file, text) in sources() {
        let code = code(&text);
        for name in crates {
            let is_named = names_crate(&code, name);
            if is_named && allowed.contains(&module(&file)) {
                users += 1;
            } else if is_named {
                offenders.push(format!("{file} names {name}"));
            }
        }
    }
    assert!(offenders.is_empty(), "{offenders:#?}");
    assert!(
        users > 0,
        "nobody names {crates:?}: the test looks for the wrong thing"
    );
}

/// Fails with the files of `modules` that name a module of `forbidden`.
#[track_caller]
fn never(modules: &[&str], forbidden: &[&str]) {
    let mut offenders = Vec::new();
    let mut looked_at = 0;
    for (file, text) in sources() {
        if !modules.contains(&module(&file)) {
            continue;
        }
        looked_at += 1;
        for name in named_modules(&code(&text)) {
            if forbidden.contains(&name.as_str()) {
                offenders.push(format!("{file} names crate::{name}"));
            }
        }
    }
    assert!(offenders.is_empty(), "{offenders:#?}");
    assert!(looked_at >= modules.len());
}

#[test]
fn only_store_knows_object_store_and_tokio() {
    only(&["store"], &["object_store", "tokio"]);
}

#[test]
fn only_checkpoint_and_source_know_parquet() {
    only(&["checkpoint", "source"], &["parquet"]);
}

#[test]
fn only_model_knows_burn_and_libtorch() {
    only(
        &["model"],
        &[
            "burn",
            "burn_autodiff",
            "burn_pack",
            "burn_tch",
            "tch",
            "safetensors",
            "pytorch_reader",
        ],
    );
}

#[test]
fn only_image_knows_codecs() {
    only(&["image"], &["fearless_simd", "image"]);
}

#[test]
fn only_sql_knows_polars() {
    only(&["sql"], &["polars", "sqlparser"]);
}

#[test]
fn only_cli_knows_arguments_and_signals() {
    only(
        &["cli"],
        &[
            "anstream",
            "anstyle",
            "clap",
            "clap_complete",
            "clap_mangen",
            "signal_hook",
            "tracing_subscriber",
        ],
    );
}

#[test]
fn kernels_know_nothing_of_the_pipeline() {
    never(
        &["text", "image", "model"],
        &[
            "cancel",
            "checkpoint",
            "cli",
            "config",
            "fingerprint",
            "graph",
            "monitor",
            "plan",
            "runner",
            "schema",
            "source",
            "sql",
            "stages",
            "store",
        ],
    );
}

#[test]
fn kernels_know_nothing_of_each_other() {
    never(&["text"], &["image", "model"]);
    never(&["image"], &["text", "model"]);
    never(&["model"], &["text", "image"]);
}

#[test]
fn the_core_is_pure() {
    never(
        &["graph", "fingerprint", "plan"],
        &[
            "checkpoint",
            "cli",
            "config",
            "runner",
            "source",
            "stages",
            "store",
        ],
    );
    for (file, text) in sources() {
        if !["graph.rs", "fingerprint.rs", "plan.rs"].contains(&file.as_str()) {
            continue;
        }
        let code = code(&text);
        for name in [
            "std::fs",
            "std::env",
            "std::time",
            "std::thread",
            "std::io",
            "std::net",
        ] {
            assert!(!code.contains(name), "{file} names {name}");
        }
    }
}

#[test]
fn what_draws_touches_no_store() {
    for (file, text) in sources() {
        if !["cli/drawing.rs", "cli/diagram.rs", "checkpoint/gc.rs"].contains(&file.as_str()) {
            continue;
        }
        for name in named_modules(&code(&text)) {
            let is_pure = ["graph", "fingerprint", "store"].contains(&name.as_str());
            assert!(is_pure, "{file} names crate::{name}");
        }
        let code = code(&text);
        for name in [
            "SharedStore",
            "Store,",
            "std::fs",
            "std::env",
            "std::io",
            "std::time",
        ] {
            assert!(!code.contains(name), "{file} names {name}");
        }
    }
}

#[test]
fn nothing_imports_upward() {
    let layers: [&[&str]; 7] = [
        &["cli"],
        &["history", "report", "operation"],
        &["runner"],
        &["stages", "query"],
        &["config", "sql", "source", "schema"],
        &["checkpoint"],
        &["store", "plan", "graph", "fingerprint"],
    ];
    for (depth, below) in layers.iter().enumerate().skip(1) {
        let above: Vec<&str> = layers[..depth]
            .iter()
            .flat_map(|layer| layer.iter().copied())
            .collect();
        never(below, &above);
    }
}

#[test]
fn every_file_says_what_it_is_for() {
    for (file, text) in sources() {
        assert!(text.starts_with("//! "), "{file} begins without `//!`");
    }
}

#[test]
fn no_file_is_too_long() {
    for (file, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= MOST_LINES, "{file} has {lines} lines");
    }
}

#[test]
fn the_looking_glass_is_clear() {
    assert!(names_crate("use tokio::runtime;", "tokio"));
    assert!(names_crate(
        "    source: object_store::Error,",
        "object_store"
    ));
    assert!(names_crate("use ::image::codecs;", "image"));
    assert!(!names_crate("use crate::image::Filter;", "image"));
    assert!(!names_crate("use burn_tch::X;", "tch"));
    assert!(!names_crate("use crate::text::tokio::X;", "tokio"));
    assert_eq!(
        named_modules("use crate::{store, sql::Queries};"),
        ["store", "sql"]
    );
    assert_eq!(named_modules("crate::plan::judge()"), ["plan"]);
    assert_eq!(code("a \"b::c\" d // e\n// f\ng"), "a   d // e\ng");
}
