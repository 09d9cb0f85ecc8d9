"""Sound from files and arrays: mono, float32, 16 kHz, whatever came.

Everything in serzoo that hears something hears it through :func:`read` or :func:`blocks`. Both decode with libsndfile
and resample with soxr (HQ) block by block, so that hours of sound need no more memory than the answer; both give the
same samples. Channels are averaged, integers are scaled to [-1, 1), nothing is normalised, trimmed or dithered.
"""

import contextlib
import math
import numbers
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr

from . import containers
from .errors import AudioError, MissingFileError

SAMPLE_RATE_HZ = 16000
MIN_DURATION_S = 0.1
MAX_DURATION_S = 6 * 3600
MAX_CHANNELS = 32
MIN_SAMPLE_RATE_HZ = 1000
MAX_SAMPLE_RATE_HZ = 768_000

_MAX_AMPLITUDE = 1e10  # beyond 32-bit integers in floats; far from where a power spectrum overflows
_MARGIN_S = 0.25  # context decoded beside an excerpt, so that its edges are resampled as in the whole
# Decoded at once: so many seconds, and in samples times channels 4 MB at most.
_DECODED_S = 10
_DECODED_VALUES = 1 << 20
_UNKNOWN_FRAMES = 1 << 62  # libsndfile counts so where a header does not tell


class Info(NamedTuple):
    """What the header of a sound file says: seconds, Hz and channels of the sound as stored."""

    duration_s: float
    sample_rate_hz: int
    num_channels: int


def read(
    source: "str | os.PathLike | np.ndarray",
    sample_rate_hz: int | None = None,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
) -> np.ndarray:
    """Read a sound file, or convert an array, to mono float32 at 16 kHz.

    Args:
        source: path of a WAV, FLAC, Ogg, MP3, AIFF, AU, CAF or W64 file, or an array of shape ``(samples,)`` or
            ``(samples, channels)``; integer arrays are scaled to [-1, 1) by the range of their type.
        sample_rate_hz: rate of the array, 1000 to 768000 Hz. Files carry their own.
        start_s: where an excerpt starts, in seconds; None or NaN is the beginning.
        end_s: where it ends, in seconds; None or NaN is the end.

    Returns:
        Waveform of shape ``(samples,)``. An excerpt equals the same samples of the whole, to rounding.

    Raises:
        MissingFileError: if the file does not exist.
        AudioError: if the source is empty, truncated, no sound, shorter than 0.1 s, longer than 6 h, has NaN or
            infinite samples, a rate or number of channels out of bounds, or does not reach the excerpt.

    Example:
        >>> read("tests/data/emodb/wav/03a01Wa.wav").shape
        (30045,)
        >>> read(np.zeros((48000, 2), np.int16), 48000, start_s=0.25).shape
        (12000,)
    """
    if isinstance(source, str | os.PathLike):
        with _opened(source) as sound:
            if sample_rate_hz is not None and sample_rate_hz != sound.samplerate:
                raise AudioError(
                    f"{source} is at {sound.samplerate} Hz by its own header; sample_rate_hz={sample_rate_hz} is for "
                    "arrays alone."
                )
            parts = list(_excerpt(sound, source, start_s, end_s))
    else:
        sound = _Array(source, sample_rate_hz)
        parts = list(_excerpt(sound, "The array", start_s, end_s))
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def blocks(path: str | os.PathLike, block_s: float = 30.0) -> Iterator[np.ndarray]:
    """Read a sound file of any length block by block, in constant memory.

    Args:
        path: the file.
        block_s: seconds in each block; the last one holds what remains.

    Yields:
        Waveforms of shape ``(samples,)``, mono float32 at 16 kHz. Joined they are exactly what :func:`read` returns.

    Raises:
        MissingFileError: as :func:`read`, when the first block is asked for.
        AudioError: as :func:`read`; damage inside a file shows when its block is asked for.

    Example:
        >>> [len(block) for block in blocks("tests/data/emodb/wav/03a01Wa.wav", block_s=1.0)]
        [16000, 14045]
    """
    size = round(block_s * SAMPLE_RATE_HZ)
    if size < 1:
        raise AudioError(f"block_s must be a duration > 0. Received: {block_s}.")
    with _opened(path) as sound:
        held, num_held = [], 0
        for part in _excerpt(sound, path, None, None):
            held.append(part)
            num_held += len(part)
            if num_held < size:
                continue
            joined = np.concatenate(held)
            whole = num_held - num_held % size
            # Copies, so that a block kept by the caller does not keep its neighbours.
            yield from (joined[at : at + size].copy() for at in range(0, whole, size))
            held, num_held = [joined[whole:]], num_held - whole
        if num_held:
            yield np.concatenate(held)


def info(path: str | os.PathLike) -> Info:
    """Read duration, sample rate and channels from the header of a sound file.

    Only where a header does not tell the duration (FLAC written to a pipe) is the file decoded to find it.

    Args:
        path: the file.

    Returns:
        ``(duration_s, sample_rate_hz, num_channels)`` as stored, before any conversion.

    Raises:
        MissingFileError: if the file does not exist.
        AudioError: if it is no whole sound file.

    Example:
        >>> info("tests/data/emodb/wav/03a01Wa.wav")
        Info(duration_s=1.8778125, sample_rate_hz=16000, num_channels=1)
    """
    with _opened(path) as sound:
        num_frames = sound.frames
        if num_frames >= _UNKNOWN_FRAMES:
            num_frames = sum(map(len, _decoded(sound, path, 0, None)))
        return Info(num_frames / sound.samplerate, sound.samplerate, sound.channels)


