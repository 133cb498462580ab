//! Images of every kind of trouble, from the file to the published row; and the variance of the pixels.

use crate::space::{Objects, TestSpace, objects, stage};
use arrow::array::{Array, FixedSizeBinaryArray, StringArray};
use rayonnage::checkpoint::CheckpointReader;
use rayonnage::image::{ImageStatus, encode_png};
use rayonnage::runner::SelectionOptions;
use rayonnage::schema::column;
use rayonnage::store::{self, Fault, FaultStore, SharedStore};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

const FOLDER: &str = "catalogue/images/image_test";

/// Limits that small files exceed.
const LIMITS: [&str; 5] = [
    "max_image_fault_ratio=1.0",
    "decode_images.params.max_bytes=40000",
    "decode_images.params.max_width=2000",
    "decode_images.params.max_height=1900",
    "decode_images.params.max_pixels=300000",
];

/// Values of text columns, row by row; "null" where there is none.
fn rows<const N: usize>(
    reader: &CheckpointReader,
    dataset: &str,
    names: [&str; N],
) -> Vec<[String; N]> {
    let mut rows = Vec::new();
    for batch in reader.parts(dataset, Some(&names)).unwrap() {
        let batch = batch.unwrap();
        let columns = names.map(|name| column::<StringArray>(&batch, name).unwrap());
        rows.extend((0..batch.num_rows()).map(|row| {
            columns.map(|column| {
                let value = column.is_valid(row).then(|| column.value(row));
                value.unwrap_or("null").to_owned()
            })
        }));
    }
    rows
}

/// A picture of noise, which does not get small.
fn picture(width: u32, height: u32) -> Vec<u8> {
    let noise = (0..width * height * 3).map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[0]);
    encode_png(width, height, &noise.collect::<Vec<_>>()).unwrap()
}

/// A plain picture, which stays small.
fn plain(width: u32, height: u32) -> Vec<u8> {
    encode_png(width, height, &vec![200; (width * height * 3) as usize]).unwrap()
}

/// A JPEG whose header says that it has 65,000 × 65,000 pixels.
fn bomb(photograph: &[u8]) -> Vec<u8> {
    let mut bytes = photograph.to_vec();
    let header = |pair: &[u8]| pair[0] == 0xFF && matches!(pair[1], 0xC0..=0xC2);
    let at = bytes.windows(2).position(header).unwrap();
    bytes[at + 5..at + 9].copy_from_slice(&[0xFD, 0xE8, 0xFD, 0xE8]);
    bytes
}

/// What is wrong with a file, its bytes (none for a file that is not there), its status, and a part of the detail.
fn troubles(photograph: &[u8]) -> Vec<(&'static str, Option<Vec<u8>>, ImageStatus, &'static str)> {
    let half = photograph.len() / 2;
    let mut damaged = photograph.to_vec();
    damaged[half..half + 40].fill(0xFF);
    let mut png = picture(40, 30);
    let middle = png.len() / 2;
    png[middle] ^= 0x55;
    let mut cut = picture(40, 30);
    cut.truncate(middle);
    vec![
        ("sound", Some(picture(50, 40)), ImageStatus::Ok, "null"),
        ("deleted", None, ImageStatus::Absent, "null"),
        (
            "zero bytes",
            Some(Vec::new()),
            ImageStatus::Empty,
            "0 bytes",
        ),
        (
            "text",
            Some(b"<html>404</html>".to_vec()),
            ImageStatus::NotAnImage,
            "no known format",
        ),
        (
            "pdf",
            Some(b"%PDF-1.7 ...".to_vec()),
            ImageStatus::NotAnImage,
            "no known format",
        ),
        (
            "half a jpeg",
            Some(photograph[..half].to_vec()),
            ImageStatus::Corrupt,
            "end",
        ),
        ("damaged jpeg", Some(damaged), ImageStatus::Corrupt, ""),
        ("half a png", Some(cut), ImageStatus::Corrupt, ""),
        ("damaged png", Some(png), ImageStatus::Corrupt, ""),
        (
            "bomb",
            Some(bomb(photograph)),
            ImageStatus::TooLarge,
            "exceeds limit",
        ),
        (
            "too wide",
            Some(plain(2001, 2)),
            ImageStatus::TooLarge,
            "exceeds limit",
        ),
        (
            "too high",
            Some(plain(2, 1901)),
            ImageStatus::TooLarge,
            "exceeds limit",
        ),
        (
            "too many pixels",
            Some(plain(600, 501)),
            ImageStatus::TooLarge,
            "600",
        ),
        (
            "too many bytes",
            Some(picture(200, 100)),
            ImageStatus::TooLarge,
            "more than 40000",
        ),
    ]
}

/// The number of the product that an image belongs to, from its name.
fn product(name: &str) -> &str {
    name.rsplit_once('_').unwrap().1.trim_end_matches(".jpg")
}

