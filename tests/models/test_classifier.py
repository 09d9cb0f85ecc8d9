"""Classifier on a model of two lines, whose scores are known for any sound."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile

from serzoo.errors import AudioError, MissingFileError, UnknownNameError
from serzoo.models import Classifier

ROOT = Path(__file__).resolve().parents[2]
RATE = 16000
CLASSES = ["low", "high", "even"]
KERNEL = np.array([[-3.0, 3.0, 0.5], [1.0, -2.0, 4.0]], "float32")


def features(clip):
    """The embedding of the model below, literally: mean and power."""
    return np.array([np.mean(clip, dtype="float64"), np.mean(np.square(clip, dtype="float64"))])


def scores(clip):
    odds = np.exp(features(clip) @ KERNEL)
    return odds / odds.sum()


@pytest.fixture(scope="module")
def model():
    waveform, num_samples = keras.Input((None,), name="waveform"), keras.Input((), dtype="int32", name="num_samples")
    count = keras.ops.expand_dims(keras.ops.cast(num_samples, "float32"), -1)
    mean = keras.ops.sum(waveform, axis=1, keepdims=True) / count
    power = keras.ops.sum(keras.ops.square(waveform), axis=1, keepdims=True) / count
    x = keras.layers.Concatenate(name="embedding")([mean, power])
    head = keras.layers.Dense(3, activation="softmax", use_bias=False, name="emotion")
    inputs = {"waveform": waveform, "num_samples": num_samples}
    model = Classifier(inputs=inputs, outputs={"emotion": head(x)}, heads={"emotion": CLASSES})
    head.set_weights([KERNEL])
    return model


def sound(seconds, seed=0):
    """Noise whose mean and power wander, so that no two pieces score alike."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    level = 0.5 * np.sin(0.7 * time) + 0.3 * np.sin(0.11 * time)
    return (level + 0.2 * np.cos(0.3 * time) * rng.standard_normal(len(time))).astype("float32")


def write(path, samples, rate=RATE):
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return path


def by_label(answer):
    return [{each["label"]: each["score"] for each in answer}[label] for label in CLASSES]


# --- classify -------------------------------------------------------------------------------------------------------


def test_classify_a_path_an_array_and_a_list(model, tmp_path):
    a, b = sound(1.3), sound(0.7, seed=1)
    path = write(tmp_path / "a.wav", a)
    for source, rate in ((path, None), (str(path), None), (path, RATE), (a, RATE), (a[:, None], RATE)):
        np.testing.assert_allclose(by_label(model.classify(source, rate)), scores(a), atol=1e-5)
    answers = model.classify([path, write(tmp_path / "b.wav", b)])
    np.testing.assert_allclose([by_label(answer) for answer in answers], [scores(a), scores(b)], atol=1e-5)
    assert model.classify((a, b), RATE) == answers
    assert model.classify([]) == []


def test_scores_are_sorted_and_sum_to_one(model):
    answer = model.classify(sound(1), RATE)
    values = [each["score"] for each in answer]
    assert values == sorted(values, reverse=True) and sum(values) == pytest.approx(1, abs=1e-6)
    assert {each["label"] for each in answer} == set(CLASSES)
    assert all(type(each["score"]) is float for each in answer)


def test_stereo_is_the_mean_of_its_channels(model, tmp_path):
    a, b = sound(1), sound(1, seed=1)
    both = np.stack([a, b], axis=1)
    for source, rate in ((both, RATE), (write(tmp_path / "stereo.wav", both), None)):
        np.testing.assert_allclose(by_label(model.classify(source, rate)), scores((a + b) / 2), atol=1e-5)


@pytest.mark.parametrize("seconds", [30.0, 30.05, 65.0, 125.5])
def test_long_recordings_are_judged_in_windows(model, tmp_path, seconds):
    clip = sound(seconds)
    pieces = [clip[start : start + 30 * RATE] for start in range(0, len(clip), 30 * RATE)]
    pieces = [piece for piece in pieces if len(piece) >= 0.1 * RATE]
    lengths = [len(piece) for piece in pieces]
    for wanted, got in (
        (
            np.average([scores(piece) for piece in pieces], axis=0, weights=lengths),
            by_label(model.classify(clip, RATE)),
        ),
        (np.average([features(piece) for piece in pieces], axis=0, weights=lengths), model.embed(clip, RATE)),
    ):
        np.testing.assert_allclose(got, wanted, atol=1e-5)
    assert model.classify(write(tmp_path / "long.wav", clip)) == model.classify(clip, RATE)


@pytest.mark.parametrize(
    "source, rate, part",
    [
        (np.zeros(1500, "float32"), RATE, "0.1 s or more"),
        (np.ones(16000, "float32"), None, "needs sample_rate_hz"),
        ([0.1, 0.2, 0.3], RATE, "a path or an array of floats or integers. Received: float."),
        (np.full(16000, np.nan, "float32"), RATE, "finite"),
    ],
    ids=["short", "no rate", "numbers", "NaN"],
)
def test_sound_that_is_refused(model, source, rate, part):
    with pytest.raises(AudioError) as caught:
        model.classify(source, rate)
    assert part in str(caught.value)


def test_files_that_are_refused(model, tmp_path):
    for ask in (model.classify, model.segments, model.embed):
        with pytest.raises(MissingFileError, match="nowhere.wav"):
            ask(tmp_path / "nowhere.wav")
        with pytest.raises(AudioError, match="0.1 s or more"):
            ask(write(tmp_path / "short.wav", sound(0.05)))
    path = write(tmp_path / "a.wav", sound(1))
    with pytest.raises(AudioError, match="8000"):  # a wrong belief about a file is no small thing
        model.classify(path, 8000)


