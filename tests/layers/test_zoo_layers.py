"""Layers of the papers: attention and pooling, segments, decoders, subspaces, masks; each against NumPy or by hand."""

import keras
import numpy as np
import pytest
from conformance import (
    check_batch_invariance,
    check_config_round_trip,
    check_keras_file,
    run_layer_conformance,
    to_numpy,
)
from gradients import gradient
from keras import ops

from serzoo import layers, losses

RNG = np.random.default_rng(2)
SEQUENCE = RNG.standard_normal((3, 11, 6)).astype("float32")
LENGTHS = np.array([11, 1, 7], "int32")
FEATURES = RNG.standard_normal((5, 6)).astype("float32")


@pytest.mark.parametrize(
    "make",
    [
        lambda: layers.SelfAttention(2, 3),
        lambda: layers.StatisticsPooling(),
        lambda: layers.StatisticsPooling(deviation=False),
        lambda: layers.TransformerBlock(2, 7, dropout=0.1),
        lambda: layers.StackFrames(4),
        lambda: layers.PriorMatching(4, seed=1),
    ],
    ids=["self_attention", "mean_and_deviation", "mean", "transformer_block", "stack_frames", "prior_matching"],
)
def test_sequence_layers_keep_what_every_layer_must(make):
    layer = make()
    if isinstance(layer, layers.PriorMatching):  # its draws differ from call to call
        check_config_round_trip(layer)
        assert np.isfinite(ops.convert_to_numpy(layer(SEQUENCE, LENGTHS))).all()
    else:
        run_layer_conformance(layer, SEQUENCE, LENGTHS)


def test_mask_steps_keeps_what_every_layer_must():
    run_layer_conformance(layers.MaskSteps(0.3, 2, seed=1), SEQUENCE, LENGTHS, zero_padding=False)


def test_common_subspace_and_map_keep_what_every_layer_must():
    run_layer_conformance(layers.CommonSubspace(2, seed=1), FEATURES, None)
    run_layer_conformance(layers.SpecificMap(0.1), FEATURES, None)


# --- attention and pooling ------------------------------------------------------------------------------------------


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_self_attention_is_that_of_each_clip_alone():
    layer = layers.SelfAttention(2, 3)
    y, told = to_numpy([layer(SEQUENCE, LENGTHS), layer.attention(SEQUENCE, LENGTHS)])
    q, k, v, o = (np.asarray(weight) for weight in layer.get_weights())  # (features, heads, size), the last reversed
    for clip, n, answer, read in zip(SEQUENCE, LENGTHS, y, told, strict=True):
        clip, total, alpha = clip[:n], 0.0, []
        for h in range(2):
            weights = softmax((clip @ q[:, h]) @ (clip @ k[:, h]).T / np.sqrt(3))
            total = total + weights @ (clip @ v[:, h]) @ o[h]
            alpha.append(weights.mean(axis=0))
        np.testing.assert_allclose(answer[:n], total, atol=1e-5)
        np.testing.assert_allclose(read[:n], np.mean(alpha, axis=0), atol=1e-6)
        assert not answer[n:].any() and not read[n:].any() and read.sum() == pytest.approx(1, abs=1e-5)


def test_statistics_are_those_of_the_valid_frames():
    pooled = ops.convert_to_numpy(layers.StatisticsPooling()(SEQUENCE, LENGTHS))
    for clip, n, answer in zip(SEQUENCE, LENGTHS, pooled, strict=True):
        np.testing.assert_allclose(answer[:6], clip[:n].mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(answer[6:], clip[:n].std(axis=0), atol=1e-5)


def test_a_block_adds_attention_and_dense_layers():
    block = layers.TransformerBlock(2, 7)
    block.build(SEQUENCE.shape, LENGTHS.shape)
    x = SEQUENCE[:1]
    y = x + ops.convert_to_numpy(block.attention(block.norms[0](x), LENGTHS[:1]))
    z = y + ops.convert_to_numpy(block.output_dense(block.hidden(block.norms[1](y))))
    np.testing.assert_allclose(ops.convert_to_numpy(block(x, LENGTHS[:1])), z, atol=1e-6)
    normed = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(block.norms[0](x)), normed, atol=1e-5)
    with pytest.raises(ValueError, match="num_heads must divide 6 features. Received: 4"):
        layers.TransformerBlock(4, 7)(SEQUENCE, LENGTHS)


