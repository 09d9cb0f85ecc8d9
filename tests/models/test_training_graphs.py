"""What models add for their training alone: outputs for every objective, each of which teaches what it should."""

import keras
import numpy as np
import pytest

from serzoo import building, registry
from serzoo import config as configs
from serzoo.errors import ConfigError
from serzoo.training import fit as fitting
from serzoo.training.checks import check_model
from serzoo.training.graph import augmented
from serzoo.training.layerwise import LayerwiseAdamW, layer_shares
from serzoo.training.watch import Watch

RNG = np.random.default_rng(5)
SMALL = {"model.stem_filters": [4, 4], "model.conv_filters": [4, 4, 4], "model.lstm_units": 4}
TINY = {
    "aae_mtl": SMALL | {"model.latent_size": 3},
    "bert_mtl": {"model.width": 8, "model.num_blocks": 2, "model.num_heads": 2, "model.units": 8},
    "bidann": SMALL,
    "dstl": SMALL | {"model.common_size": 2},
    "mtl_aug": SMALL,
}
LABELS = {
    "emotion": ["anger", "fear", "sadness"],
    "gender": ["female", "male"],
    "speaker": ["a 1", "a 2", "b 1"],
    "stream": ["emotion", "target"],
    "augmentation": ["none", "speed", "mixup", "noise"],
}
MASKED = {"masked_prediction": {"label": None, "loss_weight": 1.0}}
BATCH = 6


def tiny(name, **overrides):
    return configs.load(name, TINY[name] | {"frontend.num_mels": 16, "training.batch_size": BATCH} | overrides)


def wrapped(name, **overrides):
    config = tiny(name, **overrides)
    model = building.build(config, {task: LABELS[task] for task in config.heads}, seed=0)
    trained = registry.training_graph(name)(model, config, LABELS, 10, 0)
    wrapper = fitting.compiled(fitting.augmented(trained, config, 0), config, 1, 10, layer_shares(model, config))
    wrapper.run_eagerly = True  # one step is sooner taken than compiled
    return config, model, wrapper


def graph_of(name, **overrides):
    config = tiny(name, **overrides)
    model = building.build(config, {task: LABELS[task] for task in config.heads}, seed=0)
    return registry.training_graph(name)(model, config, LABELS, 10, 0)


def batch(config, wrapper):
    inputs = {
        "waveform": (0.1 * RNG.standard_normal((BATCH, 6000))).astype("float32"),
        "num_samples": np.array([6000, 5000, 1600] * 2, "int32"),
        "partner": np.arange(BATCH, dtype="int32"),
        "weight": np.ones(BATCH, "float32"),
        "augmentation": np.arange(BATCH, dtype="int32") % 4,
    }
    answers = {
        name: np.eye(len(LABELS[label]), dtype="float32")[np.arange(BATCH) % len(LABELS[label])]
        if label
        else np.zeros((BATCH, 1), "float32")
        for name, label in config.labels.items()
    }
    return {name: inputs[name] for name in wrapper.input}, answers


@pytest.mark.parametrize("name", TINY)
def test_a_step_trains_heads_and_objectives(name):
    config, model, wrapper = wrapped(name, **({"objectives": MASKED} if name == "bert_mtl" else {}))
    assert set(wrapper.output) == set(config.labels) and config.objectives
    inside = {id(variable) for variable in model.variables}
    assert inside <= {id(variable) for variable in wrapper.variables} and len(wrapper.variables) > len(inside)
    before = [np.array(variable) for variable in wrapper.trainable_variables]
    told = wrapper.train_on_batch(*batch(config, wrapper), return_dict=True)
    assert all(np.isfinite(value) for value in told.values())
    assert {f"{each}_loss" for each in config.labels} <= set(told)
    still = [
        variable.path
        for old, variable in zip(before, wrapper.trainable_variables, strict=True)
        if np.array_equal(old, variable)
    ]
    # The reversals are closed at the first step, and the map of dstl stands still where the domains are one.
    assert not still, still


def test_an_objective_that_a_model_does_not_know_is_named():
    with pytest.raises(ConfigError, match="objectives must be among augmentation, reconstruction. Received: contrast"):
        wrapped("mtl_aug", objectives={"contrast": {"label": None, "loss_weight": 1.0}})


@pytest.mark.parametrize(
    ("name", "objective", "label", "message"),
    [
        ("bidann", "domain", None, "objectives.domain.label must be the name of a label. Received: None"),
        ("mtl_aug", "augmentation", None, "objectives.augmentation.label must be the name of a label"),
        ("aae_mtl", "prior", "gender", "objectives.prior.label must be null: it is a loss of its own"),
        ("bert_mtl", "masked_prediction", "gender", "objectives.masked_prediction.label must be null"),
    ],
)
def test_an_objective_with_a_label_of_the_wrong_kind_is_named(name, objective, label, message):
    with pytest.raises(ConfigError, match=message):
        graph_of(name, objectives={objective: {"label": label, "loss_weight": 1.0}})


