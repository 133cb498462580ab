"""One network of the pipeline in PyTorch, trained step by step whenever told to: the other side of `make bench-train`.

Usage: train_torch.py NAME FOLDER --threads N --device cpu|cuda:N [--mixed] [--cpu-time]

Of a network with a backbone it first writes FOLDER/backbone.pth (random weights, as torchvision draws them, with moving statistics
that are not the identity). Then it says `ready`, and for each line that it reads it answers with one:

    load                     reads FOLDER/case.json, its arrays and FOLDER/weights.safetensors; `loaded`
    check STEPS              the losses of STEPS steps on the first batch from these weights, without dropout
    time STEPS TIMES FORMAT  the seconds of a step in the best of TIMES runs of STEPS steps, after one that does not count; FORMAT is the
                             order of memory, `contiguous` or `channels_last`

Batch normalisations stay in inference mode, as ours do.
"""

import argparse
import copy
import json
import pathlib
import sys
import time

import numpy as np
import torch
from torch import nn

BACKBONES = ["vgg16", "resnet50", "mobilenet_v2", "efficientnet_b1"]
EPSILON = 1e-7


def backbone(name):
    import torchvision

    torch.manual_seed(1)
    model = getattr(torchvision.models, name)(weights=None)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.1)
            module.running_var.uniform_(0.7, 1.3)
            # He's weights let the maps of deep networks grow with every block.
            module.weight.data.uniform_(0.7, 1.1)
    trunk = nn.Sequential(*list(model.children())[:-2]) if name == "resnet50" else model.features
    return model, trunk


