//! LibTorch's operations against Burn's own, and gradients against differences.

use super::adam::{AdamFactors, AdamStepped, adam_step};
use super::convolution::{convolve_burns, convolve_own};
use super::*;
use crate::model::random::{Purpose, generator, uniform};
use crate::model::{DeviceChoice, Precision, Runtime};
use burn::optim::{AdamConfig, Optimizer as _};
use burn::tensor::TensorData;
use burn::tensor::module::max_pool2d as burns_max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use rand_chacha::ChaCha8Rng;

fn random() -> ChaCha8Rng {
    Runtime::open(DeviceChoice::Cpu, Some(1)).unwrap();
    generator(5, Purpose::Weights, 0)
}

fn draw<const D: usize>(random: &mut ChaCha8Rng, shape: [usize; D]) -> Tensor<D> {
    let runtime = Runtime::open(DeviceChoice::Cpu, Some(1)).unwrap();
    let values = uniform(random, shape.iter().product(), 1.0);
    Tensor::from_data(TensorData::new(values, shape), runtime.device())
}

fn tracked<const D: usize>(tensor: &Tensor<D>) -> Tensor<D> {
    tensor.clone().autodiff().require_grad()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().unwrap()
}

#[track_caller]
fn close(found: &[f32], expected: &[f32], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest = expected
        .iter()
        .fold(1.0f32, |most, value| most.max(value.abs()));
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let distance = (found - expected).abs() / largest;
        assert!(
            distance < 1e-5,
            "{what}, {at}: {found}, expected {expected}"
        );
    }
}

/// A convolution of maps of three rows.
#[derive(Debug, Clone, Copy)]
struct Case {
    inputs: usize,
    outputs: usize,
    kernel: usize,
    groups: usize,
    stride: usize,
    padding: usize,
    has_bias: bool,
    has_norm: bool,
    activation: Activation,
    pool: Option<usize>,
    is_channels_last: bool,
}

const PLAIN: Case = Case {
    inputs: 4,
    outputs: 6,
    kernel: 3,
    groups: 1,
    stride: 1,
    padding: 1,
    has_bias: true,
    has_norm: false,
    activation: Activation::None,
    pool: None,
    is_channels_last: false,
};

/// Grouped, depthwise, pointwise; strides, paddings; with and without bias, normalisation and activation.
fn cases() -> Vec<Case> {
    let depthwise = Case {
        outputs: 4,
        groups: 4,
        has_bias: false,
        has_norm: true,
        activation: Activation::Relu6,
        is_channels_last: true,
        ..PLAIN
    };
    vec![
        PLAIN,
        Case {
            has_bias: false,
            padding: 0,
            ..PLAIN
        },
        Case {
            groups: 2,
            stride: 2,
            activation: Activation::Relu,
            ..PLAIN
        },
        Case {
            has_norm: true,
            activation: Activation::Silu,
            ..PLAIN
        },
        Case {
            kernel: 1,
            padding: 0,
            has_bias: false,
            has_norm: true,
            is_channels_last: true,
            ..PLAIN
        },
        Case {
            kernel: 5,
            padding: 2,
            stride: 2,
            is_channels_last: true,
            activation: Activation::Relu,
            ..PLAIN
        },
        depthwise,
        Case {
            activation: Activation::Relu,
            pool: Some(2),
            ..PLAIN
        },
        Case {
            stride: 2,
            kernel: 5,
            padding: 2,
            activation: Activation::Silu,
            ..depthwise
        },
        Case {
            stride: 2,
            padding: 0,
            is_channels_last: false,
            ..depthwise
        },
    ]
}

/// Its tensors: maps, kernel, bias, scale, shift, and the two that are not trained.
struct Tensors {
    maps: Tensor<4>,
    kernel: Tensor<4>,
    vectors: [Tensor<1>; 5],
}

