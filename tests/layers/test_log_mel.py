"""LogMel against librosa on real speech, SciPy's Fourier transform and closed forms."""

import itertools
from types import SimpleNamespace

import keras
import librosa
import numpy as np
import pytest
import scipy.fft
import scipy.signal
import soundfile
from keras import ops

from serzoo.layers import LogMel, mel_filter_bank

EMOTIONS = ["anger", "happiness", "neutral", "sadness"]


def run(layer, waveform, num_samples=None):
    waveform = np.atleast_2d(np.asarray(waveform, "float32"))
    num_samples = [waveform.shape[1]] * len(waveform) if num_samples is None else num_samples
    x, n = layer(ops.convert_to_tensor(waveform), ops.convert_to_tensor(np.asarray(num_samples, "int32")))
    return ops.convert_to_numpy(x), ops.convert_to_numpy(n)


def librosa_log_mel(waveform, mel_scale, mel_norm, window, floor, num_mels=64, min_hz=50.0):
    power = librosa.feature.melspectrogram(
        y=np.asarray(waveform, "float64"),
        sr=16000,
        n_fft=512,
        hop_length=160,
        win_length=400,
        window=window,
        center=False,
        power=2.0,
        n_mels=num_mels,
        fmin=min_hz,
        fmax=8000.0,
        htk=mel_scale == "htk",
        norm=mel_norm,
        dtype=np.float64,
    )
    return np.log(np.maximum(power, floor)).T


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_librosa_on_speech(clips, emotion):
    waveform, rate = soundfile.read(clips[emotion], dtype="float32")
    assert rate == 16000
    kinds = itertools.product(["htk", "slaney"], [None, "slaney"], ["hamming", "hann"])
    for mel_scale, mel_norm, window in kinds:
        expected = librosa_log_mel(waveform, mel_scale, mel_norm, window, 1e-10)
        arguments = {"mel_scale": mel_scale, "mel_norm": mel_norm, "window": window}
        x, n = run(LogMel(**arguments), waveform)
        assert n[0] == len(expected)
        close(x[0], expected, exact=keras.backend.backend() == "tensorflow")
        x, _ = run(LogMel(**arguments, implementation="dft"), waveform)
        close(x[0], expected, exact=False)


def close(x, expected, exact):
    """Compare to 1e-4; in float32 the rounding of the loudest bins moves up to one value in 800 by more (measured)."""
    error = np.abs(x - expected)
    assert error.max() < (1e-4 if exact else 5e-4)
    assert np.mean(error > 1e-4) < 2e-3


def test_librosa_on_many_clips(shared_data):
    layer = LogMel(floor=1e-7, num_mels=40, min_hz=0.0)
    for path in sorted((shared_data / "EmoDB" / "wav").glob("*.wav"))[::40]:
        waveform, _ = soundfile.read(path, dtype="float32")
        expected = librosa_log_mel(waveform, "htk", None, "hamming", 1e-7, 40, 0.0)
        close(run(layer, waveform)[0][0], expected, exact=keras.backend.backend() == "tensorflow")


@pytest.mark.parametrize("scale", ["htk", "slaney"])
@pytest.mark.parametrize("norm", [None, "slaney"])
@pytest.mark.parametrize(
    ("rate", "size", "mels", "low", "high"), [(16000, 512, 64, 50, 8000), (8000, 256, 23, 0, 3500)]
)
def test_filters_against_librosa(scale, norm, rate, size, mels, low, high):
    expected = librosa.filters.mel(
        sr=rate, n_fft=size, n_mels=mels, fmin=low, fmax=high, htk=scale == "htk", norm=norm, dtype=np.float64
    )
    np.testing.assert_allclose(mel_filter_bank(rate, size, mels, low, high, scale, norm), expected.T, atol=1e-12)


def test_linear_filters_have_their_peaks_at_equal_distances():
    """50 to 7950 Hz in 78 bands: a peak every 100 Hz, which the bins of 1 Hz hit exactly."""
    filters = mel_filter_bank(16000, 16000, 78, 50.0, 7950.0, "linear")
    np.testing.assert_array_equal(filters.argmax(axis=0), np.arange(150, 7950, 100))
    np.testing.assert_allclose(filters.max(axis=0), 1.0)
    np.testing.assert_allclose(filters[150:7851].sum(axis=1), 1.0)  # each foot stands below the next peak


