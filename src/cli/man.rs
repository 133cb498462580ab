//! `rayonnage man`: the manual page.
//!
//! One page for all commands: they share most of what is to be said (options, exit codes, environment), there are few options of each, and
//! one file is easier to install and to search than fifteen.

use super::CommandError;
use super::args::Arguments;
use super::output::print;
use crate::exit_code;
use clap::builder::Str;
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};

const DESCRIPTION: &str = "Reads a product catalogue, learns the category from the products that have one, predicts it for \
the others, and publishes the predictions as Parquet files. Every stage leaves a checkpoint: a run that stopped goes on where it \
was, and a run with nothing new does nothing. pipeline.yaml says what is where, and which stages there are. Results go to standard \
output, everything else to standard error.";

/// Variables that no option stands for, with what they mean.
const ENVIRONMENT: [(&str, &str); 6] = [
    ("RAYONNAGE_LOG", "Level of log lines: warn, info or debug"),
    ("NO_COLOR", "Set to anything but nothing: no colours"),
    ("CLICOLOR", "0: no colours"),
    (
        "CLICOLOR_FORCE",
        "1: colours also where standard output is no terminal",
    ),
    (
        "OMP_NUM_THREADS",
        "Threads of LibTorch; models depend on it",
    ),
    (
        "AWS_*, AZURE_*, GOOGLE_*",
        "Credentials and options of object stores; they are read from nowhere else",
    ),
];

const FILES: [(&str, &str); 4] = [
    (
        "pipeline.yaml",
        "The configuration; every key is explained in the one that is shipped",
    ),
    (
        "sql/, sql/checks/",
        "Queries of the stages, and checks; beside the configuration",
    ),
    ("checkpoints/_runs/", "The record of each run"),
    (
        "out/predictions/latest.json",
        "Which predictions are the latest",
    ),
];

const EXAMPLES: [(&str, &str); 4] = [
    (
        "rayonnage run",
        "Brings every stage up to date and publishes",
    ),
    (
        "rayonnage plan --until split",
        "What would run, up to one stage",
    ),
    (
        "rayonnage run --set clean_text.params.max_words=300",
        "With one value of the configuration changed",
    ),
    ("rayonnage explain publish", "Why a stage has to run"),
];

/// Prints the manual page.
pub(super) fn man() -> Result<(), CommandError> {
    print(&page()?)?;
    Ok(())
}

fn page() -> std::io::Result<String> {
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    let top = Man::new(command.clone());
    let mut page = Vec::new();
    title().to_writer(&mut page)?;
    top.render_name_section(&mut page)?;
    about().to_writer(&mut page)?;
    let commands = command.get_subcommands();
    for command in commands.filter(|command| !command.is_hide_set()) {
        describe(command, &mut page)?;
    }
    top.render_options_section(&mut page)?;
    surroundings().to_writer(&mut page)?;
    // Every piece begins with the same definitions; once is enough.
    let page = String::from_utf8_lossy(&page);
    let definitions: String = page.lines().take(2).flat_map(|line| [line, "\n"]).collect();
    Ok(definitions.clone() + &page.replace(&definitions, ""))
}

fn title() -> Roff {
    let version = concat!("rayonnage ", env!("CARGO_PKG_VERSION"));
    let mut roff = Roff::new();
    // A page of no date: it changes with the program, and the same program prints the same page.
    roff.control("TH", ["RAYONNAGE", "1", " ", version, "User Commands"]);
    roff
}

fn about() -> Roff {
    let synopsis = [
        bold("rayonnage"),
        roman(" "),
        italic("command"),
        roman(" [options]"),
    ];
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]).text(synopsis);
    roff.control("SH", ["DESCRIPTION"])
        .text([roman(DESCRIPTION)]);
    roff.control("SH", ["COMMANDS"]);
    roff
}

/// What there is around a command: how it ends, what it reads, and how it is called.
fn surroundings() -> Roff {
    let codes = exit_code::MEANINGS.map(|(code, meaning)| (code.to_string(), meaning));
    let codes = codes
        .iter()
        .map(|(code, meaning)| (code.as_str(), *meaning));
    let mut roff = Roff::new();
    list(&mut roff, "EXIT STATUS", codes);
    list(&mut roff, "ENVIRONMENT", ENVIRONMENT.into_iter());
    list(&mut roff, "FILES", FILES.into_iter());
    list(&mut roff, "EXAMPLES", EXAMPLES.into_iter());
    roff
}

/// One command: how it is called, what it does, and what it takes beside what every command does.
fn describe(command: &Command, page: &mut Vec<u8>) -> std::io::Result<()> {
    let name = format!("rayonnage {}", command.get_name());
    let own = command
        .get_arguments()
        .filter(|argument| !argument.is_global_set());
    let own: Vec<_> = own
        .filter(|argument| argument.get_id() != "help")
        .cloned()
        .collect();
    let mut line = vec![bold(name)];
    for argument in own.iter().filter(|argument| argument.is_positional()) {
        let names = argument.get_value_names().unwrap_or_default();
        let names = names.iter().map(Str::as_str).collect::<Vec<_>>().join(" ");
        let (left, right) = if argument.is_required_set() {
            (" ", "")
        } else {
            (" [", "]")
        };
        line.extend([roman(left), italic(names), roman(right)]);
    }
    let mut heading = Roff::new();
    heading.control("SS", [command.get_name()]);
    heading.text(line).control("PP", []);
    heading.text([roman(
        command
            .get_about()
            .map(ToString::to_string)
            .unwrap_or_default(),
    )]);
    heading.to_writer(page)?;
    if !own.is_empty() {
        let alone = Command::new("command");
        let alone = alone
            .disable_help_flag(true)
            .disable_version_flag(true)
            .args(own);
        let mut options = Vec::new();
        Man::new(alone).render_options_section(&mut options)?;
        let options = String::from_utf8_lossy(&options);
        // A section would end the list of commands.
        page.extend(options.replacen(".SH OPTIONS\n", "", 1).as_bytes());
    }
    Ok(())
}

fn list<'a>(roff: &mut Roff, title: &str, items: impl Iterator<Item = (&'a str, &'a str)>) {
    roff.control("SH", [title]);
    for (name, meaning) in items {
        roff.control("TP", [])
            .text([bold(name)])
            .text([roman(meaning)]);
    }
}
