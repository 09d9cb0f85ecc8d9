"""Standardize against NumPy on the valid frames."""

import numpy as np
import pytest
from gradients import gradient
from keras import ops

from serzoo.layers import Standardize

RNG = np.random.default_rng(0)
X = (5.0 + 3.0 * RNG.standard_normal((3, 30, 4, 3))).astype("float32")
NUM_FRAMES = np.array([30, 17, 1], "int32")


def run(layer, x=X, num_frames=NUM_FRAMES):
    return ops.convert_to_numpy(layer(ops.convert_to_tensor(x), ops.convert_to_tensor(num_frames)))


@pytest.mark.parametrize(("axes", "numpy_axes"), [("time", 0), ("all", (0, 1))])
def test_utterance(axes, numpy_axes):
    y = run(Standardize(axes=axes))
    for clip, frames in enumerate(NUM_FRAMES):
        valid = X[clip, :frames].astype("float64")
        expected = (valid - valid.mean(numpy_axes)) / (valid.std(numpy_axes) + 1e-3)
        np.testing.assert_allclose(y[clip, :frames], expected, atol=1e-5)
        assert not y[clip, frames:].any()


@pytest.mark.parametrize(("axes", "numpy_axes"), [("time", 0), ("all", (0, 1))])
def test_global(axes, numpy_axes):
    clips = [X[0], X[1, :17], X[1, :0], X[2, :1]]
    layer = Standardize(mode="global", axes=axes)
    layer.adapt(iter(clips))
    together = np.concatenate(clips).astype("float64")
    expected = (X - together.mean(numpy_axes)) / (together.std(numpy_axes) + 1e-3)
    y = run(layer)
    for clip, frames in enumerate(NUM_FRAMES):
        np.testing.assert_allclose(y[clip, :frames], expected[clip, :frames], atol=1e-5)
        assert not y[clip, frames:].any()
    assert not layer.trainable_weights
    assert [w.shape for w in layer.weights] == [(4, 3), (4, 3)]


@pytest.mark.parametrize("axes", ["time", "all"])
def test_active_frames(axes):
    """Frames within 30 dB of the loudest count in full, the next 10 dB ever less, the rest not at all."""
    valid = 4.0 + X[0].astype("float64") / 5  # all within 30 dB
    loudest = np.log(np.exp(valid[..., 0]).sum(1)).max()
    powers = loudest - np.log(valid.shape[1])  # a frame of equal bands with the level of the loudest
    quiet = np.stack([np.full((4, 3), powers - db * np.log(10) / 10) for db in (35.0, 39.0, 41.0, 90.0)])
    quiet[..., 1:] = 7.0
    x = np.concatenate([valid, quiet])
    weight = np.array([1.0] * len(valid) + [0.5, 0.1, 0.0, 0.0])[:, None, None]
    numpy_axes = (0, 1) if axes == "all" else 0
    total = weight.sum() * (4 if axes == "all" else 1)
    mean = (x * weight).sum(numpy_axes) / total
    std = np.sqrt(((x - mean) ** 2 * weight).sum(numpy_axes) / total)
    y = run(Standardize(axes=axes, active_db=30.0), x[None].astype("float32"), np.array([len(x)], "int32"))
    np.testing.assert_allclose(y[0], (x - mean) / (std + 1e-3), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("axes", ["time", "all"])
def test_constants_come_out_as_zero(axes):
    """Log-mel of digital silence, whose mean is not a float32 number for most lengths."""
    x = np.full((2, 50, 4, 3), np.log(1e-7), "float32")
    assert not run(Standardize(axes=axes), x, np.array([49, 7], "int32")).any()


def test_the_gradient_of_a_constant_is_finite():
    """A square root of a variance of zero would make it NaN."""
    layer = Standardize()
    x = np.ones((1, 5, 2, 3), "float32")
    n = ops.convert_to_tensor(np.array([5], "int32"))
    assert np.isfinite(gradient(lambda x: ops.sum(ops.square(layer(x, n))), x)).all()


def test_errors():
    with pytest.raises(ValueError, match="mode must be 'utterance' or 'global'. Received: 'speaker'"):
        Standardize(mode="speaker")
    with pytest.raises(ValueError, match="axes must be"):
        Standardize(axes="mel")
    with pytest.raises(ValueError, match="active_db must be > 0, with mode='utterance'. Received: 0"):
        Standardize(active_db=0)
    with pytest.raises(ValueError, match="active_db must be > 0, with mode='utterance'"):
        Standardize(mode="global", active_db=30.0)
    with pytest.raises(ValueError, match="epsilon must be > 0"):
        Standardize(epsilon=0.0)
    with pytest.raises(ValueError, match="only mode='global'"):
        Standardize().adapt([X[0]])
    with pytest.raises(ValueError, match="at least one frame"):
        Standardize(mode="global").adapt([])
    with pytest.raises(ValueError, match=r"\(frames, mels, channels\)"):
        Standardize(mode="global").adapt([X])
