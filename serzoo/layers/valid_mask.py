"""Masks from lengths: padding is known by its position, never by its values."""

from keras import ops


def valid_mask(lengths, size):
    """Tell the valid positions of each row from the padding after them.

    Args:
        lengths: number of valid positions, integers of shape ``(batch,)``.
        size: length of the padded axis, an integer or a scalar tensor.

    Returns:
        Booleans of shape ``(batch, size)``, true where ``position < length``.

    Example:
        >>> ops.convert_to_numpy(valid_mask(ops.array([1, 3]), 3)).tolist()
        [[True, False, False], [True, True, True]]
    """
    positions = ops.arange(size, dtype="int32")
    return positions[None, :] < ops.cast(lengths, "int32")[:, None]
