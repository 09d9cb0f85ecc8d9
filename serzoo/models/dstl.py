"""DSTL: a subspace that source and target share, and a map for what is specific to the source.

After Chen, Xiao, Zhang, Tao (2019), Dual subspace transfer learning for speech emotion recognition.

A common subspace that keeps the properties of the data and brings the domains together, a map that carries what is
specific to the source into the target's subspace, and a classifier on both are the paper's. It learns subspaces of
given features, with a solver that is not public. Our reading, and why:

- the features are pooled embeddings of a network, the convolutions, BLSTM and attention of the rest of the zoo, which
  learns together with the subspaces by gradient descent: a closed form would have to be fitted anew at every step;
- common: the projection of an embedding on a basis. It minimises the maximum mean discrepancy between the domains, and
  what it leaves out of the embeddings, so that it keeps their properties; the second changes the basis alone, or the
  embeddings would shrink into it;
- specific: what the projection leaves out. A linear map, the identity and a ridge-regularised matrix, carries the
  source's into the target's: it minimises the maximum mean discrepancy between the two and changes nothing else;
- the classifier learns from the source's common part beside its mapped specific part. A clip to be judged is taken as
  one of the target, which needs no map: so the map lives in training alone;
- the domains are the streams ``emotion``, the source corpus, and ``target``, whose labels are never read; half of each
  batch comes from either. Weights are chosen by source speakers, which are judged without the map as any clip is.
"""

from collections.abc import Mapping, Sequence

import keras

from serzoo import layers
from serzoo.errors import ConfigError
from serzoo.models.classifier import Classifier
from serzoo.plan import places_of


def build(
    *,
    heads: Mapping[str, Sequence[str]],
    frontend: Mapping,
    spec_augment: Mapping | None = None,
    stem_filters: Sequence[int] = (32, 48),
    conv_filters: Sequence[int] = (64, 96, 96),
    lstm_units: int = 96,
    common_size: int = 48,
    ridge: float = 1e-2,
    dropout: float = 0.3,
    seed: int | None = None,
    name: str = "dstl",
) -> Classifier:
    """Build the network as it judges clips of the target.

    Args:
        heads: class names of each task.
        frontend: arguments of :func:`serzoo.layers.front_end`.
        spec_augment: arguments of :class:`serzoo.layers.SpecAugment`; None for no masks.
        stem_filters: maps of the first two convolutions.
        conv_filters: maps of the other three.
        lstm_units: units of each direction of the BLSTM.
        common_size: dimensions of the common subspace.
        ridge: weight of the squared entries of the map; for :func:`training_graph`.
        dropout: share of the features dropped before the recurrence and before the heads.
        seed: seed of the masks and of the basis of the subspace.
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
    x = layers.AttentionPooling(64, name="attention")(x, n)  # (batch, 2 * units)
    common, specific = layers.CommonSubspace(common_size, seed=seed, name="subspace")(x)
    embedding = keras.layers.Concatenate(name="embedding")([common, specific])  # (batch, common + 2 * units)

    # --- heads --------------------------------------------------------------------------------------------------
    outputs = layers.softmax_heads(embedding, heads, dropout=dropout)  # (batch, classes) each
    inputs = {"waveform": waveform, "num_samples": num_samples}
    return Classifier(inputs=inputs, outputs=outputs, heads=heads, sample_rate_hz=frontend["sample_rate_hz"], name=name)


def training_graph(model: Classifier, config, labels: Mapping[str, Sequence[str]], steps: int, seed: int):
    """Add the objectives ``common``, ``kept`` and ``specific``, and the map of what is specific to the source.

    Args:
        model: from :func:`build`.
        config: its config; ``objectives`` says which of the three there are.
        labels: not used.
        steps: not used.
        seed: not used.

    Returns:
        Model with the inputs of ``model``, its outputs for clips of the source, and the objectives by name.

    Raises:
        ConfigError: if an objective compares the domains, and the streams are not these two, source first.
    """
    layers.check_objectives(config.objectives, unlabelled=("common", "kept", "specific"))
    if {"common", "specific"} & set(config.objectives) and list(config.streams) != ["emotion", "target"]:
        raise ConfigError(
            f"{config.name}: streams must be emotion and target, in this order: common and specific compare them. "
            f"Received: {', '.join(config.streams) or 'none'}."
        )
    subspace = model.get_layer("subspace")
    features, (common, specific) = subspace.input, subspace.output
    ridge = (build.__kwdefaults__ | config.model)["ridge"]  # a section may leave it to the builder
    carried, moved = layers.SpecificMap(ridge, name="map")(specific)  # (batch, 2 * units), equal
    fixed = keras.ops.stop_gradient  # what is fitted to features must not move them
    num_source = places_of(config.streams, config.training.batch_size)["emotion"]
    x = keras.layers.Concatenate(name="embedding_of_source")([common, carried])  # (batch, common + 2 * units)
    x = model.get_layer("dropout_after")(x)
    outputs = {task: model.get_layer(task)(x) for task in model.heads}  # (batch, classes)
    for name in config.objectives:
        if name == "common":
            outputs[name] = layers.DomainDiscrepancy(num_source, name=name)(common, common)  # (batch,)
        elif name == "kept":
            _, left_out = subspace(fixed(features))
            outputs[name] = keras.ops.mean(keras.ops.square(keras.ops.cast(left_out, "float32")), axis=-1)  # (batch,)
        elif name == "specific":
            outputs[name] = layers.DomainDiscrepancy(num_source, name=name)(moved, fixed(specific))  # (batch,)
    return keras.Model(model.input, outputs, name="training_graph")
