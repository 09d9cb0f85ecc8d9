"""Spans of steps hidden behind a learnt vector, for masked prediction."""

import keras
from keras import ops

from serzoo.layers.valid_mask import valid_mask


@keras.saving.register_keras_serializable("serzoo")
class MaskSteps(keras.layers.Layer):
    """Put a learnt vector in the place of random spans of steps; in training only.

    Every clip draws its own spans, at least one of them: of a short clip more than ``share`` of the steps is hidden
    (0.1 in spans of 4 hides 12 % of 47 steps and 30 % of 12). Spans may overlap, which makes it less where ``share`` is
    large (0.4 hides 33 % of 47 steps).

    Args:
        share: share of the steps to hide; 0 hides none.
        span: steps of a span.
        seed: integer, for repeatable spans.

    Call arguments:
        x: features, shape ``(batch, steps, features)``.
        num_steps: valid steps of each clip, integers of shape ``(batch,)``.
        training: whether to hide.

    Output shape:
        Same as ``x``; and which steps are hidden, booleans of shape ``(batch, steps)``.

    Raises:
        ValueError: if ``share`` is not in [0, 1) or ``span`` less than 1.

    Reference:
        Baevski et al. (2020), section 3.1. https://arxiv.org/abs/2006.11477
    """

    def __init__(self, share=0.15, span=5, seed=None, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= share < 1 or span < 1:
            raise ValueError(
                f"MaskSteps: share must be in [0, 1), and span an integer >= 1. Received: {share!r}, {span!r}."
            )
        self.share = share
        self.span = span
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, x_shape, num_steps_shape):
        """Create the vector that hides a step."""
        self.vector = self.add_weight(name="vector", shape=(x_shape[-1],), initializer="uniform")

    def call(self, x, num_steps, training=None):
        steps = ops.shape(x)[1]
        valid = valid_mask(num_steps, steps)
        if not training or not self.share:
            return x, valid & False
        draw = keras.random.uniform(ops.shape(valid), dtype="float32", seed=self.seed_generator)
        draw = ops.where(valid, draw, 2.0)
        first = ops.arange(steps)[None] == ops.cast(ops.argmin(draw, axis=1), "int32")[:, None]
        starts = ops.cast((draw < self.share / self.span) | first, "float32")
        # A step is hidden if a span starts there or up to span - 1 steps before it.
        padded = ops.concatenate([ops.zeros_like(starts[:, :1])] * (self.span - 1) + [starts], axis=1)
        spread = ops.max_pool(padded[:, :, None], self.span, strides=1, padding="valid", data_format="channels_last")
        hidden = spread[:, :, 0] > 0
        hidden = hidden & valid
        return ops.where(hidden[:, :, None], ops.cast(self.vector, x.dtype), x), hidden

    def compute_output_shape(self, x_shape, num_steps_shape):
        return tuple(x_shape), tuple(x_shape[:2])

    def compute_output_spec(self, x, num_steps, training=None):
        return keras.KerasTensor(x.shape, dtype=self.compute_dtype), keras.KerasTensor(x.shape[:2], dtype="bool")

    def get_config(self):
        return {**super().get_config(), "share": self.share, "span": self.span, "seed": self.seed}
