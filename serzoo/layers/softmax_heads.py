"""The heads of a model: one classifier for each task, all on the same features."""

from collections.abc import Mapping, Sequence

import keras


def softmax_heads(features, heads: Mapping[str, Sequence[str]], *, dropout: float) -> dict:
    """Drop features out, and tell the classes of each task from the rest.

    Args:
        features: of a clip, shape ``(batch, features)``.
        heads: class names of each task.
        dropout: share of the features dropped in training.

    Returns:
        ``{task: (batch, classes)}``, probabilities in float32; each is the output of the layer of its name.

    Example:
        >>> outputs = softmax_heads(keras.Input((8,)), {"gender": ["female", "male"]}, dropout=0.3)
        >>> outputs["gender"].shape
        (None, 2)
    """
    x = keras.layers.Dropout(dropout, name="dropout_after")(features)
    return {
        task: keras.layers.Dense(len(classes), activation="softmax", dtype="float32", name=task)(x)
        for task, classes in heads.items()
    }
