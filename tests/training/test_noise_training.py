"""Training with recorded noise and an adversary: what is mixed, what is logged, and the defects that must be seen."""

import json
import shutil
import warnings

import keras
import numpy as np
import pandas as pd
import pytest
import soundfile
import toy_asp
import toy_model

from serzoo import building, layers, noises, registry
from serzoo import config as configs
from serzoo.errors import RunError
from serzoo.training import fit as fitting
from serzoo.training.checks import check_labels, check_noise
from serzoo.training.curves import curves_png
from serzoo.training.publish import _command
from serzoo.training.watch import Watch

RNG = np.random.default_rng(0)
HEADS = {"emotion": ["anger", "sadness"], "noise": ["hiss", "hum", "clean", "noise_alone"]}


@pytest.fixture(autouse=True)
def toy_asp_is_registered(monkeypatch):
    monkeypatch.setitem(registry.BUILDERS, "toy_asp", "toy_asp:build")


@pytest.fixture(scope="module")
def noise_root(tmp_path_factory):
    root = tmp_path_factory.mktemp("noise")
    for name, sound in {"hiss": RNG.standard_normal(12000), "hum": np.sin(np.arange(12000) * 0.2)}.items():
        (root / name).mkdir()
        soundfile.write(root / name / "1.wav", 0.1 * sound, 16000)
    return root


@pytest.fixture(scope="module")
def sounds(noise_root):
    return noises.read({"folder": noise_root})


@pytest.fixture(scope="module")
def asp_yaml(tmp_path_factory):
    return toy_asp.write_config(tmp_path_factory.mktemp("configs"))


def load(path, **overrides):
    return configs.load(path, toy_asp.TINY | {key.replace("__", "."): value for key, value in overrides.items()})


@pytest.fixture(scope="module")
def clips():
    return [RNG.normal(scale=0.1, size=6000 + 500 * i).astype("float32") for i in range(8)]


def targets(classes):
    return {"emotion": np.eye(2, dtype="float32")[classes]}


def fit(config, clips, sounds, folder, **options):
    model = building.build(config, {task: HEADS[task] for task in config.heads}, seed=0)
    options = {"labels": HEADS, "noise": sounds, "seed": 0, "tensorboard": False, "verbose": 0} | options
    log = fitting.fit(model, config, clips, targets([0, 1] * 4), epochs=2, folder=folder, **options)
    return model, log


def test_what_the_network_hears_and_learns(asp_yaml, sounds, clips):
    """The wrapper mixes what the plan says, before the gain, and scores each segment by what was mixed into it."""
    config = load(asp_yaml, augmentation__speed=[1.0, 1.0], augmentation__gain_db=[0.0, 0.0], objectives={})
    model = building.build(config, HEADS, seed=0)
    heard = keras.Model(model.input, {"waveform": model.input["waveform"], **model.output})
    heard.get_layer = model.get_layer
    wrapper = fitting.augmented(heard, config, seed=0, recorded_noise=True)
    x = np.stack([clip[:6000] for clip in clips[:4]])
    x[:, 3200:] = 0.0  # nobody speaks in the second and third segment
    n = np.full(4, 6000, "int32")
    noise = np.stack([np.resize(sounds[i % 2], 6000) for i in range(4)])
    inputs = {
        "waveform": x,
        "num_samples": n,
        "partner": np.arange(4, dtype="int32"),
        "weight": np.ones(4, "float32"),
        "noise": noise,
        "noise_num_samples": n,
        "noise_class": np.array([0, 1, 2, 3], "int32"),
        "snr_db": np.array([5.0, 0.0, np.inf, -np.inf], "float32"),
    }
    told = {key: np.asarray(value) for key, value in wrapper(inputs, training=True).items()}
    mixed = np.asarray(layers.MixAtSNR()(x, n, noise, n, inputs["snr_db"]))
    np.testing.assert_allclose(told["waveform"], mixed, atol=1e-6)
    np.testing.assert_array_equal(told["waveform"][2], x[2])
    assert not np.array_equal(told["waveform"][3], x[3])
    said = np.asarray(model({"waveform": mixed, "num_samples": n})["noise"])
    truth = np.array([[0, 3], [1, 3], [2, 2], [3, 3]])
    wanted = 0.9 * np.eye(4)[truth] + 0.1 / 4
    np.testing.assert_allclose(
        told["noise"], -(wanted * np.log(np.maximum(said, 1e-7))).sum(axis=-1).mean(axis=-1), rtol=1e-4
    )


