//! `ingest`: any catalogue's tables become products in parts; bad rows become rejects.
//!
//! Writes `labelled`, `unlabelled` and `rejects`. Images are named and identified here, and read only later.

use super::partition::{Spill, SpilledRecord, leaves, place_of};
use super::{Environment, Kind, Stage, StageError, StageOutput, StageRun};
use crate::checkpoint::CheckpointWriter;
use crate::config::{NeedRule, SourceConfig};
use crate::fingerprint::Digest;
use crate::schema::{self, LABELLED, REJECTS, UNLABELLED};
use crate::source::{BadRecord, FileIdentity, PathTemplate, Record, read_table, stays_inside};
use crate::store::StoreError;
use arrow::array::{ArrayRef, Int64Array, StringArray};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// How much of a table waits in memory for its parts before it goes to a temporary file.
const SPILL_BYTES: usize = 64 << 20;

/// `ingest` has no parameters: the source is described at the top of the configuration.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(super) struct Params {}

/// The stage.
pub(super) struct Ingest;

impl Kind for Ingest {
    const NAME: &'static str = "ingest";
    const SUMMARY: &'static str = "Reads tables and finds images; bad rows become rejects.";
    type Params = Params;

    fn needs(_: &Params) -> Vec<NeedRule> {
        Vec::new()
    }

    fn new(_: Params) -> Self {
        Self
    }
}

impl Stage for Ingest {
    fn version(&self) -> u32 {
        1
    }

    fn external_fields(
        &self,
        environment: &Environment,
    ) -> Result<Vec<(String, String)>, StageError> {
        let source = &environment.config.source;
        let mut fields = Vec::new();
        for (name, table) in tables(source) {
            fields.push((format!("source.{name}"), environment.identify(table)?));
        }
        for (folder, identities) in environment.images()? {
            let files = identities.iter();
            let digest =
                Digest::of_strings(files.flat_map(|(path, file)| [path, file.identity.as_str()]));
            fields.push((format!("source.images.{folder}"), digest.to_string()));
        }
        let columns = serde_json::to_string(&source.columns).unwrap_or_default();
        fields.push(("source.columns".to_owned(), columns));
        fields.push((
            "source.image_paths".to_owned(),
            format!("{} {}", source.images.labelled, source.images.unlabelled),
        ));
        fields.push((
            "max_reject_ratio".to_owned(),
            environment.config.max_reject_ratio.to_string(),
        ));
        fields.push((
            "rows_per_part".to_owned(),
            environment.config.rows_per_part.to_string(),
        ));
        Ok(fields)
    }

    fn run(&self, run: &StageRun<'_>) -> Result<StageOutput, StageError> {
        let writer = run.begin(BTreeMap::new())?;
        let source = &run.environment.config.source;
        let mut rejects = Rejects::default();
        let mut ingestion = Ingestion {
            run,
            writer: &writer,
            rejects: &mut rejects,
            with_image: 0,
            named_images: 0,
        };
        run.monitor.expect(0, "rows");
        let labelled =
            ingestion.table(LABELLED, &source.products, &source.images.labelled, true)?;
        let unlabelled = if source.unlabelled.is_empty() {
            ingestion.empty(UNLABELLED)?;
            0
        } else {
            ingestion.table(
                UNLABELLED,
                &source.unlabelled,
                &source.images.unlabelled,
                false,
            )?
        };
        for (name, table) in tables(source) {
            run.environment
                .check_unchanged(run.fields, &format!("source.{name}"), table)?;
        }
        let (with_image, named) = (ingestion.with_image, ingestion.named_images);
        if named > 0 && with_image == 0 {
            tracing::warn!(named, "none of the images that the products name is there");
        }
        rejects.write(&writer)?;
        let rows = labelled + unlabelled;
        rejects.check_ratio(rows, run.environment.config.max_reject_ratio)?;
        let mut summary = Map::new();
        summary.insert("labelled".to_owned(), json!(labelled));
        summary.insert("unlabelled".to_owned(), json!(unlabelled));
        summary.insert("with_image".to_owned(), json!(with_image));
        summary.insert("rejects".to_owned(), json!(rejects.by_reason()));
        Ok(StageOutput { writer, summary })
    }
}

