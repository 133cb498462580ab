//! What commands print for people, as it stands in `tests/golden/`; and colours, which only a terminal gets.

use crate::golden::{assert_golden, normalised};
use crate::space::{Outcome, TestSpace, options};
use std::process::{Command, Stdio};

const ESCAPE: char = '\u{1b}';

fn outcome(space: &TestSpace, arguments: &[&str]) -> Outcome {
    let mut command = space.bare_command(arguments);
    command.env("RAYONNAGE_LOG", "error").env("COLUMNS", "100");
    let outcome = Outcome::of(&mut command);
    outcome.expect(0, &[]);
    assert_eq!(outcome.stderr, "", "{arguments:?}");
    outcome
}

#[track_caller]
fn expect(name: &str, space: &TestSpace, arguments: &[&str]) {
    let text = outcome(space, arguments).stdout;
    let text = format!("$ rayonnage {}\n{text}", arguments.join(" "));
    assert_golden(name, &normalised(&text, space));
}

#[test]
fn plans_states_and_reasons() {
    let space = TestSpace::with_sample(&options(60));
    expect("validate", &space, &["validate"]);
    expect("plan_of_nothing_yet", &space, &["plan", "--until", "split"]);
    outcome(&space, &["run", "--until", "split"]);
    expect("plan", &space, &["plan", "--until", "tfidf"]);
    expect("status", &space, &["status"]);
    expect("explain_fresh", &space, &["explain", "split"]);
    let changed = ["explain", "split", "--set", "split.params.test=0.3"];
    expect("explain_changed", &space, &changed);
}

#[test]
fn help_of_every_command() {
    let space = TestSpace::with_sample(&options(20));
    let top = outcome(&space, &["--help"]).stdout;
    let commands = top.split("Commands:\n").nth(1).unwrap();
    let commands = commands.lines().take_while(|line| !line.is_empty());
    // What goes on in the next line stands further right.
    let begins = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    let names = commands
        .filter(begins)
        .filter_map(|line| line.split_whitespace().next());
    let names: Vec<&str> = names.filter(|name| *name != "help").collect();
    assert!(names.len() > 8, "{names:?}");
    expect("help/rayonnage", &space, &["--help"]);
    for name in names {
        expect(&format!("help/{name}"), &space, &[name, "--help"]);
    }
}

fn plan(space: &TestSpace, variables: &[(&str, &str)]) -> Outcome {
    let mut command = space.bare_command(&["plan", "--until", "split"]);
    command.envs(variables.iter().copied());
    Outcome::of(&mut command)
}

#[test]
fn a_pipe_gets_no_colours_unless_they_are_forced() {
    let space = TestSpace::with_sample(&options(20));
    let forced = ("CLICOLOR_FORCE", "1");
    assert!(!plan(&space, &[]).stdout.contains(ESCAPE));
    let coloured = plan(&space, &[forced]).stdout;
    assert!(
        coloured.contains("\u{1b}[33mdirty\u{1b}[0m"),
        "{coloured:?}"
    );
    let plain = plan(&space, &[forced, ("NO_COLOR", "1")]).stdout;
    assert!(!plain.contains(ESCAPE), "{plain:?}");
    assert_eq!(plain, plan(&space, &[]).stdout);
    for arguments in [&["rnu"][..], &["explain", "nothing"], &["--help"]] {
        let said = |variables: &[(&str, &str)]| {
            let mut command = space.bare_command(arguments);
            let outcome = Outcome::of(command.envs(variables.iter().copied()));
            outcome.stdout + &outcome.stderr
        };
        assert!(said(&[forced]).contains(ESCAPE), "{arguments:?}");
        assert!(!said(&[]).contains(ESCAPE), "{arguments:?}");
        assert!(
            !said(&[forced, ("NO_COLOR", "1")]).contains(ESCAPE),
            "{arguments:?}"
        );
    }
}

/// What a command prints on a terminal, standard error included.
fn on_a_terminal(space: &TestSpace, arguments: &str, variables: &[(&str, &str)]) -> Option<String> {
    let program = env!("CARGO_BIN_EXE_rayonnage");
    let known = Command::new("script")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    if !known.is_ok_and(|status| status.success()) {
        eprintln!("skipped: there is no `script` to make a terminal");
        return None;
    }
    let line = format!("{program} {arguments}");
    let mut command = Command::new("script");
    command
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .current_dir(space.path(""))
        .env("RAYONNAGE_SOURCE", "catalogue")
        .env("TERM", "xterm")
        .env_remove("NO_COLOR")
        // Where tests run by themselves a terminal counts as one with colours, whatever its name.
        .env_remove("CI")
        .envs(variables.iter().copied())
        .stdin(Stdio::null());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_terminal_gets_colours_and_bars() {
    let space = TestSpace::with_sample(&options(20));
    let Some(coloured) = on_a_terminal(&space, "plan --until split", &[]) else {
        return;
    };
    assert!(
        coloured.contains("\u{1b}[33mdirty\u{1b}[0m"),
        "{coloured:?}"
    );
    for off in [("NO_COLOR", "1"), ("CLICOLOR", "0"), ("TERM", "dumb")] {
        let plain = on_a_terminal(&space, "plan --until split", &[off]).unwrap();
        assert!(
            !plain.contains(ESCAPE) && plain.contains("dirty"),
            "{off:?}: {plain:?}"
        );
    }
    let shown = on_a_terminal(&space, "run --until detect_language", &[]).unwrap();
    assert!(
        shown.contains("\r\u{1b}[2K") || shown.contains("\u{1b}[1A"),
        "no bar moved: {shown:?}"
    );
    let piped = outcome(&space, &["run", "--until", "split", "--force"]);
    assert!(!piped.stdout.contains(ESCAPE));
}
