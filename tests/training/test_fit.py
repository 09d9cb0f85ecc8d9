"""Fitting one model, on the backend that KERAS_BACKEND names."""

import csv
import gc
import math
import weakref
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import toy_model

from serzoo import building, pipeline
from serzoo import config as configs
from serzoo.errors import AudioError, RunError
from serzoo.training import fit as fitting

HEADS = {"emotion": ["anger", "sadness"], "gender": ["female", "male"]}
TENSORFLOW = keras.backend.backend() == "tensorflow"


@pytest.fixture
def config(toy_yaml):
    return configs.load(toy_yaml)


@pytest.fixture(scope="module")
def arrays():
    """Six clips of noise, loud ones angry, and their labels."""
    random = np.random.default_rng(0)
    clips = [random.normal(scale=0.3 if i % 2 else 0.01, size=4000 + 500 * i).astype("float32") for i in range(6)]
    classes = np.eye(2, dtype="float32")[[1, 0] * 3]
    return clips, {"emotion": classes, "gender": classes[::-1].copy()}


def fit(config, arrays, folder, epochs=3, **options):
    model = building.build(config, HEADS, seed=0)
    options = {"seed": 0, "tensorboard": False, "verbose": 0, **options}
    return model, fitting.fit(model, config, *arrays, epochs=epochs, folder=folder, **options)


def changed(config, **training):
    return configs.override(config, {f"training.{key}": value for key, value in training.items()})


