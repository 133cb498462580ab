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
use std::panic::{AssertUnwindSafe, catch_unwind};
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
    /// The same, and what there is.
    #[error("{message}")]
    Absent {
        /// What is not there.
        message: String,
        /// How to find out what is.
        remedy: String,
    },
    /// A mistake of the program.
    #[error("the program panicked: {message}")]
    Panicked {
        /// What it said.
        message: String,
    },
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

    /// What a panic is to those who called.
    fn panicked(payload: &(dyn std::any::Any + Send)) -> Self {
        let said = payload.downcast_ref::<&str>().copied();
        let said = said.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let message = said.unwrap_or("it did not say why").to_owned();
        Self::Panicked { message }
    }

    /// The error of a store that is at the bottom of it, if one is.
    fn store(&self) -> Option<&StoreError> {
        match self {
            Self::Failed(run) => run.error.store(),
            Self::Root { source, .. } => Some(source),
            Self::Run(error) => error.store(),
            Self::Store(error)
            | Self::Report(
                ReportError::Store(error) | ReportError::Checkpoint(CheckpointError::Store(error)),
            )
            | Self::History(HistoryError::Checkpoint(CheckpointError::Store(error)))
            | Self::Query(QueryError::Checkpoint(CheckpointError::Store(error))) => Some(error),
            _ => None,
        }
    }

    fn exit_code(&self) -> u8 {
        if self.store().is_some_and(StoreError::is_misconfiguration) {
            return exit_code::CONFIG;
        }
        match self {
            Self::Failed(run) => run.error.exit_code(),
            Self::Config(_) | Self::Sql(_) => exit_code::CONFIG,
            Self::Panicked { .. } => exit_code::PANICKED,
            Self::Report(ReportError::Locked(error)) => error.exit_code(),
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
            Self::Device(_) | Self::Usage(_) | Self::Absent { .. } | Self::Query(_) => {
                exit_code::USAGE
            }
            Self::Interrupted { signal } => {
                exit_code::SIGNAL_BASE.saturating_add(u8::try_from(*signal).unwrap_or(0))
            }
            Self::Output(_) => exit_code::INTERNAL,
        }
    }
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
    let arguments = Arguments::try_parse().unwrap_or_else(|error| refuse(&error));
    let exit_code = match caught(|| dispatch(&arguments)) {
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

/// Does something, and makes an error of a panic: what goes on in threads of stages is the runner's business, all else is here.
fn caught(work: impl FnOnce() -> Result<(), CommandError>) -> Result<(), CommandError> {
    // Nothing that it leaves half changed is looked at any more.
    let outcome = catch_unwind(AssertUnwindSafe(work));
    outcome.unwrap_or_else(|payload| Err(CommandError::panicked(&*payload)))
}

/// Answers a command line that is none, or asks for help.
fn refuse(error: &clap::Error) -> ! {
    if !error.use_stderr() || !log::wants_json() {
        error.exit();
    }
    let said = error.render().to_string();
    let mut lines = said.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let failure = log::Failure {
        exit_code: exit_code::USAGE,
        error: first.trim_start_matches("error: ").to_owned(),
        causes: Vec::new(),
        remedy: Some(lines.collect::<Vec<_>>().join("; ")).filter(|text| !text.is_empty()),
        summary: String::new(),
    };
    failure.print(LogFormat::Json);
    signal_hook::low_level::exit(exit_code::USAGE.into())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_with_a_code_and_a_remedy() {
        let error = caught(|| panic!("no {}", "way")).unwrap_err();
        assert_eq!(error.to_string(), "the program panicked: no way");
        assert_eq!(error.exit_code(), 101);
        assert!(remedy::remedy(&error).unwrap().contains("bug"));
        let plain = caught(|| panic!("plain")).unwrap_err();
        assert!(plain.to_string().ends_with("plain"));
        caught(|| Ok(())).unwrap();
    }
}
