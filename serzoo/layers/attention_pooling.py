"""Attention over the frames of a clip."""

import keras
from keras import ops

from serzoo.layers.valid_mask import valid_mask


@keras.saving.register_keras_serializable("serzoo")
class AttentionPooling(keras.layers.Layer):
    r"""Average frames with weights that are learnt from the frames themselves.

    .. math:: c = \sum_t \alpha_t h_t, \quad \alpha = \mathrm{softmax}_t(w^\top h_t)

    or, with ``units``, :math:`\alpha = \mathrm{softmax}_t(v^\top \tanh(W h_t + b))`. The softmax and the sum run over
    the valid frames and in float32 under every dtype policy.

    Args:
        units: size of the hidden layer of the score; ``None`` for a linear score.

    Call arguments:
        x: features, shape ``(batch, frames, features)``.
        num_frames: valid frames of each clip, integers of shape ``(batch,)``.
        weight: what each frame counts beside its score, floats >= 0 of shape ``(batch, frames)``; ``None`` for 1. A
            frame with weight 0 has no part in the average.

    Output shape:
        ``(batch, features)``; zero for a clip without a frame that counts.

    Example:
        >>> layer = AttentionPooling()
        >>> tuple(layer(keras.random.normal((2, 38, 192)), keras.ops.array([38, 20])).shape)
        (2, 192)

    Reference:
        Mirsamadi, Barsoum and Zhang (2017). https://doi.org/10.1109/ICASSP.2017.7952552
    """

    def __init__(self, units=None, **kwargs):
        super().__init__(**kwargs)
        if units is not None and units < 1:
            raise ValueError(f"AttentionPooling: units must be an integer >= 1 or None. Received: {units!r}.")
        self.units = units

    def build(self, x_shape, num_frames_shape, weight_shape=None):
        """Create the weights of the score."""
        features = x_shape[-1]
        if self.units is not None:
            self.hidden = self.add_weight(name="hidden", shape=(features, self.units), initializer="glorot_uniform")
            self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")
            features = self.units
        self.query = self.add_weight(name="query", shape=(features, 1), initializer="glorot_uniform")

    def attention(self, x, num_frames, weight=None):
        """Compute the weights of the frames.

        Args:
            x: features, shape ``(batch, frames, features)``.
            num_frames: valid frames of each clip, integers of shape ``(batch,)``.
            weight: as of the call.

        Returns:
            float32, shape ``(batch, frames)``: not negative, zero beyond ``num_frames``, each row with sum 1, or with
            sum 0 for a clip without a frame that counts.
        """
        hidden = ops.cast(x, self.compute_dtype)
        if self.units is not None:
            hidden = ops.matmul(hidden, ops.cast(self.hidden, self.compute_dtype))
            hidden = ops.tanh(hidden + ops.cast(self.bias, self.compute_dtype))
        score = ops.matmul(hidden, ops.cast(self.query, self.compute_dtype))[..., 0]  # (batch, frames)
        mask = valid_mask(num_frames, ops.shape(x)[1])
        weight = 1.0 if weight is None else ops.cast(weight, "float32")
        weight = ops.where(mask, weight, 0.0)
        score = ops.where(weight > 0.0, ops.cast(score, "float32"), -1e30)
        # Keras's softmax warns of an axis of length 1, which a short clip has by right.
        alpha = ops.exp(score - ops.max(score, axis=-1, keepdims=True)) * weight
        return alpha / ops.maximum(ops.sum(alpha, axis=-1, keepdims=True), 1e-30)

    def call(self, x, num_frames, weight=None):
        alpha = self.attention(x, num_frames, weight)
        # 0 times the padding is not 0 where the padding holds an infinity.
        mask = valid_mask(num_frames, ops.shape(x)[1])[:, :, None]
        values = ops.where(mask, ops.cast(x, "float32"), 0.0)
        return ops.cast(ops.matmul(alpha[:, None, :], values)[:, 0], self.compute_dtype)

    def compute_output_shape(self, x_shape, num_frames_shape, weight_shape=None):
        return (x_shape[0], x_shape[-1])

    def get_config(self):
        return {**super().get_config(), "units": self.units}
