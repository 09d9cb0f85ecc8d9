"""SAVEE, Surrey Audio-Visual Expressed Emotion: its sound.

Four British men speak TIMIT sentences in seven emotions; 480 utterances, 44.1 kHz. The official archive
``AudioData.zip`` holds a folder for each man, ``AudioData/DC/a01.wav``; a root is the folder above ``AudioData``,
``AudioData`` itself, or the folder ``ALL`` of a well-known mirror, whose names begin with the speaker: ``DC_a01.wav``.

Haq, Jackson (2010), Multimodal emotion recognition, in: Machine Audition, IGI Global.
https://doi.org/10.4018/978-1-61520-919-4.ch017
"""

import re
from pathlib import Path
from typing import Any

from serzoo.corpora.corpus import CorpusInfo, Scan, find_files, scan_names

_EMOTIONS = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}
_SPEAKERS = {"DC": "male", "JE": "male", "JK": "male", "KL": "male"}
_PER_SPEAKER = {emotion: 30 if emotion == "neutral" else 15 for emotion in _EMOTIONS.values()}
_FILE = re.compile(r"(?:AudioData/)?(?:(DC|JE|JK|KL)/|(?:ALL/)?(DC|JE|JK|KL)_)(a|d|f|h|n|sa|su)(\d\d)", re.IGNORECASE)

INFO = CorpusInfo(
    name="savee",
    title="Surrey Audio-Visual Expressed Emotion (SAVEE), sound",
    reference="Haq and Jackson (2010), Machine Audition, https://doi.org/10.4018/978-1-61520-919-4.ch017",
    url="http://kahlan.eps.surrey.ac.uk/savee/",
    licence="free for research, on registration",
    layout="480 files such as AudioData/DC/a01.wav",
    emotions={emotion: count * len(_SPEAKERS) for emotion, count in _PER_SPEAKER.items()},
    speakers=_SPEAKERS,
    speaker_emotions={speaker: _PER_SPEAKER for speaker in _SPEAKERS},
    notes=("men only", "the sentences are not written in the archive's file names: text is missing"),
)


def scan(root: Path) -> Scan:
    """Read the file names below a root.

    Args:
        root: existing folder that holds ``AudioData``, the folders of the speakers, or ``DC_a01.wav`` and the like.

    Returns:
        The utterances and the skipped files. ``session`` and ``text`` are missing.

    Example:
        >>> scan(Path("SAVEE")).rows[0]["speaker"]  # doctest: +SKIP
        'DC'
    """
    return scan_names(INFO.name, find_files(root, max_depth=2), _row, key=lambda file: _identity(file)[::2])


def _identity(file: str) -> tuple[str, str, str] | None:
    """Tell speaker, emotion code and number of a recording."""
    match = _FILE.fullmatch(file.rpartition(".")[0])
    if not match:
        return None
    return (match[1] or match[2]).upper(), match[3].lower(), match[3].lower() + match[4]


def _row(file: str) -> dict[str, Any] | str:
    found = _identity(file)
    if not found:
        return "not a SAVEE file name"
    speaker, emotion, _ = found
    return {"emotion": _EMOTIONS[emotion], "gender": _SPEAKERS[speaker], "speaker": speaker}
