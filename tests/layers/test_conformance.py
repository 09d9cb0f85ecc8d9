"""Every layer of serzoo keeps what the conformance runners ask."""

import keras
import numpy as np
import pytest
from conformance import check_batch_invariance, check_padding_invariance, run_layer_conformance

from serzoo import layers

RNG = np.random.default_rng(1)
WAVEFORM = (0.1 * RNG.standard_normal((3, 2000))).astype("float32")
NUM_SAMPLES = np.array([2000, 300, 1111], "int32")
SPECTROGRAM = RNG.standard_normal((3, 21, 8, 3)).astype("float32")
SEQUENCE = RNG.standard_normal((3, 21, 6)).astype("float32")
NUM_FRAMES = np.array([21, 1, 14], "int32")

WAVEFORM_LAYERS = {
    "log_mel": (lambda: layers.LogMel(num_mels=20), True),
    "log_mel_dft": (lambda: layers.LogMel(num_mels=20, implementation="dft", mel_scale="slaney"), True),
    "spectral_subtraction": (lambda: layers.SpectralSubtraction(), True),
    "spectral_subtraction_dft": (lambda: layers.SpectralSubtraction(frame_size=128, implementation="dft"), True),
    "wavelet_shrinkage": (lambda: layers.WaveletShrinkage(), True),
    "wavelet_shrinkage_universal": (lambda: layers.WaveletShrinkage("db4", 4, "universal"), True),
    "random_speed": (lambda: layers.RandomSpeed(seed=1), False),
    "random_noise": (lambda: layers.RandomNoise(seed=1), False),
    "random_silence": (lambda: layers.RandomSilence(seed=1), False),
}
SPECTROGRAM_LAYERS = {
    "standardize": lambda: layers.Standardize(),
    "standardize_all": lambda: layers.Standardize(axes="all"),
    "standardize_global": lambda: adapted(layers.Standardize(mode="global")),
    "frame_batch_normalization": lambda: layers.FrameBatchNormalization(),
    "conv": lambda: layers.ConvBlock(4, 3),
    "conv_stride": lambda: layers.ConvBlock(4, 5, strides=2, dropout=0.1),
    "conv_pool": lambda: layers.ConvBlock(4, (5, 3), pool_size=2),
    "conv_pool_3": lambda: layers.ConvBlock(4, 3, strides=(1, 2), pool_size=(3, 2), activation="gelu"),
    "conv_negative": lambda: layers.ConvBlock(4, 1, strides=2, pool_size=(2, 1), activation="sigmoid"),
}
SEQUENCE_LAYERS = {
    "deltas": lambda: layers.Deltas(),
    "deltas_3": lambda: layers.Deltas(width=3),
    "bidirectional_lstm": lambda: layers.BidirectionalLSTM(5, dropout=0.1),
    "attention_pooling": lambda: layers.AttentionPooling(),
    "attention_pooling_units": lambda: layers.AttentionPooling(units=4),
}


def adapted(layer):
    layer.adapt([SPECTROGRAM[0], 2.0 + SPECTROGRAM[1]])
    return layer


@pytest.mark.parametrize("name", WAVEFORM_LAYERS)
def test_waveform_layer(name):
    make, zero_padding = WAVEFORM_LAYERS[name]
    run_layer_conformance(make(), WAVEFORM, NUM_SAMPLES, zero_padding=zero_padding)


@pytest.mark.parametrize("name", SPECTROGRAM_LAYERS)
def test_spectrogram_layer(name):
    run_layer_conformance(SPECTROGRAM_LAYERS[name](), SPECTROGRAM, NUM_FRAMES)


@pytest.mark.parametrize("name", SEQUENCE_LAYERS)
def test_sequence_layer(name):
    run_layer_conformance(SEQUENCE_LAYERS[name](), SEQUENCE, NUM_FRAMES)


def test_spec_augment():
    run_layer_conformance(layers.SpecAugment(seed=1), SPECTROGRAM, NUM_FRAMES, zero_padding=False)


def test_mixup():
    partner, weight = np.array([0, 0, 0], "int32"), np.array([0.5, 0.5, 0.5], "float32")
    run_layer_conformance(layers.Mixup(), WAVEFORM, NUM_SAMPLES, partner, weight, zero_padding=False)


def test_random_gain():
    run_layer_conformance(layers.RandomGain(seed=1), WAVEFORM, None)


@pytest.mark.parametrize("ramp_steps", [None, 10])
def test_gradient_reversal(ramp_steps):
    run_layer_conformance(layers.GradientReversal(0.3, ramp_steps), SEQUENCE, None)


# The runners must be able to fail: each of these layers breaks one rule.
def test_the_runner_sees_a_mean_over_the_batch():
    with pytest.raises(AssertionError, match="beside others"):
        check_batch_invariance(lambda inputs: inputs["x"] - inputs["x"].mean(), {"x": SEQUENCE})


def test_the_runner_sees_a_mean_over_the_padding():
    inputs = {"x": SEQUENCE, "lengths": NUM_FRAMES}
    with pytest.raises(AssertionError, match="Not equal"):
        check_padding_invariance(lambda inputs: inputs["x"].mean(axis=1), inputs, "x", "lengths")


def test_the_runner_sees_padding_that_is_left():
    inputs = {"x": SEQUENCE, "lengths": NUM_FRAMES}
    with pytest.raises(AssertionError, match="padding is not zero"):
        check_padding_invariance(lambda inputs: inputs["x"], inputs, "x", "lengths")


def test_the_runner_sees_a_stride_that_shifts_with_the_length():
    same = keras.layers.Conv1D(3, 3, strides=2, padding="same")
    inputs = {"x": SEQUENCE, "lengths": NUM_FRAMES}

    def call(inputs):
        mask = np.arange(inputs["x"].shape[1]) < inputs["lengths"][:, None]
        return same(inputs["x"] * mask[..., None].astype("float32"))

    with pytest.raises(AssertionError):
        check_padding_invariance(call, inputs, "x", "lengths", zero_padding=False)


def test_standardize_active_conformance():
    run_layer_conformance(layers.Standardize(active_db=30.0), SPECTROGRAM, NUM_FRAMES)


ARGUMENTS = {
    layers.LogMel: {
        "sample_rate_hz": 8000,
        "window_ms": 20.0,
        "hop_ms": 8.0,
        "fft_size": 256,
        "num_mels": 20,
        "min_hz": 100.0,
        "max_hz": 3500.0,
        "mel_scale": "slaney",
        "mel_norm": "slaney",
        "window": "hann",
        "floor": 1e-7,
        "implementation": "dft",
    },
    layers.Standardize: {"mode": "utterance", "axes": "all", "active_db": 20.0, "epsilon": 0.1},
    layers.Deltas: {"width": 3},
    layers.GradientReversal: {"initial_lambda": 0.5, "ramp_steps": 7, "gamma": 5.0},
    layers.FrameBatchNormalization: {"momentum": 0.5, "epsilon": 0.1},
    layers.MixAtSNR: {"range_db": 20.0},
    layers.AttentionPooling: {"units": 3},
}


@pytest.mark.parametrize("kind", ARGUMENTS, ids=lambda kind: kind.__name__)
def test_a_config_holds_what_was_given(kind):
    config = kind(**ARGUMENTS[kind]).get_config()
    assert {name: config[name] for name in ARGUMENTS[kind]} == ARGUMENTS[kind]
