"""What is asked of the data before the first step, so that no training ends in a task that could not be learnt."""

from collections.abc import Mapping

import pandas as pd

from serzoo import corpora
from serzoo.errors import RunError
from serzoo.plan import AUGMENTATION, augmentation_types
from serzoo.training.streams import LABELS, MAIN

NOISE, TARGET = "noise", "target"


def check_noise(config, sounds) -> None:
    """Check that there is recorded noise exactly where the config can use it.

    Args:
        config: the model's config.
        sounds: :class:`serzoo.noises.Noises`, or None.

    Raises:
        RunError: if noise is to be recognised and none is given, or given and never mixed in.
    """
    if sounds is None and NOISE in config.labels.values():
        raise RunError(f"{config.name} learns to recognise noise: give recordings of it, as in --noise esc10=ROOT.")
    mixed = config.augmentation.noise_probability + config.augmentation.noise_alone_probability
    if sounds is not None and not mixed:
        raise RunError(
            f"{config.name}: recorded noise is given but never mixed in; augmentation.noise_probability must be above "
            "0. Received: 0.0."
        )
    if sounds is not None and AUGMENTATION in config.labels.values():
        raise RunError(f"{config.name} tells types of augmentation apart and draws its noise itself: give no --noise.")
    if NOISE in config.labels.values() and config.augmentation.noise_probability == 1.0:
        raise RunError(
            f"{config.name} learns to tell clean speech from noise: augmentation.noise_probability must be below 1. "
            "Received: 1.0."
        )


def check_labels(config, table: pd.DataFrame, others: Mapping[str, pd.DataFrame]) -> None:
    """Check that each task finds its labels, and that an adversary of streams can know what it is asked.

    Args:
        config: the model's config.
        table: rows of the main stream.
        others: rows of every other stream.

    Raises:
        RunError: if a head has no label or only one class, a stream lacks the label that it is for, or a discriminator
            of streams would hear the same recordings in two of them.
    """
    for stream, rows in others.items():
        if stream in LABELS and (stream not in rows or rows[stream].isna().all()):
            have = ", ".join(label for label in LABELS if label in rows and rows[label].notna().any()) or "none"
            raise RunError(f"The stream {stream} needs clips with the label {stream}. Its corpora have: {have}.")
    if (types := augmentation_types(config)) and len(types) < 2:
        raise RunError(
            f"{config.name} learns to tell types of augmentation apart, and its config changes no clip: set "
            "augmentation.speed, augmentation.mixup_probability or augmentation.noise_probability."
        )
    for head in config.heads:
        if head in LABELS:
            parts = [rows[head] for rows in (table, others.get(head)) if rows is not None and head in rows]
            values = sorted(set(pd.concat(parts).dropna())) if parts else []
            if len(values) < 2:
                raise RunError(
                    f"{config.name} learns to tell the label {head!r} apart, which needs two values or more among the "
                    f"clips. Received: {', '.join(map(str, values)) or 'none'}."
                )
    if "stream" in config.labels.values():
        heard = _recordings(table)
        for stream, rows in others.items():
            if heard & _recordings(rows):
                raise RunError(
                    f"The stream {stream} holds recordings of the stream {MAIN}: who must tell the two apart could "
                    "only guess, and an adversary that cannot know teaches nothing. Give another corpus, or let it "
                    "tell a label of the clips, such as gender."
                )


def check_target(config, rules, table: pd.DataFrame, others: Mapping[str, pd.DataFrame]) -> None:
    """Check that the unlabelled target is another corpus than the source, and that its corpora hold the same classes.

    What is known of a corpus is what its reader says officially: no label of the target is read.

    Args:
        config: the model's config.
        rules: the protocol.
        table: rows of the main stream.
        others: rows of every other stream.

    Raises:
        RunError: if the target holds recordings of the source, or a corpus of it lacks one of the protocol's classes.
    """
    if TARGET not in others:
        return
    if _recordings(table) & _recordings(others[TARGET]):
        raise RunError(
            f"The target of {config.name} holds recordings of its source: adapting a corpus to itself teaches nothing. "
            "Give another corpus by --target."
        )
    for corpus in sorted(set(others[TARGET]["corpus"])):
        held = {rules.class_map.get(emotion, emotion) for emotion in corpora.info(corpus).emotions}
        if held and (missing := sorted(set(rules.classes) - held)):
            raise RunError(
                f"The target {corpus} has no clips of {', '.join(missing)}, which {config.name} would look for "
                "there: take a protocol of classes that both corpora have. "
                f"The target's are: {', '.join(sorted(held))}."
            )


def _recordings(rows: pd.DataFrame) -> set:
    return set(zip(rows["corpus"], rows["file"], strict=True))
