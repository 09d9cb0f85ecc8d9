r"""Figures of a classifier, from confusion matrices, and of continuous answers, from values.

Conventions: a confusion matrix :math:`N` has the shape ``(..., classes, classes)``, rows are the truth, columns the
prediction. Any leading axes are batch axes, so that ten thousand resamples cost one call. Figures are fractions in
[0, 1] as float64; a figure that is not defined (no examples) is NaN, never 0.

UA is the unweighted accuracy, which others call UAR, unweighted average recall or balanced accuracy. WA is the
weighted accuracy, the share of right answers. The treatment of absent classes is scikit-learn's throughout.

CCC, PCC, MAE and RMSE take true and predicted values of the shape ``(..., examples)`` and agree with audmetric.
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
    return mean_of_defined(recalls(confusion))


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
    return mean_of_defined(_ratio(2 * hits, counts.sum(axis=-1) + counts.sum(axis=-2)))


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
    # A miss is one false negative for its true class and one false positive for the predicted one.
    return wa(confusion)


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


def mean_of_defined(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mean of the figures that are defined.

    Args:
        values: figures, NaN where one is not defined.
        axis: the axis to average over.

    Returns:
        Means, without that axis; NaN where no figure is defined.

    Example:
        >>> mean_of_defined(np.array([[0.5, np.nan], [np.nan, np.nan]]))
        array([0.5, nan])
    """
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0.0).sum(axis=axis), defined.sum(axis=axis))


def ccc(truth: Sequence, predicted: Sequence) -> np.ndarray:
    r"""Concordance correlation coefficient: correlation that a shift or another scale lowers.

    .. math:: \mathrm{CCC} = \frac{2 s_{xy}}{s_x^2 + s_y^2 + (\bar x - \bar y)^2}

    with variances over all examples, not one less.

    Args:
        truth: true values, shape ``(..., examples)``.
        predicted: predicted values, the same shape.

    Returns:
        From -1 to 1, shape ``(...)``; NaN for fewer than two examples, or where all values are the same one.

    Raises:
        ValueError: if the shapes differ or a value is missing.

    Example:
        >>> round(float(ccc([0, 1, 2], [1, 2, 3])), 4)
        0.5714

    Reference:
        Lin (1989), A concordance correlation coefficient to evaluate reproducibility. https://doi.org/10.2307/2532051
    """
    x, y = _checked_values(truth, predicted)
    (dx, dy), shift = _centred(x, y), _mean(x) - _mean(y)
    return _from_two(x, 2 * _mean(dx * dy), _mean(dx * dx) + _mean(dy * dy) + shift**2)


def pcc(truth: Sequence, predicted: Sequence) -> np.ndarray:
    r"""Pearson's correlation coefficient.

    .. math:: \mathrm{PCC} = \frac{s_{xy}}{s_x s_y}

    Args:
        truth: true values, shape ``(..., examples)``.
        predicted: predicted values, the same shape.

    Returns:
        From -1 to 1, shape ``(...)``; NaN for fewer than two examples, or where either side is constant.

    Raises:
        ValueError: if the shapes differ or a value is missing.

    Example:
        >>> float(pcc([0, 1, 2], [1, 2, 3]))
        1.0
    """
    x, y = _checked_values(truth, predicted)
    dx, dy = _centred(x, y)
    return _from_two(x, _mean(dx * dy), np.sqrt(_mean(dx * dx)) * np.sqrt(_mean(dy * dy)))


def mae(truth: Sequence, predicted: Sequence) -> np.ndarray:
    """Mean absolute error, in the unit of the values.

    Args:
        truth: true values, shape ``(..., examples)``.
        predicted: predicted values, the same shape.

    Returns:
        0 or more, shape ``(...)``; NaN for no examples.

    Raises:
        ValueError: if the shapes differ or a value is missing.

    Example:
        >>> float(mae([0, 1, 2], [1, 1, 4]))
        1.0
    """
    x, y = _checked_values(truth, predicted)
    return _mean(np.abs(x - y))


def rmse(truth: Sequence, predicted: Sequence) -> np.ndarray:
    """Root mean square error, in the unit of the values.

    Args:
        truth: true values, shape ``(..., examples)``.
        predicted: predicted values, the same shape.

    Returns:
        0 or more, shape ``(...)``; NaN for no examples.

    Raises:
        ValueError: if the shapes differ or a value is missing.

    Example:
        >>> float(rmse([0, 1], [1, 1]))
        0.7071067811865476
    """
    x, y = _checked_values(truth, predicted)
    return np.sqrt(_mean((x - y) ** 2))


def _checked_values(truth: Sequence, predicted: Sequence) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(truth, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if x.shape != y.shape or x.ndim < 1:
        raise ValueError(f"truth and predicted must have the same shape. Received: {x.shape} and {y.shape}.")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        missing = int((~np.isfinite(x)).sum()), int((~np.isfinite(y)).sum())
        raise ValueError(
            f"No value may be missing or infinite. Received such: {missing[0]} true, {missing[1]} predicted."
        )
    return x, y


def _mean(values: np.ndarray) -> np.ndarray:
    return _ratio(values.sum(axis=-1), np.float64(values.shape[-1]))


def _centred(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # A constant is centred to zeros exactly, where its mean may be off by a rounding error.
    return tuple(
        np.where(np.ptp(v, axis=-1, keepdims=True) > 0, v - _mean(v)[..., None], 0.0) if v.shape[-1] else v
        for v in (x, y)
    )


def _from_two(x: np.ndarray, numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return _ratio(numerator, denominator if x.shape[-1] > 1 else 0 * denominator)


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


def _codes(values: Sequence, index: dict, what: str) -> np.ndarray:
    # NaN is never found here, not even beside a NaN label: a missing label is the caller's to drop and count.
    values = np.asarray(values, dtype=object).tolist()
    codes = np.asarray([index.get(value, -1) if value == value else -1 for value in values], dtype=np.int64)
    if (codes < 0).any():
        unknown = sorted({repr(values[i]) for i in np.flatnonzero(codes < 0).tolist()})
        allowed = ", ".join(map(str, index))
        raise UnknownNameError(f"{what} holds labels that are no class: {', '.join(unknown)}. Allowed: {allowed}.")
    return codes
