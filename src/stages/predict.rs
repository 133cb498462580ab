//! `predict`: categories for the unlabelled rows (all rows on request), by the best model or a named one.

use super::evaluate::{best_model, read_scores};
use super::models::{Answers, LoadedModel};
use super::row_wise::{Aligned, ON_DEVICE, RowWise, process};
use super::{Input, Kind, Stage, StageError, StageOutput, StageRun, any, device_fields, one};
use crate::checkpoint::{FILES, contents_of};
use crate::config::NeedRule;
use crate::model::LabelMap;
use crate::schema::{self, LABELLED, PREDICTIONS, UNLABELLED};
use arrow::array::{ArrayRef, Float32Array, ListArray, RecordBatch, StringArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::sync::Arc;

/// How many of the likeliest categories are kept.
const RANKED: usize = 3;

/// In place of a model: the one with the best validation score.
pub(super) const BEST: &str = "best";

/// Which rows are predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum PredictedRows {
    /// Those without a label.
    Unlabelled,
    /// All of them.
    All,
}

/// Parameters of `predict`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(default)]
pub(super) struct Params {
    /// Name of a `train` stage, or `best` for the one with the best validation score.
    model: String,
    /// Which rows are predicted.
    rows: PredictedRows,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            model: BEST.to_owned(),
            rows: PredictedRows::Unlabelled,
        }
    }
}

impl Params {
    fn datasets(&self) -> Vec<&'static str> {
        match self.rows {
            PredictedRows::Unlabelled => vec![UNLABELLED],
            PredictedRows::All => vec![LABELLED, UNLABELLED],
        }
    }
}

/// The stage.
pub(super) struct Predict {
    params: Params,
}

impl Kind for Predict {
    const NAME: &'static str = "predict";
    const SUMMARY: &'static str = "Predicts categories by the best model or a named one.";
    type Params = Params;

    fn needs(params: &Params) -> Vec<NeedRule> {
        let datasets = params.datasets();
        vec![
            one("ingest", &datasets),
            any("tfidf", &datasets),
            any("tokenize", &[&datasets[..], &[FILES]].concat()),
            any("decode_images", &datasets),
            any("embed_images", &datasets),
            any("pca", &datasets),
            NeedRule {
                kind: "train",
                datasets: vec![FILES],
                count: (1, usize::MAX),
                may_be_skipped: true,
            },
            one("evaluate", &[FILES]),
        ]
    }

    fn new(params: Params) -> Self {
        Self { params }
    }
}

impl Stage for Predict {
    fn version(&self) -> u32 {
        1
    }

    fn uses_device(&self) -> bool {
        true
    }

    fn run(&self, run: &StageRun<'_>) -> Result<StageOutput, StageError> {
        let chosen = self.choose(run)?;
        let model = LoadedModel::load(run, chosen)?;
        // Of its content, not of its inputs: the same weights are the same model, and the part keys say so too.
        let contents = contents_of(chosen.reader.manifest());
        let content = contents
            .get(FILES)
            .map(|digest| digest.short().to_owned())
            .unwrap_or_default();
        let name = format!("{}@{content}", chosen.stage);
        let products = run.input("ingest")?;
        let mut aligned = vec![Aligned {
            input: products,
            columns: &["id"],
        }];
        let features = model.inputs();
        aligned.extend(
            features
                .values()
                .map(|(input, columns)| Aligned { input, columns }),
        );
        let mut extra: Vec<String> = device_fields(run);
        extra.push(chosen.stage.clone());
        extra.extend(contents.get(FILES).map(ToString::to_string));
        let names = self.params.datasets().into_iter();
        let spec = RowWise {
            aligned,
            datasets: names
                .map(|name| (name.to_owned(), PREDICTIONS.to_owned()))
                .collect(),
            sides: &[],
            extra,
            extra_of: None,
            unit: "rows",
            most_workers: ON_DEVICE,
        };
        let writer = process(run, &spec, &|unit, batches| {
            let by_stage = features.keys().copied().zip(&batches[1..]).collect();
            let rows = batches[0].num_rows();
            let answers = model.answer(run, unit.dataset, rows, &by_stage)?;
            let ids = batches[0].column(0).clone();
            Ok(vec![ranked(ids, &answers, &name, &model.labels)?])
        })?;
        let modality = run.count_values(&writer, &[PREDICTIONS], "modality")?;
        let mut summary = Map::new();
        summary.insert("model".to_owned(), json!(chosen.stage));
        summary.insert("model_digest".to_owned(), json!(content));
        summary.insert("modality".to_owned(), json!(modality));
        Ok(StageOutput { writer, summary })
    }
}

