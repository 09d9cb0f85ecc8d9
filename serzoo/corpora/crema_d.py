"""CREMA-D, the Crowd-sourced Emotional Multimodal Actors Dataset: its sound.

Ninety-one actors, 43 women and 48 men, speak twelve English sentences in six emotions; 7,442 clips, 16 kHz. The
official repository holds them in ``AudioWAV/``; that folder itself is accepted as root too. The emotion is the one
that the actor was asked for, not the one that the raters heard.

A file name such as ``1001_IEO_ANG_HI.wav`` reads: actor, sentence, emotion, intensity (LO, MD, HI; XX where none was
asked for). One official name is cut short, ``1040_ITH_SAD_X.wav``. Another recording, ``1076_MTI_SAD_XX.wav``, holds no
sound and is left out.

Cao, Cooper, Keutmann, Gur, Nenkova, Verma (2014), CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset, IEEE
Transactions on Affective Computing 5(4). https://doi.org/10.1109/TAFFC.2014.2336244
"""

import re
from pathlib import Path
from typing import Any

from serzoo.corpora.corpus import CorpusInfo, Scan, find_files, scan_names, stem_of

_EMOTIONS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}
_INTENSITIES = {"LO": "low", "MD": "medium", "HI": "high"}
_TEXTS = {
    "IEO": "It's eleven o'clock",
    "TIE": "That is exactly what happened",
    "IOM": "I'm on my way to the meeting",
    "IWW": "I wonder what this is about",
    "TAI": "The airplane is almost full",
    "MTI": "Maybe tomorrow it will be cold",
    "IWL": "I would like a new alarm clock",
    "ITH": "I think I have a doctor's appointment",
    "DFA": "Don't forget a jacket",
    "ITS": "I think I've seen this before",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}
_WOMEN = (
    "1002 1003 1004 1006 1007 1008 1009 1010 1012 1013 1018 1020 1021 1024 1025 1028 1029 1030 1037 1043 1046 1047 "
    "1049 1052 1053 1054 1055 1056 1058 1060 1061 1063 1072 1073 1074 1075 1076 1078 1079 1082 1084 1089 1091"
).split()
_SPEAKERS = {str(actor): "female" if str(actor) in _WOMEN else "male" for actor in range(1001, 1092)}
_SILENT = "1076_MTI_SAD_XX"
_FILE_NAME = re.compile(r"(\d{4})_([A-Z]{3})_([A-Z]{3})_(LO|MD|HI|XX?)")

INFO = CorpusInfo(
    name="crema_d",
    title="Crowd-sourced Emotional Multimodal Actors Dataset (CREMA-D), sound",
    reference="Cao et al. (2014), IEEE Trans. Affective Computing 5(4), https://doi.org/10.1109/TAFFC.2014.2336244",
    url="https://github.com/CheyneyComputerScience/CREMA-D",
    licence="ODbL-1.0",
    layout="7442 files such as AudioWAV/1001_DFA_ANG_XX.wav",
    emotions={"anger": 1271, "disgust": 1271, "fear": 1271, "happiness": 1271, "neutral": 1087, "sadness": 1270},
    speakers=_SPEAKERS,
    notes=(
        "7442 clips officially; 1076_MTI_SAD_XX.wav holds no sound and is left out",
        "emotions are those that the actors were asked for; the raters often heard others",
        "third parties also report 1064_IEO_DIS_MD, 1064_TIE_SAD_XX and 1076_MTI_NEU_XX as damaged: they are kept",
        "all actors speak the same twelve sentences: figures on it are text-dependent",
        "official numbers by speaker were not found: speakers are counted, not checked",
    ),
)


def scan(root: Path) -> Scan:
    """Read the file names below a root.

    Args:
        root: existing folder that holds the recordings, or a folder ``AudioWAV`` with them.

    Returns:
        The utterances and the skipped files. ``session`` is missing; ``text`` is the sentence; ``intensity`` is
        ``"low"``, ``"medium"`` or ``"high"`` where the actor was asked for one.

    Example:
        >>> scan(Path("CREMA-D")).rows[0]["emotion"]  # doctest: +SKIP
        'anger'
    """
    files = [file for file in find_files(root, max_depth=1) if file.rpartition("/")[0].lower() in ("", "audiowav")]
    return scan_names(INFO.name, files, _row)


def _row(file: str) -> dict[str, Any] | str:
    match = _FILE_NAME.fullmatch(stem_of(file))
    if not match or match[1] not in _SPEAKERS or match[2] not in _TEXTS or match[3] not in _EMOTIONS:
        return "not a CREMA-D file name"
    if match[0] == _SILENT:
        return "known to hold no sound"
    speaker, text, emotion, intensity = match.groups()
    row = {"emotion": _EMOTIONS[emotion], "gender": _SPEAKERS[speaker], "speaker": speaker, "text": _TEXTS[text]}
    return row | ({"intensity": _INTENSITIES[intensity]} if intensity in _INTENSITIES else {})