def test_weighted_sum_of_layers():
    layer = layers.WeightedSum()
    xs = [SEQUENCE, 2 * SEQUENCE, -SEQUENCE]
    np.testing.assert_allclose(ops.convert_to_numpy(layer(xs)), 2 / 3 * SEQUENCE, atol=1e-6)  # equal at first
    layer.scores.assign([0.0, np.log(2.0), 0.0])
    np.testing.assert_allclose(ops.convert_to_numpy(layer(xs)), SEQUENCE, atol=1e-6)
    tensors = [keras.Input((None, 6), name=f"x{i}") for i in range(3)]
    model = keras.Model(dict(zip("abc", tensors, strict=True)), layers.WeightedSum()(tensors))
    check_keras_file(model, dict(zip("abc", xs, strict=True)))


# --- segments -------------------------------------------------------------------------------------------------------


def test_segments_are_cut_filled_and_joined():
    x = np.arange(1, 12, dtype="float32").reshape(1, 11, 1)
    x = np.concatenate([x, 10 * x]) * (np.arange(11) < np.array([[11], [4]]))[..., None]
    cut, num = layers.Segments(4)(x, np.array([11, 4]))
    cut = ops.convert_to_numpy(cut)[..., 0]
    assert ops.convert_to_numpy(num).tolist() == [3, 1]
    assert cut[:3].tolist() == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11, 0]]
    assert cut[3:].tolist() == [[10, 20, 30, 40], [0] * 4, [0] * 4]
    joined = ops.convert_to_numpy(layers.JoinSegments()(cut + 1, num))
    assert joined.shape == (2, 3, 4) and not joined[1, 1:].any() and (joined[0] == cut[:3] + 1).all()
    assert ops.convert_to_numpy(layers.NumSteps()(cut)).tolist() == [4] * 6
    with pytest.raises(ValueError, match="size must be an integer >= 1. Received: 0"):
        layers.Segments(0)


def test_the_maximum_over_segments_judges_a_clip():
    layer = layers.MaxOverSegments(3)
    x, num = RNG.standard_normal((2, 4, 5)).astype("float32"), np.array([4, 2], "int32")
    answers = ops.convert_to_numpy(layer(x, num))
    kernel, bias = (np.asarray(weight) for weight in layer.get_weights())
    for clip, n, answer in zip(x, num, answers, strict=True):
        highest = softmax(clip[:n] @ kernel + bias).max(axis=0)
        np.testing.assert_allclose(answer, highest / highest.sum(), atol=1e-6)
        assert answer.argmax() == highest.argmax()
    check_config_round_trip(layer)
    check_batch_invariance(lambda inputs: layer(inputs["x"], inputs["n"]), {"x": x, "n": num})


# --- decoders and their errors --------------------------------------------------------------------------------------


def test_frame_decoder_gives_each_step_its_frames():
    layer = layers.FrameDecoder(3, upsampling=2)
    like = np.zeros((3, 21, 4), "float32")
    drawn = ops.convert_to_numpy(layer(SEQUENCE, like))
    assert drawn.shape == like.shape
    hidden = ops.convert_to_numpy(layer.hidden(SEQUENCE))
    kernel, bias = (np.asarray(weight) for weight in layer.frames.get_weights())
    np.testing.assert_allclose(drawn[:, 6:8].reshape(3, 8), hidden[:, 3] @ kernel + bias, atol=1e-5)
    check_config_round_trip(layer)


def test_frame_error_counts_the_frames_that_count():
    truth, guess = SEQUENCE, SEQUENCE + np.arange(11, dtype="float32")[None, :, None]
    error = ops.convert_to_numpy(layers.FrameError()(truth, guess, LENGTHS))
    np.testing.assert_allclose(error, [np.mean(np.arange(n) ** 2.0) for n in LENGTHS], rtol=1e-4, atol=1e-6)
    which = np.zeros((3, 11), bool)
    which[0, [2, 5]] = True
    error = ops.convert_to_numpy(layers.FrameError()(truth, guess, which))
    np.testing.assert_allclose(error, [(4 + 25) / 2, 0, 0], rtol=1e-4, atol=1e-6)


