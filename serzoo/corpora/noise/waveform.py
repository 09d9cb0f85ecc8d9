"""The sound of a noise, without its near-silent stretches."""

from os import PathLike
from typing import TYPE_CHECKING

from serzoo.errors import CorpusError

if TYPE_CHECKING:
    import numpy as np

FRAME_S = 0.05
BELOW_LOUDEST_DB = 40.0
SHORTEST_SILENCE_S = 0.25
SILENT_PEAK = 1e-4  # -80 dB below full scale


def noise_waveform(path: str | PathLike, *, start_s: float | None = None, end_s: float | None = None) -> "np.ndarray":
    """Read a noise and cut its near-silent stretches out.

    Clips of short events, such as a bark, are filled up with silence, and mixing that in adds nothing. What goes are
    stretches of 0.25 s or longer in which every frame of 50 ms has an RMS more than 40 dB below that of the loudest
    frame; shorter pauses, as those of a clock, stay. What remains is joined as it is: the edges lie 40 dB below the
    loudest frame.

    Args:
        path: the file, at any rate; it takes the arguments of :func:`serzoo.audio.read`.
        start_s: where an excerpt starts, in seconds; None or NaN is the beginning.
        end_s: where it ends, in seconds; None or NaN is the end.

    Returns:
        Mono float32 waveform at 16 kHz, ``(samples,)``, of one frame or more.

    Raises:
        MissingFileError: if the file does not exist.
        AudioError: if it cannot be read, or has NaN or infinite samples.
        CorpusError: if it never exceeds -80 dB below full scale.

    Example:
        >>> noise_waveform("tests/data/emodb/wav/03a01Wa.wav").shape
        (30045,)
    """
    import numpy as np

    from serzoo import audio

    samples = audio.read(path, start_s=start_s, end_s=end_s)
    if np.abs(samples).max() < SILENT_PEAK:
        raise CorpusError(f"The noise {path} is silent: it never exceeds -80 dB below full scale.")
    return without_silence(samples)


def without_silence(samples: "np.ndarray") -> "np.ndarray":
    """Cut the near-silent stretches out of a 16 kHz waveform, by the rule of :func:`noise_waveform`."""
    import numpy as np

    from serzoo.audio import SAMPLE_RATE_HZ

    size = round(FRAME_S * SAMPLE_RATE_HZ)
    frames = np.pad(samples, (0, -len(samples) % size)).reshape(-1, size)
    level = np.sqrt(np.mean(np.square(frames, dtype="float64"), axis=1))
    quiet = level < level.max() * 10 ** (-BELOW_LOUDEST_DB / 20)
    edges = np.flatnonzero(np.diff(quiet, prepend=False, append=False)).reshape(-1, 2)
    keep = np.ones(len(frames), bool)
    for first, past in edges:
        keep[first:past] = (past - first) * FRAME_S < SHORTEST_SILENCE_S
    return samples[np.repeat(keep, size)[: len(samples)]]
