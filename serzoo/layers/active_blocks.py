"""Where a waveform is loud enough to count as sound: blocks, by their level."""

from keras import ops

from serzoo.layers.valid_mask import valid_mask


def active_blocks(waveform, num_samples, block_samples=320, range_db=30.0):
    """Tell the blocks of a clip whose level comes within ``range_db`` of its loudest block.

    Args:
        waveform: floats of shape ``(batch, samples)``.
        num_samples: valid samples of each clip, integers of shape ``(batch,)``.
        block_samples: samples in a block; 320 are 20 ms at 16 kHz.
        range_db: how far below the loudest block a block still counts, in dB.

    Returns:
        Booleans of shape ``(batch, ceil(samples / block_samples))``; false where nothing is valid, and everywhere in
        digital silence. The level of a block that the clip ends in is that of its valid samples.

    Example:
        >>> active = active_blocks(ops.array([[0.0, 0.0, 1.0, 1.0]]), ops.array([4]), block_samples=2)
        >>> ops.convert_to_numpy(active).tolist()
        [[False, True]]
    """
    samples = ops.shape(waveform)[1]
    valid = ops.cast(valid_mask(num_samples, samples), "float32")
    squares = ops.square(ops.where(valid > 0, ops.cast(waveform, "float32"), 0.0))
    energy, count = _block_sums(squares, block_samples), _block_sums(valid, block_samples)
    level = energy / ops.maximum(count, 1.0)
    loudest = ops.max(level, axis=1, keepdims=True)
    return (level > 0.0) & (level >= loudest * 10.0 ** (-range_db / 10.0))


def active_samples(waveform, num_samples, block_samples=320, range_db=30.0):
    """Tell the valid samples of the blocks that :func:`active_blocks` finds.

    Args:
        waveform: as of :func:`active_blocks`.
        num_samples: as of :func:`active_blocks`.
        block_samples: as of :func:`active_blocks`.
        range_db: as of :func:`active_blocks`.

    Returns:
        Booleans, same shape as ``waveform``.
    """
    samples = ops.shape(waveform)[1]
    active = ops.repeat(active_blocks(waveform, num_samples, block_samples, range_db), block_samples, axis=1)
    return active[:, :samples] & valid_mask(num_samples, samples)


def _block_sums(x, size):
    """Sum every ``size`` neighbours, ``(batch, samples)`` to ``(batch, ceil(samples / size))``."""
    # A fixed pad, and a pooling that drops what is left over: no size depends on the number of samples.
    x = ops.pad(x, [[0, 0], [0, size - 1]])
    return (
        ops.average_pool(x[:, :, None], size, strides=size, padding="valid", data_format="channels_last")[:, :, 0]
        * size
    )
