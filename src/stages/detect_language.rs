//! `detect_language`: the language of title and description together.

use super::row_wise::{Aligned, RowWise, process, same_names};
use super::{Kind, Stage, StageError, StageOutput, StageRun, one};
use crate::config::{Issue, NeedRule};
use crate::schema::{self, LABELLED, UNLABELLED};
use crate::text::{LanguageDetector, LanguageOptions, html_text};
use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};
use std::sync::Arc;

/// Parameters of `detect_language`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Params {
    /// ISO 639-1 codes to choose among.
    allow: Vec<String>,
    /// Confidence below which the language is `und`.
    min_confidence: f64,
}

impl Default for Params {
    fn default() -> Self {
        let options = LanguageOptions::default();
        Self {
            allow: options.allow,
            min_confidence: options.min_confidence,
        }
    }
}

/// The stage.
pub(super) struct DetectLanguage {
    params: Params,
}

impl DetectLanguage {
    fn options(params: &Params) -> LanguageOptions {
        LanguageOptions {
            allow: params.allow.clone(),
            min_confidence: params.min_confidence,
        }
    }
}

impl Kind for DetectLanguage {
    const NAME: &'static str = "detect_language";
    type Params = Params;

    fn needs(_: &Params) -> Vec<NeedRule> {
        vec![one("ingest", &[LABELLED, UNLABELLED])]
    }

    fn validate(params: &Params, path: &str, issues: &mut Vec<Issue>) {
        if let Err(error) = LanguageDetector::new(&Self::options(params)) {
            issues.push(Issue::new(path, error.to_string()));
        }
    }

    fn new(params: Params) -> Self {
        Self { params }
    }
}

impl Stage for DetectLanguage {
    fn version(&self) -> u32 {
        1
    }

    fn queries(&self) -> &'static [&'static str] {
        &["merge_text"]
    }

    fn run(&self, run: &StageRun<'_>) -> Result<StageOutput, StageError> {
        let detector = LanguageDetector::new(&Self::options(&self.params))?;
        let input = run.input("ingest")?;
        let spec = RowWise {
            aligned: vec![Aligned {
                input,
                columns: &["id", "title", "description"],
            }],
            datasets: same_names(input),
            sides: &[],
            extra: Vec::new(),
            extra_of: None,
            unit: "rows",
        };
        let writer = process(run, &spec, &|_, batches| {
            let texts = merged_texts(run, &batches[0])?;
            let found: Vec<_> = texts
                .par_iter()
                .map(|text| detector.detect(&html_text(text)))
                .collect();
            let codes: ArrayRef = Arc::new(
                found
                    .iter()
                    .map(|found| Some(found.code))
                    .collect::<StringArray>(),
            );
            let confidences: ArrayRef = Arc::new(Float64Array::from_iter_values(
                found.iter().map(|found| found.confidence),
            ));
            let ids = batches[0].column(0).clone();
            Ok(vec![schema::batch(
                schema::languages(),
                vec![ids, codes, confidences],
            )?])
        })?;
        let mut languages = Map::new();
        let counts = run.count_values(&writer, &[LABELLED, UNLABELLED], "language")?;
        for (language, rows) in counts {
            languages.insert(language, json!(rows));
        }
        let summary = Map::from_iter([("languages".to_owned(), json!(languages))]);
        Ok(StageOutput { writer, summary })
    }
}

/// The text of each row in the order of the batch, by the query `merge_text`.
pub(super) fn merged_texts(
    run: &StageRun<'_>,
    products: &RecordBatch,
) -> Result<Vec<String>, StageError> {
    let merged = run
        .environment
        .queries
        .run("merge_text", &[("products", products)])?;
    let wanted = Arc::new(arrow::datatypes::Schema::new(vec![
        arrow::datatypes::Field::new("id", arrow::datatypes::DataType::Utf8, false),
        arrow::datatypes::Field::new("text", arrow::datatypes::DataType::Utf8, false),
    ]));
    let merged = schema::conform(&merged, &wanted)?;
    super::row_wise::in_order_of(products, &merged, "merge_text", |row| {
        let texts: Result<&StringArray, _> = schema::column(&merged, "text");
        texts.map(|texts| texts.value(row).to_owned())
    })
}
