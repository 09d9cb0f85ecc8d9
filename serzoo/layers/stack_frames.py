"""Several frames joined to one step."""

import keras
from keras import ops

from serzoo.layers.valid_mask import valid_mask


@keras.saving.register_keras_serializable("serzoo")
class StackFrames(keras.layers.Layer):
    """Join each few frames to one step, so that a network reads fewer and longer ones.

    Args:
        size: frames of a step; the last step of a clip may hold fewer, and zeros after them.

    Call arguments:
        x: features, shape ``(batch, frames, features)``.
        num_frames: valid frames of each clip, integers of shape ``(batch,)``.

    Output shape:
        ``(batch, ceil(frames / size), size * features)``, zero beyond the valid frames; the number of valid steps,
        ``ceil(num_frames / size)``, ``(batch,)`` int32.

    Example:
        >>> x, n = StackFrames(4)(ops.ones((1, 10, 64)), ops.array([9]))
        >>> tuple(x.shape), keras.ops.convert_to_numpy(n).tolist()
        ((1, 3, 256), [3])
    """

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def build(self, x_shape, num_frames_shape):
        """Nothing to build."""

    def call(self, x, num_frames):
        batch, frames, features = ops.shape(x)
        mask = valid_mask(num_frames, frames)[:, :, None]
        x = ops.cast(ops.where(mask, x, ops.cast(0.0, x.dtype)), self.compute_dtype)
        steps = (frames + self.size - 1) // self.size
        # A slice: JAX takes no computed width of padding under jit.
        x = ops.concatenate([x, ops.zeros((batch, self.size, features), x.dtype)], axis=1)[:, : steps * self.size]
        num_steps = (ops.cast(num_frames, "int32") + self.size - 1) // self.size
        return ops.reshape(x, (batch, steps, self.size * x.shape[-1])), num_steps

    def compute_output_shape(self, x_shape, num_frames_shape):
        steps = None if x_shape[1] is None else -(-x_shape[1] // self.size)
        return (x_shape[0], steps, self.size * x_shape[2]), tuple(num_frames_shape)

    def compute_output_spec(self, x, num_frames):
        y, num_steps = self.compute_output_shape(x.shape, num_frames.shape)
        return keras.KerasTensor(y, dtype=self.compute_dtype), keras.KerasTensor(num_steps, dtype="int32")

    def get_config(self):
        return {**super().get_config(), "size": self.size}