def find(folder: str | os.PathLike) -> list[Path]:
    """List the sound files below a folder, by suffix, in sorted order; hidden files and folders are skipped.

    Args:
        folder: where to look, at any depth.

    Returns:
        Paths that start with ``folder``; empty if there are none.

    Raises:
        MissingFileError: if the folder does not exist.
        AudioError: if it is a file.

    Example:
        >>> [path.name for path in find("tests/data")][:1]
        ['03a01Wa.wav']
    """
    folder = Path(folder)
    if not folder.exists():
        raise MissingFileError(f"{folder} does not exist.")
    if not folder.is_dir():
        raise AudioError(f"{folder} is a file; a folder is needed.")
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(parent, name)
            for name in names
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in containers.SUFFIXES
        ]
    return sorted(path for path in found if path.is_file())


class _Sound(soundfile.SoundFile):
    # SoundFile.read seeks after each block where it can. That breaks what an MP3 decoder keeps between frames (errors
    # of a third of full scale) and fails on FLAC of unknown length, so let it believe that it cannot.
    def seekable(self):
        return False


class _Array:
    """An array with as much of SoundFile as decoding needs."""

    def __init__(self, array, sample_rate_hz: int | None):
        if sample_rate_hz is None:
            raise AudioError("An array needs sample_rate_hz, its rate in Hz. Received: None.")
        if not isinstance(sample_rate_hz, numbers.Real) or not float(sample_rate_hz).is_integer():
            raise AudioError(f"sample_rate_hz must be a whole number of Hz. Received: {sample_rate_hz}.")
        try:
            array = np.asarray(array)
        except ValueError as error:
            raise AudioError(f"The source must be a path or an array. Received: {type(array).__name__}.") from error
        if array.dtype.kind not in "fiu":
            raise AudioError(f"The source must be a path or an array of floats or integers. Received: {array.dtype}.")
        if array.ndim not in (1, 2):
            raise AudioError(f"An array must be (samples,) or (samples, channels). Received shape: {array.shape}.")
        self._array = array[:, np.newaxis] if array.ndim == 1 else array
        self._at = 0
        self.frames, self.channels = self._array.shape
        self.samplerate = int(sample_rate_hz)
        _check_shape("The array", self.samplerate, self.channels)

    def seek(self, frame: int) -> None:
        self._at = frame

    def read(self, num_frames: int, dtype: str, always_2d: bool) -> np.ndarray:
        part = self._array[self._at : self._at + num_frames]
        self._at += len(part)
        if part.dtype.kind == "f":
            with np.errstate(over="ignore"):  # becomes infinite and is refused
                return part.astype(dtype)
        scale = 2.0 ** (8 * part.dtype.itemsize - 1)
        return (part / scale - (part.dtype.kind == "u")).astype(dtype)


@contextlib.contextmanager
def _opened(path: str | os.PathLike) -> Iterator[_Sound]:
    """Open a file with libsndfile, its header checked."""
    with containers.checked(path) as source:
        try:
            sound = _Sound(source)
        except (soundfile.SoundFileError, TypeError, ValueError) as error:
            reason = getattr(error, "error_string", str(error)).rstrip(".")
            raise containers.unreadable(path, f"cannot be decoded ({reason})") from error
        with sound:
            _check_shape(path, sound.samplerate, sound.channels)
            yield sound


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
    # 0.1 s need not be a whole number of samples, and both ends of an excerpt are rounded.
    if duration_s < MIN_DURATION_S - 1.5 / SAMPLE_RATE_HZ:
        raise AudioError(f"{name} must last {MIN_DURATION_S} s or more. Received: {duration_s:.4g} s.")
    if duration_s > MAX_DURATION_S:
        raise AudioError(f"{name} must last {MAX_DURATION_S // 3600} h or less. Received: {duration_s / 3600:.4g} h.")


def _excerpt(
    sound: "_Sound | _Array", name: object, start_s: float | None, end_s: float | None
) -> Iterator[np.ndarray]:
    """Yield the 16 kHz samples from ``start_s`` to ``end_s``."""
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
    for part in _resampled(_decoded(sound, name, first_frame, last_frame), rate):
        wanted = part[max(start - at, 0) : max(min(end - at, len(part)), 0)]
        at += len(part)
        num_samples += len(wanted)
        if num_samples > MAX_DURATION_S * SAMPLE_RATE_HZ + 1:
            break
        if len(wanted):
            yield wanted
    # Again, for files whose header did not tell.
    _check_duration(name, num_samples / SAMPLE_RATE_HZ)


def _checked_span(
    sound: "_Sound | _Array", name: object, start_s: float | None, end_s: float | None
) -> tuple[float, float | None]:
    if sound.frames == 0:
        raise AudioError(f"{name} is empty: it holds 0 samples.")
    start_s = 0.0 if start_s is None or math.isnan(start_s) else start_s
    end_s = None if end_s is None or math.isnan(end_s) else end_s
    duration_s = sound.frames / sound.samplerate if sound.frames < _UNKNOWN_FRAMES else math.inf
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


def _decoded(sound: "_Sound | _Array", name: object, first_frame: int, last_frame: int | None) -> Iterator[np.ndarray]:
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
        if not peak <= _MAX_AMPLITUDE:
            raise AudioError(f"{name} must hold finite samples in [-1, 1]. Received: {peak} among them.")
        yield mono
        at += len(block)
    if at < last and sound.frames < _UNKNOWN_FRAMES:
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
