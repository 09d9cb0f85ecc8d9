"""What is asked of the data before the first step, so that no training ends in a task that could not be learnt."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from serzoo import building, registry, scales
from serzoo.errors import ConfigError, RunError
from serzoo.models.classifier import Classifier
from serzoo.plan import AUGMENTATION, augmentation_types
from serzoo.training.fit import clear_session
from serzoo.training.layerwise import layer_shares
from serzoo.training.streams import LABELS, MAIN, files_of, refuse_one_value

NOISE = "noise"


def check_model(config, classes: Sequence[str], starts: Iterable[Classifier] = ()) -> None:
    """Check that the model can be built, with heads that somebody can judge, and what only training adds to it.

    Args:
        config: the model's config.
        classes: those of emotion.
        starts: trained models whose weights it is to take.

    Raises:
        ConfigError: if it cannot.
        WeightsError: if it cannot start from one of them.
    """
    heads = building.heads_of(config, classes)
    model = building.build(config, heads)
    for start in starts:
        building.copy_weights(start, model)
    layer_shares(model, config)
    graph = registry.training_graph(config.name)
    if config.objectives and graph is None:
        raise ConfigError(f"{config.name} takes no objectives. Received: {', '.join(config.objectives)}.")
    if config.objectives:
        # the classes of other labels are known once the clips are; how many they are changes no answer here
        graph(model, config, {label: ["a", "b"] for label in config.labels.values() if label} | heads, 1, 0)
    clear_session()


def check_noise(config, sounds) -> None:
    """Check that there is recorded noise exactly where the config can use it.

    Args:
        config: the model's config.
        sounds: :class:`serzoo.noises.Noises`, or None.

    Raises:
        RunError: if noise is to be recognised or heard alone and none is given, or given and never mixed in.
    """
    alone = config.augmentation.noise_alone_probability
    if sounds is None and NOISE in config.labels.values():
        raise RunError(f"{config.name} learns to recognise noise: give recordings of it, as in --noise esc10=ROOT.")
    if sounds is None and alone:
        raise RunError(
            f"{config.name} plays noise alone: give recordings of it, as in --noise esc10=ROOT. Received none, with "
            f"augmentation.noise_alone_probability {alone}."
        )
    if sounds is not None and not config.augmentation.noise_probability + alone:
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


def check_rooms(config, rooms: Mapping | None) -> None:
    """Check that there are measured rooms exactly where the config plays clips in them.

    Args:
        config: the model's config.
        rooms: as from :func:`serzoo.rooms.read`, or None.

    Raises:
        RunError: if rooms are to be heard and none are given, or given and never heard.
    """
    probability = config.augmentation.room_probability
    if rooms and not probability:
        raise RunError(
            f"{config.name}: rooms are given but never heard; augmentation.room_probability must be above 0. "
            "Received: 0.0."
        )
    if probability and not rooms:
        raise RunError(
            f"{config.name} plays clips in measured rooms: give a folder of their impulse responses (--rooms FOLDER). "
            f"Received none, with augmentation.room_probability {probability}."
        )
    if rooms and AUGMENTATION in config.labels.values():
        raise RunError(f"{config.name} tells types of augmentation apart, and rooms are none of them: give no --rooms.")


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
            values = set(map(str, pd.concat(parts).dropna())) if parts else set()
            hint = f"Give the label, a table as a column {head}, or train a model without it, such as cnn_ablstm."
            refuse_one_value(config, head, values, hint)
    if "stream" in config.labels.values():
        for stream, rows in others.items():
            if files_of(table) & files_of(rows):
                raise RunError(
                    f"The stream {stream} holds recordings of the stream {MAIN}: who must tell the two apart could "
                    "only guess, and an adversary that cannot know teaches nothing. Give another corpus, or let it "
                    "tell a label of the clips, such as gender."
                )


def check_scales(config, tables: Sequence[pd.DataFrame]) -> None:
    """Check that the values of every continuous head lie on its scale, those of tested speakers, too.

    Raises:
        CorpusError: if one is no number or lies outside.
    """
    for head, settings in config.heads.items():
        for table in tables:
            if settings.scale:
                scales.check(table, head, settings.scale)
