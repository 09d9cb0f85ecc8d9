"""Segments of fixed length, and the judgement of a clip from those of its segments."""

import keras
from keras import ops

from serzoo.layers.valid_mask import valid_mask


@keras.saving.register_keras_serializable("serzoo")
class Segments(keras.layers.Layer):
    """Cut each clip into segments of the same length, the last one filled up with zeros.

    The segments of all clips stand one after the other on the first axis; every clip gets as many as the longest one of
    the batch, those beyond its own full of zeros.

    Args:
        size: frames of a segment.

    Call arguments:
        x: features, shape ``(batch, frames, ...)``, zero beyond ``num_frames``.
        num_frames: valid frames of each clip, integers of shape ``(batch,)``.

    Output shape:
        ``(batch * segments, size, ...)``; the number of segments of each clip, at least 1, ``(batch,)`` int32.

    Raises:
        ValueError: if ``size`` is less than 1.

    Example:
        >>> x, n = Segments(300)(ops.zeros((2, 640, 40, 3)), ops.array([640, 290]))
        >>> tuple(x.shape), keras.ops.convert_to_numpy(n).tolist()
        ((6, 300, 40, 3), [3, 1])
    """

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        if size < 1:
            raise ValueError(f"Segments: size must be an integer >= 1. Received: {size!r}.")
        self.size = size

    def build(self, x_shape, num_frames_shape):
        """Nothing to build."""

    def call(self, x, num_frames):
        batch, frames, *rest = ops.shape(x)
        count = (frames + self.size - 1) // self.size
        # A slice, because JAX takes no computed width of padding under jit, and TensorFlow no static one here.
        x = ops.concatenate([x, ops.zeros((batch, self.size, *rest), x.dtype)], axis=1)[:, : count * self.size]
        num_segments = (ops.cast(num_frames, "int32") + self.size - 1) // self.size
        return ops.reshape(x, (-1, self.size, *x.shape[2:])), ops.maximum(num_segments, 1)

    def compute_output_shape(self, x_shape, num_frames_shape):
        known = None not in x_shape[:2]
        rows = x_shape[0] * -(-x_shape[1] // self.size) if known else None
        return (rows, self.size, *x_shape[2:]), tuple(num_frames_shape)

    def compute_output_spec(self, x, num_frames):
        y, num_segments = self.compute_output_shape(x.shape, num_frames.shape)
        return keras.KerasTensor(y, dtype=self.compute_dtype), keras.KerasTensor(num_segments, dtype="int32")

    def get_config(self):
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable("serzoo")
class NumSteps(keras.layers.Layer):
    """Tell of each row how many steps it has: all of them, padding included.

    For layers that want lengths, where what fills up a segment is meant to be heard.

    Call arguments:
        x: features, shape ``(batch, steps, ...)``.

    Output shape:
        ``(batch,)`` int32.
    """

    def call(self, x):
        return ops.zeros((ops.shape(x)[0],), "int32") + ops.shape(x)[1]

    def compute_output_shape(self, x_shape):
        return (x_shape[0],)

    def compute_output_spec(self, x):
        return keras.KerasTensor((x.shape[0],), dtype="int32")


@keras.saving.register_keras_serializable("serzoo")
class JoinSegments(keras.layers.Layer):
    """Put the segments of a clip side by side again.

    Call arguments:
        x: features of segments, shape ``(batch * segments, features)``.
        num_segments: segments of each clip, integers of shape ``(batch,)``, as from :class:`Segments`.

    Output shape:
        ``(batch, segments, features)``, zero beyond ``num_segments``.
    """

    def build(self, x_shape, num_segments_shape):
        """Nothing to build."""

    def call(self, x, num_segments):
        x = ops.reshape(x, (ops.shape(num_segments)[0], -1, x.shape[-1]))
        mask = valid_mask(num_segments, ops.shape(x)[1])[:, :, None]
        return ops.where(mask, x, ops.cast(0.0, x.dtype))

    def compute_output_shape(self, x_shape, num_segments_shape):
        rows, batch = x_shape[0], num_segments_shape[0]
        return (batch, rows // batch if rows and batch else None, x_shape[-1])


@keras.saving.register_keras_serializable("serzoo")
class MaxOverSegments(keras.layers.Layer):
    r"""Head that judges each segment, and a clip by the greatest posterior that any segment gives to each class.

    .. math:: p_k = \frac{\max_s p_{s,k}}{\sum_j \max_s p_{s,j}}, \quad p_s = \mathrm{softmax}(W x_s + b)

    The division makes probabilities of the maxima and leaves the decision as it is. Always float32.

    Args:
        units: number of classes.

    Call arguments:
        x: features of the segments, shape ``(batch, segments, features)``, as from :class:`JoinSegments`.
        num_segments: segments of each clip, integers of shape ``(batch,)``.
        embedding: features of the clip, of any shape. They have no part in the answer: only what stands on the way to
            an output can be read from a Keras model.

    Output shape:
        ``(batch, units)``.

    Reference:
        Chen, He, Yang and Zhang (2018). https://doi.org/10.1109/LSP.2018.2860246
    """

    def __init__(self, units, **kwargs):
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.units = units
        self.dense = keras.layers.Dense(units, "softmax", dtype="float32", trainable=self.trainable, name="dense")

    def build(self, x_shape, num_segments_shape, embedding_shape=None):
        """Build the classifier."""
        self.dense.build(x_shape)

    def call(self, x, num_segments, embedding=None):
        mask = valid_mask(num_segments, ops.shape(x)[1])[:, :, None]
        highest = ops.max(ops.where(mask, self.dense(x), 0.0), axis=1)
        return highest / ops.sum(highest, axis=-1, keepdims=True)

    def compute_output_shape(self, x_shape, num_segments_shape, embedding_shape=None):
        return (x_shape[0], self.units)

    def get_config(self):
        return {**super().get_config(), "units": self.units}
