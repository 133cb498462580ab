//! A real MobileNetV2, trained on `ImageNet`, against what PyTorch made of it: on demand, since its weights are no part of the
//! project.
//!
//! `RAYONNAGE_SHARED` names a folder with `weights/mobilenet_v2_imagenet.safetensors`, `weights/reference.json` and, for the photos,
//! `data/rakuten-slice/images/image_test/`. `RAYONNAGE_PIXELS` may name a folder with the photos as the reference's Pillow scaled them,
//! as `NAME.jpg.rgb`: without it the photos agree as far as the decoders and scalers do.

use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use rayonnage::model::backbones::{Backbone, BackboneKind, Padding, Preprocessing, WeightsSource};
use rayonnage::model::{DeviceChoice, Images, Runtime};
use serde::Deserialize;
use std::path::{Path, PathBuf};

const SIZE: usize = 224;

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    input: String,
    a_torchvision_padding: Expected,
    b_tf_same_padding: Expected,
}

#[derive(Deserialize)]
struct Expected {
    pooled_first_16: Vec<f64>,
    pooled_l2: f64,
    top5_class: Vec<usize>,
    top5_logit: Vec<f64>,
}

fn backbone(shared: &Path, padding: Padding) -> Backbone {
    let weights = std::fs::read(shared.join("weights/mobilenet_v2_imagenet.safetensors")).unwrap();
    let source = WeightsSource {
        padding,
        preprocessing: Preprocessing::Tf,
        classifier: true,
        ..WeightsSource::torchvision(BackboneKind::MobileNetV2)
    };
    let runtime = Runtime::open(DeviceChoice::Cpu, Some(2)).unwrap();
    Backbone::load(&source, &weights, &runtime).unwrap()
}

/// The synthetic input of the reference, or a photo, scaled as Pillow's bilinear filter does.
fn image(shared: &Path, input: &str) -> Images {
    let pixels = if input == "synthetic" {
        synthetic()
    } else {
        let name = Path::new(input).file_name().unwrap();
        photo(
            &shared
                .join("data/rakuten-slice/images/image_test")
                .join(name),
        )
    };
    Images::new(SIZE, pixels, vec![true]).unwrap()
}

fn synthetic() -> Vec<u8> {
    let mut pixels = Vec::new();
    for y in 0..SIZE {
        for x in 0..SIZE {
            let pixel = |c: usize| 3 * x + 5 * y + 7 * c * (x / 16 + y / 16) + (x * y) / 64;
            pixels.extend([0, 1, 2].map(|c| pixel(c) as u8));
        }
    }
    pixels
}

fn photo(path: &Path) -> Vec<u8> {
    if let Some(folder) = std::env::var_os("RAYONNAGE_PIXELS") {
        let mut name = path.file_name().unwrap().to_owned();
        name.push(".rgb");
        return std::fs::read(Path::new(&folder).join(name)).unwrap();
    }
    let photo = image::open(path).unwrap().to_rgb8();
    let (width, height) = photo.dimensions();
    let photo = Image::from_vec_u8(width, height, photo.into_raw(), PixelType::U8x3).unwrap();
    let mut scaled = Image::new(SIZE as u32, SIZE as u32, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    Resizer::new()
        .resize(&photo, &mut scaled, &options)
        .unwrap();
    scaled.into_vec()
}

/// How far the first features, their length and the best logits are from those expected.
fn distances(backbone: &Backbone, image: &Images, expected: &Expected) -> [f64; 3] {
    let features = backbone.features(image).unwrap();
    let logits = backbone.logits(image).unwrap();
    let length = features.values().iter().map(|&v| f64::from(v).powi(2));
    let length = length.sum::<f64>().sqrt();
    let best = expected
        .top5_class
        .iter()
        .map(|&class| logits.values()[class]);
    [
        distance(&features.values()[..16], &expected.pooled_first_16),
        (length / expected.pooled_l2 - 1.0).abs(),
        distance(&best.collect::<Vec<_>>(), &expected.top5_logit),
    ]
}

fn distance(found: &[f32], expected: &[f64]) -> f64 {
    let mut sums = [0.0; 2];
    for (&found, expected) in found.iter().zip(expected) {
        sums[0] += (f64::from(found) - expected).powi(2);
        sums[1] += expected.powi(2);
    }
    (sums[0] / sums[1]).sqrt()
}

#[test]
fn a_real_mobilenet_v2_gives_the_features_and_logits_of_pytorch() {
    let Some(shared) = std::env::var_os("RAYONNAGE_SHARED").map(PathBuf::from) else {
        eprintln!("skipped: RAYONNAGE_SHARED does not name the folder of the weights");
        return;
    };
    let text = std::fs::read_to_string(shared.join("weights/reference.json")).unwrap();
    let reference: Reference = serde_json::from_str(&text).unwrap();
    assert!(!reference.cases.is_empty());
    for padding in [Padding::Symmetric, Padding::Same] {
        let backbone = backbone(&shared, padding);
        for case in &reference.cases {
            let expected = match padding {
                Padding::Symmetric => &case.a_torchvision_padding,
                Padding::Same => &case.b_tf_same_padding,
            };
            let found = distances(&backbone, &image(&shared, &case.input), expected);
            let [first, length, best] = found;
            println!(
                "{padding:?} {}: {first:.1e} {length:.1e} {best:.1e}",
                case.input
            );
            // Photos are decoded and scaled by other libraries than the reference's, unless its pixels are there.
            let is_exact =
                case.input == "synthetic" || std::env::var_os("RAYONNAGE_PIXELS").is_some();
            let most = if is_exact { 1e-4 } else { 0.2 };
            assert!(
                found.iter().all(|&found| found < most),
                "{}: {found:?}",
                case.input
            );
        }
    }
}
