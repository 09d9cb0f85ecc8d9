"""Mixup of waveforms."""

import keras
from keras import ops

from serzoo.layers.mix_at_snr import mean_square


@keras.saving.register_keras_serializable("serzoo")
class Mixup(keras.layers.Layer):
    r"""Mix each clip with a clip of the batch, at equal loudness; in training only.

    .. math:: y = r_x \frac{w x / r_x + (1 - w) z / r_z}{\sqrt{w^2 + (1 - w)^2}}

    with :math:`z` the partner and :math:`r` the root mean square over the valid samples, so that uncorrelated clips
    keep the loudness of the first. The caller draws partners and weights, because labels need them too.

    Call arguments:
        waveform: floats, shape ``(batch, samples)``, zero beyond ``num_samples``.
        num_samples: valid samples of each clip, integers of shape ``(batch,)``.
        partner: row of the clip to mix in, integers of shape ``(batch,)``.
        weight: weight of the clip itself, floats from 0 to 1, shape ``(batch,)``; 1 leaves it unchanged.
        training: whether to mix.

    Output shape:
        ``(batch, samples)`` and the number of valid samples, ``(batch,)`` int32: the longer of the two clips.

    Reference:
        Zhang et al. (2018). https://arxiv.org/abs/1710.09412; Tokozume et al. (2018). https://arxiv.org/abs/1711.10282
    """

    def __init__(self, **kwargs):
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)

    def build(self, waveform_shape, num_samples_shape, partner_shape, weight_shape):
        """Nothing to build."""

    def call(self, waveform, num_samples, partner, weight, training=None):
        num_samples = ops.cast(num_samples, "int32")
        if not training:
            return waveform, num_samples
        partner = ops.cast(partner, "int32")
        rms = ops.sqrt(ops.maximum(mean_square(waveform, num_samples), 1e-20))
        other = 1.0 - weight
        norm = ops.sqrt(ops.square(weight) + ops.square(other))
        own_gain = weight / norm
        partner_gain = other / norm * rms / ops.take(rms, partner, axis=0)
        mixed = waveform * own_gain[:, None] + ops.take(waveform, partner, axis=0) * partner_gain[:, None]
        longer = ops.maximum(num_samples, ops.take(num_samples, partner, axis=0))
        return mixed, ops.where(weight < 1.0, longer, num_samples)

    def compute_output_shape(self, waveform_shape, num_samples_shape, partner_shape, weight_shape):
        return tuple(waveform_shape), tuple(num_samples_shape)

    def compute_output_spec(self, waveform, num_samples, partner, weight, training=None):
        return keras.KerasTensor(waveform.shape, "float32"), keras.KerasTensor(num_samples.shape, "int32")
