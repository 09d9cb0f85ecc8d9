"""Random silence around a clip."""

import keras
from keras import ops

from serzoo.layers.valid_mask import valid_mask


@keras.saving.register_keras_serializable("serzoo")
class RandomSilence(keras.layers.Layer):
    """Put silence of its own random length before and after each clip; in training only.

    Corpora differ in how much of it they leave around the speech. The array keeps its length: what the silence pushes
    beyond its end is cut.

    Args:
        max_samples: most samples of silence on each side; both lengths are drawn uniformly from 0 to that.
        seed: integer, for repeatable lengths.

    Call arguments:
        waveform: floats, shape ``(batch, samples)``.
        num_samples: valid samples of each clip, integers of shape ``(batch,)``.
        training: whether to put silence there.

    Output shape:
        ``(batch, samples)``, zero beyond the new number of valid samples, and that number, ``(batch,)`` int32:
        ``min(before + num_samples + after, samples)``.

    Raises:
        ValueError: if ``max_samples`` is negative.
    """

    def __init__(self, max_samples=4800, seed=None, **kwargs):
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        if max_samples < 0:
            raise ValueError(f"RandomSilence: max_samples must be >= 0. Received: {max_samples!r}.")
        self.max_samples = max_samples
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, waveform_shape, num_samples_shape):
        """Nothing to build."""

    def call(self, waveform, num_samples, training=None):
        num_samples = ops.cast(num_samples, "int32")
        if not training or not self.max_samples:
            return waveform, num_samples
        shape = (2, ops.shape(waveform)[0])
        drawn = keras.random.uniform(shape, 0.0, self.max_samples + 1.0, dtype="float32", seed=self.seed_generator)
        drawn = ops.cast(ops.minimum(ops.floor(drawn), self.max_samples), "int32")
        return surround(waveform, num_samples, drawn[0], drawn[1])

    def compute_output_shape(self, waveform_shape, num_samples_shape):
        return tuple(waveform_shape), tuple(num_samples_shape)

    def compute_output_spec(self, waveform, num_samples, training=None):
        return keras.KerasTensor(waveform.shape, "float32"), keras.KerasTensor(num_samples.shape, "int32")

    def get_config(self):
        return {**super().get_config(), "max_samples": self.max_samples, "seed": self.seed}


def surround(waveform, num_samples, before, after):
    """Put silence before and after each clip, in an array of the same length.

    Args:
        waveform: float32, shape ``(batch, samples)``.
        num_samples: valid samples of each clip, int32, shape ``(batch,)``.
        before: samples of silence before each clip, int32, shape ``(batch,)``.
        after: samples of silence after it.

    Returns:
        Waveforms of the same shape, and their new numbers of valid samples.
    """
    samples = ops.shape(waveform)[1]
    source = ops.arange(samples, dtype="int32")[None, :] - before[:, None]
    moved = ops.take_along_axis(waveform, ops.clip(source, 0, samples - 1), axis=1)
    speech = ops.logical_and(source >= 0, source < num_samples[:, None])
    length = ops.minimum(before + num_samples + after, samples)
    return ops.where(ops.logical_and(speech, valid_mask(length, samples)), moved, 0.0), length
