"""Adversarial shared-private learning of emotion and gender: one shared encoder, and a private one for each task.

After the second of the two models of Liu, Zhang (2023), IEEE Access 11, https://doi.org/10.1109/ACCESS.2023.3237268,
and Liu, Qiu, Huang (2017), ACL, https://arxiv.org/abs/1704.05742, for the learning. The whole of the paper, its two
models in sequence, is ``asp_mtl_cascade``.

The tasks, and that they are learnt by adversarial shared-private encoders, are the paper's; its encoders, features and
weights are not public. What we chose, and why:

- front end and recipe are those of ``cnn_ablstm``, its first two convolutions are read by every encoder, and the
  encoders are narrower, so that the path to the emotion has the parameters of ``cnn_ablstm``;
- the private encoder of the gender is narrower still: the task is the easier one;
- the adversary reads the pooled shared features and tells the gender from them (the label ``gender`` of
  ``objectives.adversary``), or which stream of clips they came from (the label ``stream``), for which the tasks need
  corpora of their own: where they share one, a discriminator of streams could only guess.
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
    conv_filters: Sequence[int] = (64, 80, 64),
    gender_filters: Sequence[int] = (32, 48, 48),
    lstm_units: int = 56,
    dropout: float = 0.3,
    seed: int | None = None,
    name: str = "asp_mtl_gender",
) -> Classifier:
    """Build the network.

    Args:
        heads: class names of ``"emotion"`` and ``"gender"``.
        frontend: arguments of :func:`serzoo.layers.front_end`.
        spec_augment: arguments of :class:`serzoo.layers.SpecAugment`; None for no masks.
        stem_filters: maps of the two convolutions that every encoder reads.
        conv_filters: maps of the three convolutions of the shared encoder and the private one of the emotion.
        gender_filters: maps of the three convolutions of the private encoder of the gender.
        lstm_units: units of each direction of the BLSTM of each encoder.
        dropout: share of the features dropped before each recurrence and before the heads.
        seed: seed of the masks.
        name: name of the model.

    Returns:
        Model from ``{"waveform": (batch, samples), "num_samples": (batch,)}`` to probabilities by task,
        ``{"emotion": (batch, classes), "gender": (batch, 2)}``. The layers ``shared``, ``private_emotion`` and
        ``private_gender`` give the features of a clip, ``(batch, 2 * lstm_units)``.
    """
    # --- inputs and front end -----------------------------------------------------------------------------------
    waveform = keras.Input((None,), name="waveform")  # (batch, samples)
    num_samples = keras.Input((), dtype="int32", name="num_samples")  # (batch,)
    x, n = layers.front_end(waveform, num_samples, seed=seed, spec_augment=spec_augment, **frontend)
    # (batch, frames, mels, 3)

    # --- encoders -----------------------------------------------------------------------------------------------
    x, n = layers.conv_stem(x, n, stem_filters, dropout=dropout / 3, name="stem")  # (batch, frames/4, mels/8, c)
    widths = {"shared": conv_filters, "private_emotion": conv_filters, "private_gender": gender_filters}
    pooled = {}
    for which, filters in widths.items():
        encoder = f"{which.removeprefix('private_')}_encoder"
        frames = layers.frame_encoder(x, n, filters, lstm_units, dropout=dropout, name=encoder)
        pooled[which] = layers.AttentionPooling(64, name=which)(frames, n)  # (batch, 2 * units)
    embedding = keras.layers.Concatenate(name="embedding")([pooled["shared"], pooled["private_emotion"]])
    of_gender = keras.layers.Concatenate(name="gender_features")([pooled["shared"], pooled["private_gender"]])

    # --- heads --------------------------------------------------------------------------------------------------
    outputs = {}
    for task, features in {"emotion": embedding, "gender": of_gender}.items():
        x = keras.layers.Dropout(dropout, name=f"{task}_dropout_after")(features)
        outputs[task] = keras.layers.Dense(len(heads[task]), "softmax", dtype="float32", name=task)(x)
    inputs = {"waveform": waveform, "num_samples": num_samples}
    return Classifier(inputs=inputs, outputs=outputs, heads=heads, sample_rate_hz=frontend["sample_rate_hz"], name=name)


def training_graph(model: Classifier, config, labels: Mapping[str, Sequence[str]], steps: int, seed: int):
    """Add the objectives ``adversary`` and ``difference``, which only training needs.

    Args:
        model: from :func:`build`.
        config: its config; ``objectives`` says which of the two there are.
        labels: class names of each label.
        steps: training steps of the run.
        seed: seed of the run.

    Returns:
        Model with the inputs of ``model``, and its outputs and the objectives by name.
    """
    read = {which: model.get_layer(which).output for which in ("shared", "private_emotion", "private_gender")}
    objectives = layers.adversarial_objectives(
        config.objectives,
        labels,
        steps,
        adversaries={"adversary": read["shared"]},
        differences={"difference": (read["shared"], [read["private_emotion"], read["private_gender"]])},
    )
    return keras.Model(model.input, {**model.output, **objectives}, name="training_graph")
