//! The command line: arguments in, text and exit code out.

mod args;
mod completions;
mod diagram;
mod diff;
mod drawing;
mod explain;
mod gc;
mod graph;
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
use args::{Arguments, Command};
use clap::Parser;
use std::fmt::Write as _;
use std::process::ExitCode;
use style::{Paint, Tone};
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
        source: StoreError,
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
}

impl CommandError {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_)
            | Self::Sql(_)
            | Self::Store(StoreError::NoConditions { .. } | StoreError::ReadOnly { .. })
            | Self::Root {
                source:
                    StoreError::Url { .. }
                    | StoreError::NoConditions { .. }
                    | StoreError::ReadOnly { .. },
                ..
            } => exit_code::CONFIG,
            Self::History(error) if error.is_usage() => exit_code::USAGE,
            Self::History(HistoryError::Checkpoint(CheckpointError::Damaged { .. })) => {
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

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    completions::answer();
    let arguments = Arguments::parse();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::from(exit_code::OK),
        // A reader that has seen enough (`| head`) is no failure of ours.
        Err(CommandError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::from(exit_code::OK)
        }
        Err(error) => {
            report(&error);
            ExitCode::from(error.exit_code())
        }
    }
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
fn report(error: &CommandError) {
    let paint = Paint::stderr();
    let mut text = format!("{} {error}\n", paint.tone(Tone::Bad, "error:"));
    let mut cause = std::error::Error::source(error);
    let mut shown = error.to_string();
    while let Some(error) = cause {
        let message = error.to_string();
        if !shown.ends_with(&message) {
            let _ = writeln!(text, "  because: {message}");
        }
        shown = message;
        cause = error.source();
    }
    if let Some(remedy) = remedy::remedy(error) {
        let label = paint.tone(Tone::Good, "remedy:");
        let _ = writeln!(text, "  {label} {remedy}");
    }
    // Where standard error cannot be written, the exit code still tells.
    let _ = std::io::Write::write_all(&mut std::io::stderr().lock(), text.as_bytes());
}
