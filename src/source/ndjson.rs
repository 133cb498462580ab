//! Newline-delimited JSON: one object a line.

use super::SourceError;
use super::table::{BadRecord, Record, text_of};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};

pub(super) fn read<E: From<SourceError>>(
    input: impl Read,
    table: &str,
    columns: &[String],
    visit: &mut dyn FnMut(Record) -> Result<(), E>,
) -> Result<(), E> {
    let mut input = BufReader::new(input);
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut bytes = Vec::new();
    let mut line = 0;
    loop {
        bytes.clear();
        let count = input.read_until(b'\n', &mut bytes).map_err(|error| {
            E::from(SourceError::Unreadable {
                table: table.to_owned(),
                detail: error.to_string(),
            })
        })?;
        if count == 0 {
            break;
        }
        line += 1;
        let record = bytes
            .strip_prefix(b"\xEF\xBB\xBF")
            .unwrap_or(&bytes)
            .trim_ascii();
        if !record.is_empty() {
            visit(parse(record, line, columns, &mut seen))?;
        }
    }
    if line == 0 {
        return Err(SourceError::Empty {
            table: table.to_owned(),
        }
        .into());
    }
    // A key may be left out of an object, but one that no object has is a mistake in the configuration.
    let present: Vec<String> = seen.into_iter().collect();
    super::table::locate(table, &present, columns)?;
    Ok(())
}

fn parse(bytes: &[u8], line: u64, columns: &[String], seen: &mut BTreeSet<String>) -> Record {
    let bad = |reason, detail| {
        Record::Bad(BadRecord {
            line,
            reason,
            detail,
        })
    };
    let text = match text_of(bytes) {
        Ok(text) => text,
        Err((reason, detail)) => return bad(reason, detail),
    };
    let object: Map<String, Value> = match serde_json::from_str(text) {
        Ok(object) => object,
        Err(error) => return bad("invalid_json", error.to_string()),
    };
    for key in object.keys() {
        if !seen.contains(key) {
            seen.insert(key.clone());
        }
    }
    let values: Vec<String> = columns
        .iter()
        .map(|column| to_text(object.get(column)))
        .collect();
    if values.iter().any(|value| value.contains('\0')) {
        return bad("nul_byte", "a field holds a NUL byte".to_owned());
    }
    Record::Row { line, values }
}

fn to_text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str, columns: &[&str]) -> Result<Vec<Record>, SourceError> {
        let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
        let mut records = Vec::new();
        read(text.as_bytes(), "t.ndjson", &columns, &mut |record| {
            records.push(record);
            Ok::<(), SourceError>(())
        })?;
        Ok(records)
    }

    #[test]
    fn values_become_text_and_bad_lines_are_rows() {
        let records = read_text(
            "{\"id\":7,\"a\":\"x\"}\n\n{\"id\":\"8\",\"a\":null}\n{oops\n",
            &["id", "a"],
        )
        .unwrap();
        let values = |record: &Record| match record {
            Record::Row { values, .. } => values.join("|"),
            Record::Bad(bad) => bad.reason.to_owned(),
        };
        assert_eq!(
            records.iter().map(values).collect::<Vec<_>>(),
            ["7|x", "8|", "invalid_json"]
        );
    }

    #[test]
    fn a_column_that_no_object_has_is_an_error() {
        assert!(matches!(
            read_text("{\"id\":1}\n", &["id", "a"]),
            Err(SourceError::MissingColumn { .. })
        ));
    }
}
