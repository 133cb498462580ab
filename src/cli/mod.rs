//! The command line: arguments in, text and exit code out.

mod args;
mod completions;
mod diagram;
mod diff;
mod drawing;
mod explain;
mod gc;
mod graph;
mod log;
mod man;
mod output;
mod plan;
mod remedy;
mod report;
mod run;
mod runs;
mod sample;
mod schema;
mod setup;
mod show;
mod status;
mod style;
mod validate;

use crate::checkpoint::CheckpointError;
use crate::config::ConfigError;
use crate::exit_code;
use crate::history::HistoryError;
use crate::model::ModelError;
use crate::query::QueryError;
use crate::report::ReportError;
use crate::runner::RunError;
use crate::sample::SampleError;
use crate::sql::SqlError;
use crate::store::StoreError;
use args::{Arguments, Command, LogFormat};
use clap::Parser;
use thiserror::Error;

/// Why a command failed.
#[derive(Debug, Error)]
enum CommandError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The queries cannot be used.
    #[error(transparent)]
    Sql(#[from] SqlError),
    /// One of the three stores cannot be opened.
    #[error("{key} cannot be used")]
    Root {
        /// Where the configuration names it.
        key: &'static str,
        /// Why not.
        source: Box<StoreError>,
    },
    /// A store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// What earlier runs left is not what was asked for.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The report cannot be made.
    #[error("the report cannot be made")]
    Report(#[from] ReportError),
    /// A file that an argument names cannot be written.
    #[error("cannot write {path}")]
    WriteFile {
        /// The file.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// The sample catalogue cannot be written.
    #[error(transparent)]
    Sample(#[from] SampleError),
    /// `--device` names no device.
    #[error(transparent)]
    Device(ModelError),
    /// An argument names something that is not there.
    #[error("{0}")]
    Usage(String),
    /// The query of `--sql` fails.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A signal stopped it before its end.
    #[error("stopped by signal {signal}")]
    Interrupted {
        /// Number of the signal.
        signal: usize,
    },
    /// Standard output is closed or full.
    #[error("cannot write to standard output")]
    Output(#[from] std::io::Error),
    /// A run failed, and what is said of it at the end.
    #[error(transparent)]
    Failed(Box<FailedRun>),
}

/// Why a run failed, and its summary on one line.
#[derive(Debug)]
struct FailedRun {
    error: CommandError,
    summary: String,
}

impl std::fmt::Display for FailedRun {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.error.fmt(formatter)
    }
}

impl std::error::Error for FailedRun {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.error)
    }
}

impl CommandError {
    fn failed(error: Self, summary: String) -> Self {
        Self::Failed(Box::new(FailedRun { error, summary }))
    }

    fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(run) => run.error.exit_code(),
            Self::Config(_)
            | Self::Sql(_)
            | Self::Store(StoreError::NoConditions { .. } | StoreError::ReadOnly { .. }) => {
                exit_code::CONFIG
            }
            Self::Report(ReportError::Locked(error)) => error.exit_code(),
            Self::Root { source, .. } if is_misconfigured(source) => exit_code::CONFIG,
            Self::History(error) if error.is_usage() => exit_code::USAGE,
            Self::History(HistoryError::Checkpoint(CheckpointError::Damaged { .. }))
            | Self::Report(ReportError::Checkpoint(CheckpointError::Damaged { .. })) => {
                exit_code::CORRUPT_CHECKPOINT
            }
            Self::Root { .. }
            | Self::Store(_)
            | Self::Sample(_)
            | Self::History(_)
            | Self::Report(_)
            | Self::WriteFile { .. } => exit_code::STAGE_FAILED,
            Self::Run(error) => error.exit_code(),
            Self::Device(_) | Self::Usage(_) | Self::Query(_) => exit_code::USAGE,
            Self::Interrupted { signal } => {
                exit_code::SIGNAL_BASE.saturating_add(u8::try_from(*signal).unwrap_or(0))
            }
            Self::Output(_) => exit_code::INTERNAL,
        }
    }
}

/// Whether a store cannot be used because of what the configuration says of it.
fn is_misconfigured(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Url { .. } | StoreError::NoConditions { .. } | StoreError::ReadOnly { .. }
    )
}

/// Runs the program and ends the process.
///
/// Everything is written and flushed by then. The process ends at once: the libraries that it has loaded would take a tenth of a
/// second to put themselves away first.
pub fn main() -> ! {
    if completions::answer() {
        // What is in the buffer has no end of line, and would be lost.
        let _ = std::io::Write::flush(&mut std::io::stdout());
        signal_hook::low_level::exit(exit_code::OK.into());
    }
    let arguments = Arguments::parse();
    let exit_code = match dispatch(&arguments) {
        Ok(()) => exit_code::OK,
        // A reader that has seen enough (`| head`) is no failure of ours.
        Err(CommandError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            exit_code::OK
        }
        Err(error) => {
            report(&error, arguments.common.log_format);
            error.exit_code()
        }
    };
    signal_hook::low_level::exit(exit_code.into())
}

fn dispatch(arguments: &Arguments) -> Result<(), CommandError> {
    match &arguments.command {
        Command::Run(options) => run::run(&arguments.common, options),
        Command::Plan(options) => plan::plan(&arguments.common, options),
        Command::Status(format) => status::status(&arguments.common, format),
        Command::Explain(options) => explain::explain(&arguments.common, options),
        Command::Validate(format) => validate::validate(&arguments.common, format),
        Command::Show(options) => show::show(&arguments.common, options),
        Command::Graph(options) => graph::graph(&arguments.common, options),
        Command::Runs(options) => runs::runs(&arguments.common, options),
        Command::Diff(options) => diff::diff(&arguments.common, options),
        Command::Gc(options) => gc::gc(&arguments.common, options),
        Command::Report(options) => report::report(&arguments.common, options),
        Command::Sample(options) => sample::sample(options),
        Command::Schema => schema::schema(),
        Command::Completions { shell } => completions::completions(*shell),
        Command::Man => man::man(),
    }
}

/// Prints an error with its causes, and what to do where that can be said.
fn report(error: &CommandError, format: LogFormat) {
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    let mut shown = error.to_string();
    while let Some(error) = cause {
        let message = error.to_string();
        if !shown.ends_with(&message) {
            causes.push(message.clone());
        }
        shown = message;
        cause = error.source();
    }
    let failure = log::Failure {
        exit_code: error.exit_code(),
        error: error.to_string(),
        causes,
        remedy: remedy::remedy(error),
        summary: match error {
            CommandError::Failed(run) => run.summary.clone(),
            _ => String::new(),
        },
    };
    failure.print(format);
}
