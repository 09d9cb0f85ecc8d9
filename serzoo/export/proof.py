"""The proof of an export: it is opened again, judges real speech, and must answer as the model does."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from serzoo.errors import ExportError
from serzoo.export import speech
from serzoo.listener import Listener
from serzoo.models.classifier import Classifier

_RUNS = 7


class Report(NamedTuple):
    """What an export is and what it cost."""

    path: Path
    size_bytes: int
    difference: float  # the greatest one between a probability of the export and of the model
    latency_ms: float  # median for one clip of 3 s, after the first
    keras_latency_ms: float
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        faster = self.keras_latency_ms / self.latency_ms
        return "\n".join(
            [
                f"{self.path}: {self.size_bytes / 1e6:.2f} MB, reloaded and compared: probabilities within "
                f"{self.difference:.1e}; {self.latency_ms:.1f} ms for 3 s of speech, {faster:.1f} x as fast as Keras.",
                *self.notes,
            ]
        )


def prove(
    exported: Listener,
    model: Classifier,
    tolerance: float,
    path: Path,
    notes: Sequence[str] = (),
    max_s: float = speech.MAX_S,
) -> Report:
    """Compare an export with its model on real speech, clips alone and beside others of other lengths, and time both.

    Args:
        exported: the export, opened from what was written.
        model: the model it was made from.
        tolerance: greatest difference of a probability.
        path: the file or folder that was written.
        notes: further lines of the report.
        max_s: longest clip that the export judges as a whole.

    Returns:
        What was found.

    Raises:
        ExportError: if the answers differ by more.
    """
    clips = [clip[: round(max_s * model.sample_rate_hz)] for clip in speech.clips()]
    clips.append(clips[0][: len(clips[0]) // 2])
    wanted = model.probabilities(clips)
    together = compare("clips of several lengths", exported.probabilities(clips), wanted, tolerance)
    alone = np.concatenate([exported.probabilities([clip]) for clip in clips])
    alone = compare("one clip alone", alone, wanted, tolerance)
    probe = [np.resize(speech.clips()[0], round(speech.MAX_S * model.sample_rate_hz))]
    times = [_median_ms(judge.probabilities, probe) for judge in (exported, model)]
    return Report(path, size_bytes(path), max(together, alone), *times, tuple(notes))


def compare(what: str, got: np.ndarray, wanted: np.ndarray, tolerance: float) -> float:
    """Refuse an export whose answers are others than the model's.

    Args:
        what: what was asked, for the message.
        got: answers of the export.
        wanted: answers of the model.
        tolerance: greatest difference that counts as equal.

    Returns:
        The greatest difference.

    Raises:
        ExportError: if the shapes differ, or the answers by more than ``tolerance``.
    """
    got, wanted = np.asarray(got), np.asarray(wanted)
    if got.shape != wanted.shape:
        raise ExportError(f"The export answers in another shape ({what}). Received: {got.shape} for {wanted.shape}.")
    difference = float(np.abs(got - wanted).max())
    if not difference <= tolerance:  # NaN is refused too
        raise ExportError(
            f"The export must answer as the model does, to {tolerance:g} ({what}). Received: a difference of "
            f"{difference:.2g}."
        )
    return difference


def size_bytes(path: Path) -> int:
    """Size of a file, or of all files in a folder."""
    return sum(each.stat().st_size for each in ([path] if path.is_file() else path.rglob("*")) if each.is_file())


def _median_ms(run: Callable, clips: Sequence[np.ndarray]) -> float:
    run(clips)
    times = []
    for _ in range(_RUNS):
        start = time.perf_counter()
        run(clips)
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times))
