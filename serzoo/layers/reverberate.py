"""Sound in a room: convolution with a measured impulse response."""

import keras
from keras import ops

from serzoo.layers.mix_at_snr import mean_square
from serzoo.layers.valid_mask import valid_mask


@keras.saving.register_keras_serializable("serzoo")
class Reverberate(keras.layers.Layer):
    r"""Play each clip in a room, by FFT convolution with its impulse response.

    .. math:: y_t = g \sum_k h_k x_{t + d - k}, \quad d = \arg\max_k |h_k|

    The direct sound stays where it was in time, the clip keeps its length and, by :math:`g`, its mean square: only the
    reverberation is new. The layer acts in inference, too.

    Call arguments:
        waveform: floats of shape ``(batch, samples)``.
        num_samples: valid samples of each clip, integers of shape ``(batch,)``.
        room: impulse response of each clip's room at the same rate, floats of shape ``(batch, taps)``.
        room_num_samples: valid samples of each response, integers of shape ``(batch,)``.

    Output shape:
        Same as ``waveform``, zero beyond ``num_samples``. Silence, and a clip in a room of zeros, come back unchanged.

    Example:
        >>> echo = ops.array([[1.0, 0.0, 0.5]])
        >>> speech, n = keras.random.normal((1, 16000)), ops.array([16000])
        >>> tuple(Reverberate()(speech, n, echo, ops.array([3])).shape)
        (1, 16000)

    Reference:
        Ko et al. (2017), A study on data augmentation of reverberant speech.
        https://doi.org/10.1109/ICASSP.2017.7953152
    """

    def __init__(self, **kwargs):
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)

    def build(self, waveform_shape, num_samples_shape, room_shape, room_num_samples_shape):
        """Nothing to build."""

    def call(self, waveform, num_samples, room, room_num_samples):
        samples = ops.shape(waveform)[1]
        valid = valid_mask(num_samples, samples)
        x = ops.where(valid, waveform, 0.0)
        h = ops.where(valid_mask(room_num_samples, ops.shape(room)[1]), room, 0.0)
        direct = ops.cast(ops.argmax(ops.abs(h), axis=1), "int32")
        position = ops.arange(samples, dtype="int32")[None, :] + direct[:, None]
        y = ops.where(valid, ops.take_along_axis(_convolve(x, h), position, axis=1), 0.0)
        before, after = mean_square(x, num_samples), mean_square(y, num_samples)
        gain = ops.sqrt(before / ops.where(after > 0, after, 1.0))
        return ops.where((after > 0)[:, None], y * gain[:, None], x)

    def compute_output_shape(self, waveform_shape, *other_shapes):
        return tuple(waveform_shape)


def _convolve(x, h):
    """Convolve two batches of rows, ``(batch, m)`` and ``(batch, n)``, to at least ``m + n - 1`` samples."""
    # Each is followed by zeros of the other's length, which holds whether or not the lengths are known beforehand;
    # an inverse transform without a length of its own gives an even one, and so one zero more is cut to that.
    size = (ops.shape(x)[1] + ops.shape(h)[1] + 1) // 2 * 2
    x_real, x_imag = ops.rfft(_followed(x, h)[:, :size])
    h_real, h_imag = ops.rfft(_followed(h, x)[:, :size])
    return ops.irfft((x_real * h_real - x_imag * h_imag, x_real * h_imag + x_imag * h_real))


def _followed(x, other):
    return ops.concatenate([x, ops.zeros_like(other), ops.zeros_like(other[:, :1])], axis=1)
