"""Do the probabilities mean what they say? Reliability, calibration error, and the temperature that mends it.

A model is calibrated if, of the answers that it gives with 80 % confidence, 80 % are right. Temperature scaling divides
the logits by one number T, which changes the confidence and never the answer.

Reference:
    Guo et al. (2017), On calibration of modern neural networks. https://proceedings.mlr.press/v70/guo17a.html
"""

from typing import Any

import numpy as np
import pandas as pd

from serzoo.errors import CorpusError
from serzoo.evaluation import predictions as tables

NUM_BINS = 15
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0
# Predictions keep four decimals, so that a 0 stands for anything below half of the last one.
_FLOOR = 0.5 * 10**-tables.DECIMALS


def calibration(predictions: pd.DataFrame, num_bins: int = NUM_BINS) -> dict[str, Any]:
    r"""Measure how far confidence and share of right answers are apart.

    .. math:: \mathrm{ECE} = \sum_b \frac{n_b}{n} \left| \mathrm{accuracy}_b - \mathrm{confidence}_b \right|

    over bins of equal width of the confidence, which is the probability of the answer.

    Args:
        predictions: a valid table of predictions whose every truth is a class.
        num_bins: number of bins over [0, 1].

    Returns:
        ``ece``; ``nll``, the mean negative logarithm of the probability of the truth (natural, 0 is perfect);
        ``confidence`` and ``accuracy``, the means; ``bins``: ``{"low", "high", "count", "confidence", "accuracy"}`` of
        each bin that has an answer.

    Example:
        >>> rows = pd.DataFrame({"truth": ["a", "b"], "p_a": [0.8, 0.6], "p_b": [0.2, 0.4]})
        >>> round(calibration(rows, num_bins=1)["ece"], 3)  # confidence 0.7, right in one of two
        0.2
    """
    probabilities, truth = _arrays(predictions)
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    edges = np.linspace(0.0, 1.0, num_bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, num_bins - 1)  # (low, high]
    bins = []
    for number in np.unique(place):
        inside = place == number
        bins.append(
            {
                "low": float(edges[number]),
                "high": float(edges[number + 1]),
                "count": int(inside.sum()),
                "confidence": float(confidence[inside].mean()),
                "accuracy": float(right[inside].mean()),
            }
        )
    return {
        "ece": sum(each["count"] * abs(each["accuracy"] - each["confidence"]) for each in bins) / len(truth),
        "nll": negative_log_likelihood(probabilities, truth),
        "confidence": float(confidence.mean()),
        "accuracy": float(right.mean()),
        "bins": bins,
    }


def fit_temperature(predictions: pd.DataFrame) -> float:
    """Find the temperature under which predictions are most likely; fit it on validation speakers, never on test ones.

    Args:
        predictions: a valid table of predictions whose every truth is a class.

    Returns:
        A number above 1 where the model is too sure, below 1 where it is not sure enough; 0.05 to 20.

    Raises:
        CorpusError: if there is no row.

    Example:
        >>> rows = pd.DataFrame({"truth": ["a", "a", "b"], "p_a": [0.9, 0.9, 0.9], "p_b": [0.1, 0.1, 0.1]})
        >>> temperature = fit_temperature(rows)  # right in two of three: a confidence of 2/3 is most likely
        >>> scaled(rows, temperature)["p_a"].round(3).tolist()
        [0.667, 0.667, 0.667]
    """
    from scipy.optimize import minimize_scalar

    if predictions.empty:
        raise CorpusError("A temperature is fitted on one prediction or more. Received: none.")
    probabilities, truth = _arrays(predictions)
    # The loss is convex in 1 / T, and so has one minimum in log T, too.
    found = minimize_scalar(
        lambda log_t: negative_log_likelihood(_soften(probabilities, np.exp(log_t)), truth),
        bounds=(np.log(MIN_TEMPERATURE), np.log(MAX_TEMPERATURE)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(np.exp(found.x))


def scaled(predictions: pd.DataFrame, temperature: float | np.ndarray) -> pd.DataFrame:
    """Divide the logits of predictions by a temperature.

    Args:
        predictions: a valid table of predictions.
        temperature: one number, or one for each row.

    Returns:
        The table with other probabilities and the same answers.

    Raises:
        CorpusError: if a temperature is not above 0.

    Example:
        >>> scaled(pd.DataFrame({"p_a": [0.8], "p_b": [0.2]}), 2.0)["p_a"].round(4).tolist()
        [0.6667]
    """
    if not np.all(np.asarray(temperature) > 0):
        raise CorpusError(f"A temperature must be above 0. Received: {temperature}.")
    columns = [tables.PREFIX + label for label in tables.classes(predictions)]
    softened = _soften(predictions[columns].to_numpy(np.float64), temperature)
    return predictions.assign(**dict(zip(columns, softened.T, strict=True)))


def negative_log_likelihood(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Mean of ``-log p`` of the true class; a probability of 0 counts as half of the fourth decimal.

    Args:
        probabilities: shape ``(rows, classes)``.
        truth: index of the true class, shape ``(rows,)``.

    Example:
        >>> round(negative_log_likelihood(np.array([[0.5, 0.5]]), np.array([1])), 4)
        0.6931
    """
    return float(-np.log(np.maximum(probabilities[np.arange(len(truth)), truth], _FLOOR)).mean())


def _arrays(predictions: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    probabilities, truth = tables.arrays(predictions)
    if (truth < 0).any():
        raise CorpusError(
            f"Every truth must be one of {', '.join(tables.classes(predictions))}. "
            f"Received: {predictions['truth'].iloc[int(np.argmin(truth))]!r}."
        )
    return probabilities, truth


def _soften(probabilities: np.ndarray, temperature: float | np.ndarray) -> np.ndarray:
    logits = np.log(np.maximum(probabilities, _FLOOR)) / np.reshape(temperature, (-1, 1))
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)
