"""From predictions to figures with their intervals.

A figure is pooled over the folds for each seed and then averaged over the seeds; its interval is bootstrapped over
speakers, jointly for all seeds. Differences between two models are paired: the same utterances, seeds and draws.
"""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from serzoo import metrics
from serzoo.errors import CorpusError
from serzoo.evaluation import predictions as tables
from serzoo.evaluation.bootstrap import (
    DEFAULT_METHOD,
    SpeakerConfusions,
    caution,
    intervals,
    speaker_confusions,
)
from serzoo.evaluation.continuous import continuous
from serzoo.evaluation.influence import influences

FIGURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "ua": metrics.ua,
    "wa": metrics.wa,
    "macro_f1": metrics.macro_f1,
    "micro_f1": metrics.micro_f1,
}


def summarize(
    predictions: pd.DataFrame, resamples: int = 10_000, seed: int = 0, method: str = DEFAULT_METHOD
) -> dict[str, Any]:
    """Compute every figure of a table of predictions.

    Args:
        predictions: the table; one condition only.
        resamples: number of bootstrap draws.
        seed: of the draws.
        method: kind of interval, see :func:`serzoo.evaluation.bootstrap.intervals`.

    Returns:
        ``ua, wa, macro_f1, micro_f1``: each ``{"value", "ci_low", "ci_high"}``; ``recall``: the same for each class;
        ``recall_by_gender`` and ``ua_by_gender``: the same for each gender, drawn over its speakers;
        ``confusion``: ``{"labels", "counts"}``, rows are the truth, summed over seeds;
        ``fold_ua``: ``{"mean", "std", "values"}`` over folds, each averaged over seeds, ``std`` with n - 1;
        ``continuous``: of :func:`serzoo.evaluation.continuous.continuous`, whatever is known of the emotion;
        ``n`` (utterances), ``num_rows`` (utterances times seeds), ``num_speakers``, ``folds`` and ``seeds`` (how many);
        ``chance``: UA of guessing, one over the classes that occur;
        ``dropped``: how many rows were left out for which reason; ``warnings`` and ``notes``: sentences.
        Ends of intervals are NaN where there are fewer than three speakers, figures where there is no example.

    Raises:
        CorpusError: if the table is not valid, holds several conditions, or no row with a known truth.

    Example:
        >>> summarize(tables.read("runs/a"))["ua"]  # doctest: +SKIP
        {'value': 0.71, 'ci_low': 0.66, 'ci_high': 0.76}
    """
    everything = tables.validate(predictions)
    table, dropped = _judgeable(everything)
    confusions = speaker_confusions(table)
    options = {"resamples": resamples, "seed": seed, "method": method}
    names = [*FIGURES, *confusions.labels]
    result = intervals(confusions.counts, _figures, influence=_influence, **options)
    entries = result.entries()
    num_figures = len(FIGURES)
    genders = {
        str(gender): intervals(speaker_confusions(rows).counts, _figures, influence=_influence, **options)
        for gender, rows in table.groupby("gender", sort=True)
    }
    fold_ua = _fold_ua(table)
    counts = confusions.counts.sum(axis=(0, 1)).astype(np.int64)
    occurring = counts.sum(axis=1) > 0
    return {
        **dict(zip(FIGURES, entries[:num_figures], strict=True)),
        "recall": dict(zip(names[num_figures:], entries[num_figures:], strict=True)),
        "ua_by_gender": {gender: figures.entries()[0] for gender, figures in genders.items()},
        "recall_by_gender": {
            gender: dict(zip(confusions.labels, figures.entries()[num_figures:], strict=True))
            for gender, figures in genders.items()
        },
        "confusion": {"labels": confusions.labels, "counts": counts.tolist()},
        "fold_ua": _mean_and_std(fold_ua),
        "continuous": continuous(everything, **options),
        "n": int(len(table.drop_duplicates(tables.key_columns(table)))),
        "num_rows": int(len(table)),
        "num_speakers": len(confusions.speakers),
        "folds": len(fold_ua),
        "seeds": len(confusions.seeds),
        "chance": 1.0 / int(occurring.sum()),
        "bootstrap": {**options, "level": 0.95},
        "dropped": dropped,
        "warnings": _warnings(table, confusions, occurring),
        "notes": _notes(table),
    }


def recompute(path: str | os.PathLike) -> dict[str, Any]:
    """Compute the figures of a file of predictions, as those in the README and the YAML files were.

    Args:
        path: a file or folder as :func:`serzoo.evaluation.predictions.read` takes it.

    Returns:
        As :func:`summarize`.

    Example:
        >>> recompute("zoo_configs/reported/cnn_ablstm.ravdess8-5fold.csv.gz")["ua"]  # doctest: +SKIP
        {'value': 0.69, 'ci_low': 0.64, 'ci_high': 0.74}
    """
    return summarize(tables.read(path))


