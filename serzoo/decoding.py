"""FLAC, MP3 and Ogg decoded inside a tf.data graph, by tensorflow-io where TensorFlow can load it.

tensorflow-io is no longer maintained: its native operations load beside TensorFlow 2.16 and 2.17 alone. So it is an
extra (``pip install "serzoo[tfio]"``), loaded without its Python part, whose import floods the terminal where it does
not fit, and used for what it decodes to the samples of :func:`serzoo.audio.read`: 16 kHz FLAC of 16 or 24 bits, Ogg
Vorbis and MP3. All else goes to ``audio.read``, and so does a file that turns out to be damaged, for its error.
"""

import functools
import importlib.util
import os
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile

from serzoo import audio, containers
from serzoo.errors import SerzooError, first_line

# (format, subtype) of libsndfile -> place of its decoder in `decode`
_DECODERS = {("FLAC", "PCM_16"): 0, ("FLAC", "PCM_24"): 1, ("OGG", "VORBIS"): 2, ("MP3", "MPEG_LAYER_III"): 3}


class Source(NamedTuple):
    """A clip that tensorflow-io can decode: its file, decoder, frames of the file, and the excerpt in samples."""

    path: str
    decoder: int
    num_frames: int
    start: int
    end: int


def available() -> bool:
    """Whether tensorflow-io decodes here; ``audio.read`` does otherwise."""
    return _loaded()[0] is not None


def problem() -> str | None:
    """One sentence on a tensorflow-io that is installed and cannot be used; None if it can, or is not there."""
    return _loaded()[1]


def source(path: str | os.PathLike, start_s: float | None = None, end_s: float | None = None) -> Source | None:
    """Look at the header of a sound file.

    Args:
        path: the file.
        start_s: where the excerpt starts, in seconds, or None.
        end_s: where it ends, in seconds, or None.

    Returns:
        How :func:`decode` gets the clip; None where :func:`serzoo.audio.read` has to: at other rates, in other formats,
        and wherever something is wrong with the file or the excerpt, so that it can say what.

    Example:
        >>> source("tests/data/emodb/wav/03a01Wa.wav") is None  # WAV
        True
    """
    try:
        with containers.checked(path) as checked:
            # What is opened behind a repaired header is not what the file holds.
            sound = soundfile.info(checked) if isinstance(checked, str) else None
    except (SerzooError, OSError, RuntimeError):
        return None
    decoder = None if sound is None else _DECODERS.get((sound.format, sound.subtype))
    if decoder is None or sound.samplerate != audio.SAMPLE_RATE_HZ or sound.channels > audio.MAX_CHANNELS:
        return None
    start = round((start_s or 0.0) * audio.SAMPLE_RATE_HZ)
    end = sound.frames if end_s is None else round(end_s * audio.SAMPLE_RATE_HZ)
    shortest, longest = (limit * audio.SAMPLE_RATE_HZ for limit in (audio.MIN_DURATION_S, audio.MAX_DURATION_S))
    if not (0 <= start < end <= sound.frames and shortest <= end - start <= longest):
        return None
    return Source(os.fspath(path), decoder, sound.frames, start, end)


def waveform(clips, index, crop, cut: Callable):
    """Give a part of one of many clips in a graph; what was decoded is kept by the clips.

    Args:
        clips: with ``clips.source(i)``, ``clips.keep(i, waveform)`` and ``clips[i]``, as
            :class:`serzoo.pipeline.Clips`.
        index: scalar integer tensor.
        crop: scalar tensor, for ``cut``.
        cut: function of a whole clip, an array, and ``crop`` that gives the part.

    Returns:
        Tensor ``(samples,)`` float32.
    """
    import tensorflow as tf

    def locate(index, crop):
        found = clips.source(int(index))
        if found is None:
            return cut(clips[int(index)], crop), b"", np.int32(-1), np.int64(0), np.int64(0), np.int64(0)
        return np.zeros(0, "float32"), os.fsencode(found.path), np.int32(found.decoder), *map(np.int64, found[2:])

    def finish(whole, num_frames, start, end, index, crop):
        if len(whole) != num_frames:  # damaged in the middle: this tells it, or knows better
            return cut(clips[int(index)], crop)
        clips.keep(int(index), whole[start:end].copy())  # a view would keep the whole file
        return cut(whole[start:end], crop)

    def natively():
        return tf.numpy_function(finish, [decode(path, decoder), *span, index, crop], tf.float32)

    held, path, decoder, *span = tf.numpy_function(
        locate, [index, crop], [tf.float32, tf.string, tf.int32, tf.int64, tf.int64, tf.int64]
    )
    path, decoder = tf.ensure_shape(path, []), tf.ensure_shape(decoder, [])
    return tf.ensure_shape(tf.cond(decoder < 0, lambda: held, natively), [None])


def decode(path, decoder):
    """Decode a whole file in a graph.

    Args:
        path: scalar string tensor.
        decoder: scalar integer tensor, as in :class:`Source`.

    Returns:
        Tensor ``(frames,)``, mono float32 at the rate of the file.
    """
    import tensorflow as tf

    native = _loaded()[0]
    contents, shape = tf.io.read_file(path), tf.constant([-1, -1], tf.int64)

    def flac(dtype):
        return tf.cast(native.io_audio_decode_flac(contents, shape=shape, dtype=dtype), tf.float32) / -float(dtype.min)

    decoders = [
        lambda: flac(tf.int16),
        lambda: flac(tf.int32),  # of 24 bits, in the upper three bytes
        lambda: native.io_audio_decode_vorbis(contents, shape=shape),
        lambda: native.io_audio_decode_mp3(contents, shape=shape),
    ]
    return tf.reduce_mean(tf.switch_case(decoder, decoders), axis=1)


@functools.cache
def _loaded() -> tuple[Any, str | None]:
    """The native operations of tensorflow-io, or None, and why not."""
    package = importlib.util.find_spec("tensorflow_io")
    if package is None or package.origin is None or importlib.util.find_spec("tensorflow") is None:
        return None, None
    import tensorflow as tf

    library = Path(package.origin).parent / "python" / "ops" / "libtensorflow_io.so"
    try:
        return tf.load_op_library(os.fspath(library)), None
    except (tf.errors.OpError, OSError, RuntimeError) as error:
        reason = "undefined symbols" if "undefined symbol" in str(error) else first_line(error)
    return None, (
        f"tensorflow-io {_version()} does not fit TensorFlow {tf.__version__} ({reason}); it loads beside 2.16 and "
        "2.17 alone. soundfile decodes instead: python -m pip uninstall tensorflow-io."
    )


def _version() -> str:
    try:
        return metadata.version("tensorflow-io")
    except metadata.PackageNotFoundError:
        return "of unknown version"
