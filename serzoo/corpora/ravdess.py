"""RAVDESS, the Ryerson Audio-Visual Database of Emotional Speech and Song: its speech recordings.

Twenty-four actors, twelve women and twelve men, speak two English sentences in eight emotions; 1,440 utterances,
48 kHz. The official archive ``Audio_Speech_Actors_01-24.zip`` holds a folder for each actor. A root holds these
folders, or a folder named after the archive with them in it, or all files directly. Songs and videos beside them are
skipped and counted, and so is the second copy of everything that a well-known mirror contains.

A file name such as ``03-01-06-01-02-01-12.wav`` reads: modality (03: sound alone), vocal channel (01: speech,
02: song), emotion, intensity (01: normal, 02: strong), statement, repetition, actor (odd: man, even: woman).

Livingstone, Russo (2018), PLoS ONE 13(5) e0196391. https://doi.org/10.1371/journal.pone.0196391
"""

import re
from pathlib import Path
from typing import Any

from serzoo.corpora.corpus import AUDIO_SUFFIXES, CorpusInfo, Scan, find_files, scan_names, stem_of

_EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
_INTENSITIES = {"01": "normal", "02": "strong"}
_TEXTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
_REPETITIONS = {"01": 1, "02": 2}
_SPEAKERS = {f"{actor:02d}": "male" if actor % 2 else "female" for actor in range(1, 25)}
_FILE_NAME = re.compile(r"(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)-(\d\d)")
_FOLDER = re.compile(r"((audio_speech_actors_01-24/)?actor_\d\d)?", re.IGNORECASE)
_PER_SPEAKER = {emotion: 4 if emotion == "neutral" else 8 for emotion in sorted(_EMOTIONS.values())}

INFO = CorpusInfo(
    name="ravdess",
    title="Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS), speech",
    reference="Livingstone and Russo (2018), PLoS ONE 13(5) e0196391, https://doi.org/10.1371/journal.pone.0196391",
    url="https://zenodo.org/record/1188976",
    licence="CC-BY-NC-SA-4.0",
    layout="1440 files such as Actor_01/03-01-01-01-01-01-01.wav",
    emotions={emotion: count * len(_SPEAKERS) for emotion, count in _PER_SPEAKER.items()},
    speakers=_SPEAKERS,
    speaker_emotions={speaker: _PER_SPEAKER for speaker in _SPEAKERS},
    known_duplicates=(frozenset({"03-01-03-01-02-01-07", "03-01-03-01-02-02-07"}),),
    notes=("all actors speak the same two sentences: figures on it are text-dependent",),
)


def scan(root: Path) -> Scan:
    """Read the file names below a root.

    Args:
        root: existing folder that holds the recordings, or ``Actor_NN`` folders, or ``Audio_Speech_Actors_01-24``.

    Returns:
        The utterances and the skipped files. ``session`` is missing; ``text`` is the statement; two more columns are
        ``intensity`` (``"normal"`` or ``"strong"``) and ``repetition`` (1 or 2).

    Example:
        >>> scan(Path("RAVDESS")).rows[0]["emotion"]  # doctest: +SKIP
        'neutral'
    """
    return scan_names(INFO.name, find_files(root, max_depth=2, suffixes=(*AUDIO_SUFFIXES, ".mp4")), _row)


def _row(file: str) -> dict[str, Any] | str:
    match = _FILE_NAME.fullmatch(stem_of(file))
    if reason := _reason_to_skip(file, match):
        return reason
    _, _, emotion, intensity, statement, repetition, actor = match.groups()
    row = {"emotion": _EMOTIONS[emotion], "gender": _SPEAKERS[actor], "speaker": actor, "text": _TEXTS[statement]}
    return row | {"intensity": _INTENSITIES[intensity], "repetition": _REPETITIONS[repetition]}


def _reason_to_skip(file: str, match: re.Match | None) -> str | None:
    if match is None:
        return "not a RAVDESS file name"
    modality, channel, emotion, intensity, statement, repetition, actor = match.groups()
    if channel == "02":
        return "song (vocal channel 02)"
    if modality in ("01", "02"):
        return "video (modality 01 or 02)"
    fields = ((emotion, _EMOTIONS), (intensity, _INTENSITIES), (statement, _TEXTS), (repetition, _REPETITIONS))
    known = modality == "03" and channel == "01" and actor in _SPEAKERS and all(key in of for key, of in fields)
    if not known or (emotion == "01" and intensity == "02") or file.lower().endswith(".mp4"):
        return "not a RAVDESS file name"
    if not _FOLDER.fullmatch(file.rpartition("/")[0]):
        return "outside the official folders"
    return None
