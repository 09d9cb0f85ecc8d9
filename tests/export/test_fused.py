import keras
import numpy as np
import pytest
import tensorflow as tf

from serzoo import layers
from serzoo.export.fused import fused

RNG = np.random.default_rng(0)


def network(**options):
    """Convolutions of every kind that a block knows, and a recurrence."""
    x, n = keras.Input((None, 8, 3), name="x"), keras.Input((), dtype="int32", name="n")
    y, m = layers.ConvBlock(4, 5, strides=2, pool_size=(1, 2), name="conv1", **options)(x, n)
    y, m = layers.ConvBlock(5, 3, pool_size=2, dropout=0.1, name="conv2", **options)(y, m)
    y, m = layers.ConvBlock(6, 1, name="conv3", **options)(y, m)
    y = keras.layers.Reshape((-1, y.shape[2] * y.shape[3]))(y)
    y = layers.BidirectionalLSTM(5, dropout=0.1, name="blstm")(y, m)
    model = keras.Model({"x": x, "n": n}, {"y": keras.layers.Dense(2, name="dense")(y), "m": m})
    for weight in model.weights:  # fresh ones hide an error: statistics of 0 and 1, biases of 0
        weight.assign(RNG.uniform(0.2, 1.0, weight.shape) * np.where(RNG.random(weight.shape) < 0.5, 0.3, 1.0))
    return model


@pytest.mark.parametrize("options", [{}, {"mask_input": False}, {"activation": "gelu"}, {"activation": "sigmoid"}])
def test_fused_layers_compute_the_same(options):
    model = network(**options)
    x = RNG.standard_normal((3, 33, 8, 3)).astype("float32")
    n = np.array([33, 4, 17], "int32")
    x[np.arange(33)[None] >= n[:, None]] = 0.0
    inputs = {"x": x, "n": n}
    got, wanted = fused(model).predict_on_batch(inputs), model.predict_on_batch(inputs)
    np.testing.assert_array_equal(got["m"], wanted["m"])
    np.testing.assert_allclose(got["y"], wanted["y"], atol=1e-5)
    assert np.ptp(wanted["y"]) > 0.01, "the answers do not depend on the input: nothing was tested"


def test_no_loop_and_no_normalisation_are_left():
    model = fused(network())
    function = tf.function(lambda x, n: model({"x": x, "n": n}, training=False))
    specs = tf.TensorSpec((None, None, 8, 3)), tf.TensorSpec((None,), tf.int32)
    operations = [each.type for each in function.get_concrete_function(*specs).graph.get_operations()]
    assert operations.count("BlockLSTMV2") == 2 and operations.count("Conv2D") == 3
    assert not {"While", "StatelessWhile", "Rsqrt", "FusedBatchNormV3"} & set(operations)
    assert not any("moving" in weight.path for weight in model.weights)
