"""What a recipe may change of the trunk, and the embedding against the layers that it stands for."""

import numpy as np
import pytest
from conformance import run_model_conformance
from keras import ops

from serzoo import building, layers
from serzoo import config as configs
from serzoo.errors import ConfigError

RNG = np.random.default_rng(0)
INPUTS = {
    "waveform": (0.1 * RNG.standard_normal((2, 6000))).astype("float32"),
    "num_samples": np.array([6000, 1600], "int32"),
}
HEADS = {"emotion": ["anger", "sadness"]}


def tiny(conv_filters=(4, 4, 4, 4, 4), **model):
    settings = {"conv_filters": list(conv_filters), "lstm_units": 3, "dropout": 0.3, **model}
    return building.build(configs.load("cnn_ablstm", {"model": settings, "frontend.num_mels": 16}), HEADS, seed=0)


def test_a_deeper_trunk_with_statistics_holds_what_models_hold():
    model = tiny((4, 4, 4, 4, 4, 5, 5), pooling="both")
    assert [layer.name for layer in model.layers if layer.name.startswith("conv")] == [f"conv{i}" for i in range(1, 8)]
    assert model.get_layer("embedding").output.shape == (None, 3 * 2 * 3)
    run_model_conformance(model, INPUTS)


@pytest.mark.parametrize("pooling", ["attention", "statistics"])
def test_the_embedding_is_that_of_its_pooling(pooling):
    import keras

    model = tiny(pooling=pooling)
    steps, told = keras.Model(
        model.input, [model.get_layer("blstm").output, model.get_layer("embedding").output]
    ).predict_on_batch(INPUTS)
    num_frames = 1 + (INPUTS["num_samples"] - 400) // 160
    num_steps = np.ceil(np.ceil(num_frames / 2) / 2).astype("int32")
    if pooling == "statistics":
        wanted = [
            np.concatenate([x[:n].mean(axis=0), x[:n].std(axis=0)]) for x, n in zip(steps, num_steps, strict=True)
        ]
    else:
        own = model.get_layer("attention")
        wanted = layers.AttentionPooling.call(own, ops.convert_to_tensor(steps), ops.convert_to_tensor(num_steps))
    np.testing.assert_allclose(told, np.asarray(wanted), atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"conv_filters": [4, 4, 4, 4]}, "five numbers of maps or more. Received: .4, 4, 4, 4."),
        ({"pooling": "max"}, "Unknown pooling 'max'.*Allowed: attention, both, statistics"),
    ],
)
def test_what_no_trunk_can_be(change, message):
    with pytest.raises(ConfigError, match=message):
        tiny(**change)
