"""Speech in noise, and how much of the noise a denoiser takes away."""

import numpy as np
import scipy.signal
from keras import ops

FRAME = 320  # 20 ms


def mixed(speech, noise, snr_db):
    """Speech with noise at a ratio of their mean squares, float32."""
    gain = np.sqrt(np.mean(speech**2) / np.mean(noise**2) / 10 ** (snr_db / 10))
    return (speech + gain * noise).astype("float32")


def hum(samples, rng):
    """White noise through a low-pass at 1 kHz, as of an engine or a crowd of machines."""
    return scipy.signal.lfilter([1.0], [1.0, -0.7], rng.standard_normal(samples))


def segmental_snr_db(clean, heard):
    """Mean over frames of 20 ms of their SNR, cut to [-10, 35] dB; frames 40 dB below the loudest do not count."""
    size = len(clean) // FRAME * FRAME
    signal = clean[:size].reshape(-1, FRAME).astype("float64")
    error = signal - heard[:size].reshape(-1, FRAME)
    power, error = np.mean(signal**2, axis=1), np.mean(error**2, axis=1)
    active = power > 1e-4 * power.max()
    return np.mean(np.clip(10 * np.log10(power[active] / np.maximum(error[active], 1e-20)), -10, 35))


def denoised(layer, *clips):
    """Run a layer over clips of any lengths in one batch."""
    lengths = np.array([len(clip) for clip in clips], "int32")
    batch = np.zeros((len(clips), max(lengths)), "float32")
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip)] = clip
    heard = ops.convert_to_numpy(layer(ops.convert_to_tensor(batch), ops.convert_to_tensor(lengths)))
    return [row[:length] for row, length in zip(heard, lengths, strict=True)]
