"""Measured rooms for training and for tests: impulse responses, each a sound file.

A ``manifest.csv`` beside them, with the columns ``file`` and ``licence``, says how each may be used.
"""

import csv
import io
import math
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from serzoo import audio
from serzoo.corpora import OWN_LICENCE
from serzoo.corpora.corpus import read_text
from serzoo.errors import CorpusError
from serzoo.samples import decoded, opened


def read(root: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read measured rooms: every sound file below a folder is an impulse response, named by its file.

    Args:
        root: the folder.

    Returns:
        Responses ``(taps,)`` float32 at 16 kHz by name, in the order of the files.

    Raises:
        MissingFileError: if the folder does not exist.
        CorpusError: if it holds no sound file, or one that is silent, or two of one name.
        AudioError: if a file cannot be read.
    """
    files = audio.find(root)
    if not files:
        raise CorpusError(f"A folder of rooms must hold impulse responses as sound files. Received: {root}.")
    rooms: dict[str, np.ndarray] = {}
    for path in files:
        if path.stem in rooms:
            raise CorpusError(f"Rooms are named by their files, each name once. Received twice: {path.stem}.")
        rooms[path.stem] = _response(path)
        if not rooms[path.stem].any():
            raise CorpusError(f"The room {path} is silent: its impulse response holds nothing but zeros.")
    return rooms


def _response(path: Path) -> np.ndarray:
    """Read one response: of a small room it may be shorter than any clip, and silence at its end changes nothing."""
    duration_s, sample_rate_hz, _ = audio.info(path)
    if duration_s >= audio.MIN_DURATION_S:
        return audio.read(path)
    with opened(path) as sound:
        samples = np.concatenate(list(decoded(sound, path, 0, None)))
    missing = math.ceil(audio.MIN_DURATION_S * sample_rate_hz) - len(samples)
    return audio.read(np.pad(samples, (0, missing)), sample_rate_hz)


def licences(root: str | os.PathLike) -> set[str]:
    """Licences of measured rooms, as SPDX writes them; ``"as its owner says"`` for a room without one.

    Args:
        root: the folder.

    Raises:
        CorpusError: if the manifest lacks a column.
    """
    manifest, told = Path(root) / "manifest.csv", {}
    if manifest.is_file():
        reader = csv.DictReader(io.StringIO(read_text(manifest), newline=""))
        names = reader.fieldnames or ()
        if not {"file", "licence"} <= set(names):
            raise CorpusError(
                f"{manifest} must have the columns file and licence. Received: {', '.join(names) or 'none'}."
            )
        told = {row["file"]: row["licence"] or "" for row in reader}
    files = [path.relative_to(root).as_posix() for path in audio.find(root)]
    return {"-".join(told.get(file, "").split()) or OWN_LICENCE for file in files}


class Responses:
    """Responses by the number that a plan draws: 0 is no room, the others follow in order.

    They are cut where nothing of them can be heard in a clip of the given length: what comes later after the direct
    sound than the clip is long.

    Args:
        rooms: as from :func:`read`.
        length_s: length of the longest clip, in seconds.

    Example:
        >>> responses = Responses({"hall": np.array([0.1, 1.0, 0.5, 0.2], "float32")}, 1 / 16000)
        >>> len(responses), responses[0].tolist(), len(responses[1])
        (2, [0.0], 2)
    """

    def __init__(self, rooms: Mapping[str, np.ndarray], length_s: float):
        samples = round(length_s * audio.SAMPLE_RATE_HZ)
        self._responses = [np.zeros(1, "float32")]  # in which Reverberate changes nothing
        self._responses += [response[: np.abs(response).argmax() + samples] for response in rooms.values()]

    def __len__(self) -> int:
        return len(self._responses)

    def __getitem__(self, number: int) -> np.ndarray:
        """Response ``(taps,)`` float32."""
        return self._responses[number]
