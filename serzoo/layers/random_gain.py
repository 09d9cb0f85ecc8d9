"""Random loudness."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("serzoo")
class RandomGain(keras.layers.Layer):
    """Multiply each clip by its own random gain, uniform in dB; in training only.

    Args:
        min_db: smallest gain in dB.
        max_db: greatest gain in dB.
        seed: integer, for repeatable gains.

    Call arguments:
        waveform: floats, shape ``(batch, samples)``.
        training: whether to change the loudness.

    Output shape:
        Same as ``waveform``; nothing is clipped.

    Raises:
        ValueError: if ``min_db`` exceeds ``max_db``.
    """

    def __init__(self, min_db=-6.0, max_db=6.0, seed=None, **kwargs):
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        if not min_db <= max_db:
            raise ValueError(f"RandomGain: min_db must be <= max_db. Received: {min_db!r}, {max_db!r}.")
        self.min_db = min_db
        self.max_db = max_db
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, waveform, training=None):
        if not training:
            return waveform
        shape = (ops.shape(waveform)[0], 1)
        gain_db = keras.random.uniform(shape, self.min_db, self.max_db, dtype="float32", seed=self.seed_generator)
        return waveform * ops.power(10.0, gain_db / 20.0)

    def compute_output_shape(self, waveform_shape):
        return tuple(waveform_shape)

    def get_config(self):
        return {**super().get_config(), "min_db": self.min_db, "max_db": self.max_db, "seed": self.seed}
