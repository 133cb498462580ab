//! The translations that `translate` looks up: tables `source_lang, source_text, text_fr`.
//!
//! *Invariant*: a text has one translation. Keys are normalised texts, so two rows that differ only in white space or in how their
//! accents are encoded are one; where they disagree, the error names both places.

use super::row_wise::in_order_of;
use super::{Environment, StageError, StageRun};
use crate::checkpoint::CheckpointError;
use crate::fingerprint::Digest;
use crate::schema;
use crate::source::{Record, read_table};
use crate::store::{SharedStore, open_existing};
use crate::text::normalize_key;
use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use std::collections::HashMap;
use std::sync::Arc;

/// Endings of the tables of a folder.
const ENDINGS: [&str; 4] = [".csv", ".ndjson", ".jsonl", ".parquet"];

/// Where the tables of translations lie.
pub(super) struct LookupTables {
    store: SharedStore,
    tables: Vec<String>,
}

impl LookupTables {
    /// Finds the tables of a location: one table, or a folder of them; below the source root, or by absolute path or URL.
    /// One that is not there holds no tables, and is said so.
    pub(super) fn open(environment: &Environment, location: &str) -> Result<Self, StageError> {
        let source = environment.source.clone();
        if location.is_empty() {
            return Ok(Self {
                store: source,
                tables: Vec::new(),
            });
        }
        let is_elsewhere = location.starts_with('/') || location.contains("://");
        let (store, path) = match location.trim_end_matches('/').rsplit_once('/') {
            Some((root, name)) if is_elsewhere => (open_existing(root)?, name),
            _ => (source, location.trim_end_matches('/')),
        };
        let tables = if store.head(path)?.is_some() {
            vec![path.to_owned()]
        } else {
            let objects = store.list(path)?.into_iter().map(|object| object.path);
            objects
                .filter(|path| ENDINGS.iter().any(|ending| path.ends_with(ending)))
                .collect()
        };
        if tables.is_empty() {
            tracing::warn!(
                location,
                "there is no table of translations; foreign texts are pending"
            );
        }
        Ok(Self { store, tables })
    }

    /// The tables as fields of a fingerprint.
    pub(super) fn fields(
        &self,
        environment: &Environment,
    ) -> Result<Vec<(String, String)>, StageError> {
        let field = |table: &String| {
            let identity = environment.identify_in(&self.store, table)?;
            Ok((format!("lookup.{table}"), identity))
        };
        self.tables.iter().map(field).collect()
    }

    /// Reads every table.
    pub(super) fn read(&self) -> Result<Lookup, StageError> {
        let mut texts: HashMap<String, Translation> = HashMap::new();
        for table in &self.tables {
            self.read_table(table, &mut texts)?;
        }
        let mut sorted: Vec<_> = texts
            .iter()
            .map(|(key, translation)| [key.as_str(), &translation.text])
            .collect();
        sorted.sort_unstable();
        let digest = Digest::of_strings(sorted.into_iter().flatten());
        Ok(Lookup { texts, digest })
    }

    fn read_table(
        &self,
        table: &str,
        texts: &mut HashMap<String, Translation>,
    ) -> Result<(), StageError> {
        let columns = ["source_text".to_owned(), "text_fr".to_owned()];
        read_table::<StageError>(&*self.store, table, &columns, &mut |record| {
            let (line, [source, text]) = match record {
                Record::Row { line, values } => match <[String; 2]>::try_from(values) {
                    Ok(values) => (line, values),
                    Err(_) => return Ok(()),
                },
                Record::Bad(bad) => {
                    tracing::warn!(
                        table,
                        line = bad.line,
                        reason = bad.reason,
                        "translation passed over"
                    );
                    return Ok(());
                }
            };
            let key = normalize_key(&source);
            // A pending text that nobody has translated yet.
            if key.is_empty() || text.trim().is_empty() {
                return Ok(());
            }
            let place = format!("{table} line {line}");
            match texts.get(&key) {
                Some(other) if other.text != text => Err(StageError::ConflictingTranslations {
                    first: other.place.clone(),
                    second: place,
                    text: key,
                }),
                Some(_) => Ok(()),
                None => {
                    texts.insert(key, Translation { place, text });
                    Ok(())
                }
            }
        })
    }
}

/// One translation, and where it stands.
struct Translation {
    place: String,
    text: String,
}

/// Translations of one product: of the whole text, or of its fields.
pub(super) struct Found {
    whole: Option<String>,
    title: Option<String>,
    description: Option<String>,
}

/// A product's texts in one language.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Texts {
    /// Both fields as one.
    pub(super) whole: String,
    pub(super) title: String,
    pub(super) description: String,
}

