"""Samples of files and arrays: decoded, mixed down and resampled block by block.

:mod:`serzoo.audio` is what to call.
"""

import contextlib
import math
import numbers
import os
from collections.abc import Iterable, Iterator

import numpy as np
import soundfile
import soxr

from serzoo import containers
from serzoo.errors import AudioError

SAMPLE_RATE_HZ = 16000
MIN_DURATION_S = 0.1
# 0.1 s need not be a whole number of samples, and both ends of an excerpt are rounded.
SHORTEST_S = MIN_DURATION_S - 1.5 / SAMPLE_RATE_HZ
MAX_DURATION_S = 6 * 3600
MAX_CHANNELS = 32
MIN_SAMPLE_RATE_HZ = 1000
MAX_SAMPLE_RATE_HZ = 768_000

MAX_AMPLITUDE = 1e10  # beyond 32-bit integers in floats; far from where a power spectrum overflows
_MARGIN_S = 0.25  # context decoded beside an excerpt, so that its edges are resampled as in the whole
# Decoded at once: so many seconds, and in samples times channels 4 MB at most.
_DECODED_S = 10
_DECODED_VALUES = 1 << 20
UNKNOWN_FRAMES = 1 << 62  # libsndfile counts so where a header does not tell


def excerpt(sound: "Sound | Array", name: object, start_s: float | None, end_s: float | None) -> Iterator[np.ndarray]:
    """Yield the 16 kHz samples from ``start_s`` to ``end_s``, mono float32.

    Args:
        sound: an open file, or an array.
        name: what to call it in errors.
        start_s: where an excerpt starts, in seconds; None or NaN is the beginning.
        end_s: where it ends, in seconds; None or NaN is the end.

    Raises:
        AudioError: as :func:`serzoo.audio.read`.
    """
    rate = sound.samplerate
    start_s, end_s = _checked_span(sound, name, start_s, end_s)

    # Decode from a frame that falls on a 16 kHz sample, early enough for the resampling filter. Positions below count
    # 16 kHz samples from there.
    common = math.gcd(rate, SAMPLE_RATE_HZ)
    steps = max(0, math.floor((start_s - _MARGIN_S) * common))
    first_frame, origin = steps * (rate // common), steps * (SAMPLE_RATE_HZ // common)
    start = round(start_s * SAMPLE_RATE_HZ) - origin
    if end_s is None:
        last_frame, end = None, math.inf
    else:
        last_frame, end = math.ceil((end_s + _MARGIN_S) * rate), round(end_s * SAMPLE_RATE_HZ) - origin

    at = num_samples = 0
    for part in _resampled(decoded(sound, name, first_frame, last_frame), rate):
        wanted = part[max(start - at, 0) : max(min(end - at, len(part)), 0)]
        at += len(part)
        num_samples += len(wanted)
        if num_samples > MAX_DURATION_S * SAMPLE_RATE_HZ + 1:
            break
        if len(wanted):
            yield wanted
    # Again, for files whose header did not tell.
    _check_duration(name, num_samples / SAMPLE_RATE_HZ)


@contextlib.contextmanager
def opened(path: str | os.PathLike) -> Iterator["Sound"]:
    """Open a file with libsndfile, its header checked."""
    with containers.checked(path) as source:
        try:
            sound = Sound(source)
        except (soundfile.SoundFileError, TypeError, ValueError) as error:
            reason = getattr(error, "error_string", str(error)).rstrip(".")
            raise containers.unreadable(path, f"cannot be decoded ({reason})") from error
        with sound:
            _check_shape(path, sound.samplerate, sound.channels)
            yield sound


def _check_scale(array: np.ndarray) -> None:
    """Refuse numbers of a narrow type in a wide one, which would count as silence."""
    bits = 8 * array.dtype.itemsize
    if array.dtype.kind == "i" and bits > 16 and array.size:
        peak = max(int(array.max()), -int(array.min()))
        if 0 < peak <= 2 ** (bits // 2 - 1):
            raise AudioError(
                f"The samples of an {array.dtype} array count in steps of 2**-{bits - 1}, and the largest is {peak}: "
                "they seem to be of a narrower type. Convert them, as by .astype('int16'), or scale them to [-1, 1]."
            )


class Array:
    """An array with as much of SoundFile as decoding needs."""

    def __init__(self, source, sample_rate_hz: int | None):
        try:
            array = np.asarray(source)
        except (RuntimeError, TypeError, ValueError) as error:  # such as of a tensor of PyTorch that has a gradient
            raise AudioError(f"The source must be a path or an array. Received: {type(source).__name__}.") from error
        if array.dtype.kind not in "fiu" or np.isscalar(source):
            received = array.dtype if isinstance(source, np.ndarray) else type(source).__name__
            raise AudioError(f"The source must be a path or an array of floats or integers. Received: {received}.")
        if array.ndim not in (1, 2):
            raise AudioError(f"An array must be (samples,) or (samples, channels). Received shape: {array.shape}.")
        if sample_rate_hz is None:
            raise AudioError("An array needs sample_rate_hz, its rate in Hz. Received: None.")
        if not isinstance(sample_rate_hz, numbers.Real) or not float(sample_rate_hz).is_integer():
            raise AudioError(f"sample_rate_hz must be a whole number of Hz. Received: {sample_rate_hz!r}.")
        _check_scale(array)
        self._array = array[:, np.newaxis] if array.ndim == 1 else array
        self._at = 0
        self.frames, self.channels = self._array.shape
        self.samplerate = int(sample_rate_hz)
        _check_shape("The array", self.samplerate, self.channels)

    def seek(self, frame: int) -> None:
        """Turn to a frame."""
        self._at = frame

    def read(self, num_frames: int, dtype: str, always_2d: bool) -> np.ndarray:
        """The next frames, ``(frames, channels)``; integers are scaled to [-1, 1)."""
        part = self._array[self._at : self._at + num_frames]
        self._at += len(part)
        if part.dtype.kind == "f":
            with np.errstate(over="ignore"):  # becomes infinite and is refused
                return part.astype(dtype)
        scale = 2.0 ** (8 * part.dtype.itemsize - 1)
        return (part / scale - (part.dtype.kind == "u")).astype(dtype)


class Sound(soundfile.SoundFile):
    """A file that is read from its start to its end."""

    # SoundFile.read seeks after each block where it can. That breaks what an MP3 decoder keeps between frames (errors
    # of a third of full scale) and fails on FLAC of unknown length, so let it believe that it cannot.
    def seekable(self):
        """No, whatever the file."""
        return False


def _check_shape(name: object, sample_rate_hz: int, num_channels: int) -> None:
    if not MIN_SAMPLE_RATE_HZ <= sample_rate_hz <= MAX_SAMPLE_RATE_HZ:
        raise AudioError(
            f"{name} must have a sample rate of {MIN_SAMPLE_RATE_HZ} to {MAX_SAMPLE_RATE_HZ} Hz. "
            f"Received: {sample_rate_hz}."
        )
    if not 1 <= num_channels <= MAX_CHANNELS:
        raise AudioError(
            f"{name} must have 1 to {MAX_CHANNELS} channels, (samples, channels) if it is an array. "
            f"Received: {num_channels}."
        )


def _check_duration(name: object, duration_s: float) -> None:
    if duration_s < SHORTEST_S:
        raise AudioError(f"{name} must last {MIN_DURATION_S} s or more. Received: {duration_s:.4g} s.")
    if duration_s > MAX_DURATION_S:
        raise AudioError(f"{name} must last {MAX_DURATION_S // 3600} h or less. Received: {duration_s / 3600:.4g} h.")


def _checked_span(
    sound: "Sound | Array", name: object, start_s: float | None, end_s: float | None
) -> tuple[float, float | None]:
    if sound.frames == 0:
        raise AudioError(f"{name} is empty: it holds 0 samples.")
    start_s = 0.0 if start_s is None or math.isnan(start_s) else start_s
    end_s = None if end_s is None or math.isnan(end_s) else end_s
    duration_s = sound.frames / sound.samplerate if sound.frames < UNKNOWN_FRAMES else math.inf
    # Corpora round: the end may stand a little beyond the sound.
    if not 0 <= start_s < (duration_s if end_s is None else end_s) <= duration_s + MIN_DURATION_S:
        raise AudioError(
            f"{name} lasts {duration_s:.4g} s; an excerpt needs 0 <= start_s < end_s <= duration. "
            f"Received: start_s={start_s}, end_s={end_s}."
        )
    span_s = min(duration_s, math.inf if end_s is None else end_s) - start_s
    if math.isfinite(span_s):
        _check_duration(name, span_s)
    return start_s, end_s


def decoded(sound: "Sound | Array", name: object, first_frame: int, last_frame: int | None) -> Iterator[np.ndarray]:
    """Yield mono float32 blocks at the sound's own rate; ``last_frame`` None reads to the end."""
    at, last = first_frame, sound.frames if last_frame is None else min(last_frame, sound.frames)
    size = max(1, min(_DECODED_S * sound.samplerate, _DECODED_VALUES // sound.channels))
    while at < last:
        try:
            if at == first_frame > 0:
                sound.seek(at)
            block = sound.read(min(size, last - at), dtype="float32", always_2d=True)
        except soundfile.SoundFileError as error:
            reason = getattr(error, "error_string", str(error)).removeprefix("Error : ").rstrip(".")
            raise containers.truncated(name, f"it does not decode to its end ({reason})") from error
        if not len(block):
            break
        mono = _mono(block)
        peak = np.abs(mono).max()
        if not peak <= MAX_AMPLITUDE:
            raise AudioError(f"{name} must hold finite samples in [-1, 1]. Received: {peak} among them.")
        yield mono
        at += len(block)
    if at < last and sound.frames < UNKNOWN_FRAMES:
        raise containers.truncated(
            name,
            f"its header promises {sound.frames / sound.samplerate:.4g} s and {at / sound.samplerate:.4g} s are there",
        )


def _mono(block: np.ndarray) -> np.ndarray:
    if block.shape[1] == 1:
        return block[:, 0]
    # Five times faster than mean(axis=1) on two channels.
    total = block[:, 0] + block[:, 1]
    for channel in range(2, block.shape[1]):
        total += block[:, channel]
    return total / np.float32(block.shape[1])


def _resampled(parts: Iterable[np.ndarray], sample_rate_hz: int) -> Iterator[np.ndarray]:
    if sample_rate_hz == SAMPLE_RATE_HZ:
        yield from parts
        return
    stream = soxr.ResampleStream(sample_rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")
    for part in parts:
        yield stream.resample_chunk(np.ascontiguousarray(part))
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
