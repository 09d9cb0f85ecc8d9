"""Are women and men recognised equally well, and if not, is it what they said?

The gap is women minus men, of the recall of each class, and of UA, which is the mean over the classes that both speak.
Its interval is bootstrapped over speakers, women and men drawn apart, so that each draw has as many of both as there
are. The matched comparison takes only what both said:
recall is computed for each class and text (and how it was spoken, where a corpus tells) that occurs for women and for
men, and averaged with equal weights over the texts of a class and over the classes. What is left of the gap is then not
due to who said what, or how often.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from serzoo import metrics
from serzoo.corpora.forms import persons
from serzoo.errors import CorpusError
from serzoo.evaluation import predictions as tables
from serzoo.evaluation.bootstrap import intervals, speaker_confusions
from serzoo.evaluation.figures import percent, sign_of
from serzoo.evaluation.summary import summarize
from serzoo.metrics import mean_of_defined

GENDERS = ("female", "male")
MATCHED = ("text", "intensity", "style")
MIN_OF_EACH = 2  # women and men; with three of each the gap has an interval


def gender_gap(
    predictions: pd.DataFrame, table: pd.DataFrame | None = None, resamples: int = 10_000, seed: int = 0
) -> dict[str, Any]:
    """Compare women and men.

    Args:
        predictions: of one model and one condition.
        table: of the corpora, for the texts; without it there is no matched comparison.
        resamples: number of bootstrap draws.
        seed: of the draws.

    Returns:
        ``recall``: by gender and class; ``ua``: by gender; ``gap``: women minus men, ``{"ua", "recall": {class}}``, UA
        over the classes of both;
        ``matched``: the same ``ua`` and ``recall`` gaps, with ``by``, ``cells`` and how many utterances of women and
        men they hold, or ``{"reason"}``; ``speakers`` by gender; ``survives``: whether there is a gap and it survives,
        None where that cannot be told; ``verdict``.

    Raises:
        CorpusError: if women or men have fewer than two speakers, or no class in common.

    Example:
        >>> gender_gap(tables.read("runs/mtl"))["verdict"]  # doctest: +SKIP
        'No gap between women and men can be told: UA +3.1 [-4.8, +11.2] points.'
    """
    rows = tables.validate(predictions)
    rows = rows[rows["gender"].isin(GENDERS) & rows["truth"].isin(tables.classes(rows))]
    speakers = _num_speakers(rows)
    if min(speakers.values()) < MIN_OF_EACH:
        came = ", ".join(f"{count} {gender}" for gender, count in speakers.items())
        raise CorpusError(f"A gap between women and men needs {MIN_OF_EACH} speakers of each. Received: {came}.")
    options = {"resamples": resamples, "seed": seed}
    summary = summarize(rows, **options)
    labels = tables.classes(rows)
    spoken = [set(rows["truth"][rows["gender"] == each]) for each in GENDERS]
    if not spoken[0] & spoken[1]:
        came = "; ".join(f"{each}: {', '.join(sorted(own))}" for each, own in zip(GENDERS, spoken, strict=True))
        raise CorpusError(f"A gap between women and men needs a class that both speak. Received: {came}.")
    gap = _gap(rows, options)
    matched = _matched(rows, table, options)
    sentence, survives = _verdict(gap["ua"], matched, sorted(spoken[0] ^ spoken[1]))
    return {
        "ua": summary["ua_by_gender"],
        "recall": summary["recall_by_gender"],
        "gap": gap,
        "matched": matched,
        "speakers": speakers,
        "n": summary["n"],
        "classes": labels,
        "survives": survives,
        "verdict": sentence,
    }


def _gap(rows: pd.DataFrame, options: Mapping[str, int]) -> dict[str, Any]:
    """UA and recalls of women minus those of men; the UA over the classes of both."""
    confusions = speaker_confusions(rows)
    gender = _gender_of(rows, confusions.speakers)
    counts = np.zeros((len(gender), 2, *confusions.counts.shape[1:]))  # (speakers, genders, seeds, classes, classes)
    counts[np.arange(len(gender)), gender] = confusions.counts

    def statistic(sums):
        recall = mean_of_defined(metrics.recalls(sums), axis=2)  # (draws, genders, classes)
        difference = recall[:, 0] - recall[:, 1]  # NaN for a class that one of them lacks
        return np.concatenate([mean_of_defined(difference)[:, None], difference], axis=1)

    ua, *recalls = intervals(counts, statistic, strata=gender, **options).entries()
    return {"ua": ua, "recall": dict(zip(confusions.labels, recalls, strict=True))}


def _matched(rows: pd.DataFrame, table: pd.DataFrame | None, options: Mapping[str, int]) -> dict[str, Any]:
    """Take the same over classes and texts that both have."""
    if table is None:
        return {"reason": "the texts stand in the corpus, and none was given (--corpus)"}
    by = [column for column in MATCHED if column in table and table[column].notna().any()]
    keys = ["corpus", "file", "start"]
    told = table[[*keys, *by]].drop_duplicates(keys)
    told = told.assign(start=pd.to_numeric(told["start"]).round(tables.TIME_DECIMALS))  # as predictions keep it
    rows = rows.merge(told, how="left", on=keys)
    rows = rows[rows["text"].notna()] if "text" in by else rows[:0]
    if rows.empty:
        return {"reason": "the texts of these utterances are not known"}
    cells = pd.MultiIndex.from_frame(rows[["corpus", "truth", *by]].fillna("").astype(str))
    women = (rows["gender"] == "female").to_numpy()
    shared = sorted(set(cells[women]) & set(cells[~women]))
    rows = rows[cells.isin(shared)] if shared else rows[:0]
    if rows.empty:
        return {"reason": "women and men have no text of the same class in common"}
    if min(_num_speakers(rows).values()) < MIN_OF_EACH:
        return {"reason": f"fewer than {MIN_OF_EACH} women or men have a text of the same class in common"}
    cells = cells[cells.isin(shared)]
    counts, gender, labels, class_of = _cell_counts(rows, cells, shared)

    def statistic(sums):
        with np.errstate(divide="ignore", invalid="ignore"):
            recall = mean_of_defined(sums[..., 0] / sums[..., 1], axis=2)  # (draws, genders, cells)
        difference = recall[:, 0] - recall[:, 1]  # NaN where a draw lacks one of them
        by_class = np.stack([mean_of_defined(difference[:, class_of == i]) for i in range(len(labels))], axis=1)
        return np.concatenate([mean_of_defined(by_class)[:, None], by_class], axis=1)

    ua, *recalls = intervals(counts, statistic, strata=gender, **options).entries()
    utterances = rows.drop_duplicates(tables.key_columns(rows))["gender"].value_counts()
    return {
        "ua": ua,
        "recall": dict(zip(labels, recalls, strict=True)),
        "by": ["class", *by],
        "cells": len(shared),
        "utterances": {each: int(utterances[each]) for each in GENDERS},
    }


def _cell_counts(rows: pd.DataFrame, cells: pd.MultiIndex, shared: list[tuple]) -> tuple:
    """Right and all, ``(speakers, genders, seeds, cells, 2)``; gender of each speaker, classes, class of each cell."""
    labels = tables.classes(rows)
    probabilities, truth = tables.arrays(rows)
    right = probabilities.argmax(axis=1) == truth
    pairs = persons(rows)
    speakers = sorted(pairs.unique())
    gender = _gender_of(rows, speakers)
    speaker = pd.MultiIndex.from_tuples(speakers).get_indexer(pairs)
    seeds, seed = np.unique(rows["seed"], return_inverse=True)
    counts = np.zeros((len(speakers), 2, len(seeds), len(shared), 2))
    place = (speaker, gender[speaker], seed, pd.MultiIndex.from_tuples(shared).get_indexer(cells))
    np.add.at(counts, (*place, 0), right.astype(float))
    np.add.at(counts, (*place, 1), 1.0)
    occurring = [label for label in labels if any(cell[1] == label for cell in shared)]
    return counts, gender, occurring, np.array([occurring.index(cell[1]) for cell in shared])


def _num_speakers(rows: pd.DataFrame) -> dict[str, int]:
    return {each: persons(rows[rows["gender"] == each]).nunique() for each in GENDERS}


def _gender_of(rows: pd.DataFrame, speakers: list[tuple[str, str]]) -> np.ndarray:
    """0 for each woman, 1 for each man."""
    known = dict(zip(persons(rows), rows["gender"], strict=True))
    return np.array([GENDERS.index(known[pair]) for pair in speakers])


def _verdict(gap: Mapping[str, float], matched: Mapping[str, Any], left_out: Sequence[str]) -> tuple[str, bool | None]:
    better = {1: "Women are recognised better than men", -1: "Men are recognised better than women"}
    sign, points = sign_of(gap), f"UA {percent(gap, '+')} points, women minus men"
    points += f", without {', '.join(left_out)}, which only women or only men speak" if left_out else ""
    start = f"{better[sign]}: {points}" if sign else f"No gap between women and men can be told: {points}"
    if "reason" in matched:
        return f"{start}. No matched comparison: {matched['reason']}.", None
    again, same = sign_of(matched["ua"]), f"on the same texts and class balance {percent(matched['ua'], '+')}"
    if sign:
        return (
            f"{start}; the gap {'survives' if again == sign else 'does not survive'} matching: {same}.",
            again == sign,
        )
    return f"{start}; {'but' if again else 'nor'} {same}.", None if not again else True
