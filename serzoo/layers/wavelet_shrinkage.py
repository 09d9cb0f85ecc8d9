"""Denoising by shrinking wavelet coefficients."""

import math

import keras
import numpy as np
from keras import ops

from serzoo.layers.valid_mask import valid_mask

_WAVELETS = tuple(f"db{moments}" for moments in range(2, 11))
_THRESHOLDS = ("bayes", "universal")
_MAD = 0.6745  # median of |x| for standard normal x
_TINY = 1e-30


@keras.saving.register_keras_serializable("serzoo")
class WaveletShrinkage(keras.layers.Layer):
    r"""Split a waveform into octave bands by wavelets, shrink the details of each, and join them again.

    Noise is spread over all coefficients, speech is concentrated in few: each detail :math:`d` becomes
    :math:`\mathrm{sign}(d) \max(|d| - T, 0)` (soft threshold). The noise is taken as white, with the deviation
    :math:`\sigma = \mathrm{median}|d| / 0.6745` of the finest details (4 to 8 kHz at 16 kHz). Then

    - ``"bayes"``: :math:`T = \sigma^2 / \sqrt{\max(\overline{d^2} - \sigma^2, 0)}` in each band, all of a band that
      is no stronger than the noise;
    - ``"universal"``: :math:`T = \sigma \sqrt{2 \ln n}` with :math:`n` the samples of the clip, which smooths more.

    Deviation and thresholds belong to the whole clip, so the noise must be steady. Beyond its ends a clip is zero
    (``mode="zero"`` in PyWavelets). The coarsest band passes. The layer always works and answers in float32.

    Args:
        wavelet: Daubechies wavelet, ``"db2"`` to ``"db10"``.
        levels: number of detail bands.
        threshold: ``"bayes"`` or ``"universal"``.

    Call arguments:
        waveform: floats of shape ``(batch, samples)``; samples from ``num_samples`` on are ignored.
        num_samples: valid samples of each clip, integers of shape ``(batch,)``.

    Output shape:
        ``(batch, samples)`` float32, zero beyond ``num_samples``.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> noisy = keras.random.normal((2, 16000))
        >>> tuple(WaveletShrinkage()(noisy, keras.ops.array([16000, 8000])).shape)  # and far quieter
        (2, 16000)

    Reference:
        Donoho (1995), soft and universal. https://doi.org/10.1109/18.382009
        Chang, Yu, Vetterli (2000), BayesShrink. https://doi.org/10.1109/83.862633
    """

    def __init__(self, wavelet="db8", levels=5, threshold="bayes", **kwargs):
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        for name, value, allowed in (("wavelet", wavelet, _WAVELETS), ("threshold", threshold, _THRESHOLDS)):
            if value not in allowed:
                raise ValueError(f"WaveletShrinkage: {name} must be one of {allowed}. Received: {value!r}.")
        if levels < 1:
            raise ValueError(f"WaveletShrinkage: levels must be >= 1. Received: {levels!r}.")
        self.wavelet = wavelet
        self.levels = levels
        self.threshold = threshold

    def build(self, waveform_shape, num_samples_shape):
        """Compute the filters of the analysis and of the synthesis."""
        low = daubechies(int(self.wavelet.removeprefix("db")))
        high = low[::-1] * (-1.0) ** np.arange(len(low))
        pair = np.stack([low, high], axis=-1)  # (taps, bands)
        self._analysis = pair[:, None, :].astype("float32")
        # Even and odd samples of the inverse are two convolutions of the same coefficients, each by half of the taps.
        odd_even = pair[::-1].reshape(-1, 2, 2)  # (taps / 2, odd or even, bands)
        self._synthesis = odd_even[:, ::-1].transpose(0, 2, 1).astype("float32")

    def call(self, waveform, num_samples):
        samples = ops.shape(waveform)[1]
        num_samples = ops.minimum(ops.cast(num_samples, "int32"), samples)
        valid = valid_mask(num_samples, samples)
        approximation = ops.where(valid, ops.cast(waveform, "float32"), 0.0)
        details, sizes, sigma, num_valid = [], [], None, num_samples
        for _ in range(self.levels):
            sizes.append(ops.shape(approximation)[1])
            approximation, detail = self._split(approximation)
            num_valid = (num_valid + len(self._analysis) - 1) // 2  # what lies beyond comes from zeros alone
            if sigma is None:
                sigma = masked_median(ops.abs(detail), num_valid) / _MAD  # (batch,)
            details.append(self._shrunk(detail, num_valid, sigma, num_samples))
        for detail, size in zip(reversed(details), reversed(sizes), strict=True):
            approximation = self._joined(approximation, detail)[:, :size]
        return ops.where(valid, approximation, 0.0)

    def compute_output_shape(self, waveform_shape, num_samples_shape):
        return tuple(waveform_shape)

    def get_config(self):
        return {**super().get_config(), "wavelet": self.wavelet, "levels": self.levels, "threshold": self.threshold}

    def _split(self, x):
        """One level down: ``(batch, size)`` to two of ``(batch, (size + taps - 1) // 2)``."""
        taps = len(self._analysis)
        x = ops.pad(x, [[0, 0], [taps - 2, taps - 1]])
        bands = ops.conv(x[:, :, None], self._analysis, strides=2, padding="valid", data_format="channels_last")
        return bands[:, :, 0], bands[:, :, 1]

    def _joined(self, approximation, detail):
        """One level up: two of ``(batch, size)`` to ``(batch, 2 * size - taps + 2)``."""
        bands = ops.stack([approximation, detail], axis=-1)
        pairs = ops.conv(bands, self._synthesis, strides=1, padding="valid", data_format="channels_last")
        # (batch, size - taps / 2 + 1, 2)
        return ops.reshape(pairs, (-1, 2 * ops.shape(pairs)[1]))

    def _shrunk(self, detail, num_valid, sigma, num_samples):
        if self.threshold == "universal":
            limit = sigma * ops.sqrt(2.0 * ops.log(ops.maximum(ops.cast(num_samples, "float32"), 1.0)))
        else:
            # Padding holds zeros, which add nothing to the sum.
            power = ops.sum(ops.square(detail), axis=1) / ops.maximum(ops.cast(num_valid, "float32"), 1.0)
            limit = ops.square(sigma) / ops.sqrt(ops.maximum(power - ops.square(sigma), _TINY))
        return ops.sign(detail) * ops.maximum(ops.abs(detail) - limit[:, None], 0.0)


