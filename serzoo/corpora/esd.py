"""ESD, the Emotional Speech Database.

Ten Mandarin and ten English speakers, half of each women, speak 350 parallel sentences in five emotions; 35,000
utterances, 16 kHz. The official archive holds a folder for each speaker, 0001 to 0010 Mandarin and 0011 to 0020
English, with a folder for each emotion and a list of the sentences, ``0001/0001.txt``. In its first release the emotion
folders are divided into ``train``, ``evaluation`` and ``test``; both forms are accepted, alone or in a folder named
after the corpus. The lists are written in different encodings.

Zhou, Sisman, Liu, Li (2022), Emotional voice conversion: theory, databases and ESD, Speech Communication 137.
https://doi.org/10.1016/j.specom.2021.11.006
"""

import re
from pathlib import Path
from typing import Any

from serzoo.corpora.corpus import CorpusInfo, Scan, find_files, read_text, scan_names

_EMOTIONS = {
    "angry": "anger",
    "happy": "happiness",
    "neutral": "neutral",
    "sad": "sadness",
    "surprise": "surprise",
}
_MEN = {4, 5, 6, 8, 10, 11, 12, 13, 14, 20}
_SPEAKERS = {f"{number:04d}": "male" if number in _MEN else "female" for number in range(1, 21)}
_PER_SPEAKER = {emotion: 350 for emotion in _EMOTIONS.values()}
_OUTER = r"(?:Emotion(?:al)? Speech Dataset[^/]*/|ESD/){0,2}"
_FILE = re.compile(
    rf"({_OUTER}(\d{{4}})/)(Angry|Happy|Neutral|Sad|Surprise)/(?:(train|evaluation|test)/)?((\d{{4}})_\d{{6}})",
    re.IGNORECASE,
)

INFO = CorpusInfo(
    name="esd",
    title="Emotional Speech Database (ESD)",
    reference="Zhou et al. (2022), Speech Communication 137, https://doi.org/10.1016/j.specom.2021.11.006",
    url="https://hltsingapore.github.io/ESD/",
    licence="free for research, on request",
    layout="35000 files such as 0011/Angry/0011_000351.wav",
    emotions={emotion: count * len(_SPEAKERS) for emotion, count in _PER_SPEAKER.items()},
    speakers=_SPEAKERS,
    speaker_emotions={speaker: _PER_SPEAKER for speaker in _SPEAKERS},
    notes=(
        "speakers 0001 to 0010 speak Mandarin, 0011 to 0020 English",
        "all speakers of a language speak the same 350 sentences: figures on it are text-dependent",
        "the official folders train, evaluation and test share speakers: they are a column, not a protocol",
    ),
)


def scan(root: Path) -> Scan:
    """Read the file names and the lists of sentences below a root.

    Args:
        root: existing folder that holds the folders of the speakers, or a folder of the corpus' name with them.

    Returns:
        The utterances and the skipped files. ``session`` is missing; ``text`` is the sentence where the list can be
        read; ``language`` is ``"zh"`` or ``"en"``; ``split`` is the official folder, if any.

    Example:
        >>> scan(Path("ESD")).rows[0]["language"]  # doctest: +SKIP
        'zh'
    """
    rows, skipped = scan_names(INFO.name, find_files(root, max_depth=5), _row)
    texts: dict[str, str] = {}
    for folder in sorted({_FILE.match(row["file"])[1] for row in rows}):
        texts |= _texts(root / folder / f"{folder.rstrip('/').rpartition('/')[2]}.txt")
    for row in rows:
        text = texts.get(_FILE.match(row["file"])[5])
        if text:
            row["text"] = text
    return Scan(rows, skipped)


def _row(file: str) -> dict[str, Any] | str:
    match = _FILE.fullmatch(file.rpartition(".")[0])
    if not match or match[2] not in _SPEAKERS:
        return "not an ESD file name"
    _, speaker, emotion, split, _, named = match.groups()
    if named != speaker:
        return "name and folder tell different speakers"
    row = {"emotion": _EMOTIONS[emotion.lower()], "gender": _SPEAKERS[speaker], "speaker": speaker}
    row["language"] = "zh" if int(speaker) <= 10 else "en"
    return row | ({"split": split.lower()} if split else {})


def _texts(path: Path) -> dict[str, str]:
    """Read a list of lines ``0011_000351<tab>sentence<tab>emotion``; some lines lack a tab and are passed over."""
    if not path.is_file():
        return {}
    # Mandarin lists that are no UTF are GB 2312, of which GB 18030 is the whole; English ones Latin.
    fallback = "gb18030" if path.stem <= "0010" else "latin-1"
    lines = (line.strip().split("\t") for line in read_text(path, fallback).splitlines())
    return {fields[0].strip(): fields[1].strip() for fields in lines if len(fields) == 3}
