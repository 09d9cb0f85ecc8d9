"""Recorded noise for training and for tests: which recordings, and their sound.

The classes of a recording are its type, and for a model that recognises noise two more: clean speech, and noise alone.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from serzoo import audio, corpora
from serzoo.errors import CorpusError, join

CLEAN, NOISE_ALONE = "clean", "noise_alone"


class Noises:
    """Recordings of noise, decoded at once, so that whatever is wrong with one of them is said before training begins.

    Args:
        table: rows with ``corpus``, ``file``, ``start``, ``end``, ``split`` and ``noise`` (the type), as from
            :func:`serzoo.corpora.read_noise`.
        roots: root folder of each noise corpus.

    Raises:
        CorpusError: if there is no recording, or one of them is silent, has no type or a type named ``"clean"`` or
            ``"noise_alone"``.
        AudioError: if one cannot be read, or is not finite.
    """

    def __init__(self, table: pd.DataFrame, roots: Mapping[str, str | Path]):
        if table.empty or table["noise"].isna().any():
            without = "none at all" if table.empty else f"one without: {table['file'][table['noise'].isna()].iloc[0]}"
            raise CorpusError(f"Noise needs recordings, each with a type. Received: {without}.")
        self.table = table.reset_index(drop=True)
        self.types = sorted(set(table["noise"]))
        if reserved := {CLEAN, NOISE_ALONE}.intersection(self.types):
            raise CorpusError(
                f"No type of noise may be named {CLEAN} or {NOISE_ALONE}, which mean clean speech and noise in which "
                f"nobody speaks. Received: {join(sorted(reserved))}."
            )
        self.targets = (
            table["noise"].to_numpy(object)[:, None] == np.array([*self.types, CLEAN, NOISE_ALONE], object)[None]
        ).astype("float32")  # (recordings, classes)
        self._sounds = []
        for row in self.table.itertuples():
            path = Path(roots[row.corpus]) / row.file
            self._sounds.append(corpora.noise_waveform(path, start_s=row.start, end_s=row.end))

    def __len__(self) -> int:
        return len(self._sounds)

    def __getitem__(self, index: int) -> np.ndarray:
        """Waveform of one recording, ``(samples,)`` float32 at 16 kHz, without its near-silent stretches."""
        return self._sounds[index]

    @property
    def heard(self) -> dict[str, dict[str, Any]]:
        """What a card tells of each noise corpus: types, and the split; None where that is not one alone."""
        told = {}
        for corpus, rows in self.table.groupby("corpus"):
            whole = rows["split"].isna().any() or rows["split"].nunique() > 1
            told[corpus] = {"types": sorted(set(rows["noise"])), "split": None if whole else rows["split"].iloc[0]}
        return told

    @property
    def classes(self) -> list[str]:
        """What recognition tells apart: the types, clean speech, noise alone."""
        return [*self.types, CLEAN, NOISE_ALONE]


def read(roots: Mapping[str, str | Path], split: str = "train") -> Noises:
    """Read the recordings of a split of some noise corpora.

    Args:
        roots: root folder of each noise corpus.
        split: ``"train"``, ``"validation"`` or ``"test"``. A corpus that has no splits has all its recordings in each.

    Returns:
        The recordings.

    Raises:
        CorpusError: if a corpus cannot be read, has no recording in the split, or has splits to which some of its
            recordings do not belong.
    """
    parts = []
    for name, root in roots.items():
        table = corpora.read_noise(name, root)
        if table["split"].notna().any():
            if without := table["file"][table["split"].isna()].tolist():
                raise CorpusError(
                    f"Where {name} has splits, each recording must belong to one. Received {len(without)} without: "
                    f"{join(without, 3)}."
                )
            table = table[table["split"] == split]
        if table.empty:
            raise CorpusError(f"{name} has no recording in its split {split!r}: {root}.")
        parts.append(table)
    return Noises(pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"noise": []}), roots)


def joined(*heard: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Join what several trainings heard, each as of :attr:`Noises.heard`."""
    told: dict[str, dict[str, Any]] = {}
    for corpus, each in (pair for one in heard for pair in one.items()):
        known = told.get(corpus, each)
        split = each["split"] if each["split"] == known["split"] else None
        told[corpus] = {"types": sorted({*known["types"], *each["types"]}), "split": split}
    return told


def was_heard(card: Mapping[str, Any], corpus: str) -> bool:
    """Tell whether training left no recording of a noise corpus to test with, by the card of its weights.

    A corpus without splits is heard whole; ESC-10 is a part of ESC-50, with the same splits.
    """
    heard = {_ESC.get(name, name) for name, each in card.get("noise", {}).items() if each["split"] is None}
    return _ESC.get(corpus, corpus) in heard


_ESC = {"esc10": "esc50"}


def stretch(noise: np.ndarray, place: float, length_s: float) -> np.ndarray:
    """Take a stretch of a noise; a shorter noise comes whole, beginning anywhere, to be repeated.

    Args:
        noise: waveform ``(samples,)`` at 16 kHz.
        place: where the stretch begins, in [0, 1).
        length_s: its length in seconds.

    Returns:
        Waveform of at most that length.

    Example:
        >>> stretch(np.arange(4.0), 0.5, 1.0)
        array([2., 3., 0., 1.])
    """
    length = round(length_s * audio.SAMPLE_RATE_HZ)
    spare = len(noise) - length
    if spare < 0:
        return np.roll(noise, -int(float(place) * len(noise)))
    start = int(float(place) * (spare + 1))
    return noise[start : start + length]
