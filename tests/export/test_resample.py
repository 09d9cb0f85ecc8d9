"""The resampler in the graph against soxr HQ."""

import numpy as np
import pytest
import soxr
import tensorflow as tf

from serzoo import audio
from serzoo.export.resample import RATES_HZ, resample

resampled = tf.function(
    resample, input_signature=[tf.TensorSpec([None], tf.float32), tf.TensorSpec([], tf.int64)], autograph=False
)


def agreement_db(got, wanted):
    return 10 * np.log10(np.sum(np.square(wanted)) / np.sum(np.square(got - wanted)))


def expected(samples, rate):
    return soxr.resample(samples, rate, 16000, quality="HQ")


@pytest.mark.parametrize("rate", RATES_HZ)
def test_speech_within_100_db(rate, clips):
    samples = soxr.resample(audio.read(clips["happiness"])[:24000], 16000, rate, quality="VHQ")
    assert agreement_db(resampled(samples, rate).numpy(), expected(samples, rate)) > 100


@pytest.mark.parametrize("rate", RATES_HZ)
def test_noise_up_to_half_the_rate_within_90_db(rate):
    """White noise holds everything, also what no curve that is nearly right would pass as soxr does."""
    samples = (0.1 * np.random.default_rng(rate).standard_normal(rate // 2)).astype("float32")
    samples *= np.minimum(1, np.arange(len(samples)) / (0.05 * rate)).astype("float32")  # soxr's start is its own
    got, wanted = resampled(samples, rate).numpy(), expected(samples, rate)
    assert agreement_db(got, wanted) > 90


@pytest.mark.parametrize("rate", [1000, 8001, 12345, 15999, 16001, 44000, 100_000, 768_000])
def test_any_other_rate_within_60_db_on_speech(rate, clips):
    samples = soxr.resample(audio.read(clips["happiness"])[:24000], 16000, rate, quality="VHQ")
    got, wanted = resampled(samples, rate).numpy(), expected(samples, rate)
    assert got.shape == wanted.shape
    assert agreement_db(got, wanted) > 60


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000])
@pytest.mark.parametrize("more", [0, 1, 2, 3, 7])
def test_as_many_samples_as_soxr(rate, more):
    samples = np.zeros(rate // 3 + more, "float32")
    assert resampled(samples, rate).shape == expected(samples, rate).shape


def test_at_16_khz_nothing_changes():
    samples = np.random.default_rng(0).standard_normal(100).astype("float32")
    np.testing.assert_array_equal(resampled(samples, 16000), samples)


def test_the_end_does_not_reach_the_beginning():
    """The transform is circular; the clip is not."""
    samples = np.zeros(44100, "float32")
    samples[-200:] = 1.0
    assert np.abs(resampled(samples, 44100).numpy()[:8000]).max() < 1e-6
