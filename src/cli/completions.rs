//! Shell completions: the scripts, and what is offered for the names of stages.
//!
//! The scripts ask this program at each press of the key, so that they offer the stages of the configuration at hand. What goes on
//! between the two is no interface: a shell that reads the script anew when it starts always has the right one.

use super::CommandError;
use super::args::{Arguments, DEFAULT_CONFIG, Shell};
use super::output::print;
use crate::checkpoint::RUNS_FOLDER;
use crate::config;
use clap::CommandFactory;
use clap_complete::CompleteEnv;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::Shells;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// By this variable a script asks for completions; the name of the shell is its value.
const VARIABLE: &str = "RAYONNAGE_COMPLETE";

const NAME: &str = "rayonnage";

/// Answers a script that asks for completions; returns whether one did. Then there is nothing else to be done.
pub(super) fn answer() -> bool {
    let folder = std::env::current_dir().ok();
    let asked = CompleteEnv::with_factory(Arguments::command).var(VARIABLE);
    let answered = asked.try_complete(std::env::args_os(), folder.as_deref());
    answered.unwrap_or_else(|error| error.exit())
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

/// The configuration as it stands in the file, if it can be read.
fn configuration() -> Option<Value> {
    let path = std::env::var_os("RAYONNAGE_CONFIG").unwrap_or_else(|| DEFAULT_CONFIG.into());
    let text = std::fs::read_to_string(&path).ok()?;
    let parsed = config::parse(&text, DEFAULT_CONFIG, &|name| std::env::var(name).ok());
    Some(parsed.ok()?.0)
}

/// The stages of the configuration, each with its kind; none where it cannot be read.
pub(super) fn stages() -> Vec<CompletionCandidate> {
    let tree = configuration().unwrap_or_default();
    let stages = tree["stages"].as_object();
    let candidate = |(name, stage): (&String, &Value)| {
        let kind = stage["kind"].as_str().map(|kind| kind.to_owned().into());
        CompletionCandidate::new(name).help(kind)
    };
    stages.into_iter().flatten().map(candidate).collect()
}

/// The latest runs, where their records lie on this machine: a bucket would not answer fast enough.
pub(super) fn runs() -> Vec<CompletionCandidate> {
    const MOST: usize = 20;
    let root = configuration().map(|tree| tree["checkpoints"].as_str().map(str::to_owned));
    let root = root.flatten().unwrap_or_else(|| "checkpoints".to_owned());
    let folder = Path::new(root.trim_start_matches("file://")).join(RUNS_FOLDER);
    let records = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = records.filter_map(|record| {
        let name = record.file_name().into_string().ok()?;
        Some(name.strip_suffix(".json")?.to_owned())
    });
    let mut names: Vec<String> = names.collect();
    names.sort_unstable_by(|a, b| b.cmp(a));
    names.truncate(MOST);
    let short = ["latest", "latest~1"].map(str::to_owned).into_iter();
    short.chain(names).map(CompletionCandidate::new).collect()
}

/// What `--device` may be.
pub(super) fn devices() -> Vec<CompletionCandidate> {
    ["auto", "cpu", "cuda"].map(CompletionCandidate::new).into()
}
