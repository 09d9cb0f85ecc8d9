"""The losses of adversarial shared-private learning, as outputs of a training graph."""

from collections.abc import Mapping, Sequence

import keras
from keras import ops

from serzoo import losses
from serzoo.layers.gradient_reversal import GradientReversal
from serzoo.layers.objectives import check_objectives


def discriminator(features, num_classes: int, *, ramp_steps: int, units: int = 64, name: str):
    """Guess a label from features that learn to give it away as little as they can.

    Args:
        features: shape ``(batch, features)``.
        num_classes: number of classes.
        ramp_steps: training steps until the gradient is reversed in full.
        units: size of the hidden layer.
        name: name of the output layer, and start of the names of the others.

    Returns:
        Probabilities, shape ``(batch, num_classes)``, float32.

    Reference:
        Ganin et al. (2016). https://jmlr.org/papers/v17/15-239.html
    """
    x = GradientReversal(ramp_steps=ramp_steps, name=f"{name}_reversal")(features)
    x = keras.layers.Dense(units, "relu", name=f"{name}_hidden")(x)
    return keras.layers.Dense(num_classes, "softmax", dtype="float32", name=name)(x)


def adversarial_objectives(
    objectives: Mapping,
    labels: Mapping[str, Sequence[str]],
    steps: int,
    *,
    adversaries: Mapping,
    differences: Mapping[str, tuple],
    heads: Mapping | None = None,
) -> dict:
    """Build the outputs for the objectives of a config.

    Args:
        objectives: the section of the config: what has a label is an adversary, and what has none a difference loss.
        labels: class names of each label.
        steps: training steps of the run.
        adversaries: by the name of an objective the shared features that it reads, ``(batch, features)``.
        differences: by the name of an objective the shared features and a list of private ones, each ``(batch, ..)``.
        heads: by the name of an objective the features that tell its label and learn to, ``(batch, features)``.

    Returns:
        Tensors by the name of the objective: probabilities, or for each clip the difference loss of the batch, summed
        over the private encoders.

    Raises:
        ConfigError: if an objective is none of these, or has a label where it needs none or the reverse.
    """
    heads = heads or {}
    check_objectives(objectives, labelled=[*adversaries, *heads], unlabelled=differences)
    outputs = {}
    for name, objective in objectives.items():
        classes = len(labels[objective.label]) if objective.label else None
        if name in heads:
            outputs[name] = keras.layers.Dense(classes, "softmax", dtype="float32", name=name)(heads[name])
        elif name in adversaries:
            outputs[name] = discriminator(adversaries[name], classes, ramp_steps=steps, name=name)
        else:
            shared, privates = differences[name]
            total = sum(losses.difference_loss(shared, private) for private in privates)
            outputs[name] = ops.zeros_like(shared[:, 0], dtype="float32") + total
    return outputs