impl Predict {
    fn choose<'a>(&self, run: &StageRun<'a>) -> Result<&'a Input, StageError> {
        let candidates: Vec<&str> = run
            .inputs_of("train")
            .map(|input| input.stage.as_str())
            .collect();
        let name = if self.params.model == BEST {
            let scores = read_scores(run.input("evaluate")?)?;
            best_model(&scores, &candidates).map(str::to_owned)
        } else {
            Some(self.params.model.clone())
        };
        let found = run
            .inputs_of("train")
            .find(|input| Some(&input.stage) == name.as_ref());
        found.ok_or_else(|| {
            StageError::Unusable(format!(
                "model {:?} is none of those that {} needs: {}",
                self.params.model,
                run.id,
                candidates.join(", ")
            ))
        })
    }
}

/// The likeliest classes of each row of one part.
fn ranked(
    ids: ArrayRef,
    answers: &Answers,
    model: &str,
    labels: &LabelMap,
) -> Result<RecordBatch, StageError> {
    let mut ranked = Ranked::default();
    let mut modality = Vec::with_capacity(answers.probabilities.len());
    for (row, probabilities) in answers.probabilities.rows().enumerate() {
        modality.push(answers.presence.modality(row));
        ranked.add(probabilities);
    }
    ranked.finish(ids, modality, model, labels)
}

/// The likeliest classes of each row.
#[derive(Default)]
struct Ranked {
    classes: Vec<usize>,
    probabilities: Vec<f32>,
    lengths: Vec<usize>,
}

impl Ranked {
    fn add(&mut self, probabilities: &[f32]) {
        let mut order: Vec<usize> = (0..probabilities.len()).collect();
        // Stable: of equally likely classes the first stands first.
        order.sort_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]));
        order.truncate(RANKED);
        self.lengths.push(order.len());
        self.probabilities
            .extend(order.iter().map(|class| probabilities[*class]));
        self.classes.extend(order);
    }

    fn finish(
        self,
        ids: ArrayRef,
        modality: Vec<&str>,
        model: &str,
        labels: &LabelMap,
    ) -> Result<RecordBatch, StageError> {
        let name = |class: &usize| labels.label(*class).unwrap_or_default();
        let offsets = OffsetBuffer::from_lengths(self.lengths.iter().copied());
        let firsts: Vec<usize> = offsets
            .iter()
            .take(self.lengths.len())
            .map(|offset| usize::try_from(*offset).unwrap_or_default())
            .collect();
        let predicted = firsts.iter().map(|first| name(&self.classes[*first]));
        let confidence = firsts.iter().map(|first| self.probabilities[*first]);
        let rows = modality.len();
        let columns: Vec<ArrayRef> = vec![
            ids,
            Arc::new(StringArray::from_iter_values(predicted)),
            Arc::new(Float32Array::from_iter_values(confidence)),
            {
                let fields = schema::ranked_fields();
                let values = StructArray::new(
                    fields.clone(),
                    vec![
                        Arc::new(StringArray::from_iter_values(self.classes.iter().map(name)))
                            as ArrayRef,
                        Arc::new(Float32Array::from(self.probabilities)),
                    ],
                    None,
                );
                let item = Arc::new(Field::new("item", DataType::Struct(fields), false));
                Arc::new(ListArray::new(item, offsets, Arc::new(values), None))
            },
            Arc::new(StringArray::from(modality)),
            Arc::new(StringArray::from_iter_values(std::iter::repeat_n(
                model, rows,
            ))),
        ];
        Ok(schema::batch(schema::predictions(), columns)?)
    }
}
