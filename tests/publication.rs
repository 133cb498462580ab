//! What consumers of the predictions may rely on.

use crate::space::{Objects, TestSpace, assert_same, objects_of, ran};
use rayonnage::checkpoint::parquet::decode;
use rayonnage::checkpoint::{FILES, contents_of};
use rayonnage::fingerprint::Digest;
use rayonnage::runner::SelectionOptions;
use rayonnage::store::{ObjectBackedStore, RecordingStore, SharedStore};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

const LATEST: &str = "predictions/latest.json";

fn parse(objects: &Objects, path: &str) -> Value {
    serde_json::from_slice(&objects[path]).unwrap()
}

/// The one publication of a date, as its path below the sink.
#[track_caller]
fn folder_of(objects: &Objects, date: &str) -> String {
    let prefix = format!("predictions/dt={date}/run=");
    let folders: BTreeSet<String> = objects
        .keys()
        .filter(|path| path.starts_with(&prefix))
        .filter_map(|path| path.rsplit_once('/'))
        .map(|(folder, _)| folder.to_owned())
        .collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders.into_iter().next().unwrap()
}

#[test]
fn a_publication_is_described_by_its_manifest() {
    let space = TestSpace::finished();
    let published = space.published();
    let folder = folder_of(&published, "2023-01-01");
    let manifest = parse(&published, &format!("{folder}/_manifest.json"));
    assert_eq!(manifest["date"], "2023-01-01");
    let run = folder.rsplit_once("run=").unwrap().1;
    let bytes = &published[&format!("{folder}/_manifest.json")];
    let digest = Digest::of(bytes);
    let named_by = Digest::of_strings(["_manifest.json", digest.as_str()]);
    assert_eq!(run, named_by.short(), "the manifest names the publication");
    assert_eq!(manifest["rows"], 30);
    let f1 = manifest["scores"]["test_f1"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&f1), "{manifest}");
    let model = manifest["model"]["stage"].as_str().unwrap();
    let made = space.checkpoint(model);
    let digest = &contents_of(made.manifest())[FILES];
    assert_eq!(manifest["model"]["digest"], digest.short());
    let mut expected =
        BTreeSet::from(["_manifest.json", "_SUCCESS"].map(|name| format!("{folder}/{name}")));
    let mut rows = 0;
    for part in manifest["parts"].as_array().unwrap() {
        let path = format!("{folder}/{}", part["file"].as_str().unwrap());
        let bytes = &published[&path];
        assert_eq!(part["bytes"], bytes.len());
        assert_eq!(part["digest"], Digest::of(bytes).as_str());
        rows += part["rows"].as_u64().unwrap();
        expected.insert(path);
    }
    assert_eq!(manifest["rows"], rows);
    expected.insert(LATEST.to_owned());
    assert_eq!(published.keys().cloned().collect::<BTreeSet<_>>(), expected);
    assert!(published[&format!("{folder}/_SUCCESS")].is_empty());
    assert_eq!(
        parse(&published, LATEST),
        json!({ "date": "2023-01-01", "run": run, "path": folder, "rows": 30 })
    );
}

#[test]
fn the_columns_are_the_documented_ones() {
    let space = TestSpace::finished();
    let mut ids = Vec::new();
    for (path, bytes) in space.published() {
        if !path.ends_with(".parquet") {
            continue;
        }
        let batch = decode(bytes.into(), None, &path).unwrap();
        let schema = batch.schema();
        let columns: Vec<String> = schema
            .fields()
            .iter()
            .map(|field| {
                let optional = if field.is_nullable() { "?" } else { "" };
                format!("{}: {}{optional}", field.name(), field.data_type())
            })
            .collect();
        assert_eq!(
            columns,
            [
                "id: Utf8",
                "product_id: Utf8?",
                "predicted: Utf8",
                "predicted_name: Utf8?",
                "confidence: Float32",
                "top3: List(non-null Struct(\"label\": non-null Utf8, \"probability\": non-null Float32))",
                "modality: Utf8",
                "language: Utf8",
                "model: Utf8",
            ]
        );
        let column: &arrow::array::StringArray = rayonnage::schema::column(&batch, "id").unwrap();
        ids.extend(column.iter().flatten().map(str::to_owned));
    }
    ids.sort_by_key(|id| id.parse::<u32>().unwrap());
    let expected: Vec<String> = (120..150).map(|id| id.to_string()).collect();
    assert_eq!(ids, expected, "every unlabelled row once");
}

