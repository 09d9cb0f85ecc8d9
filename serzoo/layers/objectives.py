"""What a config may ask of a training graph beside the heads."""

from collections.abc import Collection, Mapping

import keras

from serzoo.errors import ConfigError
from serzoo.layers.frame_decoder import FrameDecoder
from serzoo.layers.frame_error import FrameError


def check_objectives(objectives: Mapping, *, labelled: Collection[str] = (), unlabelled: Collection[str] = ()) -> None:
    """Refuse an objective that a training graph does not have, or with a label of the wrong kind.

    Args:
        objectives: the section of the config.
        labelled: names of those that tell a label of the clips.
        unlabelled: names of those whose output is the loss itself.

    Raises:
        ConfigError: if an objective is none of these, or has a label where it needs none or the reverse.

    Example:
        >>> from serzoo import config
        >>> check_objectives(config.load("dstl").objectives, unlabelled=("common", "kept", "specific"))
    """
    for name, objective in objectives.items():
        if name not in {*labelled, *unlabelled}:
            raise ConfigError(f"objectives must be among {', '.join([*labelled, *unlabelled])}. Received: {name}.")
        if (objective.label is None) != (name in unlabelled):
            wanted = "null: it is a loss of its own" if name in unlabelled else "the name of a label"
            raise ConfigError(f"objectives.{name}.label must be {wanted}. Received: {objective.label}.")


def reconstruction(model: keras.Model, x, name: str):
    """Draw the log-mel that a model's encoder got, before SpecAugment, and tell how far it is from it.

    Args:
        model: with the layers of :func:`serzoo.layers.front_end`.
        x: steps of the encoder, each of four frames, ``(batch, frames/4, features)``.
        name: of the objective.

    Returns:
        Mean squared error of each clip, ``(batch,)``.
    """
    truth, (_, num_frames) = model.get_layer("standardize").output[..., 0], model.get_layer("log_mel").output
    drawn = FrameDecoder(128, upsampling=4, name="decoder")(x, truth)  # (batch, frames, mels)
    return FrameError(name=name)(truth, drawn, num_frames)