def test_the_log_shows_the_adversary(asp_yaml, sounds, clips, tmp_path):
    config = load(asp_yaml)
    model, log = fit(config, clips, sounds, tmp_path / "seed0-fold0")
    told = {"emotion_loss", "noise_loss", "adversary_loss", "adversary_accuracy", "adversary_chance", "difference_loss"}
    told |= {"adversary_lambda", "shared_spread", "private_emotion_spread"}
    assert told <= set(log[0])
    # lambda of the step before the last of each epoch, by the layer's own counter: 3 of 6 steps, then 6
    ramp = [2 / (1 + np.exp(-10 * step / 6)) - 1 for step in (2, 5)]
    np.testing.assert_allclose([row["adversary_lambda"] for row in log], ramp, rtol=1e-5)
    assert all(row["difference_loss"] > 0 and row["shared_spread"] > 1e-4 for row in log)
    assert 0.25 <= log[0]["adversary_chance"] < 1
    png = curves_png(tmp_path)
    assert png[1:4] == b"PNG" and len(png) > 10000
    assert not any("adversary" in weight.path for weight in model.weights)


def test_plain_augmentation_on_a_model_without_a_noise_head(sounds, clips, tmp_path, toy_yaml):
    """Row (b) of the noise curve: the same recordings, nothing to recognise."""
    config = configs.load(toy_yaml, {"augmentation.noise_probability": 0.8, "augmentation.noise_snr_db": [-5.0, 20.0]})
    model = building.build(config, {"emotion": HEADS["emotion"], "gender": ["female", "male"]}, seed=0)
    labels = targets([0, 1] * 4) | {"gender": np.eye(2, dtype="float32")[[0, 1] * 4]}
    log = fitting.fit(
        model, config, clips, labels, noise=sounds, epochs=1, folder=tmp_path, seed=0, tensorboard=False, verbose=0
    )
    assert np.isfinite(log[0]["emotion_loss"])
    wrapper = fitting.augmented(model, config, 0, recorded_noise=True)
    kinds = {type(layer) for layer in wrapper.layers}
    assert layers.MixAtSNR in kinds and layers.RandomNoise not in kinds


def test_a_discriminator_that_can_know_does(asp_yaml, tmp_path):
    """Two streams that sound different: without the reversal a discriminator tells them far above its chance level."""
    quiet = [RNG.normal(scale=0.001, size=9000).astype("float32") for _ in range(8)]
    loud = [RNG.normal(scale=0.3, size=9000).astype("float32") for _ in range(8)]
    changes = {
        "streams": {"emotion": 0.5, "other": 0.5},
        "heads": {"emotion": {"loss_weight": 1.0, "label_smoothing": 0.0}},
    }
    config = load(asp_yaml, **changes, **{
        "objectives": {"adversary": {"label": "stream", "loss_weight": 1.0}},
        "augmentation.noise_probability": 0.0, "augmentation.noise_alone_probability": 0.0,
        "augmentation.gain_db": [0.0, 0.0], "augmentation.mixup_probability": 0.0,
        "training.learning_rate": 0.05, "training.steps_per_epoch": 30,
    })  # fmt: skip
    rows = np.arange(16)
    labels = {"stream": ["emotion", "other"], "emotion": HEADS["emotion"]}
    truth = {
        "stream": np.eye(2, dtype="float32")[(rows >= 8).astype(int)],
        "emotion": np.where((rows < 8)[:, None], np.eye(2)[rows % 2], 0.0).astype("float32"),
    }
    model = building.build(config, {"emotion": HEADS["emotion"]}, seed=0)
    graph = toy_asp.training_graph(model, config, labels, None, 0)  # no ramp: lambda stays where it is put
    reversal = graph.get_layer("adversary_reversal")
    reversal.lambda_.assign(0.0)
    wrapper = fitting.compiled(fitting.augmented(graph, config, 0), config, 2, 30)
    from serzoo import pipeline

    feed = pipeline.ArrayFeed(quiet + loud, truth, config, seed=0)
    log = wrapper.fit(feed, epochs=2, steps_per_epoch=30, shuffle=False, verbose=0).history
    assert log["adversary_accuracy"][-1] > 0.9  # chance is a half


def test_a_dead_encoder_is_told(asp_yaml, clips):
    config = load(asp_yaml)
    model = building.build(config, HEADS, seed=0)
    graph = toy_asp.training_graph(model, config, HEADS, 10, 0)
    watch = Watch(graph, model, clips, {})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert watch.columns()["private_emotion_spread"] > 1e-4
    encoder = model.get_layer("private_emotion_encoder")
    encoder.set_weights([0.0 * weight for weight in encoder.get_weights()])
    with pytest.warns(UserWarning, match="The encoder private_emotion died: it gives every clip the same features"):
        assert watch.columns()["private_emotion_spread"] < 1e-6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        watch.columns()  # once is enough


