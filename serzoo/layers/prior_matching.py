"""Adversary that makes the latents of a network look as if they were drawn from a normal distribution."""

import keras
from keras import ops

from serzoo.layers.gradient_reversal import GradientReversal
from serzoo.layers.valid_mask import valid_mask


@keras.saving.register_keras_serializable("serzoo")
class PriorMatching(keras.layers.Layer):
    r"""Discriminate latents from draws of the standard normal distribution; the answer is the loss of each clip.

    .. math:: L = \frac{1}{T} \sum_t -\log D(p_t) - \log(1 - D(z_t)), \quad p_t \sim \mathcal{N}(0, I)

    The latents come through a gradient reversal: the step that makes the discriminator better makes the latents harder
    to tell from the prior. Where the two are alike, the loss is 2 log 2. Always float32.

    Args:
        units: size of the two hidden layers of the discriminator.
        ramp_steps: training steps until the gradient is reversed in full; None for in full from the start.
        seed: seed of the draws.

    Call arguments:
        x: latents, shape ``(batch, steps, features)``.
        num_steps: valid steps of each clip, integers of shape ``(batch,)``.

    Output shape:
        ``(batch,)``.

    Reference:
        Makhzani et al. (2015). https://arxiv.org/abs/1511.05644; Ganin et al. (2016), for training it in one step.
        https://jmlr.org/papers/v17/15-239.html
    """

    def __init__(self, units=64, ramp_steps=None, seed=None, **kwargs):
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.units = units
        self.ramp_steps = ramp_steps
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.reversal = GradientReversal(ramp_steps=ramp_steps, dtype="float32", name="reversal")
        options = {"dtype": "float32", "trainable": self.trainable}
        self.hidden = [keras.layers.Dense(units, "relu", name=f"hidden{i}", **options) for i in (1, 2)]
        self.score = keras.layers.Dense(1, name="score", **options)

    def build(self, x_shape, num_steps_shape):
        """Build the discriminator."""
        self.reversal.build(x_shape)
        self.hidden[0].build(x_shape)
        self.hidden[1].build((*x_shape[:-1], self.units))
        self.score.build((*x_shape[:-1], self.units))

    def call(self, x, num_steps, training=None):
        mask = valid_mask(num_steps, ops.shape(x)[1])
        x = ops.where(mask[:, :, None], ops.cast(x, "float32"), 0.0)
        prior = keras.random.normal(ops.shape(x), dtype="float32", seed=self.seed_generator)
        error = ops.softplus(-self._judge(prior)) + ops.softplus(self._judge(self.reversal(x, training=training)))
        return ops.sum(ops.where(mask, error, 0.0), axis=1) / ops.maximum(ops.cast(num_steps, "float32"), 1.0)

    def compute_output_shape(self, x_shape, num_steps_shape):
        return (x_shape[0],)

    def get_config(self):
        return {**super().get_config(), "units": self.units, "ramp_steps": self.ramp_steps, "seed": self.seed}

    def _judge(self, x):
        for layer in self.hidden:
            x = layer(x)
        return self.score(x)[..., 0]  # (batch, steps), log odds of the prior
