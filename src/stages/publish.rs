//! `publish`: predictions in the columns that consumers read, and their publication.
//!
//! The exported parts and the manifest of the publication are made in the checkpoint first; then, once the checks of this
//! stage have passed, they are delivered to the sink (see [`super::publication`]).

use super::evaluate::read_scores;
use super::publication;
use super::row_wise::{Aligned, RowWise, process};
use super::{Environment, Kind, Stage, StageError, StageOutput, StageRun, one};
use crate::checkpoint::{CheckpointReader, CheckpointWriter, FILES};
use crate::config::NeedRule;
use crate::plan::Published;
use crate::schema::{self, LABELLED, PREDICTIONS, UNLABELLED};
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use bytes::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Dataset of the exported rows.
const PUBLISHED: &str = "published";

/// Parameters of `publish`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(super) struct Params {
    /// Names of the categories by label, for the column `predicted_name`.
    names: BTreeMap<String, String>,
    /// Fewest rows that are published: an empty table is more likely a broken dump than a quiet day.
    min_rows: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            names: BTreeMap::new(),
            min_rows: 1,
        }
    }
}

/// The stage.
pub(super) struct Publish {
    params: Params,
}

impl Kind for Publish {
    const NAME: &'static str = "publish";
    const SUMMARY: &'static str = "Publishes predictions in the columns that consumers read.";
    type Params = Params;

    fn needs(_: &Params) -> Vec<NeedRule> {
        vec![
            one("predict", &[PREDICTIONS]),
            one("ingest", &[LABELLED, UNLABELLED]),
            one("detect_language", &[LABELLED, UNLABELLED]),
            one("evaluate", &[FILES]),
        ]
    }

    fn new(params: Params) -> Self {
        Self { params }
    }
}

impl Stage for Publish {
    fn version(&self) -> u32 {
        1
    }

    fn queries(&self) -> &'static [&'static str] {
        &["export"]
    }

    fn check_ready(&self, environment: &Environment) -> Result<(), StageError> {
        environment
            .config
            .dump_date
            .as_ref()
            .map(drop)
            .ok_or(StageError::NoDumpDate)
    }

    fn external_fields(
        &self,
        environment: &Environment,
    ) -> Result<Vec<(String, String)>, StageError> {
        let date = environment
            .config
            .dump_date
            .as_deref()
            .unwrap_or("(not given)");
        Ok(vec![("dump_date".to_owned(), date.to_owned())])
    }

    fn published(&self, environment: &Environment) -> Result<Published, StageError> {
        let date = environment.config.dump_date.as_deref().unwrap_or_default();
        let runs = publication::held(&*environment.sink, date)?;
        Ok(Published::Holds {
            dataset: FILES,
            runs,
        })
    }

    fn run(&self, run: &StageRun<'_>) -> Result<StageOutput, StageError> {
        let date = run
            .environment
            .config
            .dump_date
            .as_deref()
            .ok_or(StageError::NoDumpDate)?;
        let writer = self.export(run)?;
        let dataset = run.read_back(&writer).dataset(PUBLISHED)?.clone();
        if dataset.rows < self.params.min_rows {
            let (rows, least) = (dataset.rows, self.params.min_rows);
            return Err(StageError::TooFewRows { rows, least });
        }
        let predict = run.input("predict")?.reader.manifest();
        let model = predict
            .summary
            .get("model")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let scores = read_scores(run.input("evaluate")?)?;
        let body = json!({
            "date": date,
            "rows": dataset.rows,
            "schema": dataset.schema,
            "parts": dataset.parts.iter().map(describe).collect::<Vec<Value>>(),
            "model": { "stage": model, "digest": predict.summary.get("model_digest") },
            "scores": scores.get(model),
        });
        writer.write_file(
            publication::MANIFEST,
            Bytes::from(format!("{body:#}\n")),
            true,
        )?;
        let mut summary = Map::new();
        let path = publication::path(date, &writer.manifest(Map::new()));
        summary.insert("path".to_owned(), json!(path));
        summary.insert("rows".to_owned(), json!(dataset.rows));
        Ok(StageOutput { writer, summary })
    }

    fn deliver(&self, run: &StageRun<'_>, reader: &CheckpointReader) -> Result<(), StageError> {
        let date = run
            .environment
            .config
            .dump_date
            .as_deref()
            .ok_or(StageError::NoDumpDate)?;
        publication::deliver(run.environment, reader, PUBLISHED, date)
    }
}

fn describe(part: &crate::checkpoint::PartManifest) -> Value {
    json!({ "file": part.file, "rows": part.rows, "bytes": part.bytes, "digest": part.digest })
}