def test_prior_matching_starts_where_the_discriminator_guesses():
    layer = layers.PriorMatching(4, seed=1)
    layer.build(SEQUENCE.shape, LENGTHS.shape)
    layer.score.kernel.assign(np.zeros((4, 1)))
    np.testing.assert_allclose(ops.convert_to_numpy(layer(SEQUENCE, LENGTHS)), 2 * np.log(2), rtol=1e-5)
    far = ops.convert_to_numpy(layers.PriorMatching(4, seed=1)(SEQUENCE, LENGTHS))
    assert (far > 0).all()


def test_prior_matching_moves_latents_to_where_the_discriminator_expects_the_prior():
    """By hand: log odds of -z for z > 0: a reversed step takes z down by rate * sigmoid(-z) / (clips * steps)."""
    layer = layers.PriorMatching(1, seed=1)
    latents, n = keras.Input((4, 1), name="latents"), keras.Input((), dtype="int32", name="n")
    table = _Table(np.full((2, 4, 1), 2.0, "float32"))
    model = keras.Model([latents, n], layer(table(latents), n))
    for dense, kernel in zip((*layer.hidden, layer.score), (1.0, 1.0, -1.0), strict=True):
        dense.kernel.assign([[kernel]])
    model.compile(keras.optimizers.SGD(0.8), _the_output, run_eagerly=True)
    model.train_on_batch([np.zeros((2, 4, 1), "float32"), np.full(2, 4, "int32")], np.zeros(2, "float32"))
    wanted = 2.0 - 0.8 / (1 + np.exp(2.0)) / 8
    np.testing.assert_allclose(ops.convert_to_numpy(table.latents), np.full((2, 4, 1), wanted), atol=1e-5)


def _the_output(y_true, y_pred):
    return y_pred


class _Table(keras.layers.Layer):
    def __init__(self, start):
        super().__init__()
        self.latents = self.add_weight(shape=start.shape, initializer=keras.initializers.Constant(np.asarray(start)))

    def call(self, x):
        return x * 0.0 + self.latents

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape)


# --- masked steps ---------------------------------------------------------------------------------------------------


def test_masks_hide_spans_of_valid_steps_behind_the_vector():
    layer = layers.MaskSteps(0.4, span=3, seed=1)
    x = np.ones((200, 20, 2), "float32")
    n = np.tile(np.array([20, 1, 9, 2], "int32"), 50)
    y, hidden = to_numpy(layer(x, n, training=True))
    vector = np.asarray(layer.vector)
    assert (y[hidden] == vector).all() and (y[~hidden] == 1).all()
    for row, valid in zip(hidden, n, strict=True):
        assert row.any() and not row[valid:].any()
        edges = np.flatnonzero(np.diff(np.r_[0, row, 0].astype(int)))
        starts, ends = edges[::2], edges[1::2]
        assert all(end - start >= 3 or end == valid for start, end in zip(starts, ends, strict=True))
    assert 0.25 < hidden[n == 20].mean() < 0.4  # spans overlap
    y, hidden = to_numpy(layer(x, n, training=False))
    assert (y == 1).all() and not hidden.any()
    assert not to_numpy(layers.MaskSteps(0.0)(x, n, training=True))[1].any()
    with pytest.raises(ValueError, match=r"share must be in \[0, 1\).*Received: 1.0, 5"):
        layers.MaskSteps(1.0)


def test_stacked_frames_are_the_frames_in_their_order():
    y, n = to_numpy(layers.StackFrames(4)(SEQUENCE, LENGTHS))
    assert y.shape == (3, 3, 24) and n.tolist() == [3, 1, 2]
    np.testing.assert_array_equal(y[0, 1], SEQUENCE[0, 4:8].reshape(-1))
    np.testing.assert_array_equal(y[2, 1], np.r_[SEQUENCE[2, 4:7].reshape(-1), np.zeros(6)])
    assert not y[1, 1:].any()


# --- domains --------------------------------------------------------------------------------------------------------


def mmd(x, y, widths):
    """The definition, pair by pair."""
    both = [*x, *y]
    scale = np.mean([np.sum((a - b) ** 2) for a in both for b in both])

    def k(a, b):
        return np.mean([np.exp(-np.sum((a - b) ** 2) / (w * scale)) for w in widths])

    def mean(u, v):
        return np.mean([k(a, b) for a in u for b in v])

    return mean(x, x) + mean(y, y) - 2 * mean(x, y)


