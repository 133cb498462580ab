//! CSV: RFC 4180 quoting, optional byte-order mark, line breaks inside quotes.
//!
//! A quote that is never closed would swallow every row after it. So where a record of several lines has
//! the wrong number of fields, only its first line is rejected and reading starts over at the next one.

use super::SourceError;
use super::chunked::ChunkedReader;
use super::table::{BadRecord, Record, locate, text_of};
use ::csv::{ByteRecord, ReaderBuilder, Terminator};
use std::io::{BufRead, BufReader, Read};

/// Longest record in bytes; a longer one is an open quote, whatever its fields.
const MAX_RECORD_BYTES: u64 = 16 << 20;

pub(super) fn read<'a, E: From<SourceError>>(
    open: &dyn Fn(u64) -> ChunkedReader<'a>,
    table: &str,
    columns: &[String],
    visit: &mut dyn FnMut(Record) -> Result<(), E>,
) -> Result<(), E> {
    let mut start = Start { offset: 0, line: 1 };
    let mut header: Option<Header> = None;
    while let Some(next) = read_from(open, start, &mut header, table, columns, visit)? {
        start = next;
    }
    if header.is_none() {
        return Err(SourceError::Empty {
            table: table.to_owned(),
        }
        .into());
    }
    Ok(())
}

/// A place to start reading from.
#[derive(Debug, Clone, Copy)]
struct Start {
    offset: u64,
    line: u64,
}

/// What the first record says.
struct Header {
    fields: usize,
    wanted: Vec<usize>,
}

/// Reads on from a place; returns the place to start over from after a broken record.
fn read_from<'a, E: From<SourceError>>(
    open: &dyn Fn(u64) -> ChunkedReader<'a>,
    start: Start,
    header: &mut Option<Header>,
    table: &str,
    columns: &[String],
    visit: &mut dyn FnMut(Record) -> Result<(), E>,
) -> Result<Option<Start>, E> {
    let unreadable = |error: ::csv::Error| {
        E::from(SourceError::Unreadable {
            table: table.to_owned(),
            detail: error.to_string(),
        })
    };
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        // Only `\n` ends a line, so that positions are exact; the `\r` before it is taken off the last field.
        .terminator(Terminator::Any(b'\n'))
        .from_reader(open(start.offset));
    let mut record = ByteRecord::new();
    loop {
        let before = (reader.position().byte(), reader.position().line());
        if !reader.read_byte_record(&mut record).map_err(unreadable)? {
            return Ok(None);
        }
        let position = record
            .position()
            .map_or(before, |at| (at.byte(), at.line()));
        let line = start.line + position.1 - 1;
        let Some(header) = header else {
            *header = Some(read_header(&record, table, columns)?);
            continue;
        };
        if record.len() == 1 && record[0] == *b"\r" {
            continue;
        }
        let bytes = reader.position().byte() - position.0;
        let spans_lines = reader.position().line() > position.1 + 1;
        let raw = || read_raw(open(start.offset + position.0), bytes, table);
        let is_whole = bytes <= MAX_RECORD_BYTES
            && (!spans_lines || !holds_quotes(&record) || is_well_quoted(&raw()?));
        if record.len() == header.fields && is_whole {
            visit(to_record(&record, header, line))?;
            continue;
        }
        let (found, expected) = (record.len(), header.fields);
        if !spans_lines {
            let detail = format!("{found} fields where the header has {expected}");
            visit(Record::Bad(BadRecord {
                line,
                reason: "field_count",
                detail,
            }))?;
            continue;
        }
        let detail = format!("a quote that is not closed: {found} of {expected} fields");
        visit(Record::Bad(BadRecord {
            line,
            reason: "broken_quoting",
            detail,
        }))?;
        let offset = start.offset + position.0;
        let skipped = line_bytes(open(offset), table)?;
        return Ok(Some(Start {
            offset: offset + skipped,
            line: line + 1,
        }));
    }
}

/// Whether a field holds a quote: only then can its quoting be broken and its fields as many as they should be.
fn holds_quotes(record: &ByteRecord) -> bool {
    record.as_slice().contains(&b'"')
}

fn read_raw<E: From<SourceError>>(
    reader: ChunkedReader<'_>,
    bytes: u64,
    table: &str,
) -> Result<Vec<u8>, E> {
    let mut raw = Vec::new();
    reader.take(bytes).read_to_end(&mut raw).map_err(|error| {
        E::from(SourceError::Unreadable {
            table: table.to_owned(),
            detail: error.to_string(),
        })
    })?;
    Ok(raw)
}

/// Whether a closing quote always ends its field, as RFC 4180 has it; the parser is more lenient.
fn is_well_quoted(raw: &[u8]) -> bool {
    let mut bytes = raw.iter().copied().peekable();
    let mut at_start = true;
    while let Some(byte) = bytes.next() {
        if !at_start || byte != b'"' {
            at_start = matches!(byte, b',' | b'\n' | b'\r');
            continue;
        }
        loop {
            match bytes.next() {
                None => return false,
                Some(b'"') if bytes.peek() == Some(&b'"') => drop(bytes.next()),
                Some(b'"') => break,
                Some(_) => {}
            }
        }
        if !matches!(bytes.peek(), None | Some(b',' | b'\n' | b'\r')) {
            return false;
        }
        at_start = false;
    }
    true
}

/// Length in bytes of the first line that is not empty.
fn line_bytes<E: From<SourceError>>(reader: ChunkedReader<'_>, table: &str) -> Result<u64, E> {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    reader.read_until(b'\n', &mut line).map_err(|error| {
        E::from(SourceError::Unreadable {
            table: table.to_owned(),
            detail: error.to_string(),
        })
    })?;
    Ok(line.len() as u64)
}

