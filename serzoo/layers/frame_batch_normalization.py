"""Batch normalisation that counts valid frames only."""

import keras
from keras import ops

from serzoo.layers.valid_mask import valid_mask


@keras.saving.register_keras_serializable("serzoo")
class FrameBatchNormalization(keras.layers.Layer):
    """Batch normalisation over the valid frames of a batch of spectrograms.

    The same as ``keras.layers.BatchNormalization`` with a frame mask, and as fast as without one: the mask meets sums
    over the frequencies, never the features themselves. Statistics are float32 under every dtype policy.

    Args:
        momentum: share of the old value in an update of the moving statistics.
        epsilon: added to the variance.

    Call arguments:
        x: features, shape ``(batch, frames, bands, channels)``; finite in the padding, too.
        num_frames: valid frames of each clip, integers of shape ``(batch,)``.
        training: whether to use and record the batch's statistics, or to use the moving ones; a frozen layer
            (``trainable = False``) always uses the moving ones.

    Output shape:
        Same as ``x``; zero beyond ``num_frames``.

    Reference:
        Ioffe and Szegedy (2015). https://arxiv.org/abs/1502.03167
    """

    def __init__(self, momentum=0.9, epsilon=1e-3, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= momentum < 1:
            raise ValueError(f"FrameBatchNormalization: momentum must be in [0, 1). Received: {momentum!r}.")
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, x_shape, num_frames_shape):
        """Create scale, offset and moving statistics, one value a channel."""
        options = {"shape": (x_shape[-1],), "dtype": "float32", "autocast": False}
        self.gamma = self.add_weight(name="gamma", initializer="ones", **options)
        self.beta = self.add_weight(name="beta", initializer="zeros", **options)
        self.moving_mean = self.add_weight(name="moving_mean", initializer="zeros", trainable=False, **options)
        self.moving_variance = self.add_weight(name="moving_variance", initializer="ones", trainable=False, **options)

    def call(self, x, num_frames, training=None):
        mask = valid_mask(num_frames, ops.shape(x)[1])[:, :, None]  # (batch, frames, 1)
        if training and self.trainable:
            mean, variance = self._moments(x, mask)
            self.moving_mean.assign(self.moving_mean * self.momentum + mean * (1.0 - self.momentum))
            self.moving_variance.assign(self.moving_variance * self.momentum + variance * (1.0 - self.momentum))
            scale, offset = self._scale_and_offset(mean, variance)
        else:
            scale, offset = self.moving_scale_and_offset()
        y = x * ops.cast(scale, x.dtype) + ops.cast(offset, x.dtype)
        return y * ops.cast(mask, x.dtype)[..., None]

    def moving_scale_and_offset(self):
        """What a valid frame is multiplied by and what is added to it, outside of training: two of ``(channels,)``."""
        return self._scale_and_offset(self.moving_mean, self.moving_variance)

    def _scale_and_offset(self, mean, variance):
        scale = self.gamma * ops.rsqrt(variance + self.epsilon)
        return scale, self.beta - mean * scale

    def compute_output_shape(self, x_shape, num_frames_shape):
        return tuple(x_shape)

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum, "epsilon": self.epsilon}

    def _moments(self, x, mask):
        mask = ops.cast(mask, "float32")
        count = ops.maximum(ops.sum(mask) * x.shape[2], 1.0)
        x = ops.cast(x, "float32")
        mean = ops.sum(ops.sum(x, axis=2) * mask, axis=(0, 1)) / count
        centred = ops.sum(ops.square(x - mean), axis=2)  # (batch, frames, channels)
        return mean, ops.sum(centred * mask, axis=(0, 1)) / count
