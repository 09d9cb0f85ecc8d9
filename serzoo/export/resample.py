"""Resampling to 16 kHz inside a TensorFlow graph, as soxr does it outside.

A band-limited resampler that is linear and has no phase is one curve: how much of each frequency it lets through. The
curve of soxr HQ, with which files are read, differs a little from rate to rate, so it is measured here, from soxr
itself, for each rate that recordings come in. In the graph a clip is transformed, weighed with the curve of its rate,
cut or filled up to the spectrum of 16 kHz, and transformed back: within 100 dB of soxr. The first sample may differ by
more, because soxr's own start depends on how it splits the work.
"""

import functools

import numpy as np
import soxr
import tensorflow as tf

from serzoo.audio import SAMPLE_RATE_HZ

# Rates of files, telephones, discs and sound cards. Any other rate takes the curve of OTHER: the filter that soxr would
# plan for it differs just below half the rate, which on speech is 85 dB below the signal, in white noise 60 dB.
RATES_HZ = (
    *(6000, 8000, 11025, 12000, 22050, 24000, 32000, 37800, 44056, 44100),
    *(47250, 48000, 50000, 64000, 88200, 96000, 176400, 192000),
)
OTHER_BELOW_HZ, OTHER_ABOVE_HZ = 11025, 44100

# The curve falls from 0.91 of the lower half rate on: there it is read in small steps.
_KNEE, _COARSE, _FINE = 0.9, 180, 400
_GUARD_S = 0.5  # silence after a clip, so that its end does not reach its beginning through the circular transform


def resample(waveform, rate_hz):
    """Resample one clip to 16 kHz: what :func:`soxr.resample` with quality HQ gives.

    Args:
        waveform: tensor of shape ``(samples,)``, float32.
        rate_hz: its rate in Hz, scalar integer tensor.

    Returns:
        Tensor of shape ``(round(samples * 16000 / rate_hz),)``, float32; ``waveform`` itself if it is at 16 kHz.

    Example:
        >>> resample(tf.zeros(44100), tf.constant(44100)).shape
        TensorShape([16000])
    """
    return tf.cond(
        tf.equal(rate_hz, SAMPLE_RATE_HZ), lambda: waveform, lambda: _resampled(waveform, tf.cast(rate_hz, tf.int64))
    )


def _resampled(waveform, rate_hz):
    num_samples = tf.size(waveform, out_type=tf.int64)
    # Over whole seconds both transforms have a whole number of samples, whatever the rate.
    guard = tf.cast(_GUARD_S * tf.cast(rate_hz, tf.float64), tf.int64)
    seconds = (num_samples + guard + rate_hz - 1) // rate_hz
    size, new_size = seconds * rate_hz, seconds * SAMPLE_RATE_HZ
    spectrum = tf.signal.rfft(tf.cast(waveform, tf.float64), fft_length=[tf.cast(size, tf.int32)])
    num_bins = new_size // 2 + 1
    spectrum = spectrum[:num_bins]
    position = tf.cast(tf.range(tf.size(spectrum)), tf.float64) / tf.cast(seconds, tf.float64)  # Hz
    curve = _curve(position / (tf.cast(tf.minimum(rate_hz, SAMPLE_RATE_HZ), tf.float64) / 2.0), rate_hz)
    spectrum *= tf.cast(curve * (tf.cast(new_size, tf.float64) / tf.cast(size, tf.float64)), tf.complex128)
    spectrum = tf.pad(spectrum, [[0, num_bins - tf.size(spectrum, out_type=tf.int64)]])
    waveform = tf.signal.irfft(spectrum, fft_length=[tf.cast(new_size, tf.int32)])
    return tf.cast(waveform[: (2 * num_samples * SAMPLE_RATE_HZ + rate_hz) // (2 * rate_hz)], tf.float32)


def _curve(position, rate_hz):
    """Share of the amplitude that passes, at positions from 0 to 1 of the lower half rate; beyond, none."""
    rates = tf.constant(RATES_HZ, tf.int64)
    known = tf.reduce_any(rates == rate_hz)
    other = tf.where(rate_hz < SAMPLE_RATE_HZ, tf.constant(OTHER_BELOW_HZ, tf.int64), OTHER_ABOVE_HZ)
    row = tf.argmax(tf.cast(rates == tf.where(known, rate_hz, other), tf.int32))
    curve = tf.cast(tf.constant(curves())[row], tf.float64)
    place = tf.where(
        position < _KNEE, position * (_COARSE / _KNEE), _COARSE + (position - _KNEE) * (_FINE / (1.0 - _KNEE))
    )
    left = tf.clip_by_value(tf.cast(place, tf.int32), 0, _COARSE + _FINE - 1)
    share = place - tf.cast(left, tf.float64)
    value = tf.gather(curve, left) * (1.0 - share) + tf.gather(curve, left + 1) * share
    return tf.where(position < 1.0, value, tf.constant(0.0, tf.float64))


@functools.cache
def curves() -> np.ndarray:
    """Measure soxr HQ at every rate of ``RATES_HZ``.

    Returns:
        Float32 of shape ``(rates, points)``: the share of the amplitude that passes at 0 to 0.9 of the lower half rate
        in steps of 0.005, and on to 1 in steps of 0.00025.
    """
    points = np.concatenate([np.linspace(0, _KNEE, _COARSE + 1), np.linspace(_KNEE, 1, _FINE + 1)[1:]])
    return np.stack([np.interp(points, *_measured(rate)) for rate in RATES_HZ]).astype("float32")


def _measured(rate_hz: int) -> tuple[np.ndarray, np.ndarray]:
    """Send a tone of every whole frequency through soxr at once: places up to the lower half rate, and shares."""
    half = min(rate_hz, SAMPLE_RATE_HZ) // 2
    tones = np.arange(half + 1)
    # Phases of a sweep keep the peak of the sum low. The tones last 2 s, and the answer is read from the second one,
    # where the beginning and the end of the signal are far away.
    sweep = np.exp(1j * np.pi * tones**2.0 / half)
    spectrum = np.zeros(rate_hz // 2 + 1, complex)
    spectrum[: half + 1] = sweep
    second = np.fft.irfft(spectrum, rate_hz)
    heard = soxr.resample(np.tile(second, 3), rate_hz, SAMPLE_RATE_HZ, quality="HQ")[
        SAMPLE_RATE_HZ : 2 * SAMPLE_RATE_HZ
    ]
    share = np.fft.rfft(heard)[: half + 1] / np.fft.rfft(second)[: half + 1] * (rate_hz / SAMPLE_RATE_HZ)
    return tones / (min(rate_hz, SAMPLE_RATE_HZ) / 2.0), share.real