#[test]
fn publishing_the_same_again_writes_nothing() {
    let space = TestSpace::new();
    let checkpoints: SharedStore = Arc::new(ObjectBackedStore::memory());
    let recorded = Arc::new(RecordingStore::new(Arc::new(ObjectBackedStore::memory())));
    let sink: SharedStore = recorded.clone();
    space
        .run_on(&checkpoints, &sink, &SelectionOptions::default())
        .unwrap();
    let operations = recorded.operations();
    // Whole before visible: parts, manifest, _SUCCESS, and the pointer last.
    let names: Vec<&str> = operations
        .iter()
        .map(|operation| operation.path().rsplit('/').next().unwrap())
        .collect();
    let (parts, rest) = names.split_at(names.len() - 3);
    assert!(parts.len() > 1 && parts.iter().all(|name| name.starts_with("part-")));
    assert_eq!(rest, ["_manifest.json", "_SUCCESS", "latest.json"]);
    let again = SelectionOptions {
        only: Some("publish".to_owned()),
        force: true,
        ..SelectionOptions::default()
    };
    let record = space.run_on(&checkpoints, &sink, &again).unwrap();
    assert_eq!(ran(&record), ["publish"]);
    assert_eq!(recorded.operations(), operations);
}

#[test]
fn latest_does_not_move_to_an_older_date() {
    let mut space = TestSpace::finished();
    space.set("dump_date=2026-11-20");
    assert_eq!(ran(&space.run(&[])), ["publish"]);
    let newer = space.published();
    assert_eq!(parse(&newer, LATEST)["date"], "2026-11-20");
    space.set("dump_date=2026-11-19");
    assert_eq!(ran(&space.run(&[])), ["publish"]);
    let both = space.published();
    assert_eq!(both[LATEST], newer[LATEST]);
    let older = folder_of(&both, "2026-11-19");
    assert!(both.contains_key(&format!("{older}/_SUCCESS")));
    for (path, bytes) in &newer {
        assert_eq!(both.get(path), Some(bytes), "{path}");
    }
    // That it does not point to the older one is no reason to publish the older one again.
    assert!(ran(&space.run(&[])).is_empty());
}

#[test]
fn a_deleted_sink_is_published_again_from_checkpoints() {
    let space = TestSpace::finished();
    let published = space.published();
    fs::remove_dir_all(space.path("out")).unwrap();
    let plan = space.rayonnage(&["plan"]);
    plan.expect(0, &[])
        .printed(&["the sink does not hold it", "1 of 16 stages"]);
    assert_eq!(ran(&space.run(&[])), ["publish"]);
    assert_same(&space.published(), &published);
}

#[test]
fn half_a_publication_is_completed() {
    let space = TestSpace::finished();
    let published = space.published();
    let folder = folder_of(&published, "2023-01-01");
    fs::remove_file(space.path(&format!("out/{folder}/_SUCCESS"))).unwrap();
    assert_eq!(ran(&space.run(&[])), ["publish"]);
    assert_same(&space.published(), &published);
    fs::remove_file(space.path(&format!("out/{LATEST}"))).unwrap();
    assert_eq!(ran(&space.run(&[])), ["publish"]);
    assert_same(&space.published(), &published);
}

#[test]
fn the_second_of_two_publishers_says_so() {
    let space = TestSpace::new();
    let checkpoints: SharedStore = Arc::new(ObjectBackedStore::memory());
    let sink: SharedStore = Arc::new(ObjectBackedStore::memory());
    let guard = sink.lock("predictions/_lock", "the other run").unwrap();
    let error = space
        .run_on(&checkpoints, &sink, &SelectionOptions::default())
        .unwrap_err();
    assert_eq!(error.exit_code(), rayonnage::exit_code::LOST_RACE);
    assert!(objects_of(&sink).is_empty());
    drop(guard);
    let record = space
        .run_on(&checkpoints, &sink, &SelectionOptions::default())
        .unwrap();
    assert_eq!(ran(&record), ["publish"]);
    assert!(objects_of(&sink).contains_key(LATEST));
}

#[test]
fn a_published_part_that_is_gone_or_cut_is_published_again() {
    for damage in [None, Some(&b""[..])] {
        let space = TestSpace::finished();
        let before = space.published();
        let part = before
            .keys()
            .find(|path| path.ends_with(".parquet"))
            .unwrap();
        let file = space.path(&format!("out/{part}"));
        match damage {
            None => std::fs::remove_file(&file).unwrap(),
            Some(bytes) => std::fs::write(&file, bytes).unwrap(),
        }
        let record = space.run(&[]);
        assert_eq!(ran(&record), ["publish"]);
        assert_same(&space.published(), &before);
    }
}

#[test]
fn a_damaged_latest_does_not_move_to_an_older_date() {
    let mut space = TestSpace::finished();
    let before = space.published();
    std::fs::write(space.path(&format!("out/{LATEST}")), b"{").unwrap();
    space.set("dump_date=2020-01-01");
    space.run(&[]);
    assert_eq!(
        std::fs::read(space.path(&format!("out/{LATEST}"))).unwrap(),
        b"{"
    );
    let mut again = space;
    again.set("dump_date=2023-01-01");
    again.run(&[]);
    assert_eq!(again.published()[LATEST], before[LATEST]);
}