def daubechies(num_moments: int) -> np.ndarray:
    """Compute the low-pass synthesis filter of a Daubechies wavelet, extremal phase.

    Args:
        num_moments: vanishing moments N.

    Returns:
        2 N taps, float64, with sum sqrt(2) and sum of squares 1.

    Example:
        >>> daubechies(1).round(4).tolist()  # Haar
        [0.7071, 0.7071]

    Reference:
        Daubechies (1988), section 4. https://doi.org/10.1002/cpa.3160410705
    """
    # |H|^2 is (1 - y)^N P(y) with y = sin^2(w / 2): P is factored, and of each pair of roots z, 1 / z, with
    # y = (2 - z - 1 / z) / 4, the one inside the unit circle is kept.
    polynomial = [math.comb(num_moments - 1 + k, k) for k in range(num_moments)]
    taps = np.ones(1)
    for root in np.roots(polynomial[::-1]):
        pair = np.roots([1.0, 4.0 * root - 2.0, 1.0])
        taps = np.convolve(taps, [1.0, -pair[np.abs(pair).argmin()]])
    for _ in range(num_moments):
        taps = np.convolve(taps, [1.0, 1.0])
    return np.real(taps) * math.sqrt(2.0) / np.real(taps).sum()


def masked_median(x, num_valid):
    """Compute the median of the first values of each row.

    Args:
        x: floats >= 0, shape ``(batch, size)``.
        num_valid: how many values of each row count, integers of shape ``(batch,)``.

    Returns:
        Shape ``(batch,)``; 0 where none counts.
    """
    mask = valid_mask(num_valid, ops.shape(x)[1])
    # What does not count is sorted to the front, below all that can come.
    order = ops.sort(ops.where(mask, x, -1.0), axis=1)
    skipped = ops.shape(x)[1] - ops.cast(num_valid, "int32")
    middle = ops.stack([skipped + (num_valid - 1) // 2, skipped + num_valid // 2], axis=1)
    middle = ops.clip(middle, 0, ops.shape(x)[1] - 1)
    return ops.maximum(ops.mean(ops.take_along_axis(order, middle, axis=1), axis=1), 0.0)
