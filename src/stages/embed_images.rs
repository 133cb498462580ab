//! `embed_images`: the features that a frozen network makes of images, once for each image.
//!
//! Features depend on the network, its weights, the device and the pixels, whatever the images beside. So a row's digest is over
//! these, and features of that digest are taken over from wherever they lie: from this run, an earlier one, or one that was stopped.

use super::known_features::KnownFeatures;
use super::row_wise::{Aligned, ON_DEVICE, RowWise, Unit, process, same_names};
use super::weights::Weights;
use super::{Environment, Kind, Stage, StageError, StageOutput, StageRun, device_fields, one};
use crate::config::{Issue, NeedRule};
use crate::fingerprint::Digest;
use crate::model::Images;
use crate::model::backbones::Backbone;
use crate::schema::{self, LABELLED, UNLABELLED};
use arrow::array::{
    FixedSizeBinaryArray, FixedSizeListArray, Float32Array, RecordBatch, StringArray,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// Images that go to the device before the stage looks whether it should stop.
const IMAGES_AT_ONCE: usize = 64;

/// Parameters of `embed_images`.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(super) struct Params {
    /// Name of an entry of the `weights` section.
    #[schemars(length(min = 1), extend("x-required" = true))]
    weights: String,
}

/// The stage.
pub(super) struct EmbedImages {
    params: Params,
}

impl Kind for EmbedImages {
    const NAME: &'static str = "embed_images";
    const SUMMARY: &'static str = "Asks a frozen network for the features of each image.";
    type Params = Params;

    fn needs(_: &Params) -> Vec<NeedRule> {
        vec![one("decode_images", &[LABELLED, UNLABELLED])]
    }

    fn weights(params: &Params) -> Option<String> {
        Some(params.weights.clone()).filter(|name| !name.is_empty())
    }

    fn validate(params: &Params, path: &str, issues: &mut Vec<Issue>) {
        if params.weights.is_empty() {
            let message = "is missing: the name of an entry of the `weights` section";
            issues.push(Issue::new(format!("{path}.weights"), message));
        }
    }

    fn new(params: Params) -> Self {
        Self { params }
    }
}

impl Stage for EmbedImages {
    fn version(&self) -> u32 {
        2
    }

    fn uses_device(&self) -> bool {
        true
    }

    fn external_fields(
        &self,
        environment: &Environment,
    ) -> Result<Vec<(String, String)>, StageError> {
        let weights = Weights::named(environment, &self.params.weights)?;
        Ok(weights.fields())
    }

    fn check_inputs(&self, environment: &Environment) -> Result<(), StageError> {
        Weights::named(environment, &self.params.weights)?
            .read()
            .map(drop)
    }

    fn run(&self, run: &StageRun<'_>) -> Result<StageOutput, StageError> {
        let weights = Weights::named(run.environment, &self.params.weights)?;
        let mut origin = vec![run.version.to_string(), weights.identity()];
        origin.extend(device_fields(run));
        let embedder = Embedder {
            run,
            width: weights.source.backbone.width(),
            origin: Digest::of_strings(&origin),
            weights,
            backbone: OnceLock::new(),
            known: Mutex::new(None),
        };
        let input = run.input("decode_images")?;
        let spec = RowWise {
            aligned: vec![Aligned {
                input,
                columns: &["id", "pixels_digest", "pixels"],
            }],
            datasets: same_names(input),
            sides: &[],
            extra: origin,
            extra_of: None,
            unit: "rows",
            most_workers: ON_DEVICE,
        };
        let writer = process(run, &spec, &|unit, batches| {
            Ok(vec![embedder.part(unit, &batches[0])?])
        })?;
        let summary = Map::from_iter([
            ("width".to_owned(), json!(embedder.width)),
            (
                "backbone".to_owned(),
                json!(embedder.weights.source.backbone),
            ),
        ]);
        Ok(StageOutput { writer, summary })
    }
}

struct Embedder<'a> {
    run: &'a StageRun<'a>,
    weights: Weights,
    width: usize,
    /// Digest of what all features depend on.
    origin: Digest,
    /// Loaded once it is wanted: where all features are known, it is not.
    backbone: OnceLock<Backbone>,
    /// Opened once it is wanted: where all parts are taken over, it is not.
    known: Mutex<Option<KnownFeatures>>,
}