/// Id, prediction and modality of each published row, by product.
fn published(space: &TestSpace) -> BTreeMap<String, [String; 3]> {
    let names = ["product_id", "id", "predicted", "modality"];
    let rows = rows(&space.checkpoint("publish"), "published", names);
    let rows = rows.into_iter();
    rows.map(|[product, id, predicted, modality]| (product, [id, predicted, modality]))
        .collect()
}

#[test]
fn every_trouble_has_its_status_and_its_product_is_predicted_from_its_text() {
    let mut space = TestSpace::finished();
    for setting in LIMITS {
        space.set(setting);
    }
    // A model that reads both.
    space.set("predict.params.model=fusion");
    let images = objects(&space.path(FOLDER));
    let photograph = images.values().max_by_key(|bytes| bytes.len()).unwrap();
    // Only files that are a row's.
    let known = published(&space);
    let names = images
        .keys()
        .filter(|name| known.contains_key(product(name)));
    let troubles = troubles(photograph);
    let cases: Vec<_> = names.zip(&troubles).collect();
    assert_eq!(cases.len(), troubles.len());
    for (name, (_, bytes, ..)) in &cases {
        match bytes {
            Some(bytes) => space.write(&format!("{FOLDER}/{name}"), bytes),
            None => fs::remove_file(space.path(&format!("{FOLDER}/{name}"))).unwrap(),
        }
    }
    space.append(
        "catalogue/X_test_update.csv",
        "9001,Lampe de chevet,Une jolie lampe,990001,\n",
    );
    let record = space.run(&[]);
    let summary = stage(&record, "decode_images").summary["image_status"].clone();
    let names = ["id", "image_status", "image_detail"];
    let statuses = rows(&space.checkpoint("decode_images"), "unlabelled", names);
    let status = |id: &str| statuses.iter().find(|row| row[0] == id).unwrap();
    let after = published(&space);
    let mut seen = BTreeSet::from([ImageStatus::None]);
    for (name, (trouble, _, expected, said)) in &cases {
        let [id, predicted, modality] = &after[product(name)];
        let [_, status, detail] = status(id);
        assert_eq!(status, expected.as_str(), "{trouble}: {detail}");
        assert!(detail.contains(said), "{trouble}: {detail}");
        assert_eq!(
            detail == "null",
            !expected.is_fault(),
            "{trouble}: {detail}"
        );
        assert!(
            summary[expected.as_str()].as_u64().unwrap() > 0,
            "{summary}"
        );
        let with = if *expected == ImageStatus::Ok {
            "text+image"
        } else {
            "text"
        };
        assert_eq!(modality, with, "{trouble}");
        assert!(!predicted.is_empty(), "{trouble}");
        seen.insert(*expected);
    }
    let [id, predicted, modality] = &after["990001"];
    assert_eq!(status(id)[1], "none");
    assert_eq!((modality.as_str(), predicted.is_empty()), ("text", false));
    let missing: Vec<_> = ImageStatus::ALL
        .iter()
        .filter(|status| !seen.contains(*status))
        .collect();
    // A file that cannot be read takes a store of its own.
    assert_eq!(missing, [&ImageStatus::Unreadable]);
    // What is wrong with an image makes no difference: it is as if it were not there.
    for (name, (_, _, expected, _)) in &cases {
        if expected.is_fault() {
            fs::remove_file(space.path(&format!("{FOLDER}/{name}"))).unwrap();
        }
    }
    space.run(&[]);
    let names = ["id", "image_status"];
    let statuses = rows(&space.checkpoint("decode_images"), "unlabelled", names);
    for (name, (trouble, _, expected, _)) in &cases {
        let [id, ..] = &after[product(name)];
        let now = if expected.is_fault() {
            ImageStatus::Absent
        } else {
            *expected
        };
        let row = [id.clone(), now.as_str().to_owned()];
        assert!(statuses.contains(&row), "{trouble}");
    }
    assert_eq!(published(&space), after);
}

#[test]
fn an_image_that_cannot_be_read_is_unreadable_and_its_product_is_predicted_from_its_text() {
    let mut space = TestSpace::finished();
    space.set("predict.params.model=fusion");
    space.run(&[]);
    let before = published(&space);
    let images = objects(&space.path(FOLDER));
    let has_image = |name: &&String| {
        before
            .get(product(name))
            .is_some_and(|row| row[2] == "text+image")
    };
    let name = images.keys().find(has_image).unwrap();
    let path = format!("{}/{name}", FOLDER.trim_start_matches("catalogue/"));
    let source = FaultStore::new(space.source(), Fault::Never).unreadable(&path);
    let source: SharedStore = Arc::new(source);
    // Digests known from before would spare the reading.
    fs::remove_file(space.path("checkpoints/_digests")).ok();
    let open = |folder: &str| store::open(&space.path(folder).display().to_string()).unwrap();
    let (checkpoints, sink) = (open("checkpoints"), open("out"));
    let record = space.run_from(&source, &checkpoints, &sink, &SelectionOptions::default());
    let record = record.unwrap();
    let summary = &stage(&record, "decode_images").summary["image_status"];
    assert_eq!(summary["unreadable"], 1, "{summary}");
    let [id, predicted, modality] = &published(&space)[product(name)];
    let rows = rows(
        &space.checkpoint("decode_images"),
        "unlabelled",
        ["id", "image_status"],
    );
    assert!(rows.contains(&[id.clone(), "unreadable".to_owned()]));
    assert_eq!((modality.as_str(), predicted.is_empty()), ("text", false));
}

