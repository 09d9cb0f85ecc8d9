"""What an adversarial training shows beside its losses: how hard the adversary pushes, and whether an encoder died."""

import warnings
from collections.abc import Iterator, Mapping

import keras
import numpy as np

from serzoo import layers, losses, pipeline

BRANCHES = "private_"  # what the pooling of an encoder is called, beside "shared"
NUM_CLIPS = 8
DEAD = 1e-5


class Watch:
    """Columns of the log that are read from the network, and not from its losses.

    Args:
        trained: the model that is trained, with its objectives.
        inner: the classifier in it.
        clips: training clips; the first of them show whether the encoders still tell clips apart.
        constants: columns that do not change.
    """

    def __init__(self, trained: keras.Model, inner: keras.Model, clips, constants: Mapping[str, float]):
        self._constants = dict(constants)
        self._reversals = dict(_reversals(trained))
        self._read, self._inputs, self._warned = None, None, set()
        poolings = [layer for layer in inner.layers if isinstance(layer, layers.AttentionPooling)]
        names = [layer.name for layer in poolings if layer.name.startswith(BRANCHES)]
        if names and trained is not inner:
            names = ["shared", *names]
            self._read = keras.Model(inner.input, {name: inner.get_layer(name).output for name in names})
            first = [clips[i] for i in range(min(NUM_CLIPS, len(clips)))]
            self._inputs = pipeline.padded([clip[: 2 * inner.sample_rate_hz] for clip in first])

    def columns(self) -> dict[str, float]:
        """Read lambda of each adversary, and the spread of the features of each encoder over a few clips.

        Warns once of an encoder that says the same of every clip: nothing can be read from it, and so its difference
        loss of 0 is no success.
        """
        found = dict(self._constants)
        for name, layer in self._reversals.items():
            found[f"{name}_lambda"] = float(np.asarray(layer.lambda_))
        if self._read is not None:
            for name, values in self._read.predict_on_batch(self._inputs).items():
                found[f"{name}_spread"] = spread = float(np.asarray(losses.spread(values)))
                if spread < DEAD and len(values) > 1 and name not in self._warned:
                    self._warned.add(name)
                    warnings.warn(
                        f"The encoder {name} died: it gives every clip the same features (spread {spread:.1e}), so a "
                        "difference loss of 0 or a discriminator at chance means nothing. Try a lower learning rate.",
                        stacklevel=2,
                    )
        return found


def _reversals(model: keras.Model) -> Iterator[tuple[str, layers.GradientReversal]]:
    """Gradient reversals in a training graph, and the adversary that each belongs to."""
    for layer in model.layers:
        if isinstance(layer, layers.GradientReversal):
            yield layer.name.removesuffix("_reversal"), layer
        elif isinstance(layer, layers.PriorMatching):
            yield layer.name, layer.reversal
        elif isinstance(layer, keras.Model):
            yield from _reversals(layer)
