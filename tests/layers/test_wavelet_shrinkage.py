"""WaveletShrinkage against PyWavelets, closed forms, and real speech in noise."""

import numpy as np
import pytest
import pywt
import soundfile
from keras import ops
from noisy_speech import denoised, hum, mixed, segmental_snr_db

from serzoo.layers import WaveletShrinkage
from serzoo.layers.wavelet_shrinkage import daubechies, masked_median


@pytest.fixture(scope="module")
def speech(clips):
    return [soundfile.read(path, dtype="float32")[0] for path in clips.values()]


def shrunk(waveform, wavelet="db8", levels=5, threshold="bayes"):
    """Denoise with PyWavelets."""
    bands = pywt.wavedec(np.asarray(waveform, "float64"), wavelet, mode="zero", level=levels)
    sigma = np.median(np.abs(bands[-1])) / 0.6745
    for i in range(1, len(bands)):
        if threshold == "universal":
            limit = sigma * np.sqrt(2 * np.log(len(waveform)))
        else:
            excess = np.mean(bands[i] ** 2) - sigma**2
            limit = sigma**2 / np.sqrt(excess) if excess > 0 else np.abs(bands[i]).max()
        bands[i] = pywt.threshold(bands[i], limit, "soft")
    return pywt.waverec(bands, wavelet, mode="zero")[: len(waveform)]


@pytest.mark.parametrize("threshold", ["bayes", "universal"])
@pytest.mark.parametrize(("wavelet", "levels"), [("db8", 5), ("db4", 4)])
def test_pywavelets_on_noisy_speech(speech, wavelet, levels, threshold):
    rng = np.random.default_rng(0)
    noisy = [
        mixed(clip, rng.standard_normal(len(clip)), snr_db)
        for clip, snr_db in zip(speech, (20, 10, 0, -5), strict=True)
    ]
    for clip, heard in zip(noisy, denoised(WaveletShrinkage(wavelet, levels, threshold), *noisy), strict=True):
        expected = shrunk(clip, wavelet, levels, threshold)
        np.testing.assert_allclose(heard, expected, rtol=0, atol=1e-5 * np.abs(clip).max())


@pytest.mark.parametrize("moments", range(1, 11))
def test_filters_against_pywavelets(moments):
    np.testing.assert_allclose(daubechies(moments), pywt.Wavelet(f"db{moments}").rec_lo, atol=1e-12)


@pytest.mark.parametrize("wavelet", ["db2", "db8"])
@pytest.mark.parametrize("samples", [1, 15, 16, 1000, 1001])
def test_coefficients_and_reconstruction(wavelet, samples):
    x = np.random.default_rng(0).standard_normal((2, samples)).astype("float32")
    layer = WaveletShrinkage(wavelet)
    layer.build(x.shape, (2,))
    low, high = layer._split(ops.convert_to_tensor(x))
    for found, expected in zip((low, high), pywt.dwt(x.astype("float64"), wavelet, "zero"), strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(found), expected, atol=2e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(layer._joined(low, high))[:, :samples], x, atol=2e-6)


def test_what_has_no_noise_comes_back_as_it_was():
    """Closed form: more than half of the finest details are zero, so the deviation is, and nothing shrinks."""
    clip = np.zeros(8000, "float32")
    clip[5000:6000] = np.random.default_rng(0).standard_normal(1000)
    for threshold in ("bayes", "universal"):
        np.testing.assert_allclose(denoised(WaveletShrinkage(threshold=threshold), clip)[0], clip, atol=1e-5)
        assert not denoised(WaveletShrinkage(threshold=threshold), np.zeros(4000, "float32"))[0].any()


def test_white_noise_vanishes_but_in_the_coarsest_band():
    """Five halvings leave a 32nd of the power; what remains of the details is the share above the threshold."""
    noise = np.random.default_rng(0).standard_normal(64000).astype("float32")
    heard = denoised(WaveletShrinkage(threshold="universal"), noise)[0]
    np.testing.assert_allclose(np.mean(heard**2), 1 / 32, rtol=0.15)


@pytest.mark.parametrize("size", [1, 2, 7, 8])
def test_masked_median(size):
    rows = np.abs(np.random.default_rng(0).standard_normal((3, 9))).astype("float32")
    lengths = np.array([size, 0, 9], "int32")
    found = masked_median(ops.convert_to_tensor(rows), ops.convert_to_tensor(lengths))
    expected = [np.median(rows[0, :size]), 0.0, np.median(rows[2])]
    np.testing.assert_allclose(ops.convert_to_numpy(found), expected, rtol=1e-6)


def test_white_noise_in_speech_improves(speech):
    rng = np.random.default_rng(0)
    for threshold, snr_db, least in (("bayes", 0, 5.0), ("bayes", 10, 3.0), ("universal", 0, 2.5)):
        noisy = [mixed(clip, rng.standard_normal(len(clip)), snr_db) for clip in speech]
        after = denoised(WaveletShrinkage(threshold=threshold), *noisy)
        gains = [segmental_snr_db(c, a) - segmental_snr_db(c, n) for c, n, a in zip(speech, noisy, after, strict=True)]
        assert np.mean(gains) > least and min(gains) > 0


def test_bayes_does_no_harm(speech):
    """Clean speech changes little, and dark noise, which the finest band hardly shows, mostly stays."""
    for clip, heard in zip(speech, denoised(WaveletShrinkage(), *speech), strict=True):
        assert segmental_snr_db(clip, heard) > 25
    noisy = mixed(speech[0], hum(len(speech[0]), np.random.default_rng(0)), 10)
    after = denoised(WaveletShrinkage(), noisy)[0]
    assert segmental_snr_db(speech[0], after) > segmental_snr_db(speech[0], noisy)


def test_batch_and_padding_on_speech(speech):
    for clip, heard in zip(speech, denoised(WaveletShrinkage(), *speech), strict=True):
        np.testing.assert_allclose(denoised(WaveletShrinkage(), clip)[0], heard, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"wavelet": "haar"}, "wavelet must be one of .*'haar'"),
        ({"wavelet": "db11"}, "wavelet"),
        ({"threshold": "sure"}, "threshold must be one of .*'bayes', 'universal'.*Received: 'sure'"),
        ({"levels": 0}, "levels must be >= 1. Received: 0"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        WaveletShrinkage(**arguments)
