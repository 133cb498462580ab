//! Shell completions: the scripts, and what is offered for the names of stages.
//!
//! The scripts ask this program at each press of the key, so that they offer the stages of the configuration at hand. What goes on
//! between the two is no interface: a shell that reads the script anew when it starts always has the right one.

use super::CommandError;
use super::args::{Arguments, DEFAULT_CONFIG, Shell};
use super::output::print;
use crate::config;
use clap::CommandFactory;
use clap_complete::CompleteEnv;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::Shells;
use std::path::PathBuf;

/// By this variable a script asks for completions; the name of the shell is its value.
const VARIABLE: &str = "RAYONNAGE_COMPLETE";

const NAME: &str = "rayonnage";

/// Answers a script that asks for completions, and then ends the process; else does nothing.
pub(super) fn answer() {
    CompleteEnv::with_factory(Arguments::command)
        .var(VARIABLE)
        .complete();
}

/// Prints the script of a shell.
pub(super) fn completions(shell: Shell) -> Result<(), CommandError> {
    let shells = Shells::builtins();
    let mut script = Vec::new();
    if let Some(shell) = shells.completer(shell.name()) {
        shell.write_registration(VARIABLE, NAME, NAME, &this_program(), &mut script)?;
    }
    print(&String::from_utf8_lossy(&script))?;
    Ok(())
}

/// What the script calls: a program that was found by its name is found so again, another one by its path.
fn this_program() -> String {
    let called = PathBuf::from(std::env::args_os().next().unwrap_or_default());
    let found = (called.components().count() > 1).then(|| std::path::absolute(&called).ok());
    found
        .flatten()
        .map_or_else(|| NAME.to_owned(), |path| path.display().to_string())
}

/// The stages of the configuration, each with its kind; none where it cannot be read.
pub(super) fn stages() -> Vec<CompletionCandidate> {
    let path = std::env::var_os("RAYONNAGE_CONFIG").unwrap_or_else(|| DEFAULT_CONFIG.into());
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let parsed = config::parse(&text, DEFAULT_CONFIG, &|name| std::env::var(name).ok());
    let Ok((tree, _)) = parsed else {
        return Vec::new();
    };
    let stages = tree["stages"].as_object();
    let candidate = |(name, stage): (&String, &serde_json::Value)| {
        let kind = stage["kind"].as_str().map(|kind| kind.to_owned().into());
        CompletionCandidate::new(name).help(kind)
    };
    stages.into_iter().flatten().map(candidate).collect()
}

/// What `--device` may be.
pub(super) fn devices() -> Vec<CompletionCandidate> {
    ["auto", "cpu", "cuda"].map(CompletionCandidate::new).into()
}
