//! Backbones against the networks of torchvision and Keras, which `scripts/make-backbone-fixture.py`
//! ran on weights of the same formula; parameter counts; files with a mistake.

use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, TensorView};
use serde::Deserialize;

use super::backbone::BackboneLayers;
use super::formula::{Formula, pixel};
use super::loader::Loader;
use super::*;
use crate::model::{DeviceChoice, Images, ModelError, Precision, Runtime};
use burn::module::Module;

const SIZE: usize = 224;

fn runtime() -> Runtime {
    Runtime::open(DeviceChoice::Cpu, Some(2)).unwrap()
}

fn images(count: usize) -> Images {
    let mut pixels = Vec::new();
    for image in 0..count {
        for y in 0..SIZE {
            for x in 0..SIZE {
                pixels.extend((0..3).map(|channel| pixel(image, [x, y, channel])));
            }
        }
    }
    Images::new(SIZE, pixels, vec![true; count]).unwrap()
}

fn backbone(source: &WeightsSource) -> Backbone {
    let mut formula = Formula::new(source.backbone);
    Backbone::from_tensors(source, &mut formula, &runtime()).unwrap()
}

/// What the script wrote of one network.
#[derive(Deserialize)]
struct Case {
    source: WeightsSource,
    /// Numbers of the features below.
    feature_indices: Vec<usize>,
    features: Vec<Vec<f64>>,
    feature_norms: Vec<f64>,
    logit_indices: Vec<usize>,
    /// Empty where the classifier was left out.
    logits: Vec<Vec<f64>>,
}

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

fn cases() -> Vec<Case> {
    let text = include_str!("../../../tests/fixtures/backbones.json");
    let fixture: Fixture = serde_json::from_str(text).unwrap();
    fixture.cases
}

/// Distance of values from those expected, relative to these.
fn distance(found: &[f32], indices: &[usize], expected: &[f64]) -> f64 {
    let mut sums = [0.0; 2];
    for (&index, expected) in indices.iter().zip(expected) {
        sums[0] += (f64::from(found[index]) - expected).powi(2);
        sums[1] += expected.powi(2);
    }
    (sums[0] / sums[1]).sqrt()
}

fn norm(values: &[f32]) -> f64 {
    let squares = values.iter().map(|&value| f64::from(value).powi(2));
    squares.sum::<f64>().sqrt()
}

#[track_caller]
fn check(kind: BackboneKind) {
    let images = images(2);
    let mut layouts = Vec::new();
    for case in cases() {
        if case.source.backbone != kind {
            continue;
        }
        let backbone = backbone(&case.source);
        let found = backbone.features(&images).unwrap();
        for (image, row) in found.values().chunks_exact(found.width()).enumerate() {
            let distance = distance(row, &case.feature_indices, &case.features[image]);
            assert!(distance < 1e-4, "{:?}: {distance}", case.source);
            let ratio = norm(row) / case.feature_norms[image];
            assert!((ratio - 1.0).abs() < 1e-4, "{:?}: {ratio}", case.source);
        }
        if case.source.classifier {
            let found = backbone.logits(&images).unwrap();
            for (image, row) in found.values().chunks_exact(found.width()).enumerate() {
                let distance = distance(row, &case.logit_indices, &case.logits[image]);
                assert!(distance < 1e-4, "{:?}: logits {distance}", case.source);
            }
        }
        layouts.push(case.source.layout);
    }
    assert!(layouts.contains(&Layout::Torchvision));
    assert!(layouts.contains(&Layout::Keras));
}

#[test]
fn vgg16_is_torchvisions_and_keras() {
    check(BackboneKind::Vgg16);
}

#[test]
fn resnet50_is_torchvisions_and_keras() {
    check(BackboneKind::ResNet50);
}

#[test]
fn mobilenet_v2_is_torchvisions_and_keras() {
    check(BackboneKind::MobileNetV2);
}

#[test]
fn efficientnet_b1_is_torchvisions_and_keras() {
    check(BackboneKind::EfficientNetB1);
}

#[test]
fn each_variant_has_features_of_its_own() {
    let images = images(1);
    let kind = BackboneKind::ResNet50;
    let plain = WeightsSource::torchvision(kind);
    let changes = [
        WeightsSource {
            stride: ResNetStride::First,
            ..plain
        },
        WeightsSource {
            padding: Padding::Same,
            ..plain
        },
        WeightsSource {
            epsilon: 1e-2,
            ..plain
        },
        WeightsSource {
            preprocessing: Preprocessing::Tf,
            ..plain
        },
    ];
    let indices: Vec<usize> = (0..kind.width()).collect();
    let expected = backbone(&plain).features(&images).unwrap();
    let expected: Vec<f64> = expected.values().iter().map(|&v| f64::from(v)).collect();
    for source in changes {
        let found = backbone(&source).features(&images).unwrap();
        let distance = distance(found.values(), &indices, &expected);
        assert!(distance > 1e-3, "{source:?}: {distance}");
    }
}

#[test]
fn parameters_are_as_many_as_keras_counts() {
    for kind in BackboneKind::ALL {
        for source in [WeightsSource::torchvision(kind), WeightsSource::keras(kind)] {
            let mut formula = Formula::new(kind);
            let runtime = runtime();
            let mut loader = Loader::new(&mut formula, source, runtime.device());
            let layers = BackboneLayers::new(&mut loader).unwrap();
            assert_eq!(layers.num_params(), kind.parameters(), "{source:?}");
        }
    }
}

