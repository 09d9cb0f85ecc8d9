"""Layers that compute the same with fewer operations, for a server that never trains.

On a CPU a loop over frames costs more in the operations around it than in its arithmetic, and the normalisation after a
convolution is one more pass over its output. So an export runs each direction of the recurrence in one kernel, and
carries each normalisation in the weights of the convolution before it. Both are TensorFlow's own kernels, which every
server has.
"""

import keras
import numpy as np
import tensorflow as tf

from serzoo.layers import BidirectionalLSTM, ConvBlock
from serzoo.layers.valid_mask import valid_mask


def fused(model: keras.Model) -> keras.Model:
    """Rebuild a model with fused layers, for inference on TensorFlow alone.

    Args:
        model: functional model in float32.

    Returns:
        Functional model with the same inputs, outputs and layer names, whose answers differ by rounding alone.
    """

    def clone(layer):
        kind = _FUSED.get(type(layer), type(layer))
        return kind.from_config(layer.get_config())

    copy = keras.models.clone_model(model, clone_function=clone)
    for layer in model.layers:
        target = copy.get_layer(layer.name)
        if type(layer) in _FUSED:
            target.take_weights(layer)
        else:
            target.set_weights(layer.get_weights())
    return copy


class FusedBidirectionalLSTM(BidirectionalLSTM):
    """:class:`serzoo.layers.BidirectionalLSTM` with one kernel for all frames of a direction."""

    def build(self, x_shape, num_frames_shape):
        """Create one matrix and one bias for each direction."""
        shape = (x_shape[-1] + self.units, 4 * self.units)
        for name in ("forward", "backward"):
            setattr(self, f"{name}_kernel", self.add_weight(name=f"{name}_kernel", shape=shape))
            setattr(self, f"{name}_bias", self.add_weight(name=f"{name}_bias", shape=shape[1:]))

    def take_weights(self, layer):
        """Copy the weights of the plain layer."""
        for name in ("forward", "backward"):
            cell = getattr(layer, name).cell
            kernel = np.concatenate([cell.kernel.numpy(), cell.recurrent_kernel.numpy()])
            getattr(self, f"{name}_kernel").assign(kernel)
            getattr(self, f"{name}_bias").assign(cell.bias)

    def call(self, x, num_frames, training=None):
        """As of the plain layer."""
        num_frames = tf.cast(num_frames, tf.int32)
        backward = _time_reversed(self._run(_time_reversed(x, num_frames), "backward"), num_frames)
        y = tf.concat([self._run(x, "forward"), backward], axis=-1)
        return y * tf.cast(valid_mask(num_frames, tf.shape(x)[1]), y.dtype)[:, :, None]

    def _run(self, x, name):
        x = tf.transpose(x, [1, 0, 2])  # (frames, batch, features)
        state, unused = tf.zeros([tf.shape(x)[1], self.units]), tf.zeros([self.units])
        # Both order the gates input, forget, cell, output.
        y = tf.raw_ops.BlockLSTMV2(
            seq_len_max=tf.shape(x, out_type=tf.int64)[0],
            x=x,
            cs_prev=state,
            h_prev=state,
            w=getattr(self, f"{name}_kernel").value,
            b=getattr(self, f"{name}_bias").value,
            wci=unused,
            wcf=unused,
            wco=unused,
        ).h
        return tf.transpose(y, [1, 0, 2])


class FusedConvBlock(ConvBlock):
    """:class:`serzoo.layers.ConvBlock` with the normalisation carried in its kernel and a bias."""

    def build(self, x_shape, num_frames_shape):
        """Create the kernel and the bias."""
        self.conv.build(x_shape)
        self.bias = self.add_weight(name="bias", shape=(self.filters,))

    def take_weights(self, layer):
        """Compute the weights from those of the plain layer."""
        norm = layer.norm
        scale = norm.gamma.numpy() / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
        self.conv.kernel.assign(layer.conv.kernel.numpy() * scale)
        self.bias.assign(norm.beta.numpy() - norm.moving_mean.numpy() * scale)

    def activated(self, x, num_frames, training=None):
        """Convolve, add the bias, activate, and mask."""
        # In this order, and as this operation, TensorFlow makes one kernel of convolution, bias and ReLU.
        x = self.activation(tf.nn.bias_add(self.conv(x), self.bias.value))
        return x * tf.cast(valid_mask(num_frames, tf.shape(x)[1]), x.dtype)[:, :, None, None]


_FUSED = {BidirectionalLSTM: FusedBidirectionalLSTM, ConvBlock: FusedConvBlock}


def _time_reversed(x, num_frames):
    return tf.reverse_sequence(x, num_frames, seq_axis=1, batch_axis=0)
