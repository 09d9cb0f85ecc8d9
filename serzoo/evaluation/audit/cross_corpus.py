"""What is a model worth on another corpus? Every model on every corpus, on the emotions that all of them share.

Where a model's own folds were tested on a corpus, that is the figure; any other corpus is judged by its weights, if
they never heard its speakers. Rows are limited to the shared classes, and so are answers: the most probable of these is
the answer, so that chance is the same everywhere. Beside it stands the recall with all answers allowed.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from serzoo.errors import CorpusError
from serzoo.evaluation import predictions as tables
from serzoo.evaluation.audit.subjects import Roots, Subject, heard, judge, sample
from serzoo.evaluation.figures import percent
from serzoo.evaluation.summary import summarize


def cross_corpus(
    subjects: Sequence[Subject],
    table: pd.DataFrame,
    roots: Roots,
    *,
    clips: int | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> dict[str, Any]:
    """Judge every model on every corpus.

    Args:
        subjects: the models.
        table: of the corpora.
        roots: their folders.
        clips: how many clips of a corpus at most are judged by weights.
        resamples: number of bootstrap draws.
        seed: of the choice of clips and of the draws.

    Returns:
        ``classes`` that all share, ``chance``, ``corpora``, and ``cells``: ``[{"model", "corpus", "trained_on", "ua",
        "ua_all_answers", "n", "num_speakers", "judged_by"}]``; a model that has heard every speaker of a corpus, and
        has no folds on it, has no cell there. ``verdict``: a sentence.

    Raises:
        CorpusError: if models and corpora share fewer than two classes, or no model meets another corpus.

    Example:
        >>> cross_corpus(subjects, table, roots, clips=300)["cells"][0]["ua"]  # doctest: +SKIP
    """
    classes = _shared_classes(subjects, table)
    cells = []
    for subject in subjects:
        for corpus, rows in table[table["emotion"].isin(classes)].groupby("corpus", sort=True):
            told, judged_by = _told(subject, corpus, rows, roots, clips, seed)
            if told is not None:
                own = corpus in _trained_on(subject)
                cells.append(
                    {
                        "model": subject.name,
                        "corpus": str(corpus),
                        "trained_on": _trained_on(subject),
                        "own": own,
                        "judged_by": judged_by,
                        **_figures(told, classes, resamples, seed),
                    }
                )
    if not any(not cell["own"] for cell in cells):
        held = ", ".join(sorted(set(table["corpus"])))
        raise CorpusError(f"A matrix over corpora needs one that a model was not trained on. Received: {held}.")
    result = {"classes": classes, "chance": 1 / len(classes), "corpora": sorted(set(table["corpus"])), "cells": cells}
    return {**result, "verdict": _verdict(result)}


def _shared_classes(subjects: Sequence[Subject], table: pd.DataFrame) -> list[str]:
    sets = {subject.name: set(subject.classes) for subject in subjects}
    sets |= {corpus: set(rows["emotion"].dropna()) for corpus, rows in table.groupby("corpus")}
    shared = sorted(set.intersection(*sets.values()))
    if len(shared) < 2:
        has = "; ".join(f"{name}: {', '.join(sorted(emotions))}" for name, emotions in sets.items())
        raise CorpusError(f"Models and corpora must share two emotions or more. Received: {has}.")
    return shared


def _trained_on(subject: Subject) -> list[str]:
    if not subject.encoders:
        return sorted(set(subject.predictions["corpus"]))
    return sorted(subject.model(subject.encoders[0]).training_speakers)


def _told(subject: Subject, corpus: str, rows: pd.DataFrame, roots: Roots, clips: int | None, seed: int) -> tuple:
    """Predictions of a corpus and who made them; None where nobody can."""
    if subject.predictions is not None and (own := subject.predictions["corpus"] == corpus).any():
        return subject.predictions[own], "its folds"
    if subject.whole is None:
        return None, None
    from serzoo import pipeline

    model = subject.model(subject.whole)
    rows = rows[~heard(model, rows)]
    if rows.empty:
        return None, None
    rows = sample(rows, clips, seed).reset_index(drop=True)
    fold = model.card.get("fold")
    return judge(model, rows, pipeline.Clips(rows, roots, cache_bytes=0)), "all" if fold is None else f"fold{fold}"


def _figures(told: pd.DataFrame, classes: list[str], resamples: int, seed: int) -> dict[str, Any]:
    told = tables.validate(told)
    told = told[told["truth"].isin(classes)]
    names = [tables.PREFIX + label for label in classes]
    kept = told[[name for name in told if not name.startswith(tables.PREFIX)]].copy()
    # Only the order of the classes matters: a clip whose shared classes all have 0 is a tie, whose answer is the first.
    shares = told[names] + 1e-9
    kept[names] = shares.div(shares.sum(axis=1), axis=0)
    limited, free = summarize(kept, resamples, seed), summarize(told, resamples, seed)
    return {
        "ua": limited["ua"],
        "ua_all_answers": free["ua"],
        "n": limited["n"],
        "num_speakers": limited["num_speakers"],
        "seeds": limited["seeds"],
    }


def _verdict(result: dict[str, Any]) -> str:
    parts = []
    for cell in result["cells"]:
        if cell["own"]:
            continue
        home = [other for other in result["cells"] if other["model"] == cell["model"] and other["own"]]
        at_home = f", at home {percent(home[0]['ua'])}" if home else ""
        above = "above" if cell["ua"]["ci_low"] > result["chance"] else "not above"
        parts.append(f"{cell['model']} on {cell['corpus']}: UA {percent(cell['ua'])}{at_home}, {above} chance")
    return f"Of {', '.join(result['classes'])} (chance {100 * result['chance']:.0f}): {'; '.join(parts)}."
