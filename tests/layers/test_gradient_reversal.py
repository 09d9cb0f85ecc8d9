"""GradientReversal: exactly minus lambda times the gradient, on every path a model takes."""

import keras
import numpy as np
import pytest
from keras import ops

from serzoo.layers import GradientReversal

X = np.random.default_rng(0).standard_normal((4, 3)).astype("float32")


def gradient(layer, x, training=False, dtype="float32"):
    """Gradient of sum(layer(x) * arange), on either backend, compiled."""
    weight = np.arange(1, 1 + x.size).reshape(x.shape)
    x = ops.cast(ops.convert_to_tensor(x), dtype)
    weight = ops.cast(ops.convert_to_tensor(weight), dtype)
    if keras.backend.backend() == "jax":
        import jax

        trainable, state = (
            [v.value for v in layer.trainable_variables],
            [v.value for v in layer.non_trainable_variables],
        )

        @jax.jit
        def loss(x, state):
            y, state = layer.stateless_call(trainable, state, x, training=training)
            return ops.sum(y * weight), state

        slope, state = jax.grad(loss, has_aux=True)(x, state)
        for variable, value in zip(layer.non_trainable_variables, state, strict=True):
            variable.assign(value)
        return np.asarray(slope), np.asarray(weight)
    import tensorflow as tf

    @tf.function
    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.reduce_sum(layer(x, training=training) * weight)
        return tape.gradient(y, x)

    return slope(x).numpy(), weight.numpy()


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "float16"])
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0, 2.5])
def test_exact(policy, value):
    layer = GradientReversal(value, dtype=policy)
    dtype = layer.compute_dtype
    layer.build(X.shape)
    y = layer(ops.cast(ops.convert_to_tensor(X), dtype))
    np.testing.assert_array_equal(ops.convert_to_numpy(y), X.astype(dtype))
    slope, weight = gradient(layer, X, dtype=dtype)
    assert slope.dtype == dtype
    np.testing.assert_array_equal(slope, (-np.float32(value) * weight.astype("float32")).astype(dtype))


def test_lambda_can_be_assigned_after_tracing():
    layer = GradientReversal(1.0)
    layer.build(X.shape)
    gradient(layer, X)
    layer.lambda_.assign(0.25)
    slope, weight = gradient(layer, X)
    np.testing.assert_array_equal(slope, -0.25 * weight)


def test_the_ramp_counts_training_steps_only():
    layer = GradientReversal(0.5, ramp_steps=4, gamma=10.0)
    layer.build(X.shape)
    for step in [0, 1, 2, 3, 4, 4]:  # it stays at its end
        gradient(layer, X, training=False)
        slope, weight = gradient(layer, X, training=True)
        expected = 0.5 * (2.0 / (1.0 + np.exp(-10.0 * step / 4)) - 1.0)
        np.testing.assert_allclose(slope, -expected * weight, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(ops.convert_to_numpy(layer.lambda_), expected, rtol=1e-5, atol=1e-7)
    assert int(layer.steps.value) == 6
    assert not layer.trainable_weights


def test_fit_advances_the_ramp_and_a_file_keeps_it(tmp_path):
    inputs = keras.Input((3,))
    outputs = keras.layers.Dense(1)(GradientReversal(1.0, ramp_steps=8, name="reversal")(inputs))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")
    model.fit(X, np.zeros((4, 1)), batch_size=1, epochs=1, verbose=0)
    expected = 2.0 / (1.0 + np.exp(-10.0 * 3 / 8)) - 1.0
    model.save(tmp_path / "model.keras")
    for m in (model, keras.saving.load_model(tmp_path / "model.keras")):
        layer = m.get_layer("reversal")
        assert int(layer.steps.value) == 4
        np.testing.assert_allclose(float(layer.lambda_.value), expected, rtol=1e-5)
        slope, weight = gradient(layer, X)
        np.testing.assert_allclose(slope, -expected * weight, rtol=1e-5)


def test_savedmodel_keeps_the_reversal(tmp_path):
    tf = pytest.importorskip("tensorflow")
    if keras.backend.backend() != "tensorflow":
        pytest.skip("a SavedModel is TensorFlow's")
    inputs = keras.Input((3,))
    model = keras.Model(inputs, GradientReversal(0.5)(inputs))
    model.export(tmp_path / "saved", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "saved")  # its functions do not keep it alive
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = loaded.serve(x)
    np.testing.assert_array_equal(y, X)
    np.testing.assert_array_equal(tape.gradient(y, x), np.full_like(X, -0.5))


def test_errors():
    with pytest.raises(ValueError, match="ramp_steps must be an integer >= 1 or None. Received: 0"):
        GradientReversal(ramp_steps=0)
