"""The front end of a model: read from its layers, and behind denoisers, in the graph and through an ONNX export."""

import typing

import keras
import numpy as np
import pytest

from serzoo import config, layers
from serzoo.errors import ConfigError, UnknownNameError
from serzoo.layers.front_end import DENOISERS, front_end_settings
from serzoo.schema import Frontend

RNG = np.random.default_rng(0)
WAVEFORM = (0.1 * RNG.standard_normal((2, 9001))).astype("float32")
INPUTS = {"waveform": WAVEFORM, "num_samples": np.array([9001, 6000], "int32")}
MEANT = {
    "spectral_subtraction": layers.SpectralSubtraction(),
    "wavelet_shrinkage": layers.WaveletShrinkage(threshold="bayes"),
    "wavelet_shrinkage_universal": layers.WaveletShrinkage(threshold="universal"),
}


def front_end(**arguments):
    waveform = keras.Input((None,), name="waveform")
    num_samples = keras.Input((), dtype="int32", name="num_samples")
    frontend = config.load("cnn_ablstm", {f"frontend.{key}": value for key, value in arguments.items()}).frontend
    x, n = layers.front_end(waveform, num_samples, **frontend.model_dump())
    return keras.Model({"waveform": waveform, "num_samples": num_samples}, {"x": x, "n": n})


@pytest.mark.parametrize("name", DENOISERS)
def test_the_waveform_passes_the_denoiser_first(name):
    model = front_end(denoise=name)
    clean = keras.ops.convert_to_numpy(MEANT[name](WAVEFORM, INPUTS["num_samples"]))
    expected = front_end().predict_on_batch(INPUTS | {"waveform": clean})
    for key, found in model.predict_on_batch(INPUTS).items():
        np.testing.assert_allclose(found, expected[key], atol=1e-4)
    assert model.get_layer("denoise").get_config() == MEANT[name].get_config() | {"name": "denoise"}
    assert np.abs(expected["x"] - front_end().predict_on_batch(INPUTS)["x"]).max() > 0.1


def test_the_config_knows_the_denoisers():
    choices = typing.get_args(Frontend.model_fields["denoise"].annotation)
    names = [name for choice in choices for name in typing.get_args(choice)]
    assert names == list(DENOISERS)
    assert config.load("cnn_ablstm").frontend.denoise is None
    with pytest.raises(ConfigError, match="frontend.denoise must be null, spectral_subtraction, .* Received: 'wiener'"):
        config.load("cnn_ablstm", {"frontend.denoise": "wiener"})


@pytest.mark.parametrize("standardize", typing.get_args(Frontend.model_fields["standardize"].annotation))
def test_what_a_model_was_given_is_read_from_its_layers(standardize):
    given = {"standardize": standardize, "num_mels": 40, "delta_width": 3}
    model = front_end(**given)
    settings = front_end_settings(model)
    assert {key: settings[key] for key in given} == given
    assert model.get_layer("standardize").active_db == (30.0 if standardize.endswith("active") else None)
    assert front_end_settings(keras.Sequential([keras.layers.Dense(1)])) == {}


def test_every_layer_gets_its_arguments():
    inputs = [keras.Input((None,)), keras.Input((), dtype="int32")]
    outputs = layers.front_end(
        *inputs,
        delta_width=2,
        standardize="utterance",
        denoise="spectral_subtraction",
        sample_rate_hz=8000,
        implementation="dft",
        spec_augment={"max_mels": 3},
        seed=7,
        max_hz=4000.0,
    )
    model = keras.Model(inputs, outputs)
    for name in ("denoise", "log_mel"):
        layer = model.get_layer(name)
        assert (layer.sample_rate_hz, layer.implementation) == (8000, "dft"), name
    masks = model.get_layer("spec_augment")
    assert (masks.max_mels, masks.seed) == (3, 7)


def test_names_that_do_not_exist():
    inputs = keras.Input((None,)), keras.Input((), dtype="int32")
    with pytest.raises(UnknownNameError, match="Unknown denoise 'wavelet'"):
        layers.front_end(*inputs, delta_width=2, standardize="utterance", denoise="wavelet")
    with pytest.raises(UnknownNameError, match="Unknown standardize 'batch'"):
        layers.front_end(*inputs, delta_width=2, standardize="batch")


def test_onnx_holds_the_denoisers(tmp_path):
    """In their ``dft`` form, with dynamic shapes, to the answers of the ``fft`` form."""
    runtime = pytest.importorskip("onnxruntime", reason="needs serzoo[onnx]")
    pytest.importorskip("tf2onnx", reason="needs serzoo[onnx]")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("exports are TensorFlow's")
    from serzoo.export import onnx

    inputs = {
        "waveform": keras.Input((None,), name="waveform"),
        "num_samples": keras.Input((), dtype="int32", name="num_samples"),
    }
    makers = {
        "subtracted": lambda implementation: layers.SpectralSubtraction(implementation=implementation),
        "bayes": lambda _: layers.WaveletShrinkage(),
        "universal": lambda _: layers.WaveletShrinkage(threshold="universal"),
    }
    networks = [
        keras.Model(inputs, {name: make(implementation)(*inputs.values()) for name, make in makers.items()})
        for implementation in ("dft", "fft")
    ]
    onnx._convert(networks[0], tmp_path / "denoisers.onnx")
    session = runtime.InferenceSession(str(tmp_path / "denoisers.onnx"), providers=["CPUExecutionProvider"])
    for samples in (9001, 700):
        batch = {"waveform": WAVEFORM[:, :samples], "num_samples": np.array([samples, 600], "int32")}
        expected = networks[1].predict_on_batch(batch)
        for name, found in zip(makers, session.run(list(makers), batch), strict=True):
            np.testing.assert_allclose(found, expected[name], atol=2e-6)