/// The mean and the variance of each value, from `pixel_variance.npy`.
fn variance(reader: &CheckpointReader) -> [Vec<f32>; 2] {
    let bytes = reader.file("pixel_variance.npy").unwrap();
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let said = String::from_utf8_lossy(&bytes[10..header]).into_owned();
    assert!(bytes.starts_with(b"\x93NUMPY\x01\x00"), "{said}");
    assert!(
        said.contains("'<f4'") && said.contains("(2, 32, 32, 3)"),
        "{said}"
    );
    let values = bytes[header..].as_chunks().0.iter();
    let values: Vec<f32> = values.map(|value| f32::from_le_bytes(*value)).collect();
    let (means, variances) = values.split_at(32 * 32 * 3);
    [means.to_vec(), variances.to_vec()]
}

/// The pixels of each row that has an image.
fn pixels(reader: &CheckpointReader) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for dataset in ["labelled", "unlabelled"] {
        for batch in reader.parts(dataset, Some(&["pixels"])).unwrap() {
            let batch = batch.unwrap();
            let pixels: &FixedSizeBinaryArray = column(&batch, "pixels").unwrap();
            found.extend(pixels.iter().flatten().map(<[u8]>::to_vec));
        }
    }
    found
}

#[test]
fn the_variance_of_the_pixels_is_that_of_the_tensors() {
    let mut space = TestSpace::new();
    space.set("decode_images.params.variance_share=1.0");
    let record = space.run(&["--until", "decode_images"]);
    let reader = space.checkpoint("decode_images");
    let images = pixels(&reader);
    let sampled = |record| stage(record, "decode_images").summary["variance_images"].clone();
    assert_eq!(sampled(&record), images.len());
    assert!(images.len() > 100);
    let [means, variances] = variance(&reader);
    for place in 0..means.len() {
        let values = || images.iter().map(|image| f64::from(image[place]));
        let mean = values().sum::<f64>() / images.len() as f64;
        let spread = values().map(|value| (value - mean).powi(2)).sum::<f64>();
        assert!((f64::from(means[place]) - mean).abs() < 1e-3);
        let expected = spread / images.len() as f64;
        assert!((f64::from(variances[place]) - expected).abs() < 1e-3 * expected.max(1.0));
    }
    space.set("decode_images.params.variance_share=0.0");
    let record = space.run(&["--until", "decode_images"]);
    assert!(
        stage(&record, "decode_images")
            .summary
            .get("variance_images")
            .is_none()
    );
    let manifest = space.checkpoint("decode_images").manifest().clone();
    assert!(manifest.files.is_empty() && !manifest.datasets.contains_key("variance_sums"));
}

#[test]
fn the_sample_of_the_variance_does_not_depend_on_the_parts() {
    let mut space = TestSpace::new();
    let record = space.run(&["--until", "decode_images"]);
    let reader = space.checkpoint("decode_images");
    let images = |record| {
        let images = stage(record, "decode_images").summary["variance_images"].as_u64();
        images.unwrap() as usize
    };
    let all = pixels(&reader).len();
    assert!(images(&record) > all / 8 && images(&record) < all / 2);
    let before = variance(&reader);
    let sums = |reader: &CheckpointReader| reader.dataset("variance_sums").unwrap().parts.len();
    let parts = sums(&reader);
    space.set("rows_per_part=7");
    let again = space.run(&["--until", "decode_images"]);
    let reader = space.checkpoint("decode_images");
    assert!(sums(&reader) > parts);
    assert_eq!(images(&again), images(&record));
    assert_eq!(variance(&reader), before);
    // One more row: all parts but its own are taken over, sums included, and the sums of all are made again.
    let taken: Objects = objects(&space.path(&space.checkpoint_folder("decode_images")));
    space.append(
        "catalogue/X_test_update.csv",
        "9001,Lampe de chevet,Une jolie lampe,990001,\n",
    );
    let record = space.run(&["--until", "decode_images"]);
    assert!(stage(&record, "decode_images").parts_taken_over > 0);
    assert_eq!(variance(&space.checkpoint("decode_images")), before);
    assert!(taken.keys().any(|path| path.starts_with("variance_sums/")));
}