def test_literal_frames():
    """Odd sizes, frame by frame, with SciPy's window and Fourier transform."""
    rng = np.random.default_rng(0)
    waveform = rng.standard_normal(1003)
    layer = LogMel(
        sample_rate_hz=11025, window_ms=20.0, hop_ms=7.0, fft_size=300, num_mels=9, min_hz=100.0, max_hz=5000.0
    )
    x, n = run(layer, waveform)
    size, hop = round(0.020 * 11025), round(0.007 * 11025)  # 220 and 77 samples
    window = np.zeros(300)
    window[(300 - size) // 2 : (300 - size) // 2 + size] = scipy.signal.get_window("hamming", size)
    filters = mel_filter_bank(11025, 300, 9, 100.0, 5000.0)
    starts = range(0, len(waveform) - 300 + 1, hop)
    assert n[0] == x.shape[1] == len(starts)
    for i, start in enumerate(starts):
        power = np.abs(scipy.fft.rfft(waveform[start : start + 300] * window)) ** 2
        np.testing.assert_allclose(x[0, i], np.log(power @ filters), rtol=0, atol=1e-4)


def test_a_sine_has_its_energy_in_its_band():
    """Closed form: a sine of amplitude a on a bin has the power (a * sum(window) / 2) ** 2 there."""
    frequency = 64 * 16000 / 512
    x, _ = run(LogMel(window="hann", num_mels=64), 0.5 * np.sin(2 * np.pi * frequency * np.arange(16000) / 16000))
    spectrum = np.zeros(257)
    window = scipy.signal.get_window("hann", 400)
    for bin_ in range(257):  # the window's own transform, around the sine's bin
        response = np.sum(window * np.exp(-2j * np.pi * (bin_ - 64) / 512 * np.arange(400)))
        spectrum[bin_] = (0.25 * abs(response)) ** 2
    expected = np.log(np.maximum(spectrum @ mel_filter_bank(16000, 512, 64, 50.0, 8000.0), 1e-10))
    strong = expected > expected.max() - 5
    np.testing.assert_allclose(x[0, 3][strong], expected[strong], atol=2e-3)
    assert x[0, 3].argmax() == expected.argmax()


@pytest.mark.parametrize("implementation", ["fft", "dft"])
def test_silence_and_short_clips(implementation):
    layer = LogMel(floor=1e-7, implementation=implementation)
    waveform = np.zeros((3, 700), "float32")
    waveform[1] = 1.0
    x, n = run(layer, waveform, [700, 1, 0])
    assert n.tolist() == [2, 1, 1]
    assert x.shape == (3, 2, 64)
    np.testing.assert_allclose(x[0], np.log(1e-7), rtol=1e-6)
    assert np.isfinite(x).all()
    assert not x[1:, 1:].any()
    np.testing.assert_allclose(run(layer, waveform[1:2, :1])[0][0], x[1, :1], atol=1e-5)


@pytest.mark.parametrize(("samples", "frames"), [(1, 1), (511, 1), (512, 1), (671, 1), (672, 2), (48000, 297)])
def test_number_of_frames(samples, frames):
    x, n = run(LogMel(), np.ones(samples))
    assert x.shape[1] == n[0] == frames
    assert LogMel().compute_output_shape((None, samples), (None,))[0] == (None, frames, 64)


def test_lengths_beyond_the_array_are_cut():
    assert run(LogMel(), np.ones(1000), [5000])[1].tolist() == [4]


def test_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        layer = LogMel()
    finally:
        keras.config.set_dtype_policy("float32")
    waveform = np.random.default_rng(0).standard_normal(4000)
    x, _ = run(layer, waveform)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, run(LogMel(), waveform)[0])


def test_beside_a_gpu_tensorflow_does_not_compile_anew_for_every_length(monkeypatch):
    backend = keras.backend.backend()
    if backend == "tensorflow":
        gpu = SimpleNamespace(device_type="GPU")
        monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda *_: [gpu])
    waveform, num_samples = keras.Input((None,)), keras.Input((), dtype="int32")
    assert keras.Model(waveform, keras.layers.Dense(2)(waveform[..., None])).jit_compile
    assert keras.Model([waveform, num_samples], LogMel()(waveform, num_samples)).jit_compile == (backend == "jax")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mel_scale": "bark"}, "mel_scale must be one of .*'bark'"),
        ({"mel_norm": "area"}, "mel_norm"),
        ({"window": "kaiser"}, "window must be"),
        ({"implementation": "stft"}, "implementation"),
        ({"window_ms": 40.0}, "1 to 512 samples.*Received: 640"),
        ({"hop_ms": -10.0}, "hop_ms must be > 0. Received: -10.0"),
        ({"hop_ms": 0.01}, "at least one sample"),
        ({"max_hz": 9000.0}, "max_hz=9000.0"),
        ({"min_hz": 8000.0}, "min_hz=8000.0"),
        ({"floor": 0.0}, "floor must be > 0"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        LogMel(**arguments)
