"""Confidence intervals of figures, bootstrapped over speakers.

Clips of one speaker are alike, so the speaker is what is drawn: with replacement, all clips of a drawn speaker at once,
and the same draw for every seed. A draw is a sum of per-speaker confusion matrices, so that ten thousand of them are a
matrix product however many clips there are.

Reference:
    Field, Welsh (2007), Bootstrapping clustered data. https://doi.org/10.1111/j.1467-9868.2007.00593.x
    Efron (1987), Better bootstrap confidence intervals. https://doi.org/10.1080/01621459.1987.10478410
"""

from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pandas as pd

from serzoo.corpora.forms import persons
from serzoo.errors import unknown_name
from serzoo.evaluation.predictions import arrays, classes

METHODS = ("bca", "percentile", "studentised")
DEFAULT_METHOD = "studentised"
MIN_SPEAKERS = 3  # of two, the only draw that has a standard error is that of both: it says nothing about the spread
FEW_SPEAKERS = 10  # from here on, docs/coverage.md has measured how often the interval holds the truth
_CHUNK_BYTES = 16 * 2**20
_NO_SPREAD = 1e-9  # of figures, which are about 1: what rounding leaves of 0

Statistic = Callable[[np.ndarray], np.ndarray]
Influence = Callable[[np.ndarray, np.ndarray], np.ndarray]
Spread = Callable[[np.ndarray, np.ndarray], np.ndarray]  # times (draws, speakers), sums (draws, ...): standard errors


def caution(num_speakers: int, names: str = "") -> str | None:
    """Say what a reader must know of intervals over so few speakers, if anything; ``names`` are added to fewer than 3.

    Example:
        >>> caution(9), caution(10)
        ('9 speakers only: the intervals are too narrow', None)
    """
    if num_speakers < MIN_SPEAKERS:
        return f"fewer than {MIN_SPEAKERS} speakers{names and f' ({names})'}: no interval"
    return f"{num_speakers} speakers only: the intervals are too narrow" if num_speakers < FEW_SPEAKERS else None


class SpeakerConfusions(NamedTuple):
    """Confusion matrices of each speaker and seed.

    Attributes:
        counts: float64 whole numbers, shape ``(speakers, seeds, classes, classes)``.
        speakers: sorted pairs of corpus and speaker, a person in two forms of a corpus once.
        seeds: sorted seeds.
        labels: classes in the order of rows and columns.
    """

    counts: np.ndarray
    speakers: list[tuple[str, str]]
    seeds: list[int]
    labels: list[str]


