"""Addition of noise at a signal-to-noise ratio."""

import keras
from keras import ops

from serzoo.layers.active_blocks import active_samples
from serzoo.layers.valid_mask import valid_mask


@keras.saving.register_keras_serializable("serzoo")
class MixAtSNR(keras.layers.Layer):
    r"""Add recorded noise to speech at a signal-to-noise ratio over what is heard of either.

    .. math:: y = x + g \, n, \quad g = \sqrt{P_x / (P_n 10^{\mathrm{SNR}/10})}

    The noise is cropped to the clip, or repeated where it is shorter; then :math:`P` is the mean square over the active
    samples of each (:func:`serzoo.layers.active_blocks.active_samples`), so that neither the pauses of the speaker nor
    those of the noise count. The layer acts in inference, too.

    Args:
        range_db: how far below the loudest 20 ms a stretch still counts as active, in dB.

    Call arguments:
        waveform: clean speech, floats of shape ``(batch, samples)``.
        num_samples: valid samples of each clip, integers of shape ``(batch,)``.
        noise: floats of shape ``(batch, noise_samples)``.
        noise_num_samples: valid samples of each noise, integers of shape ``(batch,)``.
        snr_db: ratio in dB, shape ``(batch,)``. Infinity is no noise at all; minus infinity is the noise alone, as loud
            as the speech was.

    Output shape:
        Same as ``waveform``; samples beyond ``num_samples`` get no noise. Silence, and speech with silent noise, come
        back unchanged.

    Raises:
        ValueError: if ``range_db`` is not above 0.

    Example:
        >>> speech, noise = ops.ones((1, 640)), 0.5 * ops.ones((1, 320))
        >>> mixed = MixAtSNR()(speech, ops.array([640]), noise, ops.array([320]), ops.array([20.0]))
        >>> round(float(ops.min(mixed)), 6), round(float(ops.max(mixed)), 6)
        (1.1, 1.1)

    Reference:
        ITU-T P.56 (2011), active speech level, which our fixed range simplifies.
    """

    def __init__(self, range_db=30.0, **kwargs):
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        if not range_db > 0:
            raise ValueError(f"MixAtSNR: range_db must be a float > 0. Received: {range_db!r}.")
        self.range_db = range_db

    def build(self, waveform_shape, num_samples_shape, noise_shape, noise_num_samples_shape, snr_db_shape):
        """Nothing to build."""

    def call(self, waveform, num_samples, noise, noise_num_samples, snr_db):
        samples = ops.shape(waveform)[1]
        noise = repeated(noise, noise_num_samples, samples)
        noise = ops.where(valid_mask(num_samples, samples), noise, 0.0)
        speech_power = self._power(waveform, num_samples)
        noise_power = self._power(noise, num_samples)
        # At equal power first: an infinite ratio times a silent noise would be no number.
        level = ops.sqrt(speech_power / ops.where(noise_power > 0, noise_power, 1.0))
        level = ops.where(noise_power > 0, level, 0.0)
        alone = snr_db == -float("inf")
        gain = level * ops.where(alone, 1.0, ops.power(10.0, -snr_db / 20.0))
        audible = alone & (speech_power > 0) & (noise_power > 0)
        return ops.where(audible[:, None], 0.0, waveform) + gain[:, None] * noise

    def compute_output_shape(self, waveform_shape, *other_shapes):
        return tuple(waveform_shape)

    def get_config(self):
        return {**super().get_config(), "range_db": self.range_db}

    def _power(self, x, num_samples):
        active = active_samples(x, num_samples, range_db=self.range_db)
        squares = ops.where(active, ops.square(x), 0.0)
        return ops.sum(squares, axis=1) / ops.maximum(ops.sum(ops.cast(active, "float32"), axis=1), 1.0)


def repeated(noise, noise_num_samples, samples):
    """Cut each noise to a length, or repeat it up to that length.

    Args:
        noise: floats of shape ``(batch, noise_samples)``.
        noise_num_samples: valid samples of each noise, integers of shape ``(batch,)``.
        samples: the length, an integer or a scalar tensor.

    Returns:
        Floats of shape ``(batch, samples)``.
    """
    lengths = ops.maximum(ops.cast(noise_num_samples, "int32"), 1)[:, None]
    position = ops.mod(ops.arange(samples, dtype="int32")[None, :], lengths)
    return ops.take_along_axis(noise, position, axis=1)


def mix_at_snr(signal, noise, snr_db, num_samples=None):
    r"""Add noise to a signal at a signal-to-noise ratio.

    .. math:: g = \sqrt{P_s / (P_n 10^{\mathrm{SNR}/10})}

    with :math:`P` the mean square over the valid samples.

    Args:
        signal: clean waveforms, floats of shape ``(batch, samples)``.
        noise: noise waveforms of the same shape; crop or tile them first.
        snr_db: ratio in dB, shape ``(batch,)``.
        num_samples: valid samples of each clip, integers of shape ``(batch,)``; ``None`` where all are valid.

    Returns:
        Noisy waveforms, same shape and dtype as ``signal``. Samples beyond ``num_samples`` get no noise; silence, and
        signals with silent noise, come back unchanged.

    Raises:
        ValueError: if the shapes differ.

    Example:
        >>> mixed = mix_at_snr(ops.ones((1, 100)), 0.5 * ops.ones((1, 100)), ops.array([20.0]))
        >>> round(float(ops.min(mixed)), 6), round(float(ops.max(mixed)), 6)
        (1.1, 1.1)
    """
    if tuple(signal.shape) != tuple(noise.shape) and None not in (*signal.shape, *noise.shape):
        raise ValueError(
            f"mix_at_snr: signal and noise must have the same shape. Received: {signal.shape} and {noise.shape}."
        )
    samples = ops.shape(signal)[1]
    if num_samples is None:
        num_samples = ops.zeros_like(signal[:, 0], dtype="int32") + samples
    noise = ops.where(valid_mask(num_samples, samples), noise, ops.cast(0.0, noise.dtype))
    signal_power = mean_square(signal, num_samples)
    noise_power = mean_square(noise, num_samples)
    ratio = ops.power(10.0, ops.cast(snr_db, "float32") / 10.0)
    gain = ops.sqrt(signal_power / ops.maximum(noise_power * ratio, 1e-30))
    gain = ops.where(noise_power > 0, gain, 0.0)
    return signal + ops.cast(gain[:, None], signal.dtype) * noise


def mean_square(waveform, num_samples):
    """Compute the mean square of each clip over its valid samples.

    Args:
        waveform: floats of shape ``(batch, samples)``.
        num_samples: valid samples of each clip, integers of shape ``(batch,)``.

    Returns:
        float32 of shape ``(batch,)``; 0 for a clip without samples.
    """
    mask = valid_mask(num_samples, ops.shape(waveform)[1])
    squares = ops.square(ops.where(mask, ops.cast(waveform, "float32"), 0.0))
    return ops.sum(squares, axis=1) / ops.maximum(ops.cast(num_samples, "float32"), 1.0)
