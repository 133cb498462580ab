//! `rayonnage run`.

use super::args::{Common, RunArguments, SelectionArguments};
use super::{CommandError, log, output, report, setup};
use crate::cancel::CancelToken;
use crate::config::PipelineConfig;
use crate::monitor::Monitor;
use crate::operation::Operation;
use crate::runner::{
    Ended, Pipeline, RunOptions, RunRecord, SelectionOptions, new_run_id, run_observed, select,
};
use crate::sql::Queries;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// The variable with the command that a run is started by again, where that is not the program itself.
const RESUME: &str = "RAYONNAGE_RESUME";

/// Runs the pipeline and prints what came out.
pub(super) fn run(common: &Common, options: &RunArguments) -> Result<(), CommandError> {
    let started = Instant::now();
    let run = new_run_id();
    log::begin_run(&run);
    let monitor = Monitor::new(log::shows_bars(common));
    setup::logging(common, &monitor);
    let cancel = CancelToken::default();
    listen(&cancel)?;
    let (config, queries) = setup::configuration(common)?;
    let lookup = |name: &str| std::env::var(name).ok();
    let mut operation = Operation::begin(&config, &run, &lookup);
    let attempt = Attempt {
        common,
        options,
        monitor: &monitor,
        run: &run,
    };
    let (pipeline, ended) = match attempt.open(config, queries, cancel) {
        Ok(pipeline) => {
            let ended = attempt.run(&pipeline, &mut operation);
            (Some(pipeline), ended)
        }
        Err(error) => (None, Err(error)),
    };
    let (record, failure) = match ended {
        Ok(Ended { record, failure }) => (record, failure.map(CommandError::from)),
        Err(error) => (None, Some(error)),
    };
    let exit_code = failure.as_ref().map_or(0, CommandError::exit_code);
    // Before anything is printed: a closed pipe is no reason to tell nobody.
    operation.finish(exit_code);
    match (failure, pipeline, record) {
        (Some(error), pipeline, record) => {
            if let (Some(pipeline), Some(record)) = (&pipeline, &record) {
                let report = report::after_run(pipeline, record);
                if options.format.json {
                    output::print_json(record)?;
                } else if let Some(line) = report {
                    output::print(&line)?;
                }
            }
            let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            let summary = attempt.summary_of_failure(&error, record.as_ref(), elapsed_ms);
            Err(CommandError::failed(error, summary))
        }
        (None, Some(pipeline), Some(record)) => {
            let report = report::after_run(&pipeline, &record);
            if options.format.json {
                output::print_json(&record)?;
            } else {
                output::print_record(&record, &pipeline, report.as_deref())?;
            }
            setup::leave(pipeline);
            Ok(())
        }
        (None, ..) => unreachable!("a run without failure has a record"),
    }
}

/// One call of `run`, once the configuration is known.
struct Attempt<'a> {
    common: &'a Common,
    options: &'a RunArguments,
    monitor: &'a Monitor,
    run: &'a str,
}

impl Attempt<'_> {
    fn open(
        &self,
        config: PipelineConfig,
        queries: Queries,
        cancel: CancelToken,
    ) -> Result<Pipeline, CommandError> {
        let jobs = self.jobs();
        // A pool that is there already (in tests of the library) is as good.
        let _ = rayon::ThreadPoolBuilder::new()
            .num_threads(jobs)
            .build_global();
        let access = setup::Access::Write;
        setup::open(self.common, config, queries, access, jobs, cancel)
    }

    fn jobs(&self) -> usize {
        self.options.jobs.map_or_else(setup::cores, usize::from)
    }

    fn run(&self, pipeline: &Pipeline, operation: &mut Operation) -> Result<Ended, CommandError> {
        let selection = select(pipeline, &selection(&self.options.selection))?;
        let options = RunOptions {
            run_id: self.run.to_owned(),
            stages_at_once: self.jobs(),
        };
        let monitor = self.monitor;
        Ok(run_observed(
            pipeline, &selection, &options, monitor, operation,
        ))
    }

    /// What became of a run that failed, on one line.
    fn summary_of_failure(
        &self,
        error: &CommandError,
        record: Option<&RunRecord>,
        elapsed_ms: u64,
    ) -> String {
        output::failure_line(
            self.run,
            error.exit_code(),
            record,
            elapsed_ms,
            &self.command_to_resume(),
        )
    }

    /// The command that goes on where this one stopped: without what would force everything anew.
    fn command_to_resume(&self) -> String {
        let mut words = Vec::new();
        let config = self.common.config.display().to_string();
        if config != "pipeline.yaml" {
            words.extend(["--config".to_owned(), config]);
        }
        for setting in &self.common.set {
            words.extend(["--set".to_owned(), shown(setting)]);
        }
        if self.common.device != "auto" {
            words.extend(["--device".to_owned(), self.common.device.clone()]);
        }
        if let Some(jobs) = self.options.jobs {
            words.extend(["--jobs".to_owned(), jobs.to_string()]);
        }
        let selection = &self.options.selection;
        for (option, stage) in [("--until", &selection.until), ("--only", &selection.only)] {
            if let Some(stage) = stage {
                words.extend([option.to_owned(), stage.clone()]);
            }
        }
        // `scripts/night.sh` says how it is started for the day that it runs: after midnight it is another day.
        let start = std::env::var(RESUME).ok().filter(|start| !start.is_empty());
        let start = start.unwrap_or_else(|| format!("{}rayonnage run", night_of_environment()));
        let words = words.iter().map(|word| quoted(word));
        [start]
            .into_iter()
            .chain(words)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// The variables that say which night it is, as a shell takes them before a command.
fn night_of_environment() -> String {
    let set = ["RAYONNAGE_DATE", "RAYONNAGE_PROFILE"].into_iter();
    let set = set.filter_map(|name| {
        let value = std::env::var(name).ok().filter(|value| !value.is_empty())?;
        Some(format!("{name}={} ", quoted(&value)))
    });
    set.collect()
}

/// A setting without what may be a credential: the line that it stands in goes to logs.
fn shown(setting: &str) -> String {
    match setting.split_once('=') {
        Some((key, value)) if value.contains(['@', '?']) => format!("{key}=…"),
        _ => setting.to_owned(),
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

pub(super) fn selection(arguments: &SelectionArguments) -> SelectionOptions {
    SelectionOptions {
        from: arguments.from.clone(),
        until: arguments.until.clone(),
        only: arguments.only.clone(),
        force: arguments.force,
    }
}

/// The first signal asks the run to stop at a safe place; the second one ends the process at once.
pub(super) fn listen(cancel: &CancelToken) -> Result<(), CommandError> {
    for signal in [SIGINT, SIGTERM] {
        let number = usize::try_from(signal).unwrap_or_default();
        let is_second = Arc::new(AtomicBool::new(false));
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&is_second))?;
        flag::register(signal, is_second)?;
        flag::register_usize(signal, cancel.cell(), number)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_credential_is_not_repeated() {
        assert_eq!(shown("seed=7"), "seed=7");
        for secret in [
            "lineage.url=http://user:secret@host",
            "lineage.endpoint=x?code=secret",
        ] {
            assert!(!shown(secret).contains("secret"));
        }
    }

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(quoted("--set"), "--set");
        assert_eq!(quoted("seed=7"), "seed=7");
        assert_eq!(quoted("x={a: 1}"), "'x={a: 1}'");
        assert_eq!(quoted("l'an"), "'l'\\''an'");
        assert_eq!(quoted(""), "''");
    }
}
