"""Linear map between two domains, near the identity."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("serzoo")
class SpecificMap(keras.layers.Layer):
    r"""Map features by the identity and a ridge-regularised matrix, :math:`x + x A`, and keep two learners apart.

    The two answers are equal. Through the first, only the features learn: it is what a classifier reads. Through the
    second, only the matrix learns: it is for the loss that the map is fitted by.

    Args:
        ridge: weight of the sum of the squared entries of the matrix, a loss of its own.

    Call arguments:
        x: features, shape ``(batch, features)``.

    Output shape:
        Twice ``(batch, features)``.
    """

    def __init__(self, ridge=1e-2, **kwargs):
        super().__init__(**kwargs)
        self.ridge = ridge

    def build(self, x_shape):
        """Create the matrix, zero at first."""
        size, ridge = x_shape[-1], keras.regularizers.L2(self.ridge)
        self.matrix = self.add_weight(name="matrix", shape=(size, size), initializer="zeros", regularizer=ridge)

    def call(self, x):
        x = ops.cast(x, self.compute_dtype)
        matrix = ops.cast(self.matrix, self.compute_dtype)
        fixed = ops.stop_gradient(x)
        return x + ops.matmul(x, ops.stop_gradient(matrix)), fixed + ops.matmul(fixed, matrix)

    def compute_output_shape(self, x_shape):
        return tuple(x_shape), tuple(x_shape)

    def get_config(self):
        return {**super().get_config(), "ridge": self.ridge}
