"""How far does a model fall when the sound is not that of a studio?

Every condition is judged on the same clips by the encoder that never heard their speaker, and set against the clean
sound of these very clips.
"""

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from serzoo import corpora as readers
from serzoo.corpora.forms import FORM_OF
from serzoo.errors import join
from serzoo.evaluation.audit.conditions import SNRS_DB, Changed, Condition, babble_beside, conditions, noise_draws
from serzoo.evaluation.audit.subjects import Roots, Subject, judge, sample_parts
from serzoo.evaluation.figures import percent, sign_of
from serzoo.evaluation.summary import compare, summarize
from serzoo.noises import CLEAN, was_heard
from serzoo.rooms import read as read_rooms

BABBLE_S, BABBLE_SPEAKERS = 30.0, 6


def robustness(
    subject: Subject,
    table: pd.DataFrame,
    roots: Roots,
    *,
    noise: Roots | None = None,
    rooms: str | os.PathLike | None = None,
    snrs_db: Sequence[float] = SNRS_DB,
    clips: int | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Judge a model under each condition.

    Args:
        subject: the model.
        table: of the corpora.
        roots: their folders.
        noise: noise corpora and their roots; their test recordings are mixed in, but for corpora without splits that
            the model was trained with. White noise, and babble where another corpus than those that the model learned
            from is there, come by themselves.
        rooms: folder of impulse responses; rooms that the model was trained in are left out.
        snrs_db: signal-to-noise ratios.
        clips: how many clips at most are judged under each condition.
        resamples: number of bootstrap draws.
        seed: of the choice of clips, of noise, and of the draws.

    Returns:
        ``clean``: UA, ``conditions``: ``[{"condition", "kind", "ua", "fall"}]``, ``fall`` being the UA under the
        condition minus that of the same clips clean; ``n``, ``num_speakers``, ``verdict``; and the predictions, with
        the column ``condition``.

    Raises:
        CorpusError: if the model can judge no row, or a noise or room cannot be used.

    Example:
        >>> found, told = robustness(subject, table, roots, clips=200)  # doctest: +SKIP
    """
    parts = sample_parts(subject.parts(table), clips, seed)
    noises = noise_draws(_unknown_noise(parts, noise or {}))
    if babble := _babble(parts, table, roots, seed):
        noises[babble_beside(noises)] = babble
    tried = conditions(noises, _unknown_rooms(parts, rooms) if rooms else None, snrs_db)
    from serzoo import pipeline

    # Decoded once for all conditions, as far as the cache has room.
    parts = [(model, rows, pipeline.Clips(rows.reset_index(drop=True), roots)) for model, rows in parts]
    told = {
        each.name: pd.concat(
            [judge(model, rows, Changed(held, each, seed), each.name) for model, rows, held in parts], ignore_index=True
        )
        for each in tried
    }
    found = [_entry(each, told, resamples, seed) for each in tried]
    clean = found[0]["summary"]
    for entry in found:
        del entry["summary"]
    result = {
        "clean": found[0]["ua"],
        "conditions": found[1:],
        "chance": clean["chance"],
        "n": clean["n"],
        "num_speakers": clean["num_speakers"],
        "verdict": _verdict(found),
    }
    return result, pd.concat(told.values(), ignore_index=True)


def _entry(condition: Condition, told: Mapping[str, pd.DataFrame], resamples: int, seed: int) -> dict[str, Any]:
    summary = summarize(told[condition.name], resamples, seed)
    entry = {"condition": condition.name, "kind": condition.kind, "ua": summary["ua"], "summary": summary}
    if condition.name != CLEAN:
        pair = (told[name].drop(columns="condition") for name in (condition.name, CLEAN))
        entry["fall"] = compare(*pair, resamples, seed)["ua"]
    return entry


def _babble(parts: Sequence[tuple], table: pd.DataFrame, roots: Roots, seed: int) -> Any:
    """Draw voices from corpora that are neither judged nor learned from; None without six speakers of such."""
    known = {corpus for model, _ in parts for corpus in model.training_speakers}
    known |= {corpus for _, rows in parts for corpus in rows["corpus"].unique()}
    others = table[~table["corpus"].replace(FORM_OF).isin({FORM_OF.get(corpus, corpus) for corpus in known})]
    if others.groupby(["corpus", "speaker"]).ngroups < BABBLE_SPEAKERS:
        return None
    options = {"trained_on": sorted(known), "duration_s": BABBLE_S, "num_speakers": BABBLE_SPEAKERS, "seed": seed}
    voices = functools.cache(lambda: readers.babble(others, roots, **options))
    return lambda rng: voices()


def _unknown_noise(parts: Sequence[tuple], noise: Roots) -> Roots:
    """Noise corpora, but those of which a model's training left nothing to test with."""
    return {
        corpus: root
        for corpus, root in noise.items()
        if not any(was_heard(getattr(model, "card", {}), corpus) for model, _ in parts)
    }


def _unknown_rooms(parts: Sequence[tuple], root: str | os.PathLike) -> dict[str, np.ndarray]:
    """Rooms of a folder, but those that a model was trained in."""
    known = {room for model, _ in parts for room in getattr(model, "card", {}).get("rooms", ())}
    return {room: response for room, response in read_rooms(root).items() if room not in known}


def _verdict(found: Sequence[Mapping[str, Any]]) -> str:
    changed = found[1:]
    fallen = [entry for entry in changed if sign_of(entry["fall"]) < 0]
    held = [entry["condition"] for entry in changed if entry not in fallen]
    most = ""
    if fallen:
        worst = min(fallen, key=lambda entry: entry["fall"]["value"])
        most = f", most under {worst['condition']}: {percent(worst['fall'], '+')} points"
    return (
        f"UA {percent(found[0]['ua'])} on clean sound. It falls under {len(fallen)} of {len(changed)} "
        f"conditions{most}. No fall can be told under {join(held, 12) or 'none'}."
    )
