//! Completions and the manual page, read by those who will read them: where a shell or `groff` is not there, the test says that it was
//! skipped.

use crate::golden::assert_golden;
use crate::space::{TestSpace, options};
use std::io::Write;
use std::process::{Command, Stdio};

/// Whether a program is there; says so where it is not.
fn is_there(program: &str) -> bool {
    let found = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let is_there = found.is_ok_and(|status| status.success());
    if !is_there {
        eprintln!("skipped: there is no {program}");
    }
    is_there
}

/// Hands a text to a program and returns what it says; it must succeed.
fn hand(program: &str, arguments: &[&str], text: &str) -> (String, String) {
    let mut child = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{program}: {stderr}");
    (stdout, stderr)
}

#[test]
fn shells_can_read_their_scripts() {
    let space = TestSpace::with_sample(&options(20));
    let script = |shell: &str| {
        let printed = space.rayonnage(&["completions", shell]);
        printed.expect(0, &[]);
        printed.stdout
    };
    for shell in ["bash", "zsh", "fish"] {
        let text = script(shell);
        assert!(text.contains("RAYONNAGE_COMPLETE"), "{text}");
        if is_there(shell) {
            hand(shell, &["-n"], &text);
        }
    }
    for shell in ["elvish", "powershell"] {
        assert!(script(shell).contains("rayonnage"));
    }
    space
        .rayonnage(&["completions", "tcsh"])
        .expect(2, &["possible values: bash"]);
}

/// What bash offers at the end of a line.
fn offered(space: &TestSpace, words: &[&str]) -> Vec<String> {
    let program = env!("CARGO_BIN_EXE_rayonnage");
    let last = words.len() - 1;
    let script = format!(
        "source <({program} completions bash)\n\
         COMP_WORDS=({}) COMP_CWORD={last} COMP_TYPE=9\n\
         _clap_complete_rayonnage rayonnage '{}' '{}'\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        words
            .iter()
            .map(|word| format!("'{word}'"))
            .collect::<Vec<_>>()
            .join(" "),
        words[last],
        words[last - 1],
    );
    let mut command = Command::new("bash");
    command.args(["-c", &script]).current_dir(space.path(""));
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("RAYONNAGE_"))
    {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    said.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_and_stages() {
    if !is_there("bash") {
        return;
    }
    let space = TestSpace::with_sample(&options(20));
    let top = offered(&space, &["rayonnage", ""]);
    for command in ["run", "plan", "explain", "schema", "man"] {
        assert!(
            top.iter().any(|offer| offer == command),
            "{command}: {top:?}"
        );
    }
    assert_eq!(offered(&space, &["rayonnage", "run", "--unt"]), ["--until"]);
    let stages = offered(&space, &["rayonnage", "explain", "clean"]);
    assert_eq!(stages, ["clean_text", "clean_text_light"]);
    assert_eq!(
        offered(&space, &["rayonnage", "run", "--until", "toke"]),
        ["tokenize"]
    );
    // Those of this configuration, not of the shipped one.
    let text = space
        .read("pipeline.yaml")
        .replace("tokenize:", "tokens_of_mine:");
    space.write("pipeline.yaml", text);
    assert_eq!(
        offered(&space, &["rayonnage", "run", "--until", "toke"]),
        ["tokens_of_mine"]
    );
    let run = "20261120T023000000Z-0a1b2c";
    space.write(&format!("checkpoints/_runs/{run}.json"), "{}");
    assert_eq!(offered(&space, &["rayonnage", "runs", "2026"]), [run]);
    space.write("pipeline.yaml", "stages: [");
    assert_eq!(
        offered(&space, &["rayonnage", "run", "--until", "toke"]),
        [""]
    );
}

#[test]
fn the_manual_page_can_be_set() {
    let space = TestSpace::with_sample(&options(20));
    let printed = space.rayonnage(&["man"]);
    printed.expect(0, &[]);
    assert_golden("man", &printed.stdout);
    if !is_there("groff") {
        return;
    }
    let (text, warnings) = hand(
        "groff",
        &["-man", "-Tutf8", "-ww", "-P-cbou", "-rLL=100n"],
        &printed.stdout,
    );
    assert_eq!(warnings, "");
    for section in [
        "NAME",
        "SYNOPSIS",
        "COMMANDS",
        "OPTIONS",
        "EXIT STATUS",
        "ENVIRONMENT",
        "FILES",
        "EXAMPLES",
    ] {
        assert!(
            text.lines().any(|line| line == section),
            "{section}: {text}"
        );
    }
    assert!(text.contains("rayonnage explain STAGE") && text.contains("--until <STAGE>"));
}