/// The tables of a source that are named, by what they hold.
fn tables(source: &SourceConfig) -> impl Iterator<Item = (&'static str, &String)> {
    let tables = [
        ("products", &source.products),
        ("labels", &source.labels),
        ("unlabelled", &source.unlabelled),
    ];
    tables.into_iter().filter(|(_, table)| !table.is_empty())
}

/// Bad rows found so far.
#[derive(Default)]
struct Rejects {
    rows: Vec<Reject>,
}

struct Reject {
    id: Option<String>,
    source: String,
    line: u64,
    reason: &'static str,
    detail: String,
}

impl Rejects {
    fn by_reason(&self) -> BTreeMap<&'static str, u64> {
        let mut counts = BTreeMap::new();
        for reject in &self.rows {
            *counts.entry(reject.reason).or_default() += 1;
        }
        counts
    }

    /// The rejects by table and line, whatever the order in which they were found.
    fn in_order(&self) -> Vec<&Reject> {
        let mut rows: Vec<&Reject> = self.rows.iter().collect();
        rows.sort_by_key(|row| (&row.source, row.line, row.reason));
        rows
    }

    fn write(&self, writer: &CheckpointWriter) -> Result<(), StageError> {
        let rows = self.in_order();
        let texts = |of: &dyn Fn(&Reject) -> String| -> ArrayRef {
            Arc::new(
                rows.iter()
                    .map(|row| Some(of(row)))
                    .collect::<StringArray>(),
            )
        };
        let lines = rows
            .iter()
            .map(|row| i64::try_from(row.line).unwrap_or(i64::MAX));
        let batch = schema::batch(
            schema::rejects(),
            vec![
                Arc::new(
                    rows.iter()
                        .map(|row| row.id.as_deref())
                        .collect::<StringArray>(),
                ),
                texts(&|_| Ingest::NAME.to_owned()),
                texts(&|row| row.source.clone()),
                Arc::new(lines.collect::<Int64Array>()),
                texts(&|row| row.reason.to_owned()),
                texts(&|row| row.detail.clone()),
            ],
        )?;
        Ok(writer.write_part(REJECTS, 0, &Digest::of(b""), &batch)?)
    }

    fn check_ratio(&self, rows: u64, limit: f64) -> Result<(), StageError> {
        let rejects = self.rows.len() as u64;
        let rows = rows + rejects;
        if rejects as f64 <= limit * rows as f64 {
            return Ok(());
        }
        let reasons: Vec<String> = self
            .by_reason()
            .iter()
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect();
        let describe = |row: &Reject| {
            let (source, line, reason, detail) = (&row.source, row.line, row.reason, &row.detail);
            format!("{source} line {line} {reason} ({detail})")
        };
        let first: Vec<String> = self.in_order().into_iter().take(3).map(describe).collect();
        Err(StageError::TooManyRejects {
            rejects,
            rows,
            limit,
            reasons: reasons.join(", "),
            first: first.join("; "),
        })
    }
}

/// One product on its way to its part.
struct Product {
    id: String,
    number: String,
    title: String,
    description: String,
    image: Option<(String, Option<FileIdentity>)>,
    label: Option<String>,
}

/// Brings tables into parts.
struct Ingestion<'a, 'r> {
    run: &'a StageRun<'a>,
    writer: &'a CheckpointWriter,
    rejects: &'r mut Rejects,
    with_image: u64,
    named_images: u64,
}

