"""The loss of continuous heads against the metric, which is checked against audmetric, and a closed form."""

import keras
import numpy as np
import pytest
from keras import ops

from serzoo import losses, metrics


def loss(*arrays):
    return float(losses.concordance_loss(*(ops.convert_to_tensor(np.asarray(each, "float32")) for each in arrays)))


@pytest.mark.parametrize("seed", range(3))
def test_one_minus_the_metric(seed):
    random = np.random.default_rng(seed)
    truth = random.uniform(1, 5, 32)
    answer = 0.5 * truth + random.normal(0, 0.7, 32)
    assert loss(truth, answer) == pytest.approx(1 - metrics.ccc(truth, answer), abs=1e-5)
    # the place on a scale from 1 to 5 instead of the value
    assert loss((truth - 1) / 4, (answer - 1) / 4) == pytest.approx(1 - metrics.ccc(truth, answer), abs=1e-5)
    known = random.random(32) < 0.5
    assert loss(truth, answer, known) == pytest.approx(1 - metrics.ccc(truth[known], answer[known]), abs=1e-5)
    # a clip with weight 2 counts as two
    twice = np.concatenate([truth, truth[:5]]), np.concatenate([answer, answer[:5]])
    weights = np.where(np.arange(32) < 5, 2.0, 1.0)
    assert loss(truth, answer, weights) == pytest.approx(1 - metrics.ccc(*twice), abs=1e-5)


def test_ends():
    ramp = np.arange(8.0) / 7
    assert loss(ramp, ramp) == pytest.approx(0, abs=1e-6)
    assert loss(ramp, 1 - ramp) == pytest.approx(2, abs=1e-6)
    assert loss(ramp, ramp, np.zeros(8)) == 0
    assert loss([0.5], [0.7]) == loss([0.5, 0.5], [0.5, 0.5]) == 1


@pytest.mark.parametrize("weights", [[1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
def test_gradients_are_finite_and_zero_where_the_label_is_missing(weights):
    answers = keras.layers.Embedding(4, 1)  # four answers that can be learnt
    answers.build(None)
    answers.set_weights([np.array([[0.2], [0.9], [0.4], [0.1]], "float32")])
    model = keras.Sequential([keras.Input((), dtype="int32"), answers, keras.layers.Flatten()])

    class Loss(keras.losses.Loss):
        def __call__(self, y_true, y_pred, sample_weight=None):
            return losses.concordance_loss(y_true[:, 0], y_pred[:, 0], sample_weight)

    model.compile(keras.optimizers.SGD(0.1), loss=Loss(), jit_compile=False)
    before = answers.get_weights()[0][:, 0]
    truth = np.array([[0.1], [0.5], [0.6], [0.9]], "float32")
    model.train_on_batch(np.arange(4), truth, sample_weight=np.array(weights, "float32"))
    moved = answers.get_weights()[0][:, 0] - before
    assert np.isfinite(moved).all()
    assert (moved[np.array(weights) == 0] == 0).all()
    if sum(weights) > 1:
        assert np.abs(moved).max() > 1e-3
