"""What a run learns from: the corpora of its protocol, and all that is heard beside them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from serzoo import corpora, noises
from serzoo import rooms as measured
from serzoo.corpora import Protocol
from serzoo.evaluation import leaks
from serzoo.training.streams import LABELS, joined_roots, streams_of


class Material(NamedTuple):
    """Tables and sounds, as :func:`gather` read them."""

    table: pd.DataFrame  # rows of the protocol
    others: Mapping[str, pd.DataFrame]  # the streams beside the main one
    sounds: noises.Noises | None
    rooms: Mapping[str, np.ndarray] | None
    roots: Mapping[str, Path]  # folder of each corpus of speech
    licences: frozenset[str]  # of noise and rooms; those of the corpora are official
    skipped: Mapping[str, int]  # rows that were left out, by reason
    fingerprints: Mapping[str, Any]  # whether two runs heard the same: entries of run.json


def gather(
    config,
    rules: Protocol,
    corpora_roots: Mapping[str, str | Path],
    *,
    streams: Mapping[str, Mapping[str, str | Path]] | None = None,
    noise: Mapping[str, str | Path] | None = None,
    rooms: str | Path | None = None,
    partial: bool = False,
) -> Material:
    """Read what a run learns from; arguments and errors as of :func:`serzoo.train`.

    Args:
        config: the model's config.
        rules: the protocol.
        corpora_roots: root folder of each corpus.
        streams: root folders by corpus of each stream.
        noise: root folder of each noise corpus.
        rooms: folder of measured impulse responses.
        partial: accept incomplete copies of the corpora.
    """
    table = corpora.read_many(corpora_roots, partial=partial)
    others = streams_of(streams or {}, config, partial=partial)
    skipped = {reason: count for each in (table, *others.values()) for reason, count in each.attrs["skipped"].items()}
    table, dropped = rules.apply(table)
    roots = corpora.folders(joined_roots(corpora_roots, *(streams or {}).values()))
    sounds = noises.read(noise) if noise else None
    responses = measured.read(rooms) if rooms else None
    licences = set(sounds.table["licence"].fillna(corpora.OWN_LICENCE)) if sounds else set()
    licences |= measured.licences(rooms) if rooms else set()
    fingerprints = {
        "corpora": corpora.fingerprints(table, roots, _labels(config.labels.values(), table)),
        "noise": sounds and corpora.fingerprints(sounds.table, noise, ["noise"]),
        "rooms": responses and {room: leaks.digest(response) for room, response in responses.items()},
    }
    if others:
        # of a stream without labels, such as a target, nothing is read but who speaks
        read = {stream: _labels([stream], rows) if stream in LABELS else ["speaker"] for stream, rows in others.items()}
        fingerprints["streams"] = {
            stream: corpora.fingerprints(rows, roots, read[stream]) for stream, rows in others.items()
        }
    # the order of the rows is not in a fingerprint, and another one is another training
    order = {"corpora": list(corpora_roots), "noise": list(noise or ())}
    order["streams"] = {stream: list(each) for stream, each in (streams or {}).items()}
    fingerprints["order"] = order
    return Material(table, others, sounds, responses, roots, frozenset(licences), skipped | dropped, fingerprints)


def _labels(read: Iterable[str | None], table: pd.DataFrame) -> list[str]:
    """Labels of every fingerprint, and which others are read, such as arousal."""
    always = corpora.FINGERPRINT_LABELS
    return [*always, *sorted({label for label in read if label in table} - {"corpus", *always})]
