//! `publish`: predictions to the object store that consumers read.
//!
//! The exported parts are made in the checkpoint first; their content names the publication. Then, below the sink:
//!
//! ```text
//! predictions/dt=YYYY-MM-DD/run=<id>/part-00000-<digest>.parquet
//! predictions/dt=YYYY-MM-DD/run=<id>/_manifest.json                 schema, rows, digests, model, scores
//! predictions/dt=YYYY-MM-DD/run=<id>/_SUCCESS                       complete
//! predictions/latest.json                                           moves last, never to an older date
//! ```
//!
//! A consumer that goes by `latest.json` or `_SUCCESS` never sees half a night. The same content for the same date
//! is the same publication: writing it again writes nothing.

use super::evaluate::read_scores;
use super::row_wise::{Aligned, RowWise, process};
use super::{Environment, Kind, Stage, StageError, StageOutput, StageRun, one};
use crate::checkpoint::{CheckpointReader, CheckpointWriter, FILES};
use crate::config::NeedRule;
use crate::plan::Published;
use crate::schema::{self, LABELLED, PREDICTIONS, UNLABELLED};
use crate::store::{Store, StoreError, create_idempotent};
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Dataset of the exported rows.
const PUBLISHED: &str = "published";
const FOLDER: &str = "predictions";
const LATEST: &str = "predictions/latest.json";
const LOCK: &str = "predictions/_lock";

/// Parameters of `publish`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Params {
    /// Names of the categories by label.
    names: BTreeMap<String, String>,
}

/// The stage.
pub(super) struct Publish {
    params: Params,
}

impl Kind for Publish {
    const NAME: &'static str = "publish";
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

/// What `latest.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Latest {
    date: String,
    run: String,
    path: String,
    rows: u64,
}

impl Stage for Publish {
    fn version(&self) -> u32 {
        1
    }