# --- before the first step ------------------------------------------------------------------------------------------


def test_noise_that_is_missing_or_never_mixed_in(asp_yaml, sounds):
    with pytest.raises(RunError, match="toy_asp learns to recognise noise: give recordings of it, as in --noise esc10"):
        check_noise(load(asp_yaml), None)
    alone = configs.load("cnn_ablstm", {"augmentation.noise_alone_probability": 0.5})
    with pytest.raises(RunError, match="cnn_ablstm plays noise alone: give recordings of it"):
        check_noise(alone, None)
    never = load(asp_yaml, augmentation__noise_probability=0.0, augmentation__noise_alone_probability=0.0)
    with pytest.raises(RunError, match="never mixed in"):
        check_noise(never, sounds)
    with pytest.raises(RunError, match="noise_probability must be below 1. Received: 1.0"):
        check_noise(load(asp_yaml, augmentation__noise_probability=1.0), sounds)
    check_noise(load(asp_yaml), sounds)


def table(**columns):
    size = 4
    rows = {"corpus": "ravdess", "file": [f"{i}.wav" for i in range(size)], "emotion": ["anger", "sadness"] * 2}
    return pd.DataFrame(rows | {"gender": ["female", "male"] * 2, "speaker": "1"} | columns)


def test_labels_that_cannot_be_learnt():
    config = configs.load("asp_mtl_gender")
    check_labels(config, table(), {})
    for gender, told in ((None, "none"), ("male", "male")):
        with pytest.raises(RunError, match=f"'gender' apart, which needs two values or more .* Received: {told}."):
            check_labels(config, table(gender=gender), {})
    with pytest.raises(RunError, match="'gender' apart"):
        check_labels(config, table().drop(columns="gender"), {})
    others = {"gender": table(corpus="other", gender=None)}
    with pytest.raises(
        RunError, match="The stream gender needs clips with the label gender. Its corpora have: emotion"
    ):
        check_labels(config, table(), others)


def test_an_adversary_that_could_only_guess_is_refused():
    """The trap of shared-private learning: where both tasks hear the same clips, their streams cannot be told apart."""
    streams = {"streams": {"emotion": 0.5, "gender": 0.5}}
    by_stream = configs.load("asp_mtl_gender", streams | {"objectives.adversary.label": "stream"})
    with pytest.raises(
        RunError, match="The stream gender holds recordings of the stream emotion: who must tell .* only"
    ):
        check_labels(by_stream, table(), {"gender": table()})
    check_labels(by_stream, table(), {"gender": table(corpus="emodb")})
    check_labels(configs.load("asp_mtl_gender", streams), table(), {"gender": table()})  # it tells the gender


# --- a whole run ----------------------------------------------------------------------------------------------------


def test_a_run_says_what_noise_it_heard(asp_yaml, noise_root, emodb, tmp_path):
    options = {"overrides": toy_asp.TINY, "folds": (0,)}
    run = toy_model.train(asp_yaml, emodb, tmp_path / "run", noise={"folder": noise_root}, **options)
    card = json.loads((run / "seed0-fold0" / "card.json").read_text())
    assert card["noise"] == {"folder": {"types": ["hiss", "hum"], "split": None}}
    assert card["heads"]["noise"] == HEADS["noise"]
    about = json.loads((run / "run.json").read_text())
    assert about["noise"]["folder"]["rows"] == 2
    assert "--noise folder=ROOT" in _command(about)
    (tmp_path / "less" / "hum").mkdir(parents=True)
    shutil.copy(noise_root / "hum" / "1.wav", tmp_path / "less" / "hum")
    with pytest.raises(RunError, match="holds another run: noise"):
        toy_model.train(asp_yaml, emodb, run, noise={"folder": tmp_path / "less"}, resume=True, **options)


def test_the_ramp_is_as_long_as_the_schedule(asp_yaml, sounds, clips, tmp_path):
    _, log = fit(load(asp_yaml), clips, sounds, tmp_path, total_epochs=4)
    ramp = [2 / (1 + np.exp(-10 * step / 12)) - 1 for step in (2, 5)]
    np.testing.assert_allclose([row["adversary_lambda"] for row in log], ramp, rtol=1e-5)