impl Case {
    fn tensors(self, random: &mut ChaCha8Rng) -> Tensors {
        let maps = draw(random, [3, 9, 7, self.inputs]).permute([0, 3, 1, 2]);
        let maps = if self.is_channels_last {
            maps
        } else {
            let shape = maps.dims();
            let data = maps.clone().into_data();
            Tensor::from_data(
                TensorData::new(data.try_into_vec::<f32>().unwrap(), shape),
                &maps.device(),
            )
        };
        let [bias, scale, shift, mean, deviation] = [(); 5].map(|()| draw(random, [self.outputs]));
        Tensors {
            maps,
            kernel: draw(
                random,
                [
                    self.outputs,
                    self.inputs / self.groups,
                    self.kernel,
                    self.kernel,
                ],
            ),
            vectors: [
                bias,
                scale.add_scalar(1.5),
                shift,
                mean,
                deviation.abs().add_scalar(0.5),
            ],
        }
    }

    fn filters(self, tensors: &Tensors) -> Filters {
        let [bias, scale, shift, mean, deviation] = tensors.vectors.clone();
        Filters {
            kernel: tensors.kernel.clone(),
            bias: self.has_bias.then_some(bias),
            norm: self.has_norm.then_some(Scaling {
                scale,
                shift,
                mean,
                deviation,
            }),
        }
    }

    fn sweep(self, precision: Precision) -> Sweep {
        Sweep {
            stride: [self.stride; 2],
            padding: [self.padding; 2],
            groups: self.groups,
            activation: self.activation,
            pool: self.pool,
            precision,
        }
    }
}

/// The outputs, and the gradients of their sum weighted at random by maps, kernel, bias, scale and shift.
fn outputs_and_gradients(
    case: Case,
    tensors: &Tensors,
    convolve: impl Fn(Tensor<4>, Filters) -> Tensor<4>,
) -> (Vec<f32>, Vec<Vec<f32>>) {
    let maps = tracked(&tensors.maps);
    let tracked = Tensors {
        maps: maps.clone(),
        kernel: tracked(&tensors.kernel),
        vectors: tensors.vectors.each_ref().map(tracked),
    };
    let outputs = convolve(maps, case.filters(&tracked));
    let weights = draw(&mut generator(9, Purpose::Order, 0), outputs.dims());
    let found = values(outputs.clone().without_autodiff());
    let gradients = (outputs * weights).sum().backward();
    let mut all = vec![
        values(tracked.maps.grad(&gradients).unwrap()),
        values(tracked.kernel.grad(&gradients).unwrap()),
    ];
    let [bias, scale, shift, ..] = &tracked.vectors;
    for (vector, is_there) in [
        (bias, case.has_bias),
        (scale, case.has_norm),
        (shift, case.has_norm),
    ] {
        let gradient = vector.grad(&gradients);
        assert_eq!(gradient.is_some(), is_there, "{case:?}");
        all.extend(gradient.map(values));
    }
    (found, all)
}

#[test]
fn convolutions_and_their_gradients_are_burns() {
    let mut random = random();
    for case in cases() {
        let tensors = case.tensors(&mut random);
        let sweep = case.sweep(Precision::Full);
        let (found, gradients) = outputs_and_gradients(case, &tensors, |maps, filters| {
            convolve_own(&maps, &filters, sweep).expect("LibTorch's tensors")
        });
        let (expected, expected_gradients) =
            outputs_and_gradients(case, &tensors, |maps, filters| {
                convolve_burns(maps, filters, sweep)
            });
        close(&found, &expected, &format!("{case:?}"));
        assert_eq!(gradients.len(), expected_gradients.len());
        for (number, (found, expected)) in gradients.iter().zip(&expected_gradients).enumerate() {
            close(found, expected, &format!("{case:?}, gradient {number}"));
        }
        // Without gradients the same function runs.
        let plain = convolve(tensors.maps.clone(), case.filters(&tensors), sweep);
        assert!(!plain.is_autodiff());
        close(&values(plain), &expected, &format!("{case:?}, plain"));
    }
}

