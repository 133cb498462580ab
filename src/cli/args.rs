//! The arguments, as clap parses them.

use super::{completions, style};
use crate::exit_code;
use crate::report::Lang;
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::engine::ArgValueCandidates;
use std::path::PathBuf;

/// Learns the categories of a product catalogue and predicts those that are missing, resumably.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100, after_help = exit_codes(), styles = style::HELP)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) common: Common,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// The configuration, where none is named.
pub(super) const DEFAULT_CONFIG: &str = "pipeline.yaml";

fn exit_codes() -> String {
    let codes = exit_code::MEANINGS.map(|(code, meaning)| format!("{code} {meaning}"));
    format!("Exit codes: {}", codes.join(", "))
}

/// Arguments of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(super) struct Common {
    /// The configuration
    #[arg(
        short,
        long,
        global = true,
        default_value = DEFAULT_CONFIG,
        env = "RAYONNAGE_CONFIG",
        value_name = "FILE",
        value_hint = ValueHint::FilePath
    )]
    pub(super) config: PathBuf,
    /// Set a value of the configuration, such as `clean_text.params.max_words=300`
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Where models run: auto, cpu, cuda or cuda:N
    #[arg(
        long,
        global = true,
        default_value = "auto",
        env = "RAYONNAGE_DEVICE",
        add = ArgValueCandidates::new(completions::devices)
    )]
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
    Plan(PlanArguments),
    /// Say what there is of each stage
    Status(FormatArguments),
    /// Say what a stage depends on, and what of it has changed
    Explain(ExplainArguments),
    /// Check the configuration and the queries
    Validate(FormatArguments),
    /// Print schema and rows of a checkpoint, statistics of them, or what a query makes of several
    Show(ShowArguments),
    /// Draw who needs whom, and what there is to do
    Graph(GraphArguments),
    /// List the runs, tell of one, or put two side by side
    Runs(RunsArguments),
    /// Say which products changed category between two runs, and why
    Diff(DiffArguments),
    /// Say which checkpoints nobody needs any more, and delete them on request
    Gc(GcArguments),
    /// Make the report page of a run again
    Report(ReportArguments),
    /// Write a synthetic catalogue
    Sample(SampleArguments),
    /// Print the JSON Schema of the configuration, for editors
    Schema,
    /// Print the script of a shell that completes commands, options and stages
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

/// A shell that completes what is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

impl Shell {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Elvish => "elvish",
            Self::Fish => "fish",
            Self::Powershell => "powershell",
            Self::Zsh => "zsh",
        }
    }
}

/// For whom a command prints.
#[derive(Debug, Args)]
pub(super) struct FormatArguments {
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub(super) struct PlanArguments {
    #[command(flatten)]
    pub(super) selection: SelectionArguments,
    #[command(flatten)]
    pub(super) format: FormatArguments,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub(super) struct ExplainArguments {
    /// The stage
    #[arg(add = ArgValueCandidates::new(completions::stages))]
    pub(super) stage: String,
    #[command(flatten)]
    pub(super) format: FormatArguments,
}

/// Which stages a command is about.
#[derive(Debug, Args)]
pub(super) struct SelectionArguments {
    /// Run this stage and all that need it again
    #[arg(long, value_name = "STAGE", add = ArgValueCandidates::new(completions::stages))]
    pub(super) from: Option<String>,
    /// Stop after this stage
    #[arg(
        long,
        value_name = "STAGE",
        conflicts_with = "only",
        add = ArgValueCandidates::new(completions::stages)
    )]
    pub(super) until: Option<String>,
    /// Run only this stage; what it needs must be complete
    #[arg(
        long,
        value_name = "STAGE",
        conflicts_with = "from",
        add = ArgValueCandidates::new(completions::stages)
    )]
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
    #[command(flatten)]
    pub(super) format: FormatArguments,
}

