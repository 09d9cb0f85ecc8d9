"""Processor time that each model takes for a clip.

``python -m tests.benchmarks.speed`` writes ``zoo_configs/reported/speed.csv``: milliseconds of processor time on one
thread for a clip of 3 s judged alone, the median of several turns. Processor time, so that what else runs on the
machine counts little. Names of models as arguments measure these alone; the other rows stay. ``NAME.TAG`` measures a
network that differs from that of the YAML by the overrides of its weights.
"""

import argparse
import csv
import datetime
import io
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

from serzoo import __version__, registry
from tests.benchmarks.measure import ONE_THREAD

PATH = registry.configs_folder() / "reported" / "speed.csv"
COLUMNS = ("model", "ms_per_clip", "clip_s", "turns", "date", "machine", "made_with")
CLIP_S, TURNS = 3.0, 9


def read() -> dict[str, dict[str, str]]:
    """What was measured, by the name of the model, or of weights of another network."""
    if not PATH.exists():
        return {}
    with PATH.open(encoding="utf-8", newline="") as file:
        return {row["model"]: row for row in csv.DictReader(file)}


def main() -> None:
    """Measure each model in a process of its own, whose threads are set before TensorFlow starts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(f"{_ms_per_clip(arguments.one):.1f}")
        return
    rows = read()
    for name in arguments.names or registry.names():
        registry.check_name(name.partition(".")[0])
        done = subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.speed", "--one", name],
            env={**os.environ, **ONE_THREAD},
            cwd=Path(__file__).resolve().parents[2],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        rows[name] = _row(name, done.stdout.split()[-1])
        print(f"{name}: {rows[name]['ms_per_clip']} ms")
        _write(rows)


def _ms_per_clip(name: str) -> float:
    import numpy as np

    from serzoo import building, corpora
    from serzoo.config import load, override
    from serzoo.listener import padded

    name, _, tag = name.partition(".")
    settings = load(name)
    if tag:
        settings = override(settings, next(entry for entry in settings.weights if entry.tag == tag).overrides)
    model = building.build(settings, building.heads_of(settings, corpora.protocol("ravdess8-5fold").classes), seed=0)
    clip = padded([np.random.default_rng(0).normal(0, 0.1, int(16000 * CLIP_S)).astype("float32")])
    for _ in range(2):  # traced, and warm
        model.predict_on_batch(clip)
    taken = []
    for _ in range(TURNS):
        started = time.process_time()
        model.predict_on_batch(clip)
        taken.append(1000 * (time.process_time() - started))
    return statistics.median(taken)


def _row(name: str, milliseconds: str) -> dict[str, str]:
    from importlib.metadata import version

    date = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    made_with = f"serzoo {__version__}, tensorflow {version('tensorflow')}, keras {version('keras')}"
    values = (name, milliseconds, str(CLIP_S), str(TURNS), date, _machine(), made_with)
    return dict(zip(COLUMNS, values, strict=True))


def _machine() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        processor = platform.processor() or "unknown processor"
    return f"{processor}, {platform.machine()}, one thread"


def _write(rows: dict[str, dict[str, str]]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows[name] for name in sorted(rows))
    PATH.write_text(text.getvalue(), encoding="utf-8")


if __name__ == "__main__":
    main()
