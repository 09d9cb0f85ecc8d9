"""Zero mean and unit deviation, of each clip or of the training set."""

import math

import keras
import numpy as np
from keras import ops

from serzoo.layers.valid_mask import valid_mask


@keras.saving.register_keras_serializable("serzoo")
class Standardize(keras.layers.Layer):
    """Bring features to zero mean and unit standard deviation: ``(x - mean) / (std + epsilon)``.

    With ``mode="utterance"`` mean and deviation are those of the clip's own valid frames, for each channel, and for
    each mel as well unless ``axes="all"``; with ``active_db``, of its louder frames only, so that silence around the
    speech changes nothing. With ``mode="global"`` they are non-trainable weights, which :meth:`adapt` sets from
    training features. Always float32.

    Args:
        mode: ``"utterance"`` or ``"global"``.
        axes: ``"time"`` for one mean and deviation per mel and channel, ``"all"`` for one per channel.
        active_db: count only frames whose level is within so many dB of the clip's loudest one, and ever less of those
            up to 10 dB below them; None for all frames. Channel 0 must then be the natural logarithm of powers, as from
            :class:`serzoo.layers.LogMel`.
        epsilon: added to the deviation. The default is under 3 % of the deviation of the delta-deltas of speech, the
            smallest that occur, and so large that a constant band, as in digital silence, comes out as 0.

    Call arguments:
        x: features, shape ``(batch, frames, mels, channels)``; finite in the padding, too.
        num_frames: valid frames of each clip, integers of shape ``(batch,)``.

    Output shape:
        Same as ``x``; zero beyond ``num_frames``.

    Raises:
        ValueError: if an argument is out of its range, or if :meth:`adapt` gets no frames.

    Example:
        >>> layer = Standardize(mode="global")
        >>> layer.adapt([np.ones((10, 64, 3)), np.zeros((5, 64, 3))])
    """

    def __init__(self, mode="utterance", axes="time", active_db=None, epsilon=1e-3, **kwargs):
        kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        if mode not in ("utterance", "global"):
            raise ValueError(f"Standardize: mode must be 'utterance' or 'global'. Received: {mode!r}.")
        if axes not in ("time", "all"):
            raise ValueError(f"Standardize: axes must be 'time' or 'all'. Received: {axes!r}.")
        if active_db is not None and (mode == "global" or not active_db > 0):
            raise ValueError(f"Standardize: active_db must be > 0, with mode='utterance'. Received: {active_db!r}.")
        if not epsilon > 0:
            raise ValueError(f"Standardize: epsilon must be > 0. Received: {epsilon!r}.")
        self.mode = mode
        self.axes = axes
        self.active_db = active_db
        self.epsilon = epsilon

    def build(self, x_shape, num_frames_shape=None):
        """Create the weights of ``mode="global"``: ``mean`` and ``std`` of shape ``(mels, channels)``."""
        if self.mode == "global":
            shape = tuple(x_shape[2:])
            self.mean = self.add_weight(name="mean", shape=shape, initializer="zeros", trainable=False)
            self.std = self.add_weight(name="std", shape=shape, initializer="ones", trainable=False)

    def adapt(self, features):
        """Set the weights of ``mode="global"`` from training features.

        Args:
            features: iterable of arrays ``(frames, mels, channels)``, valid frames only; it is read once.
        """
        if self.mode != "global":
            raise ValueError(f"Standardize: only mode='global' is adapted. Received: mode={self.mode!r}.")
        count, mean, spread = 0, 0.0, 0.0
        for array in features:
            array = np.asarray(array, "float64")
            if array.ndim != 3:
                raise ValueError(f"Standardize: adapt takes (frames, mels, channels). Received: shape {array.shape}.")
            if not len(array):
                continue
            if not self.built:
                self.build((None, *array.shape))
                self.built = True
            axis = (0, 1) if self.axes == "all" else 0
            size = array[..., 0].size if self.axes == "all" else len(array)
            array_mean = array.mean(axis)
            shift = array_mean - mean
            # Merging means and squared deviations loses no digits, unlike sums of squares.
            spread = spread + ((array - array_mean) ** 2).sum(axis) + shift**2 * (count * size / (count + size))
            mean = mean + shift * (size / (count + size))
            count += size
        if not count:
            raise ValueError("Standardize: adapt needs at least one frame. Received: none.")
        self.mean.assign(np.broadcast_to(mean, self.mean.shape).astype("float32"))
        self.std.assign(np.broadcast_to(np.sqrt(spread / count), self.std.shape).astype("float32"))

    def call(self, x, num_frames):
        mask = valid_mask(num_frames, ops.shape(x)[1])[:, :, None, None]
        if self.mode == "global":
            return ops.where(mask, (x - self.mean) / (self.std + self.epsilon), 0.0)
        axes = (1, 2) if self.axes == "all" else (1,)
        weight = ops.cast(mask, "float32") if self.active_db is None else self._activity(x, mask)
        count = ops.sum(weight, axis=1, keepdims=True)
        count = ops.maximum(count * x.shape[2] if self.axes == "all" else count, 1.0)
        # Relative to one of its values a constant is exactly 0: its rounding error would be divided by epsilon.
        x = x - (x[:, :1, :1] if self.axes == "all" else x[:, :1])
        # Masked by products: a CPU is slow at choosing between arrays by a mask of fewer dimensions.
        mean = ops.sum(x * weight, axis=axes, keepdims=True) / count
        x = (x - mean) * ops.cast(mask, "float32")
        variance = ops.sum(ops.square(x) * weight, axis=axes, keepdims=True) / count
        std = ops.sqrt(ops.maximum(variance, 1e-12))  # the square root has no gradient at 0
        return x / (std + self.epsilon)

    def compute_output_shape(self, x_shape, num_frames_shape):
        return tuple(x_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "mode": self.mode,
            "axes": self.axes,
            "active_db": self.active_db,
            "epsilon": self.epsilon,
        }

    def _activity(self, x, mask):
        """Weight of each frame, 0 to 1: a ramp, since of a hard threshold rounding would decide."""
        db = ops.logsumexp(x[..., :1], axis=2, keepdims=True) * (10 / math.log(10))  # (batch, frames, 1, 1)
        db = ops.where(mask, db, -1e9)
        below_peak = ops.max(db, axis=1, keepdims=True) - db
        return ops.clip(1.0 - (below_peak - self.active_db) / 10.0, 0.0, 1.0)
