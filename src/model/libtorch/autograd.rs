//! Any function of LibTorch's tensors as one operation of Burn's autodiff: LibTorch's own autograd gives its gradients.
//!
//! `tch` does not expose `convolution_backward` and the like, but it does expose autograd. So the function runs on leaves that
//! share the memory of Burn's tensors, and the small graph that LibTorch records is kept until Burn asks for gradients.
//! Invariant: what the graph needs is not changed in place meanwhile, since the record holds a reference to each of Burn's tensors, and
//! Burn changes only what has one owner.

#![expect(
    deprecated,
    reason = "Burn 0.22 is the last release with LibTorch, and the project stays on it"
)]

use std::sync::Arc;

use burn::backend::{Autodiff, AutodiffBackend};
use burn::tensor::Tensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_tch::{LibTorch, TchTensor};

type Tracking = Autodiff<LibTorch>;
type TrackedTensor = <Tracking as burn::backend::BackendTypes>::FloatTensorPrimitive;

/// An input of a function, on LibTorch.
pub(super) struct Operand {
    tensor: Handle,
    /// Whether a gradient is wanted.
    is_tracked: bool,
}

enum Handle {
    Plain(TchTensor),
    /// Boxed: it is many times as large.
    Autodiff(Box<TrackedTensor>),
}

impl Operand {
    /// Returns `None` for a tensor of another backend.
    pub(super) fn new<const D: usize>(tensor: Tensor<D>) -> Option<Self> {
        let is_tracked = tensor.is_autodiff() && tensor.is_tracked();
        let tensor = if tensor.is_autodiff() {
            Handle::Autodiff(Box::new(tensor.try_into_primitive::<Tracking>().ok()?))
        } else {
            Handle::Plain(tensor.try_into_primitive::<LibTorch>().ok()?)
        };
        Some(Self { tensor, is_tracked })
    }

    fn is_autodiff(&self) -> bool {
        matches!(self.tensor, Handle::Autodiff(_))
    }

    fn primitive(&self) -> &TchTensor {
        match &self.tensor {
            Handle::Plain(tensor) => tensor,
            Handle::Autodiff(tensor) => tensor.primitive(),
        }
    }

    /// The tensor in a graph, without history where it has any.
    fn into_tracked(self) -> TrackedTensor {
        match self.tensor {
            Handle::Plain(tensor) => Tracking::from_inner(tensor),
            Handle::Autodiff(tensor) => *tensor,
        }
    }
}

/// Applies a function that changes none of its inputs.
pub(super) fn apply<const N: usize, const D: usize>(
    operands: [Operand; N],
    function: impl FnOnce(&[tch::Tensor; N]) -> tch::Tensor,
) -> Tensor<D> {
    if operands.iter().any(|operand| operand.is_tracked) {
        return Tensor::from_primitive::<Tracking>(record(operands, function));
    }
    let is_autodiff = operands.iter().any(Operand::is_autodiff);
    let inputs = operands
        .each_ref()
        .map(|operand| operand.primitive().tensor.shallow_clone());
    let output = TchTensor::new(function(&inputs));
    if is_autodiff {
        Tensor::from_primitive::<Tracking>(Tracking::from_inner(output))
    } else {
        Tensor::from_primitive::<LibTorch>(output)
    }
}

/// What a function left for its gradients.
#[derive(Debug)]
struct Record {
    /// In LibTorch's graph; those that are not tracked are not leaves of it.
    inputs: Vec<TchTensor>,
    output: TchTensor,
    /// Burn's own handles, so that it changes none of them in place.
    _owners: Vec<TchTensor>,
}

#[derive(Debug)]
struct Recorded;

impl<const N: usize> Backward<LibTorch, N> for Recorded {
    type State = Arc<Record>;

    fn backward(self, ops: Ops<Arc<Record>, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<LibTorch>(&ops.node);
        let Record { inputs, output, .. } = &*ops.state;
        let wanted: Vec<usize> = (0..N)
            .filter(|&input| ops.parents[input].is_some())
            .collect();
        let leaves: Vec<&tch::Tensor> = wanted.iter().map(|&input| &inputs[input].tensor).collect();
        let root = root(&output.tensor, &gradient.tensor);
        let found = tch::Tensor::run_backward(&[root], &leaves, false, false);
        let mut handles = vec![gradient];
        for (&input, found) in wanted.iter().zip(found) {
            // Two gradients may be one tensor, and then neither has one owner.
            let twin = handles
                .iter()
                .find(|known| known.tensor.data_ptr() == found.data_ptr());
            let found = match twin {
                Some(twin) => TchTensor::from_existing(found, twin.storage.clone()),
                None => TchTensor::new(found),
            };
            handles.push(found.clone());
            if let Some(parent) = &ops.parents[input] {
                grads.register::<LibTorch>(parent.id, found);
            }
        }
    }
}

/// A number whose gradient by `output` is `gradient`: their scalar product. That costs one pass over both.
fn root(output: &tch::Tensor, gradient: &tch::Tensor) -> tch::Tensor {
    let gradient = gradient.to_kind(output.kind());
    // In the order of memory of the output a flat view costs no copy of it.
    let order: Vec<i64> = if output.dim() == 4 && !output.is_contiguous() {
        vec![0, 2, 3, 1]
    } else {
        (0..).take(output.dim()).collect()
    };
    let flat = |tensor: &tch::Tensor| tensor.permute(&order).reshape([-1]);
    flat(output).dot(&flat(&gradient))
}

fn record<const N: usize>(
    operands: [Operand; N],
    function: impl FnOnce(&[tch::Tensor; N]) -> tch::Tensor,
) -> TrackedTensor {
    let owners: Vec<TchTensor> = operands
        .iter()
        .map(|operand| operand.primitive().clone())
        .collect();
    let leaves = operands.each_ref().map(|operand| {
        let leaf = operand.primitive().tensor.detach();
        leaf.set_requires_grad(operand.is_tracked)
    });
    let nodes = operands.map(|operand| operand.into_tracked().into_parts().1);
    let output = function(&leaves);
    let result = TchTensor::new(output.detach());
    match Recorded
        .prepare::<NoCheckpointing>(nodes)
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(prepared) => {
            let record = Record {
                inputs: leaves.into_iter().map(TchTensor::new).collect(),
                output: TchTensor::new(output),
                _owners: owners.into_iter().chain([result.clone()]).collect(),
            };
            prepared.finish(Arc::new(record), result)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(result),
    }
}
