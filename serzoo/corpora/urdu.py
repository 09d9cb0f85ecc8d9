"""URDU, utterances from Urdu talk shows.

Four hundred utterances in four emotions by unscripted speakers, 44.1 kHz, in the folders ``Angry``, ``Happy``,
``Neutral`` and ``Sad`` of the official repository. A file name such as ``SM5_F19_N047.wav`` reads: speaker (M man, F
woman, number), number of the file of that speaker, emotion and number within it.

Latif, Qayyum, Usman, Qadir (2018), Cross lingual speech emotion recognition: Urdu vs. Western languages, FIT.
https://doi.org/10.1109/FIT.2018.00023
"""

import re
from pathlib import Path
from typing import Any

from serzoo.corpora.corpus import CorpusInfo, Scan, find_files, scan_names, stem_of

_EMOTIONS = {"A": "anger", "H": "happiness", "N": "neutral", "S": "sadness"}
_FOLDERS = {"angry": "A", "happy": "H", "neutral": "N", "sad": "S"}
_FILE_NAME = re.compile(r"(S([MF])\d+)_F\d+_([AHNS])\d+", re.IGNORECASE)

INFO = CorpusInfo(
    name="urdu",
    title="URDU, emotional utterances from Urdu talk shows",
    reference="Latif et al. (2018), FIT, https://doi.org/10.1109/FIT.2018.00023",
    url="https://github.com/siddiquelatif/URDU-Dataset",
    licence="free for research",
    layout="400 files such as Angry/SM1_F1_A01.wav",
    emotions={emotion: 100 for emotion in _EMOTIONS.values()},
    speakers={},
    notes=(
        "the paper speaks of 38 speakers, EmoBox counts 29 in the file names: speakers are counted, not checked",
        "one man, SM5, speaks 72 of the 100 neutral ones: speaker and emotion are entangled",
        "the terms of use could not be verified",
    ),
)


def scan(root: Path) -> Scan:
    """Read the file names below a root.

    Args:
        root: existing folder that holds the folders by emotion, or a folder with them in it.

    Returns:
        The utterances and the skipped files. ``session`` and ``text`` are missing.

    Example:
        >>> scan(Path("URDU-Dataset")).rows[0]["speaker"]  # doctest: +SKIP
        'SF1'
    """
    return scan_names(INFO.name, find_files(root, max_depth=2), _row)


def _row(file: str) -> dict[str, Any] | str:
    match = _FILE_NAME.fullmatch(stem_of(file).upper())
    if not match:
        return "not a URDU file name"
    speaker, sex, emotion = match.groups()
    folder = file.rpartition("/")[0].rpartition("/")[2].lower()
    if folder not in _FOLDERS:
        return "outside the official folders"
    if _FOLDERS[folder] != emotion:
        return "name and folder tell different emotions"
    return {"emotion": _EMOTIONS[emotion], "gender": "male" if sex == "M" else "female", "speaker": speaker}
