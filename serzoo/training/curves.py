"""The course of a run as one picture: losses, accuracies beside chance, lambda."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from serzoo.evaluation.plots import INK, SOFT_INK, figure_of, png
from serzoo.scales import DIMENSIONS
from serzoo.training.fit import LOG


def curves_png(run: str | Path) -> bytes:
    """Draw the logs of a run: the mean over its folds and seeds, and each of them faintly.

    Four panels: the loss of each task; the accuracy of each discriminator, dashed its chance level, and the UA of the
    validation speakers; lambda of each adversary and the spread of each encoder's features; the losses that networks
    put out themselves, such as the difference loss, on a scale of powers.

    Args:
        run: folder of a run, with a ``log.csv`` for each fold.

    Returns:
        A PNG file; panels that nothing belongs to are left out.
    """
    logs = [_read(path) for path in sorted(Path(run).glob(f"*/{LOG}"))]
    panels = {title: columns for title, columns in _panels(logs[0]).items() if columns} if logs else {}
    figure = figure_of(5.2 * max(1, len(panels)), 3.6, dpi=110)
    figure.suptitle(f"{Path(run).resolve().name}: {len(logs)} trainings", color=INK, fontsize=11)
    for number, (title, columns) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(1, len(panels), number)
        axes.set_title(title, color=INK, fontsize=10)
        axes.set_xlabel("epoch", color=SOFT_INK)
        axes.grid(color="#e6ebf0", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        if title.endswith("(log)"):
            axes.set_yscale("log")
        for i, column in enumerate(columns):
            _draw(axes, logs, column, f"C{i % 10}")
        axes.legend(fontsize=7, frameon=False)
    return png(figure)


def _panels(log: Mapping[str, np.ndarray]) -> dict[str, list[str]]:
    """Sort the columns of a log by what they are."""
    own = [column for column in log if column.endswith("_loss") and not _is_scored(log, column)]
    return {
        "loss of each task": ["loss"] + [c for c in log if c.endswith("_loss") and c not in own]
        if len(log) > 1
        else [],
        "accuracy, dashed: chance": [c for c in log if c.endswith("_accuracy")] + [c for c in ("val_ua",) if c in log],
        "lambda, spread of features": [c for c in log if c.endswith(("_lambda", "_spread"))],
        "losses without a label (log)": own,
    }


def _is_scored(log: Mapping[str, np.ndarray], column: str) -> bool:
    """Tell a cross-entropy from an output that is a loss itself: the latter is neither a head nor has an accuracy."""
    name = column.removesuffix("_loss")
    return f"{name}_accuracy" in log or name in ("emotion", "gender", "noise", *DIMENSIONS)


def _draw(axes, logs: Sequence[Mapping[str, np.ndarray]], column: str, colour: str) -> None:
    lines = [log[column] for log in logs if column in log]
    epochs = [np.arange(1, len(line) + 1) for line in lines]
    if len(lines) > 1:
        for x, y in zip(epochs, lines, strict=True):
            axes.plot(x, y, color=colour, linewidth=0.6, alpha=0.3)
    shortest = min(map(len, lines))
    mean = np.mean([line[:shortest] for line in lines], axis=0)
    axes.plot(np.arange(1, shortest + 1), mean, color=colour, linewidth=1.6, marker="." * (shortest < 3), label=column)
    chance = column.replace("_accuracy", "_chance")
    if chance != column and chance in logs[0]:
        axes.axhline(np.mean([log[chance][0] for log in logs]), color=colour, linewidth=1.0, linestyle="--")


def _read(path: Path) -> dict[str, np.ndarray]:
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    return {column: np.array([float(row[column]) for row in rows]) for column in rows[0]} if rows else {}
