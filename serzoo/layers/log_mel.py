"""Log-mel spectrogram of raw waveforms, inside the graph."""

import math

import keras
import numpy as np
from keras import ops

from serzoo.layers.mel_filter_bank import mel_filter_bank
from serzoo.layers.valid_mask import valid_mask

_CHOICES = {
    "mel_scale": ("htk", "slaney", "linear"),
    "mel_norm": (None, "slaney"),
    "window": ("hamming", "hann"),
    "implementation": ("fft", "dft"),
}


@keras.saving.register_keras_serializable("serzoo")
class LogMel(keras.layers.Layer):
    """Natural logarithm of the mel-band power of a waveform.

    A frame is ``fft_size`` samples long and not centred: frame ``i`` covers the samples from ``i * hop``. The periodic
    window stands in the middle of it, as in librosa with ``center=False``. A clip of ``n`` samples has
    ``max(1, 1 + (n - fft_size) // hop)`` frames; one shorter than a frame is padded with zeros to one frame.

    Each clip is treated alone: no maximum, mean or padding of the batch enters its values. The layer always works and
    answers in float32, whatever the dtype policy, because a logarithm of a power leaves the range of float16.

    Args:
        sample_rate_hz: sample rate of the waveform in Hz.
        window_ms: length of the window in ms, at most ``fft_size`` samples.
        hop_ms: step from frame to frame in ms.
        fft_size: length of a frame and of its Fourier transform in samples.
        num_mels: number of mel bands.
        min_hz: lower foot of the first band in Hz.
        max_hz: upper foot of the last band in Hz, at most half the sample rate.
        mel_scale: ``"htk"`` or ``"slaney"``; ``"linear"`` for bands of equal width in Hz, a plain spectrogram.
        mel_norm: ``None`` (triangles of height 1) or ``"slaney"`` (of area 1).
        window: ``"hamming"`` or ``"hann"``.
        floor: smallest power before the logarithm, so that silence is ``log(floor)``.
        implementation: ``"fft"``, or ``"dft"``: matrix products, for formats that know no Fourier transform.

    Call arguments:
        waveform: floats of shape ``(batch, samples)``; samples from ``num_samples`` on are ignored.
        num_samples: valid samples of each clip, integers of shape ``(batch,)``.

    Output shape:
        ``(batch, frames, num_mels)`` float32, zero beyond ``num_frames``, and ``num_frames``, ``(batch,)`` int32.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> log_mel, num_frames = LogMel()(keras.random.normal((2, 16000)), keras.ops.array([16000, 300]))
        >>> tuple(log_mel.shape), keras.ops.convert_to_numpy(num_frames).tolist()
        ((2, 97, 64), [97, 1])

    Reference:
        Davis and Mermelstein (1980). https://doi.org/10.1109/TASSP.1980.1163420
        Cooley and Tukey (1965), for ``"dft"``. https://doi.org/10.1090/S0025-5718-1965-0178586-1
    """

    def __init__(
        self,
        sample_rate_hz=16000,
        window_ms=25.0,
        hop_ms=10.0,
        fft_size=512,
        num_mels=64,
        min_hz=50.0,
        max_hz=8000.0,
        mel_scale="htk",
        mel_norm=None,
        window="hamming",
        floor=1e-10,
        implementation="fft",
        **kwargs,
    ):
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.sample_rate_hz = sample_rate_hz
        self.window_ms = window_ms
        self.hop_ms = hop_ms
        self.fft_size = fft_size
        self.num_mels = num_mels
        self.min_hz = min_hz
        self.max_hz = max_hz
        self.mel_scale = mel_scale
        self.mel_norm = mel_norm
        self.window = window
        self.floor = floor
        self.implementation = implementation
        self._window_size = round(window_ms * sample_rate_hz / 1000.0)
        self._hop_size = round(hop_ms * sample_rate_hz / 1000.0)
        self._check()
        if keras.backend.backend() == "tensorflow":
            self.supports_jit = False  # beside a GPU, XLA would compile a model anew for every length of a waveform
        self._hops_per_frame = math.ceil(fft_size / self._hop_size)

    def build(self, waveform_shape, num_samples_shape):
        """Compute the window, the mel matrix and, for ``"dft"``, the Fourier matrices."""
        phase = 2.0 * np.pi * np.arange(self._window_size) / self._window_size
        alpha = 0.54 if self.window == "hamming" else 0.5
        before = (self.fft_size - self._window_size) // 2
        window = np.zeros(self.fft_size)
        window[before : before + self._window_size] = alpha - (1.0 - alpha) * np.cos(phase)
        filters = mel_filter_bank(
            self.sample_rate_hz, self.fft_size, self.num_mels, self.min_hz, self.max_hz, self.mel_scale, self.mel_norm
        )
        self._window = window.astype(_fft_dtype() if self.implementation == "fft" else "float32")
        self._filters = filters.astype("float32")
        if self.implementation == "dft":
            self._build_dft(filters)

    def call(self, waveform, num_samples):
        num_samples = ops.minimum(ops.cast(num_samples, "int32"), ops.shape(waveform)[1])
        num_frames = ops.maximum(1, 1 + (num_samples - self.fft_size) // self._hop_size)
        hops = self._hops(ops.cast(waveform, "float32"), num_samples)  # (batch, hops, hop)
        if self.implementation == "fft" and _clip_by_clip():
            log_mel = ops.map(self._log_mel, hops)
        else:
            log_mel = self._log_mel(hops)  # (batch, frames, mels)
        mask = valid_mask(num_frames, ops.shape(log_mel)[1])
        return ops.where(mask[:, :, None], log_mel, 0.0), num_frames

    def compute_output_shape(self, waveform_shape, num_samples_shape):
        samples = waveform_shape[1]
        frames = None if samples is None else max(1, 1 + (samples - self.fft_size) // self._hop_size)
        return (waveform_shape[0], frames, self.num_mels), (waveform_shape[0],)

    def compute_output_spec(self, waveform, num_samples):
        log_mel, num_frames = self.compute_output_shape(waveform.shape, num_samples.shape)
        return keras.KerasTensor(log_mel, dtype="float32"), keras.KerasTensor(num_frames, dtype="int32")

    def get_config(self):
        return {
            **super().get_config(),
            "sample_rate_hz": self.sample_rate_hz,
            "window_ms": self.window_ms,
            "hop_ms": self.hop_ms,
            "fft_size": self.fft_size,
            "num_mels": self.num_mels,
            "min_hz": self.min_hz,
            "max_hz": self.max_hz,
            "mel_scale": self.mel_scale,
            "mel_norm": self.mel_norm,
            "window": self.window,
            "floor": self.floor,
            "implementation": self.implementation,
        }

    def _hops(self, waveform, num_samples):
        """Lay hop after hop, up to the end of the last frame: ``(batch, samples)`` to ``(batch, hops, hop)``."""
        size, hop, (batch, samples) = self.fft_size, self._hop_size, ops.shape(waveform)
        # An array shorter than a frame gives one frame: Python's max on static shapes, a tensor's otherwise.
        maximum = max if isinstance(samples, int) else ops.maximum
        num_hops = maximum(1 + (samples - size) // hop, 1) + self._hops_per_frame - 1
        # Only the first frame of a clip that is shorter reaches beyond its samples. The padding has a fixed width,
        # which every backend can compile, and the cut comes after it.
        first = waveform[:, :size]
        first = ops.where(valid_mask(num_samples, ops.shape(first)[1]), first, 0.0)
        padding = ops.zeros((batch, size + self._hops_per_frame * hop), "float32")
        waveform = ops.concatenate([first, waveform[:, size:], padding], axis=1)
        return ops.reshape(waveform[:, : num_hops * hop], (-1, num_hops, hop))

    def _log_mel(self, hops):
        """Transform every frame, valid or not: ``(..., hops, hop)`` to ``(..., frames, num_mels)``."""
        frames = self._frames(ops.cast(hops, self._window.dtype)) * self._window  # (..., frames, fft_size)
        real, imag = ops.rfft(frames) if self.implementation == "fft" else self._dft(frames)
        power = ops.cast(ops.square(real) + ops.square(imag), "float32")  # (..., frames, bins)
        return ops.log(ops.maximum(ops.matmul(power, self._filters), self.floor))

    def _frames(self, hops):
        """Put hops side by side, which is cheaper than gathering frames: to ``(..., frames, fft_size)``."""
        hop, after = self._hop_size, self._hops_per_frame - 1
        parts = [hops[..., i : i - after or None, : min(hop, self.fft_size - i * hop)] for i in range(after + 1)]
        return ops.concatenate(parts, axis=-1)

    def _build_dft(self, filters):
        """Split the transform of ``rows * columns`` samples into short ones of the rows and of the columns.

        Written out it would be a matrix of 0.8 MB in every file, with four times the work. Frequency ``k`` comes out at
        ``(k % rows, k // rows)``, and the mel matrix is brought into that order.
        """
        size = self.fft_size
        self._rows = rows = max(n for n in range(1, math.isqrt(size) + 1) if size % n == 0)
        columns, half = np.arange(size // rows), np.arange(size // 2 // rows + 1)
        index = np.arange(rows)
        angles = [np.outer(index, index) / rows, np.outer(index, columns) / size, np.outer(columns, half) * rows / size]
        self._turns = [
            (np.cos(2 * np.pi * a).astype("float32"), np.sin(2 * np.pi * a).astype("float32")) for a in angles
        ]
        order = (index[:, None] + rows * half).reshape(-1)
        beyond = np.zeros((rows, self.num_mels))  # frequencies above half the rate, which are mirrored
        self._filters = np.concatenate([filters, beyond])[order].astype("float32")

    def _dft(self, frames):
        """Fourier transform by Cooley and Tukey in two steps: ``(batch, frames, fft_size)`` to two of (..., bins)."""
        (cos1, sin1), (cos2, sin2), (cos3, sin3) = self._turns
        x = ops.reshape(frames, (-1, self._rows, self.fft_size // self._rows))
        real, imag = ops.matmul(cos1, x), -ops.matmul(sin1, x)
        real, imag = real * cos2 + imag * sin2, imag * cos2 - real * sin2
        real, imag = (
            ops.matmul(real, cos3) + ops.matmul(imag, sin3),
            ops.matmul(imag, cos3) - ops.matmul(real, sin3),
        )
        return tuple(ops.reshape(part, (-1, ops.shape(frames)[1], self._filters.shape[0])) for part in (real, imag))

    def _check(self):
        for name, allowed in _CHOICES.items():
            value = getattr(self, name)
            if value not in allowed:
                raise ValueError(f"LogMel: {name} must be one of {allowed}. Received: {value!r}.")
        for name in ("sample_rate_hz", "window_ms", "hop_ms", "fft_size", "num_mels", "floor"):
            if not getattr(self, name) > 0:
                raise ValueError(f"LogMel: {name} must be > 0. Received: {getattr(self, name)!r}.")
        if not 1 <= self._window_size <= self.fft_size:
            raise ValueError(
                f"LogMel: window_ms must be 1 to {self.fft_size} samples (fft_size). Received: {self._window_size}."
            )
        if self._hop_size < 1:
            raise ValueError(f"LogMel: hop_ms must be at least one sample. Received: {self.hop_ms!r}.")
        if not 0 <= self.min_hz < self.max_hz <= self.sample_rate_hz / 2:
            raise ValueError(
                f"LogMel: 0 <= min_hz < max_hz <= {self.sample_rate_hz / 2} must hold. "
                f"Received: min_hz={self.min_hz!r}, max_hz={self.max_hz!r}."
            )


def _fft_dtype():
    """In float32 the rounding of the loudest bins moves the weakest by up to 4e-4; JAX has no float64 by default."""
    return "float64" if keras.backend.backend() == "tensorflow" else "float32"


def _clip_by_clip():
    """On a CPU a clip's spectrum stays in the cache, and a batch's does not: half the time. A GPU wants the batch."""
    return keras.backend.backend() == "tensorflow" and not keras.distribution.list_devices("gpu")