fn read_header<E: From<SourceError>>(
    record: &ByteRecord,
    table: &str,
    columns: &[String],
) -> Result<Header, E> {
    let names: Vec<String> = record
        .iter()
        .enumerate()
        .map(|(at, name)| {
            let name = if at == 0 {
                name.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(name)
            } else {
                name
            };
            String::from_utf8_lossy(name)
                .trim()
                .trim_matches('"')
                .to_owned()
        })
        .collect();
    let wanted = locate(table, &names, columns)?;
    Ok(Header {
        fields: names.len(),
        wanted,
    })
}

fn to_record(record: &ByteRecord, header: &Header, line: u64) -> Record {
    let last = header.fields - 1;
    let field = |at: usize| {
        let field = &record[at];
        if at == last {
            field.strip_suffix(b"\r").unwrap_or(field)
        } else {
            field
        }
    };
    let values = header
        .wanted
        .iter()
        .map(|at| text_of(field(*at)).map(str::to_owned));
    match values.collect::<Result<Vec<_>, _>>() {
        Ok(values) => Record::Row { line, values },
        Err((reason, detail)) => Record::Bad(BadRecord {
            line,
            reason,
            detail,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{ObjectBackedStore, Store};
    use bytes::Bytes;

    fn read_text(text: &[u8], columns: &[&str]) -> Result<Vec<Record>, SourceError> {
        let store = ObjectBackedStore::memory();
        store.create("t.csv", Bytes::copy_from_slice(text)).unwrap();
        let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
        let mut records = Vec::new();
        super::super::read_table(&store, "t.csv", &columns, &mut |record| {
            records.push(record);
            Ok::<(), SourceError>(())
        })?;
        Ok(records)
    }

    fn row(line: u64, values: &[&str]) -> Record {
        Record::Row {
            line,
            values: values.iter().map(|value| (*value).to_owned()).collect(),
        }
    }

    #[test]
    fn quoting_line_breaks_and_a_byte_order_mark() {
        let text = "\u{feff}id,a,b\n1,\"x,\ny\",\"say \"\"hi\"\"\"\n2,,z\n";
        assert_eq!(
            read_text(text.as_bytes(), &["id", "b", "a"]).unwrap(),
            [
                row(2, &["1", "say \"hi\"", "x,\ny"]),
                row(4, &["2", "z", ""])
            ]
        );
    }

    #[test]
    fn an_open_quote_costs_one_line() {
        let records = read_text(b"id,a\n1,x\n2,\"open\n3,y\n4,\"z\"\n5,w\n", &["id", "a"]).unwrap();
        let ids: Vec<&str> = records
            .iter()
            .filter_map(|record| match record {
                Record::Row { values, .. } => Some(values[0].as_str()),
                Record::Bad(_) => None,
            })
            .collect();
        assert_eq!(ids, ["1", "3", "4", "5"]);
        let bad: Vec<&BadRecord> = records
            .iter()
            .filter_map(|record| {
                if let Record::Bad(bad) = record {
                    Some(bad)
                } else {
                    None
                }
            })
            .collect();
        assert_eq!(
            (bad.len(), bad[0].line, bad[0].reason),
            (1, 3, "broken_quoting")
        );
    }

    #[test]
    fn lines_that_end_in_carriage_return_and_line_feed() {
        let text = b"id,a\r\n1,x\r\n\r\n2,\"open\r\n3,\"y\"\r\n4,\r\n";
        let records = read_text(text, &["id", "a"]).unwrap();
        assert_eq!(records.len(), 4, "{records:?}");
        assert_eq!(records[0], row(2, &["1", "x"]));
        assert!(
            matches!(&records[1], Record::Bad(bad) if (bad.line, bad.reason) == (4, "broken_quoting"))
        );
        assert_eq!(records[2..], [row(5, &["3", "y"]), row(6, &["4", ""])]);
    }

    #[test]
    fn quoting_is_judged_as_rfc_4180_has_it() {
        for good in [
            "a,b\n",
            "\"a\",\"b \"\"c\"\"\n\"\r\n",
            "a\"b,c",
            "\"\",\"\"",
        ] {
            assert!(is_well_quoted(good.as_bytes()), "{good}");
        }
        for bad in ["\"a\"b,c\n", "\"a", "a,\"b\n4,\"z\"\n"] {
            assert!(!is_well_quoted(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn bad_bytes_and_field_counts_are_rows_of_their_own() {
        let records = read_text(b"id,a\n1,\xff\n2\n3,x\0y\n4,ok\n", &["id", "a"]).unwrap();
        let reasons: Vec<&str> = records
            .iter()
            .filter_map(|record| {
                if let Record::Bad(bad) = record {
                    Some(bad.reason)
                } else {
                    None
                }
            })
            .collect();
        assert_eq!(reasons, ["invalid_utf8", "field_count", "nul_byte"]);
        assert_eq!(records[3], row(5, &["4", "ok"]));
    }

    #[test]
    fn a_missing_column_is_named_with_what_is_there() {
        let error = read_text(b"id,designation\n", &["id", "desgination"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("no column \"desgination\""), "{error}");
        assert!(error.contains("did you mean \"designation\"?"), "{error}");
    }

    #[test]
    fn an_empty_file_is_an_error() {
        assert!(matches!(
            read_text(b"", &["id"]),
            Err(SourceError::Empty { .. })
        ));
    }
}
