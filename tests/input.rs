//! Bad input: rows become rejects, images become faults, and what cannot be used is named; nothing panics.

use crate::space::{STAGES, TestSpace, assert_same, objects, ran, stage};
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use rayonnage::checkpoint::CheckpointReader;
use rayonnage::checkpoint::parquet::encode;
use rayonnage::schema::column;
use serde_json::{Map, Value, json};
use std::fs;
use std::sync::Arc;

const PRODUCTS: &str = "catalogue/X_train_update.csv";
const LABELS: &str = "catalogue/Y_train_CVw08PX.csv";
const UNLABELLED: &str = "catalogue/X_test_update.csv";
/// Where a run that is about its input alone ends.
const INGEST: [&str; 3] = ["run", "--until", "ingest"];

/// Values of a text column of a dataset.
fn texts(reader: &CheckpointReader, dataset: &str, name: &str) -> Vec<String> {
    let mut values = Vec::new();
    for batch in reader.parts(dataset, Some(&[name])).unwrap() {
        let batch = batch.unwrap();
        let found: &StringArray = column(&batch, name).unwrap();
        values.extend(found.iter().map(|value| value.unwrap_or("null").to_owned()));
    }
    values
}

/// Contents of the datasets of `ingest`.
fn contents(space: &TestSpace) -> Vec<String> {
    let reader = space.checkpoint("ingest");
    ["labelled", "unlabelled", "rejects"]
        .map(|name| reader.dataset(name).unwrap().content.to_string())
        .to_vec()
}

#[test]
fn bad_rows_become_rejects_with_reasons() {
    let mut space = TestSpace::new();
    space.append(
        PRODUCTS,
        b"0,again,,,\n,without id,,,\n9001,without label,,,\n9002,too few\n9003,bad \xff byte,,,\n\
          9004,nul \x00 byte,,,\n9005,leaves,,1,../../../../etc/passwd\n",
    );
    space.append(LABELS, "1,10\n9003,10\n9004,10\n9005,10\n9999,10\n9006,\n");
    space.append(
        UNLABELLED,
        "9010,\"never closed,,,\n9011,after it,,,\n120,again,,,\n",
    );
    let outcome = space.rayonnage(&INGEST);
    outcome.expect(
        13,
        &[
            "stage ingest",
            "rows are rejected",
            "1 missing_id",
            "remedy:",
        ],
    );
    space.set("max_reject_ratio=0.5");
    let record = space.run(&INGEST[1..]);
    let reader = space.checkpoint("ingest");
    let [ids, reasons, lines] =
        ["row_id", "reason", "source"].map(|name| texts(&reader, "rejects", name));
    let mut found: Vec<(&str, &str, &str)> = Vec::new();
    for ((id, reason), source) in ids.iter().zip(&reasons).zip(&lines) {
        found.push((source, id, reason));
    }
    found.sort_unstable();
    let (test, train, labels) = (
        "X_test_update.csv",
        "X_train_update.csv",
        "Y_train_CVw08PX.csv",
    );
    let mut expected = [
        (test, "120", "duplicate_id"),
        (test, "null", "broken_quoting"),
        (train, "0", "duplicate_id"),
        (train, "9001", "missing_label"),
        (train, "9005", "image_outside_source"),
        (train, "null", "field_count"),
        (train, "null", "invalid_utf8"),
        (train, "null", "missing_id"),
        (train, "null", "nul_byte"),
        (labels, "1", "duplicate_label"),
        // Their products are rejected before their ids are known.
        (labels, "9003", "label_without_product"),
        (labels, "9004", "label_without_product"),
        (labels, "9006", "label_without_product"),
        (labels, "9999", "label_without_product"),
    ];
    expected.sort_unstable();
    assert_eq!(found, expected);
    let ingest = stage(&record, "ingest");
    assert_eq!(ingest.rows["labelled"], 120);
    assert_eq!(
        ingest.rows["unlabelled"], 31,
        "the row after the open quote is kept"
    );
    assert_eq!(ingest.summary["rejects"]["duplicate_id"], 2);
}

