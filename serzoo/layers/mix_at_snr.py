"""Addition of noise at a signal-to-noise ratio."""

from keras import ops

from serzoo.layers.valid_mask import valid_mask


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
        >>> mix_at_snr(ops.ones((1, 100)), 0.5 * ops.ones((1, 100)), ops.array([20.0]))  # 1.1 everywhere
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
