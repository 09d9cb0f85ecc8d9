"""Spectral subtraction of noise that is estimated by minimum statistics."""

import math

import keras
import numpy as np
from keras import ops

from serzoo.layers.valid_mask import valid_mask

_IMPLEMENTATIONS = ("fft", "dft")
# Powers that no sound reaches, in float32 with their squares and inverses.
_TINY, _HUGE = 1e-18, 1e18


@keras.saving.register_keras_serializable("serzoo")
class SpectralSubtraction(keras.layers.Layer):
    r"""Subtract the noise from a waveform in the power spectrum of short frames, with its phase kept.

    From the power :math:`P` of each frame and frequency, the noise :math:`N` is subtracted more than once where the
    frame is weak, and a floor of it stays, so that single peaks do not ring as musical tones:

    .. math::
        \min(P, \max(P - \alpha N, \beta N)), \qquad \alpha = 4 - \tfrac{3}{20} \mathrm{SNR}

    with the SNR of the frame, :math:`10 \log_{10} (\sum P / \sum N)`, cut to [-5, 20] dB. The outer minimum is ours:
    nothing gets louder. Frames overlap by half, under the square root of a Hann window before and after, so that what
    is not changed comes back as it was.

    The noise is what remains everywhere: the power averaged over ``smoothing_ms``, its minimum over ``minimum_ms``
    around each frame, times ``bias``, because the minimum of noise lies below its mean. Noise must therefore be
    steadier than speech: a bang or a voice in the background passes. Only frames that lie wholly in a clip count; a
    clip without one (under 32 ms) comes back unchanged. The layer always works and answers in float32.

    Args:
        sample_rate_hz: sample rate of the waveform in Hz.
        frame_size: length of a frame and of its Fourier transform in samples, an even number.
        floor: :math:`\beta`, the share of the noise's power that stays; Berouti: 0.005 to 0.1.
        smoothing_ms: time over which the power is averaged, in ms.
        minimum_ms: time in which the noise shows itself, longer than a word, in ms.
        bias: mean of a steady noise over its minimum, for the two times above (measured for white noise of 3 s).
        implementation: ``"fft"``, or ``"dft"``: matrix products, for formats that know no Fourier transform.

    Call arguments:
        waveform: floats of shape ``(batch, samples)``; samples from ``num_samples`` on are ignored.
        num_samples: valid samples of each clip, integers of shape ``(batch,)``.

    Output shape:
        ``(batch, samples)`` float32, zero beyond ``num_samples``.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> noisy = keras.random.normal((2, 16000))
        >>> tuple(SpectralSubtraction()(noisy, keras.ops.array([16000, 8000])).shape)  # and far quieter
        (2, 16000)

    Reference:
        Berouti, Schwartz, Makhoul (1979). https://doi.org/10.1109/ICASSP.1979.1170788
        Martin (2001), minimum statistics. https://doi.org/10.1109/89.928915
    """

    def __init__(
        self,
        sample_rate_hz=16000,
        frame_size=512,
        floor=0.02,
        smoothing_ms=176.0,
        minimum_ms=1500.0,
        bias=2.1,
        implementation="fft",
        **kwargs,
    ):
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.sample_rate_hz = sample_rate_hz
        self.frame_size = frame_size
        self.floor = floor
        self.smoothing_ms = smoothing_ms
        self.minimum_ms = minimum_ms
        self.bias = bias
        self.implementation = implementation
        self._check()
        self._hop_size = frame_size // 2
        self._smoothing = self._odd_frames(smoothing_ms)
        self._minimum = self._odd_frames(minimum_ms)

    def build(self, waveform_shape, num_samples_shape):
        """Compute the window and, for ``"dft"``, the Fourier matrices."""
        size, bins = self.frame_size, self.frame_size // 2 + 1
        self._window = np.sin(np.pi * np.arange(size) / size).astype("float32")  # the root of a periodic Hann window
        if self.implementation == "dft":
            angle = 2.0 * np.pi * (np.outer(np.arange(size), np.arange(bins)) % size) / size
            self._cos, self._sin = np.cos(angle).astype("float32"), -np.sin(angle).astype("float32")
            share = np.full((bins, 1), 2.0 / size)  # of each frequency and its negative in the inverse
            share[[0, -1]] /= 2.0
            self._inverse_cos, self._inverse_sin = (
                (share * matrix.T).astype("float32") for matrix in (np.cos(angle), -np.sin(angle))
            )

    def call(self, waveform, num_samples):
        samples = ops.shape(waveform)[1]
        num_samples = ops.minimum(ops.cast(num_samples, "int32"), samples)
        valid = valid_mask(num_samples, samples)
        waveform = ops.where(valid, ops.cast(waveform, "float32"), 0.0)
        real, imag = self._analyse(waveform)  # (batch, frames, bins)
        power = ops.square(real) + ops.square(imag)
        noise = self._noise(power, num_samples)
        level, noise_level = (ops.log(ops.sum(part, axis=-1, keepdims=True) + _TINY) for part in (power, noise))
        snr_db = ops.clip(10.0 / math.log(10.0) * (level - noise_level), -5.0, 20.0)
        over = 4.0 - 3.0 / 20.0 * snr_db  # (batch, frames, 1)
        kept = ops.minimum(power, ops.maximum(power - over * noise, self.floor * noise))
        gain = ops.sqrt((kept + _TINY) / (power + _TINY))
        return ops.where(valid, self._synthesise(gain * real, gain * imag)[:, :samples], 0.0)

    def compute_output_shape(self, waveform_shape, num_samples_shape):
        return tuple(waveform_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "sample_rate_hz": self.sample_rate_hz,
            "frame_size": self.frame_size,
            "floor": self.floor,
            "smoothing_ms": self.smoothing_ms,
            "minimum_ms": self.minimum_ms,
            "bias": self.bias,
            "implementation": self.implementation,
        }

    def _noise(self, power, num_samples):
        """Power of the noise in each frame, ``(batch, frames, bins)``; zero where a clip has no whole frame."""
        frame = ops.arange(ops.shape(power)[1], dtype="int32")[None, :]
        last = (ops.cast(num_samples, "int32") // self._hop_size)[:, None] - 1  # frame i starts at (i - 1) * hop
        whole = ops.cast((frame >= 1) & (frame <= last), "float32")[:, :, None]
        pool = {"strides": 1, "padding": "same", "data_format": "channels_last"}
        total = ops.average_pool(power * whole, self._smoothing, **pool)
        count = ops.average_pool(whole, self._smoothing, **pool)
        smooth = ops.where(whole > 0, total / ops.maximum(count, _TINY), _HUGE)
        least = -ops.max_pool(-smooth, self._minimum, **pool)
        return ops.where(least < _HUGE, self.bias * least, 0.0)

    def _analyse(self, waveform):
        """Spectra of half-overlapping frames: ``(batch, samples)`` to two of ``(batch, frames, bins)``."""
        hop = self._hop_size
        # One hop of zeros before, and after it what fills the last frame. A padding of fixed width compiles on every
        # backend, and the cut comes after it.
        num_hops = (ops.shape(waveform)[1] + hop - 1) // hop + 2
        waveform = ops.pad(waveform, [[0, 0], [hop, 2 * hop]])[:, : num_hops * hop]
        hops = ops.reshape(waveform, (-1, num_hops, hop))
        frames = ops.concatenate([hops[:, :-1], hops[:, 1:]], axis=-1) * self._window
        if self.implementation == "fft":
            return ops.rfft(frames)
        return ops.matmul(frames, self._cos), ops.matmul(frames, self._sin)

    def _synthesise(self, real, imag):
        """Overlap and add: two of ``(batch, frames, bins)`` to ``(batch, samples)``, rounded up to whole hops."""
        hop = self._hop_size
        if self.implementation == "fft":
            frames = ops.irfft((real, imag), fft_length=self.frame_size)
        else:
            frames = ops.matmul(real, self._inverse_cos) + ops.matmul(imag, self._inverse_sin)
        frames = frames * self._window
        hops = frames[:, :-1, hop:] + frames[:, 1:, :hop]
        return ops.reshape(hops, (-1, ops.shape(hops)[1] * hop))

    def _odd_frames(self, duration_ms):
        """Frames in a time, an odd number, so that as many lie before a frame as after it."""
        return 2 * round(duration_ms * self.sample_rate_hz / 1000.0 / self._hop_size / 2.0 - 0.5) + 1

    def _check(self):
        if self.implementation not in _IMPLEMENTATIONS:
            raise ValueError(
                f"SpectralSubtraction: implementation must be one of {_IMPLEMENTATIONS}. "
                f"Received: {self.implementation!r}."
            )
        for name in ("sample_rate_hz", "smoothing_ms", "minimum_ms", "bias"):
            if not getattr(self, name) > 0:
                raise ValueError(f"SpectralSubtraction: {name} must be > 0. Received: {getattr(self, name)!r}.")
        if self.frame_size < 2 or self.frame_size % 2:
            raise ValueError(f"SpectralSubtraction: frame_size must be even and > 0. Received: {self.frame_size!r}.")
        if not 0 <= self.floor <= 1:
            raise ValueError(f"SpectralSubtraction: floor must be in [0, 1]. Received: {self.floor!r}.")
