"""Noise, rooms and recognition by segment, against naive NumPy, closed forms and scipy."""

import keras
import numpy as np
import pytest
from conformance import run_layer_conformance
from gradients import gradient
from keras import ops
from scipy import signal

from serzoo import layers

RNG = np.random.default_rng(0)
LENGTHS = np.array([4000, 900, 2500, 1], "int32")


def bursts(lengths, samples=4000):
    """Noise that comes and goes: 500 samples loud, 500 samples 60 dB softer; garbage in the padding."""
    loud = np.where(np.arange(samples) // 500 % 2 == 0, 0.3, 0.0003)
    x = (loud * RNG.standard_normal((len(lengths), samples))).astype("float32")
    x[np.arange(samples) >= lengths[:, None]] = 9.0
    return x


SPEECH, NOISE = bursts(LENGTHS), bursts(np.array([1700, 4000, 300, 50], "int32"))
NOISE_LENGTHS = np.array([1700, 4000, 300, 50], "int32")
SNRS_DB = np.array([20.0, -5.0, 0.0, 3.3], "float32")


def naive_power(x, block=320, range_db=30.0):
    """Mean square over the samples of the blocks within 30 dB of the loudest."""
    blocks = [x[i : i + block].astype("float64") for i in range(0, len(x), block)]
    levels = [np.mean(each**2) for each in blocks]
    active = [each for each, level in zip(blocks, levels, strict=True) if level >= max(levels) * 10 ** (-range_db / 10)]
    return np.mean(np.concatenate(active) ** 2)


def test_active_blocks_against_numpy():
    found = np.asarray(layers.active_blocks(SPEECH, LENGTHS, 320, 30.0))
    for i, n in enumerate(LENGTHS):
        levels = [np.mean(SPEECH[i, s : min(s + 320, n)].astype("float64") ** 2) for s in range(0, n, 320)]
        wanted = [level >= max(levels) / 1000 for level in levels]
        assert found[i].tolist() == wanted + [False] * (found.shape[1] - len(wanted))
    assert found[0].sum() < found.shape[1]  # some of the soft stretches fill whole blocks
    assert not np.asarray(layers.active_blocks(np.zeros((1, 700), "float32"), np.array([700]))).any()


def test_the_ratio_is_met_to_a_hundredth_of_a_db():
    mixed = np.asarray(layers.MixAtSNR()(SPEECH, LENGTHS, NOISE, NOISE_LENGTHS, SNRS_DB))
    for i, n in enumerate(LENGTHS):
        added = mixed[i, :n].astype("float64") - SPEECH[i, :n]
        raw = np.resize(NOISE[i, : NOISE_LENGTHS[i]], n).astype("float64")  # cropped, or repeated from its start
        gain = added @ raw / (raw @ raw)
        np.testing.assert_allclose(added, gain * raw, atol=2e-6)
        ratio = naive_power(SPEECH[i, :n]) / (gain**2 * naive_power(raw.astype("float32")))
        assert 10 * np.log10(ratio) == pytest.approx(SNRS_DB[i], abs=0.01)
        np.testing.assert_array_equal(mixed[i, n:], SPEECH[i, n:])


def test_silence_and_the_ends_of_the_scale():
    n = np.full(4, 640, "int32")
    speech, noise = np.ones((4, 640), "float32"), np.full((4, 640), -0.5, "float32")
    speech[0] = 0.0
    noise[1] = 0.0
    snr_db = np.array([-np.inf, -np.inf, np.inf, -np.inf], "float32")
    mixed = np.asarray(layers.MixAtSNR()(speech, n, noise, n, snr_db))
    np.testing.assert_array_equal(mixed[:3], speech[:3])  # silence, silent noise, no noise
    np.testing.assert_allclose(mixed[3], -1.0, rtol=1e-6)  # the noise alone, as loud as the speech was
    mixed = np.asarray(layers.MixAtSNR()(speech, n, noise, n, np.full(4, np.inf, "float32")))
    np.testing.assert_array_equal(mixed, speech)


def test_reverberation_against_scipy():
    room = (RNG.standard_normal((4, 333)) * np.exp(-np.arange(333) / 60)).astype("float32")
    room[:, :7] *= 0.01
    taps = np.array([333, 20, 100, 333], "int32")
    x = np.where(np.arange(4000) < LENGTHS[:, None], SPEECH, 5.0).astype("float32")
    wet = np.asarray(layers.Reverberate()(x, LENGTHS, room, taps))
    for i, n in enumerate(LENGTHS):
        h = room[i, : taps[i]].astype("float64")
        full = np.pad(signal.convolve(x[i, :n].astype("float64"), h), (0, 333))
        y = full[np.abs(h).argmax() :][:n]
        y *= np.sqrt(np.mean(x[i, :n].astype("float64") ** 2) / np.mean(y**2))
        np.testing.assert_allclose(wet[i, :n], y, atol=1e-5)
        assert not wet[i, n:].any()
    dry = np.zeros((4, 9), "float32")
    dry[:, 4] = -0.3  # a room without walls, heard later and upside down
    np.testing.assert_allclose(np.asarray(layers.Reverberate()(x, LENGTHS, dry, np.full(4, 9)))[0], -x[0], atol=1e-5)
    silent = np.asarray(layers.Reverberate()(0 * x, LENGTHS, room, taps))
    assert not silent.any()
    np.testing.assert_array_equal(np.asarray(layers.Reverberate()(x[:1], LENGTHS[:1], 0 * room[:1], taps[:1])), x[:1])


FRAMES = RNG.standard_normal((3, 25, 6)).astype("float32")
NUM_FRAMES = np.array([25, 1, 12], "int32")
CLIP = RNG.standard_normal((3, 4)).astype("float32")


def test_segment_classifier_against_numpy():
    layer = layers.SegmentClassifier(5, 6400, 640)
    found = np.asarray(layer(FRAMES, NUM_FRAMES, CLIP))
    layer.bias.assign(RNG.standard_normal(5))
    found = np.asarray(layer(FRAMES, NUM_FRAMES, CLIP))
    kernel, bias = np.asarray(layer.kernel, "float64"), np.asarray(layer.bias, "float64")
    assert found.shape == (3, 3, 5)
    assert layer(FRAMES[:, :20], NUM_FRAMES, CLIP).shape == (3, 2, 5)
    for i, n in enumerate(NUM_FRAMES):
        for s in range(3):
            frames = FRAMES[i, 10 * s : min(10 * s + 10, n)].astype("float64")
            wanted = np.zeros(5)
            if len(frames):
                logits = np.exp(np.concatenate([frames.mean(axis=0), CLIP[i]]) @ kernel + bias)
                wanted = logits / logits.sum()
            np.testing.assert_allclose(found[i, s], wanted, atol=1e-6)


def test_speech_weight():
    told = np.zeros((1, 3, 4), "float32")
    told[0, :, 3] = [0.0, 1.0, 0.25]
    found = np.asarray(layers.SpeechWeight(2)(told, np.zeros((1, 5, 7), "float32")))
    np.testing.assert_array_equal(found, [[1.0, 1.0, 0.0, 0.0, 0.75]])


def test_attention_leaves_out_what_has_no_weight():
    layer = layers.AttentionPooling(4)
    weight = np.ones((3, 25), "float32")
    np.testing.assert_allclose(layer(FRAMES, NUM_FRAMES, weight), layer(FRAMES, NUM_FRAMES), atol=1e-6)
    weight[:, 5:] = 0.0
    x = FRAMES.copy()
    x[:, 5:] = 1e3
    few = np.minimum(NUM_FRAMES, 5)
    np.testing.assert_allclose(layer(x, NUM_FRAMES, weight), layer(FRAMES, few), atol=1e-5)
    np.testing.assert_array_equal(layer(FRAMES, NUM_FRAMES, 0 * weight), np.zeros((3, 6)))


CLASSES = 4  # two types, clean, noise alone


def naive_truth(clean, n, kind, size=1280, min_active=0.1):
    if kind == CLASSES - 2:
        return [kind] * -(-n // size)
    levels = [np.mean(clean[s : min(s + 320, n)].astype("float64") ** 2) for s in range(0, n, 320)]
    active = [level > 0 and level >= max(levels) / 1000 for level in levels]
    per = size // 320
    parts = [active[s : s + per] for s in range(0, len(active), per)]
    return [kind if np.mean(part) > min_active else CLASSES - 1 for part in parts]


def spoken_in_part():
    """Speech in the first 1280 and the last 160 of 4000 samples, and silence between."""
    x = np.zeros((4, 4000), "float32")
    x[:, :1280] = 0.1 * RNG.standard_normal((4, 1280))
    x[:, 3840:] = 0.1 * RNG.standard_normal((4, 160))
    return x


@pytest.mark.parametrize("kind", [0, 1, 2, 3])
def test_truth_of_a_segment(kind):
    clean, n = spoken_in_part(), np.array([4000, 900, 3500, 1280], "int32")
    found = np.asarray(layers.segment_noise_classes(clean, n, np.full(4, kind, "int32"), CLASSES, 1280))
    for i, length in enumerate(n):
        wanted = naive_truth(clean[i], length, kind)
        assert found[i, : len(wanted)].tolist() == wanted
    if kind < 2:  # speech, silence, silence, speech
        assert found[0].tolist() == [kind, 3, 3, kind]


def test_segment_loss_against_numpy():
    clean, n = spoken_in_part(), np.array([4000, 900, 3500, 1280], "int32")
    kind = np.array([0, 1, 2, 3], "int32")
    told = RNG.dirichlet(np.ones(CLASSES), (4, 4)).astype("float32")
    valid = [4, 1, 3, 1]
    for row, count in zip(told, valid, strict=True):
        row[count:] = 0.0
    found = np.asarray(layers.SegmentNoiseLoss(1280, label_smoothing=0.2)(told, clean, n, kind))
    for i, count in enumerate(valid):
        truth = 0.8 * np.eye(CLASSES)[naive_truth(clean[i], n[i], kind[i])[:count]] + 0.05
        assert found[i] == pytest.approx(-np.mean((truth * np.log(told[i, :count])).sum(axis=-1)), rel=1e-5)


@pytest.mark.parametrize("name", ["mix", "room", "segments"])
def test_conformance(name):
    wave, n = SPEECH[:3, :2000].copy(), np.array([2000, 900, 1], "int32")
    if name == "segments":
        run_layer_conformance(layers.SegmentClassifier(5, 6400, 640), FRAMES, NUM_FRAMES, CLIP)
    elif name == "mix":
        extra = (NOISE[:3], NOISE_LENGTHS[:3], SNRS_DB[:3])
        run_layer_conformance(layers.MixAtSNR(), wave, n, *extra, zero_padding=False)
    else:
        room, taps = NOISE[:3, :200], np.array([200, 5, 60], "int32")
        run_layer_conformance(layers.Reverberate(), wave, n, room, taps, mixed_float16=False)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.MixAtSNR(range_db=0.0), "range_db must be a float > 0"),
        (lambda: layers.SegmentClassifier(5, 1000, 640), "multiple of frame_samples"),
        (lambda: layers.SegmentClassifier(5, 1000, 100), "multiple of 320"),
        (lambda: layers.SegmentNoiseLoss(1000), "multiple of 320"),
        (lambda: layers.SegmentNoiseLoss(320, label_smoothing=2.0), "in \\[0, 1\\]"),
        (lambda: layers.SpeechWeight(0), "segment_frames must be >= 1"),
    ],
)
def test_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_no_gradient_teaches_the_recognition_through_the_weights():
    layer, told = layers.SpeechWeight(2), RNG.dirichlet(np.ones(4), (1, 3)).astype("float32")
    slope = gradient(lambda told: ops.sum(layer(told, ops.zeros((1, 5, 7)))), told)
    if keras.backend.backend() == "tensorflow":
        assert slope is None
    else:
        assert not slope.any()  # JAX has no other word for it
