"""Multi-head self-attention over the frames of a clip."""

import keras
from keras import ops

from serzoo.layers.valid_mask import valid_mask


@keras.saving.register_keras_serializable("serzoo")
class SelfAttention(keras.layers.Layer):
    """Let every frame of a clip read every other one, and none read the padding.

    It is ``keras.layers.MultiHeadAttention`` of the features with themselves, without biases, under a mask from the
    lengths.

    Args:
        num_heads: number of heads.
        key_size: features of each head.
        dropout: share of the attention weights that are dropped in training.
        seed: seed of the dropout.

    Call arguments:
        x: features, shape ``(batch, frames, features)``.
        num_frames: valid frames of each clip, integers of shape ``(batch,)``.

    Output shape:
        Same as ``x``; zero beyond ``num_frames``.

    Example:
        >>> layer = SelfAttention(num_heads=4, key_size=32)
        >>> tuple(layer(keras.random.normal((2, 38, 128)), ops.array([38, 20])).shape)
        (2, 38, 128)

    Reference:
        Vaswani et al. (2017). https://arxiv.org/abs/1706.03762
    """

    def __init__(self, num_heads, key_size, dropout=0.0, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.key_size = key_size
        self.dropout = dropout
        self.seed = seed
        self.heads = keras.layers.MultiHeadAttention(
            num_heads, key_size, dropout=dropout, use_bias=False, seed=seed, dtype=self.dtype_policy, name="heads"
        )

    def build(self, x_shape, num_frames_shape):
        """Build the projections."""
        self.heads.build(x_shape, x_shape)
        self.heads.trainable = self.trainable  # given to its constructor, it would not reach its parts

    def attention(self, x, num_frames):
        """Compute how much each frame is read, on average over the heads and over the frames that read.

        Args:
            x: features, shape ``(batch, frames, features)``.
            num_frames: valid frames of each clip, integers of shape ``(batch,)``.

        Returns:
            float32, shape ``(batch, frames)``: not negative, zero beyond ``num_frames``, each row with sum 1.
        """
        mask = valid_mask(num_frames, ops.shape(x)[1])
        x = ops.where(mask[:, :, None], x, ops.cast(0.0, x.dtype))
        _, scores = self.heads(
            x, x, attention_mask=mask[:, None, :], return_attention_scores=True, training=False
        )  # (batch, heads, frames that read, frames)
        scores = ops.where(mask[:, None, :, None], ops.cast(scores, "float32"), 0.0)
        count = ops.cast(num_frames, "float32")[:, None]
        return ops.sum(ops.mean(scores, axis=1), axis=1) / count

    def call(self, x, num_frames, training=None):
        mask = valid_mask(num_frames, ops.shape(x)[1])
        zero = ops.cast(0.0, x.dtype)
        x = ops.where(mask[:, :, None], x, zero)  # 0 times the padding is not 0 where the padding holds an infinity
        y = self.heads(x, x, attention_mask=mask[:, None, :], training=training)
        return ops.where(mask[:, :, None], y, zero)

    def compute_output_shape(self, x_shape, num_frames_shape):
        return tuple(x_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_size": self.key_size,
            "dropout": self.dropout,
            "seed": self.seed,
        }
