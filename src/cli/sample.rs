//! `rayonnage sample`.

use super::CommandError;
use super::args::SampleArguments;
use super::output::print;
use crate::sample::{SampleOptions, write};

/// Writes the synthetic catalogue, or finds it there.
pub(super) fn sample(arguments: &SampleArguments) -> Result<(), CommandError> {
    let options = SampleOptions {
        rows: arguments.rows,
        seed: arguments.seed,
        ..SampleOptions::default()
    };
    let stats = write(&arguments.folder, &options)?;
    let verb = if stats.reused { "found" } else { "wrote" };
    print(&format!(
        "{verb} a sample catalogue in {}: {} labelled and {} unlabelled products, {} images, {} translations\n",
        arguments.folder.display(),
        stats.labelled_rows,
        stats.unlabelled_rows,
        stats.image_files,
        stats.translations,
    ))?;
    Ok(())
}
