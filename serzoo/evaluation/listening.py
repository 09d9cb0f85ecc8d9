"""Let a network judge the rows of a table, and remember what it heard and what it could not read."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from serzoo import audio, pipeline, scales
from serzoo.errors import AudioError, MissingFileError
from serzoo.evaluation import predictions as tables
from serzoo.evaluation.leaks import COLUMNS, digest


class Heard(NamedTuple):
    """What :func:`predict_rows` found.

    Attributes:
        predictions: answers for the rows whose recording could be read; None where there is none.
        recordings: these rows with the digests of their recordings.
        failed: ``{"corpus", "file", "reason"}`` of each row that could not be read.
        audio_s: seconds of sound that were judged.
    """

    predictions: pd.DataFrame | None
    recordings: pd.DataFrame
    failed: list[dict[str, str]]
    audio_s: float


def predict_rows(
    network: Any,
    rows: pd.DataFrame,
    roots: Mapping[str, str | os.PathLike],
    *,
    seed: int = 0,
    fold: int | None = None,
) -> Heard:
    """Judge rows. A recording that cannot be read is left out and named; the others are judged without it.

    Args:
        network: with ``heads``, ``classes`` and ``predict_on_batch``.
        rows: of a corpus table.
        roots: root folder of each corpus.
        seed: seed of the network's training.
        fold: fold that the rows are tested in.

    Returns:
        The answers and what was heard.

    Example:
        >>> predict_rows(model, table, {"emodb": "EmoDB"}).audio_s  # doctest: +SKIP
        942.1
    """
    rows = rows.reset_index(drop=True)
    clips = _Clips(rows, roots)
    answers = pipeline.predict(network, clips)
    good = np.array([index not in clips.failed for index in range(len(rows))], bool)
    failed = [
        {"corpus": rows["corpus"][index], "file": rows["file"][index], "reason": clips.failed[index]}
        for index in sorted(clips.failed)
    ]
    recordings = rows[list(COLUMNS[:-1])].assign(digest=clips.digests)[good]
    if not good.any():
        return Heard(None, recordings, failed, 0.0)
    values = {name: each[good] for name, each in scales.values_of(answers, network.heads).items()}
    told = tables.from_table(
        rows[good],
        answers["emotion"][good],
        list(network.classes),
        seed=seed,
        fold=fold,
        values=values,
    )
    return Heard(told, recordings, failed, sum(clips.samples) / audio.SAMPLE_RATE_HZ)


class _Clips(pipeline.Clips):
    """Clips that note what they decode. An unreadable one is a moment of silence, whose answer is thrown away."""

    def __init__(self, table: pd.DataFrame, roots: Mapping[str, str | os.PathLike]):
        super().__init__(table, roots, cache_bytes=0)
        self.failed: dict[int, str] = {}
        self.digests: list[str] = [""] * len(table)
        self.samples: list[int] = [0] * len(table)

    def __getitem__(self, index: int) -> np.ndarray:
        try:
            clip = super().__getitem__(index)
        except (AudioError, MissingFileError, OSError) as error:
            self.failed[int(index)] = str(error)
            return np.zeros(int(audio.MIN_DURATION_S * audio.SAMPLE_RATE_HZ), "float32")
        self.digests[index], self.samples[index] = digest(clip), len(clip)
        return clip