impl Ingestion<'_, '_> {
    /// Ingests one table of products; returns how many rows are good.
    fn table(
        &mut self,
        dataset: &str,
        table: &str,
        image_path: &str,
        is_labelled: bool,
    ) -> Result<u64, StageError> {
        let source = &self.run.environment.config.source;
        let names = &source.columns;
        let template = if image_path.is_empty() {
            None
        } else {
            Some(PathTemplate::parse(image_path)?)
        };
        let mut columns = vec![
            &names.id,
            &names.title,
            &names.description,
            &names.product_id,
        ];
        let has_own_label = is_labelled && source.labels.is_empty();
        if has_own_label {
            columns.push(&names.label);
        }
        let mut columns: Vec<String> = columns.into_iter().cloned().collect();
        let own = columns.len();
        columns.extend(
            template
                .iter()
                .flat_map(PathTemplate::columns)
                .map(str::to_owned),
        );
        let (mut rows, mut places) = self.spill(table, &columns)?;
        let mut labels = Spill::new(SPILL_BYTES);
        if is_labelled && !has_own_label {
            let columns = [names.id.clone(), names.label.clone()];
            let (spilled, label_places) = self.spill(&source.labels, &columns)?;
            labels = spilled;
            places.extend(label_places);
        }
        places.sort_unstable();
        places.dedup();
        let mut good = 0;
        for (index, leaf) in leaves(&places, self.run.environment.config.rows_per_part)
            .iter()
            .enumerate()
        {
            self.run.environment.check_cancelled()?;
            let labels = if is_labelled && !has_own_label {
                Some(self.labels(labels.read(leaf).map_err(|error| spill_error(&error))?))
            } else {
                None
            };
            let records = rows.read(leaf).map_err(|error| spill_error(&error))?;
            let products = self.join(
                table,
                records,
                labels,
                own,
                template.as_ref(),
                has_own_label,
            )?;
            good += products.len() as u64;
            self.run.monitor.advance(products.len() as u64);
            self.write(dataset, index, &products, is_labelled)?;
        }
        Ok(good)
    }

    /// Reads a table into buckets; rows that cannot be placed become rejects.
    fn spill(&mut self, table: &str, columns: &[String]) -> Result<(Spill, Vec<u64>), StageError> {
        let mut spill = Spill::new(SPILL_BYTES);
        let mut places = Vec::new();
        let (run, rejects) = (self.run, &mut *self.rejects);
        read_table::<StageError>(&*run.environment.source, table, columns, &mut |record| {
            run.environment.check_cancelled()?;
            match record {
                Record::Bad(BadRecord {
                    line,
                    reason,
                    detail,
                }) => {
                    rejects.rows.push(Reject {
                        id: None,
                        source: table.to_owned(),
                        line,
                        reason,
                        detail,
                    });
                }
                Record::Row { line, values } if values[0].is_empty() => {
                    let (source, detail) = (table.to_owned(), "the id is empty".to_owned());
                    rejects.rows.push(Reject {
                        id: None,
                        source,
                        line,
                        reason: "missing_id",
                        detail,
                    });
                }
                Record::Row { line, values } => {
                    let place = place_of(&values[0]);
                    places.push(place);
                    let values: Vec<&str> = values.iter().map(String::as_str).collect();
                    spill
                        .push(place, line, &values)
                        .map_err(|error| spill_error(&error))?;
                }
            }
            Ok(())
        })?;
        Ok((spill, places))
    }

    fn reject(&mut self, id: &str, source: &str, line: u64, reason: &'static str, detail: String) {
        let (id, source) = (Some(id.to_owned()), source.to_owned());
        self.rejects.rows.push(Reject {
            id,
            source,
            line,
            reason,
            detail,
        });
    }

    /// Labels by id; of two labels for one id the first stands and the other is rejected.
    fn labels(&mut self, records: Vec<SpilledRecord>) -> HashMap<String, (u64, String)> {
        let table = self.run.environment.config.source.labels.clone();
        let mut labels: HashMap<String, (u64, String)> = HashMap::new();
        for mut record in records {
            let (Some(label), Some(id)) = (record.values.pop(), record.values.pop()) else {
                continue;
            };
            if let Some((line, _)) = labels.get(&id) {
                let detail = format!("line {line} has a label for this id");
                self.reject(&id, &table, record.line, "duplicate_label", detail);
            } else {
                labels.insert(id, (record.line, label));
            }
        }
        labels
    }