impl Publish {
    /// Makes the exported parts in the checkpoint, by the query `export`.
    fn export(&self, run: &StageRun<'_>) -> Result<CheckpointWriter, StageError> {
        let predict = run.input("predict")?;
        let categories = self.categories()?;
        let lookups = Lookups::read(run)?;
        let spec = RowWise {
            aligned: vec![Aligned {
                input: predict,
                columns: &ALL_COLUMNS,
            }],
            datasets: vec![(PREDICTIONS.to_owned(), PUBLISHED.to_owned())],
            sides: &[],
            extra: Vec::new(),
            extra_of: Some(&|index| lookups.digests(index)),
            unit: "rows",
            most_workers: usize::MAX,
        };
        process(run, &spec, &|unit, batches| {
            let (products, languages) = lookups.of(unit.index(), &batches[0])?;
            let tables: [(&str, &RecordBatch); 4] = [
                ("predictions", &batches[0]),
                ("products", &products),
                ("languages", &languages),
                ("categories", &categories),
            ];
            let exported = run.environment.queries.run("export", &tables)?;
            let exported = schema::conform_open(&exported, &schema::published())?;
            if exported.num_rows() != batches[0].num_rows() {
                return Err(StageError::Unusable(format!(
                    "query export returns {} rows for {} predictions",
                    exported.num_rows(),
                    batches[0].num_rows()
                )));
            }
            Ok(vec![exported])
        })
    }

    fn categories(&self) -> Result<RecordBatch, StageError> {
        let column =
            |values: Vec<&String>| -> ArrayRef { Arc::new(StringArray::from_iter_values(values)) };
        table(vec![
            ("label", column(self.params.names.keys().collect())),
            ("name", column(self.params.names.values().collect())),
        ])
    }
}

const ALL_COLUMNS: [&str; 6] = ["id", "predicted", "confidence", "top3", "modality", "model"];

fn table(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch, StageError> {
    RecordBatch::try_from_iter(columns).map_err(|source| {
        crate::checkpoint::CheckpointError::Arrow {
            what: "rows for a query".to_owned(),
            source,
        }
        .into()
    })
}

/// Product numbers and languages of the predicted rows, part by part.
struct Lookups<'a> {
    products: &'a CheckpointReader,
    languages: &'a CheckpointReader,
    datasets: Vec<&'static str>,
}

impl<'a> Lookups<'a> {
    fn read(run: &StageRun<'a>) -> Result<Self, StageError> {
        let products = &run.input("ingest")?.reader;
        let languages = &run.input("detect_language")?.reader;
        let predicted = run.input("predict")?.reader.dataset(PREDICTIONS)?.rows;
        let unlabelled = products.dataset(UNLABELLED)?.rows;
        let datasets = if predicted == unlabelled {
            vec![UNLABELLED]
        } else {
            vec![LABELLED, UNLABELLED]
        };
        Ok(Self {
            products,
            languages,
            datasets,
        })
    }

    /// Digests of the parts that the part of predictions at an index is joined with.
    fn digests(&self, index: usize) -> Result<Vec<String>, StageError> {
        let mut before = 0;
        for dataset in &self.datasets {
            let parts = &self.products.dataset(dataset)?.parts;
            let languages = &self.languages.dataset(dataset)?.parts;
            if let (Some(product), Some(language)) =
                (parts.get(index - before), languages.get(index - before))
            {
                return Ok(vec![
                    product.digest.to_string(),
                    language.digest.to_string(),
                ]);
            }
            before += parts.len();
        }
        Ok(Vec::new())
    }

    /// Products and languages of the part of predictions at an index: those of the parts of all datasets in a row.
    fn of(
        &self,
        index: usize,
        predictions: &RecordBatch,
    ) -> Result<(RecordBatch, RecordBatch), StageError> {
        let mut before = 0;
        for dataset in &self.datasets {
            let parts = &self.products.dataset(dataset)?.parts;
            let Some(part) = parts.get(index - before) else {
                before += parts.len();
                continue;
            };
            let products = self
                .products
                .part(dataset, part, Some(&["id", "product_id"]))?;
            let languages = &self.languages.dataset(dataset)?.parts;
            if let Some(part) = languages.get(index - before)
                && products.column(0) == predictions.column(0)
            {
                let languages = self
                    .languages
                    .part(dataset, part, Some(&["id", "language"]))?;
                return Ok((products, languages));
            }
            break;
        }
        let (left, right) = ("ingest".to_owned(), "predict".to_owned());
        Err(StageError::Misaligned {
            left,
            right,
            part: index,
        })
    }
}
