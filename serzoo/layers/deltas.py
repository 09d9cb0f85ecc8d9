"""First and second time derivatives as further channels."""

import keras
from keras import ops

from serzoo.layers.valid_mask import valid_mask


@keras.saving.register_keras_serializable("serzoo")
class Deltas(keras.layers.Layer):
    r"""Stack features with their deltas and delta-deltas.

    .. math:: d_t = \frac{\sum_{n=1}^{N} n (x_{t+n} - x_{t-n})}{2 \sum_{n=1}^{N} n^2}

    Frames before the first and after the last valid one are copies of these two, for the features and again for the
    deltas, of which the delta-deltas are the deltas. Always float32.

    Args:
        width: N, the number of frames that the regression reads on each side.

    Call arguments:
        x: features, shape ``(batch, frames, mels)``.
        num_frames: valid frames of each clip, integers of shape ``(batch,)``, at least 1.

    Output shape:
        ``(batch, frames, mels, 3)``: static, delta, delta-delta; zero beyond ``num_frames``.

    Raises:
        ValueError: if ``width`` is less than 1.

    Example:
        >>> tuple(Deltas()(keras.ops.ones((1, 5, 8)), keras.ops.array([5])).shape)
        (1, 5, 8, 3)

    Reference:
        Young et al., The HTK Book, section 5.6.
    """

    def __init__(self, width=2, **kwargs):
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        if width < 1:
            raise ValueError(f"Deltas: width must be an integer >= 1. Received: {width!r}.")
        self.width = width

    def build(self, x_shape, num_frames_shape):
        """Nothing to build."""

    def call(self, x, num_frames):
        mask = valid_mask(num_frames, ops.shape(x)[1])[:, :, None]
        x = _hold_last(x, num_frames, mask)
        delta = self._regress(x)
        delta_delta = self._regress(_hold_last(delta, num_frames, mask))
        # Stacked in front and moved: on a CPU faster than to interleave single numbers.
        valid = ops.cast(mask, x.dtype)
        channels = ops.stack([x * valid, delta * valid, delta_delta * valid], axis=1)
        return ops.transpose(channels, (0, 2, 3, 1))

    def compute_output_shape(self, x_shape, num_frames_shape):
        return (*x_shape, 3)

    def get_config(self):
        return {**super().get_config(), "width": self.width}

    def _regress(self, x):
        frames = ops.shape(x)[1]
        x = ops.concatenate([x[:, :1]] * self.width + [x] + [x[:, -1:]] * self.width, axis=1)
        total = 0.0
        for n in range(1, self.width + 1):
            ahead = x[:, self.width + n : self.width + n + frames]
            behind = x[:, self.width - n : self.width - n + frames]
            total = total + (ahead - behind) * float(n)
        return total * (0.5 / sum(n * n for n in range(1, self.width + 1)))


def _hold_last(x, num_frames, mask):
    """Fill the padding of each clip with copies of its last valid frame."""
    batch, frames = ops.shape(x)[0], ops.shape(x)[1]
    rows = ops.arange(batch, dtype="int32") * frames + ops.maximum(ops.cast(num_frames, "int32") - 1, 0)
    last = ops.take(ops.reshape(x, (-1, x.shape[-1])), rows, axis=0)  # (batch, mels)
    return ops.where(mask, x, last[:, None, :])
