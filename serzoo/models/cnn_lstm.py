"""CNN, BLSTM and multi-head self-attention on a spectrogram, with or without gender as a second task.

After Li, Zhao, Kawahara (2019), Improved end-to-end speech emotion recognition using self attention mechanism and
multitask learning, Interspeech, https://doi.org/10.21437/Interspeech.2019-2594.

The parts and their order are the paper's: spectrogram, CNN, BLSTM, self-attention, gender beside emotion. What we
chose, after a public re-implementation of it where one value stood against another:

- the spectrogram has 96 bands of equal width up to 8 kHz, its logarithm is normalised over each utterance;
- two convolutions, 11 frames x 41 bands and 11 x 21, both with stride 2, 16 maps each: twice the maps would cost two
  CPU cores four times the work; batch normalisation and ReLU after each;
- two BLSTMs of 128 units a direction, self-attention of 4 heads of 64, mean and standard deviation over time;
- the loss weight of gender is 0.25, and the highest learning rate is 1e-3, as there; the schedule, the augmentation
  and the dropout are those of the rest of the zoo.
"""

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from serzoo import layers
from serzoo.listener import padded
from serzoo.models.classifier import Classifier


def build(
    *,
    heads: Mapping[str, Sequence[str]],
    frontend: Mapping,
    spec_augment: Mapping | None = None,
    conv_filters: Sequence[int] = (16, 16),
    lstm_units: Sequence[int] = (128, 128),
    attention_heads: int = 4,
    attention_size: int = 64,
    dropout: float = 0.3,
    seed: int | None = None,
    name: str = "cnn_lstm",
) -> Classifier:
    """Build the network.

    Args:
        heads: class names of each task; with ``"gender"`` it is ``cnn_lstm_mtl``.
        frontend: arguments of :func:`serzoo.layers.front_end`; only the static channel is read.
        spec_augment: arguments of :class:`serzoo.layers.SpecAugment`; None for no masks.
        conv_filters: maps of the two convolutions.
        lstm_units: units of each direction of each BLSTM.
        attention_heads: heads of the self-attention.
        attention_size: features of each head.
        dropout: share of the features dropped before each BLSTM and before the heads.
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
    x = x[..., :1]  # (batch, frames, bands, 1)

    # --- trunk --------------------------------------------------------------------------------------------------
    for i, (filters, kernel) in enumerate(zip(conv_filters, ((11, 41), (11, 21)), strict=True), start=1):
        x, n = layers.ConvBlock(filters, kernel, strides=2, mask_input=False, name=f"conv{i}")(x, n)
    # (batch, frames/4, bands/4, filters)
    x = keras.layers.Reshape((-1, x.shape[2] * x.shape[3]), name="flatten")(x)
    for i, units in enumerate(lstm_units, start=1):
        x = keras.layers.Dropout(dropout, name=f"dropout{i}")(x)
        x = layers.BidirectionalLSTM(units, name=f"blstm{i}")(x, n)  # (batch, frames/4, 2 * units)
    x = layers.SelfAttention(attention_heads, attention_size, name="self_attention")(x, n)
    embedding = layers.StatisticsPooling(name="embedding")(x, n)  # (batch, 4 * units)

    # --- heads --------------------------------------------------------------------------------------------------
    outputs = layers.softmax_heads(embedding, heads, dropout=dropout)  # (batch, classes) each
    inputs = {"waveform": waveform, "num_samples": num_samples}
    return Classifier(inputs=inputs, outputs=outputs, heads=heads, sample_rate_hz=frontend["sample_rate_hz"], name=name)


def attention(model: Classifier, clip: np.ndarray) -> np.ndarray:
    """Tell where in a clip the model listens: how much each step is read by the self-attention.

    Args:
        model: a model that :func:`build` made.
        clip: waveform ``(samples,)`` at 16 kHz.

    Returns:
        Float32 of shape ``(steps,)`` with sum 1; a step lasts four hops of the front end.

    Example:
        >>> import serzoo
        >>> model = serzoo.load("cnn_lstm", weights=None)
        >>> attention(model, np.ones(16000, "float32")).shape
        (16,)
    """
    layer = model.get_layer("self_attention")
    x, n = keras.Model(model.input, layer.input)(padded([clip]), training=False)
    return keras.ops.convert_to_numpy(layer.attention(x, n))[0]
