"""SpectralSubtraction against SciPy's STFT with a literal Berouti, closed forms, and real speech in noise."""

import numpy as np
import pytest
import scipy.signal
import soundfile
from gradients import gradient
from keras import ops
from noisy_speech import denoised, hum, mixed, segmental_snr_db

from serzoo.layers import SpectralSubtraction


@pytest.fixture(scope="module")
def speech(clips):
    return [soundfile.read(path, dtype="float32")[0] for path in clips.values()]


def berouti(waveform, smoothing=11, minimum=93, bias=2.1, floor=0.02):
    """Frame by frame, with SciPy's STFT and its inverse; times in frames, as many before as after."""
    options = {"window": np.sqrt(scipy.signal.get_window("hann", 512)), "nperseg": 512, "noverlap": 256}
    _, _, spectrum = scipy.signal.stft(np.asarray(waveform, "float64"), boundary="zeros", padded=True, **options)
    power = (np.abs(spectrum) ** 2).T  # (frames, bins)
    whole = [i for i in range(len(power)) if i >= 1 and (i + 1) * 256 <= len(waveform)]
    smooth = {i: np.mean([power[j] for j in whole if abs(i - j) <= smoothing // 2], axis=0) for i in whole}
    kept = np.array(power)
    for i in range(len(power)):
        near = [smooth[j] for j in whole if abs(i - j) <= minimum // 2]
        noise = bias * np.min(near, axis=0)
        snr_db = np.clip(10 * np.log10(power[i].sum() / noise.sum()), -5, 20)
        for k in range(len(noise)):
            left = power[i, k] - (4 - 3 / 20 * snr_db) * noise[k]
            left = left if left > floor * noise[k] else floor * noise[k]
            kept[i, k] = min(left, power[i, k])
    gain = np.sqrt(np.divide(kept, power, out=np.ones_like(power), where=power > 0)).T
    return scipy.signal.istft(gain * spectrum, boundary=True, **options)[1][: len(waveform)]


@pytest.mark.parametrize("implementation", ["fft", "dft"])
def test_scipy_on_noisy_speech(speech, implementation):
    rng = np.random.default_rng(0)
    noisy = [mixed(clip, hum(len(clip), rng), snr_db) for clip, snr_db in zip(speech, (20, 10, 0, -5), strict=True)]
    for clip, heard in zip(noisy, denoised(SpectralSubtraction(implementation=implementation), *noisy), strict=True):
        np.testing.assert_allclose(heard, berouti(clip), rtol=0, atol=1e-5 * np.abs(clip).max())


def test_nothing_to_subtract_comes_back_as_it_was():
    """Closed form: a clip without a whole frame, and one with a silent stretch, have no noise; windows sum to one."""
    rng = np.random.default_rng(0)
    pause = rng.standard_normal(9000).astype("float32")
    pause[4000:8000] = 0  # longer than smoothing and a frame, shorter than the time in which noise shows itself
    short = rng.standard_normal(511).astype("float32")
    for clip, heard in zip((pause, short), denoised(SpectralSubtraction(), pause, short), strict=True):
        np.testing.assert_allclose(heard, clip, atol=2e-6)


def test_the_estimate_of_white_noise_is_its_power():
    layer = SpectralSubtraction()
    noise = np.random.default_rng(0).standard_normal((4, 48000)).astype("float32")
    layer.build(noise.shape, (4,))
    real, imag = layer._analyse(ops.convert_to_tensor(noise))
    found = layer._noise(ops.square(real) + ops.square(imag), ops.full((4,), 48000, "int32"))
    # A window whose squares sum to 256 gives each frequency 256 times the variance.
    np.testing.assert_allclose(np.mean(ops.convert_to_numpy(found)[:, :, 1:-1]), 256, rtol=0.03)


def test_steady_noise_falls_by_the_floor():
    """White noise alone: almost all goes; digital silence stays silent."""
    noise = np.random.default_rng(0).standard_normal(48000).astype("float32")
    silence = np.zeros(48000, "float32")
    heard, nothing = denoised(SpectralSubtraction(), noise, silence)
    assert np.mean(heard**2) < 0.05 * np.mean(noise**2)
    assert not nothing.any()
    louder, _ = denoised(SpectralSubtraction(floor=0.1), noise, silence)
    assert np.mean(heard**2) < np.mean(louder**2)


def test_the_scale_of_a_clip_does_not_matter(speech):
    noisy = mixed(speech[0], hum(len(speech[0]), np.random.default_rng(0)), 5)
    loud, quiet = denoised(SpectralSubtraction(), 100 * noisy, noisy / 100)
    np.testing.assert_allclose(loud / 100, 100 * quiet, atol=1e-5)


@pytest.mark.parametrize(("snr_db", "least"), [(0, 4.0), (10, 3.0)])
def test_steady_noise_in_speech_improves(speech, snr_db, least):
    rng = np.random.default_rng(0)
    for make in (lambda samples, rng: rng.standard_normal(samples), hum):
        noisy = [mixed(clip, make(len(clip), rng), snr_db) for clip in speech]
        after = denoised(SpectralSubtraction(), *noisy)
        gains = [segmental_snr_db(c, a) - segmental_snr_db(c, n) for c, n, a in zip(speech, noisy, after, strict=True)]
        assert np.mean(gains) > least and min(gains) > 0


def test_clean_speech_changes_little(speech):
    for clip, heard in zip(speech, denoised(SpectralSubtraction(), *speech), strict=True):
        assert segmental_snr_db(clip, heard) > 20


def test_batch_padding_and_implementation_on_speech(speech):
    """Each clip alone, in a batch beside longer ones, and by the other implementation."""
    together = denoised(SpectralSubtraction(), *speech)
    for clip, heard, dft in zip(
        speech, together, denoised(SpectralSubtraction(implementation="dft"), *speech), strict=True
    ):
        np.testing.assert_allclose(denoised(SpectralSubtraction(), clip)[0], heard, atol=1e-6)
        np.testing.assert_allclose(dft, heard, atol=1e-5)


def test_gradients_are_finite():
    layer, n = SpectralSubtraction(), ops.convert_to_tensor(np.array([5500], "int32"))
    x = np.r_[np.zeros(2000), np.random.default_rng(0).standard_normal(4000)][None].astype("float32")
    assert np.isfinite(gradient(lambda x: ops.sum(ops.square(layer(x, n))), x)).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frame_size": 511}, "frame_size must be even and > 0. Received: 511"),
        ({"frame_size": 0}, "frame_size"),
        ({"floor": -0.1}, r"floor must be in \[0, 1\]. Received: -0.1"),
        ({"floor": 2.0}, "floor"),
        ({"smoothing_ms": 0.0}, "smoothing_ms must be > 0"),
        ({"minimum_ms": -1.0}, "minimum_ms must be > 0. Received: -1.0"),
        ({"bias": 0.0}, "bias"),
        ({"sample_rate_hz": 0}, "sample_rate_hz"),
        ({"implementation": "stft"}, "implementation must be one of .*'stft'"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        SpectralSubtraction(**arguments)
