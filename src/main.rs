//! The `rayonnage` program.

fn main() {
    rayonnage::cli::main()
}