def test_maximum_mean_discrepancy_is_its_definition():
    x, y = FEATURES.astype("float64"), RNG.standard_normal((4, 6)) + 1.0
    told = float(losses.maximum_mean_discrepancy(ops.convert_to_tensor(x), ops.convert_to_tensor(y)))
    assert told == pytest.approx(mmd(x, y, (0.25, 0.5, 1.0, 2.0, 4.0)), abs=1e-5)
    assert float(losses.maximum_mean_discrepancy(ops.ones((3, 2)), ops.ones((5, 2)))) == pytest.approx(0, abs=1e-6)
    scaled = float(losses.maximum_mean_discrepancy(ops.convert_to_tensor(9 * x), ops.convert_to_tensor(9 * y)))
    assert scaled == pytest.approx(told, abs=1e-5)


def test_domain_discrepancy_knows_the_first_clips_as_the_source():
    layer = layers.DomainDiscrepancy(2)
    told = ops.convert_to_numpy(layer(FEATURES, FEATURES))
    wanted = mmd(FEATURES[:2].astype("float64"), FEATURES[2:].astype("float64"), (0.25, 0.5, 1.0, 2.0, 4.0))
    np.testing.assert_allclose(told, np.full(5, wanted), atol=1e-5)
    check_config_round_trip(layer)


@pytest.mark.parametrize("num_source", [0, 5, 16])
def test_domain_discrepancy_is_0_without_one_of_the_domains(num_source):
    layer = layers.DomainDiscrepancy(num_source)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(FEATURES, FEATURES)), np.zeros(5))
    slope = gradient(lambda x: ops.sum(layer(x, x)) + ops.sum(x), FEATURES)
    np.testing.assert_array_equal(slope, np.ones((5, 6)))


def test_common_and_left_out_parts_add_up():
    layer = layers.CommonSubspace(2, seed=1)
    common, rest = to_numpy(layer(FEATURES))
    basis = np.asarray(layer.basis)
    np.testing.assert_allclose(basis.T @ basis, np.eye(2), atol=1e-5)
    np.testing.assert_allclose(common @ basis.T + rest, FEATURES, atol=1e-5)
    np.testing.assert_allclose(rest @ basis, np.zeros((5, 2)), atol=1e-5)


def test_least_loss_of_features_finds_their_principal_components():
    """What the objective ``kept`` of dstl relies on, against the singular value decomposition."""
    data = RNG.standard_normal((64, 6)).astype("float32") * np.array([3, 2, 0.3, 0.2, 0.1, 0.1], "float32")
    data = data @ np.linalg.qr(RNG.standard_normal((6, 6)))[0].astype("float32")
    x = keras.Input((6,))
    layer = layers.CommonSubspace(2, seed=1)
    model = keras.Model(x, layer(x)[1])
    model.compile(keras.optimizers.Adam(3e-2), "mean_squared_error")
    for _ in range(300):
        model.train_on_batch(data, np.zeros_like(data))
    left_out = np.mean(model.predict_on_batch(data) ** 2)
    singular = np.linalg.svd(data, compute_uv=False)
    assert left_out == pytest.approx(np.sum(singular[2:] ** 2) / data.size, rel=0.02)


def test_the_map_moves_what_is_read_and_learns_from_the_other_answer_alone():
    layer = layers.SpecificMap(0.5)
    x = keras.Input((6,))
    read, fitted = layer(x)
    layer.matrix.assign(np.full((6, 6), 0.1))
    for answer in to_numpy(layer(FEATURES)):
        np.testing.assert_allclose(answer, FEATURES + FEATURES @ np.full((6, 6), 0.1), atol=1e-5)
    assert float(sum(layer.losses)) == pytest.approx(0.5 * 36 * 0.01, abs=1e-6)
    for output, moves in ((read, False), (fitted, True)):
        layer.matrix.assign(np.zeros((6, 6)))
        model = keras.Model(x, output)
        model.compile(keras.optimizers.SGD(0.1), "mean_squared_error")
        model.train_on_batch(FEATURES, FEATURES + 1.0)
        assert np.asarray(layer.matrix).any() == moves
