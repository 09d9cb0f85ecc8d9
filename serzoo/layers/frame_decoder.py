"""Decoder from latent steps to the frames of a spectrogram."""

import keras
from keras import ops


@keras.saving.register_keras_serializable("serzoo")
class FrameDecoder(keras.layers.Layer):
    """Draw a spectrogram from a shorter sequence of latents: each step, seen with its neighbours, gives some frames.

    A convolution over five steps with ReLU, then one linear layer whose outputs are the frames of the step. What it
    draws in the padding means nothing.

    Args:
        units: size of the hidden layer.
        upsampling: frames that each step gives.

    Call arguments:
        x: latents, shape ``(batch, steps, features)``, zero in the padding.
        like: the spectrogram to draw, shape ``(batch, frames, mels)`` with ``frames <= steps * upsampling``; only its
            shape counts.

    Output shape:
        That of ``like``, float32.

    Example:
        >>> decoder = FrameDecoder(128, upsampling=4)
        >>> tuple(decoder(ops.ones((2, 10, 64)), ops.ones((2, 38, 40))).shape)
        (2, 38, 40)
    """

    def __init__(self, units, upsampling, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.upsampling = upsampling

    def build(self, x_shape, like_shape):
        """Build the two layers."""
        frames = self.upsampling * like_shape[-1]
        self.hidden = keras.layers.Conv1D(
            self.units,
            5,
            padding="same",
            data_format="channels_last",
            activation="relu",
            dtype=self.dtype_policy,
            trainable=self.trainable,
            name="hidden",
        )
        self.frames = keras.layers.Dense(frames, dtype="float32", trainable=self.trainable, name="frames")
        self.hidden.build(x_shape)
        self.frames.build((*x_shape[:-1], self.units))

    def call(self, x, like):
        y = self.frames(self.hidden(x))  # (batch, steps, upsampling * mels)
        y = ops.reshape(y, (ops.shape(x)[0], -1, like.shape[-1]))
        return y[:, : ops.shape(like)[1]]

    def compute_output_shape(self, x_shape, like_shape):
        return tuple(like_shape)

    def compute_output_spec(self, x, like):
        return keras.KerasTensor(like.shape, dtype="float32")

    def get_config(self):
        return {**super().get_config(), "units": self.units, "upsampling": self.upsampling}