impl Embedder<'_> {
    fn part(&self, unit: &Unit<'_>, batch: &RecordBatch) -> Result<RecordBatch, StageError> {
        let pixels: &FixedSizeBinaryArray = schema::column(batch, "pixels")?;
        let digests = self.digests(schema::column(batch, "pixels_digest")?);
        let wanted: BTreeSet<&str> = digests.iter().flatten().map(String::as_str).collect();
        // One part at a time: two that hold the same image would both find it unknown.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = match &mut *known {
            Some(known) => known,
            none => none.insert(KnownFeatures::open(self.run)?),
        };
        let mut features = known.fetch(&wanted)?;
        let mut first_rows = Vec::new();
        let mut seen = BTreeSet::new();
        for (row, digest) in digests.iter().enumerate() {
            if let Some(digest) = digest.as_deref()
                && !features.contains_key(digest)
                && seen.insert(digest)
            {
                first_rows.push((row, digest));
            }
        }
        self.embed(pixels, &first_rows, &mut features)?;
        let monitor = self.run.monitor;
        monitor.count_images(first_rows.len() as u64);
        monitor.count_reused((digests.iter().flatten().count() - first_rows.len()) as u64);
        let made = self.to_batch(batch, &digests, &features)?;
        known.note(unit.dataset, unit.index(), &made)?;
        Ok(made)
    }

    /// What the features of each row are known by.
    fn digests(&self, pixels: &StringArray) -> Vec<Option<String>> {
        let digest = |pixels| {
            Digest::of_strings([self.origin.as_str(), pixels])
                .as_str()
                .to_owned()
        };
        pixels.iter().map(|pixels| pixels.map(digest)).collect()
    }

    /// Adds the features of some rows.
    fn embed<'d>(
        &self,
        pixels: &FixedSizeBinaryArray,
        rows: &[(usize, &'d str)],
        features: &mut HashMap<&'d str, Vec<f32>>,
    ) -> Result<(), StageError> {
        if rows.is_empty() {
            return Ok(());
        }
        let length = usize::try_from(pixels.value_length()).unwrap_or_default();
        let size = (length / 3).isqrt();
        let backbone = self.backbone()?;
        for rows in rows.chunks(IMAGES_AT_ONCE) {
            self.run.environment.check_cancelled()?;
            let mut values = Vec::with_capacity(rows.len() * length);
            for (row, _) in rows {
                values.extend_from_slice(pixels.value(*row));
            }
            let images = Images::new(size, values, vec![true; rows.len()])?;
            let made = {
                let _alone = self.run.environment.device_alone();
                backbone.features(&images)?
            };
            let made = made.values().chunks_exact(self.width);
            for ((_, digest), made) in rows.iter().zip(made) {
                features.insert(digest, made.to_vec());
            }
        }
        Ok(())
    }

    fn backbone(&self) -> Result<&Backbone, StageError> {
        if let Some(backbone) = self.backbone.get() {
            return Ok(backbone);
        }
        let backbone = self.weights.load(self.run.environment.runtime()?)?;
        Ok(self.backbone.get_or_init(|| backbone))
    }

    fn to_batch(
        &self,
        batch: &RecordBatch,
        digests: &[Option<String>],
        features: &HashMap<&str, Vec<f32>>,
    ) -> Result<RecordBatch, StageError> {
        let mut values = Vec::with_capacity(digests.len() * self.width);
        for digest in digests {
            match digest.as_deref().and_then(|digest| features.get(digest)) {
                Some(features) => values.extend_from_slice(features),
                None => values.resize(values.len() + self.width, 0.0),
            }
        }
        let valid: Vec<bool> = digests.iter().map(Option::is_some).collect();
        let width = i32::try_from(self.width).unwrap_or(i32::MAX);
        let lists = FixedSizeListArray::new(
            Arc::new(Field::new("item", DataType::Float32, false)),
            width,
            Arc::new(Float32Array::from(values)),
            Some(NullBuffer::from(valid)),
        );
        let ids = batch.column(0).clone();
        let digests: StringArray = digests.iter().map(Option::as_deref).collect();
        let columns = vec![ids, Arc::new(digests) as _, Arc::new(lists)];
        Ok(schema::batch(schema::embeddings(self.width), columns)?)
    }
}
