"""Split of features into what lies in a common subspace and what is left."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("serzoo")
class CommonSubspace(keras.layers.Layer):
    r"""Project features on a subspace, and give what the projection leaves out, too.

    .. math:: c = x B, \quad r = x - c B^\top

    The basis starts with orthonormal columns, and minimising :math:`\lVert r \rVert^2` keeps them so: then :math:`c`
    holds the principal components of the features.

    Args:
        size: dimensions of the subspace.
        seed: seed of the basis.

    Call arguments:
        x: features, shape ``(batch, features)``.

    Output shape:
        ``(batch, size)`` and ``(batch, features)``.

    Example:
        >>> common, rest = CommonSubspace(48)(ops.ones((2, 192)))
        >>> tuple(common.shape), tuple(rest.shape)
        ((2, 48), (2, 192))
    """

    def __init__(self, size, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.size = size
        self.seed = seed

    def build(self, x_shape):
        """Create the basis, shape ``(features, size)``."""
        start = keras.initializers.Orthogonal(seed=self.seed)
        self.basis = self.add_weight(name="basis", shape=(x_shape[-1], self.size), initializer=start)

    def call(self, x):
        x = ops.cast(x, self.compute_dtype)
        common = ops.matmul(x, self.basis)
        return common, x - ops.matmul(common, ops.transpose(self.basis))

    def compute_output_shape(self, x_shape):
        return (x_shape[0], self.size), tuple(x_shape)

    def get_config(self):
        return {**super().get_config(), "size": self.size, "seed": self.seed}
