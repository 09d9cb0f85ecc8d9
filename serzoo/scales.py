"""Continuous labels, such as arousal from 1 to 5, as shares of the two ends of their scale.

A head with a scale is a head with two classes, the ends: a value in the middle is half of each. So it is mixed, fed,
saved and exported as every other head, and its answer is the place between the ends that its two probabilities name.

Example:
    >>> ends((1.0, 5.0))
    ['low 1.0', 'high 5.0']
    >>> decode(encode([2.0], (1.0, 5.0)), (1.0, 5.0)).tolist()
    [2.0]
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from serzoo.errors import CorpusError

DIMENSIONS = ("arousal", "valence", "dominance")
_NUMBER = r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
_ENDS = re.compile(rf"low {_NUMBER}\nhigh {_NUMBER}")


def ends(scale: Sequence[float]) -> list[str]:
    """Name the two classes of a head with a scale.

    Args:
        scale: its lowest and its highest value.
    """
    low, high = scale
    return [f"low {float(low)}", f"high {float(high)}"]


def scale_of(classes: Sequence[str]) -> tuple[float, float] | None:
    """Tell the scale whose ends these classes are; None for other classes.

    Example:
        >>> scale_of(["low 1.0", "high 5.0"]), scale_of(["female", "male"])
        ((1.0, 5.0), None)
    """
    match = _ENDS.fullmatch("\n".join(classes))
    return (float(match[1]), float(match[2])) if match else None


def encode(values: Sequence, scale: Sequence[float], name: str = "A label") -> np.ndarray:
    """Turn values into shares of the two ends.

    Args:
        values: labels, ``(rows,)``; missing ones are NaN or None.
        scale: lowest and highest value.
        name: what to call them in errors.

    Returns:
        ``(rows, 2)`` float32; zeros where a value is missing.

    Raises:
        CorpusError: if a value is no number or lies outside the scale.
    """
    try:
        found = np.array([np.nan if value is None else value for value in values], "float64")
    except (TypeError, ValueError) as error:
        raise CorpusError(f"{name} must be numbers: {error}.") from error
    (low, high), known = scale, ~np.isnan(found)
    outside = known & ~((found >= low) & (found <= high))
    if outside.any():
        raise CorpusError(f"{name} must lie from {low} to {high}. Received: {found[outside][0]}.")
    share = np.where(known, (found - low) / (high - low), 0.0)
    return np.stack([np.where(known, 1 - share, 0.0), share], axis=1).astype("float32")


def check(table, head: str, scale: Sequence[float]) -> None:
    """Check that the labels of a continuous head lie on its scale; a table without them is right.

    Args:
        table: rows of corpora, with the column ``corpus``.
        head: name of the head, and of the column of its labels.
        scale: lowest and highest value.

    Raises:
        CorpusError: as :func:`encode`, with the corpus.
    """
    if head in table:
        for corpus, rows in table.groupby("corpus"):
            encode(rows[head], scale, f"{head} of {corpus}")


def decode(probabilities: np.ndarray, scale: Sequence[float]) -> np.ndarray:
    """Turn shares of the two ends, ``(rows, 2)``, into values, ``(rows,)`` float64."""
    shares = np.asarray(probabilities, "float64")
    return shares @ np.asarray(scale, "float64") / shares.sum(axis=1)


def values_of(answers: Mapping[str, np.ndarray], heads: Mapping[str, Sequence[str]]) -> dict[str, np.ndarray]:
    """Take the values out of the answers of a model: ``{head: (rows,)}`` of those heads that have a scale.

    Args:
        answers: probabilities by head, ``(rows, classes)`` each.
        heads: class names of each head.
    """
    found = {task: scale_of(classes) for task, classes in heads.items()}
    return {task: decode(answers[task], scale) for task, scale in found.items() if scale}
