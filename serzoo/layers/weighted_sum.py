"""Sum of the layers of a network, with learnt weights."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("serzoo")
class WeightedSum(keras.layers.Layer):
    r"""Mean of several layers' outputs, with weights that are learnt: :math:`\sum_l \mathrm{softmax}(w)_l \, x_l`.

    Call arguments:
        xs: list of features, all of the same shape.

    Output shape:
        That of one of them.

    Reference:
        Peters et al. (2018), section 3.2. https://arxiv.org/abs/1802.05365
    """

    def build(self, xs_shape):
        """Create one score for each layer."""
        self.scores = self.add_weight(name="scores", shape=(len(xs_shape),), initializer="zeros", autocast=False)

    def call(self, xs):
        weights = ops.cast(ops.softmax(self.scores), self.compute_dtype)
        return sum(weights[i] * ops.cast(x, self.compute_dtype) for i, x in enumerate(xs))

    def compute_output_shape(self, xs_shape):
        return tuple(xs_shape[0])
