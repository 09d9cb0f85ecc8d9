"""How every benchmark measures: its sides take turns in one process, so that other work on the machine meets them all.

A benchmark is a module with a function ``figures`` that yields :class:`Figure`; ``python -m tests.benchmarks`` runs it.
"""

import dataclasses
import importlib
import time
from collections.abc import Callable, Mapping

import numpy as np

SAMPLE_RATE_HZ = 16000
BATCH, SECONDS = 32, 3.0
# Of the environment in which a process starts: once NumPy is imported, its threads are there, and idle ones spin.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}


class NothingToMeasureError(Exception):
    """What a benchmark needs is not here; the message says what."""


@dataclasses.dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        name: what is compared with what.
        ratio: median over the turns.
        low: lower quartile.
        high: upper quartile.
        bar: what must be reached, such as ``">= 1.0"``; empty for a figure that is only watched.
        note: absolute values and what else a reader needs.
    """

    name: str
    ratio: float
    low: float
    high: float
    bar: str = ""
    note: str = ""

    def __str__(self):
        bar = f", bar {self.bar}" if self.bar else ""
        note = f"; {self.note}" if self.note else ""
        return f"{self.name}: {self.ratio:.2f} x ({self.low:.2f} to {self.high:.2f}{bar}){note}"

    def row(self) -> str:
        """The figure as a row of a Markdown table."""
        return f"| {self.name} | {self.ratio:.2f} | {self.low:.2f} to {self.high:.2f} | {self.bar} | {self.note} |"


def run(name: str) -> list[Figure]:
    """Run one benchmark, and print each figure as it comes."""
    found = []
    try:
        for figure in importlib.import_module(f"tests.benchmarks.{name}").figures():
            print(figure, flush=True)
            found.append(figure)
    except NothingToMeasureError as reason:
        print(f"{name}: left out, {reason}", flush=True)
    return found


def in_turn(
    sides: Mapping[str, Callable[[], object]],
    turns: int,
    clock: Callable[[], float] = time.process_time,
    warm_up: int = 2,
) -> dict[str, np.ndarray]:
    """Let every side run once in each turn.

    Args:
        sides: what to run, by name.
        turns: how often each counts.
        clock: processor seconds by default: on one thread they are those of a quiet machine. ``time.perf_counter``
            where a side waits or uses several threads.
        warm_up: turns before, which do not count.

    Returns:
        Seconds of each turn by name, ``(turns,)``.
    """
    seconds = {name: [] for name in sides}
    for _ in range(warm_up + turns):
        for name, run in sides.items():
            started = clock()
            run()
            seconds[name].append(clock() - started)
    return {name: np.array(found[warm_up:]) for name, found in seconds.items()}


def compare(name: str, yardstick: np.ndarray, seconds: np.ndarray, bar: str = "", note: str = "") -> Figure:
    """Say how many times as fast as a yardstick something is, by the median over the turns."""
    low, ratio, high = np.percentile(yardstick / seconds, [25, 50, 75])
    times = f"{1e3 * np.median(seconds):.3g} ms against {1e3 * np.median(yardstick):.3g} ms"
    return Figure(name, ratio, low, high, bar, f"{times}; {note}" if note else times)


def noise_batch() -> dict[str, np.ndarray]:
    """A batch of 32 clips of 3 s, as a model takes it."""
    samples = round(SECONDS * SAMPLE_RATE_HZ)
    waveform = 0.1 * np.random.default_rng(0).standard_normal((BATCH, samples))
    return {"waveform": waveform.astype("float32"), "num_samples": np.full(BATCH, samples, "int32")}
