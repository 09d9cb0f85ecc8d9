"""What the layers that act in training only do there: against NumPy, closed forms and statistics."""

import keras
import numpy as np
import pytest
from keras import ops

from serzoo.layers import Mixup, RandomGain, RandomNoise, RandomSilence, RandomSpeed, SpecAugment, mix_at_snr
from serzoo.layers.random_noise import coloured_noise
from serzoo.layers.random_silence import surround
from serzoo.layers.random_speed import change_speed

RNG = np.random.default_rng(0)
X = (0.1 * RNG.standard_normal((4, 3000))).astype("float32")
NUM_SAMPLES = np.array([3000, 1500, 2999, 1], "int32")
X[np.arange(3000) >= NUM_SAMPLES[:, None]] = 0.0


def tensors(*arrays):
    return [ops.convert_to_tensor(a) for a in arrays]


def numpy(*arrays):
    return [ops.convert_to_numpy(a) for a in arrays]


@pytest.mark.parametrize("factors", [(0.9, 1.1, 0.5, 2.0), (1.0, 1.0, 1.0, 1.0), (1.25, 0.8, 1.03125, 0.7)])
def test_speed_against_interp(factors):
    y, n = numpy(*change_speed(*tensors(X, NUM_SAMPLES, np.array(factors, "float32"))))
    for clip, (frames, factor) in enumerate(zip(NUM_SAMPLES, np.array(factors, "float32"), strict=True)):
        expected_n = min(int((frames - 1) / factor) + 1, 3000)
        assert abs(n[clip] - expected_n) <= 1  # where the last position is a sample, up to rounding
        position = np.arange(n[clip]) * float(factor)
        expected = np.interp(position, np.arange(frames), X[clip, :frames].astype("float64"))
        np.testing.assert_allclose(y[clip, : n[clip]], expected, atol=2e-4)
        assert not y[clip, n[clip] :].any()


def test_speed_moves_the_pitch():
    """Closed form: a sine of f comes out as a sine of f times the factor."""
    tone = np.sin(2 * np.pi * 500 / 16000 * np.arange(16000))[None].astype("float32")
    y, n = numpy(*change_speed(*tensors(tone, np.array([16000], "int32"), np.array([1.25], "float32"))))
    assert n[0] == 12800
    expected = np.sin(2 * np.pi * 625 / 16000 * np.arange(12800))
    np.testing.assert_allclose(y[0, :12800], expected, atol=6e-3)


def test_random_speed_draws_for_each_clip():
    x = np.ones((64, 200), "float32")
    _, n = numpy(*RandomSpeed(1.0, 2.0, seed=3)(*tensors(x, np.full(64, 200, "int32")), training=True))
    assert n.min() >= 100 and n.max() <= 200 and len(set(n)) > 30


def test_silence_against_numpy():
    before, after = np.array([100, 700, 0, 2999], "int32"), np.array([0, 400, 50, 7], "int32")
    y, n = numpy(*surround(*tensors(X, NUM_SAMPLES, before, after)))
    for clip, frames in enumerate(NUM_SAMPLES):
        whole = np.concatenate([np.zeros(before[clip]), X[clip, :frames], np.zeros(after[clip])])
        assert n[clip] == min(len(whole), 3000)
        np.testing.assert_array_equal(y[clip], np.pad(whole, (0, 3000))[:3000].astype("float32"))


def test_silence_leaves_the_padding_out():
    garbage = np.where(np.arange(3000) < NUM_SAMPLES[:, None], X, 9.0).astype("float32")
    shifts = np.full(4, 200, "int32")
    first, other = (numpy(*surround(*tensors(x, NUM_SAMPLES, shifts, shifts)))[0] for x in (X, garbage))
    np.testing.assert_array_equal(first, other)


