"""Opens the learning curves of a run with TensorBoard itself.

    check-tensorboard.py RAYONNAGE SOURCE WORK

Trains two networks on a catalogue, then compares every number of their event files with `history.json`, twice: as
TensorBoard's reader gives it, and as a TensorBoard that is started on the checkpoints serves it. Fails on any difference.
"""

import json
import math
import os
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

STAGES = ["neural_simple", "lenet"]
SETTINGS = ["lenet.params.image_size=32", "lenet.params.epochs=3", "neural_simple.params.epochs=6"]

# Tag → (run → key of history.json). Times are in the event files alone.
TAGS = {
    "epoch_loss": {"train": "loss", "validation": "validation_loss"},
    "epoch_accuracy": {"train": "accuracy", "validation": "validation_accuracy"},
    "epoch_f1": {"train": "f1", "validation": "validation_f1"},
    "epoch_learning_rate": {"train": "learning_rate"},
    "epoch_seconds": {"train": None},
}


def train(rayonnage, source, work):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("RAYONNAGE_")}
    environment |= {"RAYONNAGE_SOURCE": source, "RAYONNAGE_CHECKPOINTS": str(work / "checkpoints"), "RAYONNAGE_SINK": str(work / "out")}
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    for stage in STAGES:
        subprocess.run([rayonnage, "run", "--until", stage, *settings], env=environment, check=True, stdout=sys.stderr)


def check_points(what, points, history, key, began):
    """points: (wall time, step, value)"""
    assert [step for _, step, _ in points] == [epoch["epoch"] for epoch in history], f"{what}: {points}"
    times = [wall_time for wall_time, _, _ in points]
    assert times == sorted(times) and began - 1 <= times[0] and times[-1] <= time.time() + 1, f"{what}: {times}"
    for (_, _, value), epoch in zip(points, history):
        if key is None:
            assert 0 < value < 3600, f"{what}: {value} s"
        else:
            assert math.isclose(value, epoch[key], rel_tol=1e-6), f"{what}: {value} is not {epoch[key]}"
    return len(points)


def check_files(checkpoint, history, began):
    checked = 0
    for run in ["train", "validation"]:
        reader = EventAccumulator(str(checkpoint / "events" / run))
        reader.Reload()
        expected = [tag for tag, runs in TAGS.items() if run in runs]
        assert sorted(reader.Tags()["scalars"]) == sorted(expected), reader.Tags()
        for tag in expected:
            points = [(event.wall_time, event.step, event.value) for event in reader.Scalars(tag)]
            checked += check_points(f"{checkpoint} {run} {tag}", points, history, TAGS[tag][run], began)
    return checked


class TensorBoard:
    """TensorBoard on a free port of this machine alone."""

    def __init__(self, folder):
        command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder), "--host", "127.0.0.1", "--port", "0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if found := re.search(r"http://127\.0\.0\.1:(\d+)/", line):
                self.address = found.group(0)
                return
        raise SystemExit("TensorBoard does not start")

    def get(self, path, **query):
        address = f"{self.address}data/plugin/scalars/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(address, timeout=30) as answer:
            return json.load(answer)

    def tags(self, runs):
        """The scalars of each run, once all runs are loaded."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            tags = self.get("tags")
            if set(runs) <= set(tags):
                return tags
            time.sleep(0.5)
        raise SystemExit(f"TensorBoard shows {sorted(tags)}, not {sorted(runs)}")

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)


def check_served(folder, histories, began):
    board = TensorBoard(folder)
    try:
        runs = {f"{checkpoint.relative_to(folder)}/events/{run}" for checkpoint in histories for run in ["train", "validation"]}
        tags = board.tags(runs)
        assert set(tags) == runs, f"{sorted(tags)} are not {sorted(runs)}"
        checked = 0
        for checkpoint, history in histories.items():
            for tag, keys in TAGS.items():
                for run, key in keys.items():
                    name = f"{checkpoint.relative_to(folder)}/events/{run}"
                    assert tag in tags[name], f"{tag} is not in {name}"
                    checked += check_points(f"{name} {tag}", board.get("scalars", run=name, tag=tag), history, key, began)
        return board.address, checked
    finally:
        board.stop()


def main():
    rayonnage, source, work = sys.argv[1], os.path.abspath(sys.argv[2]), Path(sys.argv[3])
    began = time.time()
    train(rayonnage, source, work)
    folder = work / "checkpoints"
    histories = {}
    for stage in STAGES:
        (checkpoint,) = [path.parent for path in (folder / stage).glob("*/manifest.json")]
        histories[checkpoint] = json.loads((checkpoint / "files" / "history.json").read_text())
    read = sum(check_files(checkpoint, history, began) for checkpoint, history in histories.items())
    address, served = check_served(folder, histories, began)
    epochs = {checkpoint.parent.name: len(history) for checkpoint, history in histories.items()}
    assert read == served == sum(8 * count for count in epochs.values()), (read, served, epochs)
    print(f"tensorboard: {read} points of {epochs} read from event files, and {served} served at {address}: all as in history.json")


main()
