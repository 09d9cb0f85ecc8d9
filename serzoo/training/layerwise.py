"""Layer-wise learning rates: what was learnt before keeps more of itself, the nearer it is to the input."""

from collections.abc import Mapping

import keras

from serzoo import registry
from serzoo.errors import ConfigError


class LayerwiseAdamW(keras.optimizers.AdamW):
    """AdamW in which a variable can learn at a share of the learning rate; its weight decay is not scaled.

    A share of the gradient would change nothing: Adam divides it out again.

    Args:
        *args: as of ``keras.optimizers.AdamW``.
        shares: share of the learning rate by the path of a variable; 1 for all others.
        **kwargs: as of ``keras.optimizers.AdamW``.

    Reference:
        Howard and Ruder (2018), section 3.2. https://arxiv.org/abs/1801.06146
    """

    def __init__(self, *args, shares: Mapping[str, float] | None = None, **kwargs):
        super().__init__(*args, **kwargs)
        self._shares, self._share_of = dict(shares or {}), []

    def build(self, variables):
        """Create the moments; Keras calls this."""
        super().build(variables)
        self._share_of = [self._shares.get(variable.path, 1.0) for variable in variables]

    def update_step(self, gradient, variable, learning_rate):
        """Update one variable; Keras calls this."""
        if self._shares:  # by number, as Adam finds its moments: on TensorFlow the variable itself has no path here
            learning_rate = learning_rate * self._share_of[self._get_variable_index(variable)]
        super().update_step(gradient, variable, learning_rate)


def layer_shares(model: keras.Model, config) -> dict[str, float]:
    """Shares of the learning rate by the path of a variable: ``training.layer_decay`` to the power of its depth.

    Args:
        model: a classifier whose module may tell the depth of its layers by a function ``layer_depths``.
        config: its config.

    Raises:
        ConfigError: if the config wants a decay, and the model does not tell its depths.
    """
    decay = config.training.layer_decay
    if decay == 1.0:
        return {}
    depths = registry.layer_depths(config.name)
    if depths is None:
        raise ConfigError(f"{config.name} has no blocks: training.layer_decay must be 1.0. Received: {decay}.")
    return {
        variable.path: decay**depth
        for name, depth in depths(model).items()
        for variable in model.get_layer(name).trainable_variables
    }
