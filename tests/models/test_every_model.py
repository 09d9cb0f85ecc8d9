"""What every registered model must hold; a model is tested the moment it stands in the registry."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import golden
import keras
import numpy as np
import pytest
from conformance import TOLERANCE, caller, run_model_conformance

import serzoo
from serzoo import audio, building, registry, zoo

ROOT = Path(__file__).resolve().parents[2]
CARD = {"licence": "CC-BY-4.0", "commercial": True, "corpora": {"ravdess": ["01", "02"]}, "tag": "toy"}
RNG = np.random.default_rng(3)
# One clip lasts 0.1 s, the shortest that is judged; the garbage in the padding is the runner's.
INPUTS = {
    "waveform": (0.1 * RNG.standard_normal((3, 9000))).astype("float32"),
    "num_samples": np.array([9000, 1600, 5111], "int32"),
}
ANSWER = """
import json, sys
import numpy as np
import serzoo
from conformance import caller
told = {}
inputs = dict(np.load(sys.argv[1]))
for path in sys.argv[2:]:
    model = serzoo.load(path)
    scores = {task: np.asarray(values).tolist() for task, values in caller(model)(inputs).items()}
    told[path] = [type(model).__name__, model.name, model.heads, model.sample_rate_hz, model.card, scores]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def models():
    """Models by name, each built when it is asked for: ``-k NAME`` builds one."""
    return functools.cache(lambda name: golden.with_known_weights(name, card=CARD))


@pytest.mark.parametrize("name", registry.names())
def test_conformance(models, name):
    settings = golden.settings_of(name)
    run_model_conformance(models(name), INPUTS, rebuild=lambda: building.build(settings, models(name).heads))


@pytest.mark.parametrize("name", registry.names())
def test_answers_with_known_weights(models, name):
    """Weights that were trained once answer alike under every backend and version."""
    wanted = json.loads(golden.PATH.read_text()).get(name)
    assert wanted, f"no answers of {name} are known yet: python tests/models/golden.py {name}"
    # all in one batch, which changes nothing: one shape to compile
    told = models(name).probabilities([audio.read(golden.CLIPS / clip) for clip in wanted])
    for (clip, scores), row in zip(wanted.items(), told, strict=True):
        assert dict(zip(golden.CLASSES, row, strict=True)) == pytest.approx(scores, abs=TOLERANCE), clip


@pytest.mark.parametrize("name", registry.names())
def test_what_it_knows_of_itself(models, name):
    model = models(name)
    assert model.name == name and model.tag == "toy" and model.licence == "CC-BY-4.0"
    assert model.classes == golden.CLASSES and model.sample_rate_hz == 16000
    assert model.training_speakers == {"ravdess": ["01", "02"]}
    assert set(model.heads) == set(model.output) == set(golden.settings_of(name).heads)
    assert model.embed(golden.CLIPS / "03a01Wa.wav").ndim == 1
    assert model.count_params() < 2_000_000


def entropy_by_segment(truth, told):
    """Of an answer by segment, which is zero beyond the last one of a clip."""
    return -keras.ops.mean(keras.ops.sum(truth[:, None] * keras.ops.log(told + 1e-7), axis=-1), axis=-1)


@pytest.mark.parametrize("name", registry.names())
def test_a_training_step_moves_every_weight(name):
    settings = golden.settings_of(name)
    model = building.build(settings, building.heads_of(settings, golden.CLASSES), seed=0)
    before = [np.array(weight) for weight in model.weights]
    by_segment = {task for task, output in model.output.items() if len(output.shape) == 3}
    losses = {task: entropy_by_segment if task in by_segment else "categorical_crossentropy" for task in model.heads}
    # One step is sooner taken than compiled, but by JAX, which would compile each part of it by itself.
    model.compile(keras.optimizers.Adam(1e-2), losses, run_eagerly=keras.backend.backend() != "jax")
    labels = {task: np.eye(len(classes), dtype="float32")[[0, 1, 1]] for task, classes in model.heads.items()}
    assert np.isfinite(model.train_on_batch(INPUTS, labels)).all()
    for old, weight in zip(before, model.weights, strict=True):
        assert np.isfinite(weight).all()
        # the statistics of the training set are filled before the training, and stay
        assert np.array_equal(old, weight) == ("/standardize/" in f"/{weight.path}"), weight.path


@pytest.mark.parametrize("name", registry.names())
def test_every_dropout_draws_by_a_seed_of_its_own(name):
    """Of two layers with one seed and one shape, each would drop what the other drops, in every step."""
    settings = golden.settings_of(name)
    model = building.build(settings, building.heads_of(settings, golden.CLASSES), seed=0)
    if graph := registry.training_graph(name):
        labels = {label: ["a", "b"] for label in settings.labels.values() if label}
        model = graph(model, settings, labels | model.heads, 10, 0)
    seeds = [
        int(layer.seed_generator.state[0])
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.Dropout) and layer.rate
    ]
    assert len(set(seeds)) == len(seeds), seeds
    assert seeds or not settings.model.get("dropout")


@pytest.mark.parametrize("name", ["asp_mtl_gender", "bert_mtl"])
def test_the_seed_of_a_build_is_that_of_weights_masks_and_dropout(name):
    settings = golden.settings_of(name)
    inputs = {key: keras.ops.convert_to_tensor(values) for key, values in INPUTS.items()}

    def told(seed):
        model = building.build(settings, building.heads_of(settings, golden.CLASSES), seed=seed)
        return np.asarray(model(inputs, training=True)["emotion"])

    np.testing.assert_array_equal(told(3), told(3))
    assert not np.array_equal(told(3), told(4))


def test_keras_file_in_a_fresh_process(models, tmp_path):
    """What :func:`test_conformance` shows in this process, without serzoo's layers imported before."""
    np.savez(tmp_path / "inputs.npz", **INPUTS)
    paths = {name: str(tmp_path / f"{name}.keras") for name in registry.names()}
    for name in paths:
        models(name).save(paths[name])
    done = subprocess.run(
        [sys.executable, "-c", ANSWER, tmp_path / "inputs.npz", *paths.values()],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    for name in paths:
        model, again = models(name), serzoo.load(paths[name])
        assert (again.name, again.heads, again.card) == (name, model.heads, model.card)
        kind, *about, scores = told[paths[name]]
        assert (kind, *about) == ("Classifier", name, model.heads, 16000, model.card)
        for task, values in caller(model)(INPUTS).items():
            np.testing.assert_allclose(scores[task], np.asarray(values), atol=TOLERANCE)


def test_reading_an_embedding_does_not_change_what_is_saved(models, tmp_path):
    model = models(registry.names()[0])
    model.embed(golden.CLIPS / "03a01Wa.wav")
    model.save_weights(tmp_path / "after.weights.h5")
    fresh = building.build(golden.settings_of(model.name), model.heads)
    zoo.load_weights(fresh, tmp_path / "after.weights.h5")
    for a, b in zip(fresh.weights, model.weights, strict=True):
        np.testing.assert_array_equal(a, b)
