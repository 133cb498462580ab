//! Neural networks: their parameters, how they are made, and their training.

use super::training::{Training, collector, require_width};
use crate::cancel::CancelToken;
use crate::config::Issue;
use crate::model::backbones::BackboneKind;
use crate::model::{
    EmbeddingOptimizer, EpochRecord, Examples, Fitted, Inputs, LabelMap, MemoryExamples,
    ModelError, Network, NetworkSpec, Precision, Rows, TrainOptions, fit,
};
use crate::schema::IMAGE_SIZE;
use crate::stages::features::{FeatureInputs, LabelledRows, embedding_width, text_width};
use crate::stages::models::Predictor;
use crate::stages::tokenize::SequenceSize;
use crate::stages::{StageError, StageRun};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// Of `neural_simple`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::stages) struct NeuralSimpleParams {
    /// Width of the dense layer.
    hidden: usize,
    #[serde(flatten)]
    training: Training,
}

impl Default for NeuralSimpleParams {
    fn default() -> Self {
        Self {
            hidden: 54,
            training: Training::default(),
        }
    }
}

impl NeuralSimpleParams {
    pub(super) fn validate(&self, path: &str, issues: &mut Vec<Issue>) {
        let mut require = collector(path, issues);
        require_width(&mut require, "hidden", self.hidden);
        self.training.validate(&mut require);
    }
}

/// Of `neural_embedder`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::stages) struct NeuralEmbedderParams {
    /// Width of the embedding.
    dimensions: usize,
    /// Width of the dense layer.
    hidden: usize,
    /// Whose rows of the embedding a step changes.
    embedding_optimizer: EmbeddingOptimizer,
    #[serde(flatten)]
    training: Training,
}

impl Default for NeuralEmbedderParams {
    fn default() -> Self {
        Self {
            dimensions: 100,
            hidden: 54,
            embedding_optimizer: EmbeddingOptimizer::default(),
            training: Training::default(),
        }
    }
}

impl NeuralEmbedderParams {
    pub(super) fn validate(&self, path: &str, issues: &mut Vec<Issue>) {
        let mut require = collector(path, issues);
        require_width(&mut require, "dimensions", self.dimensions);
        require_width(&mut require, "hidden", self.hidden);
        self.training.validate(&mut require);
    }

    /// Makes the network.
    pub(super) fn trainable<'a>(
        &self,
        run: &StageRun<'a>,
        classes: usize,
    ) -> Result<Trainable<'a>, StageError> {
        let sequences = run.input("tokenize")?;
        let SequenceSize { vocabulary, length } = SequenceSize::read(sequences)?;
        let spec = NetworkSpec::NeuralEmbedder {
            vocabulary,
            length,
            dimensions: self.dimensions,
            hidden: self.hidden,
            dropout: self.training.dropout,
            classes,
        };
        let features = FeatureInputs {
            sequences: Some(sequences),
            ..FeatureInputs::default()
        };
        let mut trainable = Trainable::new(run, &spec, &self.training, features)?;
        trainable.options.embedding_optimizer = self.embedding_optimizer;
        Ok(trainable)
    }
}

/// Of `lenet`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::stages) struct LenetParams {
    /// Height and width in pixels that the network reads; divides the size of the tensors.
    image_size: usize,
    #[serde(flatten)]
    training: Training,
}

impl Default for LenetParams {
    fn default() -> Self {
        Self {
            image_size: IMAGE_SIZE as usize,
            training: Training::default(),
        }
    }
}

impl LenetParams {
    pub(super) fn validate(&self, path: &str, issues: &mut Vec<Issue>) {
        let mut require = collector(path, issues);
        let is_large = self.image_size >= 16;
        require(is_large, "image_size", "must be at least 16");
        self.training.validate(&mut require);
    }
}

/// Of `dense_head`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::stages) struct DenseHeadParams {
    /// Widths of the dense layers.
    hidden: Vec<usize>,
    #[serde(flatten)]
    training: Training,
}

impl Default for DenseHeadParams {
    fn default() -> Self {
        Self {
            hidden: vec![1024, 512],
            training: Training::default(),
        }
    }
}

impl DenseHeadParams {
    pub(super) fn validate(&self, path: &str, issues: &mut Vec<Issue>) {
        let mut require = collector(path, issues);
        require(!self.hidden.is_empty(), "hidden", "there is no layer");
        for &width in &self.hidden {
            require_width(&mut require, "hidden", width);
        }
        self.training.validate(&mut require);
    }

    /// Makes the network.
    pub(super) fn trainable<'a>(
        &self,
        run: &StageRun<'a>,
        classes: usize,
    ) -> Result<Trainable<'a>, StageError> {
        let embeddings = run.input("embed_images")?;
        let backbone = embeddings.reader.manifest().summary.get("backbone");
        let backbone = backbone.and_then(|name| BackboneKind::deserialize(name).ok());
        let spec = NetworkSpec::DenseHead {
            backbone,
            features: embedding_width(embeddings)?,
            hidden: self.hidden.clone(),
            dropout: self.training.dropout,
            classes,
        };
        let features = FeatureInputs {
            embeddings: Some(embeddings),
            ..FeatureInputs::default()
        };
        Trainable::new(run, &spec, &self.training, features)
    }
}

/// Of `fusion`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::stages) struct FusionParams {
    /// Width of the dense layer.
    hidden: usize,
    #[serde(flatten)]
    training: Training,
}

impl Default for FusionParams {
    fn default() -> Self {
        Self {
            hidden: 128,
            training: Training::default(),
        }
    }
}

impl FusionParams {
    pub(super) fn validate(&self, path: &str, issues: &mut Vec<Issue>) {
        let mut require = collector(path, issues);
        require_width(&mut require, "hidden", self.hidden);
        self.training.validate(&mut require);
    }
}

