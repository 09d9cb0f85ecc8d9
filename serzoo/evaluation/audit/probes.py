"""Probes: small classifiers that try to read a label from features, and the same on shuffled labels.

A probe that reads a label better than those that learned from shuffled labels shows that the features hold it. Labels
that belong to a speaker are shuffled among the speakers, others among the utterances, so that what a probe can gain by
chance is the same in both.
"""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from serzoo import metrics
from serzoo.evaluation.bootstrap import intervals

KINDS = ("logistic regression", "MLP")
SHUFFLES = 5


class Split(NamedTuple):
    """What one probe learns from and is asked.

    Attributes:
        train: features, shape ``(rows, features)``.
        labels: of ``train``.
        units: of ``train``: what a label belongs to as a whole, such as the speaker; labels are shuffled among them.
        test: features, shape ``(rows, features)``.
        truth: labels of ``test``.
        speakers: of ``test``.
    """

    train: np.ndarray
    labels: np.ndarray
    units: np.ndarray
    test: np.ndarray
    truth: np.ndarray
    speakers: np.ndarray


def run(
    splits: Sequence[Split],
    kind: str,
    *,
    of_speaker: bool,
    shuffles: int = SHUFFLES,
    resamples: int = 10_000,
    seed: int = 0,
) -> dict[str, Any]:
    """Train a probe on each split and count what it reads from the test parts together.

    Args:
        splits: the splits; where they have different labels, as for speakers, recalls are averaged over all of them.
        kind: one of ``KINDS``.
        of_speaker: whether each speaker has one label: draws of the bootstrap then keep the number of speakers of each.
        shuffles: how many times to repeat it with shuffled labels.
        resamples: number of bootstrap draws over speakers.
        seed: of probe, shuffles and draws.

    Returns:
        ``ua`` with its interval, ``shuffled``: ``{"mean", "highest", "runs"}``, ``chance``, ``n``, ``num_speakers`` and
        ``reads``: whether the whole interval lies above chance and above the best probe of shuffled labels.

    Example:
        >>> x, y = np.repeat([[0.0], [1.0]], 20, axis=0), np.repeat(["a", "b"], 20)
        >>> split = Split(x, y, np.arange(40), x, y, np.tile(["1", "2"], 20))
        >>> run([split], "logistic regression", of_speaker=False)["ua"]["value"]
        1.0
    """
    told = pd.concat([_answers(split, kind, split.labels, seed) for split in splits], ignore_index=True)
    rng = np.random.RandomState(seed)
    runs = []
    for _ in range(shuffles):
        guessed = [_answers(split, kind, _shuffled(split, rng), seed) for split in splits]
        runs.append(float(_ua(pd.concat(guessed, ignore_index=True))))
    ua = _interval(told, of_speaker, resamples, seed)
    sizes = np.concatenate([np.full(len(set(split.truth)), len(set(split.labels))) for split in splits])
    chance = float(np.mean(1 / sizes))
    return {
        "probe": kind,
        "ua": ua,
        "shuffled": {"mean": float(np.mean(runs)), "highest": max(runs), "runs": shuffles},
        "chance": chance,
        "n": len(told),
        "num_speakers": int(told["speaker"].nunique()),
        "reads": bool(ua["ci_low"] > max(chance, *runs)),
    }


def by_utterance(
    features: np.ndarray, labels: np.ndarray, utterances: np.ndarray, num_folds: int = 5, seed: int = 0
) -> list[Split]:
    """Split the utterances of some speakers so that no utterance stands on both sides, to tell the speakers apart.

    Args:
        features: shape ``(rows, features)``.
        labels: the speakers.
        utterances: what was said, how: rows with the same value stay together.
        num_folds: number of splits.
        seed: of the choice.

    Returns:
        Splits in which every row is tested once.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    folds = StratifiedGroupKFold(num_folds, shuffle=True, random_state=seed).split(features, labels, utterances)
    rows = np.arange(len(labels))
    return [
        Split(features[a], labels[a], rows[a], features[b], labels[b], labels[b]) for a, b in folds if len(a) and len(b)
    ]


def _answers(split: Split, kind: str, labels: np.ndarray, seed: int) -> pd.DataFrame:
    """Truth and answer of each tested row."""
    if len(set(labels)) == 1:
        answer = np.repeat(labels[:1], len(split.truth))
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a probe of shuffled labels need not converge
            answer = _probe(kind, seed).fit(split.train, labels).predict(split.test)
    return pd.DataFrame({"speaker": split.speakers, "truth": split.truth, "answer": answer})


def _probe(kind: str, seed: int) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if kind == KINDS[0]:
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000, class_weight="balanced"))
    return make_pipeline(StandardScaler(), MLPClassifier((32,), alpha=0.1, max_iter=100, random_state=seed))


def _shuffled(split: Split, rng: np.random.RandomState) -> np.ndarray:
    """Give the label of one unit to another."""
    units, first, place = np.unique(split.units, return_index=True, return_inverse=True)
    return split.labels[first][rng.permutation(len(units))][place]


def _ua(told: pd.DataFrame) -> np.ndarray:
    counts = _counts(told)[0].sum(axis=0)
    return metrics.ua(counts)


def _counts(told: pd.DataFrame) -> tuple[np.ndarray, list[str], list[str]]:
    """Confusions of each speaker, ``(speakers, classes, classes)``."""
    speakers, labels = sorted(set(told["speaker"])), sorted({*told["truth"], *told["answer"]})
    place = (
        pd.Index(speakers).get_indexer(told["speaker"]),
        pd.Index(labels).get_indexer(told["truth"]),
        pd.Index(labels).get_indexer(told["answer"]),
    )
    counts = np.zeros((len(speakers), len(labels), len(labels)))
    np.add.at(counts, place, 1.0)
    return counts, speakers, labels


def _interval(told: pd.DataFrame, of_speaker: bool, resamples: int, seed: int) -> dict[str, float]:
    counts, speakers, _ = _counts(told)
    options = {"resamples": resamples, "seed": seed}
    if of_speaker and told["truth"].equals(told["speaker"]):
        # To tell speakers apart: every speaker is a class, and what is drawn is the speaker's recall.
        recall = np.array([np.diag(own).sum() / own.sum() for own in counts])
        pairs = np.stack([recall, np.ones(len(recall))], axis=1)
        return intervals(pairs, lambda sums: sums[:, :1] / sums[:, 1:], **options).entries()[0]
    label_of = told.drop_duplicates("speaker").set_index("speaker")["truth"]
    strata = [str(label_of[speaker]) for speaker in speakers] if of_speaker else None
    return intervals(counts, lambda sums: metrics.ua(sums)[:, None], strata=strata, **options).entries()[0]


def known(labels: Iterable[Any]) -> np.ndarray:
    """Tell which labels are there, ``(rows,)`` bool."""
    return np.array([isinstance(label, str) for label in labels], bool)