impl Found {
    /// The translated texts, where every field that is not empty has a translation. Of a translation of the whole nobody knows
    /// where its title ends, so all of it is the title.
    pub(super) fn assemble(&self, title: &str, description: &str) -> Option<Texts> {
        if let Some(whole) = &self.whole {
            return Some(Texts {
                whole: whole.clone(),
                title: whole.clone(),
                description: String::new(),
            });
        }
        let field = |text: &str, found: &Option<String>| {
            if text.trim().is_empty() {
                Some(None)
            } else {
                found.clone().map(Some)
            }
        };
        let (title, description) = (
            field(title, &self.title)?,
            field(description, &self.description)?,
        );
        let whole = match (&title, &description) {
            (Some(title), Some(description)) => [title, " ", description].concat(),
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (None, None) => return None,
        };
        Some(Texts {
            whole,
            title: title.unwrap_or_default(),
            description: description.unwrap_or_default(),
        })
    }
}

/// All translations, by normalised text.
pub(super) struct Lookup {
    texts: HashMap<String, Translation>,
    digest: Digest,
}

impl Lookup {
    /// Number of texts.
    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// Digest of what is translated how, wherever it stands.
    pub(super) fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Looks the rows of a part up, by the query `translate`.
    pub(super) fn find(
        &self,
        run: &StageRun<'_>,
        products: &RecordBatch,
        merged: &[String],
    ) -> Result<Vec<Found>, StageError> {
        let keys_of = |column: &str| -> Result<Vec<String>, StageError> {
            let values: &StringArray = schema::column(products, column)?;
            Ok(values
                .iter()
                .map(|value| normalize_key(value.unwrap_or_default()))
                .collect())
        };
        let keys = [
            merged.iter().map(|text| normalize_key(text)).collect(),
            keys_of("title")?,
            keys_of("description")?,
        ];
        // Only what this part can match is handed to the query, so that its cost does not grow with the table.
        let mut matching: Vec<(&str, &str)> = keys
            .iter()
            .flatten()
            .filter_map(|key| self.texts.get_key_value(key))
            .map(|(key, translation)| (key.as_str(), translation.text.as_str()))
            .collect();
        matching.sort_unstable();
        matching.dedup();
        if matching.is_empty() {
            let none = || Found {
                whole: None,
                title: None,
                description: None,
            };
            return Ok(std::iter::repeat_with(none).take(merged.len()).collect());
        }
        let [whole, title, description] =
            keys.map(|keys: Vec<String>| -> ArrayRef { Arc::new(StringArray::from(keys)) });
        let texts = table(vec![
            ("id", products.column(0).clone()),
            ("text_key", whole),
            ("title_key", title),
            ("description_key", description),
        ])?;
        let lookup = table(vec![
            ("key", texts_of(matching.iter().map(|(key, _)| *key))),
            ("text_fr", texts_of(matching.iter().map(|(_, text)| *text))),
        ])?;
        let result = run
            .environment
            .queries
            .run("translate", &[("texts", &texts), ("lookup", &lookup)])?;
        let result = schema::conform(&result, &found_schema())?;
        in_order_of(products, &result, "translate", |row| {
            let value = |name: &str| -> Result<Option<String>, CheckpointError> {
                let values: &StringArray = schema::column(&result, name)?;
                Ok(values.is_valid(row).then(|| values.value(row).to_owned()))
            };
            Ok(Found {
                whole: value("text_fr")?,
                title: value("title_fr")?,
                description: value("description_fr")?,
            })
        })
    }
}

fn found_schema() -> SchemaRef {
    let optional = |name: &str| Field::new(name, DataType::Utf8, true);
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Utf8, false),
        optional("text_fr"),
        optional("title_fr"),
        optional("description_fr"),
    ]))
}

fn table(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch, StageError> {
    RecordBatch::try_from_iter(columns).map_err(|source| {
        CheckpointError::Arrow {
            what: "rows for a query".to_owned(),
            source,
        }
        .into()
    })
}

fn texts_of<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assemble(found: [Option<&str>; 3], title: &str, description: &str) -> Option<[String; 3]> {
        let [whole, title_found, description_found] = found.map(|text| text.map(str::to_owned));
        let found = Found {
            whole,
            title: title_found,
            description: description_found,
        };
        let texts = found.assemble(title, description)?;
        Some([texts.whole, texts.title, texts.description])
    }

    #[test]
    fn fields_are_translated_together_or_each_on_its_own() {
        let texts = |texts: [&str; 3]| Some(texts.map(str::to_owned));
        let both = [None, Some("titre"), Some("texte")];
        assert_eq!(
            assemble(both, "title", "text"),
            texts(["titre texte", "titre", "texte"])
        );
        assert_eq!(
            assemble([Some("tout"), Some("titre"), None], "title", "text"),
            texts(["tout", "tout", ""])
        );
        let title_alone = [None, Some("titre"), None];
        assert_eq!(assemble(title_alone, "title", "text"), None);
        assert_eq!(
            assemble(title_alone, "title", " "),
            texts(["titre", "titre", ""])
        );
        assert_eq!(
            assemble([None, None, Some("texte")], "", "text"),
            texts(["texte", "", "texte"])
        );
        assert_eq!(assemble([None; 3], "", ""), None);
    }
}
