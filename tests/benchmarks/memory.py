"""Peak memory of training, evaluation and ``segments``: how little it grows when there is ten times as much to do."""

import functools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks import clips
from tests.benchmarks.measure import Figure, NothingToMeasureError

BAR = "<= 1.1"


def figures() -> Iterator[Figure]:
    """The peak of the resident memory of this process, TensorFlow and the model in it.

    Raises:
        NothingToMeasureError: where the kernel does not tell the peak; Linux does.
    """
    if not Path("/proc/self/clear_refs").exists():
        raise NothingToMeasureError("the peak of the memory is read from Linux alone")
    for name, run, small in (("feeding of clips", _feed, 1000), ("training on clips", _train, 96)):
        yield _grown(name, run, small)
    yield _grown("evaluation of clips", _evaluate, 96)
    yield _grown("`segments` of seconds", _segments, 60)


def _grown(name: str, run: Callable[[int], None], small: int) -> Figure:
    """Ratio of two peaks, one after the other: first a little work, twice, then ten times as much."""
    run(small)  # start the threads, trace, fill the caches
    peaks = [_peak(run, size) for size in (small, 10 * small)]
    ratio = peaks[1] / peaks[0]
    note = f"{peaks[1]:.0f} MiB against {peaks[0]:.0f} MiB"
    return Figure(f"memory, {name}: {10 * small} against {small}", ratio, ratio, ratio, BAR, note)


def _peak(run: Callable[[int], None], size: int) -> float:
    """MiB."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    run(size)
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) / 1024


def _feed(rows: int) -> None:
    """One epoch, from files without a cache."""
    from serzoo import config, pipeline

    settings = config.load("cnn_ablstm", {"training.steps_per_epoch": None, "training.sampling": "uniform"})
    table = clips.table(rows)
    source = pipeline.Clips(table, {"emodb": clips.FOLDER}, cache_bytes=0)
    targets = pipeline.labels(table, {"emotion": clips.CLASSES})
    batches = iter(pipeline.dataset(source, targets, settings, seed=0))
    for _ in range(rows // settings.training.batch_size):
        next(batches)


def _train(rows: int) -> None:
    """One epoch, of one and the same network: TensorFlow keeps the functions of each that it traces."""
    from serzoo import pipeline

    settings, heads, trained = _training()
    table = clips.table(rows)
    source = pipeline.Clips(table, {"emodb": clips.FOLDER})
    feed = pipeline.dataset(source, pipeline.labels(table, heads), settings, seed=0)
    trained.fit(feed, steps_per_epoch=rows // settings.training.batch_size, shuffle=False, verbose=0)


@functools.cache
def _training():
    from serzoo import building, config
    from serzoo.training.graph import augmented, compiled

    settings = config.load("cnn_ablstm_mtl", {"training.steps_per_epoch": None, "training.sampling": "uniform"})
    heads = building.heads_of(settings, clips.CLASSES)
    wrapper = augmented(building.build(settings, heads, seed=0), settings, seed=0)
    return settings, heads, compiled(wrapper, settings, settings.training.epochs, 36)


def _evaluate(rows: int) -> None:
    from serzoo import pipeline

    pipeline.predict_table(_model(), clips.table(rows), {"emodb": clips.FOLDER})


def _segments(seconds: int) -> None:
    import soundfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "call.wav"
        sound = clips.waveform(60.0)
        with soundfile.SoundFile(path, "w", 16000, 1) as file:
            for _ in range(seconds // 60):
                file.write(sound)
        _model().segments(path, window_s=3.0, hop_s=1.0)


@functools.cache
def _model():
    import serzoo

    return serzoo.load("cnn_ablstm_mtl")
