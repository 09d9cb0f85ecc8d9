"""Did the second task help? The multi-task model against the single-task one, on the same clips, folds and seeds."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from serzoo import metrics
from serzoo.evaluation import predictions as tables
from serzoo.evaluation.audit.figures import percent, sign_of
from serzoo.evaluation.audit.subjects import Subject
from serzoo.evaluation.bootstrap import speaker_confusions
from serzoo.evaluation.summary import FIGURES, compare

VERDICTS = {1: "helps", -1: "hurts", 0: "cannot tell"}


def control_of(subjects: Sequence[Subject]) -> Subject:
    """Choose what the others are measured against: the first that learned emotion alone, else the first."""
    return next((subject for subject in subjects if subject.tasks == ("emotion",)), subjects[0])


def transfer(
    multi: pd.DataFrame, single: pd.DataFrame, resamples: int = 10_000, seed: int = 0, names: tuple[str, str] = ("", "")
) -> dict[str, Any]:
    """Measure what the auxiliary tasks did to the emotion.

    Args:
        multi: predictions of the multi-task model.
        single: predictions of the single-task model, of the same clips and seeds.
        resamples: number of bootstrap draws over speakers.
        seed: of the draws.
        names: of the two, for the sentence.

    Returns:
        ``difference``: multi minus single, by figure; ``recall``: by class; ``runs``: the UA difference of each
        ``{"seed", "fold"}``; ``speakers``: that of each speaker, sorted; ``worse`` and ``better``: shares of the
        speakers; ``pairs``, ``num_speakers``, ``seeds``, ``unpaired``; ``verdict``: ``"helps"``, ``"hurts"`` or
        ``"cannot tell"``; ``sentence``.

    Raises:
        CorpusError: if the two cannot be paired.

    Example:
        >>> transfer(tables.read("runs/mtl"), tables.read("runs/stl"))["verdict"]  # doctest: +SKIP
        'cannot tell'
    """
    paired = compare(multi, single, resamples, seed)
    both = _both(multi, single)
    speakers, runs = _by_speaker(both), _by_run(both)
    change = np.array([entry["difference"] for entry in speakers])
    difference = {name: _as_entry(paired[name]) for name in FIGURES}
    verdict = VERDICTS[sign_of(difference["ua"])]
    worse = float((change < 0).mean())
    sentence = (
        f"{names[0] or 'The multi-task model'} against {names[1] or 'the single-task model'}: {verdict}. UA "
        f"{percent(difference['ua'], '+')} points over {len(runs)} trainings with {paired['seeds']} "
        f"seed{'s' * (paired['seeds'] != 1)}; {100 * worse:.0f} % of the {len(speakers)} speakers got worse."
    )
    return {
        "difference": difference,
        "recall": {label: _as_entry(entry) for label, entry in paired["recall"].items()},
        "runs": runs,
        "speakers": sorted(speakers, key=lambda entry: entry["difference"]),
        "worse": worse,
        "better": float((change > 0).mean()),
        "pairs": paired["num_rows"],
        "num_speakers": paired["num_speakers"],
        "seeds": paired["seeds"],
        "unpaired": paired["unpaired"],
        "notes": paired["notes"],
        "verdict": verdict,
        "sentence": sentence,
    }


def _as_entry(entry: Mapping[str, float]) -> dict[str, float]:
    return {"value": entry["difference"], "ci_low": entry["ci_low"], "ci_high": entry["ci_high"]}


def _both(multi: pd.DataFrame, single: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Keep the rows that both have, in one order; :func:`compare` has checked that they agree."""
    one, other = (tables.validate(table) for table in (multi, single))
    keys = tables.key_columns(one, "seed")
    index_one, index_other = (pd.MultiIndex.from_frame(t[keys].fillna({"start": -1.0})) for t in (one, other))
    labels = tables.classes(one)
    judged = index_one.isin(index_other) & one["truth"].isin(labels)
    other = other.iloc[index_other.get_indexer(index_one[judged])].reset_index(drop=True)
    one = one[judged].reset_index(drop=True)
    order = [name for name in other if not name.startswith(tables.PREFIX)] + [tables.PREFIX + name for name in labels]
    return one, other[order]


def _by_speaker(both: tuple[pd.DataFrame, pd.DataFrame]) -> list[dict[str, Any]]:
    """UA of the one minus that of the other for each speaker, averaged over the seeds."""
    one, other = (speaker_confusions(table) for table in both)
    change = np.nanmean(metrics.ua(one.counts) - metrics.ua(other.counts), axis=1)
    return [
        {"corpus": corpus, "speaker": speaker, "difference": float(value)}
        for (corpus, speaker), value in zip(one.speakers, change, strict=True)
    ]


def _by_run(both: tuple[pd.DataFrame, pd.DataFrame]) -> list[dict[str, Any]]:
    """UA of the one minus that of the other for each trained network."""
    one, other = both
    found = []
    for (seed, fold), rows in one.groupby(["seed", "fold"], dropna=False):
        pair = (speaker_confusions(table.loc[rows.index]).counts.sum(axis=(0, 1)) for table in (one, other))
        ua, before = map(metrics.ua, pair)
        found.append({"seed": int(seed), "fold": _plain(fold), "difference": float(ua - before)})
    return found


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else (None if pd.isna(value) else value)
