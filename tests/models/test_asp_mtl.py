"""The shared-private models: what reads what, what training adds, and what an adversary can know."""

import golden
import keras
import numpy as np
import pytest

from serzoo import building, layers, losses
from serzoo import config as configs
from serzoo.errors import ConfigError
from serzoo.evaluation.noise_curve import emotion_parameters
from serzoo.schema import Objective

NAMES = ("asp_mtl_noise", "asp_mtl_gender", "asp_mtl_cascade")
EAGER = keras.backend.backend() == "tensorflow"  # a few small steps: tracing them would take longer
RNG = np.random.default_rng(1)
INPUTS = {
    "waveform": (0.1 * RNG.standard_normal((4, 9000))).astype("float32"),
    "num_samples": np.array([9000, 8000, 3111, 9000], "int32"),
}
LABELS = {"emotion": golden.CLASSES, "gender": ["female", "male"], "stream": ["emotion", "gender"]}


def call(model):
    """Answer without tracing the model, which would take longer than the answer."""
    told = model({name: keras.ops.convert_to_tensor(values) for name, values in INPUTS.items()}, training=False)
    return keras.tree.map_structure(np.asarray, told)


def build(name, **overrides):
    settings = configs.override(golden.settings_of(name), overrides) if overrides else golden.settings_of(name)
    model = building.build(settings, building.heads_of(settings, golden.CLASSES), seed=0)
    return settings, model, LABELS | model.heads


@pytest.fixture(scope="module")
def built():
    return {name: build(name) for name in NAMES}


def graph_of(name, settings, model, labels, steps=10):
    from serzoo import registry

    return registry.training_graph(name)(model, settings, labels, steps, 0)


@pytest.mark.parametrize("name", NAMES)
def test_features_are_read_by_name(built, name):
    _, model, _ = built[name]
    clip = golden.CLIPS / "03a01Wa.wav"
    names = {"shared", "private_emotion"} | {f"private_{task}" for task in model.heads if task != "emotion"}
    found = {each: model.embed(clip, layer=each) for each in names}
    assert all(features.shape == (16,) for features in found.values())
    np.testing.assert_array_equal(model.embed(clip), np.concatenate([found["shared"], found["private_emotion"]]))


@pytest.mark.parametrize("name", NAMES)
def test_training_adds_objectives_that_the_saved_model_has_not(built, name):
    settings, model, labels = built[name]
    graph = graph_of(name, settings, model, labels)
    assert set(graph.output) == set(settings.heads) | set(settings.objectives)
    told = call(graph)
    for head, values in call(model).items():
        np.testing.assert_allclose(told[head], values, atol=1e-6)
    for objective, settings_of in settings.objectives.items():
        if settings_of.label is None:
            assert told[objective].shape == (4,) and (told[objective] > 0).all()
        else:
            assert told[objective].shape == (4, len(labels[settings_of.label]))
    assert not any(isinstance(layer, layers.GradientReversal) for layer in model.layers)
    weights = {id(weight) for weight in model.weights}
    assert len(weights) < len(graph.weights)  # discriminators end with the training


def test_the_difference_is_that_of_the_features(built):
    settings, model, labels = built["asp_mtl_gender"]
    told = call(graph_of("asp_mtl_gender", settings, model, labels))
    names = ("shared", "private_emotion", "private_gender")
    read = call(keras.Model(model.input, {each: model.get_layer(each).output for each in names}))
    wanted = sum(float(losses.difference_loss(read["shared"], read[each])) for each in names[1:])
    np.testing.assert_allclose(told["difference"], wanted, rtol=1e-3)
    assert all(float(losses.spread(values)) > 1e-4 for values in read.values())


def moved(model, graph, output, label):
    """Which weights of the model one step on one output alone moves, by the start of the layer's name."""
    before = {weight.path: np.array(weight) for weight in model.trainable_weights}
    loss = (lambda truth, told: told) if label is None else "categorical_crossentropy"
    alone = keras.Model(graph.input, graph.output[output])
    alone.compile(keras.optimizers.SGD(1.0), loss, run_eagerly=EAGER)
    alone.train_on_batch(INPUTS, np.zeros(4) if label is None else np.eye(label, dtype="float32")[[0, 1, 1, 0]])
    now = {weight.path: np.array(weight) for weight in model.trainable_weights}
    changed = {path.split("/")[0] for path in now if not np.array_equal(now[path], before[path])}
    for weight in model.trainable_weights:
        weight.assign(before[weight.path])
    return changed


def test_both_encoders_learn_from_the_difference_and_the_shared_one_alone_from_the_adversary():
    settings, model, labels = build("asp_mtl_gender")
    graph = graph_of("asp_mtl_gender", settings, model, labels, steps=1)
    reversal = graph.get_layer("adversary_reversal")
    by_difference = moved(model, graph, "difference", None)
    assert {"shared", "private_emotion", "private_gender"} <= by_difference
    assert {"shared_encoder_blstm", "emotion_encoder_blstm", "gender_encoder_blstm"} <= by_difference
    reversal.steps.assign(1)  # at the end of the ramp
    by_adversary = moved(model, graph, "adversary", 2)
    assert "shared_encoder_blstm" in by_adversary and "emotion_encoder_blstm" not in by_adversary
    assert float(np.asarray(reversal.lambda_)) == pytest.approx(2 / (1 + np.exp(-10)) - 1)


