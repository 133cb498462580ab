//! What operators see of a run: log lines, the summary of a failed run, metrics, lineage, and the files for the nightly start.

mod lineage;
mod logs;
mod metrics;
mod receiver;
mod rules;
mod units;

use crate::space::TestSpace;

/// A check that fails its stage.
const FAILING_CHECK: &str = "-- stage: split\n-- Nothing is held back.\nSELECT id, fold FROM labelled WHERE fold = 'test' ORDER BY id\n";

/// A space whose run fails at the stage `split`, by a check.
fn failing() -> TestSpace {
    let space = TestSpace::new();
    space.write("sql/checks/nothing_is_tested.sql", FAILING_CHECK);
    space
}
