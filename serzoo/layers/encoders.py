"""What the shared-private models are put together from: the first convolutions, and an encoder on top of them."""

import functools
from collections.abc import Sequence

import keras

from serzoo.layers.bidirectional_lstm import BidirectionalLSTM
from serzoo.layers.conv_block import ConvBlock

# Every layer here leaves zeros in the padding.
_conv = functools.partial(ConvBlock, mask_input=False)


def conv_stem(x, num_frames, filters: Sequence[int], *, dropout: float, name: str):
    """Chain the two convolutions that every encoder reads from; they divide the frames by 4 and the mels by 8.

    Args:
        x: spectrogram, shape ``(batch, frames, mels, channels)``.
        num_frames: valid frames of each clip, shape ``(batch,)``.
        filters: maps of the two convolutions.
        dropout: share of the outputs dropped in training.
        name: start of the names of the layers.

    Returns:
        Features of shape ``(batch, frames/4, mels/8, filters[1])`` and their valid lengths.
    """
    first, second = filters
    x, n = _conv(first, 5, strides=2, pool_size=(1, 2), name=f"{name}_conv1")(x, num_frames)
    return _conv(second, 3, pool_size=2, dropout=dropout, name=f"{name}_conv2")(x, n)


def frame_encoder(x, num_frames, filters: Sequence[int], units: int, *, dropout: float, name: str):
    """Chain three convolutions and a BLSTM.

    Args:
        x: features, shape ``(batch, frames, bands, channels)``, as of :func:`conv_stem`.
        num_frames: valid frames of each clip, shape ``(batch,)``.
        filters: maps of the three convolutions.
        units: units of each direction of the BLSTM.
        dropout: share of the features dropped before the recurrence; a third of it within the convolutions.
        name: start of the names of the layers.

    Returns:
        Features of shape ``(batch, frames, 2 * units)``.
    """
    c1, c2, c3 = filters
    x, n = _conv(c1, 3, name=f"{name}_conv1")(x, num_frames)  # (batch, frames, bands, c1)
    x, n = _conv(c2, 3, pool_size=(1, 2), dropout=dropout / 3, name=f"{name}_conv2")(x, n)  # (.., bands/2, c2)
    x, n = _conv(c3, 3, name=f"{name}_conv3")(x, n)  # (batch, frames, bands/2, c3)
    x = keras.layers.Reshape((-1, x.shape[2] * x.shape[3]), name=f"{name}_flatten")(x)  # (.., bands/2 * c3)
    x = keras.layers.Dropout(dropout, name=f"{name}_dropout")(x)
    return BidirectionalLSTM(units, name=f"{name}_blstm")(x, n)


def noise_encoder(x, num_frames, filters: Sequence[int], units: int, *, dropout: float, name: str):
    """Chain three convolutions, the first with stride 2 in time and frequency, and a BLSTM.

    Args:
        x: spectrogram, shape ``(batch, frames, mels, channels)``, standardised over all bands at once: band by band, a
            steady noise would be taken away before anyone can recognise it.
        num_frames: valid frames of each clip, shape ``(batch,)``.
        filters: maps of the three convolutions.
        units: units of each direction of the BLSTM.
        dropout: share of the features dropped before the recurrence.
        name: start of the names of the layers.

    Returns:
        Features of shape ``(batch, frames/4, 2 * units)``, on the grid of :func:`conv_stem`.
    """
    c1, c2, c3 = filters
    x, n = conv_stem(x, num_frames, (c1, c2), dropout=0.0, name=name)  # (batch, frames/4, mels/8, c2)
    x, n = _conv(c3, 3, pool_size=(1, 2), name=f"{name}_conv3")(x, n)  # (batch, frames/4, mels/16, c3)
    x = keras.layers.Reshape((-1, x.shape[2] * x.shape[3]), name=f"{name}_flatten")(x)  # (.., mels/16 * c3)
    x = keras.layers.Dropout(dropout, name=f"{name}_dropout")(x)
    return BidirectionalLSTM(units, name=f"{name}_blstm")(x, n)
