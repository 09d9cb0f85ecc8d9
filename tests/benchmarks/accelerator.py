"""Training steps on a GPU, on TensorFlow and on JAX: clips a second, and the share of the step of the front end."""

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np

from tests.benchmarks.measure import BATCH, Figure, NothingToMeasureError, in_turn, noise_batch

STEPS = 20


def figures() -> Iterator[Figure]:
    """Each backend in a process of its own, since Keras takes one alone.

    Raises:
        NothingToMeasureError: where no backend sees a GPU.
    """
    seen = False
    for backend in ("tensorflow", "jax"):
        if importlib.util.find_spec(backend) is None:
            continue
        command = [sys.executable, "-m", "tests.benchmarks.accelerator"]
        environment = {**os.environ, "KERAS_BACKEND": backend}
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        if not (lines := done.stdout.split()):
            continue
        seen, values = True, np.array(lines, float).reshape(2, -1)
        share = np.percentile(values[0] / values[1], [25, 50, 75])
        note = f"{STEPS * BATCH / np.median(values[1]):.0f} clips a second in training"
        yield Figure(
            f"{backend} on a GPU, front end against training step", share[1], share[0], share[2], "< 0.05", note
        )
    if not seen:
        raise NothingToMeasureError("there is no GPU here")


def main() -> None:
    """Print the seconds of the front end in each turn, then those of the step; nothing without a GPU."""
    import keras

    from serzoo import building, config
    from serzoo.training.fit import _has_gpu, precision
    from serzoo.training.graph import augmented, compiled

    if not _has_gpu():
        return
    settings, batch = config.load("cnn_ablstm_mtl"), noise_batch()
    with precision(settings.training.precision):
        model = building.build(settings, building.heads_of(settings, ["anger", "neutral", "sadness"]), seed=0)
        trained = compiled(augmented(model, settings, 0), settings, settings.training.epochs, 36)
        # Its mean, so that not the way back to the host is measured.
        features = keras.layers.GlobalAveragePooling2D()(model.get_layer("standardize").output)
        front_end = keras.Model(model.input, features)
    rng = np.random.default_rng(0)
    inputs = batch | {"partner": rng.permutation(BATCH).astype("int32"), "weight": np.ones(BATCH, "float32")}
    truth = {task: rng.integers(len(names), size=BATCH) for task, names in model.heads.items()}
    labels = {task: np.eye(len(model.heads[task]), dtype="float32")[rows] for task, rows in truth.items()}
    sides = {
        "front end": lambda: [front_end.predict_on_batch(batch) for _ in range(STEPS)],
        "step": lambda: [trained.train_on_batch(inputs, labels) for _ in range(STEPS)],
    }
    for found in in_turn(sides, 5, time.perf_counter).values():
        print(*found)


if __name__ == "__main__":
    main()
