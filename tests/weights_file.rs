//! A file of weights for MobileNetV2 as torchvision names and lays them out, random: what the network makes of images has no meaning,
//! but every image has features of its own.

use rayonnage::model::backbones::{BackboneKind, WeightsSource};
use safetensors::tensor::{Dtype, TensorView};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The network.
pub const BACKBONE: BackboneKind = BackboneKind::MobileNetV2;

/// Width factor, channels, repetitions and stride of the inverted residuals.
const BLOCKS: [[usize; 4]; 7] = [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
];

/// Tensors by name, with their shapes.
#[derive(Default)]
struct Tensors(BTreeMap<String, (Vec<usize>, Vec<f32>)>);

impl Tensors {
    fn fill(&mut self, name: String, shape: &[usize], mut value: impl FnMut() -> f32) {
        let count = shape.iter().product();
        let values = std::iter::repeat_with(&mut value).take(count).collect();
        self.0.insert(name, (shape.to_vec(), values));
    }

    fn convolution(&mut self, name: &str, shape: [usize; 4]) {
        let limit = (6.0 / (shape[1] * shape[2] * shape[3]) as f32).sqrt();
        // A linear congruential generator of Knuth's, seeded by the place of the tensor.
        let mut state = self.0.len() as u64 + 1;
        let next = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            ((state >> 40) as f32 / (1u32 << 23) as f32 - 1.0) * limit
        };
        self.fill(format!("{name}.weight"), &shape, next);
    }

    fn batch_norm(&mut self, name: &str, width: usize) {
        for (part, value) in [
            ("weight", 1.0),
            ("bias", 0.1),
            ("running_mean", 0.0),
            ("running_var", 1.0),
        ] {
            self.fill(format!("{name}.{part}"), &[width], || value);
        }
    }
}

fn mobilenet_v2() -> Tensors {
    let mut tensors = Tensors::default();
    tensors.convolution("features.0.0", [32, 3, 3, 3]);
    tensors.batch_norm("features.0.1", 32);
    let (mut place, mut inputs) = (1, 32);
    for [factor, outputs, repetitions, _] in BLOCKS {
        for _ in 0..repetitions {
            let base = format!("features.{place}.conv");
            let hidden = inputs * factor;
            let mut layer = 0;
            if factor > 1 {
                tensors.convolution(&format!("{base}.0.0"), [hidden, inputs, 1, 1]);
                tensors.batch_norm(&format!("{base}.0.1"), hidden);
                layer = 1;
            }
            tensors.convolution(&format!("{base}.{layer}.0"), [hidden, 1, 3, 3]);
            tensors.batch_norm(&format!("{base}.{layer}.1"), hidden);
            tensors.convolution(&format!("{base}.{}", layer + 1), [outputs, hidden, 1, 1]);
            tensors.batch_norm(&format!("{base}.{}", layer + 2), outputs);
            (place, inputs) = (place + 1, outputs);
        }
    }
    tensors.convolution("features.18.0", [1280, inputs, 1, 1]);
    tensors.batch_norm("features.18.1", 1280);
    tensors
}

/// A file of weights.
pub struct WeightsFile {
    pub path: PathBuf,
    pub sha256: String,
}

impl WeightsFile {
    /// Writes it at the first call.
    pub fn shared() -> &'static Self {
        static FILE: OnceLock<WeightsFile> = OnceLock::new();
        FILE.get_or_init(|| {
            let tensors = mobilenet_v2().0;
            let bytes: BTreeMap<&str, (&[usize], Vec<u8>)> = tensors
                .iter()
                .map(|(name, (shape, values))| {
                    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
                    (name.as_str(), (shape.as_slice(), bytes.collect()))
                })
                .collect();
            let views = bytes.iter().map(|(name, (shape, bytes))| {
                let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap();
                (*name, view)
            });
            let file = safetensors::serialize(views, None).unwrap();
            let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("mobilenet_v2.safetensors");
            // Whole or not at all: other processes of the tests may read it.
            let aside = path.with_extension(std::process::id().to_string());
            std::fs::write(&aside, &file).unwrap();
            std::fs::rename(aside, &path).unwrap();
            Self {
                path,
                sha256: sha256(&file),
            }
        })
    }

    /// What the shipped configuration says of such a file.
    pub fn source() -> WeightsSource {
        WeightsSource::torchvision(BACKBONE)
    }

    /// The settings that name it.
    pub fn settings(&self) -> [String; 2] {
        [
            format!("weights.mobilenet_v2.path={}", self.path.display()),
            format!("weights.mobilenet_v2.sha256={}", self.sha256),
        ]
    }
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    let mut text = String::new();
    for byte in sha2::Sha256::digest(bytes) {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}