def compare(
    a: pd.DataFrame, b: pd.DataFrame, resamples: int = 10_000, seed: int = 0, method: str = DEFAULT_METHOD
) -> dict[str, Any]:
    """Compute by how much one model is better than another on the same utterances, seed by seed.

    Args:
        a: predictions of the one model.
        b: predictions of the other, with the same classes and truth.
        resamples: number of bootstrap draws over speakers.
        seed: of the draws.
        method: kind of interval.

    Returns:
        ``ua, wa, macro_f1, micro_f1``: each ``{"value", "ci_low", "ci_high"}`` of ``a`` minus ``b``; ``recall``: the
        same for each class; ``n, num_rows, num_speakers, seeds`` of the pairs; ``unpaired``: rows of ``a`` and ``b``
        that the other one lacks, which are left out; ``dropped``, ``warnings`` and ``notes`` as in :func:`summarize`.

    Raises:
        CorpusError: if the two have other classes, no row in common, or disagree about truth or speaker of a row.

    Example:
        >>> compare(tables.read("runs/mtl"), tables.read("runs/stl"))["ua"]  # doctest: +SKIP
        {'value': 0.012, 'ci_low': -0.008, 'ci_high': 0.031}
    """
    pairs = paired(a, b)
    one, other = speaker_confusions(pairs.a), speaker_confusions(pairs.b)
    options = {"resamples": resamples, "seed": seed, "method": method}
    both = np.stack([one.counts, other.counts], axis=1)  # (speakers, 2, seeds, classes, classes)
    result = intervals(
        both,
        lambda sums: _figures(sums[:, 0]) - _figures(sums[:, 1]),
        influence=lambda sums, own: _influence(sums[:, 0], own[:, 0]) - _influence(sums[:, 1], own[:, 1]),
        **options,
    )
    entries = result.entries()
    return {
        **dict(zip(FIGURES, entries[: len(FIGURES)], strict=True)),
        "recall": dict(zip(one.labels, entries[len(FIGURES) :], strict=True)),
        "n": int(len(pairs.a.drop_duplicates(tables.key_columns(pairs.a)))),
        "num_rows": int(len(pairs.a)),
        "num_speakers": len(one.speakers),
        "seeds": len(one.seeds),
        "unpaired": pairs.unpaired,
        "bootstrap": {**options, "level": 0.95},
        "dropped": pairs.dropped,
        "warnings": _warnings(pairs.a, one, one.counts.sum(axis=(0, 1, 3)) > 0),
        "notes": sorted({*_notes(pairs.a), *_notes(pairs.b)}),
    }


class Pairs(NamedTuple):
    """Rows of two tables of predictions that are of the same utterances and seeds, in one order of rows and classes."""

    a: pd.DataFrame
    b: pd.DataFrame
    unpaired: dict[str, int]  # rows of each that the other one lacks
    dropped: dict[str, dict[str, int]]  # rows of each that cannot be judged, by reason


def paired(a: pd.DataFrame, b: pd.DataFrame) -> Pairs:
    """Pair the predictions of two models; arguments and errors as of :func:`compare`."""
    (a, dropped_a), (b, dropped_b) = (_judgeable(tables.validate(table)) for table in (a, b))
    labels_a, labels_b = tables.classes(a), tables.classes(b)
    if set(labels_a) != set(labels_b):
        raise CorpusError(f"Compared models must have the same classes. Received: {labels_a} and {labels_b}.")
    both_a, both_b = _same_rows(a, b)
    order = [name for name in both_b if not name.startswith(tables.PREFIX)]
    order += [tables.PREFIX + label for label in labels_a]
    unpaired = {"a": len(a) - len(both_a), "b": len(b) - len(both_b)}
    return Pairs(both_a, both_b[order], unpaired, {"a": dropped_a, "b": dropped_b})


def _figures(sums: np.ndarray) -> np.ndarray:
    """Figures of sums of shape ``(draws, seeds, classes, classes)``, averaged over seeds: ``(draws, figures)``."""
    figures = np.stack([figure(sums) for figure in FIGURES.values()], axis=-1)
    return metrics.mean_of_defined(np.concatenate([figures, metrics.recalls(sums)], axis=-1), axis=1)


