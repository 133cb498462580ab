//! One way to read a table, whatever its format.

use super::chunked::ChunkedReader;
use super::{SourceError, csv, ndjson, parquet};
use crate::store::Store;
use crate::suggest::suggestion;

/// One record of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// Its values of the wanted columns, in their order; absent values are empty.
    Row {
        /// First line of the record, from 1 (the number of the row for Parquet).
        line: u64,
        /// The values.
        values: Vec<String>,
    },
    /// It cannot be used.
    Bad(BadRecord),
}

/// A record that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRecord {
    /// First line of the record, from 1.
    pub line: u64,
    /// Reason code.
    pub reason: &'static str,
    /// What was found.
    pub detail: String,
}

/// Reads the wanted columns of every record, in order, and hands each to `visit`.
///
/// # Errors
///
/// [`SourceError::MissingColumn`] and the like; whatever `visit` returns.
pub fn read_table<E: From<SourceError>>(
    store: &dyn Store,
    path: &str,
    columns: &[String],
    visit: &mut dyn FnMut(Record) -> Result<(), E>,
) -> Result<(), E> {
    let info = store.head(path).map_err(SourceError::from)?;
    let url = format!("{}/{path}", store.url());
    let Some(info) = info else {
        return Err(SourceError::from(crate::store::StoreError::NotFound { url }).into());
    };
    let open = |offset| ChunkedReader::new(store, path, info.size_bytes, offset);
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("csv") => csv::read(&open, &url, columns, visit),
        Some("ndjson" | "jsonl") => ndjson::read(open(0), &url, columns, visit),
        Some("parquet") => {
            // From another machine in ranges side by side.
            let bytes = open(0).whole().map_err(SourceError::from)?;
            parquet::read(bytes, &url, columns, visit)
        }
        _ => Err(SourceError::UnknownFormat { table: url }.into()),
    }
}

/// Finds each wanted column among those that a table has.
pub(super) fn locate(
    table: &str,
    present: &[String],
    wanted: &[String],
) -> Result<Vec<usize>, SourceError> {
    let find = |column: &String| {
        present
            .iter()
            .position(|name| name == column)
            .ok_or_else(|| SourceError::MissingColumn {
                table: table.to_owned(),
                column: column.clone(),
                present: present.iter().map(|name| format!("{name:?}")).collect(),
                suggestion: suggestion(column, present.iter().map(String::as_str))
                    .map(str::to_owned),
            })
    };
    wanted.iter().map(find).collect()
}

/// Turns the bytes of one value into text, or says why not.
pub(super) fn text_of(bytes: &[u8]) -> Result<&str, (&'static str, String)> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        (
            "invalid_utf8",
            format!("byte {} of a field", error.valid_up_to()),
        )
    })?;
    if text.contains('\0') {
        return Err(("nul_byte", "a field holds a NUL byte".to_owned()));
    }
    Ok(text)
}