#[test]
fn gradients_are_differences() {
    const STEP: f32 = 1e-2;
    let mut random = random();
    // Smooth, so that differences tell gradients.
    let smooth = [
        Case {
            groups: 2,
            stride: 2,
            ..PLAIN
        },
        Case {
            outputs: 4,
            groups: 4,
            has_bias: false,
            has_norm: true,
            activation: Activation::Silu,
            ..PLAIN
        },
    ];
    for case in smooth {
        let tensors = case.tensors(&mut random);
        let sweep = case.sweep(Precision::Full);
        let run = |maps, filters| convolve(maps, filters, sweep);
        let (outputs, gradients) = outputs_and_gradients(case, &tensors, run);
        let loss = |tensors: &Tensors| {
            let outputs = convolve(tensors.maps.clone(), case.filters(tensors), sweep);
            let weights = draw(&mut generator(9, Purpose::Order, 0), outputs.dims());
            values((outputs * weights).sum())[0]
        };
        let moved = |tensor: &Tensor<4>, at: usize, by: f32| {
            let mut values = values(tensor.clone());
            values[at] += by;
            Tensor::from_data(TensorData::new(values, tensor.dims()), &tensor.device())
        };
        for at in [0, 7, 20] {
            let difference = |change: &dyn Fn(f32) -> Tensors| {
                (loss(&change(STEP)) - loss(&change(-STEP))) / (2.0 * STEP)
            };
            let maps = difference(&|by| Tensors {
                maps: moved(&tensors.maps, at, by),
                kernel: tensors.kernel.clone(),
                vectors: tensors.vectors.clone(),
            });
            let kernel = difference(&|by| Tensors {
                maps: tensors.maps.clone(),
                kernel: moved(&tensors.kernel, at, by),
                vectors: tensors.vectors.clone(),
            });
            for (found, expected) in [(gradients[0][at], maps), (gradients[1][at], kernel)] {
                assert!(
                    (found - expected).abs() < 2e-2,
                    "{case:?}: {found}, {expected}"
                );
            }
        }
        assert!(outputs.iter().any(|value| value.abs() > 0.1));
    }
}

#[test]
fn only_what_is_tracked_has_a_gradient() {
    let mut random = random();
    let tensors = PLAIN.tensors(&mut random);
    let kernel = tracked(&tensors.kernel);
    let filters = Filters {
        kernel: kernel.clone(),
        // Of a frozen layer: in the graph, but not asked for.
        bias: Some(tensors.vectors[0].clone().autodiff()),
        norm: None,
    };
    let outputs = convolve(tensors.maps.clone(), filters, PLAIN.sweep(Precision::Full));
    let gradients = outputs.sum().backward();
    let found = values(kernel.grad(&gradients).unwrap());
    let whole = outputs_of_sum(&tensors);
    close(&found, &whole, "kernel");
}

/// The gradient by the kernel of the sum of all outputs, by Burn.
fn outputs_of_sum(tensors: &Tensors) -> Vec<f32> {
    let kernel = tracked(&tensors.kernel);
    let filters = Filters {
        kernel: kernel.clone(),
        bias: Some(tensors.vectors[0].clone()),
        norm: None,
    };
    let outputs = convolve_burns(tensors.maps.clone(), filters, PLAIN.sweep(Precision::Full));
    values(kernel.grad(&outputs.sum().backward()).unwrap())
}

#[test]
fn what_gradients_need_is_not_changed_in_place() {
    let mut random = random();
    let case = Case {
        activation: Activation::Relu,
        has_norm: true,
        ..PLAIN
    };
    let tensors = case.tensors(&mut random);
    let sweep = case.sweep(Precision::Full);
    // Burn changes what has one owner: the maps after the convolution, and the outputs of the ReLU.
    let run = |convolve: &dyn Fn(Tensor<4>, Filters) -> Tensor<4>| {
        outputs_and_gradients(case, &tensors, |maps, filters| {
            let maps = maps.mul_scalar(2.0);
            let outputs = convolve(maps.clone(), filters);
            let changed = maps.mul_scalar(0.0).sum().reshape([1, 1, 1, 1]);
            outputs.add_scalar(1.0).mul_scalar(3.0) + changed
        })
    };
    let (found, gradients) = run(&|maps, filters| convolve(maps, filters, sweep));
    let (expected, expected_gradients) = run(&|maps, filters| convolve_burns(maps, filters, sweep));
    close(&found, &expected, "outputs");
    for (found, expected) in gradients.iter().zip(&expected_gradients) {
        close(found, expected, "gradients");
    }
}