def _influence(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Influence of each speaker on what :func:`_figures` gives: ``(draws, figures, speakers)``."""
    total = 0.0
    # Where a seed lacks a class, or all that was drawn, the figure is the mean of the other seeds.
    occurs = sums.sum(axis=-1) > 0  # (draws, seeds, classes)
    num_seeds = np.maximum(occurs.any(axis=-1).sum(axis=1), 1)[:, None, None]
    seeds_with_class = np.maximum(occurs.sum(axis=1), 1)[:, :, None]
    for seed in range(sums.shape[1]):
        moved = influences(sums[:, seed], counts[:, seed])
        figures = np.stack([getattr(moved, name) for name in FIGURES], axis=1) / num_seeds
        total = total + np.concatenate([figures, moved.recalls / seeds_with_class], axis=1)
    return total


def _judgeable(table: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    if "condition" in table and table["condition"].nunique(dropna=False) > 1:
        held = ", ".join(map(str, table["condition"].unique()))
        raise CorpusError(f"A figure belongs to one condition; choose one. Received: {held}.")
    labels = tables.classes(table)
    reasons = table["truth"].map(
        lambda truth: "truth is missing" if truth != truth else f"truth {truth!r} is not among the classes"
    )
    kept = table["truth"].isin(labels)
    dropped = {str(reason): int(count) for reason, count in reasons[~kept].value_counts(sort=False).items()}
    if not kept.any():
        raise CorpusError(f"No row has a truth among the classes {', '.join(labels)}. Received: {dropped}.")
    return table[kept].reset_index(drop=True), dropped


def _same_rows(a: pd.DataFrame, b: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    keys = tables.key_columns(a, "seed")
    if keys != tables.key_columns(b, "seed"):
        raise CorpusError("Either both tables have a condition column or none. Received: one of them has.")
    index_a, index_b = (pd.MultiIndex.from_frame(table[keys].fillna({"start": -1.0})) for table in (a, b))
    place = index_b.get_indexer(index_a)
    if (place < 0).all():
        seeds = f"seeds {sorted(a['seed'].unique().tolist())} and {sorted(b['seed'].unique().tolist())}"
        raise CorpusError(f"The two tables have no ({', '.join(keys)}) in common. Received: {seeds}.")
    paired_a = a[place >= 0].reset_index(drop=True)
    paired_b = b.iloc[place[place >= 0]].reset_index(drop=True)
    for name in ("truth", "speaker"):
        differs = np.flatnonzero((paired_a[name] != paired_b[name]).to_numpy())
        if len(differs):
            first = int(differs[0])
            came = f"{paired_a[name][first]!r} and {paired_b[name][first]!r} for {paired_a['file'][first]}"
            raise CorpusError(f"Paired rows must agree about the {name}. Received: {came}, {len(differs)} such rows.")
    return paired_a, paired_b


def _fold_ua(table: pd.DataFrame) -> list[float]:
    """UA of each fold, averaged over the seeds that have it."""
    by_fold = [
        [float(metrics.ua(speaker_confusions(rows).counts.sum(axis=(0, 1)))) for _, rows in fold.groupby("seed")]
        for _, fold in table.groupby("fold", sort=True)
    ]
    return [float(np.mean(values)) for values in by_fold]


def _mean_and_std(values: list[float]) -> dict[str, Any]:
    mean = float(np.mean(values)) if values else float("nan")
    return {"mean": mean, "std": float(np.std(values, ddof=1)) if len(values) > 1 else float("nan"), "values": values}


def _warnings(table: pd.DataFrame, confusions: SpeakerConfusions, occurring: np.ndarray) -> list[str]:
    few = caution(len(confusions.speakers), ", ".join(map("/".join, confusions.speakers)))
    found = [few] if few else []
    absent = [label for label, occurs in zip(confusions.labels, occurring, strict=True) if not occurs]
    if absent:
        found.append(f"classes without examples, left out of ua: {', '.join(absent)}")
    told = dict(zip(confusions.labels, confusions.counts.sum(axis=(0, 1, 2)) > 0, strict=True))
    if predicted := [label for label in absent if told[label]]:
        found.append(f"classes without examples that were answered, and count as 0 in macro_f1: {', '.join(predicted)}")
    no_gender = int(table["gender"].isna().sum())
    if no_gender:
        found.append(f"{no_gender} rows without a gender, left out of the figures by gender only")
    sizes = table.groupby("seed").size()
    rows = len(table.drop_duplicates(tables.key_columns(table)))
    if (sizes != rows).any():
        held = ", ".join(f"seed {seed}: {size}" for seed, size in sizes.items())
        found.append(f"not every seed judged all {rows} utterances ({held})")
    return found


def _notes(table: pd.DataFrame) -> list[str]:
    return sorted(table["note"].dropna().unique().tolist()) if "note" in table else []
