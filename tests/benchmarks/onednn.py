"""TensorFlow with oneDNN against without: batches of 32 in training and inference, and a clip alone.

TensorFlow turns oneDNN on by itself only where the processor has AVX512-VNNI or later. It reads the switch once, so
each side is a process, and processes take turns.
"""

import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from tests.benchmarks.measure import BATCH, Figure, compare, in_turn

PROCESSES, TURNS = 3, 8


def figures() -> Iterator[Figure]:
    """One line for each use."""
    seconds = {"0": defaultdict(list), "1": defaultdict(list)}
    for _ in range(PROCESSES):
        for switch, found in seconds.items():
            environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": switch}
            command = [sys.executable, "-m", "tests.benchmarks.onednn"]
            done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
            for line in done.stdout.splitlines():
                use, _, values = line.partition(": ")
                found[use] += map(float, values.split())
    for use, off in seconds["0"].items():
        yield compare(f"oneDNN on against off, {use}", np.array(off), np.array(seconds["1"][use]))


def main() -> None:
    """Print the seconds of each turn of each use."""
    import tensorflow as tf

    from serzoo.training.graph import compiled
    from tests.benchmarks.network import pair
    from tests.benchmarks.training_step import keras_step

    settings, model, _, batch = pair()
    judge = tf.function(lambda inputs: model(inputs))
    truth = {task: np.arange(BATCH) % len(classes) for task, classes in model.heads.items()}
    clip = {name: tf.constant(values[:1]) for name, values in batch.items()}
    batch = {name: tf.constant(values) for name, values in batch.items()}
    uses = {"a clip alone": lambda: judge(clip), "inference": lambda: judge(batch)}
    uses["training step"] = keras_step(compiled(model, settings, 60, 36), batch, truth)
    for use, found in in_turn(uses, TURNS).items():
        print(f"{use}: {' '.join(map(str, found))}")


if __name__ == "__main__":
    main()
