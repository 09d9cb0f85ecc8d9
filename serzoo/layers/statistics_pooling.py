"""Mean and standard deviation over the frames of a clip."""

import keras
from keras import ops

from serzoo.layers.valid_mask import valid_mask


@keras.saving.register_keras_serializable("serzoo")
class StatisticsPooling(keras.layers.Layer):
    """Sum up the valid frames of a clip by the mean and the standard deviation of each feature, in float32.

    Args:
        deviation: whether to give the deviations, too; without, it is mean pooling.

    Call arguments:
        x: features, shape ``(batch, frames, features)``.
        num_frames: valid frames of each clip, integers of shape ``(batch,)``.

    Output shape:
        ``(batch, 2 * features)``, means first, or ``(batch, features)``.

    Example:
        >>> tuple(StatisticsPooling()(keras.random.normal((2, 38, 64)), ops.array([38, 20])).shape)
        (2, 128)

    Reference:
        Snyder et al. (2017). https://doi.org/10.21437/Interspeech.2017-620
    """

    def __init__(self, deviation=True, **kwargs):
        super().__init__(**kwargs)
        self.deviation = deviation

    def build(self, x_shape, num_frames_shape):
        """Nothing to build."""

    def call(self, x, num_frames):
        mask = valid_mask(num_frames, ops.shape(x)[1])[:, :, None]
        count = ops.maximum(ops.cast(num_frames, "float32"), 1.0)[:, None]
        x = ops.where(mask, ops.cast(x, "float32"), 0.0)
        mean = ops.sum(x, axis=1) / count
        if not self.deviation:
            return ops.cast(mean, self.compute_dtype)
        variance = ops.sum(ops.where(mask, ops.square(x - mean[:, None]), 0.0), axis=1) / count
        std = ops.sqrt(ops.maximum(variance, 1e-12))  # the square root has no gradient at 0
        return ops.cast(ops.concatenate([mean, std], axis=-1), self.compute_dtype)

    def compute_output_shape(self, x_shape, num_frames_shape):
        return (x_shape[0], (2 if self.deviation else 1) * x_shape[-1])

    def get_config(self):
        return {**super().get_config(), "deviation": self.deviation}
