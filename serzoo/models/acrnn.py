"""ACRNN: a convolutional recurrent network with attention on three-channel log-mel segments of 3 s.

Chen, He, Yang, Zhang (2018), 3-D convolutional recurrent neural networks with attention model for speech emotion
recognition, IEEE SPL 25(10), https://doi.org/10.1109/LSP.2018.2860246. Published in full; ``acrnn.yaml`` follows it:
16 kHz, Hamming window of 25 ms every 10 ms, 40 mels with first and second derivative (N = 2), z-score by the training
set, segments of 300 frames filled up with zeros, convolutions 5x3 of 128 and then 256 maps with one 2x2 max-pooling
after the first, a linear layer of 768, a BLSTM of 128 each way, attention, a dense layer of 64 with batch
normalisation, softmax; the maximum over the segments judges the utterance. What differs, and why:

- six convolutions: the paper compares 3 to 6, and its authors' code has six;
- leaky ReLU with slope 0.01 as in that code, which pools 2x4 where the paper says 2x2: here it is 2x2;
- the zeros that fill up a segment come after the z-score, where they are the mean: they look like no sound;
- in training a segment is a random 3 s of the clip, drawn anew in every epoch, in place of fixed ones, which is how all
  models here are fed; the maxima are divided by their sum, which changes no decision;
- the batch normalisation keeps its averages with momentum 0.9: with a few hundred steps 0.99 lags behind.

``acrnn_small`` is the same with fewer maps and units, 3 convolutions, batch normalisation after each and the training
recipe of the rest of the zoo, for two CPU cores.
"""

from collections.abc import Mapping, Sequence

import keras

from serzoo import layers
from serzoo.models.classifier import Classifier

SLOPE = 0.01  # of the leaky ReLU


def build(
    *,
    heads: Mapping[str, Sequence[str]],
    frontend: Mapping,
    spec_augment: Mapping | None = None,
    segment_frames: int = 300,
    conv_filters: Sequence[int] = (128, 256, 256, 256, 256, 256),
    conv_norm: bool = False,
    linear_units: int = 768,
    lstm_units: int = 128,
    dense_units: int = 64,
    dropout: float = 0.0,
    seed: int | None = None,
    name: str = "acrnn",
) -> Classifier:
    """Build the network.

    Args:
        heads: class names of each task.
        frontend: arguments of :func:`serzoo.layers.front_end`.
        spec_augment: arguments of :class:`serzoo.layers.SpecAugment`; None for no masks.
        segment_frames: frames of a segment, 300 for 3 s.
        conv_filters: maps of each convolution; the first one is followed by the pooling.
        conv_norm: whether to normalise after each convolution; the paper does not.
        linear_units: size of the linear layer between convolutions and recurrence.
        lstm_units: units of each direction of the BLSTM.
        dense_units: size of the last hidden layer, the embedding.
        dropout: share of the features dropped before and after the recurrence; the paper has none.
        seed: seed of the masks.
        name: name of the model.

    Returns:
        Model from ``{"waveform": (batch, samples), "num_samples": (batch,)}`` to probabilities by task,
        ``{"emotion": (batch, classes), ...}``.
    """
    # --- inputs and front end -----------------------------------------------------------------------------------
    waveform = keras.Input((None,), name="waveform")  # (batch, samples)
    num_samples = keras.Input((), dtype="int32", name="num_samples")  # (batch,)
    x, n = layers.front_end(waveform, num_samples, seed=seed, spec_augment=spec_augment, **frontend)
    x, num_segments = layers.Segments(segment_frames, name="segments")(x, n)  # (batch * segments, frames, mels, 3)

    # --- trunk, on segments -------------------------------------------------------------------------------------
    for i, filters in enumerate(conv_filters, start=1):
        x = keras.layers.Conv2D(
            filters,
            (5, 3),
            padding="same",
            data_format="channels_last",
            use_bias=not conv_norm,
            kernel_initializer="he_normal",
            name=f"conv{i}",
        )(x)
        if conv_norm:
            x = keras.layers.BatchNormalization(momentum=0.9, name=f"norm{i}")(x)
        x = keras.layers.LeakyReLU(SLOPE, name=f"relu{i}")(x)
        if i == 1:
            x = keras.layers.MaxPooling2D(2, data_format="channels_last", name="pool")(x)
    # (batch * segments, frames/2, mels/2, filters)
    x = keras.layers.Reshape((-1, x.shape[2] * x.shape[3]), name="flatten")(x)
    x = keras.layers.Dense(linear_units, name="linear")(x)  # (batch * segments, frames/2, linear)
    x = keras.layers.Dropout(dropout, name="dropout_before")(x)
    steps = layers.NumSteps(name="num_steps")(x)  # all of them, (batch * segments,): the zeros are heard
    x = layers.BidirectionalLSTM(lstm_units, name="blstm")(x, steps)  # (batch * segments, frames/2, 2 * units)
    x = layers.AttentionPooling(name="attention")(x, steps)  # (batch * segments, 2 * units)
    x = keras.layers.Dropout(dropout, name="dropout_after")(x)
    x = keras.layers.Dense(dense_units, use_bias=False, name="dense")(x)  # (batch * segments, dense)
    x = layers.JoinSegments(name="join")(x, num_segments)  # (batch, segments, dense)
    x = keras.layers.Reshape((-1, 1, dense_units), name="as_frames")(x)
    x = layers.FrameBatchNormalization(name="norm")(x, num_segments)
    x = keras.layers.Reshape((-1, dense_units), name="as_segments")(x)
    x = keras.layers.LeakyReLU(SLOPE, name="relu")(x)
    embedding = layers.StatisticsPooling(deviation=False, name="embedding")(x, num_segments)  # (batch, dense)

    # --- heads, the maximum over the segments -------------------------------------------------------------------
    outputs = {
        task: layers.MaxOverSegments(len(classes), name=task)(x, num_segments, embedding)  # (batch, classes)
        for task, classes in heads.items()
    }
    inputs = {"waveform": waveform, "num_samples": num_samples}
    return Classifier(inputs=inputs, outputs=outputs, heads=heads, sample_rate_hz=frontend["sample_rate_hz"], name=name)
