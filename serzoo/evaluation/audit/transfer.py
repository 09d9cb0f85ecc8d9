"""Did the second task help? The multi-task model against the single-task one, on the same clips, folds and seeds."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from serzoo import metrics
from serzoo.evaluation.audit.subjects import Subject
from serzoo.evaluation.bootstrap import speaker_confusions
from serzoo.evaluation.figures import percent, sign_of
from serzoo.evaluation.summary import FIGURES, compare, paired

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
    gain = compare(multi, single, resamples, seed)
    pairs = paired(multi, single)
    both = pairs.a, pairs.b
    speakers, runs = _by_speaker(both), _by_run(both)
    change = np.array([entry["difference"] for entry in speakers])
    difference = {name: gain[name] for name in FIGURES}
    verdict = VERDICTS[sign_of(difference["ua"])]
    worse = float((change < 0).mean())
    sentence = (
        f"{names[0] or 'The multi-task model'} against {names[1] or 'the single-task model'}: {verdict}. UA "
        f"{percent(difference['ua'], '+')} points over {len(runs)} trainings with {gain['seeds']} "
        f"seed{'s' * (gain['seeds'] != 1)}; {100 * worse:.0f} % of the {len(speakers)} speakers got worse."
    )
    return {
        "difference": difference,
        "recall": gain["recall"],
        "runs": runs,
        "speakers": sorted(speakers, key=lambda entry: entry["difference"]),
        "worse": worse,
        "better": float((change > 0).mean()),
        "pairs": gain["num_rows"],
        "num_speakers": gain["num_speakers"],
        "seeds": gain["seeds"],
        "unpaired": gain["unpaired"],
        "notes": gain["notes"],
        "verdict": verdict,
        "sentence": sentence,
    }


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
