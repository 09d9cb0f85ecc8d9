"""From noise recognition by segment to what each frame may count."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("serzoo")
class SpeechWeight(keras.layers.Layer):
    r"""Weigh each frame by how little its segment was recognised as noise alone.

    .. math:: w_t = 1 - P(\text{noise alone} \mid \text{segment of } t)

    No gradient passes: what reads the weights must not teach the recognition to see noise where it suits.

    Args:
        segment_frames: frames in a segment.

    Call arguments:
        probabilities: of each segment, shape ``(batch, segments, classes)``; the last class is noise alone.
        x: the frames to weigh, shape ``(batch, frames, features)``, of which the number alone counts;
            ``frames <= segments * segment_frames``.

    Output shape:
        ``(batch, frames)``, float32, from 0 to 1.

    Raises:
        ValueError: if ``segment_frames`` is less than 1.

    Example:
        >>> told = ops.array([[[1.0, 0.0], [0.25, 0.75]]])
        >>> ops.convert_to_numpy(SpeechWeight(2)(told, ops.zeros((1, 3, 8)))).tolist()
        [[1.0, 1.0, 0.25]]
    """

    def __init__(self, segment_frames, **kwargs):
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        if segment_frames < 1:
            raise ValueError(f"SpeechWeight: segment_frames must be >= 1. Received: {segment_frames!r}.")
        self.segment_frames = segment_frames

    def build(self, probabilities_shape, x_shape):
        """Nothing to build."""

    def call(self, probabilities, x):
        speech = 1.0 - ops.stop_gradient(probabilities[..., -1])
        return ops.repeat(speech, self.segment_frames, axis=1)[:, : ops.shape(x)[1]]

    def compute_output_shape(self, probabilities_shape, x_shape):
        return tuple(x_shape[:2])

    def get_config(self):
        return {**super().get_config(), "segment_frames": self.segment_frames}