#[test]
fn poolings_and_their_gradients_are_burns() {
    let mut random = random();
    for (kernel, padding) in [(2, 0), (3, 1)] {
        let maps = draw(&mut random, [2, 3, 8, 8]);
        let options = MaxPoolOptions::new([kernel, kernel])
            .with_stride([2, 2])
            .with_padding([padding, padding]);
        let run = |pool: &dyn Fn(Tensor<4>) -> Tensor<4>| {
            let maps = tracked(&maps);
            let pooled = pool(maps.clone());
            let weights = draw(&mut generator(9, Purpose::Order, 0), pooled.dims());
            let found = values(pooled.clone().without_autodiff());
            let gradients = (pooled * weights).sum().backward();
            (found, values(maps.grad(&gradients).unwrap()))
        };
        let found = run(&|maps| max_pool2d(maps, kernel, 2, padding));
        let expected = run(&|maps| burns_max_pool2d(maps, options.clone()));
        assert_eq!(found, expected);
    }
}

#[test]
fn mixed_precision_multiplies_in_bfloat16_and_gives_gradients_in_f32() {
    use burn::tensor::DType;
    let mut random = random();
    let case = Case {
        has_norm: true,
        activation: Activation::Relu,
        ..PLAIN
    };
    let tensors = case.tensors(&mut random);
    let full = convolve(
        tensors.maps.clone(),
        case.filters(&tensors),
        case.sweep(Precision::Full),
    );
    let mixed = convolve(
        tensors.maps.clone(),
        case.filters(&tensors),
        case.sweep(Precision::Mixed),
    );
    assert_eq!((full.dtype(), mixed.dtype()), (DType::F32, DType::BF16));
    let (full, mixed) = (
        values(full),
        values(mixed.cast(burn::tensor::FloatDType::F32)),
    );
    let largest = full
        .iter()
        .fold(0.0f32, |most, value| most.max(value.abs()));
    let farthest = full
        .iter()
        .zip(&mixed)
        .map(|(full, mixed)| (full - mixed).abs());
    let farthest = farthest.fold(0.0f32, f32::max);
    // Eight bits of mantissa.
    assert!(
        farthest > 0.0 && farthest < 0.02 * largest,
        "{farthest} of {largest}"
    );
    let kernel = tracked(&tensors.kernel);
    let filters = Filters {
        kernel: kernel.clone(),
        ..case.filters(&tensors)
    };
    let outputs = convolve(tensors.maps, filters, case.sweep(Precision::Mixed));
    let gradient = kernel.grad(&outputs.sum().backward()).unwrap();
    assert_eq!(gradient.dtype(), DType::F32);
}

#[test]
fn silu_is_burns() {
    let values_in = draw(&mut random(), [8, 10]).mul_scalar(10.0);
    let run = |silu: &dyn Fn(Tensor<2>) -> Tensor<2>| {
        let input = tracked(&values_in);
        let output = silu(input.clone());
        let found = values(output.clone().without_autodiff());
        (found, values(input.grad(&output.sum().backward()).unwrap()))
    };
    let (found, gradient) = run(&silu);
    let (expected, expected_gradient) = run(&activation::silu);
    close(&found, &expected, "values");
    close(&gradient, &expected_gradient, "gradients");
}

#[test]
fn steps_of_adam_are_burns() {
    const EPSILON: f32 = 1e-7;
    let mut random = random();
    let burns = AdamConfig::new().with_epsilon(EPSILON).build();
    let mut expected = draw(&mut random, [5, 4]);
    let start = expected.clone();
    let before = values(start.clone());
    let mut state = None;
    let mut stepped = AdamStepped {
        weights: expected.clone(),
        moments: [expected.zeros_like(), expected.zeros_like()],
    };
    for time in 1..=20 {
        let gradient = draw(&mut random, [5, 4]);
        (expected, state) = burns.step(1e-2, expected, gradient.clone(), state);
        let factors = AdamFactors {
            learning_rate: 1e-2,
            decays: [0.9, 0.999],
            epsilon: f64::from(EPSILON),
            time,
        };
        assert!(is_own(&stepped.weights));
        stepped = adam_step(stepped, gradient, factors);
        close(
            &values(stepped.weights.clone()),
            &values(expected.clone()),
            "weights",
        );
    }
    // Who holds the weights of an earlier step keeps them.
    assert_eq!(values(start), before);
}