/// Arguments of `show`.
#[derive(Debug, Args)]
pub(super) struct ShowArguments {
    /// The stage
    #[arg(required_unless_present = "sql", add = ArgValueCandidates::new(completions::stages))]
    pub(super) stage: Option<String>,
    /// The dataset [default: the first one]
    pub(super) dataset: Option<String>,
    /// How many rows to print [default: 10 as text and json, all as csv; of --sql 50 as text, else all]
    #[arg(short = 'n', long)]
    pub(super) rows: Option<usize>,
    /// What to print
    #[arg(long, default_value = "text", value_enum)]
    pub(super) format: ShowFormat,
    /// Print statistics of each column instead of rows
    #[arg(long, conflicts_with_all = ["rows", "format"])]
    pub(super) stats: bool,
    /// Look at what a run used: by id, the beginning of it, latest, or latest~1 for the one before
    #[arg(long, value_name = "RUN", add = ArgValueCandidates::new(completions::runs))]
    pub(super) run: Option<String>,
    /// Print what a query makes of datasets, which it calls `stage_dataset` or `stage.dataset`
    #[arg(long, value_name = "SELECT", conflicts_with_all = ["stage", "dataset", "stats"])]
    pub(super) sql: Option<String>,
    /// Print one JSON document
    #[arg(long, conflicts_with = "format")]
    pub(super) json: bool,
}

/// What `show` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ShowFormat {
    /// What there is, the schema and the first rows, long values cut.
    Text,
    /// The rows alone, values whole.
    Csv,
}

/// Arguments of `graph`.
#[derive(Debug, Args)]
pub(super) struct GraphArguments {
    /// How to draw it
    #[arg(long, default_value = "text", value_enum)]
    pub(super) format: GraphFormat,
    /// Leave out what there is to do: only the configuration is read
    #[arg(long)]
    pub(super) no_status: bool,
    /// Print one JSON document, as --format json
    #[arg(long, conflicts_with = "format")]
    pub(super) json: bool,
}

/// How `graph` draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum GraphFormat {
    /// A tree, for a terminal.
    Text,
    /// A Mermaid flowchart.
    Mermaid,
    /// DOT, for Graphviz.
    Dot,
    /// One JSON document, with every need and dataset.
    Json,
}

/// Arguments of `runs`.
#[derive(Debug, Args)]
pub(super) struct RunsArguments {
    /// A run, or two: by id, the beginning of it, latest, or latest~1 for the one before
    #[arg(num_args = 0..=2, value_name = "RUN", add = ArgValueCandidates::new(completions::runs))]
    pub(super) runs: Vec<String>,
    /// How many of the latest runs to list
    #[arg(long, value_name = "N", default_value_t = 20, conflicts_with = "runs")]
    pub(super) limit: usize,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub(super) struct DiffArguments {
    /// The run to compare with: by id, the beginning of it, latest, or latest~1 for the one before
    #[arg(value_name = "RUN", default_value = "latest~1", add = ArgValueCandidates::new(completions::runs))]
    pub(super) old: String,
    /// The run to compare
    #[arg(value_name = "RUN", default_value = "latest", add = ArgValueCandidates::new(completions::runs))]
    pub(super) new: String,
    /// How many products to print [default: 20 as text, all as csv and json]
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<usize>,
    /// What to print
    #[arg(long, default_value = "text", value_enum)]
    pub(super) format: DiffFormat,
    /// Print one JSON document
    #[arg(long, conflicts_with = "format")]
    pub(super) json: bool,
}

/// What `diff` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DiffFormat {
    /// Counts, reasons and the first products.
    Text,
    /// A row for each product.
    Csv,
}

/// Arguments of `gc`.
#[derive(Debug, Args)]
pub(super) struct GcArguments {
    /// Keep what the last N runs used, however they ended, and their reports
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) keep_runs: u16,
    /// Keep the last N run records: they are small, and tell of scores and times
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..))]
    pub(super) keep_records: u16,
    /// Delete; without it, only say what would be deleted
    #[arg(long)]
    pub(super) delete: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub(super) struct ReportArguments {
    /// The run: its id, the beginning of it, or latest~1 [default: latest]
    #[arg(long, value_name = "RUN", add = ArgValueCandidates::new(completions::runs))]
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
    #[arg(default_value = "data/sample", value_hint = ValueHint::DirPath)]
    pub(super) folder: PathBuf,
    /// How many products; 80 % of them are labelled
    #[arg(long, default_value_t = 1000)]
    pub(super) rows: usize,
    /// Seed of everything drawn
    #[arg(long, default_value_t = 123)]
    pub(super) seed: u64,
}
