"""What noise recognition by segment should have said, and how far it was off."""

import keras
from keras import ops

from serzoo.layers.active_blocks import active_blocks
from serzoo.layers.valid_mask import valid_mask

BLOCK_SAMPLES = 320  # 20 ms at 16 kHz


@keras.saving.register_keras_serializable("serzoo")
class SegmentNoiseLoss(keras.layers.Layer):
    """Cross-entropy of noise recognition by segment; it finds the truth of each segment in the clean speech.

    The last two classes are clean speech and noise alone, those before them types of noise. In a clip with noise of
    type k, a segment is k where someone speaks in it, and noise alone where nobody does.

    Args:
        segment_samples: samples in a segment, a multiple of 320.
        label_smoothing: share of the truth that is spread over all classes.
        min_active: share of a segment that must be speech for it to count as spoken in.

    Call arguments:
        probabilities: shape ``(batch, segments, classes)``, zero beyond the last segment.
        clean: speech before the noise came in, floats of shape ``(batch, samples)``.
        num_samples: valid samples of each clip, integers of shape ``(batch,)``.
        noise_class: class of what was mixed into each clip, integers of shape ``(batch,)``.

    Output shape:
        ``(batch,)``, float32: mean over the segments of each clip.

    Raises:
        ValueError: if an argument is out of its range.
    """

    def __init__(self, segment_samples=7680, label_smoothing=0.0, min_active=0.1, **kwargs):
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        if segment_samples < BLOCK_SAMPLES or segment_samples % BLOCK_SAMPLES:
            raise ValueError(
                f"SegmentNoiseLoss: segment_samples must be a multiple of {BLOCK_SAMPLES}. Received: {segment_samples}."
            )
        if not (0 <= label_smoothing <= 1 and 0 <= min_active <= 1):
            raise ValueError(
                "SegmentNoiseLoss: label_smoothing and min_active must be in [0, 1]. "
                f"Received: {label_smoothing!r}, {min_active!r}."
            )
        self.segment_samples = segment_samples
        self.label_smoothing = label_smoothing
        self.min_active = min_active

    def build(self, probabilities_shape, clean_shape, num_samples_shape, noise_class_shape):
        """Nothing to build."""

    def call(self, probabilities, clean, num_samples, noise_class):
        classes = probabilities.shape[-1]
        truth = segment_noise_classes(clean, num_samples, noise_class, classes, self.segment_samples, self.min_active)
        # The waveform may have one segment more than the spectrogram, whose last frame ends before the clip does.
        truth = truth[:, : ops.shape(probabilities)[1]]
        wanted = ops.one_hot(truth, classes, dtype="float32")
        wanted = wanted * (1.0 - self.label_smoothing) + self.label_smoothing / classes
        told = ops.cast(ops.sum(probabilities, axis=-1) > 0.5, "float32")  # (batch, segments): what is no padding
        loss = -ops.sum(wanted * ops.log(ops.maximum(probabilities, 1e-7)), axis=-1)
        return ops.sum(loss * told, axis=1) / ops.maximum(ops.sum(told, axis=1), 1.0)

    def compute_output_shape(self, probabilities_shape, *other_shapes):
        return (probabilities_shape[0],)

    def get_config(self):
        return {
            **super().get_config(),
            "segment_samples": self.segment_samples,
            "label_smoothing": self.label_smoothing,
            "min_active": self.min_active,
        }


def segment_noise_classes(clean, num_samples, noise_class, num_classes, segment_samples=7680, min_active=0.1):
    """Tell the class of every segment of a clip from what was mixed into it.

    Args:
        clean: as of :class:`SegmentNoiseLoss`.
        num_samples: as of :class:`SegmentNoiseLoss`.
        noise_class: as of :class:`SegmentNoiseLoss`.
        num_classes: number of classes.
        segment_samples: samples in a segment, a multiple of 320.
        min_active: share of a segment that must be speech for it to count as spoken in.

    Returns:
        Integers of shape ``(batch, ceil(samples / segment_samples))``; beyond the end of a clip they mean nothing.
    """
    size = segment_samples // BLOCK_SAMPLES
    active = ops.cast(active_blocks(clean, num_samples, BLOCK_SAMPLES), "float32")
    blocks = (ops.cast(num_samples, "int32") + BLOCK_SAMPLES - 1) // BLOCK_SAMPLES
    valid = ops.cast(valid_mask(blocks, ops.shape(active)[1]), "float32")
    counts = ops.pad(ops.stack([active, valid], axis=-1), [[0, 0], [0, size - 1], [0, 0]])
    counts = ops.average_pool(counts, size, strides=size, padding="valid", data_format="channels_last")
    # (batch, segments, 2)
    spoken = counts[..., 0] > min_active * counts[..., 1]
    clean_class, alone = num_classes - 2, num_classes - 1
    mixed = ops.cast(noise_class, "int32")[:, None]
    return ops.where((mixed == clean_class) | spoken, mixed, alone)