def test_random_silence_draws_both_sides_for_each_clip():
    x, n = tensors(np.ones((400, 200), "float32"), np.full(400, 50, "int32"))
    layer = RandomSilence(20, seed=3)
    y, length = numpy(*layer(x, n, training=True))
    before = y.argmax(axis=1)
    after = length - 50 - before
    for drawn in (before, after):
        assert set(drawn) == set(range(21)) and abs(drawn.mean() - 10) < 1.5
    assert abs(np.corrcoef(before, after)[0, 1]) < 0.2 and (y.sum(axis=1) == 50).all()
    same = numpy(*RandomSilence(20, seed=3)(x, n, training=True))[0]
    np.testing.assert_array_equal(same, y)
    for off in ({"training": False}, {}):
        np.testing.assert_array_equal(numpy(*layer(x, n, **off))[0], numpy(x)[0])
    np.testing.assert_array_equal(numpy(*RandomSilence(0)(x, n, training=True))[1], numpy(n)[0])


def test_gain():
    x = np.ones((200, 10), "float32")
    (y,) = numpy(RandomGain(-6.0, 12.0, seed=2)(*tensors(x), training=True))
    gain_db = 20 * np.log10(y[:, 0])
    assert gain_db.min() >= -6.001 and gain_db.max() <= 12.001
    assert abs(gain_db.mean() - 3.0) < 1.5 and gain_db.std() > 4.0
    np.testing.assert_array_equal(y, y[:, :1] * x)


def power(x, frames):
    return np.mean(x[:frames].astype("float64") ** 2)


@pytest.mark.parametrize("snr_db", [-10.0, 0.0, 20.0])
def test_mix_at_snr(snr_db):
    noise = RNG.standard_normal(X.shape).astype("float32")
    (y,) = numpy(mix_at_snr(*tensors(X, noise, np.full(4, snr_db, "float32"), NUM_SAMPLES)))
    for clip, frames in enumerate(NUM_SAMPLES):
        ratio = power(X[clip], frames) / power(y[clip] - X[clip], frames)
        np.testing.assert_allclose(10 * np.log10(ratio), snr_db, atol=0.02)
        assert not (y[clip] - X[clip])[frames:].any()


def test_mix_at_snr_with_silence():
    noise = np.ones((2, 100), "float32")
    signal = np.stack([np.zeros(100), np.ones(100)]).astype("float32")
    snr_db = np.zeros(2, "float32")
    (y,) = numpy(mix_at_snr(*tensors(signal, noise, snr_db)))
    np.testing.assert_allclose(y, [np.zeros(100), 2 * np.ones(100)], rtol=1e-6)
    (y,) = numpy(mix_at_snr(*tensors(signal, 0 * noise, snr_db)))
    np.testing.assert_array_equal(y, signal)
    with pytest.raises(ValueError, match=r"same shape. Received: \(2, 100\) and \(2, 99\)"):
        mix_at_snr(*tensors(signal, noise[:, 1:], snr_db))


def test_random_noise():
    layer = RandomNoise(5.0, 15.0, probability=0.5, seed=4)
    x = np.tile(X[:1], (100, 1))
    (y,) = numpy(layer(*tensors(x, np.full(100, 2000, "int32")), training=True))
    added = (y - x)[:, :2000]
    noisy = np.abs(added).max(axis=1) > 0
    assert 30 <= noisy.sum() <= 70
    assert not (y - x)[:, 2000:].any()
    snr_db = 10 * np.log10(power(x[0], 2000) / np.mean(added[noisy].astype("float64") ** 2, axis=1))
    assert snr_db.min() > 4.95 and snr_db.max() < 15.05 and np.ptp(snr_db) > 6


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_the_colour_of_the_noise(exponent):
    seed = keras.random.SeedGenerator(1)
    (noise,) = numpy(coloured_noise(8, 8001, ops.full((8,), exponent), seed))
    assert noise.shape == (8, 8001)
    spectrum = np.mean(np.abs(np.fft.rfft(noise.astype("float64") * np.hanning(8001))) ** 2, axis=0)
    frequency = np.arange(len(spectrum)) / 8001
    band = (frequency > 0.01) & (frequency < 0.4)
    slope = np.polyfit(np.log(frequency[band]), np.log(spectrum[band]), 1)[0]
    assert abs(slope + exponent) < 0.12


@pytest.mark.parametrize("samples", [1, 2, 959, 960, 961, 4801])
def test_the_length_of_the_noise(samples):
    """Whatever its factors, from the first sample to the last."""
    (noise,) = numpy(coloured_noise(64, samples, ops.zeros((64,)), keras.random.SeedGenerator(0)))
    assert noise.shape == (64, samples)
    assert (noise.std(axis=0) > 0).all()


