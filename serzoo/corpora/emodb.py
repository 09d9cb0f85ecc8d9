"""EmoDB, the Berlin Database of Emotional Speech.

Ten actors, five women and five men, speak ten German sentences in seven emotions; 535 utterances, 16 kHz mono.
The official archive holds them in one folder, ``wav/``; the folder of the recordings itself is accepted as root too.

A file name such as ``03a01Fa.wav`` reads: speaker 03, sentence a01, emotion F (Freude: happiness), version a.

Burkhardt, Paeschke, Rolfes, Sendlmeier, Weiss (2005), A database of German emotional speech, Interspeech.
https://doi.org/10.21437/Interspeech.2005-446
"""

import re
from pathlib import Path
from typing import Any

from serzoo.corpora.corpus import CorpusInfo, Scan, find_files, scan_names, stem_of

# Initials of the German words: Wut, Langeweile, Ekel, Angst, Freude, Trauer, neutral.
_EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "N": "neutral",
    "T": "sadness",
}
_SPEAKERS = {
    "03": "male",
    "08": "female",
    "09": "female",
    "10": "male",
    "11": "male",
    "12": "male",
    "13": "female",
    "14": "female",
    "15": "male",
    "16": "female",
}
_TEXTS = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}
# Utterances by speaker, in the order of _EMOTIONS: anger, boredom, disgust, fear, happiness, neutral, sadness.
_COUNTS = {
    "03": (14, 5, 1, 4, 7, 11, 7),
    "08": (12, 10, 0, 6, 11, 10, 9),
    "09": (13, 4, 8, 1, 4, 9, 4),
    "10": (10, 8, 1, 8, 4, 4, 3),
    "11": (11, 8, 2, 10, 8, 9, 7),
    "12": (12, 5, 2, 6, 2, 4, 4),
    "13": (12, 10, 8, 7, 10, 9, 5),
    "14": (16, 8, 8, 12, 8, 7, 10),
    "15": (13, 9, 5, 8, 6, 11, 4),
    "16": (14, 14, 11, 7, 11, 5, 9),
}
_FILE_NAME = re.compile(r"(\d\d)([a-z]\d\d)([A-Z])([a-z])")

INFO = CorpusInfo(
    name="emodb",
    title="Berlin Database of Emotional Speech (EmoDB)",
    reference="Burkhardt et al. (2005), Interspeech, https://doi.org/10.21437/Interspeech.2005-446",
    url="http://emodb.bilderbar.info",
    licence="CC0-1.0",
    layout="535 files such as wav/03a01Fa.wav",
    emotions={"anger": 127, "boredom": 81, "disgust": 46, "fear": 69, "happiness": 71, "neutral": 79, "sadness": 62},
    speakers=_SPEAKERS,
    speaker_emotions={speaker: dict(zip(_EMOTIONS.values(), n, strict=True)) for speaker, n in _COUNTS.items()},
    emotions_stand_alone=True,
    notes=("the licence is the one that third-party copies state; the official page was not read",),
)


def scan(root: Path) -> Scan:
    """Read the file names below a root.

    Args:
        root: existing folder that holds the recordings, or a folder ``wav`` with them.

    Returns:
        The utterances and the skipped files. ``session`` is missing; ``text`` is the German sentence.

    Example:
        >>> scan(Path("EmoDB")).rows[0]["emotion"]  # doctest: +SKIP
        'happiness'
    """
    files = [file for file in find_files(root, max_depth=1) if file.rpartition("/")[0].lower() in ("", "wav")]
    return scan_names(INFO.name, files, _row)


def _row(file: str) -> dict[str, Any] | str:
    match = _FILE_NAME.fullmatch(stem_of(file))
    if not match or match[1] not in _SPEAKERS or match[2] not in _TEXTS or match[3] not in _EMOTIONS:
        return "not an EmoDB file name"
    speaker, text, emotion, _ = match.groups()
    return {"emotion": _EMOTIONS[emotion], "gender": _SPEAKERS[speaker], "speaker": speaker, "text": _TEXTS[text]}
