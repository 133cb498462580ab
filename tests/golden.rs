//! What was printed, against what was printed when somebody last looked at it: `tests/golden/`.
//!
//! `RAYONNAGE_BLESS=1` in the environment of the tests writes the files anew; `git diff` then shows what changed.

use crate::space::TestSpace;
use regex::Regex;
use std::fs;
use std::path::{Path, PathBuf};

/// Whether the files are to be written anew.
pub fn is_blessing() -> bool {
    std::env::var_os("RAYONNAGE_BLESS").is_some_and(|value| value == "1")
}

/// Asserts that a text is that of a file of the repository.
#[track_caller]
pub fn assert_file(path: &Path, text: &str) {
    if is_blessing() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        return;
    }
    let shown = path.display();
    let expected = fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("{shown}: {error}; RAYONNAGE_BLESS=1 writes it"));
    if let Some(difference) = difference(&expected, text) {
        panic!(
            "not as in {shown} (RAYONNAGE_BLESS=1 writes it anew)\n{difference}\nall of it:\n{text}"
        );
    }
}

/// Asserts that a text is that of `tests/golden/<name>.txt`.
#[track_caller]
pub fn assert_golden(name: &str, text: &str) {
    assert_file(&path_of(name), text);
}

/// Takes out of a text what differs from run to run and from machine to machine: folders, times, digests, sizes, and with them how wide columns are.
pub fn normalised(text: &str, space: &TestSpace) -> String {
    let folder = space.path("").display().to_string();
    let mut text = text.replace(folder.trim_end_matches('/'), "<folder>");
    for (pattern, name) in [
        (r"\b\d{8}T\d{9}Z-[0-9a-f]{6}\b", "<run>"),
        (r"\b\d{4}-\d{2}-\d{2}T[0-9:.]+Z", "<time>"),
        (r"\b[0-9a-f]{12,64}\b", "<digest>"),
        (r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:<port>"),
        (r"\b[0-9.]+ (B|KiB|MiB)\b", "<size>"),
        (r" in [0-9.]+[mµ]?s\b", " in <time>"),
        (r" (after|for) [0-9.]+ s\b", " $1 <time>"),
        (r"\belapsed_ms=\d+", "elapsed_ms=<time>"),
        ("  +", "  "),
        (r"[ \t]+\n", "\n"),
    ] {
        text = Regex::new(pattern)
            .unwrap()
            .replace_all(&text, name)
            .into_owned();
    }
    text
}

fn path_of(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.txt"))
}

/// The first line that differs, as it was and as it is.
fn difference(expected: &str, found: &str) -> Option<String> {
    if expected == found {
        return None;
    }
    let (mut before, mut after) = (expected.lines(), found.lines());
    for line in 1.. {
        match (before.next(), after.next()) {
            (None, None) => break,
            (old, new) if old == new => {}
            (old, new) => {
                let [old, new] = [old, new].map(|text| text.unwrap_or("(nothing)"));
                return Some(format!("line {line}\n- {old}\n+ {new}"));
            }
        }
    }
    Some("the end of the last line".to_owned())
}

#[test]
fn differences_are_found() {
    assert_eq!(difference("a\nb\n", "a\nb\n"), None);
    assert_eq!(difference("a\nb\n", "a\nc\n").unwrap(), "line 2\n- b\n+ c");
    assert_eq!(
        difference("a\n", "a\nb\n").unwrap(),
        "line 2\n- (nothing)\n+ b"
    );
    assert!(difference("a\n", "a").is_some());
}
