"""SpecAugment: stretches of frames and mel bands are hidden in training."""

import keras
from keras import ops

from serzoo.layers.valid_mask import valid_mask


@keras.saving.register_keras_serializable("serzoo")
class SpecAugment(keras.layers.Layer):
    """Replace random stretches of frames and of mel bands by 0, the mean of standardised features; in training only.

    Each clip draws its own masks. The width of a mask is uniform from 0 to its maximum; a time mask lies within the
    valid frames and hides half of them at most.

    Args:
        num_time_masks: masks of frames in each clip.
        max_time_frames: greatest width of a time mask in frames.
        num_mel_masks: masks of mel bands in each clip.
        max_mels: greatest width of a mel mask in bands.
        seed: integer, for repeatable masks.

    Call arguments:
        x: features, shape ``(batch, frames, mels, channels)``.
        num_frames: valid frames of each clip, integers of shape ``(batch,)``.
        training: whether to mask.

    Output shape:
        Same as ``x``.

    Raises:
        ValueError: if a number is negative.

    Reference:
        Park et al. (2019). https://doi.org/10.21437/Interspeech.2019-2680
    """

    def __init__(self, num_time_masks=2, max_time_frames=20, num_mel_masks=2, max_mels=8, seed=None, **kwargs):
        super().__init__(**kwargs)
        numbers = (num_time_masks, max_time_frames, num_mel_masks, max_mels)
        if min(numbers) < 0:
            raise ValueError(f"SpecAugment: numbers and widths must be >= 0. Received: {numbers}.")
        self.num_time_masks = num_time_masks
        self.max_time_frames = max_time_frames
        self.num_mel_masks = num_mel_masks
        self.max_mels = max_mels
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def build(self, x_shape, num_frames_shape):
        """Nothing to build."""

    def call(self, x, num_frames, training=None):
        if not training:
            return x
        num_frames = ops.cast(num_frames, "int32")
        width = ops.minimum(num_frames // 2, self.max_time_frames)
        keep = self._keep(self.num_time_masks, width, num_frames, ops.shape(x)[1])[:, :, None, None]
        num_mels = ops.zeros_like(num_frames) + x.shape[2]
        width = ops.minimum(num_mels, self.max_mels)
        keep = keep & self._keep(self.num_mel_masks, width, num_mels, x.shape[2])[:, None, :, None]
        return x * ops.cast(keep, x.dtype)

    def compute_output_shape(self, x_shape, num_frames_shape):
        return tuple(x_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "num_time_masks": self.num_time_masks,
            "max_time_frames": self.max_time_frames,
            "num_mel_masks": self.num_mel_masks,
            "max_mels": self.max_mels,
            "seed": self.seed,
        }

    def _keep(self, num_masks, max_width, valid, size):
        """Tell the positions that no mask hides, ``(batch, size)``; ``max_width`` and ``valid`` are ``(batch,)``."""
        keep = valid_mask(ops.zeros_like(valid) + size, size)
        for _ in range(num_masks):
            draw = keras.random.uniform((2, ops.shape(valid)[0]), dtype="float32", seed=self.seed_generator)
            width = _floor(draw[0] * ops.cast(max_width + 1, "float32"))
            start = _floor(draw[1] * ops.cast(valid - width + 1, "float32"))
            keep = keep & (valid_mask(start, size) | ~valid_mask(start + width, size))
        return keep


def _floor(x):
    return ops.cast(ops.floor(x), "int32")