@pytest.mark.parametrize(("name", "objective"), [("mtl_aug", "augmentation"), ("aae_mtl", "speaker")])
def test_an_objective_tells_the_label_that_it_is_given(name, objective):
    graph = graph_of(name, objectives={objective: {"label": "gender", "loss_weight": 1.0}})
    assert graph.output[objective].shape == (None, len(LABELS["gender"]))


@pytest.mark.parametrize(
    "streams", [{}, {"target": 0.5, "emotion": 0.5}, {"emotion": 1.0, "gender": 1.0, "target": 1.0}]
)
def test_dstl_compares_the_source_with_the_target_and_nothing_else(streams):
    with pytest.raises(ConfigError, match="dstl: streams must be emotion and target, in this order"):
        graph_of("dstl", streams=streams)
    kept = {"kept": {"label": None, "loss_weight": 1.0}}
    assert set(graph_of("dstl", streams=streams, objectives=kept).output) == {"emotion", "kept"}


def test_the_log_tells_lambda_of_every_adversary():
    for name, wanted in (("aae_mtl", {"prior"}), ("bidann", {"domain", "domain_low", "domain_high"})):
        graph = graph_of(name)
        assert set(Watch(graph, graph, [], {}).columns()) == {f"{adversary}_lambda" for adversary in wanted}


def test_losses_are_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        graphs = {name: graph_of(name) for name in TINY}
    finally:
        keras.config.set_dtype_policy("float32")
    for name, graph in graphs.items():
        assert {output.dtype for output in graph.output.values()} == {"float32"}, name


def test_what_a_section_leaves_out_is_the_builders_own():
    graph = graph_of("dstl", model={"lstm_units": 4, "common_size": 2, "conv_filters": [4, 4, 4]})
    assert graph.get_layer("map").ridge == 1e-2
    graph = graph_of("bert_mtl", model={"width": 8, "num_heads": 2, "units": 8}, objectives=MASKED)
    assert graph.get_layer("prediction_hidden").input is graph.get_layer("block4").output


def test_dstl_reads_the_source_through_its_map_and_judges_without():
    config, model, wrapper = wrapped("dstl")
    trained = next(layer for layer in wrapper.layers if layer.name == "training_graph")
    inputs, _ = batch(config, wrapper)
    clips = {key: inputs[key] for key in ("waveform", "num_samples")}
    assert np.allclose(trained.predict_on_batch(clips)["emotion"], model.predict_on_batch(clips)["emotion"], atol=1e-5)
    matrix = trained.get_layer("map").matrix
    matrix.assign(0.5 * RNG.standard_normal(matrix.shape))
    read = keras.Model(model.input, dict(zip("cr", model.get_layer("subspace").output, strict=True)))
    parts = read.predict_on_batch(clips)
    kernel, bias = (np.asarray(weight) for weight in model.get_layer("emotion").get_weights())
    scores = np.concatenate([parts["c"], parts["r"] + parts["r"] @ np.asarray(matrix)], axis=1) @ kernel + bias
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    mapped = trained.predict_on_batch(clips)["emotion"]
    np.testing.assert_allclose(mapped, odds / odds.sum(axis=1, keepdims=True), atol=1e-5)
    assert not np.allclose(mapped, model.predict_on_batch(clips)["emotion"], atol=1e-3)


