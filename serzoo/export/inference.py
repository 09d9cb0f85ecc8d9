"""The part of a model that is exported: from waveform to emotion and embedding, with operations every server has."""

from collections.abc import Callable
from typing import Any

import keras

from serzoo import layers
from serzoo.errors import ExportError
from serzoo.models.classifier import Classifier

OUTPUTS = ("emotion", "embedding")


def inference_model(model: Classifier, *, implementation: str | None = None) -> keras.Model:
    """Rebuild a model for export, with the same weights.

    The copy answers in float32, uses no cuDNN, and has the outputs ``emotion`` and ``embedding`` alone: what only
    training needs, such as the other heads and a gradient reversal, stays behind.

    Args:
        model: a classifier with a layer ``"embedding"``.
        implementation: ``"dft"`` where the format knows no Fourier transform; None keeps that of each layer.

    Returns:
        Functional model from ``{"waveform", "num_samples"}`` to ``{"emotion", "embedding"}``.

    Raises:
        ExportError: if the model has no embedding, or its emotion comes from behind a gradient reversal.
    """
    copy = type(model).from_config(_changed(model.get_config(), implementation))
    copy.set_weights(model.get_weights())
    if "embedding" not in (names := [layer.name for layer in copy.layers]):
        raise ExportError(f"{model.name} needs a layer 'embedding' to be exported. Received: {', '.join(names)}.")
    outputs = {"emotion": copy.output["emotion"], "embedding": copy.get_layer("embedding").output}
    inference = keras.Model(copy.input, outputs, name=model.name)
    for layer in _all_layers(inference):
        if isinstance(layer, layers.GradientReversal):
            raise ExportError(f"{model.name}: emotion must not depend on the gradient reversal {layer.name!r}.")
        if hasattr(layer, "use_cudnn"):  # which Keras' own layers do not write into their config
            layer.use_cudnn = False
    return inference


def _changed(config: Any, implementation: str | None) -> Any:
    """A copy of a config with float32 in place of mixed precision, and layers of the given implementation."""
    if isinstance(config, dict):
        changed = {key: _changed(value, implementation) for key, value in config.items()}
        if changed.get("class_name") == "DTypePolicy":
            changed["config"] = {"name": "float32"}
        if implementation is not None and "implementation" in changed:
            changed["implementation"] = implementation
        return changed
    if isinstance(config, (list, tuple)):
        return type(config)(_changed(value, implementation) for value in config)
    return config


def _all_layers(model: keras.Model) -> list[keras.layers.Layer]:
    return list(model._flatten_layers(include_self=False))


def call(model: keras.Model) -> Callable:
    """The model as a function of ``(waveform, num_samples)``."""
    return lambda waveform, num_samples: model({"waveform": waveform, "num_samples": num_samples}, training=False)
