//! `translate`: texts of other languages, looked up in a table of translations.
//!
//! There is no machine translation here: what the table lacks goes to `pending`, each distinct text once (as the lookup tells texts
//! apart, by their normalised keys), and to
//! `files/pending.csv` for a translator; the filled table is read by the next run.

use super::detect_language::merged_texts;
use super::lookup::{Lookup, LookupTables, Texts};
use super::row_wise::{Aligned, RowWise, process, same_names};
use super::{Environment, Kind, Stage, StageError, StageOutput, StageRun, one};
use crate::checkpoint::{CheckpointError, CheckpointWriter};
use crate::config::{Issue, NeedRule};
use crate::fingerprint::Digest;
use crate::schema::{self, LABELLED, PENDING, UNLABELLED};
use crate::text::{UNDETERMINED, ensure_language_code, normalize_key};
use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::sync::Arc;

/// Side dataset: one row for each product whose text has no translation.
const MISSING: &str = "missing";

/// What becomes of a foreign text without translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OnMissing {
    /// It stays as it is.
    Keep,
    /// It is left out; the product is then one without text.
    Drop,
    /// The stage fails.
    Fail,
}

/// Parameters of `translate`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(super) struct Params {
    /// ISO 639-1 code of the language that the models read.
    target: String,
    /// Table `source_lang, source_text, text_fr`, or a folder of such tables: below the source root, or an absolute
    /// path or URL; empty for none.
    lookup: String,
    /// What becomes of a foreign text without translation.
    on_missing: OnMissing,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            target: "fr".to_owned(),
            lookup: String::new(),
            on_missing: OnMissing::Keep,
        }
    }
}

/// The stage.
pub(super) struct Translate {
    params: Params,
}

impl Kind for Translate {
    const NAME: &'static str = "translate";
    const SUMMARY: &'static str = "Looks texts of other languages up in a table of translations.";
    type Params = Params;

    fn needs(_: &Params) -> Vec<NeedRule> {
        vec![
            one("ingest", &[LABELLED, UNLABELLED]),
            one("detect_language", &[LABELLED, UNLABELLED]),
        ]
    }

    fn validate(params: &Params, path: &str, issues: &mut Vec<Issue>) {
        if let Err(error) = ensure_language_code(&params.target) {
            issues.push(Issue::new(format!("{path}.target"), error.to_string()));
        }
    }

    fn new(params: Params) -> Self {
        Self { params }
    }
}

impl Stage for Translate {
    fn version(&self) -> u32 {
        3
    }

    fn queries(&self) -> &'static [&'static str] {
        &["merge_text", "translate", "pending"]
    }

    fn external_fields(
        &self,
        environment: &Environment,
    ) -> Result<Vec<(String, String)>, StageError> {
        LookupTables::open(environment, &self.params.lookup)?.fields(environment)
    }

    fn run(&self, run: &StageRun<'_>) -> Result<StageOutput, StageError> {
        let lookup = LookupTables::open(run.environment, &self.params.lookup)?.read()?;
        let (products, languages) = (run.input("ingest")?, run.input("detect_language")?);
        let spec = RowWise {
            aligned: vec![
                Aligned {
                    input: products,
                    columns: &["id", "title", "description"],
                },
                Aligned {
                    input: languages,
                    columns: &["id", "language"],
                },
            ],
            datasets: same_names(products),
            sides: &[MISSING],
            extra: vec![lookup.digest().to_string()],
            extra_of: None,
            unit: "rows",
            most_workers: usize::MAX,
        };
        let writer = process(run, &spec, &|_, batches| self.part(run, &lookup, batches))?;
        let pending = write_pending(run, &writer)?;
        let texts = pending.num_rows() as u64;
        if self.params.on_missing == OnMissing::Fail && texts > 0 {
            let first = schema::column::<StringArray>(&pending, "source_text")?
                .value(0)
                .to_owned();
            return Err(StageError::MissingTranslations {
                count: texts,
                first,
            });
        }
        let mut summary = Map::new();
        summary.insert("translations".to_owned(), json!(lookup.len()));
        summary.insert("pending".to_owned(), json!(texts));
        Ok(StageOutput { writer, summary })
    }
}

