//! `rayonnage run`.

use super::args::{Common, RunArguments, SelectionArguments};
use super::{CommandError, output, report, setup};
use crate::cancel::CancelToken;
use crate::monitor::Monitor;
use crate::runner::{RunOptions, SelectionOptions, new_run_id, run as run_pipeline, select};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Runs the pipeline and prints what came out.
pub(super) fn run(common: &Common, options: &RunArguments) -> Result<(), CommandError> {
    let monitor = Monitor::new(std::io::stderr().is_terminal());
    setup::logging(common, &monitor);
    let jobs = options.jobs.map_or_else(setup::cores, usize::from);
    // A pool that is there already (in tests of the library) is as good.
    let _ = rayon::ThreadPoolBuilder::new()
        .num_threads(jobs)
        .build_global();
    let cancel = CancelToken::default();
    listen(&cancel)?;
    let pipeline = setup::pipeline(common, setup::Access::Write, jobs, cancel)?;
    let selection = select(&pipeline, &selection(&options.selection))?;
    let options = RunOptions {
        run_id: new_run_id(),
        stages_at_once: jobs,
    };
    let record = run_pipeline(&pipeline, &selection, &options, &monitor)?;
    let report = report::after_run(&pipeline, &record);
    output::print_record(&record, &pipeline, report.as_deref())?;
    Ok(())
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
fn listen(cancel: &CancelToken) -> Result<(), CommandError> {
    for signal in [SIGINT, SIGTERM] {
        let number = usize::try_from(signal).unwrap_or_default();
        let is_second = Arc::new(AtomicBool::new(false));
        flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&is_second))?;
        flag::register(signal, is_second)?;
        flag::register_usize(signal, cancel.cell(), number)?;
    }
    Ok(())
}