class Intervals(NamedTuple):
    """Figures with their intervals.

    Attributes:
        value: figures of all speakers, shape ``(figures,)``.
        low: lower ends, shape ``(figures,)``; NaN where there are fewer than three speakers, or in one of the groups,
            and where a single speaker makes the figure, as the recall of a class that nobody else has.
        high: upper ends, shape ``(figures,)``.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def entries(self) -> list[dict[str, float]]:
        """As plain data, ``{"value", "ci_low", "ci_high"}`` for each figure."""
        columns = zip(*(ends.tolist() for ends in self), strict=True)
        return [{"value": value, "ci_low": low, "ci_high": high} for value, low, high in columns]


def speaker_confusions(predictions: pd.DataFrame) -> SpeakerConfusions:
    """Count the confusions of each speaker and seed; the answer is the most probable class.

    Of classes that tie, the first column is the answer. Every truth must be a class of the table.

    Args:
        predictions: a valid table of predictions.

    Returns:
        The matrices, in an order that does not depend on the order of the rows.

    Example:
        >>> speaker_confusions(predictions).counts.shape  # doctest: +SKIP
        (24, 5, 8, 8)
    """
    labels = classes(predictions)
    pairs = persons(predictions)
    speakers = sorted(pairs.unique())
    seeds = sorted(predictions["seed"].unique().tolist())
    speaker = pd.MultiIndex.from_tuples(speakers).get_indexer(pairs)
    seed = np.searchsorted(seeds, predictions["seed"].to_numpy())
    probabilities, truth = arrays(predictions)
    if (truth < 0).any():
        raise unknown_name("class", predictions["truth"].iloc[int(np.argmin(truth))], labels)
    shape = (len(speakers), len(seeds), len(labels), len(labels))
    flat = np.ravel_multi_index((speaker, seed, truth, probabilities.argmax(axis=1)), shape)
    counts = np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape)
    return SpeakerConfusions(counts.astype(np.float64), [tuple(pair) for pair in speakers], seeds, labels)


def intervals(
    counts: np.ndarray,
    statistic: Statistic,
    *,
    resamples: int = 10_000,
    seed: int = 0,
    level: float = 0.95,
    method: str = DEFAULT_METHOD,
    influence: Influence | None = None,
    strata: Sequence[str] | None = None,
) -> Intervals:
    """Bootstrap figures over speakers.

    Args:
        counts: something to be summed over speakers, shape ``(speakers, ...)``.
        statistic: takes sums of the shape ``(draws, ...)`` and gives figures, ``(draws, figures)``. NaN, such as the
            recall of a class that no drawn speaker has, is left out of that figure's distribution.
        resamples: number of draws.
        seed: of the draws; the same seed gives the same intervals on any machine and NumPy version.
        level: share of intervals that shall hold the truth.
        method: ``"studentised"`` (bootstrap-t: each draw is measured by its own standard error), ``"percentile"``, or
            ``"bca"`` (bias-corrected and accelerated). The first comes nearest to ``level``, most of all with few
            speakers: ``tests/benchmarks/interval_coverage.py``.
        influence: takes sums and ``counts`` and gives by how much each speaker moves each figure, to first order,
            ``(draws, figures, speakers)``, for figures that do not change when all counts double. Standard errors come
            from it; without it from a jackknife over the drawn speakers, which is slow where there are many.
        strata: group of each speaker, such as the gender: of each group as many are drawn as it has. None draws from
            all alike.

    Returns:
        Figures and their intervals. No end lies beyond what the draws reached.

    Raises:
        UnknownNameError: for a method that does not exist.

    Example:
        >>> hits = np.array([[8.0], [9.0], [10.0], [7.0]])  # of ten clips each
        >>> result = intervals(hits, lambda total: total / 40, method="percentile")
        >>> [round(float(figure[0]), 3) for figure in result]
        [0.85, 0.75, 0.95]
    """
    if method not in METHODS:
        raise unknown_name("bootstrap method", method, METHODS)
    sizes = [len(counts)]
    if strata is not None:
        counts = counts[np.argsort(strata, kind="stable")]
        sizes = np.unique(strata, return_counts=True)[1]
    total = counts.sum(axis=0)[None]
    value = statistic(total)[0]
    if min(sizes) < MIN_SPEAKERS:
        return Intervals(value, np.full_like(value, np.nan), np.full_like(value, np.nan))
    spread = _by_influence(influence, counts) if influence else _by_jackknife(statistic, counts)
    drawn, spreads = [], []
    for times, sums in _drawn_sums(counts, resamples, seed, strata):
        drawn.append(statistic(sums))
        if method == "studentised":
            spreads.append(spread(times, sums))
    draws = np.concatenate(drawn)
    left_one_out = statistic(total - counts)  # (speakers, figures)
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    if method == "studentised":
        ends = _studentised(value, spread(np.ones((1, len(counts))), total)[0], draws, np.concatenate(spreads), tails)
    else:
        tails = np.repeat(tails[:, None], len(value), axis=1)  # (2, figures)
        if method == "bca":
            tails = _bca_tails(tails, value, draws, left_one_out)
        ends = np.array([_quantiles(draws[:, i], tails[:, i]) for i in range(len(value))])
    ends[np.isnan(left_one_out).any(axis=0)] = np.nan
    return Intervals(value, ends[:, 0], ends[:, 1])


def _drawn_sums(counts: np.ndarray, resamples: int, seed: int, strata: Sequence[str] | None = None):
    """Yield how often each speaker was drawn, ``(draws, speakers)``, and the sums, ``(draws, ...)``, in chunks."""
    num_speakers, shape = len(counts), counts.shape[1:]
    flat = counts.reshape(num_speakers, -1)
    # Where the group of each place begins, and its size; the speakers are sorted by group.
    groups = np.zeros(num_speakers) if strata is None else np.sort(strata)
    _, first, size = np.unique(groups, return_index=True, return_counts=True)
    first, size = np.repeat(first, size), np.repeat(size, size)
    chunk = max(1, _CHUNK_BYTES // (8 * max(flat.shape[1], 10 * num_speakers)))
    # RandomState and not default_rng: its stream is frozen, and published intervals must not move with NumPy.
    random = np.random.RandomState(seed)
    for done in range(0, resamples, chunk):
        num_draws = min(chunk, resamples - done)
        drawn = first + (random.random_sample((num_draws, num_speakers)) * size).astype(np.int64)
        drawn += num_speakers * np.arange(num_draws)[:, None]
        times = np.bincount(drawn.ravel(), minlength=num_draws * num_speakers).reshape(num_draws, num_speakers)
        yield times, (times.astype(np.float64) @ flat).reshape(num_draws, *shape)


def _studentised(value, error, draws, spreads, tails) -> np.ndarray:
    """Ends ``(figures, 2)`` from draws and standard errors ``(draws, figures)``."""
    with np.errstate(divide="ignore", invalid="ignore"):
        # A draw whose speakers are all alike has no standard error, and so says nothing about the scale.
        scaled = np.where(spreads > _NO_SPREAD, (draws - value) / spreads, np.nan)
    ends = np.full((len(value), 2), np.nan)
    for i in range(len(value)):
        reached = draws[~np.isnan(draws[:, i]), i]
        if not error[i] > _NO_SPREAD and len(reached):
            ends[i] = _quantiles(reached, tails)  # all speakers alike
        elif len(reached):
            low, high = _quantiles(scaled[:, i], tails)
            ends[i] = np.clip([value[i] - high * error[i], value[i] - low * error[i]], reached.min(), reached.max())
    return ends


def _by_influence(influence: Influence, counts: np.ndarray) -> Spread:
    num_speakers = len(counts)

    def spread(times: np.ndarray, sums: np.ndarray) -> np.ndarray:
        squares = influence(sums, counts) ** 2 @ times.astype(np.float64)[:, :, None]
        return np.sqrt(squares[:, :, 0] * num_speakers / (num_speakers - 1))

    return spread


def _by_jackknife(statistic: Statistic, counts: np.ndarray) -> Spread:
    def spread(times: np.ndarray, sums: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):  # of a speaker who was not drawn more is taken off than there is
            figures = np.stack([statistic(sums - own) for own in counts], axis=1)  # (draws, speakers, figures)
        times_left = np.where(np.isnan(figures), 0.0, times[:, :, None])
        figures = np.where(times_left > 0, figures, 0.0)
        number = times_left.sum(axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            # Around their mean: a difference of squares would leave 1e-8 of speakers who are all alike.
            middle = (times_left * figures).sum(axis=1) / number
            squares = (times_left * (figures - middle[:, None]) ** 2).sum(axis=1)
            return np.sqrt(squares * (number - 1) / number)

    return spread


def _quantiles(draws: np.ndarray, tails: np.ndarray) -> np.ndarray:
    draws = draws[~np.isnan(draws)]
    if not len(draws) or np.isnan(tails).any():
        return np.full(2, np.nan)
    return np.quantile(draws, tails)


def _bca_tails(tails: np.ndarray, value: np.ndarray, draws: np.ndarray, left_one_out: np.ndarray) -> np.ndarray:
    normal = NormalDist()
    moved = tails.copy()
    for i in range(len(value)):
        distribution = draws[~np.isnan(draws[:, i]), i]
        jackknife = left_one_out[~np.isnan(left_one_out[:, i]), i]
        if not len(distribution) or not len(jackknife):
            continue
        below = np.mean(distribution < value[i]) + 0.5 * np.mean(distribution == value[i])
        deviation = jackknife.mean() - jackknife
        spread = np.sum(deviation**2)
        if not 0 < below < 1 or spread == 0:
            continue  # every draw is the same: the percentile interval is that point
        bias = normal.inv_cdf(below)
        acceleration = np.sum(deviation**3) / (6 * spread**1.5)
        for end in range(2):
            z = bias + normal.inv_cdf(tails[end, i])
            moved[end, i] = normal.cdf(bias + z / (1 - acceleration * z))
    return moved
