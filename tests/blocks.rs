//! TF-IDF in blocks: what the stages make of the fields is what kernels make of each of them alone.

use crate::space::{TestSpace, stage};
use arrow::array::{Array, Float32Array, ListArray, StringArray, UInt32Array};
use rayonnage::checkpoint::CheckpointReader;
use rayonnage::schema::{LABELLED, UNLABELLED, VOCABULARY, column};
use rayonnage::text::{
    Analyzer, BlockOptions, BlockVectorizer, SparseRow, TfidfOptions, Vocabulary, VocabularyCounter,
};
use serde_json::json;

const BLOCKS: &str = "[{field: description, max_features: 40, sublinear_tf: true, weight: 0.5}, \
    {field: title, analyzer: char_wb, ngrams: [2, 4], max_features: 300, min_df: 2}, {field: text, max_df: 0.5}]";

fn texts(reader: &CheckpointReader, dataset: &str, name: &str) -> Vec<String> {
    let columns = [name];
    let parts = reader.parts(dataset, Some(&columns)).unwrap();
    parts
        .flat_map(|part| {
            let part = part.unwrap();
            let values: &StringArray = column(&part, name).unwrap();
            values
                .iter()
                .map(|value| value.unwrap().to_owned())
                .collect::<Vec<_>>()
        })
        .collect()
}

fn sparse_rows(reader: &CheckpointReader, dataset: &str) -> Vec<SparseRow> {
    let mut rows = Vec::new();
    for part in reader.parts(dataset, None).unwrap() {
        let part = part.unwrap();
        let indices: &ListArray = column(&part, "indices").unwrap();
        let values: &ListArray = column(&part, "values").unwrap();
        for row in 0..part.num_rows() {
            let (indices, values) = (indices.value(row), values.value(row));
            let indices = indices.as_any().downcast_ref::<UInt32Array>().unwrap();
            let values = values.as_any().downcast_ref::<Float32Array>().unwrap();
            rows.push(SparseRow {
                indices: indices.values().to_vec(),
                values: values.values().to_vec(),
            });
        }
    }
    rows
}

/// The blocks of [`BLOCKS`], each fitted on its own on the training rows.
fn fitted(space: &TestSpace) -> Vec<(&'static str, Vocabulary, BlockOptions)> {
    let base = TfidfOptions::default();
    let blocks = [
        (
            "description_tokens",
            0.5,
            TfidfOptions {
                max_features: Some(40),
                sublinear_tf: true,
                ..base.clone()
            },
        ),
        (
            "title_tokens",
            1.0,
            TfidfOptions {
                analyzer: Analyzer::CharWb,
                ngrams: (2, 4),
                max_features: Some(300),
                min_df: 2,
                ..base.clone()
            },
        ),
        (
            "tokens",
            1.0,
            TfidfOptions {
                max_features: Some(5000),
                max_df: 0.5,
                ..base
            },
        ),
    ];
    let folds = texts(&space.checkpoint("split"), LABELLED, "fold");
    let fit = |(name, weight, tfidf): (&'static str, f64, TfidfOptions)| {
        let mut counter = VocabularyCounter::new(&tfidf).unwrap();
        let texts = texts(&space.checkpoint("clean_text"), LABELLED, name);
        for (text, fold) in texts.iter().zip(&folds) {
            if fold == "train" {
                counter.add(text);
            }
        }
        let options = BlockOptions { tfidf, weight };
        (name, counter.finish().unwrap(), options)
    };
    blocks.map(fit).into()
}

/// A space whose blocks are those of the text that the report's recipe cleans.
fn space() -> TestSpace {
    let mut space = TestSpace::new();
    space.set("fit_tfidf_blocks.needs=[clean_text, split]");
    space.set("tfidf_blocks.needs=[clean_text, fit_tfidf_blocks]");
    space
}

#[test]
fn blocks_are_fitted_on_their_own_and_put_side_by_side() {
    let mut space = space();
    space.set(&format!("fit_tfidf_blocks.params.blocks={BLOCKS}"));
    let record = space.run(&["--until", "tfidf_blocks"]);
    let blocks = fitted(&space);
    let pairs = blocks.iter().map(|(_, terms, options)| (terms, options));
    let vectorizer = BlockVectorizer::new(pairs).unwrap();

    let summary = &stage(&record, "tfidf_blocks").summary;
    let widths: Vec<usize> = vectorizer.widths().collect();
    assert_eq!(summary["blocks"], json!(widths));
    assert_eq!(summary["columns"], json!(vectorizer.width()));
    assert_eq!(widths[..2], [40, 300]);

    let reader = space.checkpoint("fit_tfidf_blocks");
    let mut terms = Vec::new();
    for part in reader.parts(VOCABULARY, None).unwrap() {
        let part = part.unwrap();
        let numbers: &UInt32Array = column(&part, "block").unwrap();
        let names: &StringArray = column(&part, "term").unwrap();
        terms.extend(
            (0..part.num_rows()).map(|row| (numbers.value(row), names.value(row).to_owned())),
        );
    }
    let expected = blocks
        .iter()
        .zip(0..)
        .flat_map(|((_, vocabulary, _), number)| {
            vocabulary
                .terms
                .iter()
                .map(move |term| (number, term.term.clone()))
        });
    assert!(terms.into_iter().eq(expected));

    let mut without_description = 0;
    for dataset in [LABELLED, UNLABELLED] {
        let reader = space.checkpoint("clean_text");
        let columns: Vec<Vec<String>> = blocks
            .iter()
            .map(|(name, _, _)| texts(&reader, dataset, name))
            .collect();
        let rows = sparse_rows(&space.checkpoint("tfidf_blocks"), dataset);
        assert_eq!(rows.len(), columns[0].len());
        for (place, row) in rows.iter().enumerate() {
            let texts = columns.iter().map(|texts| texts[place].as_str());
            assert_eq!(*row, vectorizer.transform(texts), "row {place}");
            if columns[0][place].is_empty() && !row.indices.is_empty() {
                without_description += 1;
                assert!(row.indices[0] >= 40, "{row:?}");
                assert_eq!(columns[1][place], columns[2][place]);
            }
        }
    }
    assert!(
        without_description > 0,
        "the sample has rows without description"
    );
}

#[test]
fn a_field_that_nothing_fills_is_a_block_without_columns() {
    let mut space = space();
    let text = space.read("pipeline.yaml");
    space.write(
        "pipeline.yaml",
        text.replace("description: description", "description: imageid"),
    );
    space.set("fit_tfidf_blocks.params.blocks=[{field: title}, {field: description}]");
    let record = space.run(&["--until", "tfidf_blocks"]);
    let summary = &stage(&record, "tfidf_blocks").summary;
    assert_eq!(summary["blocks"][1], json!(0));
    assert_eq!(summary["columns"], summary["blocks"][0]);

    space.set("fit_tfidf_blocks.params.blocks=[{field: description}]");
    let run = ["run", "--until", "tfidf_blocks"];
    space
        .rayonnage(&run)
        .expect(11, &["stage fit_tfidf_blocks", "no block", "has a term"]);
    space.set("fit_tfidf_blocks.params.blocks=[{field: title}, {field: text, min_df: 100000}]");
    space.rayonnage(&run).expect(
        11,
        &[
            "stage fit_tfidf_blocks",
            "block 1 (text)",
            "`min_df` 100000",
        ],
    );
}
