#!/usr/bin/env python3
"""Writes tests/fixtures/backbones.json, features and logits of torchvision's and Keras' networks, and two small .pth files.

Usage: make-backbone-fixture.py

`make backbone-fixture` does all of it. No weights are needed: each tensor is filled by a formula of its name, which
src/model/backbones/formula.rs repeats, and so are the two images. src/model/backbones/tests.rs reads the file. The output
depends on the versions of scripts/backbone-requirements.txt, which the file repeats.
"""

import importlib.metadata
import json
import math
import os
import pathlib

os.environ["KERAS_BACKEND"] = "torch"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import torch
import torchvision

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures"
SIZE = 224
GAIN = {"efficientnet_b1": 1.3}


def fnv(name):
    """FNV-1a."""
    value = 0x811C9DC5
    for byte in name.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def symmetric(start, count):
    """Numbers of [-1, 1): MurmurHash3's finalizer of start, start + 1, …"""
    bits = np.arange(count, dtype=np.uint32) + np.uint32(start)
    bits ^= bits >> np.uint32(16)
    bits *= np.uint32(0x85EBCA6B)
    bits ^= bits >> np.uint32(13)
    bits *= np.uint32(0xC2B2AE35)
    bits ^= bits >> np.uint32(16)
    return bits / 2147483648.0 - 1.0


def formula(name, shape, gain):
    """Values of the tensor of that name."""
    last = name.replace("/", ".").rsplit(".", 1)[-1]
    if last == "kernel":
        depthwise = len(shape) == 4 and shape[3] == 1
        center, spread = 0.0, math.sqrt(6.0 / math.prod(shape[:2] if depthwise else shape[:-1]))
    elif last == "weight" and len(shape) > 1:
        center, spread = 0.0, math.sqrt(6.0 / math.prod(shape[1:]))
    elif last in ("weight", "gamma"):
        center, spread = gain, 0.2
    elif last in ("running_var", "moving_variance"):
        center, spread = 1.0, 0.3
    else:
        center, spread = 0.0, 0.1
    values = center + spread * symmetric(fnv(name), math.prod(shape))
    return values.astype(np.float32).reshape(shape)


def images():
    """Two images, [2, 224, 224, 3], of whole numbers 0 to 255."""
    y, x, c = np.meshgrid(np.arange(SIZE), np.arange(SIZE), np.arange(3), indexing="ij")
    first = 3 * x + 5 * y + 7 * c * (x // 16 + y // 16) + x * y // 64
    second = x * x // 8 + 2 * y * (c + 1) + (x // 32) * (y // 32) * 16
    return (np.stack([first, second]) % 256).astype(np.float32)


def preprocessed(mode):
    return keras.applications.imagenet_utils.preprocess_input(images(), data_format="channels_last", mode=mode)


def of_torchvision(name):
    model = getattr(torchvision.models, name)(weights=None).eval()
    state = model.state_dict()
    for key, tensor in state.items():
        if not key.endswith("num_batches_tracked"):
            tensor.copy_(torch.from_numpy(formula(key, tuple(tensor.shape), GAIN.get(name, 0.9))))
    with torch.inference_mode():
        pixels = torch.from_numpy(preprocessed("torch")).permute(0, 3, 1, 2)
        if name == "resnet50":
            trunk = torch.nn.Sequential(*list(model.children())[:-2])
        else:
            trunk = model.features
        features = trunk(pixels).mean((2, 3)).numpy()
        # Of VGG16 only Keras' classifier, which needs its inputs in another order: it has 124 million weights.
        logits = None if name == "vgg16" else model(pixels).numpy()
    return features, logits


KERAS = {
    "vgg16": ("VGG16", "block5_pool", "caffe"),
    "resnet50": ("ResNet50", "conv5_block3_out", "caffe"),
    "mobilenet_v2": ("MobileNetV2", "out_relu", "tf"),
    "efficientnet_b1": ("EfficientNetB1", "top_activation", "torch"),
}


def of_keras(name):
    kind, last, mode = KERAS[name]
    make = getattr(keras.applications, kind)
    model = make(weights=None, include_top=True, classifier_activation=None, input_shape=(SIZE, SIZE, 3))
    for layer in model.layers:
        for weight in layer.weights:
            key = f"{layer.name}/{weight.name}".replace("depthwise_kernel", "kernel")
            if not key.startswith("normalization/"):
                weight.assign(formula(key, tuple(weight.shape), GAIN.get(name, 0.9)))
    pixels = preprocessed(mode)
    if name == "efficientnet_b1":
        # Its first layers divide by 255, and normalise by what its weights say: here not at all.
        pixels = pixels * 255.0
    both = keras.Model(model.input, [model.get_layer(last).output, model.output])
    maps, logits = both.predict(pixels, verbose=0)
    return maps.mean((1, 2)), logits


def rounded(values):
    return [float(f"{value:.7g}") for value in values]


def case(source, features, logits):
    width = features.shape[1]
    feature_indices = list(range(0, width, width // 16))
    logit_indices = [] if logits is None else list(range(0, 1000, 125))
    return {
        "source": source | {"classifier": logits is not None},
        "feature_indices": feature_indices,
        "features": [rounded(row[feature_indices]) for row in features],
        "feature_norms": rounded(np.linalg.norm(features.astype(np.float64), axis=1)),
        "logit_indices": logit_indices,
        "logits": [] if logits is None else [rounded(row[logit_indices]) for row in logits],
    }


def sources(name):
    """What WeightsSource::torchvision and ::keras say."""
    ours = {"backbone": name, "layout": "torchvision", "stride": "second", "padding": "symmetric", "epsilon": 1e-5, "preprocessing": "torch"}
    same = name in ("mobilenet_v2", "efficientnet_b1")
    theirs = {
        "backbone": name,
        "layout": "keras",
        "stride": "first",
        "padding": "same" if same else "symmetric",
        "epsilon": 1.001e-5 if name == "resnet50" else 1e-3,
        "preprocessing": KERAS[name][2],
    }
    return ours, theirs


def write_pth():
    """Files of PyTorch's two formats. The weight lies transposed in memory."""
    state = {"layer.weight": torch.arange(6.0).reshape(3, 2).T, "layer.num_batches_tracked": torch.tensor(7)}
    torch.save(state, FIXTURES / "weights.pth")
    torch.save(state, FIXTURES / "weights-legacy.pth", _use_new_zipfile_serialization=False)


def main():
    write_pth()
    cases = []
    for name in KERAS:
        ours, theirs = sources(name)
        cases.append(case(ours, *of_torchvision(name)))
        cases.append(case(theirs, *of_keras(name)))
    versions = {package: importlib.metadata.version(package) for package in ("keras", "numpy", "torch", "torchvision")}
    lines = ",\n".join(json.dumps(case) for case in cases)
    (FIXTURES / "backbones.json").write_text(f'{{"versions": {json.dumps(versions)},\n"cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
