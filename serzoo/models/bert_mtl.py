"""A Transformer encoder over log-mel frames, pre-trained by masked prediction, with emotion and gender heads.

After the systems that fine-tune a self-supervised speech Transformer on several tasks, such as Cai et al. (2021),
Speech emotion recognition with multi-task learning, Interspeech, https://doi.org/10.21437/Interspeech.2021-1852.

That a Transformer learns speech without labels first and several tasks at once afterwards, mean pooling, and that lower
layers learn more slowly, are theirs. They start from wav2vec 2.0, hundreds of hours and a hundred million weights; this
one is small enough to learn from a few thousand clips on two CPU cores. What we chose, and why:

- it reads log-mel, four frames a step, in place of the waveform through convolutions;
- positions come from a depthwise convolution, which like wav2vec's own knows distances and no absolute times;
- pre-training draws the hidden steps again, their log-mel by mean squared error, as BERT guesses hidden words; no
  codebook and no negatives;
- the heads read a learnt weighted sum of all layers, pooled to mean and deviation; gender is the second task, where
  Cai et al. recognise the text, which is not at hand for these corpora;
- some steps are hidden in fine-tuning, too, as in wav2vec 2.0.
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
    frames_per_step: int = 4,
    width: int = 128,
    num_blocks: int = 4,
    num_heads: int = 4,
    units: int = 512,
    mask_share: float = 0.1,
    mask_span: int = 4,
    dropout: float = 0.1,
    seed: int | None = None,
    name: str = "bert_mtl",
) -> Classifier:
    """Build the encoder and the heads.

    Args:
        heads: class names of each task.
        frontend: arguments of :func:`serzoo.layers.front_end`; only the static channel is read.
        spec_augment: arguments of :class:`serzoo.layers.SpecAugment`; None for no masks.
        frames_per_step: frames that one step of the encoder holds.
        width: features of the encoder.
        num_blocks: blocks of the encoder.
        num_heads: heads of the self-attention of each block.
        units: size of the hidden layer of each block.
        mask_share: share of the steps that are hidden in training.
        mask_span: steps of a span that is hidden.
        dropout: share dropped in each block; three times as much before the heads.
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
    x, n = layers.StackFrames(frames_per_step, name="stack")(x[..., 0], n)  # (batch, frames/4, 4 * mels)

    # --- trunk --------------------------------------------------------------------------------------------------
    x = keras.layers.Dense(width, use_bias=False, name="projection")(x)  # (batch, frames/4, width), 0 in padding
    x, _ = layers.MaskSteps(mask_share, mask_span, seed=seed, name="mask")(x, n)
    position = keras.layers.DepthwiseConv1D(
        31, padding="same", data_format="channels_last", use_bias=False, activation="gelu", name="positions"
    )(x)
    x = keras.layers.Add(name="placed")([x, position])
    outputs = []
    for i in range(1, num_blocks + 1):
        x = layers.TransformerBlock(num_heads, units, dropout=dropout, name=f"block{i}")(x, n)
        outputs.append(x)  # (batch, frames/4, width)
    x = layers.WeightedSum(name="layers")(outputs)
    x = keras.layers.LayerNormalization(epsilon=1e-5, name="norm")(x)
    embedding = layers.StatisticsPooling(name="embedding")(x, n)  # (batch, 2 * width)

    # --- heads --------------------------------------------------------------------------------------------------
    outputs = layers.softmax_heads(embedding, heads, dropout=min(3 * dropout, 0.9))  # (batch, classes) each
    inputs = {"waveform": waveform, "num_samples": num_samples}
    return Classifier(inputs=inputs, outputs=outputs, heads=heads, sample_rate_hz=frontend["sample_rate_hz"], name=name)


def training_graph(model: Classifier, config, labels: Mapping[str, Sequence[str]], steps: int, seed: int):
    """Add the objective ``masked_prediction``: the log-mel of the steps that are hidden, from the last block.

    ``serzoo pretrain`` trains it alone; beside the heads it may stand in ``objectives``, too.

    Args:
        model: from :func:`build`.
        config: its config; the outputs are its heads and objectives.
        labels: not used.
        steps: not used.
        seed: not used.

    Returns:
        Model with the inputs of ``model``, and the heads and objectives of the config by name.
    """
    layers.check_objectives(config.objectives, unlabelled=("masked_prediction",))
    outputs = {task: model.output[task] for task in config.heads}
    if "masked_prediction" in config.objectives:
        # What is to be guessed is what the front end gave, before SpecAugment hid some of it.
        static, (_, num_frames) = model.get_layer("standardize").output[..., 0], model.get_layer("log_mel").output
        truth, _ = layers.StackFrames(model.get_layer("stack").size, name="truth")(static, num_frames)
        _, hidden = model.get_layer("mask").output
        x = model.get_layer(_blocks(model)[-1]).output
        x = keras.layers.Dense(x.shape[-1], "gelu", name="prediction_hidden")(x)
        x = keras.layers.LayerNormalization(epsilon=1e-5, name="prediction_norm")(x)
        guess = keras.layers.Dense(truth.shape[-1], dtype="float32", name="prediction")(x)
        outputs["masked_prediction"] = layers.FrameError(name="masked_prediction")(truth, guess, hidden)  # (batch,)
    return keras.Model(model.input, outputs, name="training_graph")


def layer_depths(model: Classifier) -> dict[str, int]:
    """Tell how many blocks away from the heads each layer of the encoder is, for layer-wise learning rates.

    Args:
        model: from :func:`build`.

    Returns:
        Numbers by the name of the layer, 1 for the topmost block; layers that are not named are at 0.
    """
    blocks = _blocks(model)
    below = ("projection", "mask", "positions")
    return {name: len(blocks) - i for i, name in enumerate(blocks)} | dict.fromkeys(below, len(blocks) + 1)


def _blocks(model: Classifier) -> list[str]:
    """Names of the blocks of the encoder, from the bottom up."""
    return [layer.name for layer in model.layers if layer.name.startswith("block")]
