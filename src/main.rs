//! The `rayonnage` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    rayonnage::cli::main()
}
