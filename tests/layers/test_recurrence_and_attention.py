"""BidirectionalLSTM against Keras's masked one, AttentionPooling against NumPy."""

import keras
import numpy as np
import pytest
from keras import ops

from serzoo.layers import AttentionPooling, BidirectionalLSTM

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 7, 4)).astype("float32")
NUM_FRAMES = np.array([7, 5, 1], "int32")


def test_bidirectional_lstm_against_keras():
    ours = BidirectionalLSTM(3)
    theirs = keras.layers.Bidirectional(keras.layers.LSTM(3, return_sequences=True))
    theirs.build(X.shape)
    ours.build(X.shape, NUM_FRAMES.shape)
    values = [RNG.standard_normal(w.shape).astype("float32") for w in ours.weights]
    ours.set_weights(values)
    theirs.forward_layer.set_weights(ours.forward.get_weights())
    theirs.backward_layer.set_weights(ours.backward.get_weights())
    x = ops.convert_to_tensor(X)
    a = ops.convert_to_numpy(ours(x, ops.convert_to_tensor(NUM_FRAMES)))
    mask = np.arange(7) < NUM_FRAMES[:, None]
    b = ops.convert_to_numpy(theirs(x, mask=ops.convert_to_tensor(mask)))
    np.testing.assert_allclose(a[mask], b[mask], atol=1e-6)
    assert not a[~mask].any()


def test_use_cudnn_is_in_the_config():
    layer = BidirectionalLSTM.from_config(BidirectionalLSTM(3).get_config() | {"use_cudnn": False})
    assert layer.use_cudnn is layer.forward.use_cudnn is layer.backward.use_cudnn is False


@pytest.mark.parametrize("units", [None, 6])
def test_attention_against_numpy(units):
    layer = AttentionPooling(units)
    layer.build(X.shape, NUM_FRAMES.shape)
    layer.set_weights([RNG.standard_normal(w.shape).astype("float32") for w in layer.weights])
    weights = {w.name: ops.convert_to_numpy(w).astype("float64") for w in layer.weights}
    x, n = ops.convert_to_tensor(X), ops.convert_to_tensor(NUM_FRAMES)
    alpha, pooled = ops.convert_to_numpy(layer.attention(x, n)), ops.convert_to_numpy(layer(x, n))
    for clip, frames in enumerate(NUM_FRAMES):
        h = X[clip, :frames].astype("float64")
        hidden = h if units is None else np.tanh(h @ weights["hidden"] + weights["bias"])
        score = np.exp((hidden @ weights["query"])[:, 0])
        np.testing.assert_allclose(alpha[clip, :frames], score / score.sum(), atol=1e-6)
        np.testing.assert_allclose(pooled[clip], (score / score.sum()) @ h, atol=1e-5)
        assert not alpha[clip, frames:].any()
    np.testing.assert_allclose(alpha.sum(axis=1), 1.0, atol=1e-6)


def test_frames_that_do_not_count_take_no_part_however_high_their_score():
    layer = AttentionPooling()
    layer.build((1, 4, 1), (1,), (1, 4))
    layer.set_weights([np.ones((1, 1), "float32")])
    x, n, weight = ([[[100.0], [0.0], [0.0], [0.0]]], [4], [[0.0, 1.0, 1.0, 1.0]])
    alpha = layer.attention(ops.convert_to_tensor(x), ops.convert_to_tensor(n), ops.convert_to_tensor(weight))
    np.testing.assert_allclose(ops.convert_to_numpy(alpha), [[0.0, 1 / 3, 1 / 3, 1 / 3]], atol=1e-6)


def test_attention_softmax_is_float32_under_mixed_float16():
    layer = AttentionPooling(dtype="mixed_float16")
    x = np.ones((1, 4000, 2), "float16")  # 4000 equal weights of 1/4000 do not sum to 1 in float16
    pooled = layer(ops.convert_to_tensor(x), ops.convert_to_tensor(np.array([4000], "int32")))
    assert keras.backend.standardize_dtype(pooled.dtype) == "float16"
    np.testing.assert_allclose(ops.convert_to_numpy(pooled), 1.0, atol=1e-3)


def test_no_nan_in_the_padding_reaches_the_answer():
    x = X.copy()
    x[1, 5:], x[2, 1:] = np.inf, np.nan
    n = ops.convert_to_tensor(NUM_FRAMES)
    for layer in (AttentionPooling(), BidirectionalLSTM(3)):
        expected = ops.convert_to_numpy(layer(ops.convert_to_tensor(X), n))
        np.testing.assert_allclose(ops.convert_to_numpy(layer(ops.convert_to_tensor(x), n)), expected, atol=1e-6)


def test_errors():
    with pytest.raises(ValueError, match="units must be an integer >= 1 or None. Received: 0"):
        AttentionPooling(0)


def test_attention_counts_a_frame_by_its_weight():
    layer = AttentionPooling()
    layer.build(X.shape, NUM_FRAMES.shape, X.shape[:2])
    weight = RNG.uniform(0, 1, X.shape[:2]).astype("float32")
    alpha = ops.convert_to_numpy(layer.attention(ops.convert_to_tensor(X), ops.convert_to_tensor(NUM_FRAMES), weight))
    for clip, frames in enumerate(NUM_FRAMES):
        score = np.exp(X[clip, :frames] @ ops.convert_to_numpy(layer.query)[:, 0]) * weight[clip, :frames]
        np.testing.assert_allclose(alpha[clip, :frames], score / score.sum(), atol=1e-6)
