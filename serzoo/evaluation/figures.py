"""Figures with their intervals as words and tables: each is ``{"value", "ci_low", "ci_high"}``."""

import math
from collections.abc import Mapping, Sequence


def sign_of(entry: Mapping[str, float]) -> int:
    """Tell on which side of zero a whole interval lies: 1 above, -1 below, 0 where it holds zero or is not known.

    Example:
        >>> sign_of({"value": 0.05, "ci_low": 0.01, "ci_high": 0.09})
        1
    """
    return int(entry["ci_low"] > 0) - int(entry["ci_high"] < 0)


def percent(entry: Mapping[str, float], sign: str = "") -> str:
    """Write a figure in per cent with its interval; ``sign="+"`` is for differences, in points.

    Example:
        >>> percent({"value": 0.605, "ci_low": 0.56, "ci_high": 0.648})
        '60.5 [56.0, 64.8]'
        >>> percent({"value": 0.605, "ci_low": None, "ci_high": None})
        '60.5'
    """
    return _written(entry, 100, f"{sign}.1f")


def decimal(entry: Mapping[str, float]) -> str:
    """Write a figure that is no share, such as a CCC, with its interval.

    Example:
        >>> decimal({"value": 0.6051, "ci_low": 0.5604, "ci_high": 0.6482})
        '0.605 [0.560, 0.648]'
    """
    return _written(entry, 1, ".3f")


def interval(entry: Mapping[str, float]) -> str:
    """Write the interval of a figure alone, in per cent; nothing where there is none.

    Example:
        >>> interval({"value": 0.605, "ci_low": 0.56, "ci_high": 0.648})
        '[56.0, 64.8]'
    """
    return percent(entry).partition(" ")[2]


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    r"""Write a Markdown table; the first column is text, the others are numbers.

    Example:
        >>> print(markdown(["class", "recall"], [["anger", "80.0"]]))
        | class | recall |
        | --- | ---: |
        | anger | 80.0 |
    """
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def _written(entry: Mapping[str, float], factor: float, form: str) -> str:
    # what is not a number is null in a file
    value, low, high = (math.nan if entry[key] is None else entry[key] for key in ("value", "ci_low", "ci_high"))
    if math.isnan(value):
        return "-"
    text = f"{factor * value:{form}}"
    return text if math.isnan(low) else f"{text} [{factor * low:{form}}, {factor * high:{form}}]"