/// A network that can be trained: made, and told how.
pub(super) struct Trainable<'a> {
    network: Network,
    options: TrainOptions,
    /// What it reads.
    pub(super) features: FeatureInputs<'a>,
}

impl NeuralSimpleParams {
    /// Makes the network.
    pub(super) fn trainable<'a>(
        &self,
        run: &StageRun<'a>,
        classes: usize,
    ) -> Result<Trainable<'a>, StageError> {
        let text = run.input("tfidf")?;
        let spec = NetworkSpec::NeuralSimple {
            features: text_width(text)?,
            hidden: self.hidden,
            dropout: self.training.dropout,
            classes,
        };
        let features = FeatureInputs {
            text: Some(text),
            ..FeatureInputs::default()
        };
        Trainable::new(run, &spec, &self.training, features)
    }
}

impl LenetParams {
    /// Makes the network.
    pub(super) fn trainable<'a>(
        &self,
        run: &StageRun<'a>,
        classes: usize,
    ) -> Result<Trainable<'a>, StageError> {
        let spec = NetworkSpec::LeNet {
            size: self.image_size,
            dropout: self.training.dropout,
            classes,
        };
        let features = FeatureInputs {
            images: Some((run.input("decode_images")?, self.image_size)),
            ..FeatureInputs::default()
        };
        Trainable::new(run, &spec, &self.training, features)
    }
}

impl FusionParams {
    /// Joins the two trained networks that this stage needs, on the rows that they were trained on.
    pub(super) fn trainable<'a>(&self, run: &StageRun<'a>) -> Result<Trainable<'a>, StageError> {
        let mut text = None;
        let mut image = None;
        for input in run.inputs_of("train") {
            let (network, reads) = Predictor::read_network(input, run)?;
            let features = FeatureInputs::find(run, &reads, network.spec().image_size())?;
            match (network.spec().takes_text(), network.spec().takes_images()) {
                (true, false) => text = Some((network, features)),
                (false, true) => image = Some((network, features)),
                _ => {}
            }
        }
        let (Some((text, text_features)), Some((image, image_features))) = (text, image) else {
            return Err(StageError::Unusable(
                "a fusion needs one network that reads text and one that reads images".to_owned(),
            ));
        };
        let (hidden, dropout, seed) = (self.hidden, self.training.dropout, run.seed());
        Ok(Trainable {
            network: Network::fusion(text, image, hidden, dropout, seed)?,
            options: self.training.options(seed),
            features: FeatureInputs {
                images: image_features.images,
                embeddings: image_features.embeddings,
                ..text_features
            },
        })
    }
}

impl<'a> Trainable<'a> {
    fn new(
        run: &StageRun<'_>,
        spec: &NetworkSpec,
        training: &Training,
        features: FeatureInputs<'a>,
    ) -> Result<Self, StageError> {
        let network = Network::new(spec, run.environment.runtime()?, run.seed())?;
        Ok(Self::of(network, run, training, features))
    }

    /// A network that was made already.
    pub(super) fn of(
        network: Network,
        run: &StageRun<'_>,
        training: &Training,
        features: FeatureInputs<'a>,
    ) -> Self {
        Self {
            network,
            options: training.options(run.seed()),
            features,
        }
    }

    /// In which numbers it will multiply on its device.
    pub(super) fn precision(&self) -> Precision {
        self.options.precision.on(self.network.runtime())
    }

    /// Trains the network.
    pub(super) fn fit(
        self,
        run: &StageRun<'_>,
        labels: &LabelMap,
        train: LabelledRows,
        validation: LabelledRows,
    ) -> Result<Fitted, StageError> {
        let cancel = &run.environment.cancel;
        let train = Cancellable {
            examples: examples(train, labels)?,
            cancel,
        };
        let validation = Cancellable {
            examples: examples(validation, labels)?,
            cancel,
        };
        run.monitor.expect(self.options.epochs as u64, "epochs");
        let mut observer = |record: &EpochRecord| {
            run.monitor.advance(1);
            run.monitor.message(describe(record));
            match cancel.signal() {
                Some(_) => ControlFlow::Break(()),
                None => ControlFlow::Continue(()),
            }
        };
        fit(
            self.network,
            &train,
            &validation,
            &self.options,
            &mut observer,
        )
        .map_err(|error| match (error, cancel.signal()) {
            (ModelError::Interrupted, Some(signal)) => StageError::Interrupted { signal },
            (error, _) => StageError::Model(error),
        })
    }
}

fn describe(record: &EpochRecord) -> String {
    format!(
        "epoch {} loss {:.3} val_loss {:.3} val_f1 {:.3}",
        record.epoch, record.loss, record.validation_loss, record.validation_f1
    )
}

/// Examples that end a training between two batches once the run should stop.
struct Cancellable<'a> {
    examples: MemoryExamples,
    cancel: &'a CancelToken,
}

impl Rows for Cancellable<'_> {
    fn len(&self) -> usize {
        self.examples.len()
    }

    fn inputs(&self, rows: &[usize]) -> Result<Inputs, ModelError> {
        match self.cancel.signal() {
            Some(_) => Err(ModelError::Interrupted),
            None => self.examples.inputs(rows),
        }
    }
}

impl Examples for Cancellable<'_> {
    fn labels(&self) -> &[usize] {
        self.examples.labels()
    }
}

fn examples(rows: LabelledRows, labels: &LabelMap) -> Result<MemoryExamples, StageError> {
    let classes = rows
        .labels
        .iter()
        .map(|label| labels.index(label).unwrap_or_default());
    Ok(MemoryExamples::new(classes.collect(), rows.inputs)?)
}
