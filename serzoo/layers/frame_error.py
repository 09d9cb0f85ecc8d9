"""Error of a spectrogram that was drawn, as a loss of each clip."""

import keras
from keras import ops

from serzoo.layers.valid_mask import valid_mask


@keras.saving.register_keras_serializable("serzoo")
class FrameError(keras.layers.Layer):
    """Mean squared error of each clip, over the frames that count; always float32.

    Call arguments:
        truth: features, shape ``(batch, frames, features)``.
        guess: features of the same shape.
        counted: frames that count: how many of the first ones, integers of shape ``(batch,)``, or which, booleans of
            shape ``(batch, frames)``.

    Output shape:
        ``(batch,)``; 0 for a clip of which no frame counts.

    Example:
        >>> error = FrameError()(ops.ones((1, 3, 2)), ops.zeros((1, 3, 2)), ops.array([2]))
        >>> ops.convert_to_numpy(error).tolist()
        [1.0]
    """

    def __init__(self, **kwargs):
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)

    def build(self, truth_shape, guess_shape, counted_shape):
        """Nothing to build."""

    def call(self, truth, guess, counted):
        if len(counted.shape) == 1:
            counted = valid_mask(counted, ops.shape(truth)[1])
        error = ops.mean(ops.square(ops.cast(truth, "float32") - ops.cast(guess, "float32")), axis=-1)
        total = ops.sum(ops.where(counted, error, 0.0), axis=1)
        return total / ops.maximum(ops.sum(ops.cast(counted, "float32"), axis=1), 1.0)

    def compute_output_shape(self, truth_shape, guess_shape, counted_shape):
        return (truth_shape[0],)
