//! What is read and made, as datasets of events.

use super::events::facet;
use super::naming::Place;
use crate::checkpoint::{DatasetManifest, FILES, Manifest, contents_of};
use crate::config::SourceConfig;
use crate::runner::StageRecord;
use crate::source::PathTemplate;
use crate::stages::Environment;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Where everything lies.
#[derive(Debug)]
pub(super) struct Roots {
    checkpoints: Place,
    source: Place,
    sink: Place,
}

impl Roots {
    pub(super) fn of(environment: &Environment) -> Self {
        Self {
            checkpoints: Place::of(environment.checkpoints.url()),
            source: Place::of(environment.source.url()),
            sink: Place::of(environment.sink.url()),
        }
    }

    /// What a stage of a kind reads of the source.
    pub(super) fn read_of_source(
        &self,
        config: &SourceConfig,
        kind: &str,
        params: &Value,
    ) -> Vec<Value> {
        let paths: BTreeSet<String> = match kind {
            "ingest" => [&config.products, &config.labels, &config.unlabelled]
                .map(String::clone)
                .into(),
            "decode_images" => image_folders(config),
            "translate" => params["lookup"]
                .as_str()
                .map(str::to_owned)
                .into_iter()
                .collect(),
            _ => BTreeSet::new(),
        };
        let named = paths.into_iter().filter(|path| !path.is_empty());
        named
            .map(|path| dataset(&self.source, &path, Map::new()))
            .collect()
    }

    /// A dataset of a checkpoint that another stage reads.
    pub(super) fn input(&self, manifest: &Manifest, name: &str) -> Option<Value> {
        let has_files = name == FILES && !manifest.files.is_empty();
        let described = manifest.datasets.get(name);
        (has_files || described.is_some()).then(|| self.of_checkpoint(manifest, name, described))
    }

    /// The datasets of a checkpoint, with how much was written.
    pub(super) fn outputs(&self, manifest: &Manifest) -> Vec<Value> {
        let datasets = manifest.datasets.iter().map(|(name, described)| {
            let mut made = self.of_checkpoint(manifest, name, Some(described));
            let bytes = described.parts.iter().map(|part| part.bytes).sum::<u64>();
            let rows = Some(described.rows);
            made["outputFacets"] = statistics(rows, Some(bytes), Some(described.parts.len()));
            made
        });
        let files = (!manifest.files.is_empty()).then(|| {
            let mut made = self.of_checkpoint(manifest, FILES, None);
            let bytes = manifest.files.iter().map(|file| file.bytes).sum::<u64>();
            made["outputFacets"] = statistics(None, Some(bytes), Some(manifest.files.len()));
            made
        });
        datasets.chain(files).collect()
    }

    /// What consumers of the sink read, where a stage published it; `manifest` is that of the stage, where it ran.
    pub(super) fn published(
        &self,
        record: &StageRecord,
        manifest: Option<&Manifest>,
    ) -> Option<Value> {
        let (path, rows) = record.published()?;
        let (root, publication) = path.split_once('/')?;
        let mut facets = Map::new();
        facets.insert("version".to_owned(), version(publication));
        // The one dataset that the stage has is what it published.
        let described = manifest.and_then(|manifest| manifest.datasets.values().next());
        let bytes = described.map(|dataset| dataset.parts.iter().map(|part| part.bytes).sum());
        if let Some(described) = described {
            facets.insert("schema".to_owned(), schema(described));
        }
        let mut made = dataset(&self.sink, root, facets);
        let files = described.map(|dataset| dataset.parts.len());
        made["outputFacets"] = statistics(Some(rows), bytes, files);
        Some(made)
    }

    fn of_checkpoint(
        &self,
        manifest: &Manifest,
        name: &str,
        described: Option<&DatasetManifest>,
    ) -> Value {
        let mut facets = Map::new();
        if let Some(content) = contents_of(manifest).get(name) {
            facets.insert("version".to_owned(), version(content.as_str()));
        }
        if let Some(described) = described {
            facets.insert("schema".to_owned(), schema(described));
        }
        let path = format!("{}/{name}", manifest.stage);
        dataset(&self.checkpoints, &path, facets)
    }
}

/// The folders, or shards, that images lie in.
fn image_folders(config: &SourceConfig) -> BTreeSet<String> {
    let templates = [&config.images.labelled, &config.images.unlabelled];
    let templates = templates
        .into_iter()
        .filter_map(|template| PathTemplate::parse(template).ok());
    templates
        .map(|template| template.folder().to_owned())
        .collect()
}

fn dataset(place: &Place, path: &str, mut facets: Map<String, Value>) -> Value {
    let source = json!({ "name": place.namespace, "uri": place.url });
    let source = facet("1-0-1", "DatasourceDatasetFacet", source);
    facets.insert("dataSource".to_owned(), source);
    json!({ "namespace": place.namespace, "name": place.name(path), "facets": facets })
}

fn version(version: &str) -> Value {
    let fields = json!({ "datasetVersion": version });
    facet("1-0-1", "DatasetVersionDatasetFacet", fields)
}

/// The columns, from lines `name: type`.
fn schema(described: &DatasetManifest) -> Value {
    let columns = described.schema.iter().map(|line| {
        let (name, kind) = line.split_once(": ").unwrap_or((line, ""));
        json!({ "name": name, "type": kind })
    });
    let columns: Vec<Value> = columns.collect();
    facet("1-1-1", "SchemaDatasetFacet", json!({ "fields": columns }))
}

fn statistics(rows: Option<u64>, bytes: Option<u64>, files: Option<usize>) -> Value {
    let mut fields = Map::new();
    for (name, value) in [
        ("rowCount", rows),
        ("size", bytes),
        ("fileCount", files.map(|files| files as u64)),
    ] {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value.into());
        }
    }
    let facet = facet("1-0-2", "OutputStatisticsOutputDatasetFacet", fields.into());
    json!({ "outputStatistics": facet })
}
