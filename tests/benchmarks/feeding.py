"""Speed of training fed from files, as a share of training fed from arrays in memory.

``python -m tests.benchmarks.feeding RAVDESS_ROOT`` alternates the feeds in one process and prints the median of the
ratios with their range, for a cache that holds everything (every epoch but the first) and for no cache at all.
"""

import argparse
import statistics
import time

from serzoo import config, corpora, pipeline, zoo
from serzoo.training import fit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root")
    parser.add_argument("--steps", type=int, default=20, help="training steps of each turn")
    parser.add_argument("--turns", type=int, default=5)
    arguments = parser.parse_args()

    settings = config.load("cnn_ablstm_mtl")
    protocol = corpora.protocol("ravdess8-5fold")
    table, _ = protocol.apply(corpora.read("ravdess", arguments.root))
    heads = zoo.heads_of(settings, protocol.classes)
    targets = pipeline.labels(table, heads)
    roots = {"ravdess": arguments.root}
    resident = pipeline.Clips(table, roots)
    arrays = [resident[i] for i in range(len(table))]

    model = zoo.build(settings, heads, seed=0)
    wrapper = fit.compiled(fit.augmented(model, settings, 0), settings, settings.training.epochs, 36)
    feeds = {
        "arrays": iter(pipeline.dataset(arrays, targets, settings, 0)),
        "cached files": iter(pipeline.dataset(resident, targets, settings, 0)),
        "files, no cache": iter(pipeline.dataset(pipeline.Clips(table, roots, cache_bytes=0), targets, settings, 0)),
    }
    for feed in feeds.values():
        wrapper.train_on_batch(*next(feed))  # trace, and start the threads
    ratios = {name: [] for name in feeds if name != "arrays"}
    for _ in range(arguments.turns):
        seconds = {}
        for name, feed in feeds.items():
            started = time.perf_counter()
            for _ in range(arguments.steps):
                wrapper.train_on_batch(*next(feed))
            seconds[name] = time.perf_counter() - started
        for name, found in ratios.items():
            found.append(seconds["arrays"] / seconds[name])
    for name, found in ratios.items():
        print(
            f"training fed from {name} / from arrays: {statistics.median(found):.3f}x "
            f"({min(found):.3f} to {max(found):.3f}, {arguments.turns} turns of {arguments.steps} steps)"
        )


if __name__ == "__main__":
    main()
