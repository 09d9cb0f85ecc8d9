"""One block of a Transformer encoder."""

import keras
from keras import ops

from serzoo.layers.self_attention import SelfAttention
from serzoo.layers.valid_mask import valid_mask


@keras.saving.register_keras_serializable("serzoo")
class TransformerBlock(keras.layers.Layer):
    r"""Self-attention and two dense layers, each on the normalised features and added to them.

    .. math:: y = x + \mathrm{attention}(\mathrm{norm}(x)), \quad z = y + W_2 \, \mathrm{gelu}(W_1 \mathrm{norm}(y))

    Args:
        num_heads: heads of the attention; they share the features out among them.
        units: size of the hidden dense layer.
        dropout: share of what is added that is dropped in training.

    Call arguments:
        x: features, shape ``(batch, frames, features)``.
        num_frames: valid frames of each clip, integers of shape ``(batch,)``.

    Output shape:
        Same as ``x``; zero beyond ``num_frames``.

    Raises:
        ValueError: if the features cannot be shared out among the heads.

    Reference:
        Vaswani et al. (2017). https://arxiv.org/abs/1706.03762; Xiong et al. (2020), for normalising first.
        https://arxiv.org/abs/2002.04745
    """

    def __init__(self, num_heads, units, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.units = units
        self.dropout = dropout

    def build(self, x_shape, num_frames_shape):
        """Build the two halves."""
        features = x_shape[-1]
        if features % self.num_heads:
            raise ValueError(
                f"TransformerBlock: num_heads must divide {features} features. Received: {self.num_heads}."
            )
        options = {"dtype": self.dtype_policy, "trainable": self.trainable}
        self.attention = SelfAttention(self.num_heads, features // self.num_heads, name="attention", **options)
        self.norms = [keras.layers.LayerNormalization(epsilon=1e-5, name=f"norm{i}", **options) for i in (1, 2)]
        self.hidden = keras.layers.Dense(self.units, "gelu", name="hidden", **options)
        self.output_dense = keras.layers.Dense(features, name="output", **options)
        self.drops = [keras.layers.Dropout(self.dropout, name=f"drop{i}", **options) for i in (1, 2)]
        self.attention.build(x_shape, num_frames_shape)
        for norm in self.norms:
            norm.build(x_shape)
        self.hidden.build(x_shape)
        self.output_dense.build((*x_shape[:-1], self.units))

    def call(self, x, num_frames, training=None):
        x = x + self.drops[0](self.attention(self.norms[0](x), num_frames), training=training)
        y = self.output_dense(self.hidden(self.norms[1](x)))
        mask = valid_mask(num_frames, ops.shape(x)[1])[:, :, None]
        return ops.where(mask, x + self.drops[1](y, training=training), ops.cast(0.0, x.dtype))

    def compute_output_shape(self, x_shape, num_frames_shape):
        return tuple(x_shape)

    def get_config(self):
        config = {key: getattr(self, key) for key in ("num_heads", "units", "dropout")}
        return {**super().get_config(), **config}
