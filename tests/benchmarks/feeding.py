"""Training fed from files, against training fed from arrays in memory."""

import time
from collections.abc import Iterator

from tests.benchmarks import clips
from tests.benchmarks.measure import Figure, compare, in_turn

STEPS = 4


def figures() -> Iterator[Figure]:
    """Steps of ``cnn_ablstm_mtl`` from a cache that holds everything, and from no cache, where each clip is decoded."""
    from serzoo import building, config, pipeline
    from serzoo.training.graph import augmented, compiled

    settings = config.load("cnn_ablstm_mtl")
    table, roots = clips.table(256), {"emodb": clips.FOLDER}
    heads = building.heads_of(settings, clips.CLASSES)
    targets = pipeline.labels(table, heads)
    resident = pipeline.Clips(table, roots)
    sources = {
        "arrays": [resident[i] for i in range(len(table))],
        "cached files": resident,
        "files without a cache": pipeline.Clips(table, roots, cache_bytes=0),
    }
    wrapper = augmented(building.build(settings, heads, seed=0), settings, 0)
    trained = compiled(wrapper, settings, settings.training.epochs, 36)
    trained.make_train_function()
    feeds = {name: iter(pipeline.dataset(source, targets, settings, 0)) for name, source in sources.items()}

    def steps(feed):
        return lambda: [trained.train_function(feed) for _ in range(STEPS)]

    # By the wall clock: the feed works in threads of its own beside the training.
    seconds = in_turn({name: steps(feed) for name, feed in feeds.items()}, 5, time.perf_counter, warm_up=1)
    for name in list(sources)[1:]:
        yield compare(f"training from {name} against arrays", seconds["arrays"], seconds[name], ">= 0.95")
