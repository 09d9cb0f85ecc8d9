"""Pictures of figures. matplotlib is imported when a picture is drawn, and no global state of it is touched."""

import io
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serzoo import metrics
from serzoo.evaluation.figures import interval

INK, SOFT_INK = "#1c2733", "#5b6b7b"
_LEAST_SIDE = 4.0  # inches: two classes leave room for their names and the lines above
_LETTERS_PER_INCH = 7  # of a title


def confusion_png(
    counts: Sequence[Sequence[int]], labels: Sequence[str], *, title: str = "", subtitle: str = "", stamp: str = ""
) -> bytes:
    """Draw a confusion matrix: colour and per cent are the share of the true class, the count stands below.

    Args:
        counts: rows are the truth, shape ``(classes, classes)``.
        labels: the classes.
        title: first line above.
        subtitle: second line above, such as the UA with its interval.
        stamp: what every reader must know, in red between title and matrix.

    Returns:
        A PNG file; the same input gives the same bytes with the same matplotlib.

    Example:
        >>> confusion_png([[9, 1], [2, 8]], ["anger", "sadness"])[1:4]  # doctest: +SKIP
        b'PNG'
    """
    from matplotlib.colors import LinearSegmentedColormap

    counts = np.asarray(counts)
    support = counts.sum(axis=1)
    shares = counts / np.maximum(support, 1)[:, None]
    hits = metrics.recalls(counts)
    side = max(1.3 + 0.78 * len(labels), _LEAST_SIDE)
    figure = figure_of(side + 1.1, side + 0.9, dpi=160)
    axes = figure.add_subplot()
    colours = LinearSegmentedColormap.from_list("serzoo", ["#f7f9fb", "#b9d3e6", "#4a8dbd", "#0f4c81"])
    axes.imshow(shares, cmap=colours, vmin=0, vmax=1, aspect="equal")
    for row, column in np.ndindex(counts.shape):
        if counts[row, column]:
            _cell(axes, row, column, shares[row, column], int(counts[row, column]))
    ticks = range(len(labels))
    axes.set_xticks(ticks, labels, rotation=40, ha="right", rotation_mode="anchor", color=INK)
    rows = [f"{label}  ({total:,})" for label, total in zip(labels, support.tolist(), strict=True)]
    axes.set_yticks(ticks, rows, color=INK)
    # White lines between the cells, and the recalls again at the right edge where the eye compares them.
    axes.set_xticks(np.arange(len(labels) - 1) + 0.5, minor=True)
    axes.set_yticks(np.arange(len(labels) - 1) + 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("predicted", color=SOFT_INK, labelpad=6)
    axes.set_ylabel("spoken (examples)", color=SOFT_INK, labelpad=6)
    right = axes.secondary_yaxis("right")
    right.set_yticks(ticks, ["-" if np.isnan(hit) else f"{100 * hit:.1f} %" for hit in hits], color=INK)
    right.set_ylabel("recall", color=SOFT_INK, labelpad=6)
    right.tick_params(length=0)
    right.spines[:].set_visible(False)
    _headline(figure, axes, textwrap.fill(title, round(_LETTERS_PER_INCH * side)), subtitle, stamp)
    return png(figure)


def summary_png(summary: Mapping[str, Any], title: str = "", stamp: str = "") -> bytes:
    """Draw the confusion matrix of a summary, with its UA, size and chance above.

    Args:
        summary: what :func:`serzoo.evaluation.summarize` gave.
        title: first line above.
        stamp: what every reader must know.

    Returns:
        A PNG file.

    Example:
        >>> png = summary_png(summary, "cnn_ablstm on ravdess")  # doctest: +SKIP
    """
    ua, confusion = summary["ua"], summary["confusion"]
    seeds = f", {summary['seeds']} seeds" if summary["seeds"] > 1 else ""
    subtitle = f"UA {100 * ua['value']:.1f} % {interval(ua)}".rstrip() + f", chance {100 * summary['chance']:.1f} %\n"
    speakers = "1 speaker" if summary["num_speakers"] == 1 else f"{summary['num_speakers']} speakers"
    subtitle += f"{summary['n']:,} utterances, {speakers}{seeds}"
    return confusion_png(confusion["counts"], confusion["labels"], title=title, subtitle=subtitle, stamp=stamp)


def figure_of(width: float, height: float, dpi: int = 120) -> Any:
    """Make a figure of so many inches that leaves pyplot alone."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=dpi, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def png(figure: Any) -> bytes:
    """Render a figure; names in it are text as they stand, and never formulae, whatever dollar signs they hold."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _cell(axes: Any, row: int, column: int, share: float, count: int) -> None:
    dark = share > 0.6  # where white reads better than ink on the colour
    percent = f"{100 * share:.0f} %" if share >= 0.005 else "<1 %"
    weight = "bold" if row == column else "normal"
    ink, soft_ink = ("white", "#d7e5f0") if dark else (INK, INK if share > 0.3 else SOFT_INK)
    axes.text(column, row - 0.12, percent, ha="center", va="center", color=ink, fontsize=10, fontweight=weight)
    axes.text(column, row + 0.23, f"{count:,}", ha="center", va="center", color=soft_ink, fontsize=7)


def _headline(figure: Any, axes: Any, title: str, subtitle: str, stamp: str) -> None:
    lines = [(title, 13, "bold", INK), (subtitle, 10, "normal", SOFT_INK), (stamp, 10, "bold", "#b3261e")]
    height = 8.0  # points above the matrix, from the last line up
    for text, size, weight, colour in reversed(lines):
        if text:
            axes.annotate(
                text,
                (0, 1),
                xytext=(0, height),
                xycoords="axes fraction",
                textcoords="offset points",
                va="bottom",
                fontsize=size,
                fontweight=weight,
                color=colour,
            )
            height += (1.35 * size) * (1 + text.count("\n")) + 3
