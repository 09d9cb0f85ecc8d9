r"""Figures of a classifier, from confusion matrices.

Conventions: a confusion matrix :math:`N` has the shape ``(..., classes, classes)``, rows are the truth, columns the
prediction. Any leading axes are batch axes, so that ten thousand resamples cost one call. Figures are fractions in
[0, 1] as float64; a figure that is not defined (no examples) is NaN, never 0.

UA is the unweighted accuracy, which others call UAR, unweighted average recall or balanced accuracy. WA is the
weighted accuracy, the share of right answers. The treatment of absent classes is scikit-learn's throughout.
"""

from collections.abc import Sequence

import numpy as np

from serzoo.errors import UnknownNameError


def confusion(truth: Sequence, predicted: Sequence, labels: Sequence) -> np.ndarray:
    """Count how often each class was taken for each other.

    Args:
        truth: true labels, shape ``(examples,)``.
        predicted: predicted labels, shape ``(examples,)``.
        labels: the classes in the order of rows and columns, each once.

    Returns:
        Counts, int64, shape ``(classes, classes)``; an empty input gives zeros.

    Raises:
        ValueError: if the lengths differ or a class is listed twice.
        UnknownNameError: if a label is not among ``labels``.

    Example:
        >>> confusion(["sadness", "anger", "anger"], ["sadness", "anger", "sadness"], ["anger", "sadness"])
        array([[1, 1],
               [0, 1]])
    """
    if len(truth) != len(predicted):
        raise ValueError(f"truth and predicted must be equally long. Received: {len(truth)} and {len(predicted)}.")
    index = {label: i for i, label in enumerate(labels)}
    if len(index) != len(labels):
        raise ValueError(f"labels must name each class once. Received: {list(labels)}.")
    rows, columns = _codes(truth, index, "truth"), _codes(predicted, index, "predicted")
    counts = np.bincount(rows * len(index) + columns, minlength=len(index) ** 2)
    return counts.astype(np.int64).reshape(len(index), len(index))


def ua(confusion: np.ndarray) -> np.ndarray:
    r"""Unweighted accuracy: the mean of the recalls over the classes that occur in the truth.

    .. math:: \mathrm{UA} = \frac{1}{|K|} \sum_{k \in K} \frac{N_{kk}}{\sum_j N_{kj}}

    Args:
        confusion: counts, shape ``(..., classes, classes)``.

    Returns:
        Fraction, shape ``(...)``; NaN for a matrix of zeros.

    Example:
        >>> float(ua([[9, 1, 0], [2, 2, 0], [0, 0, 0]]))
        0.7

    Reference:
        Schuller et al. (2009), The INTERSPEECH 2009 Emotion Challenge. https://doi.org/10.21437/Interspeech.2009-103
    """
    return _mean_over_classes(recalls(confusion))


def wa(confusion: np.ndarray) -> np.ndarray:
    """Weighted accuracy: the share of right answers.

    Args:
        confusion: counts, shape ``(..., classes, classes)``.

    Returns:
        Fraction, shape ``(...)``; NaN for a matrix of zeros.

    Example:
        >>> float(wa([[9, 1], [2, 4]]))
        0.8125
    """
    counts = _checked(confusion)
    return _ratio(np.trace(counts, axis1=-2, axis2=-1), counts.sum(axis=(-2, -1)))


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    r"""Mean of the F1 scores over the classes that occur in the truth or among the predictions.

    .. math:: F_k = \frac{2 N_{kk}}{\sum_j N_{kj} + \sum_j N_{jk}}

    A class that occurs in neither is left out; one that is only ever predicted counts as 0, as in scikit-learn.

    Args:
        confusion: counts, shape ``(..., classes, classes)``.

    Returns:
        Fraction, shape ``(...)``; NaN for a matrix of zeros.

    Example:
        >>> float(macro_f1([[3, 1, 0], [1, 3, 0], [0, 0, 0]]))
        0.75
    """
    counts = _checked(confusion)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    return _mean_over_classes(_ratio(2 * hits, counts.sum(axis=-1) + counts.sum(axis=-2)))


def micro_f1(confusion: np.ndarray) -> np.ndarray:
    """F1 score over all decisions, which equals :func:`wa` as long as every example has one label and one answer.

    Args:
        confusion: counts, shape ``(..., classes, classes)``.

    Returns:
        Fraction, shape ``(...)``; NaN for a matrix of zeros.

    Example:
        >>> float(micro_f1([[9, 1], [2, 4]]))
        0.8125
    """
    counts = _checked(confusion)
    hits = np.trace(counts, axis1=-2, axis2=-1)
    misses = counts.sum(axis=(-2, -1)) - hits
    # A miss is one false negative for its true class and one false positive for the predicted one.
    return _ratio(2 * hits, 2 * hits + misses + misses)


def recalls(confusion: np.ndarray) -> np.ndarray:
    """Recall of each class: the share of its examples that were recognised.

    Args:
        confusion: counts, shape ``(..., classes, classes)``.

    Returns:
        Fractions, shape ``(..., classes)``; NaN for a class without examples.

    Example:
        >>> recalls([[9, 1], [0, 0]])
        array([0.9, nan])
    """
    counts = _checked(confusion)
    return _ratio(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1))


def _checked(confusion: np.ndarray) -> np.ndarray:
    counts = np.asarray(confusion, dtype=np.float64)
    if counts.ndim < 2 or counts.shape[-1] != counts.shape[-2]:
        raise ValueError(f"confusion must have the shape (..., classes, classes). Received: {counts.shape}.")
    return counts


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    out = np.full(denominator.shape, np.nan)
    np.divide(numerator, denominator, out=out, where=denominator > 0)
    return out[()]


def _mean_over_classes(values: np.ndarray) -> np.ndarray:
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1))


def _codes(values: Sequence, index: dict, what: str) -> np.ndarray:
    # NaN is never found here, not even beside a NaN label: a missing label is the caller's to drop and count.
    codes = [index.get(value, -1) if value == value else -1 for value in np.asarray(values, dtype=object).tolist()]
    codes = np.asarray(codes, dtype=np.int64)
    if (codes < 0).any():
        unknown = sorted({repr(values[i]) for i in np.flatnonzero(codes < 0).tolist()})
        allowed = ", ".join(map(str, index))
        raise UnknownNameError(f"{what} holds labels that are no class: {', '.join(unknown)}. Allowed: {allowed}.")
    return codes