impl Translate {
    fn part(
        &self,
        run: &StageRun<'_>,
        lookup: &Lookup,
        batches: &[RecordBatch],
    ) -> Result<Vec<RecordBatch>, StageError> {
        let titles: &StringArray = schema::column(&batches[0], "title")?;
        let descriptions: &StringArray = schema::column(&batches[0], "description")?;
        let languages: &StringArray = schema::column(&batches[1], "language")?;
        let merged = merged_texts(run, &batches[0])?;
        let found = lookup.find(run, &batches[0], &merged)?;
        let mut texts: Vec<Texts> = Vec::with_capacity(merged.len());
        let mut translated = Vec::with_capacity(merged.len());
        let mut missing: Vec<(&str, String)> = Vec::new();
        for (row, merged) in merged.into_iter().enumerate() {
            let (title, description, language) = (
                titles.value(row),
                descriptions.value(row),
                languages.value(row),
            );
            let is_foreign = language != self.params.target && language != UNDETERMINED;
            let found = found[row].assemble(title, description);
            translated.push(found.is_some());
            if found.is_none() && is_foreign {
                missing.push((language, merged.clone()));
            }
            let is_dropped = is_foreign && self.params.on_missing == OnMissing::Drop;
            texts.push(match found {
                Some(texts) => texts,
                None if is_dropped => Texts::default(),
                None => Texts {
                    whole: merged,
                    title: title.to_owned(),
                    description: description.to_owned(),
                },
            });
        }
        let main = schema::batch(
            schema::translated(),
            vec![
                batches[0].column(0).clone(),
                batches[0].column(1).clone(),
                batches[0].column(2).clone(),
                strings(texts.iter().map(|texts| texts.whole.as_str())),
                strings(texts.iter().map(|texts| texts.title.as_str())),
                strings(texts.iter().map(|texts| texts.description.as_str())),
                Arc::new(BooleanArray::from(translated)),
            ],
        )?;
        let side = schema::batch(
            missing_schema(),
            vec![
                strings(missing.iter().map(|(language, _)| *language)),
                strings(missing.iter().map(|(_, text)| text.as_str())),
                Arc::new(StringArray::from_iter_values(
                    missing.iter().map(|(_, text)| normalize_key(text)),
                )),
            ],
        )?;
        Ok(vec![main, side])
    }
}

fn strings<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn missing_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("source_lang", DataType::Utf8, false),
        Field::new("source_text", DataType::Utf8, false),
        Field::new("text_key", DataType::Utf8, false),
    ]))
}

/// Writes `pending` of all parts, by the query of that name, as a dataset and as CSV.
fn write_pending(run: &StageRun<'_>, writer: &CheckpointWriter) -> Result<RecordBatch, StageError> {
    let reader = run.read_back(writer);
    let batches = if reader.manifest().datasets.contains_key(MISSING) {
        reader
            .parts(MISSING, None)?
            .collect::<Result<Vec<_>, _>>()?
    } else {
        Vec::new()
    };
    let missing =
        concat_batches(&missing_schema(), &batches).map_err(|source| CheckpointError::Arrow {
            what: "missing translations".to_owned(),
            source,
        })?;
    let pending = run
        .environment
        .queries
        .run("pending", &[("missing", &missing)])?;
    let pending = schema::conform(&pending, &schema::pending())?;
    writer.write_part(PENDING, 0, &Digest::of(b""), &pending)?;
    writer.write_file("pending.csv", pending_csv(&pending)?, false)?;
    Ok(pending)
}

/// The table that a translator fills: the columns of the lookup, `text_fr` empty, and the number of rows.
fn pending_csv(pending: &RecordBatch) -> Result<Bytes, StageError> {
    let languages: &StringArray = schema::column(pending, "source_lang")?;
    let texts: &StringArray = schema::column(pending, "source_text")?;
    let rows: &Int64Array = schema::column(pending, "rows")?;
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut write = |record: [&str; 4]| {
        csv.write_record(record)
            .map_err(|error| StageError::Unusable(error.to_string()))
    };
    write(["source_lang", "source_text", "text_fr", "rows"])?;
    for row in 0..pending.num_rows() {
        write([
            languages.value(row),
            texts.value(row),
            "",
            &rows.value(row).to_string(),
        ])?;
    }
    let bytes = csv
        .into_inner()
        .map_err(|error| StageError::Unusable(error.to_string()))?;
    Ok(Bytes::from(bytes))
}
