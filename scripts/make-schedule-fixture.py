"""Writes tests/fixtures/keras_callbacks.json: what Keras' EarlyStopping and ReduceLROnPlateau make of sequences of losses.

The packages are those of scripts/backbone-requirements.txt.
"""

import json
import os
import random
from pathlib import Path
from types import SimpleNamespace

os.environ["KERAS_BACKEND"] = "torch"

from keras.callbacks import EarlyStopping, ReduceLROnPlateau

EPOCHS = 30
RATE = 0.001


def run(losses, patience, start_epoch, factor, plateau_patience):
    optimizer = SimpleNamespace(learning_rate=RATE)
    model = SimpleNamespace(optimizer=optimizer, stop_training=False, get_weights=list, set_weights=lambda _: None)
    # Keras counts epochs from 0.
    stopping = EarlyStopping(patience=patience, start_from_epoch=start_epoch - 1, mode="min", restore_best_weights=True)
    plateau = ReduceLROnPlateau(factor=factor, patience=plateau_patience, mode="min")
    for callback in (stopping, plateau):
        callback.set_model(model)
        callback.on_train_begin()
    rates = []
    for epoch, loss in enumerate(losses):
        stopping.on_epoch_end(epoch, {"val_loss": loss})
        plateau.on_epoch_end(epoch, {"val_loss": loss})
        rates.append(float(optimizer.learning_rate))
        if model.stop_training:
            break
    stopped = len(rates) if model.stop_training else None
    return {"best_epoch": stopping.best_epoch + 1, "stopped_epoch": stopped, "learning_rates": rates}


def sequence(generator, start_epoch):
    """Losses that fall and rise, stay the same, or fall by less than Keras' min_delta."""
    losses = [2.0]
    while len(losses) < EPOCHS:
        step = generator.choice([0.0, -0.00005, -0.0002, generator.uniform(-0.3, 0.25)])
        losses.append(round(losses[-1] + step, 5))
    # Keras' EarlyStopping knows nothing of the epochs before the first that counts; here none of them is the best.
    return [loss + 10 if epoch < start_epoch else loss for epoch, loss in enumerate(losses, 1)]


def main():
    generator = random.Random(123)
    cases = []
    for case in range(60):
        start_epoch = 8 if case % 3 == 2 else 1
        losses = sequence(generator, start_epoch)
        options = {
            "patience": generator.choice([0, 1, 2, 3, 5]),
            "start_epoch": start_epoch,
            "factor": generator.choice([0.1, 0.5]),
            "plateau_patience": generator.choice([1, 2, 5]),
        }
        cases.append(options | {"losses": losses} | run(losses, **options))
    text = ",\n".join(json.dumps(case) for case in cases)
    Path("tests/fixtures/keras_callbacks.json").write_text(f"[\n{text}\n]\n")


main()