def test_mixup_against_numpy():
    partner, weight = np.array([1, 0, 3, 3], "int32"), np.array([0.3, 1.0, 0.5, 0.0], "float32")
    y, n = numpy(*Mixup()(*tensors(X, NUM_SAMPLES, partner, weight), training=True))
    assert n.tolist() == [3000, 1500, 2999, 1]
    rms = [np.sqrt(power(X[i], NUM_SAMPLES[i])) for i in range(4)]
    for i, (j, w) in enumerate(zip(partner, weight.astype("float64"), strict=True)):
        mixed = w * X[i] / rms[i] + (1 - w) * X[j] / rms[j]
        np.testing.assert_allclose(y[i], rms[i] * mixed / np.sqrt(w**2 + (1 - w) ** 2), atol=1e-5)
    np.testing.assert_array_equal(y[1], X[1])


def test_mixup_takes_the_longer_clip_and_stands_silence():
    x = X.copy()
    x[1] = 0.0
    partner, weight = np.array([1, 0, 1, 0], "int32"), np.array([0.5, 0.5, 1.0, 0.5], "float32")
    y, n = numpy(*Mixup()(*tensors(x, NUM_SAMPLES, partner, weight), training=True))
    assert n.tolist() == [3000, 3000, 2999, 3000]
    assert np.isfinite(y).all()


def test_spec_augment_masks():
    x = np.ones((300, 60, 20, 2), "float32")
    num_frames = np.tile(np.array([60, 30, 7], "int32"), 100)
    layer = SpecAugment(num_time_masks=1, max_time_frames=20, num_mel_masks=1, max_mels=6, seed=5)
    (y,) = numpy(layer(*tensors(x, num_frames), training=True))
    assert set(np.unique(y)) == {0.0, 1.0}
    np.testing.assert_array_equal(y[..., 0], y[..., 1])
    keep_time, keep_mel = y[..., 0].max(axis=2), y[..., 0].max(axis=1)
    np.testing.assert_array_equal(y[..., 0], keep_time[:, :, None] * keep_mel[:, None, :])
    for keep, greatest in ((keep_mel, np.full(300, 6)), (keep_time, np.minimum(20, num_frames // 2))):
        widths = (1 - keep).sum(axis=1)
        assert (widths <= greatest).all() and len(set(widths)) > 5
        assert (np.abs(np.diff(keep, axis=1)).sum(axis=1) <= 2).all()  # one stretch
    assert all(keep_time[i, n:].all() for i, n in enumerate(num_frames))


@pytest.mark.parametrize("make", [RandomGain, RandomSpeed, RandomNoise, SpecAugment])
def test_seeds_repeat_and_inference_does_nothing(make):
    x = X if make is not SpecAugment else np.ones((4, 50, 20, 1), "float32")
    arguments = tensors(x) if make is RandomGain else tensors(x, np.array([40, 50, 30, 20], "int32"))
    first = [numpy(*_flat(make(seed=7)(*arguments, training=True)))[0] for _ in range(2)]
    np.testing.assert_array_equal(*first)
    layer = make(seed=7)
    again = [numpy(*_flat(layer(*arguments, training=True)))[0] for _ in range(2)]
    assert np.abs(again[0] - again[1]).max() > 0
    for training in (False, None):
        np.testing.assert_array_equal(numpy(*_flat(layer(*arguments, training=training)))[0], x)


def _flat(y):
    return y if isinstance(y, tuple) else (y,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RandomGain(3.0, 1.0), "min_db must be <= max_db. Received: 3.0, 1.0"),
        (lambda: RandomSilence(-1), "max_samples must be >= 0. Received: -1"),
        (lambda: RandomSpeed(0.0, 1.0), "0 < min_factor"),
        (lambda: RandomNoise(probability=1.5), "probability must be in"),
        (lambda: RandomNoise(min_snr_db=50.0), "min_snr_db must be <= max_snr_db. Received: 50.0, 40.0"),
        (lambda: SpecAugment(max_mels=-1), "must be >= 0"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()