    /// Makes products of the rows of one part.
    fn join(
        &mut self,
        table: &str,
        records: Vec<SpilledRecord>,
        mut labels: Option<HashMap<String, (u64, String)>>,
        own: usize,
        template: Option<&PathTemplate>,
        has_own_label: bool,
    ) -> Result<Vec<Product>, StageError> {
        let mut products: Vec<Product> = Vec::with_capacity(records.len());
        let mut lines: HashMap<String, u64> = HashMap::new();
        for record in records {
            let id = record.values[0].clone();
            if let Some(first) = lines.get(&id) {
                let detail = format!("line {first} has this id");
                self.reject(&id, table, record.line, "duplicate_id", detail);
                continue;
            }
            lines.insert(id.clone(), record.line);
            let label = match &mut labels {
                Some(labels) => labels.remove(&id).map(|(_, label)| label),
                None if has_own_label => Some(record.values[own - 1].clone()),
                None => None,
            };
            let needs_label = labels.is_some() || has_own_label;
            if needs_label && label.as_ref().is_none_or(|label| label.trim().is_empty()) {
                let detail = "a labelled product without a label".to_owned();
                self.reject(&id, table, record.line, "missing_label", detail);
                continue;
            }
            let filled: Vec<&str> = record.values[own..].iter().map(String::as_str).collect();
            let image = match template.and_then(|template| template.fill(&filled)) {
                Some(path) if !stays_inside(&path) => {
                    self.reject(&id, table, record.line, "image_outside_source", path);
                    continue;
                }
                Some(path) => Some(self.find_image(path, template)?),
                None => None,
            };
            self.named_images += u64::from(image.is_some());
            self.with_image += u64::from(matches!(&image, Some((_, Some(_)))));
            let [_, title, description, product_id, ..] = &record.values[..] else {
                continue;
            };
            let (title, description) = (title.clone(), description.clone());
            products.push(Product {
                id,
                number: product_id.clone(),
                title,
                description,
                image,
                label,
            });
        }
        let labels_table = self.run.environment.config.source.labels.clone();
        let mut orphans: Vec<_> = labels.into_iter().flatten().collect();
        orphans.sort();
        for (id, (line, _)) in orphans {
            let is_rejected = lines.contains_key(&id);
            if !is_rejected {
                let detail = "no product has this id".to_owned();
                self.reject(&id, &labels_table, line, "label_without_product", detail);
            }
        }
        Ok(products)
    }

    fn find_image(
        &self,
        path: String,
        template: Option<&PathTemplate>,
    ) -> Result<(String, Option<FileIdentity>), StageError> {
        let folder = template.map_or("", PathTemplate::folder);
        let identities = self.run.environment.images()?.get(folder);
        let identity = identities
            .and_then(|identities| identities.get(&path))
            .cloned();
        Ok((path, identity))
    }

    fn empty(&mut self, dataset: &str) -> Result<(), StageError> {
        self.write(dataset, 0, &[], false)
    }

    fn write(
        &mut self,
        dataset: &str,
        index: usize,
        products: &[Product],
        is_labelled: bool,
    ) -> Result<(), StageError> {
        let texts = |of: &dyn Fn(&Product) -> Option<String>| -> ArrayRef {
            Arc::new(products.iter().map(of).collect::<StringArray>())
        };
        let identity =
            |product: &Product| product.image.as_ref().and_then(|(_, found)| found.clone());
        let sizes = products.iter().map(|product| {
            identity(product).map(|found| i64::try_from(found.size_bytes).unwrap_or(i64::MAX))
        });
        let mut columns = vec![
            texts(&|product| Some(product.id.clone())),
            texts(&|product| Some(product.number.clone()).filter(|id| !id.is_empty())),
            texts(&|product| Some(product.title.clone())),
            texts(&|product| Some(product.description.clone())),
            texts(&|product| product.image.as_ref().map(|(path, _)| path.clone())),
            texts(&|product| identity(product).map(|found| found.identity)),
            Arc::new(sizes.collect::<Int64Array>()),
        ];
        if is_labelled {
            columns.push(texts(&|product| {
                product
                    .label
                    .as_deref()
                    .map(|label| label.trim().to_owned())
            }));
        }
        let batch = schema::batch(schema::products(is_labelled), columns)?;
        self.writer
            .write_part(dataset, index, &Digest::of(b""), &batch)?;
        self.run.monitor.part_made();
        Ok(())
    }
}

fn spill_error(source: &std::io::Error) -> StageError {
    let url = std::env::temp_dir().display().to_string();
    let source = std::io::Error::new(source.kind(), source.to_string());
    StageError::Store(StoreError::Io {
        operation: "keep rows in",
        url,
        source,
    })
}
