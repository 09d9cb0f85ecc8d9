"""Random change of speed, and with it of pitch."""

import keras
from keras import ops

from serzoo.layers.valid_mask import valid_mask


@keras.saving.register_keras_serializable("serzoo")
class RandomSpeed(keras.layers.Layer):
    """Play each clip at its own random speed; in training only.

    Linear interpolation between samples. The array keeps its length: a slower clip is cut to it, a faster one is
    followed by zeros.

    Args:
        min_factor: slowest speed; 0.9 makes a clip 11 % longer and lower.
        max_factor: fastest speed.
        seed: integer, for repeatable speeds.

    Call arguments:
        waveform: floats, shape ``(batch, samples)``.
        num_samples: valid samples of each clip, integers of shape ``(batch,)``.
        training: whether to change the speed.

    Output shape:
        ``(batch, samples)``, zero beyond the new number of valid samples, and that number, ``(batch,)`` int32:
        ``min(1 + floor((num_samples - 1) / factor), samples)``.

    Raises:
        ValueError: if ``0 < min_factor <= max_factor`` does not hold.

    Reference:
        Ko et al. (2015). https://doi.org/10.21437/Interspeech.2015-711
    """

    def __init__(self, min_factor=0.9, max_factor=1.1, seed=None, **kwargs):
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        if not 0 < min_factor <= max_factor:
            raise ValueError(
                f"RandomSpeed: 0 < min_factor <= max_factor must hold. Received: {min_factor!r}, {max_factor!r}."
            )
        self.min_factor = min_factor
        self.max_factor = max_factor
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, waveform_shape, num_samples_shape):
        """Nothing to build."""

    def call(self, waveform, num_samples, training=None):
        num_samples = ops.cast(num_samples, "int32")
        if not training or self.min_factor == self.max_factor == 1.0:
            return waveform, num_samples
        batch = ops.shape(waveform)[0]
        factor = keras.random.uniform(
            (batch,), self.min_factor, self.max_factor, dtype="float32", seed=self.seed_generator
        )
        return change_speed(waveform, num_samples, factor)

    def compute_output_shape(self, waveform_shape, num_samples_shape):
        return tuple(waveform_shape), tuple(num_samples_shape)

    def compute_output_spec(self, waveform, num_samples, training=None):
        return keras.KerasTensor(waveform.shape, "float32"), keras.KerasTensor(num_samples.shape, "int32")

    def get_config(self):
        return {
            **super().get_config(),
            "min_factor": self.min_factor,
            "max_factor": self.max_factor,
            "seed": self.seed,
        }


def change_speed(waveform, num_samples, factor):
    """Read each clip at the positions ``0, factor, 2 * factor, ...``, with linear interpolation.

    Args:
        waveform: float32, shape ``(batch, samples)``.
        num_samples: valid samples of each clip, int32, shape ``(batch,)``.
        factor: speed of each clip, float32, shape ``(batch,)``.

    Returns:
        Waveforms of the same shape, zero beyond the new number of valid samples, and that number.
    """
    batch, samples = ops.shape(waveform)[0], ops.shape(waveform)[1]
    output = ops.arange(samples, dtype="int32")
    # The position is output + output * (factor - 1): the second term alone is rounded, and it is the smaller one.
    drift = ops.cast(output, "float32") * (factor[:, None] - 1.0)
    whole = ops.floor(drift)
    left = ops.cast(whole, "int32") + output
    left = ops.clip(left, 0, samples - 1)
    # Places in the flattened batch; the sample after the last one is never valid, and the flat array has it. To read
    # twice is faster than to lay neighbours side by side and read pairs.
    place = left + ops.arange(batch, dtype="int32")[:, None] * samples
    here = ops.reshape(waveform, (-1,))
    after = ops.concatenate([here[1:], here[-1:]])
    part = drift - whole
    first, second = ops.take(here, place, axis=0), ops.take(after, place, axis=0)
    last = ops.cast(num_samples, "float32") - 1.0
    length = ops.cast(ops.floor(last / factor), "int32") + 1
    # Rounding may carry the last position beyond the last valid sample, where there is no neighbour to read.
    end = (num_samples - 1)[:, None]
    y = ops.where(left < end, first + part * (second - first), first)
    length = ops.clip(length, ops.minimum(num_samples, 1), samples)
    return ops.where(valid_mask(length, samples), y, 0.0), length
