"""Streams: what trains beside the corpus whose emotions are learnt, each with the labels that it has.

A model with several tasks may take each from another corpus: ``streams`` of its config says which share of every batch
each has. The stream ``emotion`` is the corpus of the protocol, with all its labels. Of another stream only the label
of its own name is read: of ``gender`` the gender. ``unlabelled`` reads gender and speaker, and a name that is no label,
such as ``target``, reads none. Every clip has the labels ``stream`` and ``corpus``.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from serzoo import corpora
from serzoo.corpora import Fold
from serzoo.corpora.folds import check_speakers
from serzoo.corpora.forms import FORM_OF, without
from serzoo.errors import RunError
from serzoo.scales import DIMENSIONS

MAIN, TARGET, UNLABELLED = "emotion", "target", "unlabelled"
OF_SPEAKERS = ("gender", "speaker")
LABELS = ("emotion", *OF_SPEAKERS, *DIMENSIONS)


def streams_of(roots: Mapping[str, Mapping[str, str | Path]], config, *, partial: bool = False) -> dict:
    """Read the streams beside the main one.

    Args:
        roots: root folder of each corpus of each stream.
        config: the model's config.
        partial: accept incomplete copies of the corpora.

    Returns:
        A table for each stream.

    Raises:
        RunError: if these are not the streams of the config.
        CorpusError: if a corpus cannot be read, or does not say who speaks.
    """
    wanted, came = [name for name in config.streams if name != MAIN], list(roots)
    if sorted(wanted) != sorted(came):
        flags = " ".join(f"--stream {name}:CORPUS=ROOT" for name in wanted)
        hint = f"Give {flags}." if flags else "Set their shares, as in --set 'streams={emotion: 0.5, NAME: 0.5}'."
        raise RunError(
            f"{config.name} trains on the streams {', '.join([MAIN, *wanted])}. "
            f"Received beside {MAIN}: {', '.join(came) or 'none'}. {hint}"
        )
    tables = {stream: corpora.read_many(roots[stream], partial=partial) for stream in wanted}
    for stream, table in tables.items():
        check_speakers(table, f"The stream {stream}")
    return tables


def joined_roots(*roots: Mapping[str, str | Path]) -> dict[str, str | Path]:
    """One mapping of corpora to their root folders.

    Raises:
        RunError: if a corpus has two of them.
    """
    joined: dict[str, str | Path] = {}
    for corpus, root in (pair for each in roots for pair in each.items()):
        if Path(joined.setdefault(corpus, root)) != Path(root):
            raise RunError(f"{corpus} has two root folders, {joined[corpus]} and {root}: give one.")
    return joined


def trained_on(table: pd.DataFrame, folds: Iterable[Fold]) -> pd.DataFrame:
    """Rows of the main stream that some fold trains on or chooses by; those of a corpus that is only tested are none.

    Args:
        table: rows of the main stream.
        folds: those of the run.
    """
    heard = {speaker for fold in folds for speaker in (*fold.train, *fold.validation)}
    return table[[pair in heard for pair in zip(table["corpus"], table["speaker"], strict=True)]]


def with_streams(
    rows: pd.DataFrame, others: Mapping[str, pd.DataFrame], fold: Fold, *, transductive: bool = False
) -> pd.DataFrame:
    """Add the streams to the training rows of a fold, without the speakers that it chooses and judges by.

    Args:
        rows: training rows of the fold.
        others: rows of every other stream.
        fold: the fold.
        transductive: whether the stream ``target``, of which no label is read, keeps the speakers that are judged by.

    Raises:
        RunError: if nothing is left of a stream.
    """
    kept = [rows.assign(stream=MAIN)]
    for stream, table in others.items():
        tested = () if transductive and stream == TARGET else fold.test
        table = without(table, (*fold.validation, *tested))
        if table.empty:
            raise RunError(f"The stream {stream} has no speaker that {fold.name} neither chooses nor judges by.")
        kept.append(table.assign(stream=stream))
    return pd.concat(kept, ignore_index=True) if others else kept[0]


def labels_of(rows: pd.DataFrame) -> pd.DataFrame:
    """What may be learnt of each row: all in the main stream, the speaker in unlabelled, in others their own label.

    Args:
        rows: from :func:`with_streams`.

    Returns:
        The same rows, labels that must not be read missing, and speakers named after their corpus, too: one person
        in two forms of a corpus is one speaker.
    """
    speaker = rows["corpus"].replace(FORM_OF) + " " + rows["speaker"]
    table = rows.assign(speaker=speaker)
    for label in (label for label in LABELS if label in rows):
        reading = [MAIN, label, *([UNLABELLED] if label in OF_SPEAKERS else [])]
        table[label] = table[label].where(rows["stream"].isin(reading), None)
    return table


def label_classes(rows: pd.DataFrame, config, known: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Class names of the labels that objectives and streams need and ``known`` does not hold.

    Args:
        rows: training rows, from :func:`labels_of`.
        config: the model's config.
        known: class names of the heads.

    Raises:
        RunError: if a table has no such label, or only one value of it, from which nothing can be learnt.
    """
    wanted = dict.fromkeys(each.label for each in config.objectives.values() if each.label)
    found = {}
    for label in [*wanted, *(["stream"] if config.streams else [])]:
        if label in known or label in found:
            continue
        if label not in rows:
            raise RunError(f"{config.name}: no table has the label {label!r}, which an objective needs.")
        # in the order of the config, so that the plan finds them by number
        found[label] = (
            list(config.streams) if label == "stream" and config.streams else sorted(set(rows[label].dropna()))
        )
    for label in wanted:
        if label in known and label not in rows:  # as noise, which no table holds
            continue
        refuse_one_value(config, label, {value for value in rows.get(label, ()) if isinstance(value, str)})
    return found


def refuse_one_value(config, label: str, values: Iterable[str], hint: str = "") -> None:
    """Refuse a label of which the clips have fewer than two values: there is nothing to tell apart.

    Args:
        config: the model's config.
        label: its name.
        values: those that the clips have, each once.
        hint: what to do about it.

    Raises:
        RunError: with the values.
    """
    values = sorted(values)
    if len(values) < 2:
        raise RunError(
            f"{config.name} learns to tell the label {label!r} apart, which needs two values or more among the clips. "
            f"Received: {', '.join(values) or 'none'}. {hint}".rstrip()
        )


def files_of(rows: pd.DataFrame) -> set[tuple[str, str]]:
    """Corpus and name of each file of a table."""
    return set(zip(rows["corpus"], rows["file"], strict=True))
