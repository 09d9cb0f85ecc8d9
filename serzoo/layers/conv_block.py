"""Convolution, normalisation and pooling of spectrograms of different lengths."""

import keras
from keras import ops

from serzoo.layers.frame_batch_normalization import FrameBatchNormalization
from serzoo.layers.valid_mask import valid_mask


@keras.saving.register_keras_serializable("serzoo")
class ConvBlock(keras.layers.Layer):
    """Convolve, normalise, activate, pool and drop out, with padding that never reaches a valid frame.

    The convolution has no bias and pads ``(kernel - 1) // 2`` zeros on both sides, so that its grid does not shift
    with the parity of the length. A stride or a pool of ``s`` turns ``n`` frames or bands into ``ceil(n / s)``.

    Args:
        filters: number of output channels.
        kernel_size: odd integer, or two, ``(frames, bands)``.
        strides: integer, or two, of the convolution.
        pool_size: integer, or two, of the max-pooling; ``None`` for none.
        activation: name of a Keras activation, or a callable.
        momentum: of the moving statistics of the normalisation.
        dropout: share of the outputs that are dropped in training.
        mask_input: set to zero what comes beyond ``num_frames``. ``False`` saves one pass over the input where the
            layer before leaves zeros there, as every layer of serzoo does.

    Call arguments:
        x: features, shape ``(batch, frames, bands, channels)``.
        num_frames: valid frames of each clip, integers of shape ``(batch,)``.

    Output shape:
        ``(batch, frames', bands', filters)``, zero beyond ``num_frames'``, and ``num_frames'``, ``(batch,)`` int32.

    Raises:
        ValueError: if a kernel size is even, or an argument out of its range.

    Example:
        >>> block = ConvBlock(32, 5, strides=2)
        >>> y, num_frames = block(keras.random.normal((2, 301, 64, 3)), keras.ops.array([301, 150]))
        >>> tuple(y.shape), keras.ops.convert_to_numpy(num_frames).tolist()
        ((2, 151, 32, 32), [151, 75])
    """

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        pool_size=None,
        activation="relu",
        momentum=0.9,
        dropout=0.0,
        mask_input=True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = _pair("kernel_size", kernel_size)
        self.strides = _pair("strides", strides)
        self.pool_size = None if pool_size is None else _pair("pool_size", pool_size)
        self.activation = keras.activations.get(activation)
        self.momentum = momentum
        self.dropout = dropout
        self.mask_input = mask_input
        if any(size % 2 == 0 for size in self.kernel_size):
            raise ValueError(f"ConvBlock: kernel_size must be odd. Received: {kernel_size!r}.")
        # With stride 1 and an odd kernel `same` is the symmetric padding, without a padded copy of the input.
        self._pads = self.strides != (1, 1) and self.kernel_size != (1, 1)
        options = {"dtype": self.dtype_policy, "trainable": self.trainable}
        self.conv = keras.layers.Conv2D(
            filters,
            self.kernel_size,
            strides=self.strides,
            padding="valid" if self.strides != (1, 1) else "same",
            use_bias=False,
            kernel_initializer="he_normal",
            data_format="channels_last",
            name="conv",
            **options,
        )
        self.norm = FrameBatchNormalization(momentum, name="norm", **options)
        self.drop = keras.layers.Dropout(dropout, name="drop", **options) if dropout else None

    def build(self, x_shape, num_frames_shape):
        """Build the convolution and the normalisation."""
        self.conv.build(x_shape)
        self.norm.build((*x_shape[:-1], self.filters), num_frames_shape)
        if self.drop is not None:
            self.drop.build(x_shape)

    def call(self, x, num_frames, training=None):
        num_frames = ops.cast(num_frames, "int32")
        if self.mask_input:
            x = _fill_padding(x, num_frames, 0.0)
        if self._pads:
            (k, f) = self.kernel_size
            x = ops.pad(x, [[0, 0], [k // 2, k // 2], [f // 2, f // 2], [0, 0]])
        num_frames = _ceil_div(num_frames, self.strides[0])
        x = self.activated(x, num_frames, training)
        is_relu = self.activation is keras.activations.relu  # leaves the zeros in the padding as they are
        if self.pool_size is not None:
            # Half a pool of padding must not win the maximum.
            x = x if is_relu else _fill_padding(x, num_frames, -3e4)
            x = _max_pool(x, self.pool_size)
            num_frames = _ceil_div(num_frames, self.pool_size[0])
        x = x if is_relu else _fill_padding(x, num_frames, 0.0)
        if self.drop is not None:
            x = self.drop(x, training=training)
        return x, num_frames

    def activated(self, x, num_frames, training=None):
        """Convolve, normalise and activate: ``(batch, frames, bands, filters)``."""
        if training and self.norm.trainable:
            return self.activation(self.norm(self.conv(x), num_frames, training=True))
        # The kernel carries the factor of the normalisation: two passes fewer over the output.
        scale, offset = self.norm.moving_scale_and_offset()
        kernel = ops.cast(self.conv.kernel * scale, x.dtype)
        x = self.activation(self.conv.convolution_op(x, kernel) + ops.cast(offset, x.dtype))
        return x * ops.cast(valid_mask(num_frames, ops.shape(x)[1]), x.dtype)[:, :, None, None]

    def compute_output_shape(self, x_shape, num_frames_shape):
        sizes = x_shape[1:3]
        for factors in (self.strides, self.pool_size or (1, 1)):
            sizes = [None if n is None else _ceil_div(n, k) for n, k in zip(sizes, factors, strict=True)]
        return (x_shape[0], *sizes, self.filters), tuple(num_frames_shape)

    def compute_output_spec(self, x, num_frames, training=None):
        y, lengths = self.compute_output_shape(x.shape, num_frames.shape)
        return keras.KerasTensor(y, dtype=self.compute_dtype), keras.KerasTensor(lengths, dtype="int32")

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "pool_size": self.pool_size,
            "activation": keras.activations.serialize(self.activation),
            "momentum": self.momentum,
            "dropout": self.dropout,
            "mask_input": self.mask_input,
        }


def _pair(name, value):
    pair = (value, value) if isinstance(value, int) else tuple(value)
    if len(pair) != 2 or any(not isinstance(v, int) or v < 1 for v in pair):
        raise ValueError(f"ConvBlock: {name} must be an integer >= 1, or two. Received: {value!r}.")
    return pair


def _ceil_div(n, k):
    return n if k == 1 else (n + k - 1) // k


def _fill_padding(x, num_frames, value):
    mask = valid_mask(num_frames, ops.shape(x)[1])[:, :, None, None]
    return ops.where(mask, x, ops.cast(value, x.dtype))


def _max_pool(x, size):
    if max(size) > 2:
        # `same` would put some of its padding in front, by the length; -3e4 is within the range of float16.
        x = ops.pad(x, [[0, 0], [0, size[0] - 1], [0, size[1] - 1], [0, 0]], constant_values=-3e4)
        return ops.max_pool(x, size, strides=size, padding="valid", data_format="channels_last")
    return ops.max_pool(x, size, strides=size, padding="same", data_format="channels_last")
