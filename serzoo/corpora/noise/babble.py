"""Babble: many speakers at once, summed from a speech corpus."""

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from serzoo.corpora.forms import FORM_OF
from serzoo.corpora.noise.waveform import noise_waveform
from serzoo.errors import CorpusError, SpeakerLeakError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def babble(
    table: "pd.DataFrame",
    roots: Mapping[str, str | PathLike],
    *,
    trained_on: Iterable[str],
    duration_s: float = 10.0,
    num_speakers: int = 6,
    seed: int = 0,
) -> "np.ndarray":
    """Sum several speakers, each speaking all the time and equally loud.

    Speakers are drawn without replacement. Each one's utterances are joined in a drawn order, their near-silent
    stretches cut out, until the duration is reached; who has too few begins again.

    Args:
        table: speech, from :func:`serzoo.corpora.read`.
        roots: root folder of each corpus.
        trained_on: names of the corpora that the model was or will be trained on: none of them may speak here,
            in whatever form.
        duration_s: length in seconds.
        num_speakers: voices at once.
        seed: seed of the draws.

    Returns:
        Waveform at 16 kHz, ``(samples,)`` float32, of RMS 0.1.

    Raises:
        SpeakerLeakError: if the table holds a corpus of ``trained_on``, or another form of one.
        CorpusError: if it has fewer speakers, or a root is missing.
        AudioError: if a file cannot be read.

    Example:
        >>> speech = corpora.read("emodb", "EmoDB")  # doctest: +SKIP
        >>> babble(speech, {"emodb": "EmoDB"}, trained_on=["ravdess"], duration_s=2.0).shape  # doctest: +SKIP
        (32000,)
    """
    import numpy as np

    from serzoo.audio import SAMPLE_RATE_HZ

    trained_on = set(trained_on)
    heard = {FORM_OF.get(corpus, corpus) for corpus in trained_on}
    if shared := sorted({corpus for corpus in table["corpus"] if FORM_OF.get(corpus, corpus) in heard}):
        raise SpeakerLeakError(
            f"Babble must come from speakers that the model never hears in training, so not from {', '.join(shared)}. "
            f"Trained on: {', '.join(sorted(trained_on))}."
        )
    if missing := sorted(set(table["corpus"]) - set(roots)):
        raise CorpusError(f"No root folder was given for: {', '.join(missing)}. Received: {', '.join(roots)}.")
    utterances = table.dropna(subset=["speaker"]).groupby(["corpus", "speaker"]).groups
    if not 1 <= num_speakers <= len(utterances):
        raise CorpusError(f"Babble of {num_speakers} speakers needs as many in the table. Received: {len(utterances)}.")
    rng = np.random.default_rng(seed)
    num_samples = round(duration_s * SAMPLE_RATE_HZ)
    total = np.zeros(num_samples)
    speakers = sorted(utterances)
    for number in rng.choice(len(speakers), num_speakers, replace=False):
        rows = table.loc[utterances[speakers[number]]]
        voice = _voice(rows.iloc[rng.permutation(len(rows))], roots, num_samples)
        total += voice / _rms(voice)
    return (0.1 * total / _rms(total)).astype("float32")


def _voice(rows: "pd.DataFrame", roots: Mapping[str, str | PathLike], num_samples: int) -> "np.ndarray":
    import numpy as np

    parts, length = [], 0
    for row in rows.itertuples():
        if length >= num_samples:
            break
        part = noise_waveform(Path(roots[row.corpus]) / row.file, start_s=row.start, end_s=row.end)
        parts.append(part)
        length += len(part)
    return np.resize(np.concatenate(parts), num_samples)  # begins again where it is too short


def _rms(samples: "np.ndarray") -> float:
    return float((samples.astype("float64") ** 2).mean() ** 0.5)
