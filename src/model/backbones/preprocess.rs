//! Pixels of 0 to 255 to what a backbone was trained on.

use burn::tensor::{Device, Tensor, TensorData};

use super::Preprocessing;

/// Channel of the image, divisor, mean and deviation of one channel of the input.
struct Channel {
    from: usize,
    scale: f64,
    mean: f64,
    deviation: f64,
}

impl Preprocessing {
    /// The channels of the input in their order.
    ///
    /// # Source
    ///
    /// `preprocess_input` of `keras.applications.imagenet_utils`, modes `torch`, `caffe` and `tf`.
    fn channels(self) -> [Channel; 3] {
        let channel = |from, scale, mean, deviation| Channel {
            from,
            scale,
            mean,
            deviation,
        };
        match self {
            Self::Torch => [
                channel(0, 255.0, 0.485, 0.229),
                channel(1, 255.0, 0.456, 0.224),
                channel(2, 255.0, 0.406, 0.225),
            ],
            Self::Caffe => [
                channel(2, 1.0, 103.939, 1.0),
                channel(1, 1.0, 116.779, 1.0),
                channel(0, 1.0, 123.68, 1.0),
            ],
            Self::Tf => [0, 1, 2].map(|from| channel(from, 127.5, 1.0, 1.0)),
        }
    }

    /// Returns for each channel of the input its channel of the image and the value of each pixel.
    pub(super) fn tables(self) -> [(usize, [f32; 256]); 3] {
        self.channels().map(|channel| {
            let table = std::array::from_fn(|pixel| {
                ((pixel as f64 / channel.scale - channel.mean) / channel.deviation) as f32
            });
            (channel.from, table)
        })
    }
}

/// The input of a backbone, in LibTorch's channels-last order of memory.
///
/// # Shapes
///
/// `pixels` is `[rows, size, size, 3]`, the result `[rows, 3, size, size]`.
pub(super) fn input(
    pixels: &[u8],
    size: usize,
    tables: &[(usize, [f32; 256]); 3],
    device: &Device,
) -> Tensor<4> {
    let mut values = Vec::with_capacity(pixels.len());
    for pixel in pixels.as_chunks::<3>().0 {
        values.extend(
            tables
                .iter()
                .map(|(from, table)| table[usize::from(pixel[*from])]),
        );
    }
    let rows = pixels.len() / (size * size * 3);
    let data = TensorData::new(values, [rows, size, size, 3]);
    Tensor::<4>::from_data(data, device).permute([0, 3, 1, 2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{DeviceChoice, Runtime};

    fn values(preprocessing: Preprocessing) -> Vec<f32> {
        let runtime = Runtime::open(DeviceChoice::Cpu, Some(1)).unwrap();
        let pixels = [0, 128, 255, 10, 20, 30, 1, 2, 3, 4, 5, 6];
        let tensor = input(&pixels, 2, &preprocessing.tables(), runtime.device());
        assert_eq!(tensor.dims(), [1, 3, 2, 2]);
        tensor.into_data().try_into_vec().unwrap()
    }

    /// Values of the first two pixels: channels are four values apart.
    #[track_caller]
    fn check(preprocessing: Preprocessing, expected: [[f32; 3]; 2]) {
        let values = values(preprocessing);
        for (at, pixel) in expected.iter().enumerate() {
            for (channel, expected) in pixel.iter().enumerate() {
                let found = values[channel * 4 + at];
                assert!((found - expected).abs() < 1e-4, "{found} {expected}");
            }
        }
    }

    #[test]
    fn torch_subtracts_the_mean_and_divides_by_the_deviation() {
        let expected = [
            [-2.117_904, 0.205_182, 2.64],
            [-1.946_656, -1.685_574, -1.281_568],
        ];
        check(Preprocessing::Torch, expected);
    }

    #[test]
    fn caffe_turns_the_channels_round_and_subtracts_the_mean() {
        let expected = [[151.061, 11.221, -123.68], [-73.939, -96.779, -113.68]];
        check(Preprocessing::Caffe, expected);
    }

    #[test]
    fn tf_goes_from_minus_one_to_one() {
        let expected = [
            [-1.0, 0.003_921_6, 1.0],
            [-0.921_568_6, -0.843_137, -0.764_706],
        ];
        check(Preprocessing::Tf, expected);
    }
}
