"""Adversarial shared-private learning of emotion and noise: one shared encoder, and a private one for each task.

After the first of the two models of Liu, Zhang (2023), IEEE Access 11, https://doi.org/10.1109/ACCESS.2023.3237268, and
Liu, Qiu, Huang (2017), ACL, https://arxiv.org/abs/1704.05742, for the learning. The whole of the paper, its two models
in sequence, is ``asp_mtl_cascade``.

The tasks, and that they are learnt by adversarial shared-private encoders, are the paper's; its encoders, features,
weights and noise labels are not public. Our reading, and why:

- noise is recognised by segment of about half a second: each type of noise (with speech), clean speech, noise alone;
- front end, with a hop of 16 ms, and widths are those of ``cnn_ablstm``, its first two convolutions are read by every
  encoder that the emotion needs, and the encoders are narrower, so that the path to the emotion has the parameters of
  ``cnn_ablstm``;
- the private encoder of the noise reads a spectrogram standardised over all bands at once: band by band, as the others
  read it, a steady noise is taken away before anyone can recognise it;
- the adversary reads the pooled shared features and tells the noise of the clip from them (the label ``noise`` of
  ``objectives.adversary``), or which stream of clips it came from (the label ``stream``), for which the tasks need
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
    noise_filters: Sequence[int] = (24, 48, 64),
    lstm_units: int = 56,
    segment_s: float = 0.64,
    dropout: float = 0.3,
    seed: int | None = None,
    name: str = "asp_mtl_noise",
) -> Classifier:
    """Build the network.

    Args:
        heads: class names of ``"emotion"`` and ``"noise"``; the last two of these are clean speech and noise alone.
        frontend: arguments of :func:`serzoo.layers.front_end`.
        spec_augment: arguments of :class:`serzoo.layers.SpecAugment`; None for no masks.
        stem_filters: maps of the two convolutions that the shared encoder and the private one of the emotion read.
        conv_filters: maps of the three convolutions of each of these two encoders.
        noise_filters: maps of the three convolutions of the private encoder of the noise.
        lstm_units: units of each direction of the BLSTM of each encoder.
        segment_s: length of a segment in seconds, about half a second: a whole number of steps of the encoders (four
            hops), and of the 20 ms by which its noise is told.
        dropout: share of the features dropped before each recurrence and before the head of the emotion.
        seed: seed of the masks.
        name: name of the model.

    Returns:
        Model from ``{"waveform": (batch, samples), "num_samples": (batch,)}`` to ``{"emotion": (batch, classes),
        "noise": (batch, segments, classes)}``. The layers ``shared``, ``private_emotion`` and ``private_noise`` give
        the features of a clip, ``(batch, 2 * lstm_units)``.

    Raises:
        ValueError: if ``segment_s`` is no whole number of both.
    """
    # --- inputs and front end -----------------------------------------------------------------------------------
    waveform = keras.Input((None,), name="waveform")  # (batch, samples)
    num_samples = keras.Input((), dtype="int32", name="num_samples")  # (batch,)
    x, frames = layers.front_end(waveform, num_samples, seed=seed, spec_augment=spec_augment, **frontend)
    # (batch, frames, mels, 3); the same before it was standardised and masked stands in the graph:
    raw = keras.Model([waveform, num_samples], x).get_layer("deltas").output
    coloured = layers.Standardize(axes="all", name="standardize_all")(raw, frames)  # (batch, frames, mels, 3)

    # --- encoders -----------------------------------------------------------------------------------------------
    x, n = layers.conv_stem(x, frames, stem_filters, dropout=dropout / 3, name="stem")  # (batch, frames/4, mels/8, c)
    shared = layers.frame_encoder(x, n, conv_filters, lstm_units, dropout=dropout, name="shared_encoder")
    emotion = layers.frame_encoder(x, n, conv_filters, lstm_units, dropout=dropout, name="emotion_encoder")
    noise = layers.noise_encoder(coloured, frames, noise_filters, lstm_units, dropout=dropout, name="noise_encoder")
    # each (batch, frames/4, 2 * units)
    pooled = {
        which: layers.AttentionPooling(64, name=which)(frames_of, n)  # (batch, 2 * units)
        for which, frames_of in (("shared", shared), ("private_emotion", emotion), ("private_noise", noise))
    }
    embedding = keras.layers.Concatenate(name="embedding")([pooled["shared"], pooled["private_emotion"]])

    # --- heads --------------------------------------------------------------------------------------------------
    x = keras.layers.Dropout(dropout, name="dropout_after")(embedding)
    both = keras.layers.Concatenate(name="noise_features")([shared, noise])  # (batch, frames/4, 4 * units)
    rate_hz = frontend["sample_rate_hz"]
    segment, step = round(segment_s * rate_hz), round(4 * frontend["hop_ms"] * rate_hz / 1000)
    by_segment = layers.SegmentClassifier(len(heads["noise"]), segment, step, name="noise")
    of_clip = keras.layers.Concatenate(name="noise_of_clip")([pooled["shared"], pooled["private_noise"]])
    outputs = {
        "emotion": keras.layers.Dense(len(heads["emotion"]), "softmax", dtype="float32", name="emotion")(x),
        "noise": by_segment(both, n, of_clip),
    }  # (batch, classes), (batch, segments, classes)
    inputs = {"waveform": waveform, "num_samples": num_samples}
    return Classifier(inputs=inputs, outputs=outputs, heads=heads, sample_rate_hz=rate_hz, name=name)


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
    read = {which: model.get_layer(which).output for which in ("shared", "private_emotion", "private_noise")}
    objectives = layers.adversarial_objectives(
        config.objectives,
        labels,
        steps,
        adversaries={"adversary": read["shared"]},
        differences={"difference": (read["shared"], [read["private_emotion"], read["private_noise"]])},
    )
    return keras.Model(model.input, {**model.output, **objectives}, name="training_graph")