def safetensors(path):
    """The tensors of a file by name."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    tensors = {}
    for name, entry in header.items():
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        values = np.frombuffer(data[start:end], dtype="<f4").reshape(entry["shape"])
        tensors[name] = torch.from_numpy(values.copy())
    return tensors


def linear(tensors, name):
    weight = tensors[f"{name}.weight"]
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.data, layer.bias.data = weight, tensors[f"{name}.bias"]
    return layer


def conv(tensors, name):
    weight = tensors[f"{name}.weight"]
    layer = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2])
    layer.weight.data, layer.bias.data = weight, tensors[f"{name}.bias"]
    return layer


class Embedder(nn.Module):
    def __init__(self, tensors, dropout):
        super().__init__()
        self.embedding = nn.Embedding.from_pretrained(tensors["embedding.weight"], freeze=False)
        self.dense, self.output = linear(tensors, "dense"), linear(tensors, "output")
        self.dropout = nn.Dropout(dropout)

    def forward(self, words):
        mean = self.dropout(self.embedding(words).mean(1))
        return self.output(self.dropout(torch.relu(self.dense(mean))))


def dense(tensors, prefix, dropout):
    """Dense layers, each with ReLU and dropout, and the classes."""
    layers, number = [], 0
    while f"{prefix}dense.{number}.weight" in tensors:
        layers += [linear(tensors, f"{prefix}dense.{number}"), nn.ReLU(), nn.Dropout(dropout)]
        number += 1
    return nn.Sequential(*layers, linear(tensors, f"{prefix}output"))


class Fusion(nn.Module):
    """What a text network made, and features of images through a frozen layer and a trained one, side by side."""

    def __init__(self, tensors, dropout):
        super().__init__()
        self.frozen = linear(tensors, "branches.1.frozen.0").requires_grad_(False)
        self.image = linear(tensors, "branches.1.dense")
        self.dense, self.output = linear(tensors, "dense"), linear(tensors, "output")
        self.dropout = nn.Dropout(dropout)
        self.text = self.dense.in_features - self.image.out_features

    def forward(self, rows):
        text, image = self.dropout(rows[:, : self.text]), self.dropout(rows[:, self.text :])
        image = self.dropout(torch.relu(self.frozen(image)))
        joined = torch.cat([text, torch.relu(self.image(image))], 1)
        return self.output(self.dropout(torch.relu(self.dense(joined))))


class LeNet(nn.Module):
    def __init__(self, tensors, dropout):
        super().__init__()
        self.maps = nn.Sequential(
            conv(tensors, "conv_1"), nn.ReLU(inplace=True), nn.MaxPool2d(2),
            conv(tensors, "conv_2"), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Flatten(),
        )  # fmt: skip
        self.dense = nn.Sequential(
            linear(tensors, "dense_1"), nn.ReLU(), nn.Dropout(dropout),
            linear(tensors, "dense_2"), nn.ReLU(), linear(tensors, "output"),
        )  # fmt: skip

    def forward(self, pixels):
        return self.dense(self.maps(pixels))


class FineTuned(nn.Module):
    def __init__(self, trunk, tensors, dropout):
        super().__init__()
        self.trunk, self.head = trunk, dense(tensors, "head.", dropout)

    def forward(self, pixels):
        return self.head(self.trunk(pixels).mean((2, 3)))


def set_mode(model, dropout):
    """Training mode, but for batch normalisations and, where it is off, dropout."""
    model.train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) or (isinstance(module, nn.Dropout) and not dropout):
            module.eval()


class Case:
    def __init__(self, name, folder, trunk, arguments):
        case = json.loads((folder / "case.json").read_text())
        self.name, self.device, self.mixed = name, torch.device(arguments.device), arguments.mixed
        self.clock = time.process_time if arguments.cpu_time else time.perf_counter
        self.batch, self.rate = case["batch"], case["learning_rate"]
        tensors = safetensors(folder / "weights.safetensors")
        self.labels = torch.from_numpy(np.fromfile(folder / "labels", dtype="<i8")).to(self.device)
        read = lambda file, kind, *shape: torch.from_numpy(np.fromfile(folder / file, dtype=kind).reshape(shape))
        rows, dropout = len(self.labels), case["dropout"]
        if name == "neural_simple":
            self.rows = read("text", "<f4", rows, -1)
            self.model = nn.Sequential(linear(tensors, "dense"), nn.ReLU(), nn.Dropout(dropout), linear(tensors, "output"))
        elif name == "neural_embedder":
            self.rows = read("sequences", "<i8", rows, -1)
            self.model = Embedder(tensors, dropout)
        elif name == "dense_head":
            self.rows = read("embeddings", "<f4", rows, -1)
            self.model = dense(tensors, "", dropout)
        elif name == "fusion":
            text, image = read("text", "<f4", rows, -1), read("embeddings", "<f4", rows, -1)
            self.rows = torch.cat([text, image], 1)
            self.model = Fusion(tensors, dropout)
        else:
            self.rows = read("pixels", "u1", rows, case["size"], case["size"], 3)
            self.model = FineTuned(trunk, tensors, dropout) if trunk else LeNet(tensors, dropout)
        self.rows = self.rows.to(self.device)
        self.model.to(self.device)
        self.initial = copy.deepcopy(self.model.state_dict())

    def inputs(self, rows, memory_format):
        rows = self.rows[rows]
        if rows.dtype != torch.uint8:
            return rows
        pixels = rows.permute(0, 3, 1, 2).float() / 255.0
        if self.name != "lenet":
            mean = torch.tensor([0.485, 0.456, 0.406], device=self.device).view(1, 3, 1, 1)
            deviation = torch.tensor([0.229, 0.224, 0.225], device=self.device).view(1, 3, 1, 1)
            pixels = (pixels - mean) / deviation
        return pixels.contiguous(memory_format=memory_format)

    def step(self, rows, memory_format, optimizer):
        optimizer.zero_grad()
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.mixed):
            logits = self.model(self.inputs(rows, memory_format))
        loss = nn.functional.cross_entropy(logits.float(), self.labels[rows])
        loss.backward()
        optimizer.step()
        return loss.detach()

    def run(self, batches, memory_format, dropout):
        self.model.load_state_dict(self.initial)
        self.model.to(memory_format=memory_format)
        set_mode(self.model, dropout)
        trained = [weights for weights in self.model.parameters() if weights.requires_grad]
        optimizer = torch.optim.Adam(trained, lr=self.rate, eps=EPSILON)
        for rows in batches:
            yield self.step(rows, memory_format, optimizer)

    def check(self, steps):
        rows = torch.arange(min(self.batch, len(self.labels)), device=self.device)
        return [float(loss) for loss in self.run([rows] * steps, torch.contiguous_format, False)]

    def time(self, steps, times, memory_format):
        order = torch.randperm(len(self.labels))
        batches = [rows.to(self.device) for rows in order.split(self.batch)]
        batches = [batches[step % len(batches)] for step in range(steps * (times + 1))]
        ends = []
        for step, loss in enumerate(self.run(batches, memory_format, True), start=1):
            if step % steps == 0:
                float(loss)
                ends.append(self.clock())
        return min(end - start for start, end in zip(ends, ends[1:])) / steps


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--mixed", action="store_true")
    parser.add_argument("--cpu-time", action="store_true", help="seconds of all cores together")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    trunk = None
    if arguments.name in BACKBONES:
        model, trunk = backbone(arguments.name)
        torch.save(model.state_dict(), arguments.folder / "backbone.pth")
    print("ready", flush=True)
    case = None
    formats = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
    for line in sys.stdin:
        command, *words = line.split()
        if command == "load":
            case = Case(arguments.name, arguments.folder, trunk, arguments)
            print("loaded", flush=True)
        elif command == "check":
            print(json.dumps(case.check(int(words[0]))), flush=True)
        else:
            print(case.time(int(words[0]), int(words[1]), formats[words[2]]), flush=True)


if __name__ == "__main__":
    main()
