"""Recognition by segment: one answer for every half second or so of a clip."""

import keras
from keras import ops

from serzoo.layers.segment_noise_loss import BLOCK_SAMPLES
from serzoo.layers.valid_mask import valid_mask


@keras.saving.register_keras_serializable("serzoo")
class SegmentClassifier(keras.layers.Layer):
    """Average the frames of each segment, and tell the class of the segment from that.

    Args:
        units: number of classes.
        segment_samples: samples of the waveform in a segment; the last one of a clip may have fewer. A multiple of
            ``frame_samples``, and of the 320 by which :class:`SegmentNoiseLoss` finds speech.
        frame_samples: samples from one frame to the next.

    Call arguments:
        x: features, shape ``(batch, frames, features)``.
        num_frames: valid frames of each clip, integers of shape ``(batch,)``.
        clip: features of the whole clip that every segment is told beside its own, shape ``(batch, features')``.

    Output shape:
        ``(batch, ceil(frames * frame_samples / segment_samples), units)``, float32: probabilities, zero beyond the last
        segment that has a valid frame.

    Raises:
        ValueError: if a number is less than 1, or a segment is no whole number of frames and of blocks of 320 samples.

    Example:
        >>> x, n = keras.random.normal((2, 25, 16)), keras.ops.array([25, 10])
        >>> clip = keras.random.normal((2, 4))
        >>> tuple(SegmentClassifier(12, 7680, 640)(x, n, clip).shape)  # the second clip has one segment
        (2, 3, 12)
    """

    def __init__(self, units, segment_samples, frame_samples, **kwargs):
        super().__init__(**kwargs)
        if units < 1 or frame_samples < 1 or segment_samples < 1 or segment_samples % frame_samples:
            raise ValueError(
                "SegmentClassifier: units must be >= 1, and segment_samples a multiple of frame_samples >= 1. "
                f"Received: {units!r}, {segment_samples!r}, {frame_samples!r}."
            )
        if segment_samples % BLOCK_SAMPLES:
            raise ValueError(
                f"SegmentClassifier: segment_samples must be a multiple of {BLOCK_SAMPLES}. Received: "
                f"{segment_samples}."
            )
        self.units = units
        self.segment_samples = segment_samples
        self.frame_samples = frame_samples
        self.segment_frames = segment_samples // frame_samples

    def build(self, x_shape, num_frames_shape, clip_shape):
        """Create the weights of the one dense layer."""
        shape = (x_shape[-1] + clip_shape[-1], self.units)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer="glorot_uniform")
        self.bias = self.add_weight(name="bias", shape=(self.units,), initializer="zeros")

    def call(self, x, num_frames, clip):
        mask = valid_mask(num_frames, ops.shape(x)[1])[:, :, None]
        x = ops.where(mask, ops.cast(x, "float32"), 0.0)
        count = self._sums(ops.cast(mask, "float32"))  # (batch, segments, 1)
        mean = ops.cast(self._sums(x) / ops.maximum(count, 1.0), self.compute_dtype)
        features = x.shape[-1]
        kernel = ops.cast(self.kernel, self.compute_dtype)
        clip = ops.matmul(ops.cast(clip, self.compute_dtype), kernel[features:])
        logits = ops.cast(ops.matmul(mean, kernel[:features]) + clip[:, None], "float32") + ops.cast(
            self.bias, "float32"
        )
        return ops.where(count > 0.0, ops.softmax(logits, axis=-1), 0.0)

    def compute_output_shape(self, x_shape, num_frames_shape, clip_shape):
        frames = x_shape[1]
        return x_shape[0], None if frames is None else -(-frames // self.segment_frames), self.units

    def compute_output_spec(self, x, num_frames, clip):
        return keras.KerasTensor(self.compute_output_shape(x.shape, num_frames.shape, clip.shape), dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            "units": self.units,
            "segment_samples": self.segment_samples,
            "frame_samples": self.frame_samples,
        }

    def _sums(self, x):
        # A fixed pad, and a pooling that drops what is left over: no size depends on the number of frames.
        size = self.segment_frames
        x = ops.pad(x, [[0, 0], [0, size - 1], [0, 0]])
        return ops.average_pool(x, size, strides=size, padding="valid", data_format="channels_last") * size


def noise_segment_samples(model) -> int | None:
    """Samples in a segment where the head ``noise`` of a model answers by segment; None where it does not."""
    head = next((layer for layer in model.layers if layer.name == "noise"), None)
    return head.segment_samples if isinstance(head, SegmentClassifier) else None