#[test]
fn layers_that_are_trained_further_make_the_features_of_frozen_ones() {
    let images = images(2);
    for kind in BackboneKind::ALL {
        for source in [WeightsSource::torchvision(kind), WeightsSource::keras(kind)] {
            let expected = backbone(&source).features(&images).unwrap();
            let runtime = runtime();
            let (source, layers, _) = Pretrained::of_formula(&source, &runtime).into_parts();
            let (preprocessing, device) = (source.preprocessing, runtime.device());
            let expected: Vec<f64> = expected.values().iter().map(|&v| f64::from(v)).collect();
            let indices: Vec<usize> = (0..expected.len()).collect();
            let all = layers.features(&images, preprocessing, device, Precision::Full);
            let groups = layers.features_in_groups(&images, preprocessing, device, Precision::Full);
            for found in [all, groups] {
                let found = found.into_data().try_into_vec::<f32>().unwrap();
                let distance = distance(&found, &indices, &expected);
                assert!(distance < 1e-5, "{source:?}: {distance}");
            }
        }
    }
}

#[test]
fn features_do_not_depend_on_the_images_beside() {
    let backbone = backbone(&WeightsSource::torchvision(BackboneKind::MobileNetV2));
    let both = images(2);
    let many = both.select(&[0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1]);
    let found = backbone.features(&many).unwrap();
    let alone = backbone.features(&both.select(&[1])).unwrap();
    let width = alone.width();
    for row in [1, 2, 7, 8, 10] {
        let found = &found.values()[row * width..(row + 1) * width];
        assert!(found == alone.values(), "row {row}");
    }
}

#[test]
fn images_that_are_too_small_are_refused() {
    let backbone = backbone(&WeightsSource::keras(BackboneKind::MobileNetV2));
    let images = Images::new(31, vec![0; 31 * 31 * 3], vec![true]).unwrap();
    assert!(matches!(
        backbone.features(&images),
        Err(ModelError::Inputs { .. })
    ));
    let images = Images::new(33, vec![0; 33 * 33 * 3], vec![true]).unwrap();
    assert_eq!(backbone.features(&images).unwrap().len(), 1);
    assert!(backbone.logits(&images).is_err());
}

type File = BTreeMap<String, (Vec<usize>, Vec<u8>)>;

/// A file with the tensors that a network takes.
fn file(source: &WeightsSource) -> File {
    let mut formula = Formula::new(source.backbone);
    Backbone::from_tensors(source, &mut formula, &runtime()).unwrap();
    let taken = formula.taken.clone();
    taken
        .into_iter()
        .map(|(name, shape)| {
            let values = formula.values(&name, &shape);
            let bytes = values.iter().flat_map(|value| value.to_le_bytes());
            (name, (shape, bytes.collect()))
        })
        .collect()
}

fn bytes(file: &File) -> Vec<u8> {
    let views = file.iter().map(|(name, (shape, bytes))| {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap();
        (name, view)
    });
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn a_file_gives_what_its_tensors_give() {
    for mut source in [
        WeightsSource::torchvision(BackboneKind::MobileNetV2),
        WeightsSource::keras(BackboneKind::MobileNetV2),
    ] {
        source.classifier = true;
        let mut file = file(&source);
        if source.layout == Layout::Torchvision {
            let count = (vec![1], vec![0; 4]);
            file.insert("features.0.1.num_batches_tracked".to_owned(), count);
        } else {
            let stem = file.remove("bn_Conv1/gamma").unwrap();
            file.insert("bn_Conv1/bn_Conv1/gamma:0".to_owned(), stem);
        }
        let loaded = Backbone::load(&source, &bytes(&file), &runtime()).unwrap();
        let images = images(1);
        let expected = backbone(&source).logits(&images).unwrap();
        assert_eq!(loaded.logits(&images).unwrap(), expected);
        // The classifier is left aside where it is not asked for.
        source.classifier = false;
        let loaded = Backbone::load(&source, &bytes(&file), &runtime()).unwrap();
        assert_eq!(loaded.spec(), &source);
        assert!(loaded.logits(&images).is_err());
    }
}

#[test]
fn a_file_with_a_mistake_is_refused_by_the_name_of_the_tensor() {
    let source = WeightsSource::torchvision(BackboneKind::MobileNetV2);
    let whole = file(&source);
    let name = "features.3.conv.1.1.running_var";
    let refused = |change: &dyn Fn(&mut File)| {
        let mut file = whole.clone();
        change(&mut file);
        Backbone::load(&source, &bytes(&file), &runtime()).unwrap_err()
    };
    let error = refused(&|file| drop(file.remove(name)));
    assert!(matches!(error, ModelError::MissingTensor { name: found } if found == name));
    let error = refused(&|file| {
        let (shape, _) = file.get_mut(name).unwrap();
        *shape = vec![2, shape[0] / 2];
    });
    assert!(matches!(error, ModelError::MisshapenTensor { name: found, .. } if found == name));
    let error = refused(&|file| {
        file.insert("features.19.weight".to_owned(), (vec![1], vec![0; 4]));
    });
    assert!(matches!(error, ModelError::UnexpectedTensor { name } if name == "features.19.weight"));
    // Of another network, though of the same layout.
    let other = WeightsSource::torchvision(BackboneKind::EfficientNetB1);
    assert!(Backbone::load(&other, &bytes(&whole), &runtime()).is_err());
}
