"""BiDANN, our speech analogue: encoders of low and high bands, and three domain discriminators.

After Li et al. (2018), A novel neural network model based on cerebral hemispheric asymmetry for EEG emotion
recognition, IJCAI, and Li et al. (2021), A bi-hemisphere domain adversarial neural network model for EEG emotion
recognition, IEEE TAFFC 12(2), https://doi.org/10.1109/TAFFC.2018.2885474.

The paper reads brain waves; this is our speech analogue of it, not a reproduction. Two encoders whose features are
judged together, one global and two local domain discriminators through gradient reversal, source clips with labels and
target clips without are the paper's. What we chose, and why:

- the lower and the upper half of the mel bands stand in the place of the left and the right hemisphere;
- an encoder is the convolutions and the BLSTM of the rest of the zoo, each of half the width;
- the domains are the streams ``emotion``, the source corpus, and ``target``, whose labels are never read; half of each
  batch comes from either;
- the gradient reversal grows from 0 to 1 over the run, after Ganin et al. (2016);
- the cross-entropies of the domains weigh a tenth of that of the emotions: with the paper's plain sum the emotions are
  not learnt.
"""

from collections.abc import Mapping, Sequence

import keras

from serzoo import layers
from serzoo.models.classifier import Classifier

HALVES = ("low", "high")


def build(
    *,
    heads: Mapping[str, Sequence[str]],
    frontend: Mapping,
    spec_augment: Mapping | None = None,
    stem_filters: Sequence[int] = (24, 32),
    conv_filters: Sequence[int] = (48, 64, 64),
    lstm_units: int = 64,
    dropout: float = 0.3,
    seed: int | None = None,
    name: str = "bidann",
) -> Classifier:
    """Build the two encoders and the classifier.

    Args:
        heads: class names of each task.
        frontend: arguments of :func:`serzoo.layers.front_end`; ``num_mels`` must be even.
        spec_augment: arguments of :class:`serzoo.layers.SpecAugment`; None for no masks.
        stem_filters: maps of the first two convolutions of each encoder.
        conv_filters: maps of the other three.
        lstm_units: units of each direction of each BLSTM.
        dropout: share of the features dropped before each recurrence and before the heads.
        seed: seed of the masks.
        name: name of the model.

    Returns:
        Model from ``{"waveform": (batch, samples), "num_samples": (batch,)}`` to probabilities by task,
        ``{"emotion": (batch, classes)}``. The layers ``low`` and ``high`` give the features of the two encoders,
        ``(batch, 2 * lstm_units)``.

    Raises:
        ValueError: if the number of mel bands is odd.
    """
    # --- inputs and front end -----------------------------------------------------------------------------------
    if frontend["num_mels"] % 2:
        raise ValueError(f"bidann halves the mel bands: num_mels must be even. Received: {frontend['num_mels']}.")
    waveform = keras.Input((None,), name="waveform")  # (batch, samples)
    num_samples = keras.Input((), dtype="int32", name="num_samples")  # (batch,)
    x, n = layers.front_end(waveform, num_samples, seed=seed, spec_augment=spec_augment, **frontend)
    # (batch, frames, mels, 3)

    # --- one encoder for each half of the bands -----------------------------------------------------------------
    middle = frontend["num_mels"] // 2
    encoded = []
    for half, bands in zip(HALVES, (x[:, :, :middle], x[:, :, middle:]), strict=True):  # (batch, frames, mels/2, 3)
        y, steps = layers.conv_stem(bands, n, stem_filters, dropout=dropout / 3, name=f"{half}_stem")
        y = layers.frame_encoder(
            y, steps, conv_filters, lstm_units, dropout=dropout, name=f"{half}_encoder"
        )  # (batch, frames/4, 2 * units)
        encoded.append(layers.AttentionPooling(64, name=half)(y, steps))  # (batch, 2 * units)
    embedding = keras.layers.Concatenate(name="embedding")(encoded)  # (batch, 4 * units)

    # --- heads --------------------------------------------------------------------------------------------------
    outputs = layers.softmax_heads(embedding, heads, dropout=dropout)  # (batch, classes) each
    inputs = {"waveform": waveform, "num_samples": num_samples}
    return Classifier(inputs=inputs, outputs=outputs, heads=heads, sample_rate_hz=frontend["sample_rate_hz"], name=name)


def training_graph(model: Classifier, config, labels: Mapping[str, Sequence[str]], steps: int, seed: int):
    """Add the domain discriminators ``domain``, ``domain_low`` and ``domain_high``, which only training needs.

    Args:
        model: from :func:`build`.
        config: its config; ``objectives`` says which of the three there are.
        labels: class names of each label; those of ``stream`` are the domains.
        steps: training steps of the run.
        seed: seed of the run.

    Returns:
        Model with the inputs of ``model``, and its outputs and the objectives by name.
    """
    read = {"domain": "embedding", "domain_low": "low", "domain_high": "high"}
    adversaries = {name: model.get_layer(layer).output for name, layer in read.items()}
    objectives = layers.adversarial_objectives(
        config.objectives, labels, steps, adversaries=adversaries, differences={}
    )  # (batch, domains) each
    return keras.Model(model.input, {**model.output, **objectives}, name="training_graph")
