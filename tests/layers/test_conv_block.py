"""ConvBlock against NumPy loops, and its statistics against Keras's masked BatchNormalization."""

import keras
import numpy as np
import pytest
from keras import ops

from serzoo.layers import ConvBlock, FrameBatchNormalization

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 9, 5, 2)).astype("float32")
NUM_FRAMES = np.array([9, 4, 1], "int32")


def call(layer, x, num_frames, training=False):
    return layer(ops.convert_to_tensor(x), ops.convert_to_tensor(np.asarray(num_frames, "int32")), training=training)


def literal(x, kernel, strides, pool, scale, offset, activation):
    """One clip without padding: every sum and every maximum written out."""
    (k, f), (s, z) = kernel.shape[:2], strides
    frames, bands = -(-x.shape[0] // s), -(-x.shape[1] // z)
    padded = np.pad(x, [(k // 2, k // 2), (f // 2, f // 2), (0, 0)])
    y = np.zeros((frames, bands, kernel.shape[-1]))
    for t in range(frames):
        for b in range(bands):
            y[t, b] = np.einsum("kfc,kfco->o", padded[t * s : t * s + k, b * z : b * z + f], kernel)
    y = activation(y * scale + offset)
    p, q = pool
    return np.array(
        [[y[t : t + p, b : b + q].max(axis=(0, 1)) for b in range(0, bands, q)] for t in range(0, frames, p)]
    )


@pytest.mark.parametrize(
    ("kernel", "strides", "pool", "activation"),
    [
        ((3, 3), (1, 1), (1, 1), "relu"),
        ((5, 5), (2, 2), (1, 1), "relu"),
        ((3, 5), (2, 1), (2, 2), "relu"),
        ((1, 3), (1, 2), (3, 2), "tanh"),
    ],
)
def test_literal(kernel, strides, pool, activation):
    block = ConvBlock(4, kernel, strides, None if pool == (1, 1) else pool, activation)
    block.build(X.shape, NUM_FRAMES.shape)
    gamma, beta, mean, variance = RNG.uniform(0.5, 2.0, (4, 4))
    for weight, value in zip(
        (block.norm.gamma, block.norm.beta, block.norm.moving_mean, block.norm.moving_variance),
        (gamma, beta, mean, variance),
        strict=True,
    ):
        weight.assign(value)
    scale = gamma / np.sqrt(variance + 1e-3)
    function = {"relu": lambda v: np.maximum(v, 0), "tanh": np.tanh}[activation]
    y, n = call(block, X, NUM_FRAMES)
    y, kernel_values = ops.convert_to_numpy(y), ops.convert_to_numpy(block.conv.kernel)
    for clip, frames in enumerate(NUM_FRAMES):
        expected = literal(X[clip, :frames], kernel_values, strides, pool, scale, beta - mean * scale, function)
        assert int(n[clip]) == len(expected)
        np.testing.assert_allclose(y[clip, : len(expected)], expected, atol=2e-5)
        assert not y[clip, len(expected) :].any()


def test_statistics_against_keras():
    """Two training steps, then inference, with gradients left to the next test."""
    options = {"momentum": 0.7, "epsilon": 0.1}
    ours, theirs = FrameBatchNormalization(**options), keras.layers.BatchNormalization(**options)
    # Of every band, since Keras 3.8 counts wrongly where it has to broadcast a mask.
    mask = np.broadcast_to(np.arange(9)[None, :, None] < NUM_FRAMES[:, None, None], X.shape[:3])
    mask = ops.convert_to_tensor(mask)
    for step in range(2):
        x = (X * (1 + step) + 10.0).astype("float32")
        a = ops.convert_to_numpy(call(ours, x, NUM_FRAMES, training=True))
        b = ops.convert_to_numpy(theirs(ops.convert_to_tensor(x), training=True, mask=mask))
        valid = np.broadcast_to(ops.convert_to_numpy(mask)[..., None], a.shape)
        np.testing.assert_allclose(a[valid], b[valid], atol=1e-4)
        assert not a[~valid].any()
    for name in ("moving_mean", "moving_variance"):
        np.testing.assert_allclose(
            ops.convert_to_numpy(getattr(ours, name)), ops.convert_to_numpy(getattr(theirs, name)), rtol=1e-5
        )


@pytest.mark.parametrize("make", [FrameBatchNormalization, lambda: ConvBlock(4, 3)], ids=["norm", "block"])
def test_a_frozen_layer_keeps_its_statistics_and_answers_as_in_inference(make):
    layer = make()
    call(layer, X, NUM_FRAMES)
    layer.trainable = False
    before = [np.array(weight) for weight in layer.weights]
    trained, plain = (call(layer, X * 3.0 + 1.0, NUM_FRAMES, training=training) for training in (True, False))
    for old, weight in zip(before, layer.weights, strict=True):
        np.testing.assert_array_equal(old, weight)
    for one, other in zip(*(each if isinstance(each, tuple) else (each,) for each in (trained, plain)), strict=True):
        np.testing.assert_array_equal(one, other)


def test_training_ignores_the_padding():
    """Statistics, outputs and gradients of a training step: the same with two frames more of garbage."""
    garbage = 1e3 * RNG.standard_normal((3, 11, 5, 2)).astype("float32")
    for clip, frames in enumerate(NUM_FRAMES):
        garbage[clip, :frames] = X[clip, :frames]
    block = ConvBlock(4, 3, strides=2, pool_size=2)
    block.build(X.shape, NUM_FRAMES.shape)
    start = [ops.convert_to_numpy(w) for w in block.weights]
    results = []
    for x in (X, garbage):
        block.set_weights(start)
        slopes = gradients(block, lambda x=x: ops.sum(ops.sin(call(block, x, NUM_FRAMES, training=True)[0])), x)
        results.append([*slopes, *[ops.convert_to_numpy(w) for w in block.norm.non_trainable_weights]])
    assert any(np.abs(slope).max() > 1e-2 for slope in results[0][:3])
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def gradients(block, loss, x):
    if keras.backend.backend() == "jax":
        import jax

        def stateless(trainable, state):
            n = ops.convert_to_tensor(NUM_FRAMES)
            (y, _), state = block.stateless_call(trainable, state, ops.convert_to_tensor(x), n, training=True)
            return ops.sum(ops.sin(y)), state

        state = [v.value for v in block.non_trainable_variables]
        slopes, state = jax.grad(stateless, has_aux=True)([v.value for v in block.trainable_variables], state)
        for variable, value in zip(block.non_trainable_variables, state, strict=True):
            variable.assign(value)
        return [np.asarray(s) for s in slopes]
    import tensorflow as tf

    with tf.GradientTape() as tape:
        value = loss()
    return [s.numpy() for s in tape.gradient(value, [v.value for v in block.trainable_variables])]


@pytest.mark.parametrize("policy", ["mixed_float16", "float16"])
def test_statistics_are_float32_under_every_policy(policy):
    layer = FrameBatchNormalization(dtype=policy, momentum=0.0)
    x = (300.0 + RNG.standard_normal((2, 40, 20, 1))).astype("float16")  # the squares exceed float16
    y = call(layer, x, [40, 40], training=True)
    assert keras.backend.standardize_dtype(y.dtype) == "float16"
    values = x.astype("float64")
    np.testing.assert_allclose(ops.convert_to_numpy(layer.moving_mean), values.mean(), rtol=1e-6)
    np.testing.assert_allclose(ops.convert_to_numpy(layer.moving_variance), values.var(), rtol=1e-3)


def test_errors():
    with pytest.raises(ValueError, match="kernel_size must be odd. Received: 4"):
        ConvBlock(4, 4)
    with pytest.raises(ValueError, match=r"strides must be an integer >= 1, or two. Received: \(1, 0\)"):
        ConvBlock(4, 3, strides=(1, 0))
    with pytest.raises(ValueError, match="momentum must be in"):
        ConvBlock(4, 3, momentum=1.0)
