"""Triangular mel filters, as matrices that turn a power spectrum into mel bands."""

import numpy as np

# Slaney's scale is linear below 1 kHz (200/3 Hz a mel) and logarithmic above (27 mels for a factor of 6.4).
_SLANEY_HZ_PER_MEL = 200.0 / 3.0
_SLANEY_BREAK_HZ = 1000.0
_SLANEY_BREAK_MEL = _SLANEY_BREAK_HZ / _SLANEY_HZ_PER_MEL
_SLANEY_LOG_STEP = np.log(6.4) / 27.0


def mel_filter_bank(sample_rate_hz, fft_size, num_mels, min_hz, max_hz, scale="htk", norm=None):
    """Compute the matrix from the bins of a power spectrum to mel bands.

    The triangles have their feet and peaks at ``num_mels + 2`` frequencies that are equidistant in mel, and are linear
    in hertz, as in librosa.

    Args:
        sample_rate_hz: sample rate in Hz.
        fft_size: length of the Fourier transform in samples.
        num_mels: number of bands.
        min_hz: lower foot of the first band in Hz.
        max_hz: upper foot of the last band in Hz.
        scale: ``"htk"``, 2595 log10(1 + f / 700), or ``"slaney"``, linear up to 1 kHz and logarithmic above, or
            ``"linear"``, the frequency itself.
        norm: ``None`` for triangles of height 1, ``"slaney"`` for triangles of area 1 (in Hz).

    Returns:
        float64 array of shape ``(fft_size // 2 + 1, num_mels)``.

    Example:
        >>> mel_filter_bank(16000, 512, 64, 50.0, 8000.0).shape
        (257, 64)

    Reference:
        Slaney (1998), Auditory Toolbox, technical report 1998-010; Young et al., The HTK Book, section 5.4.
    """
    mel = _hz_to_mel(np.array([min_hz, max_hz], "float64"), scale)
    edges_hz = _mel_to_hz(np.linspace(mel[0], mel[1], num_mels + 2), scale)
    bins_hz = np.arange(fft_size // 2 + 1) * (sample_rate_hz / fft_size)
    low, peak, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    rising = (bins_hz[:, None] - low) / (peak - low)
    falling = (high - bins_hz[:, None]) / (high - peak)
    filters = np.maximum(0.0, np.minimum(rising, falling))
    return filters * (2.0 / (high - low)) if norm == "slaney" else filters


def _hz_to_mel(hz, scale):
    if scale == "linear":
        return hz
    if scale == "htk":
        return 2595.0 * np.log10(1.0 + hz / 700.0)
    log_part = _SLANEY_BREAK_MEL + np.log(np.maximum(hz, _SLANEY_BREAK_HZ) / _SLANEY_BREAK_HZ) / _SLANEY_LOG_STEP
    return np.where(hz < _SLANEY_BREAK_HZ, hz / _SLANEY_HZ_PER_MEL, log_part)


def _mel_to_hz(mel, scale):
    if scale == "linear":
        return mel
    if scale == "htk":
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    above = np.maximum(mel - _SLANEY_BREAK_MEL, 0.0)
    return np.where(
        mel < _SLANEY_BREAK_MEL, mel * _SLANEY_HZ_PER_MEL, _SLANEY_BREAK_HZ * np.exp(above * _SLANEY_LOG_STEP)
    )
