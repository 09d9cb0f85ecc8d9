"""The log of what was tried: one row for each recipe, fold and seed, with the UA of the validation speakers.

``trials.csv`` of a search and ``zoo_configs/reported/trials.csv``, which keeps what was ever tried, have the same
columns. Rows that have the same ``how`` belong to one search: only they are compared, and with its first recipe.
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import NamedTuple

import numpy as np

from serzoo.errors import RunError

COLUMNS = (
    "model",
    "recipe",
    "protocol",
    "fold",
    "seed",
    "epochs",
    "val_ua_last",
    "val_ua_mean_of_last_3",
    "how",
)
UNCHANGED = "as in the YAML file"


class Ranked(NamedTuple):
    """A recipe in its place; UA is that of the validation speakers, a mean over the last 3 epochs."""

    recipe: str
    epochs: int
    folds: int  # times seeds
    ua: float
    ua_std: float | None  # over folds and seeds, with n - 1; None of a single one
    gain: float | None  # over the first recipe, on the same folds and seeds; None of the first one itself
    gain_std: float | None

    def cells(self) -> tuple[str, str, str]:
        """UA, gain and the number of trainings as a table shows them."""
        deviations = ("" if std is None else f" ± {std:.3f}" for std in (self.ua_std, self.gain_std))
        means = (f"{self.ua:.3f}", "" if self.gain is None else f"{self.gain:+.3f}")
        ua, gain = map("".join, zip(means, deviations, strict=True))
        return ua, gain, str(self.folds)


def row_of(
    model: str, recipe: str, protocol: str, fold: int, seed: int, epochs: int, val_ua: Sequence[float], how: str
) -> dict[str, str]:
    """Make the row of one training.

    Args:
        model: its name.
        recipe: what makes it differ from the YAML file.
        protocol: of the folds.
        fold: number of the fold.
        seed: seed of the training.
        epochs: of the training.
        val_ua: UA of the validation speakers after each epoch; empty if the loss was no longer finite.
        how: what the trainings that may be compared have in common.

    Returns:
        Texts by column.

    Example:
        >>> row_of("cnn_ablstm", "training.epochs=2", "emodb4-loso", 0, 0, 2, [0.25, 0.5], "a trial")["val_ua_last"]
        '0.500'
    """
    told = ("", "") if not val_ua else (f"{val_ua[-1]:.3f}", f"{mean(val_ua[-3:]):.3f}")
    return dict(zip(COLUMNS, (model, recipe, protocol, str(fold), str(seed), str(epochs), *told, how), strict=True))


def read(path: str | Path) -> list[dict[str, str]]:
    """Read a log.

    Raises:
        RunError: if it has other columns.
    """
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise RunError(
                f"{path} must have the columns {', '.join(COLUMNS)}. Received: {', '.join(reader.fieldnames or ())}."
            )
        return list(reader)


def written(rows: Iterable[Mapping[str, str]]) -> bytes:
    """The bytes of a log."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def ranking(rows: Sequence[Mapping[str, str]]) -> list[Ranked]:
    """Rank the recipes of one search.

    Args:
        rows: of one search, those of the recipe that the others are measured by first.

    Returns:
        Recipes, those that were tried on the most folds and seeds first, among them the best first.

    Example:
        >>> a, b = (row_of("m", name, "p", 0, 0, 1, [ua], "") for name, ua in (("a", 0.5), ("b", 0.75)))
        >>> [(each.recipe, each.gain) for each in ranking([a, b])]
        [('b', 0.25), ('a', None)]
    """
    found: dict[tuple[str, int], dict[tuple[str, str], float]] = {}
    for row in rows:
        ua = float(row["val_ua_mean_of_last_3"] or "nan")
        found.setdefault((row["recipe"], int(row["epochs"])), {})[row["fold"], row["seed"]] = ua
    first = next(iter(found), None)
    ranked = []
    for (recipe, epochs), uas in found.items():
        gains = [ua - found[first][place] for place, ua in uas.items() if place in found[first]]
        is_first = (recipe, epochs) == first or not gains
        values = list(uas.values())
        gain = (None, None) if is_first else _mean_and_std(gains)
        ranked.append(Ranked(recipe, epochs, len(values), *_mean_and_std(values), *gain))
    return sorted(ranked, key=lambda each: (-each.folds, math.isnan(each.ua), -each.ua, each.recipe))


def _mean_and_std(values: Sequence[float]) -> tuple[float, float | None]:
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None