def read_log(folder):
    with open(folder / fitting.LOG, newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def assert_same_log(one, other, tolerance=1e-5):
    assert [list(row) for row in one] == [list(row) for row in other]
    np.testing.assert_allclose([list(r.values()) for r in one], [list(r.values()) for r in other], atol=tolerance)


# --- schedule -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("warmup", [0.0, 2.0])
def test_learning_rate_warms_up_and_falls_as_a_cosine(config, warmup):
    config = changed(config, warmup_epochs=warmup, learning_rate=0.5)
    model = building.build(config, HEADS, seed=0)
    optimizer = fitting.compiled(model, config, total_epochs=6, steps_per_epoch=5).optimizer
    w = int(warmup * 5)
    for step in range(31):
        if step < w:
            expected = 0.005 + (0.5 - 0.005) * step / w
        else:
            expected = 0.25 * (1 + math.cos(math.pi * (step - w) / (30 - w)))
        optimizer.iterations.assign(step)
        assert float(optimizer.learning_rate) == pytest.approx(expected, abs=1e-6), step


def test_decay_shrinks_kernels_and_nothing_else(config):
    config = changed(config, warmup_epochs=0.0, learning_rate=0.5, weight_decay=0.1, clip_norm=None)
    model = building.build(config, HEADS, seed=0)
    optimizer = fitting.compiled(model, config, 1, 10).optimizer
    for weight in model.trainable_variables:
        weight.assign(keras.ops.ones_like(weight) * 2.0)
    optimizer.apply([keras.ops.zeros_like(weight) for weight in model.trainable_variables], model.trainable_variables)
    shrunk = {weight.path: np.unique(np.asarray(weight)) for weight in model.trainable_variables}
    assert {path.rpartition("/")[2] for path in shrunk} >= {"kernel", "bias"}
    for path, values in shrunk.items():
        kept = path.rpartition("/")[2] in ("bias", "gamma", "beta")
        np.testing.assert_allclose(values, [2.0 if kept else 2.0 * (1 - 0.5 * 0.1)], rtol=1e-6, err_msg=path)


def test_gradients_are_clipped_by_their_norm_over_all_weights(config):
    config = changed(config, warmup_epochs=0.0, clip_norm=1.0)
    model = building.build(config, HEADS, seed=0)
    optimizer = fitting.compiled(model, config, 1, 10).optimizer
    count = sum(int(np.prod(weight.shape)) for weight in model.trainable_variables)
    optimizer.apply([keras.ops.ones_like(weight) for weight in model.trainable_variables], model.trainable_variables)
    squares = sum(np.asarray(each).sum() for each in optimizer._velocities) / (1 - optimizer.beta_2)
    assert count > 1 and squares == pytest.approx(1.0, rel=1e-3)  # of the gradients that Adam saw


def test_loss_is_that_of_the_config(config):
    config = configs.override(config, {"heads.gender.loss_weight": 0.25, "heads.emotion.label_smoothing": 0.2})
    model = fitting.compiled(building.build(config, HEADS, seed=0), config, 1, 1)
    inputs = pipeline.padded([np.ones(4000, "float32"), np.full(3000, 0.1, "float32")])
    truth = {"emotion": np.array([[1, 0], [0.3, 0.7]], "float32"), "gender": np.eye(2, dtype="float32")}
    weights = {"emotion": np.ones(2, "float32"), "gender": np.array([1, 0], "float32")}
    told = model.evaluate(inputs, truth, sample_weight=weights, verbose=0, return_dict=True)
    said = {task: np.log(values) for task, values in model.predict_on_batch(inputs).items()}
    smooth = {"emotion": 0.8 * truth["emotion"] + 0.1, "gender": 0.9 * truth["gender"] + 0.05}
    losses = {task: -np.average((smooth[task] * said[task]).sum(axis=1), weights=weights[task]) for task in HEADS}
    assert told["loss"] == pytest.approx(losses["emotion"] + 0.25 * losses["gender"], abs=1e-5)


# --- the averages, the best epoch -----------------------------------------------------------------------------------


def test_final_weights_are_the_averages_of_all_steps(config, arrays, tmp_path, monkeypatch):
    """With one step an epoch the state holds the weights after every step; average them by hand."""
    config = changed(config, steps_per_epoch=1, ema_momentum=0.7, learning_rate=0.1)
    steps, names = [], []
    replace_file = fitting.replace_file

    def keep(path, data):
        replace_file(path, data)
        if path.name == fitting.STATE:
            with np.load(path) as state:
                steps.append([state[f"variable{i}"] for i in range(len(state.files) - 1)])

    monkeypatch.setattr(fitting, "replace_file", keep)
    variables = fitting._EpochEnd._variables
    monkeypatch.setattr(fitting._EpochEnd, "_variables", lambda self: names.append(self) or variables(self))
    model, _ = fit(config, arrays, tmp_path, epochs=5)
    trained = [id(variable) for variable in model.trainable_variables]
    for i, variable in enumerate(variables(names[-1])):
        if id(variable) in trained:
            average = steps[0][i]
            for step in steps[1:]:
                average = 0.7 * average + 0.3 * step[i]
            np.testing.assert_allclose(np.asarray(variable), average, atol=1e-6)
            assert not np.allclose(steps[-1][i], average, atol=1e-4)
            trained.remove(id(variable))
    assert not trained


def test_without_averages_the_last_weights_stay(config, arrays, tmp_path):
    model, _ = fit(changed(config, ema_momentum=None), arrays, tmp_path, epochs=1)
    with np.load(tmp_path / fitting.STATE) as state:
        held = [state[name] for name in state.files]
    for value in model.get_weights():
        assert any(value.shape == other.shape and np.array_equal(value, other) for other in held)


def test_keep_best_restores_the_best_epoch(config, arrays, tmp_path, monkeypatch):
    judged = []

    def judge(self):
        judged.append([np.asarray(weight) for weight in self._inner.weights])
        return [0.2, 0.9, 0.5, 0.9][len(judged) - 1]

    monkeypatch.setattr(fitting._EpochEnd, "_judge", judge)
    best = changed(config, keep="best", learning_rate=0.1)
    fit(best, arrays, tmp_path / "a", epochs=3, total_epochs=4, validation=arrays)
    model, log = fit(best, arrays, tmp_path / "a", epochs=4, validation=arrays)  # cut off after the best epoch
    assert [row["val_ua"] for row in log] == [0.2, 0.9, 0.5, 0.9]
    for value, wanted, later in zip(model.get_weights(), judged[1], judged[3], strict=True):
        assert np.array_equal(value, wanted)
        assert value.size == 1 or not np.array_equal(value, later) or not value.any() or "int" in str(value.dtype)
    del judged[:]
    model, _ = fit(changed(best, keep="last"), arrays, tmp_path / "b", epochs=4, validation=arrays)
    for value, wanted in zip(model.get_weights(), judged[3], strict=True):
        np.testing.assert_allclose(value, wanted, atol=1e-7)


def test_validation_is_judged_with_the_averages(config, arrays, tmp_path):
    """What the log says of the last epoch is what the final model says."""
    model, log = fit(changed(config, learning_rate=0.1), arrays, tmp_path, epochs=2, validation=arrays)
    guess = pipeline.predict(model, arrays[0])["emotion"].argmax(axis=1)
    truth = arrays[1]["emotion"].argmax(axis=1)
    assert log[-1]["val_ua"] == pytest.approx(np.mean([(guess[truth == c] == c).mean() for c in (0, 1)]))


# --- resuming -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_a_resumed_fit_equals_an_uninterrupted_one(config, arrays, tmp_path, precision):
    with fitting.precision(precision):
        whole, log = fit(config, arrays, tmp_path / "whole", epochs=4, validation=arrays)
        fit(config, arrays, tmp_path / "cut", epochs=2, total_epochs=4, validation=arrays)
        keras.utils.set_random_seed(99)
        cut, resumed = fit(config, arrays, tmp_path / "cut", epochs=4, validation=arrays)
    assert keras.config.dtype_policy().name == "float32"
    assert [row["epoch"] for row in log] == [1, 2, 3, 4]
    assert_same_log(log, resumed)
    assert_same_log(read_log(tmp_path / "whole"), read_log(tmp_path / "cut"))
    for one, other in zip(whole.get_weights(), cut.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_fit_that_was_cut_off_between_log_and_state(config, arrays, tmp_path):
    _, log = fit(config, arrays, tmp_path, epochs=2)
    (tmp_path / fitting.STATE).unlink()
    assert_same_log(log, fit(config, arrays, tmp_path, epochs=2)[1])
    assert len(read_log(tmp_path)) == 2


def test_a_finished_fit_is_not_run_again(config, arrays, tmp_path, monkeypatch):
    model, log = fit(config, arrays, tmp_path, epochs=1)
    monkeypatch.setattr(keras.Model, "fit", None)
    again, same = fit(config, arrays, tmp_path, epochs=1)
    assert same == log
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_a_state_of_something_else_is_refused(config, arrays, tmp_path):
    fit(config, arrays, tmp_path, epochs=1)
    other = configs.override(config, {"model.units": 5})
    with pytest.raises(RunError, match=r"state.npz and log.csv are not the state of this training: .*Delete"):
        fit(other, arrays, tmp_path, epochs=2)
    data = (tmp_path / fitting.STATE).read_bytes()
    (tmp_path / fitting.STATE).write_bytes(data[: len(data) // 2])
    with pytest.raises(RunError, match=r"state.npz and log.csv are not the state"):
        fit(config, arrays, tmp_path, epochs=2)


# --- what goes wrong ------------------------------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_ends_with_a_sentence(config, arrays, tmp_path):
    fit(config, arrays, tmp_path, epochs=1, total_epochs=3)
    state = (tmp_path / fitting.STATE).read_bytes()
    silent = [np.full(4000, np.nan, "float32")] * 6
    with pytest.raises(RunError, match="no longer finite after epoch 1. Try a lower learning rate"):
        fit(config, (silent, arrays[1]), tmp_path, epochs=3)
    assert (tmp_path / fitting.STATE).read_bytes() == state and len(read_log(tmp_path)) == 1


def test_a_clip_that_cannot_be_read_is_named(config, arrays, tmp_path):
    class Bad(list):
        def __getitem__(self, index):
            raise AudioError("x.wav is cut.")

    with pytest.raises(AudioError, match="^x.wav is cut.$"):
        fit(config, (Bad(arrays[0]), arrays[1]), tmp_path)


def failing(error):
    def fail(*args, **kwargs):
        raise error

    return fail


def test_too_little_memory_names_a_batch_size(config, arrays, tmp_path, monkeypatch):
    if TENSORFLOW:
        import tensorflow as tf

        error = tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[64,1]")
    else:
        error = RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 99 bytes.")
    monkeypatch.setattr(keras.Model, "fit", failing(error))
    with pytest.raises(RunError, match="no memory for batches of 4 clips: try training.batch_size=2"):
        fit(config, arrays, tmp_path)
    with pytest.raises(RunError, match="batches of 1 clips: try a smaller augmentation.crop_s"):
        fit(changed(config, batch_size=1), arrays, tmp_path)


def test_other_errors_stay_as_they_are(config, arrays, tmp_path, monkeypatch):
    monkeypatch.setattr(keras.Model, "fit", failing(ZeroDivisionError("ours")))
    with pytest.raises(ZeroDivisionError, match="ours"):
        fit(config, arrays, tmp_path)


def test_no_clip_outlives_its_training(config, arrays, tmp_path):
    class Clips(list):
        pass

    clips = Clips(arrays[0])
    watch = weakref.ref(clips)
    fit(config, (clips, arrays[1]), tmp_path, epochs=1, tensorboard=True, validation=(clips, arrays[1]))
    del clips
    fitting.clear_session()  # as at the end of each fold
    gc.collect()
    assert watch() is None


def test_what_whoever_trains_has_set_outlives_a_session():
    before, spread = keras.mixed_precision.dtype_policy(), object()
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    keras.distribution.set_distribution(spread)
    try:
        fitting.clear_session()
        assert keras.mixed_precision.dtype_policy().name == "mixed_bfloat16"
        assert keras.distribution.distribution() is spread
    finally:
        keras.distribution.set_distribution(None)
        keras.mixed_precision.set_dtype_policy(before)


# --- front end ------------------------------------------------------------------------------------------------------


def test_adapt_gives_the_mean_and_deviation_of_the_clips(arrays):
    config = configs.load("cnn_ablstm", {**toy_model.TINY, "frontend.standardize": "global"})
    model = building.build(config, {"emotion": HEADS["emotion"]}, seed=0)
    fitting.adapt(model, arrays[0])
    layer = model.get_layer("log_mel")
    static = []
    for clip in arrays[0]:
        x, n = layer(clip[None], np.array([len(clip)], "int32"))
        static.append(np.asarray(x)[0, : int(n[0])])
    static = np.concatenate(static)
    standardize = model.get_layer("standardize")
    np.testing.assert_allclose(np.asarray(standardize.mean)[:, 0], static.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(np.asarray(standardize.std)[:, 0], static.std(axis=0), atol=1e-4)


def test_chance_is_the_share_of_the_most_frequent_class_among_those_that_are_known():
    config = SimpleNamespace(
        objectives={"adversary": SimpleNamespace(label="gender"), "size": SimpleNamespace(label=None)}
    )
    plan = {"weights/adversary": np.array([1.0, 1.0, 1.0, 0.0]), "labels/adversary": np.eye(2)[[0, 0, 1, 1]]}
    assert fitting._chances(plan, config) == {"adversary_chance": pytest.approx(2 / 3)}


def test_val_ua_is_unweighted(config, arrays, tmp_path):
    truth = np.array([1, 1, 1, 1, 1, 0])
    few = {"emotion": np.eye(2, dtype="float32")[truth]}
    model, log = fit(config, arrays, tmp_path, epochs=1, validation=(arrays[0], few))
    guess = pipeline.predict(model, arrays[0])["emotion"].argmax(axis=1)
    recalls = [(guess[truth == c] == c).mean() for c in (0, 1)]
    assert log[-1]["val_ua"] == pytest.approx(np.mean(recalls)) and np.mean(recalls) != (guess == truth).mean()
