"""Decoding inside the tf.data graph: the samples of audio.read, and a tensorflow-io that cannot be loaded."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import soundfile

from serzoo import audio, config, decoding, pipeline
from serzoo.errors import AudioError
from serzoo.training.feeding import WatchedClips, plain_errors

ROOT = Path(__file__).resolve().parent.parent
needs_tensorflow_io = pytest.mark.skipif(
    not decoding.available(), reason="needs a tensorflow-io that TensorFlow can load: serzoo[tfio]"
)
pytestmark = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="tf.data is TensorFlow's")
LOSSLESS = {"a.flac": ("FLAC", "PCM_16", 1), "b.flac": ("FLAC", "PCM_16", 2), "c.flac": ("FLAC", "PCM_24", 3)}
LOSSY = {"d.ogg": ("OGG", "VORBIS", 2), "e.mp3": ("MP3", "MPEG_LAYER_III", 1), "f.mp3": ("MP3", "MPEG_LAYER_III", 2)}
FOREIGN = {"g.wav": ("WAV", "PCM_16", 1), "h.flac": ("FLAC", "PCM_S8", 1), "i.opus": ("OGG", "OPUS", 1)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, clips):
    """One clip of speech in every format, and one FLAC at another rate."""
    folder, (speech, rate) = tmp_path_factory.mktemp("sounds"), soundfile.read(clips["anger"])
    for name, (container, subtype, channels) in (LOSSLESS | LOSSY | FOREIGN).items():
        sound = np.stack([np.roll(speech, 700 * i) / (i + 1) for i in range(channels)], axis=1)
        soundfile.write(folder / name, sound, rate, format=container, subtype=subtype)
    soundfile.write(folder / "j.flac", speech, 22050)
    return folder


def rows(folder, *names, start=np.nan, end=np.nan):
    table = pd.DataFrame({"corpus": "x", "file": list(names), "start": start, "end": end})
    return pipeline.Clips(table, {"x": folder}, cache_bytes=150_000)  # room for one clip, not for two


def heard(clips, indices):
    """Read clips through a tf.data graph, as training does, without a crop."""
    import tensorflow as tf

    def read(index):
        return decoding.waveform(clips, index, 0.0, lambda clip, crop: clip)

    return [each.numpy() for each in tf.data.Dataset.from_tensor_slices(np.array(indices, "int32")).map(read)]


@needs_tensorflow_io
@pytest.mark.parametrize("name", [*LOSSLESS, *LOSSY])
def test_the_samples_of_soundfile(folder, name):
    clips = rows(folder, name)
    source = clips.source(0)
    assert source is not None and (source.start, source.end) == (0, source.num_frames)
    expected = audio.read(folder / name)
    tolerance = 1e-6 if name in LOSSLESS else 1e-5
    found, again = heard(clips, [0, 0])
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
    assert clips.source(0) is None  # held by now
    np.testing.assert_array_equal(again, found)
    np.testing.assert_array_equal(clips[0], found)


@needs_tensorflow_io
def test_excerpts(folder):
    clips = rows(folder, "b.flac", start=0.3, end=1.1)
    assert clips.source(0)[3:] == (4800, 17600)
    np.testing.assert_allclose(heard(clips, [0])[0], audio.read(folder / "b.flac", start_s=0.3, end_s=1.1), atol=1e-6)


@pytest.mark.parametrize("name", [*FOREIGN, "j.flac", "missing.flac"])
def test_what_only_soundfile_reads(folder, name):
    assert decoding.source(folder / name) is None


@pytest.mark.parametrize(("start_s", "end_s"), [(0.0, 9.0), (1.0, 1.05), (1.0, 0.5), (9.0, None)])
def test_excerpts_that_are_left_to_soundfile(folder, start_s, end_s):
    assert decoding.source(folder / "a.flac") is not None
    assert decoding.source(folder / "a.flac", start_s, end_s) is None


@needs_tensorflow_io
def test_all_kinds_in_one_feed(folder):
    names = [*LOSSLESS, *LOSSY, *FOREIGN, "j.flac"]
    for name, found in zip(names, heard(rows(folder, *names), range(len(names))), strict=True):
        np.testing.assert_allclose(found, audio.read(folder / name), rtol=0, atol=1e-5, err_msg=name)


@needs_tensorflow_io
def test_a_feed_is_the_same_with_and_without(folder, monkeypatch):
    """The batches of an epoch, crops and all."""
    small = {"training.batch_size": 4, "training.steps_per_epoch": 2, "augmentation.crop_s": 0.5}
    settings, names = config.load("cnn_ablstm", small), [*LOSSLESS, *LOSSY]
    targets = {"emotion": np.eye(2, dtype="float32")[np.arange(len(names)) % 2]}

    def batches():
        feed = iter(pipeline.dataset(rows(folder, *names), targets, settings, seed=0))
        return [next(feed)[0] for _ in range(2)]

    native = batches()
    monkeypatch.setattr(decoding, "available", lambda: False)
    for a, b in zip(native, batches(), strict=True):
        assert a.keys() == b.keys()
        for key in a:
            np.testing.assert_allclose(a[key], b[key], rtol=0, atol=1e-5)


@needs_tensorflow_io
def test_a_damaged_file_is_named(folder, tmp_path):
    damaged = bytearray((folder / "a.flac").read_bytes())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 3000] = bytes(3000)
    (tmp_path / "damaged.flac").write_bytes(damaged)
    (tmp_path / "a.flac").write_bytes((folder / "a.flac").read_bytes())
    clips = WatchedClips(rows(tmp_path, "a.flac", "damaged.flac"))
    with pytest.raises(AudioError, match=r"damaged.flac is truncated or damaged"), plain_errors(clips, 4):
        heard(clips, [0, 1])


def test_a_tensorflow_io_that_does_not_fit(tmp_path):
    """One line from the doctor, no crash, and nothing else on the terminal; soundfile decodes."""
    ops = tmp_path / "tensorflow_io" / "python" / "ops"
    ops.mkdir(parents=True)
    (tmp_path / "tensorflow_io" / "__init__.py").write_text("raise SystemError('must not be imported')")
    (ops / "libtensorflow_io.so").write_bytes(b"for another TensorFlow")
    about = tmp_path / "tensorflow_io-0.37.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: tensorflow-io\nVersion: 0.37.1\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)  # serzoo's own must do
    done = subprocess.run(
        [sys.executable, "-c", "from serzoo.cli import main; main()", "doctor"],
        capture_output=True,
        text=True,
        timeout=240,
        env=environment,
    )
    assert (done.returncode, done.stderr) == (0, "")  # training decodes without the extra, too
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("decoder in training"))
    assert line.startswith("decoder in training  tensorflow-io 0.37.1 does not fit TensorFlow ")
    assert line.endswith("soundfile decodes instead: python -m pip uninstall tensorflow-io.")
