"""The real speech that every export is tried on before it is called done."""

import numpy as np

from serzoo import audio

MAX_S = 3.0


def clips() -> list[np.ndarray]:
    """The clips of :func:`serzoo.audio.examples`, 3 s of each at most.

    Returns:
        Waveforms ``(samples,)`` at 16 kHz, of different lengths.

    Example:
        >>> len(clips())
        4
    """
    return [audio.read(path)[: round(MAX_S * audio.SAMPLE_RATE_HZ)] for path in audio.examples()]
