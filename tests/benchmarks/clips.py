"""The four clips that come with the repository, as many times as a benchmark needs them."""

from pathlib import Path

import numpy as np
import pandas as pd

FOLDER = Path(__file__).parents[1] / "data" / "emodb" / "wav"
CLASSES = ("anger", "happiness", "neutral", "sadness")


def table(rows: int) -> pd.DataFrame:
    """A table of clips as :class:`serzoo.pipeline.Clips` takes it; its root is ``{"emodb": FOLDER}``."""
    files = sorted(path.name for path in FOLDER.glob("*.wav"))
    chosen = np.arange(rows) % len(files)
    return pd.DataFrame(
        {
            "corpus": "emodb",
            "file": np.array(files)[chosen],
            "start": np.nan,
            "end": np.nan,
            "emotion": np.array(CLASSES)[chosen],
            "gender": np.array(["female", "male"])[chosen % 2],
        }
    )


def waveform(seconds: float) -> np.ndarray:
    """The clips one after the other, over and over, ``(samples,)`` float32 at 16 kHz."""
    from serzoo import audio

    clips = np.concatenate([audio.read(path) for path in sorted(FOLDER.glob("*.wav"))])
    return np.resize(clips, round(seconds * audio.SAMPLE_RATE_HZ))
