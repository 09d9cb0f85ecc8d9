"""Adversarial autoencoder with emotion, gender and speaker heads; clips without an emotion label train the rest.

After Latif et al. (2022), Multi-task semi-supervised adversarial autoencoding for speech emotion recognition, IEEE
TAFFC 13(2), https://doi.org/10.1109/TAFFC.2020.2983669.

The encoder to a latent, the decoder that reconstructs the features, the discriminator that matches the latent to a
prior, and the three supervised heads are the paper's, and that clips without emotion labels train the rest. Its sizes
and schedule are not at hand. What we chose, and why:

- one latent of 64 features every four frames, not one a clip: so clips of any length are encoded and drawn again;
- the encoder is the convolutions and the BLSTM of the rest of the zoo, the decoder a convolution over five latents;
- the prior is the standard normal distribution; its discriminator trains in the same step as the encoder, through a
  gradient reversal whose strength grows over the run;
- the heads read mean and deviation of the latents over the clip; speakers, known of training clips only, are told
  apart in training alone, and the model that ships has no such head;
- the features are reconstructed as they are before SpecAugment hides some of them.

Unlabelled clips come as a stream: ``--stream unlabelled:emodb=ROOT --set 'streams={emotion: 0.5, unlabelled: 0.5}'``;
the config asks for none, so that the model trains on one corpus as any other does.
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
    latent_size: int = 64,
    dropout: float = 0.3,
    seed: int | None = None,
    name: str = "aae_mtl",
) -> Classifier:
    """Build the encoder and the heads.

    Args:
        heads: class names of ``"emotion"`` and ``"gender"``.
        frontend: arguments of :func:`serzoo.layers.front_end`.
        spec_augment: arguments of :class:`serzoo.layers.SpecAugment`; None for no masks.
        stem_filters: maps of the first two convolutions.
        conv_filters: maps of the other three.
        lstm_units: units of each direction of the BLSTM.
        latent_size: features of a latent.
        dropout: share of the features dropped before the recurrence and before the heads.
        seed: seed of the masks.
        name: name of the model.

    Returns:
        Model from ``{"waveform": (batch, samples), "num_samples": (batch,)}`` to probabilities by task,
        ``{"emotion": (batch, classes), "gender": (batch, 2)}``.
    """
    # --- inputs and front end -----------------------------------------------------------------------------------
    waveform = keras.Input((None,), name="waveform")  # (batch, samples)
    num_samples = keras.Input((), dtype="int32", name="num_samples")  # (batch,)
    x, n = layers.front_end(waveform, num_samples, seed=seed, spec_augment=spec_augment, **frontend)
    # (batch, frames, mels, 3)

    # --- trunk --------------------------------------------------------------------------------------------------
    x, n = layers.conv_stem(x, n, stem_filters, dropout=dropout / 3, name="stem")  # (batch, frames/4, mels/8, c)
    x = layers.frame_encoder(x, n, conv_filters, lstm_units, dropout=dropout, name="encoder")
    x = keras.layers.Dense(latent_size, use_bias=False, name="latents")(x)  # (batch, frames/4, latent), 0 in padding
    embedding = layers.StatisticsPooling(name="embedding")(x, n)  # (batch, 2 * latent)

    # --- heads --------------------------------------------------------------------------------------------------
    outputs = layers.softmax_heads(embedding, heads, dropout=dropout)  # (batch, classes) each
    inputs = {"waveform": waveform, "num_samples": num_samples}
    return Classifier(inputs=inputs, outputs=outputs, heads=heads, sample_rate_hz=frontend["sample_rate_hz"], name=name)


def training_graph(model: Classifier, config, labels: Mapping[str, Sequence[str]], steps: int, seed: int):
    """Add the objectives ``reconstruction``, ``prior`` and ``speaker``, which only training needs.

    Args:
        model: from :func:`build`.
        config: its config; ``objectives`` says which of the three there are.
        labels: class names of each label.
        steps: training steps of the run.
        seed: seed of the run.

    Returns:
        Model with the inputs of ``model``, and its outputs and the objectives by name.
    """
    layers.check_objectives(config.objectives, labelled=("speaker",), unlabelled=("reconstruction", "prior"))
    latents, (_, num_steps) = model.get_layer("latents").output, model.get_layer("embedding").input
    outputs = dict(model.output)
    for name, objective in config.objectives.items():
        if name == "reconstruction":
            outputs[name] = layers.reconstruction(model, latents, name)  # (batch,)
        elif name == "prior":
            outputs[name] = layers.PriorMatching(ramp_steps=steps, seed=seed, name=name)(latents, num_steps)  # (batch,)
        elif name == "speaker":
            dropout = (build.__kwdefaults__ | config.model)["dropout"]  # a section may leave it to the builder
            x = keras.layers.Dropout(dropout, name="speaker_dropout")(model.get_layer("embedding").output)
            head = keras.layers.Dense(len(labels[objective.label]), "softmax", dtype="float32", name=name)
            outputs[name] = head(x)  # (batch, speakers)
    return keras.Model(model.input, outputs, name="training_graph")
