"""Memory and speed of feeding one epoch of a large table, in which files repeat.

``python -m tests.benchmarks.memory EMODB_ROOT`` feeds an epoch of 10,000 and one of 100,000 rows, each in a process of
its own, once from the cache and once without any, and prints the peak of the resident memory during the epoch (Linux
alone tells it), that of the start left out.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

SIZES = (10_000, 100_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root")
    parser.add_argument("--sizes", type=int, nargs=2, default=SIZES, metavar=("SMALL", "LARGE"))
    parser.add_argument("--feed", nargs=2, metavar=("ROWS", "CACHE_BYTES"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.feed:
        print(*feed(arguments.root, *map(int, arguments.feed)))
        return
    for name, cache_bytes in (("cached", 2**31), ("no cache", 0)):
        peaks = []
        for rows in arguments.sizes:
            command = [sys.executable, "-m", "tests.benchmarks.memory", arguments.root, "--feed", rows, cache_bytes]
            done = subprocess.run(list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True)
            peak, seconds = map(float, done.stdout.split()[-2:])
            peaks.append(peak)
            print(f"{name}, {rows} rows: peak {peak:.0f} MiB, {rows / seconds:.0f} clips/s", flush=True)
        print(
            f"{name}: {peaks[1] / peaks[0]:.3f} times the memory for {arguments.sizes[1] / arguments.sizes[0]:g} times"
        )


def feed(root: str, num_rows: int, cache_bytes: int) -> tuple[float, float]:
    """Feed one epoch; gives the peak in MiB and the seconds."""
    import pandas as pd

    from serzoo import config, corpora, pipeline

    settings = config.load("cnn_ablstm", {"training.steps_per_epoch": None, "training.sampling": "uniform"})
    protocol = corpora.protocol("emodb4-loso")
    table, _ = protocol.apply(corpora.read("emodb", root))
    copies = -(-num_rows // len(table))
    table = pd.concat([table] * copies, ignore_index=True).iloc[:num_rows]
    clips = pipeline.Clips(table, corpora.folders({"emodb": root}), cache_bytes)
    targets = pipeline.labels(table, {"emotion": protocol.classes})
    batches = iter(pipeline.dataset(clips, targets, settings, seed=0))
    for _ in range(20):  # start the threads, fill the buffers and the cache
        next(batches)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    started = time.perf_counter()
    for _ in range(num_rows // settings.training.batch_size - 20):
        next(batches)
    seconds = time.perf_counter() - started
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1024, seconds


if __name__ == "__main__":
    main()
