"""Figures of continuous answers, such as arousal, with intervals over speakers."""

from typing import Any

import numpy as np
import pandas as pd

from serzoo import metrics
from serzoo.corpora.forms import persons
from serzoo.evaluation import predictions as tables
from serzoo.evaluation.bootstrap import intervals

FIGURES = ("ccc", "pcc", "mae", "rmse")
_NO_SPREAD = 1e-12  # of the mean square: what rounding leaves of the variance of a constant


def continuous(predictions: pd.DataFrame, **options: Any) -> dict[str, dict[str, Any]]:
    """Compute CCC, PCC, MAE and RMSE of each continuous head.

    They are pooled over the folds for each seed and averaged over the seeds, as all figures are; rows without a true
    value are left out. See :mod:`serzoo.metrics` for what they are.

    Args:
        predictions: a valid table.
        **options: of :func:`serzoo.evaluation.bootstrap.intervals`.

    Returns:
        For each head ``ccc, pcc, mae, rmse``, each ``{"value", "ci_low", "ci_high"}``, and ``n``, its rows; empty for a
        table without continuous answers.

    Example:
        >>> continuous(tables.read("runs/a"))["arousal"]["ccc"]  # doctest: +SKIP
        {'value': 0.61, 'ci_low': 0.55, 'ci_high': 0.66}
    """
    return {name: _figures_of(predictions, name, options) for name in tables.continuous_heads(predictions)}


def _figures_of(predictions: pd.DataFrame, name: str, options: dict[str, Any]) -> dict[str, Any]:
    rows = predictions[predictions[tables.TRUTH + name].notna()]
    if rows.empty:
        missing = {"value": float("nan"), "ci_low": float("nan"), "ci_high": float("nan")}
        return {**dict.fromkeys(FIGURES, missing), "n": 0}
    truth, answer = (rows[prefix + name].to_numpy(np.float64) for prefix in (tables.TRUTH, tables.VALUE))
    # Sums of squares lose no digits where the values lie around zero; CCC and PCC do not see a common shift.
    middle = truth.mean()
    found = intervals(_sums(rows, truth - middle, answer - middle), _figures, **options)
    return {**dict(zip(FIGURES, found.entries(), strict=True)), "n": len(rows)}


def _sums(rows: pd.DataFrame, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Everything that the figures need of each speaker and seed, ``(speakers, seeds, 7)``."""
    moments = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y, np.abs(x - y)], axis=1)
    speakers, _ = pd.factorize(persons(rows), sort=True)
    seeds, _ = pd.factorize(rows["seed"], sort=True)
    sums = np.zeros((speakers.max() + 1, seeds.max() + 1, moments.shape[1]))
    np.add.at(sums, (speakers, seeds), moments)
    return sums


def _figures(sums: np.ndarray) -> np.ndarray:
    """Figures of sums ``(draws, seeds, 7)``, averaged over the seeds: ``(draws, 4)``."""
    n = sums[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_x, mean_y, xx, yy, xy, distance = (sums[..., i] / n for i in range(1, 7))
        spread_x, spread_y = (
            np.where(square - mean**2 > _NO_SPREAD * square, square - mean**2, 0.0)
            for square, mean in ((xx, mean_x), (yy, mean_y))
        )
        shared = np.where(spread_x * spread_y > 0, xy - mean_x * mean_y, 0.0)
        ccc = 2 * shared / (spread_x + spread_y + (mean_x - mean_y) ** 2)
        pcc = shared / np.sqrt(spread_x * spread_y)
        ccc, pcc = (np.where(n < 2, np.nan, figure) for figure in (ccc, pcc))
        rmse = np.sqrt(np.maximum(xx - 2 * xy + yy, 0))
        by_seed = np.stack([ccc, pcc, distance, rmse], axis=-1)  # (draws, seeds, figures)
    return metrics.mean_of_defined(np.where(np.isfinite(by_seed), by_seed, np.nan), axis=1)
