"""Noise that tests: recordings by type, which no judged model heard in training, mixed into the same clips for all."""

import os
import threading
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from serzoo import corpora as readers
from serzoo import noises
from serzoo.errors import CorpusError, join
from serzoo.evaluation.audit.conditions import babble_beside
from serzoo.evaluation.leaks import digest

Roots = Mapping[str, str | os.PathLike]
KNOWN, OTHER = "known types", "other types"
NUM_BABBLES, BABBLE_S = 4, 10.0


class Pool:
    """Recordings of noise by type.

    Args:
        name: what is drawn from here, :data:`KNOWN` or :data:`OTHER`.
        recordings: waveforms at 16 kHz of each type.
        files: names of the recordings of each noise corpus.
    """

    def __init__(self, name: str, recordings: Mapping[str, Sequence[np.ndarray]], files: Mapping[str, Iterable[str]]):
        self.name, self.types = name, sorted(recordings)
        self.recordings = {kind: list(recordings[kind]) for kind in self.types}
        self.files = {corpus: sorted(names) for corpus, names in files.items()}

    def draw(self, row: Any, seed: int) -> tuple[str, np.ndarray]:
        """Draw the noise of a clip: for every model and every ratio the same.

        Args:
            row: of a table of clips.
            seed: of the draws.

        Returns:
            The type, and a recording of it that begins anywhere.
        """
        rng = np.random.default_rng([seed, zlib.crc32(f"{row.corpus} {row.file} {row.start}".encode())])
        kind = self.types[rng.integers(len(self.types))]
        choice = self.recordings[kind]
        recording = choice[rng.integers(len(choice))]
        return kind, np.roll(recording, -int(rng.integers(len(recording))))

    def digests(self) -> dict[str, list[str]]:
        """Name the recordings of each type by their samples, also those that have no file, such as babble."""
        return {kind: [digest(recording) for recording in self.recordings[kind]] for kind in self.types}


class Mixed:
    """Clips of a table with noise of a pool, each at one ratio after the other, for :func:`serzoo.pipeline.predict`.

    Args:
        clips: waveforms at 16 kHz.
        table: their rows.
        pool: the noise.
        snrs_db: ratios over the active samples in dB.
        seed: of the draws.
    """

    def __init__(
        self, clips: Sequence[np.ndarray], table: pd.DataFrame, pool: Pool, snrs_db: Sequence[float], seed: int = 0
    ):
        from serzoo.layers import MixAtSNR

        self._clips, self._rows, self._pool = clips, list(table.itertuples()), pool
        self._gains = 10.0 ** (-np.asarray(snrs_db, "float32") / 20)
        self._seed, self._mix = seed, MixAtSNR()
        self._lock, self._last = threading.Lock(), (-1, None, None)

    def __len__(self) -> int:
        return len(self._rows) * len(self._gains)

    def __getitem__(self, index: int) -> np.ndarray:
        row, ratio = divmod(int(index), len(self._gains))
        with self._lock:  # the threads that read ahead ask for one clip at all ratios
            if self._last[0] != row:
                self._last = (row, *self._clip_and_noise(row))
            _, clip, noise = self._last
        return clip + self._gains[ratio] * noise

    def _clip_and_noise(self, row: int) -> tuple[np.ndarray, np.ndarray]:
        """A clip, and its noise at 0 dB."""
        clip, (_, noise) = self._clips[row], self._pool.draw(self._rows[row], self._seed)
        lengths = (np.array([len(each)], "int32") for each in (clip, noise))
        level = np.zeros(1, "float32")
        mixed = self._mix(clip[None], next(lengths), noise[None], next(lengths), level)
        return clip, np.asarray(mixed)[0] - clip


def known_pool(roots: Roots) -> Pool:
    """Read the test recordings of the noise corpora that training took its types from."""
    return _pool(KNOWN, noises.read(roots, "test"))


def other_pool(roots: Roots, speech: Roots, trained_on: Iterable[str], seed: int = 0) -> Pool | None:
    """Read noise of types that no training had, and sum babble from speech.

    Args:
        roots: noise corpora and their folders; the recordings of their test splits, or all where there are none.
        speech: corpora to sum babble from.
        trained_on: corpora that a judged model was trained on.
        seed: of the babble.

    Returns:
        The pool; None if both are empty.
    """
    found = _pool(OTHER, noises.read(roots, "test")) if roots else Pool(OTHER, {}, {})
    if speech:
        table, folders = readers.read_many(speech, partial=True), readers.folders(speech)
        options = {"trained_on": list(trained_on)}
        found.recordings[babble_beside(found.recordings)] = [
            readers.babble(table, folders, duration_s=BABBLE_S, seed=seed + number, **options)
            for number in range(NUM_BABBLES)
        ]
        found.types = sorted(found.recordings)
    return found if found.types else None


def check_unheard(name: str, card: Mapping[str, Any], pools: Sequence[Pool]) -> None:
    """Refuse to test a model with noise that it was trained with.

    Args:
        name: of the model.
        card: its card; ``noise`` holds types and split of each noise corpus of its training.
        pools: the noise of the tests.

    Raises:
        CorpusError: if training left no recording of a corpus to test with, or had a type of the pool of other types.
    """
    types = {kind for each in card.get("noise", {}).values() for kind in each["types"]}
    for pool in pools:
        if shared := [corpus for corpus in pool.files if noises.was_heard(card, corpus)]:
            raise CorpusError(f"{name} was trained with all of {join(shared)}: no recording is left to test it with.")
        if pool.name == OTHER and (shared := sorted(types & set(pool.types))):
            raise CorpusError(f"{name} was trained with noise of the types {join(shared)}: they are not {OTHER}.")


def _pool(name: str, sounds: noises.Noises) -> Pool:
    recordings: dict[str, list[np.ndarray]] = {}
    for i, kind in enumerate(sounds.table["noise"]):
        recordings.setdefault(kind, []).append(sounds[i])
    files = {corpus: rows["file"] for corpus, rows in sounds.table.groupby("corpus")}
    return Pool(name, recordings, files)
