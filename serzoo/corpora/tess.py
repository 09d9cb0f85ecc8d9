"""TESS, the Toronto emotional speech set.

Two women, one older (OAF) and one younger (YAF), speak 200 words after "Say the word" in seven emotions; 2,800
utterances, 24.4 kHz. The recordings stand in one folder, or in folders such as ``OAF_angry`` and
``YAF_pleasant_surprised``, which may stand in a folder named after the set; a well-known mirror holds everything twice.

A file name such as ``OAF_back_angry.wav`` reads: speaker, word, emotion (ps: pleasant surprise). One official name
lacks a letter of its speaker, ``OA_bite_neutral.wav``.

Pichora-Fuller, Dupuis (2020), Toronto emotional speech set (TESS). https://doi.org/10.5683/SP2/E8H2MF
"""

import re
from pathlib import Path
from typing import Any

from serzoo.corpora.corpus import CorpusInfo, Scan, find_files, scan_names, stem_of

_EMOTIONS = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "ps": "surprise",
    "sad": "sadness",
}
_SPEAKERS = {"OAF": "female", "YAF": "female"}
_PER_SPEAKER = {emotion: 200 for emotion in _EMOTIONS.values()}
_FILE_NAME = re.compile(r"(OAF?|YAF)_([a-z]+)_([a-z]+)", re.IGNORECASE)
_FOLDER = re.compile(r"((TESS\b|dataverse|tess)[^/]*|(OAF|YAF)_\w+)(/((TESS\b|tess)[^/]*|(OAF|YAF)_\w+))*")

INFO = CorpusInfo(
    name="tess",
    title="Toronto emotional speech set (TESS)",
    reference="Pichora-Fuller and Dupuis (2020), https://doi.org/10.5683/SP2/E8H2MF",
    url="https://tspace.library.utoronto.ca/handle/1807/24487",
    licence="CC-BY-NC-ND-4.0",
    layout="2800 files such as OAF_back_angry.wav or OAF_angry/OAF_back_angry.wav",
    emotions={emotion: count * len(_SPEAKERS) for emotion, count in _PER_SPEAKER.items()},
    speakers=_SPEAKERS,
    speaker_emotions={speaker: _PER_SPEAKER for speaker in _SPEAKERS},
    notes=(
        "two speakers: no protocol with training, validation and test speakers is possible on it alone",
        "both speak the same 200 words: figures on it are text-dependent",
        "the licence is the one that third-party lists state; the official page was not read",
    ),
)


def scan(root: Path) -> Scan:
    """Read the file names below a root.

    Args:
        root: existing folder that holds the recordings, or folders by speaker and emotion with them.

    Returns:
        The utterances and the skipped files. ``session`` is missing; ``text`` is what is said; ``word`` its last word.

    Example:
        >>> scan(Path("TESS")).rows[0]["text"]  # doctest: +SKIP
        'Say the word back'
    """
    return scan_names(INFO.name, find_files(root, max_depth=3), _row)


def _row(file: str) -> dict[str, Any] | str:
    match = _FILE_NAME.fullmatch(stem_of(file))
    if not match or match[3].lower() not in _EMOTIONS:
        return "not a TESS file name"
    folder = file.rpartition("/")[0]
    if folder and not _FOLDER.fullmatch(folder):
        return "outside the official folders"
    speaker, word = "YAF" if match[1].upper() == "YAF" else "OAF", match[2].lower()
    row = {"emotion": _EMOTIONS[match[3].lower()], "gender": _SPEAKERS[speaker], "speaker": speaker}
    return row | {"text": f"Say the word {word}", "word": word}
