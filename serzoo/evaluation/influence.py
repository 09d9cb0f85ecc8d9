r"""How much each speaker moves each figure, to first order.

Every figure of :mod:`serzoo.metrics` is a mean of ratios :math:`a / b` of counts. A speaker who adds :math:`\Delta a`
and :math:`\Delta b` moves a ratio by :math:`(\Delta a - (a / b) \Delta b) / b`. The spread of these influences gives a
standard error over speakers without judging the absence of each anew.

Reference:
    Efron, Tibshirani (1993), An introduction to the bootstrap, chapter 21. https://doi.org/10.1201/9780429246593
"""

from typing import NamedTuple

import numpy as np


class Influences(NamedTuple):
    """Influence of each speaker, ``(draws, speakers)``; of recalls ``(draws, classes, speakers)``.

    That on a figure which is not defined is 0.
    """

    ua: np.ndarray
    wa: np.ndarray
    macro_f1: np.ndarray
    micro_f1: np.ndarray
    recalls: np.ndarray


def influences(sums: np.ndarray, counts: np.ndarray) -> Influences:
    """Compute the influence of speakers on every figure.

    Args:
        sums: confusion matrices, shape ``(draws, classes, classes)``.
        counts: matrix of each speaker, shape ``(speakers, classes, classes)``.

    Returns:
        The influences: by how much a figure of ``sums`` changes with one times ``counts`` more, as if that were little.

    Example:
        >>> total = np.array([[[30.0, 10.0], [0.0, 40.0]]])
        >>> one = np.array([[[0.0, 1.0], [0.0, 0.0]]])  # one more wrong answer
        >>> influences(total, one).wa.round(5).tolist(), round(70 / 81 - 70 / 80, 5)
        ([[-0.01094]], -0.0108)
    """
    hits, own_hits = (np.diagonal(each, axis1=-2, axis2=-1) for each in (sums, counts))
    meant, own_meant = (each.sum(axis=-1) for each in (sums, counts))
    either, own_either = (each.sum(axis=-1) + each.sum(axis=-2) for each in (sums, counts))
    recalls = _of_ratio(hits, meant, own_hits, own_meant)
    f1 = _of_ratio(2 * hits, either, 2 * own_hits, own_either)
    wa = _of_ratio(*(each.sum(axis=1, keepdims=True) for each in (hits, meant, own_hits, own_meant)))[:, 0]
    return Influences(
        ua=recalls.sum(axis=1) * _inverse((meant > 0).sum(axis=1))[:, None],
        wa=wa,
        macro_f1=f1.sum(axis=1) * _inverse((either > 0).sum(axis=1))[:, None],
        micro_f1=wa,  # the same figure, as every example has one answer
        recalls=recalls,
    )


def _of_ratio(top: np.ndarray, bottom: np.ndarray, own_top: np.ndarray, own_bottom: np.ndarray) -> np.ndarray:
    """Of ratios ``(draws, ratios)`` and speakers ``(speakers, ratios)``: ``(draws, ratios, speakers)``."""
    share = _inverse(bottom)
    return share[:, :, None] * own_top.T - (top * share**2)[:, :, None] * own_bottom.T


def _inverse(values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    return np.divide(1.0, values, out=np.zeros_like(values), where=values > 0)