def test_hidden_steps_are_drawn_from_what_is_not_hidden():
    """Masked prediction falls on sounds that can be told from their neighbours, and leaves the heads as they are."""
    config = tiny("bert_mtl", objectives=MASKED, **{"model.mask_share": 0.4, "model.mask_span": 2})
    config = config.model_copy(update={"heads": {}})
    model = building.build(config, {"emotion": LABELS["emotion"]}, seed=0)
    trained = registry.training_graph("bert_mtl")(model, config, LABELS, 10, 0)
    trained.compile(keras.optimizers.Adam(5e-3), {"masked_prediction": lambda y_true, y_pred: y_pred})
    pulse = np.sin(np.arange(16000) * 0.05) * (np.arange(16000) // 4000 % 2)
    inputs = {"waveform": np.stack([pulse, pulse[::-1]]).astype("float32"), "num_samples": np.full(2, 16000, "int32")}
    head = [np.array(weight) for weight in model.get_layer("emotion").get_weights()]
    losses = [trained.train_on_batch(inputs, {"masked_prediction": np.zeros(2)}) for _ in range(40)]
    assert np.mean(losses[-8:]) < 0.8 * np.mean(losses[:4])
    for old, new in zip(head, model.get_layer("emotion").get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


# --- layer-wise learning rates --------------------------------------------------------------------------------------


def test_shares_of_the_rate_fall_with_the_depth():
    config = tiny("bert_mtl", **{"training.layer_decay": 0.5})
    model = building.build(config, {task: LABELS[task] for task in config.heads}, seed=0)
    shares = layer_shares(model, config)
    told = {name: {shares.get(v.path, 1.0) for v in model.get_layer(name).trainable_variables} for name in _NAMES}
    assert told == {"projection": {0.125}, "block1": {0.25}, "block2": {0.5}, "norm": {1.0}, "emotion": {1.0}}
    assert layer_shares(model, tiny("bert_mtl", **{"training.layer_decay": 1.0})) == {}
    with pytest.raises(ConfigError, match="aae_mtl has no blocks: training.layer_decay must be 1.0"):
        layer_shares(model, tiny("aae_mtl", **{"training.layer_decay": 0.5}))


_NAMES = ("projection", "block1", "block2", "norm", "emotion")


def test_the_first_step_of_adam_is_the_rate_times_the_share():
    slow, fast = keras.Variable(np.ones(3, "float32"), name="slow"), keras.Variable(np.ones(3, "float32"), name="fast")
    optimizer = LayerwiseAdamW(0.1, shares={slow.path: 0.25}, weight_decay=0.0)
    optimizer.build([slow, fast])
    gradients = [keras.ops.convert_to_tensor(np.array([5.0, -1.0, 0.5], "float32"))] * 2
    optimizer.apply(gradients, [slow, fast])
    step = 0.1 * np.array([1, -1, 1])
    np.testing.assert_allclose(np.asarray(fast), 1 - step, atol=1e-5)
    np.testing.assert_allclose(np.asarray(slow), 1 - 0.25 * step, atol=1e-5)


# --- types of augmentation ------------------------------------------------------------------------------------------


def test_each_clip_goes_through_the_type_that_it_is_told_to_be():
    config = tiny("mtl_aug", **{"augmentation.gain_db": [0.0, 0.0], "augmentation.speed": [1.2, 1.2]})
    waveform, num_samples = keras.Input((None,), name="waveform"), keras.Input((), dtype="int32", name="num_samples")
    echo = keras.Model(
        {"waveform": waveform, "num_samples": num_samples},
        {"heard": keras.layers.Identity()(waveform), "n": keras.layers.Identity()(num_samples)},
    )
    wrapper = fitting.augmented(echo, config, seed=0)
    x = (0.1 * RNG.standard_normal((BATCH, 4000))).astype("float32")
    n = np.full(BATCH, 4000, "int32")
    inputs = {"waveform": x, "num_samples": n, "partner": np.roll(np.arange(BATCH), 1).astype("int32")}
    inputs |= {
        "weight": np.array([1, 1, 0.3, 1, 1, 1], "float32"),
        "augmentation": np.array([0, 1, 2, 3, 0, 3], "int32"),
    }
    told = {name: np.asarray(value) for name, value in wrapper(inputs, training=True).items()}
    same = [np.allclose(a, b, atol=1e-6) for a, b in zip(told["heard"], x, strict=True)]
    assert same == [True, False, False, False, True, False]
    assert told["n"].tolist() == [4000, 1 + int(3999 / 1.2), 4000, 4000, 4000, 4000]
    noise = told["heard"][[3, 5]] - x[[3, 5]]
    snr_db = 10 * np.log10((x[[3, 5]] ** 2).mean(axis=1) / (noise**2).mean(axis=1))
    low, high = config.augmentation.noise_snr_db
    assert ((low - 0.1 < snr_db) & (snr_db < high + 0.1)).all()


# --- what cannot be trained is told before a clip is decoded --------------------------------------------------------

AROUSAL = {"loss_weight": 0.5, "scale": [1.0, 5.0]}
EMOTION = {"loss_weight": 1.0}


@pytest.mark.parametrize(
    "name, overrides, message",
    [
        ("asp_mtl_gender", {"heads": {"emotion": EMOTION}}, "asp_mtl_gender needs a head 'gender'. Received: emotion"),
        (
            "asp_mtl_noise",
            {"heads": {"emotion": EMOTION, "noise": EMOTION, "arousal": AROUSAL}},
            "asp_mtl_noise has no place for the heads arousal",
        ),
        ("asp_mtl_noise", {"model.segment_s": 0.512}, "segment_samples must be a multiple of 320. Received: 8192"),
        (
            "cnn_ablstm",
            {"objectives": {"a": {"label": "gender", "loss_weight": 1.0}}},
            "cnn_ablstm takes no objectives",
        ),
        ("cnn_ablstm", {"training.layer_decay": 0.5}, "cnn_ablstm has no blocks"),
    ],
)
def test_what_does_not_fit_is_told_at_once(name, overrides, message):
    with pytest.raises(ConfigError, match=message):
        check_model(configs.load(name, overrides), ["anger", "fear"])


def test_noise_may_be_recognised_by_clip():
    config = configs.load("cnn_ablstm", {"heads": {"emotion": EMOTION, "noise": {"loss_weight": 0.3}}})
    model = building.build(config, {"emotion": ["anger", "fear"], "noise": ["rain", "clean", "noise_alone"]}, seed=0)
    wrapper = augmented(model, config, 0, recorded_noise=True)
    assert tuple(wrapper.output["noise"].shape) == (None, 3)
