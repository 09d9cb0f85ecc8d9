"""CNN and attention-BLSTM on three-channel log-mel spectrograms, with or without gender as a second task.

After Liu, Han, Wu, Rehman (2023), Applied Acoustics 202, 109178, https://doi.org/10.1016/j.apacoust.2022.109178, on the
base of ACRNN: Chen, He, Yang, Zhang (2018), IEEE SPL 25(10), https://doi.org/10.1109/LSP.2018.2860246.

The input (log-mel with its first and second time derivative as three channels), the trunk (CNN, BLSTM, attention) and
the second task are the paper's. Its hyper-parameters are not public; what we chose, and why:

- the first convolution is 5x5 with stride 2 in time and frequency and its maps are pooled at once: ACRNN spends nearly
  all of its work at half the resolution, behind its only pooling;
- four 3x3 convolutions with BatchNormalization follow, so that the recurrence sees one step every 40 ms;
- both heads read the attention-pooled embedding directly, one dense layer each.
"""

import functools
from collections.abc import Mapping, Sequence

import keras

from serzoo import layers
from serzoo.errors import unknown_name
from serzoo.models.classifier import Classifier

POOLINGS = ("attention", "statistics", "both")


def build(
    *,
    heads: Mapping[str, Sequence[str]],
    frontend: Mapping,
    spec_augment: Mapping | None = None,
    conv_filters: Sequence[int] = (32, 48, 64, 96, 96),
    lstm_units: int = 96,
    dropout: float = 0.3,
    pooling: str = "attention",
    seed: int | None = None,
    name: str = "cnn_ablstm",
) -> Classifier:
    """Build the network.

    Args:
        heads: class names of each task, such as ``{"emotion": ["anger", ...], "gender": ["female", "male"]}``; without
            ``"gender"`` the model is ``cnn_ablstm``, the single-task control.
        frontend: arguments of :func:`serzoo.layers.front_end`.
        spec_augment: arguments of :class:`serzoo.layers.SpecAugment`; None for no masks.
        conv_filters: maps of the convolutions, five or more of them; those after the fifth are like it.
        lstm_units: units of each direction of the BLSTM.
        dropout: share of the features dropped before and after the recurrence; a third of it after the second and
            fourth convolution.
        pooling: how steps become a clip: ``"attention"``, ``"statistics"`` (their mean and deviation) or ``"both"``.
        seed: seed of the masks.
        name: name of the model.

    Returns:
        Model from ``{"waveform": (batch, samples), "num_samples": (batch,)}`` to probabilities by task,
        ``{"emotion": (batch, classes), ...}``.

    Raises:
        ValueError: if there are less than five convolutions.
        UnknownNameError: if there is no such pooling.
    """
    if len(conv_filters) < 5:
        raise ValueError(f"conv_filters must hold five numbers of maps or more. Received: {list(conv_filters)}.")
    if pooling not in POOLINGS:
        raise unknown_name("pooling", pooling, POOLINGS)
    # --- inputs and front end -----------------------------------------------------------------------------------
    waveform = keras.Input((None,), name="waveform")  # (batch, samples)
    num_samples = keras.Input((), dtype="int32", name="num_samples")  # (batch,)
    x, n = layers.front_end(waveform, num_samples, seed=seed, spec_augment=spec_augment, **frontend)
    # (batch, frames, mels, 3)

    # --- trunk --------------------------------------------------------------------------------------------------
    c1, c2, c3, c4, *others = conv_filters
    conv = functools.partial(layers.ConvBlock, mask_input=False)  # every layer here leaves zeros in the padding
    x, n = conv(c1, 5, strides=2, pool_size=(1, 2), name="conv1")(x, n)  # (batch, frames/2, mels/4, c1)
    x, n = conv(c2, 3, pool_size=2, dropout=dropout / 3, name="conv2")(x, n)  # (batch, frames/4, mels/8, c2)
    x, n = conv(c3, 3, name="conv3")(x, n)  # (batch, frames/4, mels/8, c3)
    x, n = conv(c4, 3, pool_size=(1, 2), dropout=dropout / 3, name="conv4")(x, n)  # (batch, frames/4, mels/16, c4)
    for number, filters in enumerate(others, start=5):
        x, n = conv(filters, 3, name=f"conv{number}")(x, n)  # (batch, frames/4, mels/16, c5)
    x = keras.layers.Reshape((-1, x.shape[2] * x.shape[3]), name="flatten")(x)  # (batch, frames/4, mels/16 * c5)
    x = keras.layers.Dropout(dropout, name="dropout_before")(x)
    x = layers.BidirectionalLSTM(lstm_units, name="blstm")(x, n)  # (batch, frames/4, 2 * units)
    pooled = []
    if pooling != "statistics":
        pooled.append(layers.AttentionPooling(64, name="attention")(x, n))  # (batch, 2 * units)
    if pooling != "attention":
        pooled.append(layers.StatisticsPooling(name="statistics")(x, n))  # (batch, 4 * units)
    x = pooled[0] if len(pooled) == 1 else keras.layers.Concatenate(name="pooled")(pooled)
    embedding = keras.layers.Identity(name="embedding")(x)

    # --- heads --------------------------------------------------------------------------------------------------
    outputs = layers.softmax_heads(embedding, heads, dropout=dropout)  # (batch, classes) each
    inputs = {"waveform": waveform, "num_samples": num_samples}
    return Classifier(inputs=inputs, outputs=outputs, heads=heads, sample_rate_hz=frontend["sample_rate_hz"], name=name)
