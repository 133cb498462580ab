//! The training of a network: what it is trained on, from which epoch on, and what is seen of it.

use super::progress::Progress;
use super::supervision::Supervision;
use super::training::Training;
use crate::checkpoint::CheckpointWriter;
use crate::model::{
    Batches, EpochOrder, Examples, Fitted, LabelMap, Labelled, Network, NetworkSpec, Precision,
    Rows, TrainOptions, fit_supervised,
};
use crate::stages::features::{FeatureInputs, LabelledRows, LoadedRows, Loading, model_error};
use crate::stages::{StageError, StageRun};

/// A network that can be trained: made, and told how.
pub(super) struct Trainable<'a> {
    network: Network,
    pub(super) options: TrainOptions,
    /// What it reads.
    pub(super) features: FeatureInputs<'a>,
    loading: Loading,
}

impl<'a> Trainable<'a> {
    pub(super) fn new(
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
            loading: Loading::once(run),
        }
    }

    /// In which numbers it will multiply on its device.
    pub(super) fn precision(&self) -> Precision {
        self.options.precision.on(self.network.runtime())
    }

    /// The same, with images that are read in another way.
    pub(super) fn loading(self, loading: Loading) -> Self {
        Self { loading, ..self }
    }

    /// Trains the network on labelled rows.
    pub(super) fn fit(
        self,
        run: &StageRun<'_>,
        writer: &CheckpointWriter,
        labels: &LabelMap,
        train: LabelledRows,
        validation: LabelledRows,
    ) -> Result<Fitted, StageError> {
        let train = labelled(train, labels, &self.loading)?;
        let still = self.loading.augmented(None);
        let validation = labelled(validation, labels, &still)?;
        fit_on(
            run,
            writer,
            self.network,
            &self.options,
            (&train, &validation),
        )
    }
}

/// Trains a network, from its last epoch snapshot on where there is one.
pub(super) fn fit_on(
    run: &StageRun<'_>,
    writer: &CheckpointWriter,
    network: Network,
    options: &TrainOptions,
    (train, validation): (&dyn Examples, &dyn Examples),
) -> Result<Fitted, StageError> {
    let progress = Progress::new(run.monitor, options, train.len());
    let train = Watched {
        examples: train,
        progress: &progress,
    };
    let mut supervision = Supervision::new(run, writer, &progress);
    let fitted = fit_supervised(network, &train, validation, options, &mut supervision);
    fitted.map_err(|error| model_error(error, &run.environment.cancel))
}

/// The class of each label.
pub(super) fn classes_of(names: &[String], labels: &LabelMap) -> Vec<usize> {
    let class = |label: &String| labels.index(label).unwrap_or_default();
    names.iter().map(class).collect()
}

/// Rows with the number of their class.
fn labelled(
    rows: LabelledRows,
    labels: &LabelMap,
    loading: &Loading,
) -> Result<Labelled<LoadedRows>, StageError> {
    let classes = classes_of(&rows.labels, labels);
    Ok(Labelled::of(rows.into_rows(loading)?, classes))
}

/// Examples that tell how many of them were read.
struct Watched<'a> {
    examples: &'a dyn Examples,
    progress: &'a Progress<'a>,
}

impl Rows for Watched<'_> {
    fn len(&self) -> usize {
        self.examples.len()
    }

    fn batches(&self, order: EpochOrder, batch_size: usize) -> Batches<'_> {
        let batches = self.examples.batches(order, batch_size);
        Box::new(batches.inspect(|batch| {
            if let Ok(batch) = batch {
                self.progress.rows_read(batch.rows.len());
            }
        }))
    }
}

impl Examples for Watched<'_> {
    fn labels(&self) -> &[usize] {
        self.examples.labels()
    }
}