    fn queries(&self) -> &'static [&'static str] {
        &["export"]
    }

    fn external_fields(
        &self,
        environment: &Environment,
    ) -> Result<Vec<(String, String)>, StageError> {
        let date = environment
            .config
            .dump_date
            .clone()
            .ok_or(StageError::NoDumpDate)?;
        Ok(vec![("dump_date".to_owned(), date)])
    }

    fn published(&self, environment: &Environment) -> Result<Published, StageError> {
        let date = environment
            .config
            .dump_date
            .as_deref()
            .ok_or(StageError::NoDumpDate)?;
        let sink = &*environment.sink;
        let mut runs = BTreeSet::new();
        let moved = read_latest(sink)?.is_some_and(|latest| latest.date.as_str() >= date);
        let folder = format!("{FOLDER}/dt={date}");
        for name in if moved {
            sink.folders(&folder)?
        } else {
            Vec::new()
        } {
            if let Some(run) = name.strip_prefix("run=")
                && sink.head(&format!("{folder}/{name}/_SUCCESS"))?.is_some()
            {
                runs.insert(run.to_owned());
            }
        }
        Ok(Published::Holds {
            dataset: PUBLISHED,
            runs,
        })
    }

    fn run(&self, run: &StageRun<'_>) -> Result<StageOutput, StageError> {
        let date = run
            .environment
            .config
            .dump_date
            .clone()
            .ok_or(StageError::NoDumpDate)?;
        let writer = self.export(run)?;
        let reader = run.read_back(&writer);
        let sink = &*run.environment.sink;
        let _lock = lock(sink, run.id)?;
        let latest = push(run, &reader, sink, &date)?;
        let is_moved = move_latest(sink, &latest)?;
        let mut summary = Map::new();
        summary.insert("path".to_owned(), json!(latest.path));
        summary.insert("rows".to_owned(), json!(latest.rows));
        if !is_moved {
            tracing::warn!(
                date,
                "latest.json stays where it is: it points to a newer date"
            );
        }
        Ok(StageOutput { writer, summary })
    }
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
            extra: lookups.digests(run)?,
            unit: "rows",
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
            let exported = schema::conform(&exported, &schema::published())?;
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

    fn digests(&self, run: &StageRun<'_>) -> Result<Vec<String>, StageError> {
        let mut digests = vec![serde_json::to_string(run.params).unwrap_or_default()];
        for dataset in &self.datasets {
            digests.push(self.products.dataset(dataset)?.content.to_string());
            digests.push(self.languages.dataset(dataset)?.content.to_string());
        }
        Ok(digests)
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

fn lock(sink: &dyn Store, owner: &str) -> Result<crate::store::LockGuard, StageError> {
    sink.lock(LOCK, owner).map_err(|error| match error {
        StoreError::Locked { url, owner } => StageError::LostRace {
            detail: format!("{url} is held by {owner}"),
        },
        error => error.into(),
    })
}

/// Copies the exported parts to the sink, whole before visible.
fn push(
    run: &StageRun<'_>,
    reader: &CheckpointReader,
    sink: &dyn Store,
    date: &str,
) -> Result<Latest, StageError> {
    let dataset = reader.dataset(PUBLISHED)?;
    let id = dataset.content.short().to_owned();
    let path = format!("{FOLDER}/dt={date}/run={id}");
    let latest = Latest {
        date: date.to_owned(),
        run: id.clone(),
        path: path.clone(),
        rows: dataset.rows,
    };
    if sink.head(&format!("{path}/_SUCCESS"))?.is_some() {
        return Ok(latest);
    }
    for part in &dataset.parts {
        run.environment.check_cancelled()?;
        let bytes = reader.part_bytes(PUBLISHED, part)?;
        create_idempotent(sink, &format!("{path}/{}", part.file), &bytes)?;
    }
    let manifest = json!({
        "date": date,
        "run": id,
        "rows": dataset.rows,
        "schema": dataset.schema,
        "parts": dataset.parts.iter().map(describe).collect::<Vec<Value>>(),
        "model": run.input("predict")?.reader.manifest().summary.get("model"),
        "scores": read_scores(run.input("evaluate")?)?,
    });
    let manifest = Bytes::from(format!("{manifest:#}\n"));
    create_idempotent(sink, &format!("{path}/_manifest.json"), &manifest)?;
    create_idempotent(sink, &format!("{path}/_SUCCESS"), &Bytes::new())?;
    Ok(latest)
}

fn describe(part: &crate::checkpoint::PartManifest) -> Value {
    json!({ "file": part.file, "rows": part.rows, "bytes": part.bytes, "digest": part.digest })
}

fn read_latest(sink: &dyn Store) -> Result<Option<Latest>, StageError> {
    match sink.get(LATEST) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Points `latest.json` at a publication, under the lock; says whether it did.
fn move_latest(sink: &dyn Store, latest: &Latest) -> Result<bool, StageError> {
    let current = read_latest(sink)?;
    match current {
        Some(current) if current == *latest => Ok(true),
        Some(current) if current.date > latest.date => Ok(false),
        _ => {
            let json = format!("{:#}\n", json!(latest));
            sink.replace(LATEST, Bytes::from(json))?;
            Ok(true)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::ObjectBackedStore;

    fn latest(date: &str, run: &str) -> Latest {
        Latest {
            date: date.into(),
            run: run.into(),
            path: "p".into(),
            rows: 1,
        }
    }

    #[test]
    fn latest_never_moves_to_an_older_date() {
        let sink = ObjectBackedStore::memory();
        assert!(move_latest(&sink, &latest("2026-11-20", "a")).unwrap());
        assert!(!move_latest(&sink, &latest("2026-11-19", "b")).unwrap());
        assert_eq!(read_latest(&sink).unwrap(), Some(latest("2026-11-20", "a")));
        assert!(move_latest(&sink, &latest("2026-11-20", "c")).unwrap());
        assert!(move_latest(&sink, &latest("2026-11-21", "d")).unwrap());
        assert_eq!(read_latest(&sink).unwrap(), Some(latest("2026-11-21", "d")));
    }

    #[test]
    fn a_damaged_latest_is_replaced() {
        let sink = ObjectBackedStore::memory();
        sink.replace(LATEST, Bytes::from_static(b"{")).unwrap();
        assert!(move_latest(&sink, &latest("2026-11-20", "a")).unwrap());
    }

    #[test]
    fn the_second_publisher_has_lost_the_race() {
        let sink = ObjectBackedStore::memory();
        let first = lock(&sink, "one").unwrap();
        assert!(matches!(
            lock(&sink, "two"),
            Err(StageError::LostRace { .. })
        ));
        drop(first);
        assert!(lock(&sink, "two").is_ok());
    }
}
