"""Maximum mean discrepancy between the two domains of a batch."""

import keras
from keras import ops

from serzoo import losses


@keras.saving.register_keras_serializable("serzoo")
class DomainDiscrepancy(keras.layers.Layer):
    """Measure how far the features of a batch's source clips are from those of its target clips.

    The squared maximum mean discrepancy, :func:`serzoo.losses.maximum_mean_discrepancy`, in float32; each clip answers
    with that of its batch, so that it can be a loss.

    Args:
        num_source: clips of the source in a batch; they come first, and the target's after them.

    Call arguments:
        source: features from which the source clips are taken, shape ``(batch, features)``.
        target: features from which the target clips are taken, same shape; often the same tensor.

    Output shape:
        ``(batch,)``; 0 where the batch has clips of one domain alone.
    """

    def __init__(self, num_source, **kwargs):
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.num_source = num_source

    def build(self, source_shape, target_shape):
        """Nothing to build."""

    def call(self, source, target):
        has_both = self.num_source > 0 and ops.shape(source)[0] > self.num_source
        value = losses.maximum_mean_discrepancy(source[: self.num_source], target[self.num_source :])
        value = ops.where(has_both, value, 0.0)  # of nothing the mean is NaN
        return ops.zeros_like(source[:, 0], dtype="float32") + value

    def compute_output_shape(self, source_shape, target_shape):
        return (source_shape[0],)

    def get_config(self):
        return {**super().get_config(), "num_source": self.num_source}
