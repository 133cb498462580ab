"""Frozen features of one backbone by PyTorch: makes the network and its weights file, then measures a pass whenever told to.

Usage: torch_features.py NAME FOLDER --images N --batch N --threads N

Writes FOLDER/NAME.pth (random weights, as torchvision draws them, with moving statistics that are not the identity), FOLDER/pixels
(u8, [images, 224, 224, 3]) and FOLDER/NAME.features (f32, [images, width]), and says `ready` and the width. Then for each line
`contiguous` or `channels_last` that it reads, it takes all images through the network in that order of memory and prints the seconds.
"""

import argparse
import pathlib
import sys
import time

import numpy as np
import torch
import torchvision

SIZE = 224


def network(name):
    torch.manual_seed(1)
    model = getattr(torchvision.models, name)(weights=None).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.1)
            module.running_var.uniform_(0.7, 1.3)
            # He's weights let the maps of deep networks grow with every block.
            module.weight.data.uniform_(0.7, 1.1)
    if name == "resnet50":
        return model, torch.nn.Sequential(*list(model.children())[:-2])
    return model, model.features


def images(count):
    """Smooth patches with noise."""
    generator = np.random.default_rng(1)
    coarse = torch.from_numpy(generator.integers(0, 256, (count, 3, 14, 14)).astype(np.float32))
    fine = torch.nn.functional.interpolate(coarse, size=(SIZE, SIZE), mode="bilinear")
    noisy = fine.permute(0, 2, 3, 1).numpy() + generator.normal(0.0, 8.0, (count, SIZE, SIZE, 3))
    return noisy.clip(0, 255).astype(np.uint8)


def features(trunk, pixels, batch, memory_format):
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    deviation = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    found = []
    with torch.inference_mode():
        for start in range(0, len(pixels), batch):
            rows = torch.from_numpy(pixels[start : start + batch]).permute(0, 3, 1, 2)
            rows = ((rows.float() / 255.0 - mean) / deviation).contiguous(memory_format=memory_format)
            found.append(trunk(rows).mean((2, 3)).numpy())
    return np.concatenate(found)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--images", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    model, trunk = network(arguments.name)
    torch.save(model.state_dict(), arguments.folder / f"{arguments.name}.pth")
    pixels = images(arguments.images)
    pixels.tofile(arguments.folder / "pixels")
    formats = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
    found = features(trunk, pixels, arguments.batch, torch.contiguous_format)
    found.astype(np.float32).tofile(arguments.folder / f"{arguments.name}.features")
    print("ready", found.shape[1], flush=True)
    for line in sys.stdin:
        memory_format = formats[line.strip()]
        trunk.to(memory_format=memory_format)
        features(trunk, pixels[: arguments.batch], arguments.batch, memory_format)
        start = time.perf_counter()
        features(trunk, pixels, arguments.batch, memory_format)
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
