"""Random coloured noise."""

import keras
from keras import ops

from serzoo.layers.mix_at_snr import mix_at_snr

# Below this frequency, in cycles a sample (50 Hz at 16 kHz), the spectrum is flat: else the energy of brown noise
# would lie below the lowest mel band, and its signal-to-noise ratio would say nothing of what is heard.
_CORNER = 1.0 / 320.0
# Noise is made in multiples of so many samples and then cut: a Fourier transform is fast for lengths of small factors.
_BLOCK = 960


@keras.saving.register_keras_serializable("serzoo")
class RandomNoise(keras.layers.Layer):
    """Add Gaussian noise of a random colour at a random signal-to-noise ratio; in training only.

    The power spectrum of the noise falls as ``1 / f ** exponent``: 0 is white, 1 pink, 2 brown. Ratio, exponent and
    whether there is noise at all are drawn for each clip, all uniform.

    Args:
        min_snr_db: smallest signal-to-noise ratio in dB, over the valid samples.
        max_snr_db: greatest ratio in dB.
        probability: share of the clips that get noise.
        min_exponent: smallest exponent.
        max_exponent: greatest exponent.
        seed: integer, for repeatable noise.

    Call arguments:
        waveform: floats, shape ``(batch, samples)``.
        num_samples: valid samples of each clip, integers of shape ``(batch,)``.
        training: whether to add noise.

    Output shape:
        Same as ``waveform``; samples beyond ``num_samples`` get no noise.

    Raises:
        ValueError: if a range is empty or ``probability`` is not in [0, 1].
    """

    def __init__(
        self,
        min_snr_db=10.0,
        max_snr_db=40.0,
        probability=0.5,
        min_exponent=0.0,
        max_exponent=2.0,
        seed=None,
        **kwargs,
    ):
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        if not 0 <= probability <= 1:
            raise ValueError(f"RandomNoise: probability must be in [0, 1]. Received: {probability!r}.")
        for name, low, high in (("snr_db", min_snr_db, max_snr_db), ("exponent", min_exponent, max_exponent)):
            if not low <= high:
                raise ValueError(f"RandomNoise: min_{name} must be <= max_{name}. Received: {low!r}, {high!r}.")
        self.min_snr_db = min_snr_db
        self.max_snr_db = max_snr_db
        self.probability = probability
        self.min_exponent = min_exponent
        self.max_exponent = max_exponent
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, waveform_shape, num_samples_shape):
        """Nothing to build."""

    def call(self, waveform, num_samples, training=None):
        if not training or not self.probability:
            return waveform
        batch, samples = ops.shape(waveform)[0], ops.shape(waveform)[1]
        draw = keras.random.uniform((3, batch), dtype="float32", seed=self.seed_generator)
        snr_db = self.min_snr_db + draw[0] * (self.max_snr_db - self.min_snr_db)
        exponent = self.min_exponent + draw[1] * (self.max_exponent - self.min_exponent)
        noise = coloured_noise(batch, samples, exponent, self.seed_generator)
        noise = ops.where((draw[2] < self.probability)[:, None], noise, 0.0)
        return mix_at_snr(waveform, noise, snr_db, num_samples)

    def compute_output_shape(self, waveform_shape, num_samples_shape):
        return tuple(waveform_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "min_snr_db": self.min_snr_db,
            "max_snr_db": self.max_snr_db,
            "probability": self.probability,
            "min_exponent": self.min_exponent,
            "max_exponent": self.max_exponent,
            "seed": self.seed,
        }


def coloured_noise(batch, samples, exponent, seed):
    """Draw Gaussian noise with a power spectrum that falls as a power of the frequency.

    Args:
        batch: number of clips.
        samples: length of each clip.
        exponent: of the fall, float32, shape ``(batch,)``.
        seed: a ``keras.random.SeedGenerator``.

    Returns:
        float32, shape ``(batch, samples)``, of arbitrary loudness.
    """
    bins = (samples + _BLOCK - 1) // _BLOCK * (_BLOCK // 2) + 1  # their inverse transform has `samples` or a few more
    spectrum = keras.random.normal((2, batch, bins), dtype="float32", seed=seed)
    position = ops.arange(bins, dtype="int32")
    frequency = ops.cast(position, "float32") / (2.0 * ops.cast(bins - 1, "float32"))  # cycles a sample
    log_frequency = ops.log(ops.maximum(frequency, _CORNER))
    shape = ops.exp(exponent[:, None] * (-0.5 * log_frequency))
    shape = ops.where(position > 0, shape, 0.0)  # no constant offset
    noise = ops.irfft((spectrum[0] * shape, spectrum[1] * shape))
    return noise[:, :samples]
