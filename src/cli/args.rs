//! The arguments, as clap parses them.

use crate::report::Lang;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Learns the categories of a product catalogue and predicts those that are missing, resumably.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100, after_help = EXIT_CODES)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(subcommand)]
    pub(super) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 ok, 1 internal error, 2 usage, 10 configuration, 11 stage failed, \
12 corrupt checkpoint, 13 too many rejects or image faults, 14 locked, 15 lost the race to publish, \
130 and 143 stopped by a signal";

/// Arguments of every command.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// The configuration
    #[arg(
        short,
        long,
        global = true,
        default_value = "pipeline.yaml",
        env = "RAYONNAGE_CONFIG",
        value_name = "FILE"
    )]
    pub(super) config: PathBuf,
    /// Set a value of the configuration, such as `clean_text.params.max_words=300`
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Where models run: auto, cpu, cuda or cuda:N
    #[arg(long, global = true, default_value = "auto", env = "RAYONNAGE_DEVICE")]
    pub(super) device: String,
    /// How log lines are written
    #[arg(
        long,
        global = true,
        default_value = "text",
        value_enum,
        env = "RAYONNAGE_LOG_FORMAT"
    )]
    pub(super) log_format: LogFormat,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Bring every stage up to date and publish
    Run(RunArguments),
    /// Say which stages would run, and why
    Plan(SelectionArguments),
    /// Say what there is of each stage
    Status,
    /// Say what a stage depends on, and what of it has changed
    Explain {
        /// The stage
        stage: String,
    },
    /// Check the configuration and the queries
    Validate,
    /// Print the schema and the first rows of a checkpoint
    Show(ShowArguments),
    /// Make the report page of a run again
    Report(ReportArguments),
    /// Write a synthetic catalogue
    Sample(SampleArguments),
}

/// Which stages a command is about.
#[derive(Debug, Args)]
pub(super) struct SelectionArguments {
    /// Run this stage and all that need it again
    #[arg(long, value_name = "STAGE")]
    pub(super) from: Option<String>,
    /// Stop after this stage
    #[arg(long, value_name = "STAGE", conflicts_with = "only")]
    pub(super) until: Option<String>,
    /// Run only this stage; what it needs must be complete
    #[arg(long, value_name = "STAGE", conflicts_with = "from")]
    pub(super) only: Option<String>,
    /// Run again even what is fresh
    #[arg(long)]
    pub(super) force: bool,
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(super) struct RunArguments {
    #[command(flatten)]
    pub(super) selection: SelectionArguments,
    /// Threads, and parts and stages in work at once [default: one for each core]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) jobs: Option<u16>,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub(super) struct ShowArguments {
    /// The stage
    pub(super) stage: String,
    /// The dataset [default: the first one]
    pub(super) dataset: Option<String>,
    /// How many rows to print [default: 10 as text, all as csv]
    #[arg(short = 'n', long)]
    pub(super) rows: Option<usize>,
    /// What to print
    #[arg(long, default_value = "text", value_enum)]
    pub(super) format: ShowFormat,
}

/// What `show` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ShowFormat {
    /// What there is, the schema and the first rows, long values cut.
    Text,
    /// The rows alone, values whole.
    Csv,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub(super) struct ReportArguments {
    /// The run, or the beginning of its id [default: the latest]
    #[arg(long, value_name = "RUN")]
    pub(super) run: Option<String>,
    /// Language of the page: en or fr [default: `report.lang`]
    #[arg(long, value_parser = parse_lang)]
    pub(super) lang: Option<Lang>,
    /// Write the page alone to this file, and nothing to the checkpoints
    #[arg(short, long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Print what the page says as JSON, and write nothing
    #[arg(long, conflicts_with = "out")]
    pub(super) json: bool,
}

fn parse_lang(code: &str) -> Result<Lang, String> {
    Lang::parse(code).ok_or_else(|| "must be en or fr".to_owned())
}

/// Arguments of `sample`.
#[derive(Debug, Args)]
pub(super) struct SampleArguments {
    /// The folder to write
    #[arg(default_value = "data/sample")]
    pub(super) folder: PathBuf,
    /// How many products; 80 % of them are labelled
    #[arg(long, default_value_t = 1000)]
    pub(super) rows: usize,
    /// Seed of everything drawn
    #[arg(long, default_value_t = 123)]
    pub(super) seed: u64,
}