def test_the_adversary_drives_the_shared_features_the_other_way():
    """A step on the adversary is the opposite of the one that would help the discriminator."""
    same_each_time = {"model.dropout": 0.0, "augmentation.num_time_masks": 0, "augmentation.num_mel_masks": 0}
    settings, model, labels = build("asp_mtl_gender", **same_each_time)
    graph = graph_of("asp_mtl_gender", settings, model, labels, steps=1)
    graph.get_layer("adversary_reversal").steps.assign(10)
    truth = np.eye(2, dtype="float32")[[0, 1, 1, 0]]
    kernel = model.get_layer("shared").query
    start = np.array(kernel)
    steps = []
    for adverse in (True, False):
        features = graph.get_layer("shared").output
        if adverse:
            output = graph.output["adversary"]
        else:
            hidden = graph.get_layer("adversary_hidden")(features)
            output = graph.get_layer("adversary")(hidden)
        alone = keras.Model(graph.input, output)
        for layer in alone.layers:
            layer.trainable = layer.name == "shared"
        alone.compile(keras.optimizers.SGD(1.0), "categorical_crossentropy", run_eagerly=EAGER)
        alone.train_on_batch(INPUTS, truth)
        steps.append(np.array(kernel) - start)
        kernel.assign(start)
    scale = 2 / (1 + np.exp(-10)) - 1
    assert np.abs(steps[1]).max() > 0
    np.testing.assert_allclose(steps[0], -scale * steps[1], atol=0.02 * np.abs(steps[1]).max())


def test_the_cascade_leaves_out_what_it_hears_as_noise_alone():
    """Where model 1 is certain of noise alone, the frames of a segment have no part in model 2."""
    _, model, _ = build("asp_mtl_cascade")
    head, size = model.get_layer("noise"), model.get_layer("noise").segment_frames
    weight = keras.Model(model.input, model.get_layer("speech_weight").output)
    told = call(model)["noise"]
    found = call(weight)
    frames = found.shape[1]
    np.testing.assert_allclose(found, np.repeat(1 - told[..., -1], size, axis=1)[:, :frames], atol=1e-6)
    head.bias.assign(np.where(np.arange(head.units) == head.units - 1, 1e4, 0.0))
    assert not call(weight)[0].any()
    quiet = call(model)
    assert np.isfinite(quiet["emotion"]).all()
    np.testing.assert_allclose(quiet["emotion"], quiet["emotion"][:1].repeat(4, axis=0), atol=1e-6)  # nothing to tell


def test_parameters_of_the_path_to_the_emotion():
    """What the comparison is fair by: within 10 % of the control, as the real configs stand."""
    control = building.build(configs.load("cnn_ablstm"), {"emotion": list("abcdefgh")})
    for name in NAMES[:2]:
        settings = configs.load(name)
        model = building.build(settings, building.heads_of(settings, list("abcdefgh")))
        assert emotion_parameters(model) == pytest.approx(emotion_parameters(control), rel=0.1)
        assert emotion_parameters(model) < model.count_params()


@pytest.mark.parametrize("name", ["asp_mtl_noise", "asp_mtl_cascade"])
def test_sizes_may_be_left_to_the_builder(name):
    settings = configs.load(name).model_copy(update={"model": {}})
    assert building.build(settings, building.heads_of(settings, ["anger", "fear"])).name == name


def test_model_1_of_the_cascade_has_the_sizes_that_the_builder_chose_and_tells_the_label_that_it_is_given():
    sizes = {"stem_filters": [8, 8], "noise_filters": [8, 8, 8], "gender_filters": [8, 8, 8], "segment_s": 0.64}
    objectives = {"noise_emotion": {"label": "gender", "loss_weight": 0.5}}
    settings, model, labels = build("asp_mtl_cascade", model=sizes, objectives=objectives)
    graph = graph_of("asp_mtl_cascade", settings, model, labels)
    for part in ("conv3", "dropout", "blstm"):
        own, other = (graph.get_layer(f"{which}_encoder_{part}").get_config() for which in ("noise_emotion", "emotion"))
        assert own | {"name": None} == other | {"name": None}
    assert graph.output["noise_emotion"].shape == (None, 2)


@pytest.mark.parametrize(
    ("objectives", "message"),
    [
        ({"adversary": None}, "objectives.adversary.label must be the name of a label. Received: None"),
        ({"difference": "gender"}, "objectives.difference.label must be null"),
        ({"enemy": "gender"}, "objectives must be among adversary, difference. Received: enemy"),
    ],
)
def test_wrong_objectives(built, objectives, message):
    settings, model, labels = built["asp_mtl_gender"]
    wrong = {name: Objective(label=label, loss_weight=1.0) for name, label in objectives.items()}
    with pytest.raises(ConfigError, match=message):
        graph_of("asp_mtl_gender", settings.model_copy(update={"objectives": wrong}), model, labels)


def test_a_discriminator_bends():
    settings, model, labels = build("asp_mtl_gender")
    graph = graph_of("asp_mtl_gender", settings, model, labels)
    hidden = call(keras.Model(graph.input, {"hidden": graph.get_layer("adversary_hidden").output}))["hidden"]
    assert hidden.shape == (4, 64) and (hidden == 0).any() and (hidden >= 0).all()
