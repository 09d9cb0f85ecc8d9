"""Deltas against librosa, the formula written out, and straight lines."""

import librosa
import numpy as np
import pytest
from keras import ops

from serzoo.layers import Deltas

RNG = np.random.default_rng(0)


def run(x, num_frames, width=2):
    return ops.convert_to_numpy(Deltas(width)(ops.convert_to_tensor(x), ops.convert_to_tensor(num_frames)))


@pytest.mark.parametrize("width", [1, 2, 4])
def test_librosa(width):
    x = RNG.standard_normal((2, 40, 8)).astype("float32")
    y = run(x, np.array([40, 23], "int32"), width)
    for clip, frames in enumerate([40, 23]):
        static = x[clip, :frames].astype("float64").T
        delta = librosa.feature.delta(static, width=2 * width + 1, mode="nearest")
        delta_delta = librosa.feature.delta(delta, width=2 * width + 1, mode="nearest")
        expected = np.stack([static.T, delta.T, delta_delta.T], axis=-1)
        np.testing.assert_allclose(y[clip, :frames], expected, atol=1e-6)
        assert not y[clip, frames:].any()


def test_the_formula():
    """Also where the clip is shorter than the regression, which librosa refuses."""
    for frames in (1, 2, 3, 7):
        x = RNG.standard_normal((1, 9, 2)).astype("float32")
        y = run(x, np.array([frames], "int32"))[0]

        def regress(track, frames=frames):
            at = lambda t: track[min(max(t, 0), frames - 1)]  # noqa: E731
            return np.array([((at(t + 1) - at(t - 1)) + 2 * (at(t + 2) - at(t - 2))) / 10 for t in range(frames)])

        delta = regress(x[0])
        np.testing.assert_allclose(y[:frames, :, 1], delta, atol=1e-6)
        np.testing.assert_allclose(y[:frames, :, 2], regress(delta), atol=1e-6)


def test_a_line_has_its_slope():
    line = 3.0 * np.arange(20, dtype="float32")[None, :, None] + 5.0
    y = run(line, np.array([20], "int32"))[0, :, 0]
    np.testing.assert_allclose(y[2:-2, 1], 3.0, rtol=1e-6)
    np.testing.assert_allclose(y[4:-4, 2], 0.0, atol=1e-5)


def test_deltas_are_float32_under_every_policy():
    x = ops.convert_to_tensor(RNG.standard_normal((1, 9, 2)).astype("float32"))
    y = Deltas(dtype="mixed_float16")(x, ops.convert_to_tensor(np.array([9], "int32")))
    np.testing.assert_array_equal(ops.convert_to_numpy(y), run(x, np.array([9], "int32")))


def test_errors():
    with pytest.raises(ValueError, match="width must be an integer >= 1. Received: 0"):
        Deltas(0)
