"""A training step of each adversarial model against one of ``cnn_ablstm_mtl``, each with its own recipe and feed."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from tests.benchmarks import clips
from tests.benchmarks.measure import SAMPLE_RATE_HZ, Figure, compare, in_turn

YARDSTICK = "cnn_ablstm_mtl"
BARS = {"asp_mtl_noise": "<= 2.5", "asp_mtl_gender": "", "asp_mtl_cascade": ""}


def figures() -> Iterator[Figure]:
    """How many times as long a step takes, with augmentation, the noise of two types and all objectives."""
    with tempfile.TemporaryDirectory() as folder:
        sounds = _noises(Path(folder))
    sides = {name: _step(name, sounds) for name in (YARDSTICK, *BARS)}
    seconds = in_turn(sides, turns=9)
    for name, bar in BARS.items():
        yield compare(f"time of a training step, {name} to {YARDSTICK}", seconds[name], seconds[YARDSTICK], bar)


def _step(name, sounds):
    from serzoo import building, config, pipeline, registry
    from serzoo.training.graph import augmented, compiled

    settings = config.load(name)
    noise = sounds if "noise" in settings.heads else None
    heads = building.heads_of(settings, clips.CLASSES, sounds.classes if noise else ())
    drawn = heads | ({"noise": sounds.classes} if noise else {})
    model = building.build(settings, heads, seed=0)
    graph = registry.training_graph(name) if settings.objectives else None
    wrapper = augmented(graph(model, settings, drawn, 100, 0) if graph else model, settings, 0, noise is not None)
    trained = compiled(wrapper, settings, settings.training.epochs, settings.training.steps_per_epoch)
    trained.make_train_function()
    table, roots = clips.table(256), {"emodb": clips.FOLDER}
    targets = pipeline.labels(table, {task: classes for task, classes in heads.items() if task != "noise"})
    feed = iter(pipeline.dataset(pipeline.Clips(table, roots), targets, settings, 0, noise=noise))
    return lambda: trained.train_function(feed)


def _noises(folder):
    from serzoo import noises

    rng = np.random.default_rng(0)
    for kind in ("hiss", "hum"):
        (folder / kind).mkdir()
        soundfile.write(folder / kind / "1.wav", 0.1 * rng.standard_normal(5 * SAMPLE_RATE_HZ), SAMPLE_RATE_HZ)
    return noises.read({"folder": folder})
