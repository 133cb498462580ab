//! The report's recipe against blocks of words and characters: every classical model on both, by the shipped pipeline.

use crate::pipeline::Pipeline;
use crate::report::Row;
use std::error::Error;

/// Stages of the shipped pipeline that read `tfidf`, and how much better blocks have to make them.
const STAGES: [(&str, Option<f64>); 6] = [
    ("logistic_regression", None),
    ("linear_svm", Some(0.02)),
    ("k_nearest_neighbours", None),
    ("decision_tree", None),
    ("random_forest", None),
    ("gradient_boosting", None),
];

/// Trains each model on both matrices; the rows of the table.
pub fn compare(pipeline: &Pipeline) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut rows = Vec::new();
    for (stage, bar) in STAGES {
        eprintln!("  {stage}, the report's recipe and blocks");
        pipeline.run(stage, &[])?;
        let before = pipeline.test_f1(stage)?;
        let mut settings = vec![format!("{stage}.needs=[split, tfidf_blocks]")];
        if stage == "linear_svm" {
            settings.push(format!("{stage}.params.c=0.5"));
        }
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        pipeline.run(stage, &settings)?;
        let after = pipeline.test_f1(stage)?;
        let step = format!("{stage}: weighted F1 on blocks, against the report's recipe");
        rows.push(Row::gain(&step, after, before, bar));
    }
    Ok(rows)
}
