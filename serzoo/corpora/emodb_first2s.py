"""EmoDB in a derived form: 22.05 kHz, cut or padded with zeros to exactly 2.0 s.

All 535 utterances of EmoDB in seven emotions, as a well-known copy offers them. The zeros give away which utterances
are short (29 of 69 in fear, 4 of 62 in sadness), so the row of a padded file ends where its zeros begin. The utterances
are those of ``emodb``: the two are never to be mixed across training and test, and a figure on the first two seconds is
never to be set beside one on whole utterances. The name of this corpus stands with every figure for that.

Burkhardt, Paeschke, Rolfes, Sendlmeier, Weiss (2005), A database of German emotional speech, Interspeech.
https://doi.org/10.21437/Interspeech.2005-446
"""

from dataclasses import replace
from pathlib import Path

from serzoo.corpora import emodb
from serzoo.corpora.corpus import Scan

DURATION_S = 2.0

INFO = replace(
    emodb.INFO,
    name="emodb_first2s",
    title="Berlin Database of Emotional Speech (EmoDB), first two seconds",
    layout="535 files such as wav/03a01Fa.wav, each lasting 2.0 s",
    file_duration_s=DURATION_S,
    notes=(
        "derived: utterances are cut or padded to 2.0 s; zeros at the end are left out by the column end",
        "the same utterances as emodb: never train on one and test on the other",
        *emodb.INFO.notes,
    ),
)


def scan(root: Path) -> Scan:
    """Read the file names below a root, and where the sound of each file ends.

    Args:
        root: as for ``emodb``.

    Returns:
        The utterances and the skipped files, as for ``emodb``; ``start`` is 0 and ``end`` is the time of the last
        sample that is not zero where zeros follow it. Files that do not last 2.0 s are skipped.

    Example:
        >>> scan(Path("EmoDB_first2s_22k")).rows[0]["emotion"]  # doctest: +SKIP
        'happiness'
    """
    rows, skipped = [], {}
    whole, others = emodb.scan(root)
    for row in whole:
        end, duration = _end_of_sound(root / row["file"])
        if end is None:
            skipped.setdefault("cannot be read", []).append(row["file"])
        elif abs(duration - DURATION_S) > 1e-3:
            skipped.setdefault("does not last 2.0 s", []).append(row["file"])
        elif end == 0:
            skipped.setdefault("silent", []).append(row["file"])
        else:
            rows.append(row | {"corpus": INFO.name} | ({"start": 0.0, "end": end} if end < duration else {}))
    return Scan(rows, others | skipped)


def _end_of_sound(path: Path) -> tuple[float | None, float]:
    """Return the end of the last sample that is not zero, and the duration, in seconds."""
    import numpy as np
    import soundfile

    try:
        samples, rate = soundfile.read(path, dtype="int16", always_2d=True)
    except (soundfile.SoundFileError, OSError):
        return None, 0.0
    (heard,) = np.nonzero(samples.any(axis=1))
    return (float(heard[-1] + 1) / rate if len(heard) else 0.0), len(samples) / rate
