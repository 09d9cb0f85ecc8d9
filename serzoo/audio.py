"""Sound from files and arrays: mono, float32, 16 kHz, whatever came.

Everything in serzoo that hears something hears it through :func:`read` or :func:`blocks`. Both decode with libsndfile
and resample with soxr (HQ) block by block, so that hours of sound need no more memory than the answer; both give the
same samples. Channels are averaged, integers are scaled to [-1, 1), nothing is normalised, trimmed or dithered.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from serzoo import containers
from serzoo.errors import AudioError, MissingFileError
from serzoo.files import below, check_names
from serzoo.samples import (
    MAX_AMPLITUDE,
    MAX_CHANNELS,
    MAX_DURATION_S,
    MAX_SAMPLE_RATE_HZ,
    MIN_DURATION_S,
    MIN_SAMPLE_RATE_HZ,
    SAMPLE_RATE_HZ,
    SHORTEST_S,
    UNKNOWN_FRAMES,
    Array,
    decoded,
    excerpt,
    opened,
)

__all__ = [
    "MAX_AMPLITUDE",
    "MAX_CHANNELS",
    "MAX_DURATION_S",
    "MAX_SAMPLE_RATE_HZ",
    "MIN_DURATION_S",
    "MIN_SAMPLE_RATE_HZ",
    "SAMPLE_RATE_HZ",
    "SHORTEST_S",
    "Info",
    "blocks",
    "examples",
    "find",
    "info",
    "read",
]


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
        with opened(source) as sound:
            if sample_rate_hz is not None and sample_rate_hz != sound.samplerate:
                raise AudioError(
                    f"{source} is at {sound.samplerate} Hz by its own header; sample_rate_hz={sample_rate_hz} is for "
                    "arrays alone."
                )
            parts = list(excerpt(sound, source, start_s, end_s))
    else:
        sound = Array(source, sample_rate_hz)
        parts = list(excerpt(sound, "The array", start_s, end_s))
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
    with opened(path) as sound:
        held, num_held = [], 0
        for part in excerpt(sound, path, None, None):
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
    with opened(path) as sound:
        num_frames = sound.frames
        if num_frames >= UNKNOWN_FRAMES:
            num_frames = sum(map(len, decoded(sound, path, 0, None)))
        return Info(num_frames / sound.samplerate, sound.samplerate, sound.channels)


def find(folder: str | os.PathLike, *, foreign: bool = False) -> list[Path]:
    """List the sound files below a folder, by suffix, in sorted order, as :func:`serzoo.files.below` does.

    Args:
        folder: where to look, at any depth; hidden files and folders are skipped, and links are followed.
        foreign: list sound in formats that cannot be read, too, such as M4A, links to files that are gone, and names
            that are not valid UTF-8, for whoever names what was left out.

    Returns:
        Paths that start with ``folder``; empty if there are none.

    Raises:
        MissingFileError: if the folder does not exist.
        AudioError: if it is a file.
        CorpusError: if the name of a sound file is not valid UTF-8, without ``foreign``.

    Example:
        >>> [path.name for path in find("tests/data")][:1]
        ['03a01Wa.wav']
    """
    folder = Path(folder)
    if not folder.exists():
        raise MissingFileError(f"{folder} does not exist.")
    if not folder.is_dir():
        raise AudioError(f"{folder} is a file; a folder is needed.")
    suffixes = containers.SUFFIXES | containers.FOREIGN_SUFFIXES if foreign else containers.SUFFIXES
    found = below(folder, suffixes, strict=False)
    if not foreign:
        check_names(folder, found)
    paths = map(folder.joinpath, found)
    return sorted(path for path in paths if path.is_file() or (foreign and not path.exists()))


def examples() -> list[Path]:
    """Paths of the four clips that ship with serzoo: EmoDB (CC0), each another speaker and emotion.

    Returns:
        WAV files of anger, happiness, neutral and sadness, in this order.

    Raises:
        MissingFileError: if the installation has lost them.

    Example:
        >>> [path.name for path in examples()]
        ['03a01Wa.wav', '09a04Fd.wav', '11a02Nc.wav', '14a02Tb.wav']
    """
    package = Path(__file__).resolve().parent
    places = (package / "speech", package.parent / "tests" / "data" / "emodb" / "wav")
    found = next((sorted(place.glob("*.wav")) for place in places if place.is_dir()), [])
    if not found:
        raise MissingFileError(
            f"serzoo needs its clips of speech; they are in neither of: {', '.join(map(str, places))}."
        )
    return found
