"""Bidirectional LSTM over clips of different lengths."""

import keras
from keras import ops

from serzoo.layers.valid_mask import valid_mask


@keras.saving.register_keras_serializable("serzoo")
class BidirectionalLSTM(keras.layers.Layer):
    """Read each clip forwards and backwards, each from its own first or last valid frame.

    Two plain LSTMs, the backward one on the frames reversed by length: the padding always comes last, so no Keras mask
    is needed, cuDNN can be used on a GPU, and an ONNX export holds two LSTM nodes.

    Args:
        units: units in each direction.
        dropout: share of the inputs that are dropped in training.
        use_cudnn: ``"auto"``, ``True`` or ``False``. Rebuild a model with ``False`` before it is exported on a GPU
            machine, or it will not run elsewhere.

    Call arguments:
        x: features, shape ``(batch, frames, features)``.
        num_frames: valid frames of each clip, integers of shape ``(batch,)``.

    Output shape:
        ``(batch, frames, 2 * units)``, forward units first, zero beyond ``num_frames``.

    Example:
        >>> tuple(BidirectionalLSTM(96)(keras.random.normal((2, 38, 64)), keras.ops.array([38, 20])).shape)
        (2, 38, 192)

    Reference:
        Graves and Schmidhuber (2005). https://doi.org/10.1016/j.neunet.2005.06.042
    """

    def __init__(self, units, dropout=0.0, use_cudnn="auto", **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.dropout = dropout
        self.use_cudnn = use_cudnn
        options = {"dtype": self.dtype_policy, "trainable": self.trainable}
        self.forward, self.backward = (
            keras.layers.LSTM(units, return_sequences=True, use_cudnn=use_cudnn, name=name, **options)
            for name in ("forward", "backward")
        )
        self.drop = keras.layers.Dropout(dropout, name="drop", **options) if dropout else None

    def build(self, x_shape, num_frames_shape):
        """Build the two recurrent layers."""
        self.forward.build(x_shape)
        self.backward.build(x_shape)
        if self.drop is not None:
            self.drop.build(x_shape)

    def call(self, x, num_frames, training=None):
        if self.drop is not None:
            x = self.drop(x, training=training)
        order = _reversed_order(num_frames, ops.shape(x)[0], ops.shape(x)[1])
        forward = self.forward(x, training=training)
        backward = _reorder(self.backward(_reorder(x, order), training=training), order)
        y = ops.concatenate([forward, backward], axis=-1)
        mask = valid_mask(num_frames, ops.shape(x)[1])[:, :, None]
        return ops.where(mask, y, ops.cast(0.0, y.dtype))

    def compute_output_shape(self, x_shape, num_frames_shape):
        return (*x_shape[:2], 2 * self.units)

    def get_config(self):
        return {**super().get_config(), "units": self.units, "dropout": self.dropout, "use_cudnn": self.use_cudnn}


def _reversed_order(num_frames, batch, frames):
    """Row numbers in the flattened batch that reverse the valid frames of each clip and keep the padding in place."""
    lengths = ops.cast(num_frames, "int32")[:, None]
    position = ops.arange(frames, dtype="int32")[None, :]
    reverse = ops.where(position < lengths, lengths - 1 - position, position)
    return ops.reshape(reverse + ops.arange(batch, dtype="int32")[:, None] * frames, (-1,))


def _reorder(x, order):
    rows = ops.take(ops.reshape(x, (-1, x.shape[-1])), order, axis=0)
    return ops.reshape(rows, (-1, ops.shape(x)[1], x.shape[-1]))
