"""Files to samples: two workers against one, and tensorflow-io against soundfile where it can be loaded."""

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.benchmarks import clips
from tests.benchmarks.measure import SAMPLE_RATE_HZ, Figure, compare, in_turn

FILES = 128


def figures() -> Iterator[Figure]:
    """WAV files by one and by two threads, and FLAC files inside the graph."""
    from serzoo import decoding, pipeline

    rows = pipeline.Clips(clips.table(FILES), {"emodb": clips.FOLDER}, cache_bytes=0)

    def by(workers):
        return lambda: list(workers.map(rows.__getitem__, range(FILES)))

    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(2) as two:
        seconds = in_turn({"one": by(one), "two": by(two)}, 15, time.perf_counter)
    yield compare("decoding WAV, two workers against one", seconds["one"], seconds["two"], note=f"{FILES} clips")
    if decoding.available():
        yield _tensorflow_io()
    else:
        print("decoding: tensorflow-io is not here or does not fit this TensorFlow, soundfile alone decodes")


def _tensorflow_io() -> Figure:
    import soundfile
    import tensorflow as tf

    from serzoo import audio, decoding

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.flac"
        soundfile.write(path, clips.waveform(3.0), SAMPLE_RATE_HZ)
        decoder = decoding.source(path).decoder
        names = tf.data.Dataset.from_tensors(str(path)).repeat(FILES)
        feeds = {
            "tensorflow-io": names.map(lambda name: decoding.decode(name, tf.constant(decoder))),
            "soundfile": names.map(
                lambda name: tf.numpy_function(lambda each: audio.read(each.decode()), [name], tf.float32)
            ),
        }
        seconds = in_turn({name: lambda feed=feed: list(feed) for name, feed in feeds.items()}, 15)
    return compare("decoding FLAC, tensorflow-io against soundfile", seconds["soundfile"], seconds["tensorflow-io"])
