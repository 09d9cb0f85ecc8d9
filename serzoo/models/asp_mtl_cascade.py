"""Two adversarial shared-private models in sequence: what the first hears as noise alone, the second leaves out.

After Liu, Zhang (2023), IEEE Access 11, https://doi.org/10.1109/ACCESS.2023.3237268. Model 1 learns emotion and noise,
model 2 emotion and gender, each with a shared encoder and a private one for each task, as ``asp_mtl_noise`` and
``asp_mtl_gender`` do alone; model 2 works on what model 1 does not recognise as noise. One network, one answer.

The two models, their tasks and their order are the paper's. What we chose, and why:

- "removed" means that the frames of a segment lose their weight in every pooling of model 2, by the probability of
  noise alone that model 1 gives the segment; model 2 still hears what stands around them. No gradient passes this way,
  so that the recognition of noise learns from noise alone;
- both models learn at once, on the same front end; the emotion that is given out is that of model 2, and that of
  model 1 is learnt beside it (the objective ``noise_emotion``), since in the paper emotion is its main task;
- the private encoder of the noise reads a spectrogram standardised over all bands at once: band by band, as the others
  read it, a steady noise is taken away before anyone can recognise it.
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
    gender_filters: Sequence[int] = (32, 48, 48),
    lstm_units: int = 56,
    segment_s: float = 0.64,
    dropout: float = 0.3,
    seed: int | None = None,
    name: str = "asp_mtl_cascade",
) -> Classifier:
    """Build the network.

    Args:
        heads: class names of ``"emotion"``, ``"noise"`` (the last two of these are clean speech and noise alone) and
            ``"gender"``.
        frontend: arguments of :func:`serzoo.layers.front_end`.
        spec_augment: arguments of :class:`serzoo.layers.SpecAugment`; None for no masks.
        stem_filters: maps of the first two convolutions of each model.
        conv_filters: maps of the three convolutions of the shared encoders and the private ones of the emotion.
        noise_filters: maps of the three convolutions of the private encoder of the noise.
        gender_filters: maps of the three convolutions of the private encoder of the gender.
        lstm_units: units of each direction of the BLSTM of each encoder.
        segment_s: length of a segment in seconds, about half a second: a whole number of steps of the encoders (four
            hops), and of the 20 ms by which its noise is told.
        dropout: share of the features dropped before each recurrence and before the heads.
        seed: seed of the masks.
        name: name of the model.

    Returns:
        Model from ``{"waveform": (batch, samples), "num_samples": (batch,)}`` to ``{"emotion": (batch, classes),
        "noise": (batch, segments, classes), "gender": (batch, 2)}``. Features of a clip, ``(batch, 2 * lstm_units)``,
        are given by the layers ``noise_shared`` and ``private_noise`` of model 1, and ``shared``, ``private_emotion``
        and ``private_gender`` of model 2.

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

    # --- model 1: noise by segment ------------------------------------------------------------------------------
    y, n = layers.conv_stem(x, frames, stem_filters, dropout=dropout / 3, name="noise_stem")
    shared = layers.frame_encoder(y, n, conv_filters, lstm_units, dropout=dropout, name="noise_shared_encoder")
    private = layers.noise_encoder(coloured, frames, noise_filters, lstm_units, dropout=dropout, name="noise_encoder")
    # each (batch, frames/4, 2 * units)
    clip = [
        layers.AttentionPooling(64, name="noise_shared")(shared, n),
        layers.AttentionPooling(64, name="private_noise")(private, n),
    ]  # each (batch, 2 * units)
    both = keras.layers.Concatenate(name="noise_features")([shared, private])
    rate_hz = frontend["sample_rate_hz"]
    segment, step = round(segment_s * rate_hz), round(4 * frontend["hop_ms"] * rate_hz / 1000)
    by_segment = layers.SegmentClassifier(len(heads["noise"]), segment, step, name="noise")
    noise = by_segment(both, n, keras.layers.Concatenate(name="noise_of_clip")(clip))
    # (batch, segments, classes)

    # --- model 2: emotion and gender of what is no noise ----------------------------------------------------------
    speech = layers.SpeechWeight(segment // step, name="speech_weight")(noise, both)  # (batch, frames/4)
    y, n = layers.conv_stem(x, frames, stem_filters, dropout=dropout / 3, name="stem")  # (batch, frames/4, mels/8, c)
    widths = {"shared": conv_filters, "private_emotion": conv_filters, "private_gender": gender_filters}
    pooled = {}
    for which, filters in widths.items():
        encoder = f"{which.removeprefix('private_')}_encoder"
        features = layers.frame_encoder(y, n, filters, lstm_units, dropout=dropout, name=encoder)
        pooled[which] = layers.AttentionPooling(64, name=which)(features, n, speech)  # (batch, 2 * units)
    embedding = keras.layers.Concatenate(name="embedding")([pooled["shared"], pooled["private_emotion"]])
    of_gender = keras.layers.Concatenate(name="gender_features")([pooled["shared"], pooled["private_gender"]])

    # --- heads --------------------------------------------------------------------------------------------------
    outputs = {"noise": noise}
    for task, features in {"emotion": embedding, "gender": of_gender}.items():
        x = keras.layers.Dropout(dropout, name=f"{task}_dropout_after")(features)
        outputs[task] = keras.layers.Dense(len(heads[task]), "softmax", dtype="float32", name=task)(x)
    inputs = {"waveform": waveform, "num_samples": num_samples}
    return Classifier(inputs=inputs, outputs=outputs, heads=heads, sample_rate_hz=rate_hz, name=name)


def training_graph(model: Classifier, config, labels: Mapping[str, Sequence[str]], steps: int, seed: int):
    """Add the objectives of both models, which only training needs.

    ``noise_emotion`` is the emotion that model 1 tells, by a private encoder that ends with the training;
    ``noise_adversary`` and ``noise_difference`` are those of model 1, ``adversary`` and ``difference`` of model 2.

    Args:
        model: from :func:`build`.
        config: its config; ``objectives`` says which of the five there are.
        labels: class names of each label.
        steps: training steps of the run.
        seed: not used.

    Returns:
        Model with the inputs of ``model``, and its outputs and the objectives by name.
    """
    wanted = ("noise_shared", "private_noise", "shared", "private_emotion", "private_gender")
    read = {which: model.get_layer(which).output for which in wanted}
    settings = build.__kwdefaults__ | config.model  # a section may leave arguments to the builder
    private = _private_emotion(model, settings)
    features = keras.layers.Concatenate(name="noise_embedding")([read["noise_shared"], private])
    dropped = keras.layers.Dropout(settings["dropout"], name="noise_emotion_dropout")(features)
    objectives = layers.adversarial_objectives(
        config.objectives,
        labels,
        steps,
        adversaries={"noise_adversary": read["noise_shared"], "adversary": read["shared"]},
        differences={
            "noise_difference": (read["noise_shared"], [private, read["private_noise"]]),
            "difference": (read["shared"], [read["private_emotion"], read["private_gender"]]),
        },
        heads={"noise_emotion": dropped},
    )
    return keras.Model(model.input, {**model.output, **objectives}, name="training_graph")


def _private_emotion(model: Classifier, settings: Mapping):
    """Build the private encoder of the emotion in model 1, on the first convolutions of model 1."""
    x, n = model.get_layer("noise_stem_conv2").output  # (batch, frames/4, mels/8, c)
    widths = settings["conv_filters"], settings["lstm_units"]
    frames = layers.frame_encoder(x, n, *widths, dropout=settings["dropout"], name="noise_emotion_encoder")
    return layers.AttentionPooling(64, name="noise_private_emotion")(frames, n)  # (batch, 2 * units)
