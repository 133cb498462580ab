//! `rayonnage schema`: the JSON Schema of the configuration.

use super::CommandError;
use super::output::print_json;
use crate::config::json_schema;
use crate::stages::kind_schemas;

/// Prints the JSON Schema.
pub(super) fn schema() -> Result<(), CommandError> {
    print_json(&json_schema(&kind_schemas()))?;
    Ok(())
}
