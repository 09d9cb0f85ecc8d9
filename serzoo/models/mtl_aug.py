"""Emotion beside two tasks that need no labels: which augmentation a clip went through, and its reconstruction.

After Latif et al. (2023), Multitask learning from augmented auxiliary data for improving speech emotion recognition,
IEEE TAFFC 14(4), https://doi.org/10.1109/TAFFC.2022.3221749.

The two auxiliary tasks, and that unlabelled clips can train them, are the paper's. What we chose, and why:

- the types are what this zoo does to a waveform: none, speed, mixup and noise, each on the same share of the clips, one
  type a clip; gain is none of them, because the front end takes it away;
- of a clip that was mixed the type is mixup, whatever its partner went through;
- the encoder is the convolutions and the BLSTM of the rest of the zoo; the type is told from the attention-pooled
  embedding, and the decoder draws the log-mel as the encoder got it, before SpecAugment, from the BLSTM's steps;
- both tasks live in training alone: the model that ships has the emotion head only.

Unlabelled clips come as a stream, as in ``aae_mtl``: ``--stream unlabelled:emodb=ROOT``.
"""

from collections.abc import Mapping, Sequence

import keras

from serzoo import layers
from serzoo.models.classifier import Classifier


def build(
    *,
    heads: Mapping[str, Sequence[str]],
    frontend: Mapping,
    spec_augment: Mapping | None = None,
    stem_filters: Sequence[int] = (32, 48),
    conv_filters: Sequence[int] = (64, 96, 96),
    lstm_units: int = 96,
    dropout: float = 0.3,
    seed: int | None = None,
    name: str = "mtl_aug",
) -> Classifier:
    """Build the encoder and the heads.

    Args:
        heads: class names of each task.
        frontend: arguments of :func:`serzoo.layers.front_end`.
        spec_augment: arguments of :class:`serzoo.layers.SpecAugment`; None for no masks.
        stem_filters: maps of the first two convolutions.
        conv_filters: maps of the other three.
        lstm_units: units of each direction of the BLSTM.
        dropout: share of the features dropped before the recurrence and before the heads.
        seed: seed of the masks.
        name: name of the model.

    Returns:
        Model from ``{"waveform": (batch, samples), "num_samples": (batch,)}`` to probabilities by task,
        ``{"emotion": (batch, classes)}``.
    """
    # --- inputs and front end -----------------------------------------------------------------------------------
    waveform = keras.Input((None,), name="waveform")  # (batch, samples)
    num_samples = keras.Input((), dtype="int32", name="num_samples")  # (batch,)
    x, n = layers.front_end(waveform, num_samples, seed=seed, spec_augment=spec_augment, **frontend)
    # (batch, frames, mels, 3)

    # --- trunk --------------------------------------------------------------------------------------------------
    x, n = layers.conv_stem(x, n, stem_filters, dropout=dropout / 3, name="stem")  # (batch, frames/4, mels/8, c)
    x = layers.frame_encoder(x, n, conv_filters, lstm_units, dropout=dropout, name="encoder")
    embedding = layers.AttentionPooling(64, name="embedding")(x, n)  # (batch, 2 * units)

    # --- heads --------------------------------------------------------------------------------------------------
    outputs = layers.softmax_heads(embedding, heads, dropout=dropout)  # (batch, classes) each
    inputs = {"waveform": waveform, "num_samples": num_samples}
    return Classifier(inputs=inputs, outputs=outputs, heads=heads, sample_rate_hz=frontend["sample_rate_hz"], name=name)


def training_graph(model: Classifier, config, labels: Mapping[str, Sequence[str]], steps: int, seed: int):
    """Add the objectives ``augmentation`` and ``reconstruction``, which only training needs.

    Args:
        model: from :func:`build`.
        config: its config; ``objectives`` says which of the two there are.
        labels: class names of each label; those of ``augmentation`` are the types.
        steps: training steps of the run.
        seed: seed of the run.

    Returns:
        Model with the inputs of ``model``, and its outputs and the objectives by name.
    """
    layers.check_objectives(config.objectives, labelled=("augmentation",), unlabelled=("reconstruction",))
    encoded, _ = model.get_layer("embedding").input  # (batch, frames/4, 2 * units)
    outputs = dict(model.output)
    for name, objective in config.objectives.items():
        if name == "reconstruction":
            outputs[name] = layers.reconstruction(model, encoded, name)  # (batch,)
        elif name == "augmentation":
            head = keras.layers.Dense(len(labels[objective.label]), "softmax", dtype="float32", name=name)
            outputs[name] = head(model.get_layer("embedding").output)  # (batch, types)
    return keras.Model(model.input, outputs, name="training_graph")
