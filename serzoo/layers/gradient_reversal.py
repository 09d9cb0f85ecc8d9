"""Gradient reversal, for adversarial heads."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("serzoo")
class GradientReversal(keras.layers.Layer):
    r"""Pass features on as they are, and their gradient multiplied by ``-lambda``.

    Lambda is the non-trainable weight ``lambda_``. With ``ramp_steps`` it follows

    .. math:: \lambda_p = \lambda \left( \frac{2}{1 + e^{-\gamma p}} - 1 \right), \quad p = \min(1, k / K)

    where the layer itself counts the training steps ``k``, in a weight: the schedule needs no callback and goes on
    where it was when a run is resumed.

    Args:
        initial_lambda: lambda, or the value that the ramp approaches.
        ramp_steps: K, the training steps of the ramp; ``None`` keeps ``lambda_`` as it is, for the caller to assign.
        gamma: steepness of the ramp.

    Call arguments:
        x: floats of any shape.
        training: whether the call is a training step, which advances the ramp.

    Output shape:
        Same as ``x``.

    Raises:
        ValueError: if ``ramp_steps`` is less than 1.

    Reference:
        Ganin et al. (2016), section 5.2.2. https://jmlr.org/papers/v17/15-239.html
    """

    def __init__(self, initial_lambda=1.0, ramp_steps=None, gamma=10.0, **kwargs):
        super().__init__(**kwargs)
        if ramp_steps is not None and ramp_steps < 1:
            raise ValueError(f"GradientReversal: ramp_steps must be an integer >= 1 or None. Received: {ramp_steps!r}.")
        self.initial_lambda = initial_lambda
        self.ramp_steps = ramp_steps
        self.gamma = gamma

    def build(self, x_shape):
        """Create ``lambda_`` and the step counter, which no dtype policy may round."""
        options = {"shape": (), "trainable": False, "autocast": False}
        start = keras.initializers.Constant(self.initial_lambda if self.ramp_steps is None else 0.0)
        self.lambda_ = self.add_weight(name="lambda", dtype="float32", initializer=start, **options)
        self.steps = self.add_weight(name="steps", dtype="int32", initializer="zeros", **options)

    def call(self, x, training=None):
        if training and self.ramp_steps is not None:
            progress = ops.minimum(ops.cast(self.steps, "float32") / self.ramp_steps, 1.0)
            self.lambda_.assign(self.initial_lambda * (2.0 / (1.0 + ops.exp(-self.gamma * progress)) - 1.0))
            self.steps.assign(self.steps + 1)
        return _reverse(x, ops.convert_to_tensor(self.lambda_))

    def compute_output_shape(self, x_shape):
        return tuple(x_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "initial_lambda": self.initial_lambda,
            "ramp_steps": self.ramp_steps,
            "gamma": self.gamma,
        }


@ops.custom_gradient
def _reverse(x, lambda_):
    # Lambda is an argument: what a closure holds is frozen when the function is traced.
    def grad(*args, upstream=None):
        upstream = args[0] if upstream is None else upstream
        dx = ops.cast(-lambda_ * ops.cast(upstream, "float32"), upstream.dtype)
        return dx, ops.zeros_like(lambda_)

    return x, grad