#[test]
fn good_rows_are_predicted_beside_bad_ones() {
    let space = TestSpace::finished();
    space.append(UNLABELLED, "120,again,,,\n");
    let record = space.run(&[]);
    assert_eq!(stage(&record, "ingest").rows["rejects"], 1);
    assert_eq!(ran(&record), ["ingest"], "the good rows are the same");
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_name() {
    let space = TestSpace::finished();
    let before = contents(&space);
    for table in [PRODUCTS, LABELS, UNLABELLED] {
        let text = space.read(table);
        space.write(table, format!("\u{feff}{text}"));
    }
    // Nor is a carriage return part of a value; in the other tables it may stand inside quotes.
    let labels = space.read(LABELS).replace('\n', "\r\n");
    space.write(LABELS, labels);
    assert_eq!(ran(&space.run(&[])), ["ingest"], "the same rows");
    assert_eq!(contents(&space), before);
}

#[test]
fn a_missing_column_is_named_with_a_suggestion() {
    let space = TestSpace::new();
    let text = space
        .read(PRODUCTS)
        .replacen("designation", "desgination", 1);
    space.write(PRODUCTS, text);
    space.rayonnage(&["run"]).expect(
        11,
        &[
            "stage ingest",
            "X_train_update.csv",
            "no column \"designation\"",
            "did you mean \"desgination\"?",
        ],
    );
}

#[test]
fn tables_that_are_not_there_or_empty_are_named() {
    let mut space = TestSpace::new();
    space.write(UNLABELLED, "");
    space
        .rayonnage(&["run"])
        .expect(11, &["X_test_update.csv", "is empty"]);
    fs::remove_file(space.path(UNLABELLED)).unwrap();
    space
        .rayonnage(&["run"])
        .expect(11, &["X_test_update.csv", "does not exist"]);
    space.set("source.unlabelled=X_test_update.txt");
    space.write("catalogue/X_test_update.txt", "id\n");
    space
        .rayonnage(&["run"])
        .expect(11, &["X_test_update.txt", "known: .csv"]);
    space.set("source.root=nowhere");
    space
        .rayonnage(&["run"])
        .expect(11, &["nowhere does not exist"]);
    assert!(!space.path("nowhere").exists(), "a source is not made");
}

#[test]
fn nothing_is_published_of_a_catalogue_without_unlabelled_rows_unless_asked_for() {
    let mut space = TestSpace::finished();
    let published = space.published();
    space.set("source.unlabelled=\"\"");
    space
        .rayonnage(&["run"])
        .expect(11, &["stage publish", "0 rows", "min_rows 1"]);
    assert_same(&space.published(), &published);
    space.set("publish.params.min_rows=0");
    let record = space.run(&[]);
    assert_eq!(stage(&record, "predict").rows["predictions"], 0);
    assert!(
        space
            .read("out/predictions/latest.json")
            .contains("\"rows\": 0")
    );
}

#[test]
fn rows_without_image_or_text_are_predicted() {
    let space = TestSpace::finished();
    space.append(UNLABELLED, "9001,,,,\n9002,Un livre,,,\n9003,,,1,2\n");
    let record = space.run(&[]);
    assert_eq!(stage(&record, "predict").rows["predictions"], 33);
    let reader = space.checkpoint("publish");
    let ids = texts(&reader, "published", "id");
    let modalities = texts(&reader, "published", "modality");
    let of = |id: &str| &modalities[ids.iter().position(|found| found == id).unwrap()];
    assert_eq!((of("9001").as_str(), of("9003").as_str()), ("none", "none"));
    assert_eq!(of("9002"), "text");
}

#[test]
fn broken_images_are_faults_up_to_a_limit() {
    let mut space = TestSpace::new();
    let images = objects(&space.path("catalogue/images/image_test"));
    let names: Vec<&String> = images.keys().collect();
    for (index, name) in names.iter().take(12).enumerate() {
        let path = format!("catalogue/images/image_test/{name}");
        let bytes = &images[*name];
        match index % 3 {
            0 => space.write(&path, b"no image"),
            1 => space.write(&path, &bytes[..bytes.len() / 2]),
            _ => space.write(&path, b""),
        }
    }
    space
        .rayonnage(&["run", "--until", "decode_images"])
        .expect(
            13,
            &[
                "stage decode_images",
                "images are broken",
                "corrupt",
                "remedy:",
            ],
        );
    space.set("max_image_fault_ratio=0.5");
    let record = space.run(&[]);
    let images = stage(&record, "decode_images");
    assert_eq!(
        images.parts_made, 0,
        "the limit is no part of what was made"
    );
    let statuses = images.summary["image_status"].as_object().unwrap();
    let broken: u64 = statuses
        .iter()
        .filter(|(status, _)| !["ok", "none", "absent"].contains(&status.as_str()))
        .map(|(_, count)| count.as_u64().unwrap())
        .sum();
    assert!(broken >= 12, "{statuses:?}");
    assert_eq!(stage(&record, "predict").rows["predictions"], 30);
}

#[test]
fn a_real_catalogue_needs_the_date_of_its_dump() {
    let mut space = TestSpace::new();
    fs::remove_file(space.path("catalogue/sample.json")).unwrap();
    space.rayonnage(&["run"]).expect(10, &["dump_date"]);
    assert!(!space.path("checkpoints/ingest").exists(), "nothing ran");
    // What does not publish does not need it.
    space.rayonnage(&["plan"]).expect(0, &[]);
    space.run(&INGEST[1..]);
    space.set("dump_date=2026-02-30");
    space
        .rayonnage(&["run"])
        .expect(10, &["dump_date: must be a date"]);
    space.set("dump_date=2026-11-20");
    space.rayonnage(&["plan"]).expect(0, &[]);
}

#[test]
fn every_mistake_of_a_configuration_at_once() {
    let space = TestSpace::new();
    space
        .rayonnage(&["validate"])
        .expect(0, &[])
        .printed(&[&format!("{STAGES} stages"), "no mistakes"]);
    let text = space
        .read("pipeline.yaml")
        .replace("seed: 123  ", "sead: 123  ")
        .replace("max_words: 500", "max_wrods: 500")
        .replacen("kind: fit_tfidf", "kind: fit_tfdif", 1)
        .replace(
            "- { field: description, ",
            "- { field: desciption, weigth: 2, ",
        )
        .replace("ngrams: [2, 5]", "ngrams: [5, 2]")
        .replace("needs: [translate]", "needs: [transalte]")
        .replace("filter: bilinear", "filter: cubist")
        .replace("max_reject_ratio: 0.01", "max_reject_ratio: 7");
    space.write("pipeline.yaml", text);
    let expected = [
        "pipeline.yaml has 10 mistakes",
        "sead: unknown key; did you mean \"seed\"?",
        "stages.clean_text.params.max_wrods: unknown key; did you mean \"max_words\"?",
        "stages.fit_tfidf.kind: unknown kind \"fit_tfdif\"; did you mean \"fit_tfidf\"?",
        "stages.fit_tfidf_blocks.params.blocks[1].field: unknown field \"desciption\"; did you mean \"description\"?",
        "stages.fit_tfidf_blocks.params.blocks[1].weigth: unknown key; did you mean \"weight\"?",
        "stages.fit_tfidf_blocks.params.blocks[2].ngrams: must be two lengths from 1 to 20",
        "stages.clean_text.needs: \"transalte\" is not a stage; did you mean \"translate\"?",
        "stages.decode_images.params.filter: unknown filter \"cubist\"",
        "max_reject_ratio: must lie between 0 and 1",
    ];
    space.rayonnage(&["validate"]).expect(10, &expected);
    space.rayonnage(&["run"]).expect(10, &expected);
    let named = ["validate", "--set", "predict.params.model=resnet"];
    let shipped = include_str!("../pipeline.yaml");
    space.write("pipeline.yaml", shipped);
    space
        .rayonnage(&named)
        .expect(10, &["stages.predict.params.model: \"resnet\""]);
    space.write("pipeline.yaml", "stages: [");
    space.rayonnage(&["validate"]).expect(10, &["is not YAML"]);
    fs::remove_file(space.path("pipeline.yaml")).unwrap();
    space
        .rayonnage(&["validate"])
        .expect(10, &["cannot read pipeline.yaml"]);
}

#[test]
fn a_mistake_is_said_with_its_key_and_what_was_meant() {
    let mut space = TestSpace::new();
    for (setting, expected) in [
        (
            "linear_svm.params.calibration_folds=100000",
            "stages.linear_svm.params.calibration_folds: must lie between 2 and 100, or be 0",
        ),
        (
            "logistic_regression.params.cv={fold: 3}",
            "stages.logistic_regression.params.cv.fold: unknown key; did you mean \"folds\"?",
        ),
        (
            "gradient_boosting.params.early_stopping=true",
            "stages.gradient_boosting.params.early_stopping: expected a mapping, found a truth value",
        ),
        (
            "fit_tfidf.params.max_features=5000",
            "stages.fit_tfidf.params.max_features: belongs into a block: `blocks: [{max_features: 5000}]`",
        ),
        (
            "translate.params.target=french",
            "stages.translate.params.target: `french` is not the ISO 639-1 code",
        ),
        ("translate.params.target=FR", "did you mean `fr`?"),
        (
            "soft_vote.needs=[linear_svm_blocks]",
            "stages.soft_vote.needs: train needs at least 2 stages of kind train, not 1",
        ),
        (
            "soft_vote.params.weights.neural_simpel=2",
            "stages.soft_vote.params.weights.neural_simpel: is no model that soft_vote needs; did you mean \"neural_simple\"?",
        ),
        (
            "predict.params.model=linear_svn",
            "stages.predict.params.model: \"linear_svn\" is no model that predict needs; did you mean \"linear_svm\"?",
        ),
    ] {
        let outcome = space.rayonnage(&["validate", "--set", setting]);
        outcome.expect(10, &["pipeline.yaml has a mistake", expected]);
    }
    // Of two settings of a key the later one holds, and those of the space come last.
    space.set("tokenize.params.vocabulary=4294967295");
    let said = "stages.tokenize.params.vocabulary: `vocabulary` must be between 3 and 10 million";
    space.rayonnage(&["validate"]).expect(10, &[said]);
}

/// The rows of a CSV table, with the column without a name called `row`.
fn table(space: &TestSpace, path: &str) -> (Vec<String>, Vec<Vec<String>>) {
    let text = space.read(path);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let texts = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect::<Vec<_>>();
    let mut header = texts(reader.headers().unwrap());
    "row".clone_into(&mut header[0]);
    let rows = reader.records().map(|record| texts(&record.unwrap()));
    (header, rows.collect())
}

fn to_ndjson(header: &[String], rows: &[Vec<String>]) -> Vec<u8> {
    let mut text = String::new();
    for row in rows {
        let values = header
            .iter()
            .zip(row)
            .filter(|(_, value)| !value.is_empty());
        // Numbers where they are numbers, and nothing where there is nothing.
        let values = values.map(|(name, value)| {
            let value = value
                .parse::<u64>()
                .map_or(json!(value), |number| json!(number));
            (name.clone(), value)
        });
        let object: Map<String, Value> = values.collect();
        text.push_str(&Value::Object(object).to_string());
        text.push('\n');
    }
    text.into_bytes()
}

fn to_parquet(header: &[String], rows: &[Vec<String>]) -> Vec<u8> {
    let columns = header.iter().enumerate().map(|(at, name)| {
        let values = rows
            .iter()
            .map(|row| Some(row[at].as_str()).filter(|value| !value.is_empty()));
        let array: ArrayRef = Arc::new(values.collect::<StringArray>());
        (name, array, true)
    });
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    encode(&batch, "a source table").unwrap().to_vec()
}

/// Writes a table of a header and rows.
type Format = fn(&[String], &[Vec<String>]) -> Vec<u8>;

#[test]
fn every_format_of_a_table_gives_the_same_rows() {
    let space = TestSpace::finished();
    let expected = contents(&space);
    let formats: [(&str, Format); 2] = [("ndjson", to_ndjson), ("parquet", to_parquet)];
    for (extension, write) in formats {
        let mut space = TestSpace::finished();
        for (key, path) in [
            ("products", PRODUCTS),
            ("labels", LABELS),
            ("unlabelled", UNLABELLED),
        ] {
            let (header, rows) = table(&space, path);
            space.write(
                &format!("catalogue/{key}.{extension}"),
                write(&header, &rows),
            );
            fs::remove_file(space.path(path)).unwrap();
            space.set(&format!("source.{key}={key}.{extension}"));
        }
        space.set("source.columns.id=row");
        let record = space.run(&[]);
        assert_eq!(contents(&space), expected, "{extension}");
        assert_eq!(ran(&record), ["ingest"], "{extension}");
    }
}

#[test]
fn labels_may_stand_with_their_products() {
    let mut space = TestSpace::finished();
    let expected = contents(&space);
    let ((mut header, mut rows), (_, labels)) = (table(&space, PRODUCTS), table(&space, LABELS));
    header.push("prdtypecode".to_owned());
    for (row, label) in rows.iter_mut().zip(&labels) {
        assert_eq!(row[0], label[0]);
        row.push(label[1].clone());
    }
    space.write("catalogue/products.parquet", to_parquet(&header, &rows));
    let (header, rows) = table(&space, UNLABELLED);
    space.write("catalogue/unlabelled.parquet", to_parquet(&header, &rows));
    for setting in [
        "source.products=products.parquet",
        "source.labels=\"\"",
        "source.unlabelled=unlabelled.parquet",
        "source.columns.id=row",
    ] {
        space.set(setting);
    }
    assert_eq!(ran(&space.run(&[])), ["ingest"]);
    assert_eq!(contents(&space), expected);
}
