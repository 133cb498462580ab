//! The report's recipe (5,000 stemmed words of the merged text) against blocks of words and characters of a text that is
//! hardly cleaned: the models of TF-IDF on both, by the shipped pipeline. Where a model has a `c`, each side chooses its own by
//! cross-validation.

use crate::pipeline::Pipeline;
use crate::report::Row;
use std::error::Error;

/// Stages of the shipped pipeline that read `tfidf`, a setting of their parameters on both sides, and how much better
/// blocks have to make them.
const STAGES: [(&str, &str, Option<f64>); 7] = [
    (
        "logistic_regression",
        "cv={grid: {c: [1.0, 3.0, 10.0]}}",
        None,
    ),
    ("linear_svm", "cv={grid: {c: [0.3, 0.5, 1.0]}}", Some(0.02)),
    ("k_nearest_neighbours", "metric=euclidean", None),
    ("decision_tree", "class_weights=false", None),
    ("random_forest", "class_weights=false", None),
    ("gradient_boosting", "class_weights=false", None),
    ("neural_simple", "class_weights=false", None),
];

/// Trains each model on both matrices; the rows of the table.
pub fn compare(pipeline: &Pipeline) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut rows = Vec::new();
    for (stage, param, bar) in STAGES {
        eprintln!("  {stage}, the report's recipe and blocks");
        let param = format!("{stage}.params.{param}");
        pipeline.run(stage, &[&param])?;
        let before = pipeline.test_f1(stage)?;
        let needs = format!("{stage}.needs=[split, tfidf_blocks]");
        // Not run, but checked: its text branch is one of these models.
        let fusion = "fusion.needs=[split, tfidf_blocks, decode_images, neural_simple, lenet]";
        let mut settings = vec![param.as_str(), &needs];
        if stage == "neural_simple" {
            settings.push(fusion);
        }
        pipeline.run(stage, &settings)?;
        let after = pipeline.test_f1(stage)?;
        let step = format!("{stage}: weighted F1 on blocks, against the report's recipe");
        rows.push(Row::gain(&step, after, before, bar));
    }
    Ok(rows)
}