def test_digital_silence_warns(model, tmp_path):
    silence = np.zeros(RATE, "float32")
    for ask in (model.classify, model.segments, model.embed):
        with pytest.warns(UserWarning, match="array is digital silence"):
            ask(silence, RATE)
        with pytest.warns(UserWarning, match="silent.wav is digital silence"):
            ask(write(tmp_path / "silent.wav", silence))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.classify(np.append(silence, np.float32(0.01)), RATE)


# --- segments -------------------------------------------------------------------------------------------------------


def naive_segments(clip, window_s, hop_s):
    window, hop = round(window_s * RATE), round(hop_s * RATE)
    found, start = [], 0
    while start < len(clip):
        end = min(start + window, len(clip))
        if end - start >= 0.1 * RATE:
            best = scores(clip[start:end])
            found.append([start / RATE, end / RATE, CLASSES[best.argmax()], best.max()])
        if end == len(clip):
            return found
        start += hop
    return found


@pytest.mark.parametrize(
    "seconds, window_s, hop_s, starts",
    [
        (10.0, 3.0, 1.0, [0, 1, 2, 3, 4, 5, 6, 7]),  # the eighth ends with the recording, and no more start
        (10.5, 3.0, 1.0, [0, 1, 2, 3, 4, 5, 6, 7, 8]),  # the last one is shorter
        (3.0, 3.0, 1.0, [0]),
        (2.0, 3.0, 1.0, [0]),
        (0.1, 3.0, 1.0, [0]),
        (9.2, 3.0, 3.0, [0, 3, 6, 9]),
        (9.05, 3.0, 3.0, [0, 3, 6]),  # a rest of 50 ms is not judged
        (10.0, 1.0, 3.0, [0, 3, 6, 9]),  # gaps
        (9.0, 1.0, 3.5, [0, 3.5, 7]),
        (7.2, 1.0, 3.5, [0, 3.5, 7]),
        (100.0, 1.0, 45.0, [0, 45, 90]),  # gaps longer than a block of the reader
        (70.0, 20.0, 7.0, [0, 7, 14, 21, 28, 35, 42, 49, 56]),
        (1.0, 0.1, 0.033, None),
    ],
)
def test_segments(model, tmp_path, seconds, window_s, hop_s, starts):
    clip = sound(seconds)
    wanted = naive_segments(clip, window_s, hop_s)
    if starts is not None:
        assert [each[0] for each in wanted] == starts
    got = model.segments(clip, RATE, window_s=window_s, hop_s=hop_s)
    assert [list(each) for each in got] == [["start", "end", "label", "score"]] * len(wanted)
    for each, (start, end, label, score) in zip(got, wanted, strict=True):
        assert (each["start"], each["end"], each["label"]) == (start, end, label)
        assert each["score"] == pytest.approx(score, abs=1e-5)
    assert model.segments(write(tmp_path / "a.wav", clip), window_s=window_s, hop_s=hop_s) == got


@pytest.mark.parametrize(
    "times",
    [
        {"window_s": 0.05},
        {"window_s": np.nan},
        {"window_s": np.inf},
        {"hop_s": 0},
        {"hop_s": -1},
        {"hop_s": np.inf},
        {"hop_s": "1"},
    ],
    ids=str,
)
def test_windows_that_are_refused(model, times):
    with pytest.raises(AudioError, match=f"{next(iter(times))} must be .* Received: {next(iter(times.values()))!r}"):
        model.segments(sound(1), RATE, **times)


MEMORY = """
import resource, sys
import serzoo
small = {"model.conv_filters": [4] * 5, "model.lstm_units": 4}
model = serzoo.building.build(serzoo.config.load("cnn_ablstm", small), {"emotion": ["a", "b"]})
peaks = []
for path in sys.argv[1:]:
    assert len(model.segments(path, window_s=3.0, hop_s=3.0)) > 10
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
print(*peaks)
"""


def test_memory_of_segments_does_not_grow(tmp_path):
    """Ten times the sound takes no more than 20 MB more; as samples, ten minutes alone are 38 MB."""
    paths = []
    for minutes in (1, 10):
        paths.append(tmp_path / f"{minutes}.wav")
        with soundfile.SoundFile(paths[-1], "w", RATE, 1) as file:
            for minute in range(minutes):
                file.write(0.5 * sound(60, seed=minute))
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, *paths],
        env={**os.environ, "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": "-1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    one, ten = map(float, done.stdout.splitlines()[-1].split())
    assert ten - one < 20


# --- embed ----------------------------------------------------------------------------------------------------------


def test_embed(model, tmp_path):
    clip = sound(2)
    got = model.embed(write(tmp_path / "a.wav", clip))
    assert got.dtype == np.float32 and got.shape == (2,)
    np.testing.assert_allclose(got, features(clip), atol=1e-6)
    np.testing.assert_allclose(model.embed(clip, RATE, layer="emotion"), scores(clip), atol=1e-5)
    np.testing.assert_array_equal(model.embed(clip, RATE), got)  # read once more, by the sub-model that was kept


@pytest.mark.parametrize("layer", ["embeding", "waveform"])  # a waveform is not (batch, features)
def test_embed_an_unknown_layer(model, layer):
    with pytest.raises(UnknownNameError) as caught:
        model.embed(sound(1), RATE, layer=layer)
    assert f"Unknown layer '{layer}'." in str(caught.value)
    assert ("Did you mean 'embedding'?" in str(caught.value)) == (layer == "embeding")


def test_a_long_silence_after_speech_is_no_digital_silence(model, tmp_path):
    long = np.concatenate([sound(1), np.zeros(60 * RATE, "float32")])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.classify(write(tmp_path / "long.wav", long))
